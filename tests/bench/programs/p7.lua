-- P7: starting behaviours; starting and stopping them.
local dozor = require "dozor"
local bench = require "bench"
local N = bench.scaled(tonumber((...)) or 1)(200000)
local spawn, stop = dozor.spawn, dozor.stop
bench.result("starts_per_s", N / bench.timed(function() for _ = 1, N do spawn(bench.counter) end end))
bench.result("cycles_per_s", N / bench.timed(function() for _ = 1, N do stop(spawn(bench.counter)) end end))
dozor.shutdown(0)
