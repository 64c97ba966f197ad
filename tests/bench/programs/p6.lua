-- P6: a ring of 1,000 plain processes, and of 1,000 behaviours by cast.
local dozor = require "dozor"
local bench = require "bench"
local HOPS = bench.scaled(tonumber((...)) or 1)(3000000)
local main = dozor.self()
local send, cast, receive = dozor.send, dozor.cast, dozor.receive

local function plain()
  local next_pid = receive("infinity")
  while true do
    local hops = receive("infinity")
    if hops == 0 then send(main, "done") else send(next_pid, hops - 1) end
  end
end

local hopper = {
  init = function() return {} end,
  handle_cast = function(msg, state)
    if type(msg) == "string" then
      state.next = msg
    elseif msg == 0 then
      send(main, "done")
    else
      cast(state.next, msg - 1)
    end
  end,
}

local function ring(what, give)
  local pids = {}
  for i = 1, 1000 do pids[i] = dozor.spawn(what) end
  for i = 1, 1000 do give(pids[i], pids[i % 1000 + 1]) end
  return bench.timed(function()
    give(pids[1], HOPS)
    receive("infinity")
  end)
end

bench.result("plain_hops_per_s", HOPS / ring(plain, send))
bench.result("behavior_hops_per_s", HOPS / ring(hopper, cast))
dozor.shutdown(0)
