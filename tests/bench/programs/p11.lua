-- P11: from the kill of a child to its replacement running.
local dozor = require "dozor"
local bench = require "bench"
local N = bench.scaled(tonumber((...)) or 1)(2000)
local main = dozor.self()
local child = { init = function() dozor.send(main, dozor.self()) end }
dozor.supervisor.start {
  restart_intensity = { max_restarts = "infinity", within_ms = 1000 },
  children = { { id = "w", behavior = child } },
}
local pid = dozor.receive("infinity")
local samples = {}
for i = 1, N do
  local t0 = bench.now()
  dozor.kill(pid)
  pid = dozor.receive("infinity")
  samples[i] = (bench.now() - t0) * 1e6
end
table.sort(samples)
bench.result("p50_us", samples[math.max(1, math.floor(N / 2))])
bench.result("p99_us", samples[math.max(1, math.floor(N * 99 / 100))])
dozor.shutdown(0)
