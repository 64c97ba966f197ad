-- P4: casts from one process to one, until handled.
local dozor = require "dozor"
local bench = require "bench"
local N = bench.scaled(tonumber((...)) or 1)(2000000)
local server = dozor.spawn(bench.counter)
local cast = dozor.cast
bench.result("casts_per_s", N / bench.timed(function()
  for _ = 1, N do cast(server, "one") end
  assert(dozor.call(server, "get", "infinity") == N)
end))
dozor.shutdown(0)
