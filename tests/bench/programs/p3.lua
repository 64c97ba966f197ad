-- P3: as P1 with caller and server on different workers.
local dozor = require "dozor"
local bench = require "bench"
local N = bench.scaled(tonumber((...)) or 1)(1000000)
local server = dozor.spawn("worker", {}, { own_worker = true })
local call = dozor.call
local function calls(n) for _ = 1, n do call(server, "status") end end
calls(math.max(1, math.floor(N / 10)))
bench.result("calls_per_s", N / bench.timed(function() calls(N) end))
dozor.shutdown(0)
