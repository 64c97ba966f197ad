--- proxy.lua - a TCP proxy in front of a node, which can cut what one certain node sends through it: who dialled is read from its
--- hello, so the nodes have no secret. A policy between two nodes is "open" (the default), "cut" (connections are closed, new ones too)
--- or "hole" (bytes vanish from sight: nothing is read, nothing is closed, until it opens again).

local dozor = require "dozor"
local uv = dozor.uv

local Proxy = {}
Proxy.__index = Proxy

local M = {}

--- Whose hello it is: it names the node that sends it and the one it is meant for.
local function sender_of(proxy, hello)
  for _, node in ipairs(proxy.world.nodes) do
    if node ~= proxy.node and hello:find(node.id, 1, true) then return node end
  end
end

local function close(handle)
  if not handle:is_closing() then handle:close() end
end

local function pair_key(a, b)
  return a < b and (a .. " " .. b) or (b .. " " .. a)
end

local function drop(connection)
  connection.proxy.connections[connection] = nil
  close(connection.from)
  close(connection.to)
end

local function forward(connection, from, to)
  from:read_start(function(_, data)
    if not data then return drop(connection) end
    to:write(data)
  end)
end

local function flow(connection)
  if connection.flowing or not connection.ready then return end
  connection.flowing = true
  forward(connection, connection.from, connection.to)
  forward(connection, connection.to, connection.from)
end

local function hold(connection)
  if not connection.flowing then return end
  connection.flowing = false
  connection.from:read_stop()
  connection.to:read_stop()
end

local function policy_of(world, source, target)
  return world.policies and source and world.policies[pair_key(source.name, target.name)] or "open"
end

local function obey(connection)
  local policy = policy_of(connection.proxy.world, connection.source, connection.proxy.node)
  if policy == "cut" then
    drop(connection)
  elseif policy == "hole" then
    hold(connection)
  else
    flow(connection)
  end
end

--- The sender is known: on to the node, behind its hello.
local function introduce(connection, hello)
  local proxy = connection.proxy
  connection.from:read_stop()
  if policy_of(proxy.world, connection.source, proxy.node) == "cut" then return drop(connection) end
  connection.to:connect("127.0.0.1", proxy.node.listen_port, function(err)
    if err then return drop(connection) end
    connection.to:write(hello)
    connection.ready = true
    obey(connection)
  end)
end

local function accept(self)
  local connection = { proxy = self, from = uv.new_tcp(), to = uv.new_tcp() }
  local hello = ""
  self.server:accept(connection.from)
  self.connections[connection] = true
  connection.from:read_start(function(_, data)
    if not data then return drop(connection) end
    hello = hello .. data
    connection.source = sender_of(self, hello)
    if connection.source then introduce(connection, hello) end
  end)
end

function M.open(world, node)
  local self = setmetatable({ world = world, node = node, connections = {}, server = uv.new_tcp() }, Proxy)
  assert(self.server:bind("127.0.0.1", node.port))
  assert(self.server:listen(64, function(err)
    if not err then accept(self) end
  end))
  return self
end

--- Sets the policy between two proxied nodes, both ways.
function M.set(world, a, b, policy)
  world.policies = world.policies or {}
  world.policies[pair_key(a.name, b.name)] = policy
  for _, node in ipairs { a, b } do
    local connections = {}
    for connection in pairs(node.proxy.connections) do connections[#connections + 1] = connection end
    for _, connection in ipairs(connections) do obey(connection) end
  end
end

function Proxy:close()
  close(self.server)
  local connections = {}
  for connection in pairs(self.connections) do connections[#connections + 1] = connection end
  for _, connection in ipairs(connections) do drop(connection) end
end

return M
