--- nested.lua - supervisors under supervisors, over several nodes. Semantics 2.6, 2.7, 6, 7.2, 7.5.

local specs = require "harness.specs"

local function inner(id, node_id, children, fields)
  local child = { id = id, node_selector = node_id and { node = node_id } or "round_robin",
                  supervisor = { strategy = "one_for_one", node_selector = "round_robin", children = children,
                                 restart_intensity = { max_restarts = 0, within_ms = 5000 } } }
  for key, value in pairs(fields or {}) do child[key] = value end
  return child
end

local function started_once_more(w, labels)
  local starts = {}
  for _, line in ipairs(w:ledger(function(l) return l.what == "start" end)) do
    starts[line.label] = (starts[line.label] or 0) + 1
  end
  for _, label in ipairs(labels) do w:equal(starts[label], 2, label .. " was started") end
end

--- The node of an inner supervisor is killed: its subtree ends everywhere, and begins once, fresh, elsewhere.
local function inner_s_node_is_killed(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  local spec = { name = "outer", restart_intensity = { max_restarts = 0 }, node_selector = "round_robin", children = {
    specs.probe("first"), inner("inner", nil, { specs.probe("i1"), specs.probe("i2"), specs.probe("i3") }) } }
  specs.start(a, spec)
  local before = w:settled { "first", "i1", "i2", "i3" }
  local at = a:run("return dozor.supervisor.child(S.sup, 'inner').node_id:match('^%a+')")
  w:equal(at, "b", "the inner supervisor's node")
  b:kill()
  w:wait_until(function()
    return a:run("local c = dozor.supervisor.child(S.sup, 'inner') return c.status == 'running' and not c.node_id:match('^b@')")
  end, "the inner supervisor runs elsewhere")
  local after = w:settled { "first", "i1", "i2", "i3" }
  w:equal(after.first.pid, before.first.pid, "the first child never noticed")
  for _, id in ipairs { "i1", "i2", "i3" } do w:ok(after[id].pid ~= before[id].pid, id .. " is fresh") end
  started_once_more(w, { "i1", "i2", "i3" })
  w:equal(#a:events("child_migrated", "inner"), 1)
  a:run("dozor.supervisor.stop(S.sup)")
  w:equal(w:live(), {}, "live after stop")
  w:ok(#c:events("node_down") == 1)
end

--- Three levels on three nodes; the outermost node is killed: nothing is orphaned.
local function the_root_s_node_is_killed(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  specs.start(a, { name = "outer", children = {
    inner("middle", b.id, { specs.probe("m1", { node_selector = { node = c.id } }),
                            inner("deep", c.id, { specs.probe("d1", { node_selector = { node = b.id } }),
                                                  specs.probe("d2", { node_selector = { node = c.id } }) }) }) } })
  w:settled { "m1", "d1", "d2" }
  a:kill()
  w:wait_until(function() return #w:live() == 0 end, function() return "nothing lives: " .. w:show(w:live()) end)
  w:equal(#w:ledger(function(l) return l.what == "end" end), 3, "all ran terminate")
  for _, node in ipairs { b, c } do
    w:wait_until(function() return node:run("return #dozor.supervisor.list()") == 0 end, "no supervisor lives at " .. node.name)
  end
end

--- Frozen instead of killed: the whole old subtree ends when it is back.
local function inner_s_node_freezes(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  specs.start(a, { name = "outer", restart_intensity = { max_restarts = 0 }, node_selector = "round_robin", children = {
    specs.probe("first"), inner("inner", nil, { specs.probe("i1"), specs.probe("i2"), specs.probe("i3") }) } })
  w:settled { "first", "i1", "i2", "i3" }
  b:freeze()
  w:settled { "first", "i1", "i2", "i3" }
  b:thaw()
  w:meshed { a, b, c }
  w:settled { "first", "i1", "i2", "i3" }
  w:wait_until(function()
    return a:run("return #dozor.supervisor.list()") + b:run("return #dozor.supervisor.list()") +
      c:run("return #dozor.supervisor.list()") == 2
  end, "two supervisors are left")
  w:settled { "first", "i1", "i2", "i3" }
  a:run("dozor.supervisor.stop(S.sup)")
  w:equal(w:live(), {}, "live after stop")
end

--- Stopping the root stops the subtree in order, over all nodes.
local function stop_is_in_order(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  specs.start(a, { name = "outer", children = {
    specs.probe("1", { node_selector = { node = c.id }, args = { "1", { end_ms = 30 } } }),
    inner("in", b.id, { specs.probe("2", { node_selector = { node = a.id }, args = { "2", { end_ms = 30 } } }),
                        specs.probe("3", { node_selector = { node = c.id }, args = { "3", { end_ms = 30 } } }) }),
    specs.probe("4", { node_selector = { node = b.id }, args = { "4", { end_ms = 30 } } }) } })
  w:settled { "1", "2", "3", "4" }
  a:run("dozor.supervisor.stop(S.sup)")
  w:equal(w:live(), {}, "live after stop")
  local order = {}
  for _, line in ipairs(w:ledger(function(l) return l.what == "end" end)) do order[#order + 1] = line.label .. line.reason end
  w:equal(order, { "4shutdown", "3shutdown", "2shutdown", "1shutdown" })
  for _, node in ipairs { a, b, c } do w:equal(node:run("return #dozor.supervisor.list()"), 0) end
end

--- An inner supervisor on another node exceeds its intensity: gone, then fresh, one restart of the parent.
local function inner_exceeds(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  specs.start(a, { name = "outer", restart_intensity = { max_restarts = 1, within_ms = 60000 }, children = {
    inner("in", b.id, { specs.probe("i1"), specs.probe("i2"), specs.probe("i3") }) } })
  local before = w:settled { "i1", "i2", "i3" }
  a:run("dozor.cast(..., 'crash')", before.i3.pid)
  w:wait_until(function() return a:run("return #seen('child_restarted', 'in')") == 1 end, "the parent restarts it")
  local after = w:settled { "i1", "i2", "i3" }
  for id in pairs(after) do w:ok(after[id].pid ~= before[id].pid, id .. " is fresh") end
  w:equal(a:run("return dozor.supervisor.stats(S.sup)").total_restarts, 1)
  started_once_more(w, { "i1", "i2", "i3" })
  w:ok(#c:events("node_down") == 0)
end

--- 2.7: a supervisor that is killed takes its subtree along, wherever it lives; terminate runs, reason killed.
local function a_killed_supervisor(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  local sup = specs.start(a, { name = "outer", node_selector = "round_robin", children = {
    specs.probe("1"), specs.probe("2"), specs.probe("3"),
    inner("in", b.id, { specs.probe("4"), specs.probe("5"), specs.probe("6") }) } })
  w:settled { "1", "2", "3", "4", "5", "6" }
  c:run("dozor.kill(...)", sup)
  w:wait_until(function() return #w:live() == 0 end, function() return "nothing lives: " .. w:show(w:live()) end)
  local ends = w:ledger(function(l) return l.what == "end" end)
  w:equal(#ends, 6)
  for _, line in ipairs(ends) do w:equal(line.reason, "killed", line.label) end
  for _, node in ipairs { a, b, c } do
    w:wait_until(function() return node:run("return #dozor.supervisor.list()") == 0 end, "no supervisor is left")
  end
end

--- A start function may make its child on another node: it is the supervisor's all the same, and ends with it.
local function a_start_function_s_child_elsewhere(w)
  local a, b = w:cluster { "a", "b" }
  local start = [[
    local node = ...
    local function far(label) return { id = label, start = function() return dozor.spawn("probe", { label }, { node = node }) end } end
    S.sup = dozor.supervisor.start { children = { far "f1", far "f2" } }
    return true]]
  local function both_live() w:wait_until(function() return #w:live() == 2 end, function() return "two live: " .. w:show(w:live()) end) end
  local function none_live() w:wait_until(function() return #w:live() == 0 end, function() return "nothing lives: " .. w:show(w:live()) end) end
  a:run(start, b.id)
  both_live()
  a:run("dozor.supervisor.stop(S.sup)")
  w:equal(w:live(), {}, "live after stop")
  a:run(start, b.id)
  both_live()
  a:run("dozor.kill(S.sup)")
  none_live()
  a:run(start, b.id)
  both_live()
  a:kill()
  none_live()
  local reasons = {}
  for _, line in ipairs(w:ledger(function(l) return l.what == "end" end)) do reasons[#reasons + 1] = line.reason end
  table.sort(reasons)
  w:equal(reasons, { "killed", "killed", "noconnection", "noconnection", "shutdown", "shutdown" })
end

--- A spec given by its name is evaluated where it runs; broken off there while it starts, nothing of it lives when that returns.
local function a_named_one_is_broken_off_elsewhere(w)
  local a, b = w:cluster { "a", "b" }
  for _, node in ipairs { a, b } do
    node:run([[dozor.behaviors.register("slow_tree", { children = {
      { id = "n1", behavior = "probe", args = { "n1" } },
      { id = "n2", behavior = "probe", args = { "n2", { init_ms = 60000 } }, start_timeout = "infinity" } } })
      return true]])
  end
  for _, break_off in ipairs { "dozor.supervisor.stop(S.sup)", "dozor.supervisor.terminate_child(S.sup, 'in')" } do
    specs.start(a, { children = {} })
    a:run([[
      local sup, node = S.sup, ...
      dozor.spawn(function()
        pcall(dozor.supervisor.start_child, sup, { id = "in", supervisor = "slow_tree", node_selector = { node = node } })
      end)
      return true]], b.id)
    w:wait_until(function() return #w:live() == 1 and b:run("return #dozor.supervisor.list()") == 1 end, "n1 lives, n2 starts")
    a:run(break_off)
    w:equal(w:live(), {}, "live after " .. break_off)
    w:equal(b:run("return #dozor.supervisor.list()"), 0, "supervisors after " .. break_off)
    a:run("dozor.supervisor.stop(S.sup)")
  end
end

return {
  { name = "an inner supervisor's node is killed: its subtree begins once, fresh, elsewhere", fn = inner_s_node_is_killed },
  { name = "the root's node is killed: nothing is orphaned three levels deep", fn = the_root_s_node_is_killed },
  { name = "an inner supervisor's node freezes and comes back", fn = inner_s_node_freezes },
  { name = "stopping the root stops the subtree in order over all nodes", fn = stop_is_in_order },
  { name = "an inner supervisor exceeds its intensity on another node", fn = inner_exceeds },
  { name = "a killed supervisor takes its subtree along", fn = a_killed_supervisor },
  { name = "a start function's child on another node is its supervisor's", fn = a_start_function_s_child_elsewhere },
  { name = "a supervisor given by name is broken off while it starts elsewhere", fn = a_named_one_is_broken_off_elsewhere },
}
