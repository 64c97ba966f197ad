--- detect.lua - what is a loss and what is none, and what waits for a node that does not answer. Semantics 7.7, 8.3, 8.8.

local dozor = require "dozor"
local specs = require "harness.specs"

local function on(node, id, options)
  return specs.probe(id, { args = { id, options }, node_selector = { node = node.id } })
end

--- Every worker of a node is busy for far longer than down_after_ms.
local function busy_workers(w)
  local a, b = w:cluster({ "a", "b" }, { host_options = { "--workers", "2" } })
  for _ = 1, 2 do
    a:run([[
      local at = ...
      for i = 1, 3 do dozor.cast(dozor.spawn("probe", { "busy" }, { node = at, own_worker = i == 1 }), { "burn", 2000 }) end ]], b.id)
  end
  w:holds(2500, function() return a:run("return dozor.cluster.node(...).status", b.id) ~= "down" end, "a busy node is up")
  w:equal(#a:events("node_down") + #b:events("node_down"), 0, "node_down")
end

--- Time in which our own system thread did not run does not count: who was frozen takes nobody for lost.
local function a_stall_of_ours(w)
  local a = w:node("a")
  local b = w:node("b", { suspect_after_ms = 5000, down_after_ms = 20000 })
  a.config.seeds, b.config.seeds = {}, { a.id }
  a:start()
  b:start()
  w:meshed { a, b }
  specs.start(a, specs.tree(4))
  local before = w:settled(specs.labels(4))
  a:freeze()
  local from = dozor.now()
  w:holds(1800 - (dozor.now() - from), function() return true end)
  a:thaw()
  w:holds(800, function() return #a:events("node_down") == 0 end, "a has lost nobody")
  w:equal(#b:events("node_down"), 0, "node_down at b")
  for id, found in pairs(w:settled(specs.labels(4))) do w:equal(found.pid, before[id].pid, id) end
end

--- kill -9 on the same machine is seen in milliseconds, whatever down_after_ms is.
local function a_kill_is_seen_at_once(w)
  local a, b = w:cluster({ "a", "b" }, { suspect_after_ms = 20000, down_after_ms = 60000 })
  b:kill()
  a:run("wait_until(function() return #seen('node_down') == 1 end, 5000)")
  local took = dozor.now() - b.killed_at
  w:log("from kill -9 to node_down: %.0f ms (the test's polling included)", took)
  w:ok(took < 2000, "milliseconds, not down_after_ms: " .. took)
  w:equal(a:events("node_down")[1].reason, "refused")
end

--- A stop that cannot be confirmed leaves the child `stopping` until its node's loss.
local function a_stop_that_is_not_confirmed(w)
  local a, b = w:cluster({ "a", "b" }, { suspect_after_ms = 800, down_after_ms = 2000 })
  specs.start(a, specs.tree(0, { children = { on(b, "far"), on(a, "near") } }))
  w:settled { "far", "near" }
  b:freeze()
  local stop = a:async("dozor.supervisor.terminate_child(S.sup, 'far') return dozor.now()")
  w:wait_until(function() return a:run("return dozor.supervisor.child(S.sup, 'far').status") == "stopping" end, "it is stopping")
  w:holds(500, function()
    local child = a:run("return dozor.supervisor.child(S.sup, 'far')")
    return child and child.status == "stopping"
  end, "it stays so")
  a:run("wait_until(function() return #seen('node_down') == 1 end)")
  stop:wait()
  w:ok(a:run("return dozor.supervisor.child(S.sup, 'far') == nil"), "the record is removed")
  b:thaw()
  w:meshed { a, b }
  w:settled { "near" }
end

--- A child that dies before the bookkeeping is done is a crash like any other.
local function dead_on_arrival(w)
  local a, b = w:cluster { "a", "b" }
  specs.start(a, specs.tree(0, { restart_intensity = { max_restarts = 50, within_ms = 60000 }, children = { on(b, "x", { crash_once = true }) } }))
  w:wait_until(function() return a:run("return dozor.supervisor.child(S.sup, 'x').restart_count") >= 1 end, "it was restarted")
  w:settled { "x" }
  w:equal(a:run("return dozor.supervisor.stats(S.sup)").node_failure_restarts, 0)
end

--- register asks all connected nodes, and waits for one that does not answer for one second at most.
local function a_name_and_a_silent_node(w)
  local a, b, c = w:cluster({ "a", "b", "c" }, { suspect_after_ms = 4000, down_after_ms = 8000 })
  c:freeze()
  local took = a:run([[
    local t = dozor.now()
    dozor.global.register("it")
    local took = dozor.now() - t
    S.keep = true
    return took ]])
  w:log("a registration beside a frozen node took %.0f ms", took)
  w:ok(took < 2500, "one second: " .. took)
  c:thaw()
end

return {
  { name = "a node whose workers are busy is no loss", fn = busy_workers },
  { name = "who was frozen takes nobody for lost", fn = a_stall_of_ours },
  { name = "a kill is seen at once", fn = a_kill_is_seen_at_once },
  { name = "a stop that cannot be confirmed leaves the child stopping", fn = a_stop_that_is_not_confirmed },
  { name = "a child that dies at once is a crash like any other", fn = dead_on_arrival },
  { name = "a registration waits for a silent node one second", fn = a_name_and_a_silent_node },
}
