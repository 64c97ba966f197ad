-- P9: the worst pause of a worker with 1,000,000 idle processes while garbage is made steadily; the same with 10,000 waiting
-- coroutines, and while the string table grows, apart. Counted in CPU time, so that a busy machine's other programs are not taken
-- for the collector.
local dozor = require "dozor"
local bench = require "bench"
local scaled = bench.scaled(tonumber((...)) or 1)
local PROCESSES, WAITING, TURNS, STRINGS = scaled(1000000), scaled(10000), scaled(1000000), scaled(500000)
local clock, me = os.clock, dozor.self()

--- The longest of TURNS turns that each run `work`, in microseconds.
local function worst_pause(turns, work)
  local worst = 0
  local last = clock()
  for i = 1, turns do
    work(i)
    dozor.send(me, i)
    dozor.receive()
    local now = clock()
    if now - last > worst then worst = now - last end
    last = clock()
  end
  return worst * 1e6
end

local function garbage()
  local list = {}
  for i = 1, 20 do list[i] = { i } end
  return list
end

local idle = { init = function(i) return { n = i } end }
for i = 1, PROCESSES do dozor.spawn(idle, { i }) end
bench.result("worst_pause_us", worst_pause(TURNS, garbage))

local kept = {}
bench.result("worst_pause_strings_us", worst_pause(STRINGS, function(i) kept[i] = "text " .. i end))

for _ = 1, WAITING do dozor.spawn(function() dozor.sleep("infinity") end) end
bench.result("worst_pause_waiting_us", worst_pause(TURNS / 4, garbage))
dozor.shutdown(0)
