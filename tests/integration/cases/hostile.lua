--- hostile.lua - what strangers may do to a node's port, while it works for its peers. Semantics 8.5, 8.6; architecture 3.7.

local dozor = require "dozor"
local uv = dozor.uv

local SECRET = ("s"):rep(40)

-- --------------------------------------------------------------------------------------------------------- attacks --

--- The strangers' connections to one port: how many there were, how many of them have ended.
local Strangers = {}
Strangers.__index = Strangers

local function strangers(port)
  return setmetatable({ port = port, opened = 0, closed = 0, heard = "" }, Strangers)
end

--- Sends the bytes, if any; then waits to be thrown out, or with `leave` ends the connection itself.
function Strangers:attack(bytes, leave)
  local socket = uv.new_tcp()
  self.opened = self.opened + 1
  local function gone()
    if socket:is_closing() then return end
    socket:close()
    self.closed = self.closed + 1
  end
  socket:connect("127.0.0.1", self.port, function(err)
    if err then return gone() end
    socket:read_start(function(_, data)
      if not data then return gone() end
    end)
    if bytes then socket:write(bytes) end
    if leave then socket:shutdown(function() end) end
  end)
end

function Strangers:done(w, open, deadline_ms)
  w:wait_until(function() return self.opened - self.closed <= (open or 0) end, function()
    return ("%d of %d connections were closed"):format(self.closed, self.opened)
  end, deadline_ms or 30000)
end

local function number(value, size)
  local bytes = {}
  for i = size, 1, -1 do
    bytes[i] = string.char(value % 256)
    value = math.floor(value / 256)
  end
  return table.concat(bytes)
end

local function garbage(s)
  for i = 1, 40 do
    local bytes = {}
    for j = 1, 60 * i do bytes[j] = string.char(math.random(0, 255)) end
    s:attack(table.concat(bytes))
  end
  s:attack "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
  s:attack "\n"
  s:attack(("\0"):rep(100000))
end

--- Frames and TLS records that announce more than they may, and bring some of it.
local function huge_lengths(s)
  for type = 0, 11 do
    for _, length in ipairs { 2 ^ 32 - 1, 2 ^ 31 - 1, 2 ^ 24, 70000 } do
      s:attack(number(length, 4) .. string.char(type) .. ("x"):rep(3000))
    end
  end
  for _, length in ipairs { 65535, 16641, 2049 } do s:attack("\22\3\1" .. number(length, 2) .. "\1" .. ("\1"):rep(70000)) end
  s:attack("\22\3\1\2\0\1\255\255\255" .. ("\0"):rep(512))
  s:attack("\23\3\3\64\0" .. ("\1"):rep(20000))
end

