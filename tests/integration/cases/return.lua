--- return.lua - nodes that come back as new ones, and children that have no node meanwhile. Semantics 3.8, 7.3, 7.4, 8.3, 8.4.

local specs = require "harness.specs"

--- What one node heard of another: "down" and "up" in order.
local function heard(node, id)
  return node:run([[
    local id, list = ..., {}
    for _, event in ipairs(events) do
      if event.node_id == id and (event.type == "node_up" or event.type == "node_down") then
        list[#list + 1] = event.type:sub(6)
      end
    end
    return table.concat(list, " ") ]], id)
end

local function restarts_at_once(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  specs.start(a, specs.tree(9))
  local before = w:settled(specs.labels(9))
  local old = a:run("return dozor.cluster.node(...).incarnation", c.id)
  c:kill()
  c:start()
  w:meshed { a, b, c }
  local after = w:settled(specs.labels(9))
  for id, found in pairs(after) do
    if before[id].node ~= "c" then w:equal(found.pid, before[id].pid, id .. " kept its process") end
    if before[id].node == "c" then w:ok(found.pid ~= before[id].pid, id .. " is a new process") end
  end
  for _, node in ipairs { a, b } do
    w:equal(heard(node, c.id), "up down up", node.name .. " heard of c")
    local ups = node:events("node_up")
    w:ok(ups[#ups].incarnation > old, "a new incarnation")
    w:equal(ups[#ups].reason, "joined")
  end
  local gone = before.c3.pid
  w:equal(a:run("return dozor.alive(...)", gone), false)
  w:equal(a:raises("noproc", "return dozor.call(..., 'get', 2000)", gone).code, "noproc")
  w:equal(a:run("local ref = dozor.monitor(...) return dozor.receive(2000, function(m) return m.ref == ref end).reason", gone), "noproc")
  a:run("dozor.send(..., 'x') dozor.cast(..., 'inc')", gone)
  w:equal(a:run("return dozor.supervisor.stats(S.sup)").child_count, 9)
end

--- Killed and started again several times, the last time while children start there.
local function restarts_again_and_again(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  specs.start(a, specs.tree(9))
  w:settled(specs.labels(9))
  for _ = 1, 3 do
    c:kill()
    c:start()
    w:meshed { a, b, c }
    w:settled(specs.labels(9))
  end
  w:equal(heard(a, c.id), "up down up down up down up")
  w:equal(heard(b, c.id), "up down up down up down up")
end

--- 7.3, 7.4: pinned children wait for their node; others do not go back.
local function pinned_children_wait(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  specs.start(a, specs.tree(0, { children = {
    specs.probe("pinned", { node_selector = { node = c.id } }), specs.probe("free", { node_selector = "round_robin" }),
    specs.probe("second", { node_selector = "round_robin" }), specs.probe("third", { node_selector = "round_robin" }) } }))
  local before = w:settled { "pinned", "free", "second", "third" }
  w:equal(before.third.node, "c")
  c:kill()
  a:run("wait_until(function() return dozor.supervisor.child(S.sup, 'pinned').status == 'pending' end)")
  local pending = a:events("child_pending")
  w:equal({ #pending, pending[1].child_id }, { 1, "pinned" })
  w:ok(pending[1].cause, "the event names the cause")
  local moved = w:settled { "free", "second", "third" }
  c:start()
  local after = w:settled { "pinned", "free", "second", "third" }
  w:equal(after.pinned.node, "c")
  w:equal(after.third.pid, moved.third.pid, "the others stay where they are")
  w:equal(#a:events("child_restarted", "pinned"), 1, "child_restarted")
  w:equal(#a:events("child_stopped"), 0, "child_stopped")
  w:ok(#b:events("node_up") >= 2)
end

--- A pending child goes with terminate_child, and with its supervisor; a first start without a node raises.
local function no_node_fits(w)
  local a, c = w:cluster { "a", "c" }
  specs.start(a, specs.tree(0, { children = {
    specs.probe("one", { node_selector = { node = c.id } }), specs.probe("two", { node_selector = { node = c.id } }) } }))
  w:settled { "one", "two" }
  c:kill()
  a:run [[wait_until(function()
    for _, c in ipairs(dozor.supervisor.children(S.sup)) do if c.status ~= "pending" then return false end end
    return true
  end)]]
  w:equal(a:run("return dozor.supervisor.count_children(S.sup)").active, 0)
  local err = a:raises("no_available_node", "dozor.supervisor.start_child(S.sup, ...)",
    specs.probe("three", { node_selector = { node = c.id } }))
  w:equal(err.child_id, "three")
  err = a:raises("no_available_node", "dozor.supervisor.start(...)", specs.tree(0, { name = "other", children = {
    specs.probe("x"), specs.probe("y", { node_selector = { node = "nowhere@127.0.0.1:1" } }) } }))
  w:equal(err.child_id, "y")
  w:equal(w:live(), {}, "x was stopped again")
  w:ok(a:run("return dozor.global.whereis('other') == nil"), "nothing stays registered")
  a:run("dozor.supervisor.terminate_child(S.sup, 'one')")
  c:start()
  w:settled { "two" }
  c:kill()
  a:run("wait_until(function() return dozor.supervisor.child(S.sup, 'two').status == 'pending' end)")
  a:run("dozor.supervisor.stop(S.sup)")
  c:start()
  w:holds(300, function() return #w:live() == 0 end, "nothing comes back after stop")
end

--- A node killed while a child that came from another lost node is starting there.
local function lost_on_the_way(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  a:run([[
    dozor.selectors.register("last", function(nodes) return nodes[#nodes].id end)
    S.sup = dozor.supervisor.start { name = "moving", restart_intensity = { max_restarts = 0 }, children = {
      { id = "m", behavior = "probe", args = { "m", { init_ms = 400 } }, node_selector = { selector = "last" } } } } ]])
  w:equal(w:settled({ "m" }).m.node, "c", "m begins on the last node")
  c:kill()
  w:wait_until(function()
    return #w:ledger(function(l) return l.what == "init" and l.node == "b" end) == 1
  end, "m starts on b")
  b:kill()
  w:wait_until(function() return (w:copies()).m == 1 end, "m lives on a")
  w:equal(a:run("return dozor.supervisor.is_running(S.sup)"), true)
  w:equal(#a:events("child_migrated"), 1)
end

return {
  { name = "a node that restarts at once on its own port: one down, one up, nothing lost or doubled", fn = restarts_at_once },
  { name = "a node that restarts again and again", fn = restarts_again_and_again },
  { name = "a child pinned to a lost node is pending and comes back with it", fn = pinned_children_wait },
  { name = "no node fits", fn = no_node_fits },
  { name = "the next node dies too, while the child starts there", fn = lost_on_the_way },
}
