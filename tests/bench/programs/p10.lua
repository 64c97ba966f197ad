-- P10: restarts back to back: kill the child, wait until its replacement says it is there.
local dozor = require "dozor"
local bench = require "bench"
local scaled = bench.scaled(tonumber((...)) or 1)
local main = dozor.self()
local child = { init = function() dozor.send(main, dozor.self()) end }

local function restarts(n)
  local sup = dozor.supervisor.start {
    restart_intensity = { max_restarts = "infinity", within_ms = 1000 },
    children = { { id = "w", behavior = child } },
  }
  local pid = dozor.receive("infinity")
  local seconds = bench.timed(function()
    for _ = 1, n do
      dozor.kill(pid)
      pid = dozor.receive("infinity")
    end
  end)
  dozor.supervisor.stop(sup)
  return n / seconds
end

bench.result("restarts_per_s", restarts(scaled(2000)))
bench.result("restarts_per_s_long", restarts(scaled(200000)))
dozor.shutdown(0)
