-- peer.lua: a further node for the benchmarks between nodes: peer.lua NAME SEED SECRET. It prints its node id and OS process once
-- it has joined, and ends when its standard input does.
local dozor = require "dozor"
local name, seed, secret = ...
local input = dozor.uv.new_pipe(false)
input:open(0)
input:read_start(function(_, data)
  if not data then dozor.uv.kill(dozor.uv.os_getpid(), "sigkill") end
end)
local id = dozor.cluster.start { node_name = name, host = "127.0.0.1", port = 0, seeds = { seed }, secret = secret }
print(id, dozor.uv.os_getpid())
io.stdout:flush()
dozor.receive("infinity")
