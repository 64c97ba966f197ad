-- P5: casts from 16 processes to one, until handled; and the memory it takes at its peak.
local dozor = require "dozor"
local bench = require "bench"
local N = bench.scaled(tonumber((...)) or 1)(250000)
local server = dozor.spawn(bench.counter)
local main = dozor.self()
local base = bench.status_kb("VmHWM")
local seconds = bench.timed(function()
  for _ = 1, 16 do
    dozor.spawn(function()
      local cast = dozor.cast
      for _ = 1, N do cast(server, "one") end
      dozor.send(main, "sent")
    end)
  end
  for _ = 1, 16 do dozor.receive("infinity") end
  assert(dozor.call(server, "get", "infinity") == 16 * N)
end)
bench.result("casts_per_s", 16 * N / seconds)
bench.result("peak_mib", (bench.status_kb("VmHWM") - base) / 1024)
dozor.shutdown(0)
