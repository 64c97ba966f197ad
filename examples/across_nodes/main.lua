--- main.lua - the first node of cluster.lua: the three restart strategies, each with its children spread over three nodes by
--- round_robin. What happens, and in which order, is as on one node; each child starts again where it ran.

local dozor = require "dozor"

local DEADLINE_MS = 15000

local function wait_until(what, cond)
  local deadline = dozor.now() + DEADLINE_MS
  while not cond() do
    if dozor.now() > deadline then error("gave up waiting until " .. what) end
    dozor.sleep(1)
  end
end

local function say(line)
  dozor.call("board", line)
end

local function child(id, title)
  return { id = id, behavior = "stage", args = { title } }
end

--- Starts the children, crashes one, waits until `restarted` have a new process, stops them.
local function show(strategy, children, victim, restarted)
  say("\n" .. strategy)
  local sup = dozor.supervisor.start { strategy = strategy, node_selector = "round_robin", children = children }
  say(("-- %s crashes"):format(victim))
  dozor.cast(dozor.supervisor.child(sup, victim).pid, "crash")
  wait_until("the replacements run", function()
    local count = 0
    for _, c in ipairs(dozor.supervisor.children(sup)) do
      if c.status == "running" and c.restart_count == 1 then count = count + 1 end
    end
    return count == restarted
  end)
  say("-- stop")
  dozor.supervisor.stop(sup)
end

wait_until("all three nodes are up", function()
  local up = 0
  for _, node in ipairs(dozor.cluster.nodes()) do up = up + (node.status == "up" and 1 or 0) end
  return up == 3
end)
dozor.spawn("board", {}, { global = "board" })

show("one_for_one", { child("worker-1", "Worker 1"), child("worker-2", "Worker 2"), child("worker-3", "Worker 3") },
  "worker-2", 1)
show("one_for_all", { child("coordinator", "Coordinator"), child("worker-1", "Worker 1"), child("worker-2", "Worker 2") },
  "worker-1", 3)
show("rest_for_one", { child("producer", "Producer"), child("processor", "Processor"), child("consumer", "Consumer") },
  "processor", 2)

dozor.cluster.stop()
dozor.shutdown(0)
