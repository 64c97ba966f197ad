--- main.lua - the first node of cluster.lua: a selector of one's own. The child's id begins with a region ("us-worker-1"), each node
--- has a region among its attributes; a child runs where they meet, and on this node when no node has its region.

local dozor = require "dozor"

local DEADLINE_MS = 15000

local function wait_until(what, cond)
  local deadline = dozor.now() + DEADLINE_MS
  while not cond() do
    if dozor.now() > deadline then error("gave up waiting until " .. what) end
    dozor.sleep(1)
  end
end

local function geo(nodes, child_id)
  local region = child_id:match("^%a+")
  for _, node in ipairs(nodes) do
    if node.attributes.region == region then return node.id end
  end
  return nodes[1].id
end

local function where(sup, child_id)
  return dozor.call(dozor.supervisor.child(sup, child_id).pid, "where")
end

wait_until("all three nodes are up", function()
  local up = 0
  for _, node in ipairs(dozor.cluster.nodes()) do up = up + (node.status == "up" and 1 or 0) end
  return up == 3
end)
dozor.spawn("board", {}, { global = "board" })

local sup = dozor.supervisor.start {
  node_selector = geo,
  children = {
    { id = "eu-worker-1", behavior = "stage", args = { "eu-worker-1" } },
    { id = "us-worker-1", behavior = "stage", args = { "us-worker-1" } },
    { id = "ap-worker-1", behavior = "stage", args = { "ap-worker-1" } },
    { id = "moon-worker-1", behavior = "stage", args = { "moon-worker-1" } },
  },
}

print("a child added later is placed the same way")
dozor.supervisor.start_child(sup, { id = "us-worker-2", behavior = "stage", args = { "us-worker-2" } })

print("after a crash a child starts again where it ran")
local crashed = dozor.supervisor.child(sup, "us-worker-1").pid
dozor.cast(crashed, "crash")
wait_until("us-worker-1 runs again", function()
  local child = dozor.supervisor.child(sup, "us-worker-1")
  return child.status == "running" and child.pid ~= crashed
end)
print("us-worker-1 is on " .. where(sup, "us-worker-1"))

print("stop, in reverse order")
dozor.supervisor.stop(sup)
dozor.cluster.stop()
dozor.shutdown(0)
