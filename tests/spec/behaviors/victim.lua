--- victim.lua - a behaviour that does the harm it is cast: endless loops, blocking calls, hoarding memory.

local dozor = require "dozor"

local M = {}
local harm = {}

function harm.compiled()
  while true do end
end

function harm.interpreted()
  local function spin() while true do end end
  jit.off(spin)
  spin()
end

function harm.pcalls()
  while true do
    pcall(function()
      local n = 0
      while true do
        n = n + 1
        if n % 100 == 0 then error "again" end
      end
    end)
  end
end

function harm.calls()
  while true do dozor.self() end
end

function harm.coroutines()
  while true do
    coroutine.wrap(function() for _ = 1, 100 do dozor.self() end end)()
  end
end

function harm.unhooking()
  while true do debug.sethook() end
end

function harm.pattern()
  return (("a"):rep(40)):find(("a?"):rep(40) .. ("a"):rep(40) .. "b")
end

function harm.blocking()
  dozor.uv.sleep(1000)
end

function harm.callback()
  dozor.uv.new_timer():start(1, 0, function() harm.interpreted() end)
end

function harm.hoard()
  local kept = {}
  while true do kept[#kept + 1] = { #kept } end
end

function harm.hoard_strings()
  local kept = {}
  while true do kept[#kept + 1] = tostring(#kept):rep(1000) end
end

function harm.huge()
  return #("x"):rep(2 ^ 28)
end

function M.init(options)
  options = options or {}
  if options.harm then harm[options.harm]() end
  if options.port then
    local server = dozor.uv.new_tcp()
    assert(server:bind("127.0.0.1", options.port))
    assert(server:listen(8, function() end))
    return { port = server:getsockname().port, server = server, kept = {} }
  end
  return { on_terminate = options.on_terminate, tell = options.tell, kept = {} }
end

function M.handle_call(msg, state)
  if msg == "info" then return dozor.info(dozor.self()) end
  if msg == "port" then return state.port end
  if type(msg) == "table" and msg.block then
    dozor.uv.sleep(msg.block)
    return "done"
  end
  if type(msg) == "table" and msg.keep then
    state.kept[#state.kept + 1] = ("k"):rep(msg.keep) .. #state.kept
    return #state.kept
  end
  if type(msg) == "table" and msg.garbage then
    local n = 0
    for i = 1, msg.garbage do n = n + #(("g"):rep(1000) .. i) end
    return n
  end
  if type(msg) == "table" and msg.busy then
    local till = dozor.now() + msg.busy
    while dozor.now() < till do end
    return "done"
  end
end

function M.handle_cast(msg, _)
  if type(msg) == "table" and msg.busy then
    local till = dozor.now() + msg.busy
    while dozor.now() < till do end
    return
  end
  harm[msg]()
end

function M.terminate(_, state)
  if state.tell then dozor.send(state.tell, "terminated") end
  if state.on_terminate then harm[state.on_terminate]() end
end

return M
