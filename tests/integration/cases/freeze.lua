--- freeze.lua - nodes that stop for a while and come back as they were: SIGSTOP, SIGCONT. Semantics 7.4, 7.6, 8.3, 8.4.

local specs = require "harness.specs"

--- What one node heard of another: "down" and "up" in order.
local function heard(node, id)
  return node:run([[
    local id, list = ...
    list = {}
    for _, event in ipairs(events) do
      if event.node_id == id and (event.type == "node_up" or event.type == "node_down") then
        list[#list + 1] = event.type:sub(6)
      end
    end
    return table.concat(list, " ") ]], id)
end

local function frozen_with_children(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  specs.start(a, specs.tree(6))
  local witness = a:run("return dozor.spawn('probe', { 'witness' }, { node = ... })", c.id)
  a:run("dozor.cast(..., 'inc')", witness)
  local before = w:settled { "c1", "c2", "c3", "c4", "c5", "c6", "witness" }
  local incarnation = a:run("return dozor.cluster.node(...).incarnation", c.id)
  local began = a:run("return dozor.now()")
  c:freeze()
  a:run("wait_until(function() return #seen('node_down') == 1 end)")
  local took = a:run("return dozor.now()") - began
  w:log("from the freeze to node_down: %.0f ms (down_after_ms is 600)", took)
  w:ok(took > 400 and took < 1500, "it was declared down in time: " .. took)
  local without = w:settled(specs.labels(6))
  for id, found in pairs(without) do
    w:ok(found.node ~= "c", id .. " runs elsewhere")
    w:equal(found.pid == before[id].pid, before[id].node ~= "c", id .. " kept its process")
  end
  w:equal(a:run("return dozor.alive(...)", witness), false, "alive for a lost node")
  c:thaw()
  w:meshed { a, b, c }
  local after = w:settled { "c1", "c2", "c3", "c4", "c5", "c6", "witness" }
  for id in pairs(without) do w:equal(after[id].pid, without[id].pid, id .. ": the newer copy stays") end
  w:equal(after.witness.pid, before.witness.pid, "what no supervisor placed lives on")
  w:equal(a:run("return dozor.call(..., 'get')", witness), 1, "its pid works again")
  local ends = w:ledger(function(line) return line.what == "end" end)
  w:equal(#ends, 2, "ends")
  for _, line in ipairs(ends) do
    w:equal({ line.node, line.reason, line.pid }, { "c", "superseded", before[line.label].pid }, line.label)
  end
  for _, node in ipairs { a, b } do
    w:equal(heard(node, c.id), "up down up", node.name .. " heard of c")
    local ups = node:events("node_up")
    w:equal({ ups[#ups].reason, ups[#ups].incarnation }, { "healed", incarnation }, node.name)
  end
  w:equal(heard(c, a.id), "up down up", "c heard of a")
  w:equal(heard(c, b.id), "up down up", "c heard of b")
  local stats = a:run("return dozor.supervisor.stats(S.sup)")
  w:equal({ stats.total_restarts, stats.node_failure_restarts }, { 2, 2 })
  a:run("dozor.supervisor.stop(S.sup)")
  w:settled { "witness" }
end

local function a_short_freeze_is_nothing(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  specs.start(a, specs.tree(3))
  local before = w:settled(specs.labels(3))
  c:freeze()
  a:run("local id = ... wait_until(function() return dozor.cluster.node(id).status == 'suspect' end)", c.id)
  c:thaw()
  local id = c.id
  for _, node in ipairs { a, b } do
    node:run("local id = ... wait_until(function() return dozor.cluster.node(id).status == 'up' end)", id)
  end
  local after = w:settled(specs.labels(3))
  for label in pairs(after) do w:equal(after[label].pid, before[label].pid) end
  for _, node in ipairs { a, b, c } do w:equal(#node:events("node_down"), 0, "node_down at " .. node.name) end
end

--- The supervisor's node freezes: its remote children end with noconnection; it places them anew when it is back.
local function the_supervisor_s_node_freezes(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  specs.start(a, specs.tree(6))
  w:settled(specs.labels(6))
  a:freeze()
  w:wait_until(function() return #w:live() == 0 end, function() return "nothing lives: " .. w:show(w:live()) end)
  for _, line in ipairs(w:ledger(function(l) return l.what == "end" end)) do w:equal(line.reason, "noconnection", line.label) end
  a:thaw()
  w:meshed { a, b, c }
  w:settled(specs.labels(6))
  w:holds(200, function()
    local counts = w:copies()
    for i = 1, 6 do if (counts["c" .. i] or 0) > 1 then return false end end
    return true
  end, "no child is doubled")
  w:settled(specs.labels(6))
  w:equal(heard(b, a.id), "up down up", "b heard of a")
  w:equal(heard(a, b.id), "up down up", "a heard of b")
  a:run("dozor.supervisor.stop(S.sup)")
  w:equal(w:live(), {}, "live after stop")
end

--- 8.8 and 7.6: the name is taken on the other side meanwhile.
local function a_named_supervisor_on_both_sides(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  specs.start(a, specs.tree(6))
  w:settled(specs.labels(6))
  a:freeze()
  w:wait_until(function() return #w:live() == 0 end, "nothing lives")
  w:wait_until(function() return b:run("return dozor.global.whereis('tree') == nil") end, "the name is free")
  local second = specs.start(b, specs.tree(6))
  local settled = w:settled(specs.labels(6))
  a:thaw()
  w:meshed { a, b, c }
  w:wait_until(function() return #a:events("supervisor_stopped") == 1 end, "the older supervisor stops")
  w:equal(a:events("supervisor_stopped")[1].reason, "superseded")
  local after = w:settled(specs.labels(6))
  for id in pairs(settled) do w:equal(after[id].pid, settled[id].pid, id .. " is the newer supervisor's") end
  for _, node in ipairs { a, b, c } do
    w:wait_until(function() return node:run("return dozor.global.whereis('tree')") == second end, "one owner at " .. node.name)
  end
  w:equal(#b:events("supervisor_stopped"), 0)
  b:run("dozor.supervisor.stop(S.sup)")
  w:equal(w:live(), {}, "live after stop")
end

--- Frozen in turns, several times: exactly one copy of each after each heal.
local function again_and_again(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  specs.start(a, specs.tree(9))
  w:settled(specs.labels(9))
  for round = 1, 3 do
    local victim = round % 2 == 1 and b or c
    victim:freeze()
    a:run("local n = ... wait_until(function() return #seen('node_down') == n end)", round)
    victim:thaw()
    w:meshed { a, b, c }
    w:settled(specs.labels(9))
  end
  w:equal(#a:events("node_down"), 3)
  w:equal(#a:events("node_up"), 5)
end

return {
  { name = "a frozen node's children run elsewhere; thawed, its copies end as superseded", fn = frozen_with_children },
  { name = "a freeze shorter than down_after_ms is nothing", fn = a_short_freeze_is_nothing },
  { name = "the supervisor's node freezes and comes back", fn = the_supervisor_s_node_freezes },
  { name = "of two supervisors of one name the older stops as superseded", fn = a_named_supervisor_on_both_sides },
  { name = "frozen again and again, one copy of each remains", fn = again_and_again },
}
