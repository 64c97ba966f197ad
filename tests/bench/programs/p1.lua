-- P1: local call, integer, one caller, one server.
local dozor = require "dozor"
local bench = require "bench"
local N = bench.scaled(tonumber((...)) or 1)(2000000)
local server = dozor.spawn(bench.echo)
local call = dozor.call
local function calls(n) for _ = 1, n do call(server, 1) end end
calls(math.max(1, math.floor(N / 10)))
bench.result("calls_per_s", N / bench.timed(function() calls(N) end))
dozor.shutdown(0)
