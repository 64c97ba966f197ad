-- P13: a call to another node, one after another, and what the kernel alone takes for the same.
local dozor = require "dozor"
local bench = require "bench"
local peers = require "peers"
local N = bench.scaled(tonumber((...)) or 1)(20000)
peers.begin()
local server = dozor.spawn("echoer", {}, { node = peers.start("far").id })
local call, now, samples = dozor.call, bench.now, {}
for _ = 1, math.ceil(N / 10) do call(server, 1) end
for i = 1, N do
  local t0 = now()
  call(server, i)
  samples[i] = (now() - t0) * 1e6
end
local p50, floor = peers.median(samples), require("floor").measure(peers.run, N)
bench.result("p50_us", p50)
bench.result("floor_us", floor)
bench.result("over_floor_us", p50 - floor)
dozor.shutdown(0)
