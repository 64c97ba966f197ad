--- failover.lua - nodes lost for good: SIGKILL. Semantics 7.2, 7.5, 8.3, 8.4.

local specs = require "harness.specs"

local function lost_with_its_children(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  specs.start(a, specs.tree(9))
  local before = w:settled(specs.labels(9))
  for i = 1, 9 do
    a:run("local pid, n = ... for _ = 1, n do dozor.cast(pid, 'inc') end", before["c" .. i].pid, i)
  end
  local killed = a:run("return dozor.now()")
  c:kill()
  local running = a:run [[
    wait_until(function()
      for _, child in ipairs(dozor.supervisor.children(S.sup)) do
        if child.status ~= "running" or child.node_id:match("^c@") then return false end
      end
      return true
    end)
    return dozor.now() ]]
  w:log("from the kill to all running: %.1f ms (the test's polling included)", running - killed)
  local after = w:settled(specs.labels(9))
  for i = 1, 9 do
    local id = "c" .. i
    local count = a:run("return dozor.call(..., 'get')", after[id].pid)
    if before[id].node == "c" then
      w:ok(after[id].pid ~= before[id].pid and count == 0, id .. " began anew")
    else
      w:equal(after[id].pid, before[id].pid, id .. " kept its process")
      w:equal(count, i, id .. " kept its state")
    end
  end
  w:equal(#a:events("node_down"), 1, "node_down at a")
  w:equal(#b:events("node_down"), 1, "node_down at b")
  local failures = a:events("node_failure_detected")
  w:equal(#failures, 1, "node_failure_detected")
  w:equal(failures[1].affected_children, { "c3", "c6", "c9" })
  w:equal(#a:events("child_migrated"), 3, "child_migrated")
  w:equal(#a:events("child_restarted"), 0, "child_restarted")
  local stats = a:run("return dozor.supervisor.stats(S.sup)")
  w:equal({ stats.total_restarts, stats.node_failure_restarts, stats.child_count }, { 3, 3, 9 })
  a:run("dozor.supervisor.stop(S.sup)")
  w:equal(w:live(), {}, "live after stop")
end

local function temporary_ones_are_dropped(w)
  local a, _, c = w:cluster { "a", "b", "c" }
  specs.start(a, specs.tree(0, { children = {
    specs.probe("keeps", { restart = "transient", node_selector = "round_robin" }),
    specs.probe("gone", { restart = "temporary", node_selector = { node = c.id } }),
    specs.probe("moves", { restart = "transient", node_selector = "round_robin" }),
    specs.probe("moves too", { node_selector = "round_robin" }),
  } }))
  c:kill()
  w:settled { "keeps", "moves", "moves too" }
  local stopped = a:events("child_stopped")
  w:equal(#stopped, 1)
  w:equal({ stopped[1].child_id, stopped[1].reason }, { "gone", "node_down" })
  w:ok(a:run("return dozor.supervisor.child(S.sup, 'gone') == nil"), "its record is gone")
end

--- 7.5: the supervisor's own node dies; nothing is orphaned, terminate runs.
local function own_node_is_killed(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  specs.start(a, specs.tree(9))
  w:settled(specs.labels(9))
  a:kill()
  w:wait_until(function() return #w:live() == 0 end, function() return "nothing lives: " .. w:show(w:live()) end)
  local ends = w:ledger(function(line) return line.what == "end" end)
  w:equal(#ends, 6, "children that ended through terminate")
  for _, line in ipairs(ends) do w:equal(line.reason, "noconnection", line.label) end
  w:wait_until(function() return b:run("return dozor.global.whereis('tree') == nil") end, "the name is free at b")
  w:wait_until(function() return c:run("return dozor.global.whereis('tree') == nil") end, "the name is free at c")
  specs.start(b, specs.tree(4))
  w:settled(specs.labels(4))
end

--- Two at once: one event each, nothing lost, nothing doubled.
local function two_at_once(w)
  local a, b, c, d = w:cluster { "a", "b", "c", "d" }
  specs.start(a, specs.tree(12))
  w:settled(specs.labels(12))
  b:kill()
  c:kill()
  local after = w:settled(specs.labels(12))
  for _, found in pairs(after) do w:ok(found.node == "a" or found.node == "d", "placed on a survivor") end
  w:equal(#a:events("node_down"), 2)
  w:equal(#d:events("node_down"), 2)
  w:equal(#a:events("node_failure_detected"), 2)
  w:ok(a:run("return dozor.supervisor.is_running(S.sup)"), "the supervisor is unharmed")
end

local function strategy_runs_once(w, strategy)
  local a, b, c = w:cluster { "a", "b", "c" }
  local function on(node, id) return specs.probe(id, { node_selector = "round_robin", args = { id, { end_ms = 20 } } }) end
  specs.start(a, specs.tree(0, { strategy = strategy, children = {
    on(a, "1"), on(b, "2"), on(c, "3"), on(a, "4"), on(b, "5"), on(c, "6") } }))
  local before = w:settled { "1", "2", "3", "4", "5", "6" }
  c:kill()
  local after = w:settled { "1", "2", "3", "4", "5", "6" }
  w:wait_until(function()
    return a:run("for _, c in ipairs(dozor.supervisor.children(S.sup)) do if c.status ~= 'running' then return false end end return true")
  end, "the round is over")
  after = w:settled { "1", "2", "3", "4", "5", "6" }
  local kept = strategy == "one_for_all" and {} or { ["1"] = true, ["2"] = true }
  for id, found in pairs(after) do
    w:equal(found.pid == before[id].pid, kept[id] or false, id .. " kept its process")
  end
  local starts, ends = {}, {}
  for _, line in ipairs(w:ledger()) do
    local list = line.what == "start" and starts or ends
    list[#list + 1] = line.label
  end
  if strategy == "one_for_all" then
    w:equal(table.concat(ends), "5421", "survivors stop in reverse order")
    w:equal(table.concat(starts), "123456" .. "123456", "all start in order")
  else
    w:equal(table.concat(ends), "54", "survivors of the suffix stop in reverse order")
    w:equal(table.concat(starts), "123456" .. "3456", "the suffix starts in order")
  end
  w:equal(#a:events("node_failure_detected"), 1)
  w:equal(a:events("node_failure_detected")[1].affected_children, { "3", "6" })
  w:equal(#a:events("child_migrated"), 2, "child_migrated")
end

local function named(name, strategy)
  return { name = name, fn = function(w) strategy_runs_once(w, strategy) end }
end

--- A node dies while the first start of a child is under way there.
local function killed_during_a_start(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  specs.start(a, specs.tree(2))
  local job = a:async([[
    local ok, err = pcall(dozor.supervisor.start_child, S.sup, (...))
    return { ok = ok, code = not ok and err.code, cause = not ok and type(err.cause) == "table" and err.cause.code } ]],
    specs.probe("slow", { args = { "slow", { init_ms = 60000 } }, start_timeout = 60000, node_selector = { node = c.id } }))
  w:wait_until(function() return #w:ledger(function(l) return l.what == "init" end) == 1 end, "the init is under way")
  c:kill()
  local result = job:wait()
  w:equal(result.ok, false)
  w:equal(result.code, "noconnection")
  w:ok(a:run("return dozor.supervisor.child(S.sup, 'slow') == nil"), "no record is left")
  w:settled { "c1", "c2" }
  w:ok(#b:events("node_down") == 1, "b knows too")
end

--- A node dies while its children are being stopped: stop returns all the same, nothing lives.
local function killed_during_a_stop(w)
  local a, _, c = w:cluster { "a", "b", "c" }
  specs.start(a, specs.tree(0, { children = {
    specs.probe("c1"), specs.probe("c2"),
    specs.probe("c3", { args = { "c3", { end_ms = 60000 } }, shutdown_timeout = "infinity", node_selector = { node = c.id } }),
    specs.probe("c4") } }))
  w:settled { "c1", "c2", "c3", "c4" }
  local job = a:async("dozor.supervisor.stop(S.sup) return true")
  w:wait_until(function()
    return a:run("local c = dozor.supervisor.child(S.sup, 'c3') return c and c.status == 'stopping'")
  end, "c3 is stopping")
  c:kill()
  w:equal(job:wait(), true)
  w:equal(w:live(), {}, "live after stop")
end

--- A node dies in the middle of a round that was caused by a crash.
local function killed_during_a_round(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  specs.start(a, specs.tree(0, { strategy = "one_for_all", restart_intensity = { max_restarts = 2, within_ms = 60000 },
    children = { specs.probe("c1"), specs.probe("c2"),
                 specs.probe("c3", { args = { "c3", { end_ms = 60000, end_on = c.id } }, shutdown_timeout = 60000 }), specs.probe("c4") } }))
  local before = w:settled { "c1", "c2", "c3", "c4" }
  w:equal(before.c3.node, "c")
  a:run("dozor.cast(..., 'crash')", before.c1.pid)
  w:wait_until(function() return a:run("return dozor.supervisor.child(S.sup, 'c3').status == 'stopping'") end, "c3 is stopping")
  c:kill()
  local after = w:settled { "c1", "c2", "c3", "c4" }
  for id in pairs(after) do w:ok(after[id].pid ~= before[id].pid, id .. " is new") end
  w:wait_until(function() return b:run("return #dozor.cluster.nodes() == 2") end, "c is gone")
  w:settled { "c1", "c2", "c3", "c4" }
  w:equal(a:run("return dozor.supervisor.stats(S.sup)").child_count, 4)
end

--- A node that leaves in order, by SIGTERM or cluster.stop: at once, and nothing is counted as a crash.
local function leaves_in_order(w, how)
  local a, b, c = w:cluster { "a", "b", "c" }
  specs.start(a, specs.tree(9))
  local before = w:settled(specs.labels(9))
  if how == "signal" then
    c:terminate()
  else
    c:run("dozor.cluster.stop()")
  end
  local after = w:settled(specs.labels(9))
  for id, found in pairs(after) do
    w:ok(found.node ~= "c", id .. " does not live on c")
    if before[id].node ~= "c" then w:equal(found.pid, before[id].pid, id .. " kept its process") end
  end
  w:equal(#a:events("child_migrated"), 3)
  w:equal(#a:events("child_restarted"), 0)
  w:equal(a:events("node_down")[1].reason, "goodbye")
  w:equal(#b:events("node_down"), 1)
  local ends = w:ledger(function(l) return l.what == "end" end)
  w:equal(#ends, 3, "terminate ran")
end

return {
  { name = "a node that gets SIGTERM leaves in order", fn = function(w) leaves_in_order(w, "signal") end },
  { name = "a node that leaves its cluster", fn = function(w) leaves_in_order(w, "stop") end },
  { name = "a killed node's children run elsewhere, the others never notice", fn = lost_with_its_children },
  { name = "temporary children are dropped with their node", fn = temporary_ones_are_dropped },
  { name = "a killed supervisor's children end with noconnection, terminate runs", fn = own_node_is_killed },
  { name = "two nodes killed at once", fn = two_at_once },
  named("one_for_all: a node's loss is one round in order", "one_for_all"),
  named("rest_for_one: a node's loss is one round of the suffix", "rest_for_one"),
  { name = "a node killed during a start", fn = killed_during_a_start },
  { name = "a node killed during a stop", fn = killed_during_a_stop },
  { name = "a node killed during a round", fn = killed_during_a_round },
}
