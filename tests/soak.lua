--- soak.lua - mixed load for any length of time: memory and file descriptors have to stay where they are.
---
---     dozor run tests/soak.lua 600      ten minutes; reports every ten seconds, exit code 1 when anything grew
---
--- Two nodes, this one and one it launches: processes are spawned, called, monitored, linked and killed, on both; supervisors
--- restart children, are started and stopped; names come and go; timers and files are opened and closed.

local dozor = require "dozor"
local uv = dozor.uv

local seconds, role = tonumber((...)) or 600, select(2, ...)
local WARM_UP_MS, REPORT_MS = 20000, 10000
local MAY_GROW = 1.25

local echo = {
  init = function() return 0 end,
  handle_call = function(msg, state) return msg, state + 1 end,
  handle_cast = function(msg, state)
    if msg == "crash" then error("as asked") end
    return state + 1
  end,
}
dozor.behaviors.register("soak_echo", echo)
local sent = { text = ("x"):rep(200), list = { 1, 2, 3 }, n = 1.5 }

if role == "peer" then
  dozor.cluster.start { node_name = "peer", host = "127.0.0.1", port = 0, seeds = { select(3, ...) } }
  return dozor.on_event(function(event) if event.type == "node_down" then dozor.shutdown(0) end end)
end

-- ------------------------------------------------------------------------------------------------------------ measures --

local function resident_mb()
  local file = assert(io.open("/proc/self/statm"))
  local pages = tonumber(file:read("*a"):match("^%d+ (%d+)"))
  file:close()
  return pages * 4 / 1024
end

local function descriptors()
  local count, scan = 0, assert(uv.fs_scandir("/proc/self/fd"))
  while uv.fs_scandir_next(scan) do count = count + 1 end
  return count
end

-- ---------------------------------------------------------------------------------------------------------------- load --

local counts = { calls = 0, spawns = 0, supervisors = 0, crashes = 0, far = 0, timers = 0 }

local function calls()
  local pid, ref = dozor.spawn("soak_echo", nil, { monitor = true })
  for _ = 1, 50 do assert(dozor.call(pid, sent).n == 1.5) end
  counts.calls, counts.spawns = counts.calls + 50, counts.spawns + 1
  if math.random(2) == 1 then dozor.kill(pid) else dozor.stop(pid) end
  assert(dozor.receive(5000, function(msg) return msg.ref == ref end))
end

local function supervisors()
  local sup = dozor.supervisor.start {
    strategy = math.random(2) == 1 and "one_for_all" or "one_for_one",
    restart_intensity = { max_restarts = 10, within_ms = 1000 },
    children = {
      { id = "a", behavior = "counter", name = "soak_" .. math.random(1e9) },
      { id = "b", behavior = "counter" },
      { id = "c", behavior = "counter", node_selector = "round_robin" },
    },
  }
  for _ = 1, 3 do
    local child = dozor.supervisor.child(sup, "b")
    if child and child.pid then dozor.kill(child.pid) end
    dozor.sleep(5)
  end
  dozor.supervisor.stop(sup)
  counts.supervisors, counts.crashes = counts.supervisors + 1, counts.crashes + 3
end

local function far(peer)
  return function()
    local pid = dozor.spawn("counter", nil, { node = peer })
    for _ = 1, 20 do dozor.call(pid, "increment") end
    dozor.stop(pid)
    counts.far = counts.far + 20
  end
end

local function timers()
  local timer = uv.new_timer()
  dozor.await(function(done) timer:start(1, 0, done) end)
  timer:close()
  local file = assert(io.open("/proc/self/stat"))
  file:close()
  dozor.cancel_timer(dozor.send_after(50, dozor.self(), "never"))
  counts.timers = counts.timers + 1
end

local function forever(what)
  dozor.spawn(function()
    while true do
      what()
      dozor.sleep(1)
    end
  end, nil, { link = true })
end

-- ----------------------------------------------------------------------------------------------------------------- run --

local here = dozor.cluster.start { node_name = "soak", host = "127.0.0.1", port = 0 }
local program = assert(uv.exepath())
local child = assert(uv.spawn(program, { args = { "run", arg[0], tostring(seconds), "peer", here }, stdio = { nil, 1, 2 } },
  function() end))
local deadline = dozor.now() + 20000
while #dozor.cluster.nodes() < 2 do
  assert(dozor.now() < deadline, "the peer does not come up")
  dozor.sleep(20)
end
for _ = 1, 3 do forever(calls) end
forever(supervisors)
forever(far(dozor.cluster.nodes()[2].id))
forever(timers)

local began, base_mb, base_fds, most_mb, most_fds = dozor.now(), nil, nil, 0, 0
while dozor.now() - began < seconds * 1000 do
  dozor.sleep(REPORT_MS)
  local mb, fds = resident_mb(), descriptors()
  if not base_mb and dozor.now() - began >= WARM_UP_MS then base_mb, base_fds = mb, fds end
  if base_mb then most_mb, most_fds = math.max(most_mb, mb), math.max(most_fds, fds) end
  print(("%4d s  %6.1f MiB  %3d fds  %d processes  %d calls  %d spawns  %d supervisors  %d crashes  %d far calls  %d timers"):format(
    math.floor((dozor.now() - began) / 1000), mb, fds, #dozor.processes(), counts.calls, counts.spawns, counts.supervisors,
    counts.crashes, counts.far, counts.timers))
end
child:kill("sigterm")
local flat = base_mb and most_mb <= base_mb * MAY_GROW and most_fds <= base_fds + 4
print(("from %.1f to at most %.1f MiB, from %d to at most %d fds: %s"):format(base_mb or 0, most_mb, base_fds or 0, most_fds,
  flat and "flat" or "it grows"))
dozor.shutdown(flat and 0 or 1)
