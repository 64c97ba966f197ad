-- P2: local call, a map of 10 fields with a list of 10 elements, echoed.
local dozor = require "dozor"
local bench = require "bench"
local N = bench.scaled(tonumber((...)) or 1)(1000000)
local server = dozor.spawn(bench.echo)
local call = dozor.call
local msg = { id = 1, name = "worker", kind = "job", priority = 5, retries = 0, delay = 1.5, owner = "alice",
  done = false, total = 100, list = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 } }
local function calls(n) for _ = 1, n do call(server, msg) end end
calls(math.max(1, math.floor(N / 10)))
bench.result("calls_per_s", N / bench.timed(function() calls(N) end))
dozor.shutdown(0)
