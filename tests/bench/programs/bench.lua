-- bench.lua: what the programs beside it share. Each prints one line a figure: "RESULT name value".
local dozor = require "dozor"

local M = {}

---@return number seconds on the monotonic clock, with its full resolution
function M.now()
  return dozor.uv.hrtime() / 1e9
end

---Runs fn and returns how many seconds it took.
function M.timed(fn)
  local t0 = M.now()
  fn()
  return M.now() - t0
end

function M.result(name, value)
  print(string.format("RESULT %s %.17g", name, value))
end

---A line of /proc/self/status in KiB ("VmRSS", "VmHWM").
function M.status_kb(field)
  for line in io.lines("/proc/self/status") do
    local kb = line:match("^" .. field .. ":%s+(%d+)")
    if kb then return tonumber(kb) end
  end
end

---CPU seconds this OS process has used.
function M.cpu()
  local u = dozor.uv.getrusage()
  return u.utime.sec + u.utime.usec / 1e6 + u.stime.sec + u.stime.usec / 1e6
end

---A count scaled for short runs.
function M.scaled(scale)
  return function(n) return math.max(1, math.floor(n * scale + 0.5)) end
end

M.echo = { init = function() end, handle_call = function(msg) return msg end }

M.counter = {
  init = function() return { n = 0 } end,
  handle_call = function(_, state) return state.n end,
  handle_cast = function(msg, state)
    if msg == "crash" then error("crash", 0) end
    state.n = state.n + 1
  end,
}

return M
