--- Code that does not come to an end. Run with --max-turn-ms 300 and at least two workers; the tests themselves run on the script's own.

local dozor = require "dozor"

local LIMIT_MS = 300
local AGAIN_MS = 2000 -- after the limit at the latest, supervised children run again

local here = dozor.info(dozor.self()).worker

local function worker_of(pid)
  return dozor.info(pid).worker
end

local function victims(count)
  local children = {}
  for i = 1, count do children[i] = { id = "v" .. i, behavior = "victim" } end
  return children
end

local function pid_of(sup, id)
  local child = dozor.supervisor.child(sup, id)
  return child and child.status == "running" and child.pid or nil
end

--- The children of `sup` on one and the same worker other than ours, at least two.
local function away(sup)
  local by_worker = {}
  for _, child in ipairs(dozor.supervisor.children(sup)) do
    local worker = worker_of(child.pid)
    if worker ~= here then
      by_worker[worker] = by_worker[worker] or {}
      table.insert(by_worker[worker], child)
      if #by_worker[worker] == 2 then return by_worker[worker] end
    end
  end
  error "no two children on another worker"
end

local function replaced(sup, child)
  return wait_until(function()
    local pid = pid_of(sup, child.id)
    return pid ~= child.pid and pid
  end, LIMIT_MS + AGAIN_MS)
end

local function down_reason(ref)
  return expect_message(function(m) return type(m) == "table" and m.ref == ref end).reason
end

--- Casts the harm to a child on another worker and expects it to end with this reason; its neighbour must live on.
local function expect_runaway(kind)
  local sup = dozor.supervisor.start { children = victims(6) }
  local child, neighbour = unpack(away(sup))
  local ref = dozor.monitor(child.pid)
  dozor.call(child.pid, "info")
  dozor.cast(child.pid, kind)
  equal(down_reason(ref), "runaway")
  replaced(sup, child)
  equal(pid_of(sup, neighbour.id), neighbour.pid)
  equal(dozor.call(neighbour.pid, "info").status, "running")
  dozor.supervisor.stop(sup)
end

