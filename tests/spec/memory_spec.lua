--- The memory of a worker. Run with --worker-memory-mb 64 (the hard limit is then 128) and two workers; the tests themselves run
--- on the script's own.

local dozor = require "dozor"

local MB = 2 ^ 20

local function down_reason(ref)
  return expect_message(function(m) return type(m) == "table" and m.ref == ref end, 20000).reason
end

--- Two children of a fresh supervisor on one worker.
local function two_together()
  local children = {}
  for i = 1, 6 do children[i] = { id = "v" .. i, behavior = "victim" } end
  local sup = dozor.supervisor.start { children = children }
  local found, worker = {}, nil
  for _, child in ipairs(dozor.supervisor.children(sup)) do
    local its = dozor.info(child.pid).worker
    worker = worker or its
    if its == worker then found[#found + 1] = child end
  end
  truthy(#found >= 2, "two children on one worker")
  return sup, found[1], found[2]
end

local function worker_memory(pid)
  return dozor.info(pid).worker_memory_bytes
end

describe("the soft limit", function()
  for _, kind in ipairs { "hoard", "hoard_strings" } do
    it("ends the process whose turn ate the memory: " .. kind, function()
      local sup, eater, neighbour = two_together()
      local ref = dozor.monitor(eater.pid)
      dozor.call(eater.pid, "info")
      dozor.cast(eater.pid, kind)
      equal(down_reason(ref), "out_of_memory")
      equal(dozor.call(neighbour.pid, "info").status, "running")
      equal(dozor.supervisor.child(sup, neighbour.id).pid, neighbour.pid)
      wait_until(function()
        local child = dozor.supervisor.child(sup, eater.id)
        return child.status == "running" and child.pid ~= eater.pid
      end)
      dozor.supervisor.stop(sup)
    end)
  end

  it("leaves alone who makes much garbage and keeps little", function()
    local sup, busy = two_together()
    truthy(dozor.call(busy.pid, { garbage = 300000 }, 20000) > 300 * MB / 1.1, "300 MB of garbage")
    equal(dozor.supervisor.child(sup, busy.id).pid, busy.pid)
    dozor.supervisor.stop(sup)
  end)

  it("finds who took it over many turns", function()
    local sup, hoarder, neighbour = two_together()
    local ref = dozor.monitor(hoarder.pid)
    local held = 0
    while dozor.alive(hoarder.pid) and held < 200 do
      pcall(dozor.call, hoarder.pid, { keep = MB })
      pcall(dozor.call, neighbour.pid, { garbage = 10 })
      held = held + 1
    end
    equal(down_reason(ref), "out_of_memory")
    truthy(held > 32 and held < 128, "an end near the limit, not at " .. held .. " MB")
    equal(dozor.supervisor.child(sup, neighbour.id).pid, neighbour.pid)
    dozor.supervisor.stop(sup)
  end)
end)

describe("the hard limit", function()
  it("costs the worker, never the host", function()
    local events = collect_events { "worker_stuck" }
    local sup, eater, neighbour = two_together()
    local ref, other = dozor.monitor(eater.pid), dozor.monitor(neighbour.pid)
    dozor.call(neighbour.pid, "info")
    dozor.call(eater.pid, "info")
    dozor.cast(eater.pid, "huge")
    equal(down_reason(ref), "out_of_memory")
    equal(down_reason(other), "out_of_memory")
    wait_until(function() return dozor.supervisor.count_children(sup).active == 6 end)
    wait_until(function() return events()[1] end)
    equal(events()[1].reason, "out_of_memory")
    equal(events()[1].pid, eater.pid)
    dozor.supervisor.stop(sup)
  end)
end)

describe("the figures", function()
  it("follow what is kept", function()
    local sup, keeper = two_together()
    dozor.call(keeper.pid, "info")
    local before = worker_memory(keeper.pid)
    truthy(before > 0, "a figure")
    for _ = 1, 8 do dozor.call(keeper.pid, { keep = MB }) end
    local after = worker_memory(keeper.pid)
    truthy(after >= before + 4 * MB, ("more than %d bytes, not %d"):format(before + 4 * MB, after))
    dozor.supervisor.stop(sup)
  end)
end)
