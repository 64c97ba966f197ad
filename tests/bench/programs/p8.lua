-- P8: memory of an idle behaviour process.
local dozor = require "dozor"
local bench = require "bench"
local N = bench.scaled(tonumber((...)) or 1)(100000)
local idle = { init = function(i) return { n = i } end }
local function fill(n)
  collectgarbage()
  local base = bench.status_kb("VmRSS")
  for i = 1, n do dozor.spawn(idle, { i }) end
  collectgarbage()
  return (bench.status_kb("VmRSS") - base) * 1024 / n
end
bench.result("bytes_per_process", fill(N))
dozor.shutdown(0)
