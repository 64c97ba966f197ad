--- expect.lua - what specs look at results with. A failure raises an error at the line of the test.

local dozor = require "dozor"

local M = {}

local function show(value, depth)
  depth = depth or 0
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) ~= "table" or depth > 4 then return tostring(value) end
  local keys, parts = {}, {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for i, key in ipairs(keys) do parts[i] = ("%s = %s"):format(tostring(key), show(value[key], depth + 1)) end
  return "{ " .. table.concat(parts, ", ") .. " }"
end
M.show = show

local function same(a, b)
  if a == b or (a ~= a and b ~= b) then return true end
  if type(a) ~= "table" or type(b) ~= "table" then return false end
  for key, value in pairs(a) do
    if not same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

--- Deep equality; NaN equals NaN.
function M.equal(actual, expected)
  if not same(actual, expected) then
    error(("expected %s, got %s"):format(show(expected), show(actual)), 2)
  end
end

function M.truthy(value, what)
  if not value then error((what or "a true value") .. " expected, got " .. show(value), 2) end
  return value
end

function M.contains(text, part)
  if not tostring(text):find(part, 1, true) then
    error(("expected %s to contain %q"):format(show(text), part), 2)
  end
end

--- fn(...) must raise a dozor error of that code; returned for a closer look.
function M.raises(code, fn, ...)
  local ok, err = pcall(fn, ...)
  if ok then error(("an error %s was expected, none was raised"):format(code), 2) end
  if type(err) ~= "table" or err.code ~= code then
    error(("an error %s was expected, got %s"):format(code, show(err)), 2)
  end
  if type(err.message) ~= "string" or err.message == "" then error("the error has no message: " .. show(err), 2) end
  return err
end

--- Waits until cond() gives something true and returns it; fails after deadline_ms (5000).
function M.wait_until(cond, deadline_ms)
  local deadline = dozor.now() + (deadline_ms or 5000)
  while true do
    local result = cond()
    if result then return result end
    if dozor.now() > deadline then error("the condition did not come true in time", 2) end
    dozor.sleep(2)
  end
end

--- The next message of this process, or a failure after deadline_ms (5000).
function M.expect_message(match, deadline_ms)
  local msg = dozor.receive(deadline_ms or 5000, match)
  if msg == nil then error("no message came in time", 2) end
  return msg
end

--- No message may be waiting once everything sent so far has arrived: a call to oneself's neighbour proves that.
function M.expect_no_message(within_ms)
  local msg = dozor.receive(within_ms or 20)
  if msg ~= nil then error("no message was expected, got " .. show(msg), 2) end
end

--- A behaviour that answers { "get" }, counts casts, and does what it is told:
--- call "get" -> count, call { "fail", text }, cast "inc", cast { "crash", text }, cast { "exit", reason }.
function M.probe(hooks)
  hooks = hooks or {}
  return {
    init = function(...)
      if hooks.init then hooks.init(...) end
      return { count = 0, args = { n = select("#", ...), ... } }
    end,
    handle_call = function(msg, state)
      if msg == "get" then return state.count end
      if msg == "args" then return state.args end
      if msg == "self" then return dozor.self() end
      if type(msg) == "table" and msg[1] == "fail" then error(msg[2]) end
      if type(msg) == "table" and msg[1] == "echo" then return msg[2] end
    end,
    handle_cast = function(msg, state)
      if msg == "inc" then state.count = state.count + 1 end
      if type(msg) == "table" and msg[1] == "crash" then error(msg[2]) end
      if type(msg) == "table" and msg[1] == "exit" then dozor.exit(msg[2]) end
    end,
    terminate = hooks.terminate,
  }
end

--- A behaviour from its callbacks; init makes an empty table when it is not given.
function M.server(callbacks)
  callbacks.init = callbacks.init or function() return {} end
  return callbacks
end

--- Collects events of the given types in order; list() gives what came so far.
function M.collect_events(types)
  local events = {}
  local stop = dozor.on_event(function(event) events[#events + 1] = event end, { types = types })
  return function() return events end, stop
end

return M
