-- P14: 64 callers of a server on another node: an integer, 1 KB.
local dozor = require "dozor"
local bench = require "bench"
local peers = require "peers"
local N = bench.scaled(tonumber((...)) or 1)(5000)
local CALLERS = 64
peers.begin()
local server = dozor.spawn("echoer", {}, { node = peers.start("far").id })
local main, call = dozor.self(), dozor.call

local function per_second(msg, n)
  local took = bench.timed(function()
    for _ = 1, CALLERS do
      dozor.spawn(function()
        for _ = 1, n do call(server, msg, 60000) end
        dozor.send(main, "done")
      end)
    end
    for _ = 1, CALLERS do dozor.receive("infinity") end
  end)
  return CALLERS * n / took
end

per_second(1, math.ceil(N / 10))
bench.result("integers_per_s", per_second(1, N))
bench.result("kilobytes_per_s", per_second(("x"):rep(1024), N))
dozor.shutdown(0)
