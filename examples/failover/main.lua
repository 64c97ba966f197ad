--- main.lua - the first node of scripts/failover.lua: spreads workers over three nodes, kills one node,
--- watches its workers come up elsewhere while the others never notice, and ends the whole cluster.

local dozor = require "dozor"

local DEADLINE_MS = 15000

--- Waits until cond() gives something true, and returns it.
local function wait_until(what, cond)
  local deadline = dozor.now() + DEADLINE_MS
  while true do
    local result = cond()
    if result then return result end
    if dozor.now() > deadline then error("gave up waiting until " .. what) end
    dozor.sleep(1)
  end
end

local function check(condition, text)
  if not condition then error("failed: " .. text, 2) end
  print("  ok: " .. text)
end

local function name_of(node_id)
  return (node_id:match("^[^@]+"))
end

local function children_by_id(sup)
  local by_id = {}
  for _, child in ipairs(dozor.supervisor.children(sup)) do by_id[child.id] = child end
  return by_id
end

local function counts(children)
  local list = {}
  for id, child in pairs(children) do list[#list + 1] = ("%s=%d"):format(id, dozor.call(child.pid, "status")) end
  table.sort(list)
  return table.concat(list, " ")
end

--- The operating system's process of a node, from a process on that node.
local function os_pid_of(node_id)
  local pid = dozor.spawn("os_process", {}, { node = node_id })
  local os_pid = dozor.call(pid, "pid")
  dozor.stop(pid)
  return os_pid
end

-- 1. The cluster.

wait_until("all three nodes are up", function()
  local up = 0
  for _, node in ipairs(dozor.cluster.nodes()) do up = up + (node.status == "up" and 1 or 0) end
  return up == 3
end)
print("nodes:")
for _, node in ipairs(dozor.cluster.nodes()) do print("  " .. node.id) end

-- 2. Events, as they come.

dozor.on_event(function(event)
  print(("[%s] %s"):format(event.type, dozor.json.encode(event)))
end)

-- 3. A supervisor that spreads its children.

local sup = dozor.supervisor.start {
  strategy = "one_for_one",
  node_selector = "round_robin",
  children = {
    { id = "worker-1", behavior = "worker", restart = "permanent" },
    { id = "worker-2", behavior = "worker", restart = "permanent" },
    { id = "worker-3", behavior = "worker", restart = "permanent" },
  },
  restart_intensity = { max_restarts = 10, within_ms = 60000 },
}
dozor.supervisor.start_child(sup, { id = "worker-4", behavior = "worker", node_selector = "least_loaded" })

local before = children_by_id(sup)
local seen, distinct = {}, 0
for _, id in ipairs { "worker-1", "worker-2", "worker-3" } do
  local node = before[id].node_id
  if not seen[node] then distinct = distinct + 1 end
  seen[node] = true
end
print("children:")
for i = 1, 4 do print(("  worker-%d on %s"):format(i, before["worker-" .. i].node_id)) end
check(distinct == 3, "worker-1, worker-2 and worker-3 are on three different nodes")

-- 4. Work: n pieces for worker-n.

for i = 1, 4 do
  for _ = 1, i do dozor.cast(before["worker-" .. i].pid, "work") end
end
print("counts: " .. counts(before))
check(counts(before) == "worker-1=1 worker-2=2 worker-3=3 worker-4=4", "every worker counted its own work")

-- 5. One node is killed, as hard as it gets.

local victim = before["worker-2"].node_id
check(victim ~= dozor.node(), "the victim is another node than this one")
local victim_pid = os_pid_of(victim)
print(("killing %s (process %d) with SIGKILL"):format(name_of(victim), victim_pid))
local killed_at = dozor.now()
dozor.uv.kill(victim_pid, "sigkill")

local after = wait_until("the victim's children run elsewhere", function()
  local children = children_by_id(sup)
  for _, child in pairs(children) do
    if child.status ~= "running" or child.node_id == victim then return nil end
  end
  return children
end)
local took = dozor.now() - killed_at

-- 6. What is left of it.

for i = 1, 4 do
  local id = "worker-" .. i
  local old, new = before[id], after[id]
  if old.node_id == victim then
    check(new.pid ~= old.pid and new.node_id ~= victim, ("%s moved to %s"):format(id, name_of(new.node_id)))
    dozor.cast(new.pid, "work")
    check(dozor.call(new.pid, "status") == 1, id .. " began anew and works")
  else
    check(new.pid == old.pid and dozor.call(new.pid, "status") == i, id .. " kept its process and its count")
  end
end
print("counts: " .. counts(after))
print(("from the kill to all running: %.1f ms"):format(took))

local stats = dozor.supervisor.stats(sup)
print("stats: " .. dozor.json.encode(stats))
check(stats.child_count == 4, "no child is missing")
check(stats.total_restarts == stats.node_failure_restarts, "only the node's loss restarted anything")

-- 7. The end, in order.

dozor.supervisor.stop(sup)
dozor.cluster.stop()
dozor.shutdown(0)
