-- P15: casts to a server on another node until it has handled them: small, 1 KB.
local dozor = require "dozor"
local bench = require "bench"
local peers = require "peers"
local N = bench.scaled(tonumber((...)) or 1)(1000000)
peers.begin()
local far = peers.start("far").id

local function per_second(msg, n)
  local server = dozor.spawn("tally", {}, { node = far })
  local cast = dozor.cast
  local took = bench.timed(function()
    for _ = 1, n do cast(server, msg) end
    assert(dozor.call(server, "count", "infinity") == n, "casts got lost")
  end)
  return n / took
end

per_second(1, math.ceil(N / 10))
bench.result("small_per_s", per_second(1, N))
bench.result("kilobytes_per_s", per_second(("x"):rep(1024), math.ceil(N / 2)))
dozor.shutdown(0)
