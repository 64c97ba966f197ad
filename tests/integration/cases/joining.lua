--- joining.lua - meeting, not meeting, and meeting late. Semantics 8.1, 8.3, 8.5; api 6.

local SECRET, OTHER = ("s"):rep(40), ("t"):rep(40)

local function any_one_seed(w)
  local nodes = {}
  for i, name in ipairs { "a", "b", "c", "d", "e" } do
    nodes[i] = w:node(name)
    nodes[i].config.seeds = i > 1 and { nodes[1].id } or {}
  end
  nodes[1]:start()
  for i = 2, 5 do nodes[i]:start(false) end
  for i = 2, 5 do nodes[i]:joined() end
  w:meshed(nodes)
  for _, node in ipairs(nodes) do
    w:equal(#node:events("node_up"), 4, "node_up at " .. node.name)
    w:equal(#node:events("node_down"), 0, "node_down at " .. node.name)
  end
end

--- 8.1: the first message on a link is not lost, a supervisor on the next line sees the seeds.
local function the_next_line_sees_the_seeds(w)
  local a, b = w:node "a", w:node("b", { alone = true })
  a:start()
  a:run("dozor.spawn('probe', { 'first' }, { name = 'first' })")
  b:start()
  local seen = b:run([[
    local config, seed = ...
    dozor.cluster.start(config)
    local count = #dozor.cluster.nodes()
    dozor.cast({ name = "first", node = seed }, "inc")
    local sup = dozor.supervisor.start { node_selector = { node = seed }, children = { { id = "x", behavior = "probe", args = { "x" } } } }
    return { count, dozor.supervisor.children(sup)[1].node_id == seed } ]],
    { node_name = "b", host = "127.0.0.1", port = b.port, seeds = { a.id } }, a.id)
  w:equal(seen, { 2, true })
  w:equal(a:run("return dozor.call('first', 'get')"), 1, "the first message on the link")
  w:equal(b:run("return dozor.node()"), b.id)
end

--- All start in the same moment, each knowing all: one link each, one node_up each.
local function all_at_once(w)
  local names, nodes = { "a", "b", "c", "d" }, {}
  for i, name in ipairs(names) do nodes[i] = w:node(name) end
  for i, node in ipairs(nodes) do
    node.config.seeds = {}
    for j, other in ipairs(nodes) do
      if i ~= j then table.insert(node.config.seeds, other.id) end
    end
    node:start(false)
  end
  for _, node in ipairs(nodes) do node:joined() end
  w:meshed(nodes)
  for _, node in ipairs(nodes) do
    w:equal(#node:events("node_up"), 3, "node_up at " .. node.name)
    w:equal(#node:events("node_down"), 0, "node_down at " .. node.name)
  end
end

local function a_seed_that_comes_late(w)
  local a, b = w:node "a", w:node "b"
  b.config.seeds = { a.id }
  b:start()
  w:equal(#b:up(), 1)
  a:start()
  w:meshed { a, b }
  w:equal(#b:events("node_up"), 1)
  a:shutdown()
  w:wait_until(function() return #b:events("node_down") == 1 end, "b sees a leave")
  w:equal(b:events("node_down")[1].reason, "goodbye")
  a:start()
  w:meshed { a, b }
end

local function count_of(text, part)
  local n, at = 0, 1
  while true do
    local from, to = text:find(part, at, true)
    if not from then return n end
    n, at = n + 1, to + 1
  end
end

local function a_wrong_secret(w)
  local a = w:node("a", { secret = SECRET })
  local b = w:node("b", { secret = OTHER, seeds = { a.id } })
  local c = w:node("c", { secret = SECRET, seeds = { a.id } })
  local d = w:node("d", { seeds = { a.id } })
  a:start()
  b:start()
  d:start()
  c:start()
  w:meshed { a, c }
  w:wait_until(function() return a:log_text():find("secret", 1, true) and b:log_text():find("secret", 1, true) end,
    "both say what is wrong")
  w:holds(1200, function() return #b:up() == 1 and #d:up() == 1 end, "they stay outside")
  for node, strangers in pairs { [a] = 2, [b] = 1 } do
    w:ok(count_of(node:log_text(), "secret_mismatch") <= strangers,
      node.name .. " says it once of each, not with every attempt: " .. node:log_text())
  end
  w:equal(#a:up(), 2)
  w:equal(b:run("return dozor.cluster.node(...).status", a.id), "refused")
  w:equal(d:run("return dozor.cluster.node(...).status", a.id), "refused")
end

local function misuse(w)
  local a = w:node "a"
  a:start()
  local x = w:node("x", { alone = true }):start()
  local start = "return dozor.cluster.start(...)"
  local err = x:raises("address_in_use", start, { node_name = "x", host = "127.0.0.1", port = a.port })
  w:ok(err.message:find(tostring(a.port), 1, true), "the address is named")
  x:raises("invalid_node_id", start, { node_name = "1x", host = "127.0.0.1", port = x.port })
  x:raises("invalid_node_id", start, { node_name = ("n"):rep(65), host = "127.0.0.1", port = x.port })
  x:raises("invalid_node_id", start, { node_name = "x", host = "127.0.0.1", port = x.port, seeds = { "nonsense" } })
  x:raises("invalid_config", start, { node_name = "x", host = "127.0.0.1", port = 70000 })
  x:raises("invalid_config", start, { node_name = "x", host = "127.0.0.1", port = x.port, sedes = {} })
  x:raises("invalid_config", start, { node_name = "x", host = "0.0.0.0", port = x.port })
  x:raises("invalid_config", start, { node_name = "x", host = "127.0.0.1", port = x.port, listen = "0.0.0.0:" .. x.port })
  x:raises("invalid_config", start, { node_name = "x", host = "0.0.0.0", port = x.port, secret = "short" })
  w:equal(x:run("return dozor.cluster.status()"), "stopped")
  local id = x:run(start, { node_name = "x", host = "127.0.0.1", port = 0, seeds = { a.id } })
  w:ok(id:match("^x@127.0.0.1:%d+$") and id ~= "x@127.0.0.1:0", "port 0 takes a free one")
  x:raises("already_started", start, { node_name = "x", host = "127.0.0.1", port = x.port })
  w:wait_until(function() return #a:up() == 2 end, "a sees x")
  x:run("dozor.cluster.stop()")
  w:equal(x:run("return { dozor.cluster.status(), dozor.node() }")[1], "stopped")
  w:wait_until(function() return #a:up() == 1 end, "a sees x leave")
  x:run(start, { node_name = "x", host = "127.0.0.1", port = x.port, seeds = { a.id } })
  w:wait_until(function() return #a:up() == 2 end, "a sees x again")
end

--- 8.5: bytes that are no handshake close that connection and change nothing else.
local function hostile_bytes(w)
  local dozor = require "dozor"
  local uv = dozor.uv
  local a, b = w:cluster({ "a", "b" }, { secret = SECRET })
  local pid = a:run("return dozor.spawn('probe', { 'far' }, { node = ... })", b.id)
  local closed, opened = 0, 0
  local function attack(bytes)
    local socket = uv.new_tcp()
    opened = opened + 1
    socket:connect("127.0.0.1", b.port, function(err)
      if err then
        socket:close()
        closed = closed + 1
        return
      end
      socket:read_start(function(_, data)
        if data then return end
        if not socket:is_closing() then socket:close() end
        closed = closed + 1
      end)
      socket:write(bytes)
    end)
  end
  for i = 1, 30 do
    local bytes = {}
    for j = 1, 50 * i do bytes[j] = string.char(math.random(0, 255)) end
    attack(table.concat(bytes))
  end
  attack(("\255"):rep(100000))
  attack("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
  attack("\22\3\1\2\0" .. ("\0"):rep(512))
  attack("\22\3\1\255\255" .. ("\1"):rep(70000))
  w:wait_until(function() return closed == opened end, function() return closed .. " of " .. opened .. " were closed" end, 20000)
  w:equal(a:run("return dozor.call(..., 'get')", pid), 0)
  for _, node in ipairs { a, b } do w:equal(#node:events("node_down"), 0) end
  w:meshed { a, b }
end

--- A host in place of a number of nodes: eight join, are killed one by one, no event is doubled.
local function eight(w)
  local names = { "a", "b", "c", "d", "e", "f", "g", "h" }
  local nodes = { w:cluster(names) }
  for i = 8, 5, -1 do
    nodes[i]:kill()
    nodes[i] = nil
    w:meshed(nodes)
  end
  for i = 1, 4 do
    w:wait_until(function() return #nodes[i]:events("node_down") == 4 end, "four went down")
    w:equal(#nodes[i]:events("node_up"), 7)
  end
end

return {
  { name = "a full mesh from any one seed", fn = any_one_seed },
  { name = "a supervisor on the next line sees the seeds", fn = the_next_line_sees_the_seeds },
  { name = "all start in the same moment", fn = all_at_once },
  { name = "a seed that comes late, leaves and comes back", fn = a_seed_that_comes_late },
  { name = "a wrong secret stays outside, the right one works", fn = a_wrong_secret },
  { name = "misuse is refused with its code", fn = misuse },
  { name = "hostile bytes close their connection and nothing else", fn = hostile_bytes },
  { name = "eight nodes, four killed one by one", fn = eight },
}
