-- P20: two workers against one on independent CPU-bound behaviours.
local dozor = require "dozor"
local bench = require "bench"
local N = bench.scaled(tonumber((...)) or 1)(200000000)
local function spinner() return dozor.spawn("spinner", {}, { own_worker = true }) end
local a, b = spinner(), spinner()
local function both(first, second)
  return bench.timed(function()
    dozor.cast(first, { n = N, to = dozor.self() })
    dozor.cast(second, { n = N, to = dozor.self() })
    dozor.receive("infinity")
    dozor.receive("infinity")
  end)
end
both(a, a)
bench.result("speedup", both(a, a) / both(a, b))
dozor.shutdown(0)
