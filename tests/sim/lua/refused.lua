--- What Lua code may not do under the simulator, and what it gets in place of the machine's own.

local dozor = require "dozor"

local function refused(what, fn, ...)
  local ok, err = pcall(fn, ...)
  assert(not ok and type(err) == "table" and err.code == "not_in_simulation", what .. " is not refused")
end

refused("dozor.uv", function() return dozor.uv end)
refused("luv", require, "luv")
refused("io.popen", io.popen, "true")
refused("os.execute", os.execute, "true")
assert(not jit.status(), "code is compiled")
assert(os.time() >= 1700000000 and os.time() < 1700001000, "os.time is not the simulated clock")
assert(os.date("!%Y") == "2023", "os.date is not the simulated clock")

local before, wall = os.clock(), os.time()
dozor.sleep(20000)
assert(os.clock() - before >= 19.8 and os.clock() - before < 21, "os.clock does not follow the simulated clock")
assert(os.time() - wall >= 19, "os.time does not follow the simulated clock")

local _, ref = dozor.spawn(function() while true do pcall(string.len, "again") end end, nil, { monitor = true })
local ended = dozor.receive(10000, function(msg) return msg.ref == ref end)
assert(ended.reason == "runaway", "a loop without end ends with " .. tostring(ended.reason))

local looked = 0
dozor.sim.check("a check is looked at", function() looked = looked + 1 end)
dozor.sim.check("and always is always", function() return looked == 0 or dozor.sim.phase() == "settled" end, { always = true })
local ok, err = pcall(dozor.sim.check, "name", "no function")
assert(not ok and err.code == "bad_argument")
assert(dozor.sim.seed() == 1 and dozor.sim.phase() == "storm")
