--- node.lua - one node of a test: dozor run node.lua CONFIG, with a control channel on descriptor 3.
--- CONFIG is JSON: what cluster.start takes, or {} for no cluster. A request on the channel is a line of JSON { id, code, args };
--- the code runs as a process of its own with args as `...`, and its results go back. The channel's end ends the node.

local dozor = require "dozor"
local uv = dozor.uv
local me = dozor.self()

dozor.register("control")

local channel = uv.new_pipe(false)
channel:open(3)

local function answer(value)
  channel:write(dozor.json.encode(value) .. "\n")
end

--- What the code of a request sees besides the globals.
local lib = setmetatable({ dozor = dozor, S = {}, events = {} }, { __index = _G })

function lib.wait_until(cond, deadline_ms, what)
  local deadline = dozor.now() + (deadline_ms or 10000)
  while true do
    local result = cond()
    if result then return result end
    if dozor.now() > deadline then error("gave up waiting" .. (what and (" until " .. what) or ""), 2) end
    dozor.sleep(2)
  end
end

--- The processes that live here and run `probe`, as { label, pid }: asked of the processes themselves.
function lib.live(behavior)
  local list = {}
  for _, pid in ipairs(dozor.processes()) do
    local info = dozor.info(pid)
    if info and info.behavior == (behavior or "probe") then
      local ok, label = pcall(dozor.call, pid, "label", 2000)
      if ok then list[#list + 1] = { label = label, pid = pid } end
    end
  end
  return list
end

function lib.seen(type, child)
  local found = {}
  for _, event in ipairs(lib.events) do
    if event.type == type and (child == nil or event.child_id == child) then found[#found + 1] = event end
  end
  return found
end

local function describe(err)
  if type(err) ~= "table" then return { message = tostring(err) } end
  local plain = {}
  for key, value in pairs(err) do plain[key] = value end
  plain.message = plain.message or tostring(err)
  return plain
end

local function serve(request)
  local chunk, err = loadstring(request.code, "=request")
  local result = { id = request.id }
  if not chunk then
    result.err = { message = err }
  else
    setfenv(chunk, lib)
    local values = { pcall(chunk, unpack(request.args, 1, request.count)) }
    if values[1] then
      result.value = values[2]
    else
      result.err = describe(values[2])
    end
  end
  answer(result)
end

local pending = ""
channel:read_start(function(err, data)
  if err or not data then
    uv.kill(uv.os_getpid(), "sigkill")
    return
  end
  pending = pending .. data
  while true do
    local line, rest = pending:match("^([^\n]*)\n(.*)$")
    if not line then break end
    pending = rest
    dozor.send(me, { request = line })
  end
end)

dozor.on_event(function(event) lib.events[#lib.events + 1] = event end)

local config = dozor.json.decode((...))
local id = dozor.node()
if next(config) then
  local ok, result = pcall(dozor.cluster.start, config)
  if not ok then
    answer { ready = true, err = describe(result) }
    dozor.receive("infinity")
  end
  id = result
end
answer { ready = true, node = id, os_pid = uv.os_getpid() }

while true do
  local msg = dozor.receive("infinity")
  if msg.request then
    local request = dozor.json.decode(msg.request)
    dozor.spawn(function() serve(request) end)
  end
end