--- A greeting that was good once, in parts: the end is missing, or a byte of it is another. One after the other: a second
--- greeting of the same node takes the place of the first, which is no offence.
local function damaged(w, s, recorded)
  for length = 1, math.min(#recorded, 400), 7 do
    s:attack(recorded:sub(1, length), true)
    s:done(w)
  end
  for at = 1, math.min(#recorded, 400), 9 do
    local byte = (recorded:byte(at) + 1 + math.random(0, 253)) % 256
    s:attack(recorded:sub(1, at - 1) .. string.char(byte) .. recorded:sub(at + 1), true)
    s:done(w)
  end
end

-- ---------------------------------------------------------------------------------------------------------- worlds --

--- In front of a node until the test ends: carries everything, and gives what the first one to dial has sent.
local function recorder(node, to_port)
  local server, recorded, dialled = uv.new_tcp(), {}, 0
  assert(server:bind("127.0.0.1", node.port))
  assert(server:listen(64, function()
    local from, to = uv.new_tcp(), uv.new_tcp()
    server:accept(from)
    dialled = dialled + 1
    local first = dialled == 1
    local function close()
      for _, handle in ipairs { from, to } do
        if not handle:is_closing() then handle:close() end
      end
    end
    to:connect("127.0.0.1", to_port, function(err)
      if err then return close() end
      from:read_start(function(_, data)
        if not data then return close() end
        if first then recorded[#recorded + 1] = data end
        to:write(data)
      end)
      to:read_start(function(_, data)
        if not data then return close() end
        from:write(data)
      end)
    end)
  end))
  return function() return table.concat(recorded) end
end

local function descriptors(node)
  local entries, count = uv.fs_scandir(("/proc/%d/fd"):format(node.os_pid)), 0
  while uv.fs_scandir_next(entries) do count = count + 1 end
  return count
end

local function resident_mb(node)
  local file = io.open("/proc/" .. node.os_pid .. "/statm")
  local pages = tonumber(file:read("*a"):match("^%d+ (%d+)"))
  file:close()
  return pages * 4096 / 1048576
end

local function refused(node)
  return node:run("return dozor.cluster.node(dozor.node()).refused")
end

--- Node a calls a process of b without pause until S.enough; its job gives { calls, slowest in ms, first failure }.
local function calls(a, pid)
  return a:async([[
    local pid, slowest = ..., 0
    S.calls, S.enough = 0, false
    while not S.enough do
      local began = dozor.now()
      local ok, err = pcall(dozor.call, pid, "get", 20000)
      if not ok then return { S.calls, slowest, tostring(err) } end
      slowest = math.max(slowest, dozor.now() - began)
      S.calls = S.calls + 1
    end
    return { S.calls, slowest, "none" } ]], pid)
end

--- While `act` runs the calls must go on.
local function meanwhile(w, a, what, act)
  local before = a:run("return S.calls")
  act()
  w:wait_until(function() return a:run("return S.calls") > before + 20 end, "the peer's calls go on during " .. what)
end

local function under_attack(w, options)
  options.asan_options = "quarantine_size_mb=4" -- else what was freed counts as memory used
  local b = w:node("b", options)
  b.listen_port = w:port()
  b.config.listen = "127.0.0.1:" .. b.listen_port
  local tap = recorder(b, b.listen_port)
  local a = w:node("a", options)
  a.config.seeds = { b.id }
  b:start()
  a:start()
  w:meshed { a, b }
  local pid = a:run("return dozor.spawn('probe', { 'far' }, { node = ... })", b.id)
  a:run("for _ = 1, 50 do dozor.call(..., 'get') end", pid)
  local recorded = tap()
  w:ok(#recorded > 1000, "a greeting and some traffic are on record")
  local fds, count = descriptors(b), refused(b)
  local job = calls(a, pid)
  local s = strangers(b.listen_port)
  meanwhile(w, a, "garbage", function() garbage(s) s:done(w) end)
  meanwhile(w, a, "huge lengths", function() huge_lengths(s) s:done(w) end)
  meanwhile(w, a, "damaged greetings", function() damaged(w, s, recorded) end)
  meanwhile(w, a, "a replay", function()
    for _ = 1, 5 do
      s:attack(recorded)
      s:done(w)
    end
  end)
  local rss = resident_mb(b)
  meanwhile(w, a, "a flood", function()
    for _ = 1, 4 do
      for _ = 1, 250 do s:attack() end
      s:done(w, 64)
    end
    s:done(w)
  end)
  local more = resident_mb(b) - rss
  a:run("S.enough = true")
  local result = job:wait(30000)
  w:log("%d hostile connections, meanwhile %d calls, the slowest took %.1f ms; %.1f MiB more after the flood", s.opened, result[1],
    result[2], more)
  w:equal(result[3], "none", "a call that failed")
  w:ok(more < 32, "memory is bounded: " .. more)
  w:wait_until(function() return descriptors(b) == fds end, function()
    return ("%d descriptors are open again: %d"):format(fds, descriptors(b))
  end)
  local rise = refused(b) - count
  w:ok(rise >= s.opened, ("each of %d is counted: %d"):format(s.opened, rise))
  w:equal(a:run("return dozor.cluster.nodes()[1].refused"), 0, "connections a turned away")
  for _, node in ipairs { a, b } do
    w:equal({ #node:events("node_up"), #node:events("node_down") }, { 1, 0 }, "node events at " .. node.name)
    w:ok(not node:log_text():find("link closed", 1, true), "the link stood all the time: " .. node:log_text())
  end
  w:meshed { a, b }
end

--- While strangers hold every place for a handshake nobody gets in; they are thrown out in time, and whoever waits comes in.
local function back_through_a_flood(w)
  local a, b = w:cluster({ "a", "b" }, { secret = SECRET, suspect_after_ms = 20000, down_after_ms = 40000 })
  local s = strangers(b.port)
  for _ = 1, 200 do s:attack() end
  s:done(w, 64)
  local c = w:node("c", { secret = SECRET, seeds = { b.id } })
  c:start()
  w:meshed({ a, b, c }, 30000)
  s:done(w)
  for _, node in ipairs { a, b, c } do w:equal(#node:events("node_down"), 0, "node_down at " .. node.name) end
end

return {
  { name = "garbage, huge lengths, damaged and replayed greetings, a flood: plain", fn = function(w) under_attack(w, {}) end },
  { name = "garbage, huge lengths, damaged and replayed greetings, a flood: with a secret",
    fn = function(w) under_attack(w, { secret = SECRET }) end },
  { name = "a node that comes during a flood gets in", fn = back_through_a_flood },
}
