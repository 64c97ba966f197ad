-- P16: kill -9 of a node with 10 of 30 children, until all 30 run.
local dozor = require "dozor"
local bench = require "bench"
local peers = require "peers"
local ROUNDS = bench.scaled(tonumber((...)) or 1)(5)
peers.begin()
peers.start("stays")
local samples = {}
for round = 1, ROUNDS do
  local dies = peers.start("dies" .. round)
  local children = {}
  for i = 1, 30 do children[i] = { id = "c" .. i, behavior = "tally" } end
  local sup = dozor.supervisor.start { node_selector = "round_robin", children = children }
  assert(dozor.supervisor.stats(sup).children_by_node[dies.id] == 10, "ten of them run there")
  local t0 = bench.now()
  dies.kill()
  while dozor.supervisor.stats(sup).node_failure_restarts < 10 do dozor.sleep(0.2) end
  peers.wait_active(sup, 30)
  samples[round] = (bench.now() - t0) * 1e3
  dozor.supervisor.stop(sup)
end
bench.result("all_running_ms", peers.median(samples))
dozor.shutdown(0)
