-- P17: SIGSTOP of a node with 10 of 30 children, until all 30 run elsewhere, with the defaults of the detector. Before that every
-- worker of every node is kept busy for a while: nobody may be taken for lost.
local dozor = require "dozor"
local bench = require "bench"
local peers = require "peers"
local BUSY_S = math.max(1, 6 * (tonumber((...)) or 1))
peers.begin()
local stays, dies = peers.start("stays"), peers.start("dies")
local lost = peers.watch_losses()
local burners = {}
for _, node in ipairs { peers.id, stays.id, dies.id } do
  for _ = 1, 2 do burners[#burners + 1] = dozor.spawn("burner", {}, { node = node, own_worker = true }) end
end
for _, pid in ipairs(burners) do dozor.cast(pid, BUSY_S) end
assert(not lost(BUSY_S * 1000), "a busy node was taken for lost")
for _, pid in ipairs(burners) do dozor.stop(pid, "normal", 20000) end
local children = {}
for i = 1, 30 do children[i] = { id = "c" .. i, behavior = "tally" } end
local sup = dozor.supervisor.start { node_selector = "round_robin", children = children }
local t0 = bench.now()
dies.freeze()
assert(lost(), "the loss was not noticed")
while dozor.supervisor.stats(sup).node_failure_restarts < 10 do dozor.sleep(1) end
peers.wait_active(sup, 30)
bench.result("all_running_ms", (bench.now() - t0) * 1e3)
dies.kill()
dozor.shutdown(0)
