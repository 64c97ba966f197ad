--- selectors.lua - which node a child is placed on. Semantics 7.1; api 4.

local specs = require "harness.specs"

--- child id -> name of its node, of a supervisor of n probes started on the node.
local function places(w, node, n, fields)
  specs.start(node, specs.tree(n, fields))
  local found = w:settled(specs.labels(n))
  local where = {}
  for i = 1, n do where[i] = found["c" .. i].node end
  node:run("dozor.supervisor.stop(S.sup)")
  return table.concat(where)
end

local function built_in(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  w:equal(places(w, b, 4, { node_selector = "local" }), "bbbb")
  w:equal(places(w, b, 4, { node_selector = "local_first" }), "bbbb")
  w:equal(places(w, b, 7, { node_selector = "round_robin" }), "bacbacb", "local, then peers by id")
  w:equal(places(w, a, 4, { node_selector = { node = c.id } }), "cccc")
  local where = places(w, a, 60, { node_selector = "random" })
  for _, name in ipairs { "a", "b", "c" } do
    local _, n = where:gsub(name, "")
    w:ok(n >= 5, ("random is uniform: %s in %s"):format(name, where))
  end
  local mixed = { specs.probe("c1", { node_selector = { node = b.id } }), specs.probe("c2"), specs.probe("c3", { node_selector = "local" }) }
  w:equal(places(w, a, 3, { node_selector = { node = c.id }, children = mixed }), "bca", "a child's own selector goes first")
end

--- The last reported count plus everything placed there since: a burst between two heartbeats is spread, not heaped.
local function least_loaded(w)
  local a, b, c = w:cluster({ "a", "b", "c" }, { heartbeat_interval_ms = 1000, suspect_after_ms = 4000, down_after_ms = 8000 })
  b:run("for i = 1, 30 do dozor.spawn('probe', { 'extra' .. i }) end")
  a:run([[
    local id = ...
    wait_until(function() return dozor.cluster.node(id).process_count >= 30 end) ]], b.id)
  specs.start(a, specs.tree(20, { node_selector = "least_loaded" }))
  local counts = { a = 0, b = 0, c = 0 }
  for label, found in pairs((function()
    local by = {}
    for _, found in ipairs(w:live()) do if found.label:find("^c%d") then by[found.label] = found end end
    return by
  end)()) do counts[found.node] = counts[found.node] + 1 end
  w:log("20 children by least_loaded: %s", w:show(counts))
  w:equal(counts.b, 0, "the loaded node gets none")
  w:ok(counts.a >= 6 and counts.c >= 6, "they are spread over the others: " .. w:show(counts))
end

--- Functions: what they see, what they may answer, and how long they may take.
local function custom(w)
  local a, b = w:cluster({ "a", "b" }, { attributes = { zone = "eu" } })
  local seen = a:run([[
    local seen
    S.sup = dozor.supervisor.start { children = { { id = "x", behavior = "probe", args = { "x" },
      node_selector = function(nodes, child_id) seen = { nodes = nodes, id = child_id } return nodes[2].id end } } }
    return seen ]])
  w:equal({ seen.id, #seen.nodes, seen.nodes[1].id, seen.nodes[2].id }, { "x", 2, a.id, b.id }, "the local node first")
  w:equal({ seen.nodes[2].status, seen.nodes[2].attributes.zone, seen.nodes[2].name }, { "up", "eu", "b" })
  w:equal(w:settled({ "x" }).x.node, "b")
  for what, body in pairs { raises = "error('no idea')", none = "return nil", unknown = "return 'nobody@127.0.0.1:1'", slow = "dozor.sleep(60000)" } do
    local result = a:run([[
      local t = dozor.now()
      local ok, err = pcall(dozor.supervisor.start_child, S.sup, { id = "y", behavior = "probe", args = { "y" },
        node_selector = loadstring("local dozor = ... return function() " .. (...) .. " end")(dozor) })
      return { ok, err.code, dozor.now() - t } ]], body)
    w:equal({ result[1], result[2] }, { false, "no_available_node" }, what)
    w:ok(result[3] < 3000, what .. ": it had a second: " .. result[3])
    w:ok(a:run("return dozor.supervisor.is_running(S.sup)"), "the supervisor is unharmed")
  end
  w:settled { "x" }
  a:run([[dozor.selectors.register("second", function(nodes) return nodes[2].id end)]])
  a:run("dozor.supervisor.start_child(S.sup, ...)", { id = "z", behavior = "probe", args = { "z" }, node_selector = { selector = "second" } })
  w:equal(w:settled({ "x", "z" }).z.node, "b")
end

--- What holds functions stays on the host it was made on.
local function functions_stay(w)
  local a, b = w:cluster { "a", "b" }
  local err = a:raises("no_available_node", [[
    local at = ...
    dozor.supervisor.start { children = { { id = "in", node_selector = { node = at }, supervisor = { children = {
      { id = "f", start = function() return dozor.spawn("probe", { "f" }) end } } } } } } ]], b.id)
  w:ok(err.cause:find("functions", 1, true), "the error says why: " .. err.cause)
  a:raises("invalid_spec", "dozor.supervisor.start { on_supervisor_loss = 'keep', children = {} }")
  w:equal(w:live(), {})
end

return {
  { name = "local, local_first, round_robin, random, one node", fn = built_in },
  { name = "least_loaded counts what is on its way", fn = least_loaded },
  { name = "a selector of one's own", fn = custom },
  { name = "specs with functions stay on their host", fn = functions_stay },
}
