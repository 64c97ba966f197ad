--- slow.lua - slow inits and slow ends on other nodes, and what overtakes them. Semantics 2.3, 2.5, 2.6, 3.6, 7.7.

local specs = require "harness.specs"

local function on(node, id, options, fields)
  local child = specs.probe(id, { args = { id, options }, node_selector = { node = node.id } })
  for key, value in pairs(fields or {}) do child[key] = value end
  return child
end

local function inits(w, label)
  return #w:ledger(function(l) return l.what == "init" and l.label == label end)
end

--- stop while a start on another node is under way: it returns soon, and nothing appears later.
local function stop_breaks_a_start_off(w)
  local a, b = w:cluster { "a", "b" }
  specs.start(a, specs.tree(2))
  local start = a:async([[
    local ok, err = pcall(dozor.supervisor.start_child, S.sup, (...))
    return { ok, err.code, err.cause } ]], on(b, "slow", { init_ms = 800 }, { start_timeout = "infinity" }))
  w:wait_until(function() return inits(w, "slow") == 1 end, "the init is under way")
  w:equal(a:run("return dozor.supervisor.child(S.sup, 'slow').status"), "starting")
  local took = a:run("local t = dozor.now() dozor.supervisor.stop(S.sup) return dozor.now() - t")
  w:ok(took < 500, "stop did not wait for the init: " .. took)
  w:equal(w:live(), {}, "live after stop")
  local result = start:wait()
  w:equal({ result[1], result[2] }, { false, "child_start_failed" })
  w:holds(1000, function() return #w:live() == 0 end, "nothing appears")
  w:equal(#w:ledger(function(l) return l.label == "slow" and l.what == "start" end), 0, "the init never went on")
end

local function terminate_child_breaks_its_start_off(w)
  local a, b = w:cluster { "a", "b" }
  specs.start(a, specs.tree(1))
  local start = a:async("local ok, err = pcall(dozor.supervisor.start_child, S.sup, (...)) return { ok, err.code }",
    on(b, "slow", { init_ms = 800 }))
  w:wait_until(function() return inits(w, "slow") == 1 end, "the init is under way")
  a:run("dozor.supervisor.terminate_child(S.sup, 'slow')")
  w:equal(start:wait(), { false, "child_start_failed" })
  w:ok(a:run("return dozor.supervisor.child(S.sup, 'slow') == nil"), "no record")
  w:holds(1000, function() return (w:copies()).slow == nil end, "it never lives")
  w:settled { "c1" }
end

--- start_timeout over there: a failed start; the late process never lives.
local function a_start_that_takes_too_long(w)
  local a, b = w:cluster { "a", "b" }
  specs.start(a, specs.tree(1))
  local err = a:raises("timeout", "dozor.supervisor.start_child(S.sup, ...)",
    on(b, "late", { init_ms = 600 }, { start_timeout = 100 }))
  w:equal(err.child_id, "late")
  w:holds(800, function() return (w:copies()).late == nil end, "it never lives")
  err = a:raises("child_start_failed", "dozor.supervisor.start_child(S.sup, ...)", on(b, "bad", { init_error = "no" }))
  w:ok(type(err.cause) == "table" and err.cause.message:find("no", 1, true), "the cause comes along")
  err = a:raises("behavior_not_found", "dozor.supervisor.start_child(S.sup, ...)",
    { id = "none", behavior = "nonsense", node_selector = { node = b.id } })
  w:equal(a:run("return dozor.supervisor.count_children(S.sup)").specs, 1)
end

--- An initial child fails over there: those started are stopped in reverse order, wherever they live.
local function a_first_start_fails(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  local err = a:raises("child_start_failed", "dozor.supervisor.start(...)", specs.tree(0, { children = {
    on(a, "1"), on(b, "2"), on(c, "3"), on(b, "4", { init_error = "no" }), on(a, "5") } }))
  w:equal(err.child_id, "4")
  w:equal(w:live(), {}, "nothing lives")
  local ends = {}
  for _, line in ipairs(w:ledger(function(l) return l.what == "end" end)) do ends[#ends + 1] = line.label end
  w:equal(ends, { "3", "2", "1" })
  w:ok(c:run("return dozor.global.whereis('tree') == nil"), "the name is free")
end

--- shutdown_timeout, brutal_kill and infinity on another node.
local function ends_over_there(w)
  local a, b = w:cluster { "a", "b" }
  specs.start(a, specs.tree(0, { children = {
    on(b, "patient", { end_ms = 400 }, { shutdown_timeout = "infinity" }),
    on(b, "stuck", { end_ms = 60000 }, { shutdown_timeout = 200 }),
    on(b, "brutal", { end_ms = 60000 }, { shutdown_timeout = "brutal_kill" }),
    on(b, "trapping", { trap = true }) } }))
  w:settled { "patient", "stuck", "brutal", "trapping" }
  local took = a:run("local t = dozor.now() dozor.supervisor.stop(S.sup) return dozor.now() - t")
  w:equal(w:live(), {}, "live after stop")
  w:ok(took >= 600 and took < 3000, "200 ms for one and 400 ms for another: " .. took)
  local ends = {}
  for _, line in ipairs(w:ledger(function(l) return l.what == "end" end)) do ends[#ends + 1] = line.label end
  w:equal(ends, { "trapping", "patient" })
end

--- 3.6: the old process is gone before the new one starts, over there too.
local function restart_child_over_there(w)
  local a, b = w:cluster { "a", "b" }
  specs.start(a, specs.tree(0, { children = { on(b, "x", { end_ms = 150 }) } }))
  local before = w:settled { "x" }
  local pid = a:run("return dozor.supervisor.restart_child(S.sup, 'x')")
  w:equal(w:settled({ "x" }).x.pid, pid)
  w:ok(pid ~= before.x.pid)
  local lines = w:ledger()
  w:equal({ lines[1].what, lines[2].what, lines[3].what }, { "start", "end", "start" })
  w:equal(a:run("return dozor.supervisor.stats(S.sup)").total_restarts, 0)
  local err = a:raises("child_not_found", "dozor.supervisor.restart_child(S.sup, 'y')")
  w:equal(err.child_id, "y")
end

--- Everything a supervisor answers, asked from another node; by name, by pid, by name and node.
local function asked_from_elsewhere(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  local sup = specs.start(a, specs.tree(3))
  w:settled(specs.labels(3))
  for _, dest in ipairs { sup, "tree" } do
    local records = b:run("return dozor.supervisor.children(...)", dest)
    w:equal({ #records, records[2].id, records[2].node_id, records[2].status }, { 3, "c2", b.id, "running" })
    w:equal(c:run("return dozor.supervisor.child(..., 'c3')", dest).node_id, c.id)
    w:equal(c:run("return dozor.supervisor.count_children(...)", dest), { specs = 3, active = 3, supervisors = 0, workers = 3 })
    w:equal(c:run("return dozor.supervisor.stats(...)", dest).id, "tree")
    w:equal(c:run("return dozor.supervisor.is_running(...)", dest), true)
  end
  c:run("dozor.supervisor.start_child('tree', ...)", specs.probe("c4", { node_selector = { node = b.id } }))
  c:run("dozor.supervisor.restart_child('tree', 'c1')")
  b:run("dozor.supervisor.terminate_child('tree', 'c2')")
  w:settled { "c1", "c3", "c4" }
  b:raises("duplicate_child", "dozor.supervisor.start_child('tree', ...)", specs.probe("c4"))
  c:run("dozor.supervisor.stop('tree')")
  w:equal(w:live(), {}, "live after stop")
  c:raises("supervisor_not_found", "dozor.supervisor.children(...)", sup)
  w:equal(c:run("return dozor.supervisor.is_running(...)", sup), false)
  c:run("dozor.supervisor.stop(...)", sup)
end

--- A start sent to a frozen node: it fails with the node's loss, and what arrives there later never lives.
local function a_start_on_a_frozen_node(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  specs.start(a, specs.tree(2))
  c:freeze()
  local pinned = a:async("local ok, err = pcall(dozor.supervisor.start_child, S.sup, (...)) return { ok, err.code }", on(c, "pinned"))
  local short = a:async("local ok, err = pcall(dozor.spawn, 'probe', { 'short' }, { node = ..., timeout_ms = 50 }) return { ok, err.code }", c.id)
  w:equal(short:wait(), { false, "timeout" })
  w:equal(pinned:wait(), { false, "noconnection" })
  c:thaw()
  w:meshed { a, b, c }
  w:settled { "c1", "c2" }
  w:holds(300, function() return #w:live() == 2 end, "what came too late does not live")
end

--- The same for a frozen node that comes back in time: a spawn whose time ran out meanwhile does not live there.
local function a_spawn_that_ran_out(w)
  local a, b = w:cluster({ "a", "b" }, { suspect_after_ms = 2000, down_after_ms = 4000 })
  b:freeze()
  local short = a:async("local ok, err = pcall(dozor.spawn, 'probe', { 'short' }, { node = ..., timeout_ms = 100 }) return { ok, err.code }", b.id)
  local long = a:async("return dozor.spawn('probe', { 'long' }, { node = ..., timeout_ms = 20000 })", b.id)
  w:equal(short:wait(), { false, "timeout" })
  b:thaw()
  local pid = long:wait()
  w:equal(w:settled({ "long" }).long.pid, pid)
  w:holds(300, function() return #w:live() == 1 end, "what ran out does not live")
  w:equal(#a:events("node_down"), 0)
end

--- The one who asked for a slow start dies with its node: what was starting for a supervisor ends, too.
local function the_asker_dies(w)
  local a, b = w:cluster { "a", "b" }
  specs.start(a, specs.tree(2))
  a:async("dozor.supervisor.start_child(S.sup, ...)", on(b, "slow", { init_ms = 800 }))
  w:wait_until(function() return inits(w, "slow") == 1 end, "the init is under way")
  a:kill()
  w:wait_until(function() return #w:live() == 0 end, "nothing lives")
  w:holds(1000, function() return #w:live() == 0 end, "nothing appears")
end

--- The supervisor is killed while a child of its starts on another node.
local function the_supervisor_is_killed_meanwhile(w)
  local a, b = w:cluster { "a", "b" }
  specs.start(a, specs.tree(2))
  local start = a:async("local ok, err = pcall(dozor.supervisor.start_child, S.sup, (...)) return { ok, err.code }",
    on(b, "slow", { init_ms = 800 }))
  w:wait_until(function() return inits(w, "slow") == 1 end, "the init is under way")
  a:run("dozor.kill(S.sup)")
  w:equal(start:wait()[1], false)
  w:wait_until(function() return #w:live() == 0 end, "nothing lives")
  w:holds(1000, function() return #w:live() == 0 end, "nothing appears")
end

--- Two of three nodes freeze together and come back together.
local function most_of_them_freeze(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  specs.start(a, specs.tree(9))
  w:settled(specs.labels(9))
  b:freeze()
  c:freeze()
  w:settled(specs.labels(9))
  b:thaw()
  c:thaw()
  w:meshed { a, b, c }
  w:settled(specs.labels(9))
  w:equal(#a:events("node_down"), 2)
  w:equal(#a:events("node_up"), 4)
  a:freeze()
  b:freeze()
  w:wait_until(function() return #w:live() == 0 end, "c alone: its children lost their supervisor")
  a:thaw()
  b:thaw()
  w:meshed { a, b, c }
  w:settled(specs.labels(9))
end

return {
  { name = "stop breaks a start on another node off", fn = stop_breaks_a_start_off },
  { name = "terminate_child breaks the child's start off", fn = terminate_child_breaks_its_start_off },
  { name = "a start over there that takes too long or fails", fn = a_start_that_takes_too_long },
  { name = "an initial child fails: the others are stopped in reverse order", fn = a_first_start_fails },
  { name = "shutdown_timeout, brutal_kill and infinity over there", fn = ends_over_there },
  { name = "restart_child over there", fn = restart_child_over_there },
  { name = "a supervisor asked from other nodes", fn = asked_from_elsewhere },
  { name = "a start sent to a frozen node", fn = a_start_on_a_frozen_node },
  { name = "a spawn that ran out while its node was frozen", fn = a_spawn_that_ran_out },
  { name = "the supervisor's node dies while a child starts elsewhere", fn = the_asker_dies },
  { name = "the supervisor is killed while a child starts elsewhere", fn = the_supervisor_is_killed_meanwhile },
  { name = "two of three nodes freeze together", fn = most_of_them_freeze },
}
