--- partition.lua - connections cut between nodes that live on, by proxies in front of them. Semantics 7.6, 8.2 - 8.4, 8.8.

local dozor = require "dozor"
local proxy = require "harness.proxy"
local specs = require "harness.specs"

local function cut_off(w, one, others, policy)
  for _, other in ipairs(others) do proxy.set(w, one, other, policy) end
end

--- 8.2: a link that drops for 300 ms and returns causes nothing but a log line.
local function a_short_cut(w)
  local a, b = w:cluster({ "a", "b" }, { proxied = true, suspect_after_ms = 1500, down_after_ms = 3000 })
  local pid = a:run("return dozor.spawn('probe', { 'far' }, { node = ... })", b.id)
  specs.start(a, specs.tree(4))
  local before = w:settled { "far", "c1", "c2", "c3", "c4" }
  local job = a:async([[
    local pid = ...
    for i = 1, 10000 do
      dozor.cast(pid, { "push", i })
      if i % 20 == 0 then dozor.sleep(1) end
    end
    local list = dozor.call(pid, "pushed", 20000)
    for i = 1, 10000 do if list[i] ~= i then return { i, list[i] } end end
    return #list ]], pid)
  for _, policy in ipairs { "cut", "hole", "cut" } do
    local from = dozor.now()
    proxy.set(w, a, b, policy)
    w:holds(300 - (dozor.now() - from), function() return true end)
    proxy.set(w, a, b, "open")
  end
  w:equal(job:wait(30000), 10000, "casts that arrived, in order")
  for _, node in ipairs { a, b } do
    w:equal(#node:events("node_down"), 0, "node_down at " .. node.name)
    w:equal(#node:events("node_up"), 1, "node_up at " .. node.name)
  end
  local after = w:settled { "far", "c1", "c2", "c3", "c4" }
  for id in pairs(before) do w:equal(after[id].pid, before[id].pid) end
end

--- Both sides go on, then meet: the newer copies stay, exactly one of each.
local function children_on_both_sides(w, policy)
  local a, b, c = w:cluster({ "a", "b", "c" }, { proxied = true })
  specs.start(a, specs.tree(9))
  local before = w:settled(specs.labels(9))
  cut_off(w, c, { a, b }, policy)
  for _, node in ipairs { a, b } do
    node:run("wait_until(function() return #seen('node_down') == 1 end)")
  end
  c:run("wait_until(function() return #seen('node_down') == 2 end)")
  w:settled(specs.labels(9))
  cut_off(w, c, { a, b }, "open")
  w:meshed { a, b, c }
  local after = w:settled(specs.labels(9))
  for id in pairs(after) do
    if before[id].node ~= "c" then w:equal(after[id].pid, before[id].pid, id) end
  end
  for _, node in ipairs { a, b } do w:equal(#node:events("node_up"), 3, "node_up at " .. node.name) end
  w:equal(#c:events("node_up"), 4, "node_up at c")
  local ups = a:events("node_up")
  w:equal(ups[#ups].reason, "healed")
  a:run("dozor.supervisor.stop(S.sup)")
  w:equal(w:live(), {}, "live after stop")
end

--- 8.8, 7.6: one name, a supervisor on each side; after healing one stays, with its children.
local function two_supervisors_of_one_name(w)
  local a, b = w:cluster({ "a", "b" }, { proxied = true })
  proxy.set(w, a, b, "cut")
  for _, node in ipairs { a, b } do node:run("wait_until(function() return #seen('node_down') == 1 end)") end
  local first = specs.start(a, specs.tree(4))
  local second = specs.start(b, specs.tree(4))
  local counts = w:copies()
  for i = 1, 4 do w:equal(counts["c" .. i], 2, "on both sides") end
  proxy.set(w, a, b, "open")
  w:meshed { a, b }
  w:settled(specs.labels(4))
  local stopped = { #a:events("supervisor_stopped"), #b:events("supervisor_stopped") }
  w:wait_until(function()
    stopped = { #a:events("supervisor_stopped"), #b:events("supervisor_stopped") }
    return stopped[1] + stopped[2] == 1
  end, "one of them stopped")
  local loser = stopped[1] == 1 and a or b
  w:equal(loser:events("supervisor_stopped")[1].reason, "superseded")
  local winner = stopped[1] == 1 and second or first
  for _, node in ipairs { a, b } do
    w:wait_until(function() return node:run("return dozor.global.whereis('tree')") == winner end, "one owner at " .. node.name)
    w:equal(node:run("return dozor.supervisor.is_running(...)", winner), true)
  end
  local settled = w:settled(specs.labels(4))
  local records = a:run("return dozor.supervisor.children('tree')")
  for _, record in ipairs(records) do w:equal(record.pid, settled[record.id].pid, record.id .. " is the winner's") end
end

--- 8.8: a plain name on both sides.
local function a_name_on_both_sides(w)
  local a, b = w:cluster({ "a", "b" }, { proxied = true })
  proxy.set(w, a, b, "cut")
  for _, node in ipairs { a, b } do
    node:run("wait_until(function() return #seen('node_down') == 1 end)")
    node:run("S.pid = dozor.spawn('probe', { dozor.node() }) dozor.global.register('leader', S.pid)")
  end
  proxy.set(w, a, b, "open")
  w:meshed { a, b }
  w:wait_until(function()
    return a:run("return dozor.global.whereis('leader')") == b:run("return dozor.global.whereis('leader')")
  end, "both agree")
  local winner = a:run("return dozor.global.whereis('leader')")
  local loser = winner == a:run("return S.pid") and b or a
  w:wait_until(function() return #loser:run("return dozor.call(S.pid, 'pushed')") == 1 end, "the loser is told")
  local told = loser:run("return dozor.call(S.pid, 'pushed')")[1]
  w:equal({ told.type, told.name, told.winner }, { "name_conflict", "leader", winner })
  w:equal(#w:live(), 2, "the loser lives on")
end

--- 8.3: what others reach is not down; we only do not place there.
local function one_link_of_three(w)
  local a, b, c = w:cluster({ "a", "b", "c" }, { proxied = true })
  proxy.set(w, a, b, "hole")
  a:run("local id = ... wait_until(function() return dozor.cluster.node(id).status == 'suspect' end)", b.id)
  w:holds(1500, function() return a:run("return dozor.cluster.node(...).status", b.id) == "suspect" end, "b stays suspect")
  w:equal(#a:events("node_down") + #b:events("node_down") + #c:events("node_down"), 0)
  a:raises("no_available_node", "dozor.supervisor.start(...)",
    specs.tree(0, { children = { specs.probe("x", { node_selector = { node = b.id } }) } }))
  specs.start(a, specs.tree(4))
  for _, found in pairs(w:settled(specs.labels(4))) do w:ok(found.node ~= "b", "nothing is placed on b") end
  proxy.set(w, a, b, "open")
  w:meshed { a, b, c }
  w:equal(#a:events("node_down"), 0)
end

--- stop while a node cannot be reached: what runs there ends when it is met again (2.6).
local function stopped_meanwhile(w)
  local a, b, c = w:cluster({ "a", "b", "c" }, { proxied = true })
  specs.start(a, specs.tree(6))
  w:settled(specs.labels(6))
  cut_off(w, c, { a, b }, "hole")
  a:run("dozor.supervisor.stop(S.sup)")
  cut_off(w, c, { a, b }, "open")
  w:wait_until(function() return #w:live() == 0 end, function() return "nothing lives: " .. w:show(w:live()) end)
  w:meshed { a, b, c }
  w:holds(200, function() return #w:live() == 0 end, "nothing comes back")
end

return {
  { name = "a cut of 300 ms is nothing but a log line", fn = a_short_cut },
  { name = "a partition by closed connections heals", fn = function(w) children_on_both_sides(w, "cut") end },
  { name = "a partition by silence heals", fn = function(w) children_on_both_sides(w, "hole") end },
  { name = "two supervisors of one name meet", fn = two_supervisors_of_one_name },
  { name = "a name taken on both sides", fn = a_name_on_both_sides },
  { name = "one broken link of three is no loss", fn = one_link_of_three },
  { name = "a supervisor stopped while a node cannot be reached", fn = stopped_meanwhile },
}
