-- P18: a lost node with a third of 30,000 children, from its detection until all run again.
local dozor = require "dozor"
local bench = require "bench"
local peers = require "peers"
local N = 3 * bench.scaled(tonumber((...)) or 1)(10000)
peers.begin()
peers.start("stays")
local dies = peers.start("dies")
local lost = peers.watch_losses()
local children = {}
for i = 1, N do children[i] = { id = "c" .. i, behavior = "tally" } end
local sup = dozor.supervisor.start { node_selector = "round_robin", children = children }
assert(dozor.supervisor.stats(sup).children_by_node[dies.id] == N / 3, "a third of them runs there")
local t0 = bench.now()
dies.kill()
local detected = lost()
while dozor.supervisor.stats(sup).node_failure_restarts < N / 3 do dozor.sleep(1) end
local running = bench.now()
peers.wait_active(sup, N)
running = bench.now()
bench.result("detected_ms", (detected - t0) * 1e3)
bench.result("all_running_ms", (running - detected) * 1e3)
dozor.shutdown(0)