--- Processor time of each thread of the program, in ticks of 10 ms.
local function thread_times()
  local times = {}
  local dir = assert(dozor.uv.fs_scandir "/proc/self/task")
  while true do
    local id = dozor.uv.fs_scandir_next(dir)
    if not id then return times end
    local file = io.open("/proc/self/task/" .. id .. "/stat")
    if file then
      local fields = {}
      for field in file:read("*a"):match("%) (.*)"):gmatch "%S+" do fields[#fields + 1] = tonumber(field) or 0 end
      file:close()
      times[id] = fields[12] + fields[13]
    end
  end
end

describe("the script", function()
  it("has a worker that no supervisor's child is placed on", function()
    local sup = dozor.supervisor.start { children = victims(12) }
    for _, child in ipairs(dozor.supervisor.children(sup)) do
      truthy(worker_of(child.pid) ~= here, child.id .. " is on the script's worker")
    end
    dozor.supervisor.stop(sup)
  end)
end)

describe("a compiled endless loop", function()
  it("costs its worker; all else goes on, and its child runs again", function()
    local events = collect_events { "long_turn", "worker_stuck", "child_restarted" }
    local sup = dozor.supervisor.start { children = victims(8) }
    local patient = dozor.supervisor.start {
      restart_intensity = { max_restarts = 0, within_ms = 60000 }, children = victims(8),
    }
    local child = away(sup)[1]
    local worker = worker_of(child.pid)
    local ticks, worst, last = 0, 0, dozor.now()
    local ticker = dozor.spawn(function()
      while true do
        dozor.sleep(5)
        local now = dozor.now()
        ticks, worst, last = ticks + 1, math.max(worst, now - last), now
      end
    end)
    local ref = dozor.monitor(child.pid)
    dozor.call(child.pid, "info")
    local before = thread_times()
    local began = dozor.now()
    dozor.cast(child.pid, "compiled")
    equal(down_reason(ref), "worker_stuck")
    local spinner, most = nil, 0
    for id, time in pairs(thread_times()) do
      local spent = time - (before[id] or 0)
      if spent > most then spinner, most = id, spent end
    end
    truthy(most >= 3, "a thread that computed")
    local pid = replaced(sup, child)
    truthy(dozor.now() - began < LIMIT_MS + AGAIN_MS, "a restart in time")
    equal(dozor.call(pid, "info").status, "running")

    wait_until(function() return #dozor.supervisor.children(patient) == 8 and dozor.supervisor.is_running(patient) end)
    for _, c in ipairs(dozor.supervisor.children(patient)) do
      wait_until(function() return pid_of(patient, c.id) end)
    end
    equal(dozor.supervisor.child(sup, child.id).restart_count, 1)

    local parked = thread_times()[spinner]
    local ticked = ticks
    wait_until(function() return ticks >= ticked + 40 end)
    equal(thread_times()[spinner], parked)
    truthy(worst < LIMIT_MS, "a ticker that never stood still (it did for " .. worst .. " ms)")

    local seen = {}
    for _, e in ipairs(events()) do
      if e.type ~= "child_restarted" then seen[e.type] = e end
    end
    equal(seen.long_turn.pid, child.pid)
    equal(seen.worker_stuck.pid, child.pid)
    equal(seen.worker_stuck.worker, worker)
    equal(seen.worker_stuck.reason, "worker_stuck")

    -- What it runs now is interpreted: the second time costs nobody anything.
    ref = dozor.monitor(pid)
    dozor.cast(pid, "compiled")
    equal(down_reason(ref), "runaway")
    dozor.kill(ticker)
    dozor.supervisor.stop(sup)
    dozor.supervisor.stop(patient)
  end)

  it("is one event to a supervisor: one round, not one for each child", function()
    local sup = dozor.supervisor.start {
      strategy = "one_for_all", restart_intensity = { max_restarts = 1, within_ms = 60000 }, children = victims(8),
    }
    local child = away(sup)[1]
    dozor.cast(child.pid, "compiled")
    replaced(sup, child)
    wait_until(function() return dozor.supervisor.count_children(sup).active == 8 end)
    for _, c in ipairs(dozor.supervisor.children(sup)) do equal(c.restart_count, 1) end
    equal(dozor.supervisor.stats(sup).total_restarts, 1)
    dozor.supervisor.stop(sup)
  end)

  it("tells callers, links and names at once", function()
    local sup = dozor.supervisor.start {
      children = { { id = "a", behavior = "victim", name = "stuck" }, unpack(victims(7)) },
    }
    local first = dozor.whereis "stuck"
    if worker_of(first) == here then -- the other one is on a worker that may be lost
      dozor.supervisor.stop(sup)
      return
    end
    dozor.cast(first, "compiled")
    local err = raises("call_failed", dozor.call, first, "info", "infinity")
    equal(err.reason, "worker_stuck")
    wait_until(function()
      local pid = dozor.whereis "stuck"
      return pid and pid ~= first
    end)
    dozor.supervisor.stop(sup)
  end)

  it("in C code of Lua's own is parked as well", function()
    local sup = dozor.supervisor.start { children = victims(6) }
    local child = away(sup)[1]
    local ref = dozor.monitor(child.pid)
    dozor.call(child.pid, "info")
    dozor.cast(child.pid, "pattern")
    equal(down_reason(ref), "worker_stuck")
    replaced(sup, child)
    dozor.supervisor.stop(sup)
  end)

  it("leaves its port to the child's next process", function()
    local probe = dozor.uv.new_tcp()
    assert(probe:bind("127.0.0.1", 0))
    local port = probe:getsockname().port
    probe:close()
    local children = victims(6)
    for _ = 1, 20 do
      children[7] = { id = "server", behavior = "victim", args = { { port = port } } }
      local sup = dozor.supervisor.start { children = children }
      local server = dozor.supervisor.child(sup, "server")
      if worker_of(server.pid) ~= here then
        dozor.cast(server.pid, "compiled")
        local pid = replaced(sup, server)
        equal(dozor.call(pid, "port"), port)
        dozor.supervisor.stop(sup)
        return
      end
      dozor.supervisor.stop(sup)
    end
    error "the server never was on another worker"
  end)
end)

describe("a call that blocks", function()
  it("costs an ordinary worker, and harms nobody when it comes back", function()
    local sup = dozor.supervisor.start { children = victims(6) }
    local child = away(sup)[1]
    local ref = dozor.monitor(child.pid)
    dozor.call(child.pid, "info")
    local began = dozor.now()
    dozor.cast(child.pid, "blocking")
    equal(down_reason(ref), "worker_stuck")
    truthy(dozor.now() - began < 1000, "an end before the call came back")
    replaced(sup, child)
    wait_until(function() return dozor.now() > began + 1200 end)
    equal(dozor.supervisor.count_children(sup).active, 6)
    dozor.supervisor.stop(sup)
  end)

  it("is what a worker of its own is for", function()
    local pid = dozor.spawn("victim", {}, { own_worker = true })
    local worker = worker_of(pid)
    local calling = dozor.spawn(function() dozor.call(pid, { block = 1000 }, "infinity") end, {}, { monitor = true })
    local sup = dozor.supervisor.start { children = victims(6) }
    for _, c in ipairs(dozor.supervisor.children(sup)) do
      truthy(dozor.call(c.pid, "info", 500).worker ~= worker, "children on other workers")
    end
    wait_until(function() return not dozor.alive(calling) end)
    equal(dozor.call(pid, "info").worker, worker)
    dozor.supervisor.stop(sup)
    dozor.stop(pid)
    -- Its worker is there for the next one.
    local next_pid = dozor.spawn("victim", {}, { own_worker = true })
    equal(worker_of(next_pid), worker)
    local other = dozor.spawn("victim", {}, { own_worker = true })
    truthy(worker_of(other) ~= worker, "a worker of its own for each")
    dozor.stop(next_pid)
    dozor.stop(other)
    while dozor.receive(0) do end
  end)

  it("but computing without an end is runaway there, too", function()
    local pid, ref = dozor.spawn("victim", {}, { own_worker = true, monitor = true })
    dozor.cast(pid, "interpreted")
    equal(down_reason(ref), "runaway")
  end)
end)

describe("a loop that can be interrupted", function()
  for _, kind in ipairs { "interpreted", "pcalls", "calls", "coroutines", "unhooking", "callback" } do
    it("ends its process and nothing else: " .. kind, function() expect_runaway(kind) end)
  end

  it("in init fails the start", function()
    local err = raises("init_failed", dozor.spawn, "victim", { { harm = "interpreted" } })
    equal(err.reason, "runaway")
  end)

  it("does not get to terminate, and in terminate ends it", function()
    local pid, ref = dozor.spawn("victim", { { tell = dozor.self() } }, { monitor = true })
    dozor.cast(pid, "calls")
    equal(down_reason(ref), "runaway")
    expect_no_message()
    pid, ref = dozor.spawn("victim", { { on_terminate = "calls" } }, { monitor = true })
    dozor.stop(pid, "normal", "infinity")
    equal(down_reason(ref), "runaway")
  end)

  it("is reported with its traceback", function()
    local events = collect_events { "long_turn" }
    local pid = dozor.spawn("victim", {}, { monitor = true })
    dozor.cast(pid, "calls")
    expect_message(function(m) return m.type == "down" end)
    wait_until(function() return events()[1] end)
    equal(events()[1].pid, pid)
    contains(events()[1].traceback, "victim.lua")
    truthy(events()[1].turn_ms >= LIMIT_MS / 2, "a turn of half the limit")
    equal(#events(), 1)
  end)
end)

describe("what is no runaway", function()
  it("many messages that take long together", function()
    local pid = dozor.spawn("victim")
    for _ = 1, 16 do dozor.cast(pid, { busy = 50 }) end
    equal(dozor.call(pid, { busy = 10 }, "infinity"), "done")
    dozor.stop(pid)
  end)

  it("a handler that waits long", function()
    local pid = dozor.spawn(function() dozor.sleep(1000) dozor.exit "slept" end, {}, { monitor = true })
    local down = expect_message(function(m) return m.pid == pid end)
    equal(down.reason, "slept")
  end)
end)
