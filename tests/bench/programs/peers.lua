-- peers.lua: a cluster on the loopback for the benchmarks between nodes: this node and others as OS processes, over TLS.
local dozor = require "dozor"
local uv = dozor.uv

local M = {}

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local SECRET = "a secret of the benchmarks, 32 bytes"

---Starts this node's side.
function M.begin()
  M.id = dozor.cluster.start { node_name = "main", host = "127.0.0.1", port = 0, secret = SECRET }
end

---Starts a process of this program; returns { handle, pid, stdin, read() }.
local function run(args)
  local input, output = uv.new_pipe(false), uv.new_pipe(false)
  local child = { input = input }
  child.handle, child.pid = uv.spawn(uv.exepath(), { args = args, stdio = { input, output, 2 } }, function()
    child.ended = true
    child.handle:close()
  end)
  assert(child.handle, "a peer cannot be started")
  local text, line = "", nil
  output:read_start(function(_, data)
    if not data then return output:close() end
    text = text .. data
    line = line or text:match("^([^\n]*)\n")
  end)
  function child.read()
    local deadline = dozor.now() + 20000
    while not line do
      assert(not child.ended and dozor.now() < deadline, "a peer did not start")
      dozor.sleep(1)
    end
    return line
  end
  return child
end
M.run = run

---A further node: { id, pid, kill(), freeze() }, up for us when this returns.
function M.start(name)
  local peer = run { "run", "--log-level", "error", here .. "/peer.lua", name, M.id, SECRET }
  local id, os_pid = peer.read():match("^(%S+)%s+(%d+)$")
  peer.id, peer.os_pid = id, tonumber(os_pid)
  local deadline = dozor.now() + 20000
  while true do
    local node = dozor.cluster.node(id)
    if node and node.status == "up" then break end
    assert(dozor.now() < deadline, "a peer did not join")
    dozor.sleep(1)
  end
  function peer.kill()
    uv.kill(peer.os_pid, "sigkill")
  end
  ---Should we end meanwhile, a guard wakes it, and it finds its input at its end.
  function peer.freeze()
    local guard
    peer.guard = uv.new_pipe(false)
    guard = uv.spawn("/bin/sh", { args = { "-c", "read _; kill -CONT $1 2>/dev/null", "sh", tostring(peer.os_pid) },
      stdio = { peer.guard, nil, nil } }, function() guard:close() end)
    assert(guard, "no guard")
    uv.kill(peer.os_pid, "sigstop")
  end
  return peer
end

---Waits until n children of the supervisor have a process.
function M.wait_active(sup, n, deadline_ms)
  local deadline = dozor.now() + (deadline_ms or 60000)
  while dozor.supervisor.count_children(sup).active < n do
    assert(dozor.now() < deadline, "the children did not come back")
    dozor.sleep(1)
  end
end

---Registers for the loss of nodes; the returned function waits for one and gives bench.now() of the moment it was told.
function M.watch_losses()
  local bench, me = require "bench", dozor.self()
  dozor.cluster.on_node_down(function() dozor.send(me, { lost_at = bench.now() }) end)
  return function(timeout_ms)
    local msg = dozor.receive(timeout_ms or 60000, function(m) return type(m) == "table" and m.lost_at end)
    return msg and msg.lost_at
  end
end

---The middle one.
function M.median(samples)
  table.sort(samples)
  return samples[math.max(1, math.ceil(#samples / 2))]
end

return M
