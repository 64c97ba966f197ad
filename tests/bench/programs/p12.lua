-- P12: 100,000 children under one supervisor: start, crash of one, stop.
local dozor = require "dozor"
local bench = require "bench"
local N = bench.scaled(tonumber((...)) or 1)(100000)
local main = dozor.self()
local child = {
  init = function() end,
  handle_call = function() return dozor.self() end,
}
local children = {}
for i = 1, N do children[i] = { id = "c" .. i, behavior = child } end
local sup
bench.result("start_ms", 1000 * bench.timed(function()
  sup = dozor.supervisor.start { restart_intensity = { max_restarts = 1000, within_ms = 1000 }, children = children }
end))
local victim = dozor.supervisor.child(sup, "c" .. math.ceil(N / 2)).pid
bench.result("crash_ms", 1000 * bench.timed(function()
  dozor.kill(victim)
  local c
  repeat c = dozor.supervisor.child(sup, "c" .. math.ceil(N / 2)) until c.pid and c.pid ~= victim
end))
bench.result("stop_ms", 1000 * bench.timed(function() dozor.supervisor.stop(sup) end))
dozor.shutdown(0)
