--- proxy.lua - a TCP proxy in front of a node, which can cut what one certain node sends through it: who dialled is found by
--- the socket's owner in /proc. A policy between two nodes is "open" (the default), "cut" (connections are closed, new ones too)
--- or "hole" (bytes vanish from sight: nothing is read, nothing is closed, until it opens again).

local dozor = require "dozor"
local uv = dozor.uv

local Proxy = {}
Proxy.__index = Proxy

local M = {}

--- The inode of the socket that has this local port. Asked for every connection, and a cut makes many of them, while all other
--- bytes wait: so it must not take long.
local function inode_of(port)
  local file = io.open "/proc/net/tcp"
  if not file then return nil end
  local text = file:read "*a"
  file:close()
  local wanted, at = (": 0100007F:%04X "):format(port), 0
  repeat
    at = text:find(wanted, at + 1, true)
    -- local and remote address, state, queues, timer, retransmits, uid, timeout, inode; closed ones have none
    local inode = at and text:match("^: %S+ %S+ %S+ %S+ %S+ %S+ +%d+ +%d+ (%d+)", at)
    if inode and inode ~= "0" then return inode end
  until not at
end

local function has_socket(os_pid, wanted)
  local dir = ("/proc/%d/fd"):format(os_pid)
  local entries = uv.fs_scandir(dir)
  while entries do
    local fd = uv.fs_scandir_next(entries)
    if not fd then return false end
    if uv.fs_readlink(dir .. "/" .. fd) == wanted then return true end
  end
end

local function owner_of(world, port)
  local inode = inode_of(port)
  if not inode then return nil end
  local wanted = ("socket:[%s]"):format(inode)
  for _, node in ipairs(world.nodes) do
    if node.os_pid and not node.exit and has_socket(node.os_pid, wanted) then return node end
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

local function accept(self)
  local from, to = uv.new_tcp(), uv.new_tcp()
  self.server:accept(from)
  local peer = from:getpeername()
  local connection = { proxy = self, from = from, to = to, source = peer and owner_of(self.world, peer.port) }
  self.connections[connection] = true
  -- Nobody's any more: it was given up before it was looked at.
  if not connection.source or policy_of(self.world, connection.source, self.node) == "cut" then return drop(connection) end
  to:connect("127.0.0.1", self.node.listen_port, function(err)
    if err then return drop(connection) end
    connection.ready = true
    obey(connection)
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
