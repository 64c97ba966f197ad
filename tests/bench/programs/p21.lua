-- P21: CPU of an idle node with 100,000 processes and 3 peers, in per cent of a core. The peers are OS processes of this program.
local dozor = require "dozor"
local bench = require "bench"
local uv = dozor.uv
local role, port, seed = ...

local function join(name, own_port, seeds)
  dozor.cluster.start { node_name = name, host = "127.0.0.1", port = own_port, seeds = seeds }
end

--- A peer lives until its standard input ends: with whoever started it.
if role == "peer" then
  join("peer" .. port, tonumber(port), { seed })
  local input = uv.new_pipe(false)
  input:open(0)
  dozor.await(function(done)
    input:read_start(function(_, data) if not data then done() end end)
  end)
  dozor.shutdown(0)
  return
end

local scale = tonumber(role) or 1
local PROCESSES, PEERS = bench.scaled(scale)(100000), 3
local SETTLE_MS, MEASURE_MS = 2000 * math.max(scale, 0.25), 10000 * math.max(scale, 0.1)

local function free_port()
  local socket = uv.new_tcp()
  socket:bind("127.0.0.1", 0)
  local found = socket:getsockname().port
  socket:close()
  return found
end

local own_port = free_port()
join("bench", own_port, {})
local inputs = {}
for i = 1, PEERS do
  inputs[i] = uv.new_pipe(false)
  uv.spawn(uv.exepath(), {
    args = { "run", "--log-level", "error", arg[0], "peer", tostring(free_port()), "bench@127.0.0.1:" .. own_port },
    stdio = { inputs[i], nil, 2 },
  }, function() end)
end
local deadline = dozor.now() + 20000
while #dozor.cluster.nodes() <= PEERS do
  assert(dozor.now() < deadline, "the peers did not come")
  dozor.sleep(20)
end
local idle = { init = function(i) return { n = i } end }
for i = 1, PROCESSES do dozor.spawn(idle, { i }) end
dozor.sleep(SETTLE_MS)
local cpu, began = bench.cpu(), bench.now()
dozor.sleep(MEASURE_MS)
bench.result("idle_cpu_percent", (bench.cpu() - cpu) / (bench.now() - began) * 100)
for _, input in ipairs(inputs) do input:close() end
dozor.shutdown(0)
