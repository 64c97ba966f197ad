--- crowd.lua - many at once: crashes, starts, stops. Semantics 2.5, 2.6, 3.2, 3.3, 4.

local specs = require "harness.specs"

local GENEROUS = { max_restarts = 100000, within_ms = 60000 }

--- Everything that lives crashes, again and again, all in one moment.
local function crash_all(w, strategy)
  local a, b, c = w:cluster { "a", "b", "c" }
  local n = strategy == "one_for_one" and 50 or 12
  specs.start(a, specs.tree(n, { strategy = strategy, restart_intensity = GENEROUS }))
  w:settled(specs.labels(n))
  for _ = 1, 5 do
    local jobs = {}
    for i, node in ipairs { a, b, c } do
      jobs[i] = node:async("for _, found in ipairs(live()) do dozor.cast(found.pid, 'crash') end")
    end
    for _, job in ipairs(jobs) do job:wait() end
  end
  w:wait_until(function()
    return a:run("for _, c in ipairs(dozor.supervisor.children(S.sup)) do if c.status ~= 'running' then return false end end return true")
  end, "all run")
  w:settled(specs.labels(n))
  local stats = a:run("return dozor.supervisor.stats(S.sup)")
  w:log("%d children, %d restarts", n, stats.total_restarts)
  w:equal(stats.child_count, n)
  a:run("dozor.supervisor.stop(S.sup)")
  w:equal(w:live(), {}, "live after stop")
end

--- stop in the middle of a storm of restarts and starts, slow inits on every node: nothing lives, nothing appears.
local function stop_in_a_storm(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  for _ = 1, 3 do
    specs.start(a, specs.tree(12, { restart_intensity = GENEROUS }))
    for i, node in ipairs { a, b, c } do
      a:run("dozor.supervisor.start_child(S.sup, ...)", specs.probe("slow" .. i, { args = { "slow" .. i, { init_ms = 100 } },
        node_selector = { node = node.id } }))
    end
    for _, node in ipairs { a, b, c } do
      node:async("for _, found in ipairs(live()) do dozor.cast(found.pid, 'crash') end")
    end
    local starts = a:async([[
      for i = 1, 20 do pcall(dozor.supervisor.start_child, S.sup, { id = "d" .. i, behavior = "probe", args = { "d" .. i, { init_ms = 20 } } }) end]])
    a:run("wait_until(function() return dozor.supervisor.child(S.sup, 'd3') ~= nil or not dozor.supervisor.is_running(S.sup) end)")
    a:run("dozor.supervisor.stop(S.sup)")
    w:equal(w:live(), {}, "live after stop")
    starts:wait()
    w:holds(250, function() return #w:live() == 0 end, "nothing appears after stop")
  end
end

--- simple_one_for_one over three nodes: started from every node at once, terminated, restarted.
local function a_dynamic_pool(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  local sup = specs.start(a, { name = "pool", strategy = "simple_one_for_one", node_selector = "round_robin",
    restart_intensity = GENEROUS, child_template = { behavior = "probe" } })
  local jobs, labels = {}, {}
  for i, node in ipairs { a, b, c } do
    jobs[i] = node:async([[
      local sup, prefix = ...
      local ids = {}
      for i = 1, 20 do
        local _, id = dozor.supervisor.start_child(sup, { prefix .. i })
        ids[#ids + 1] = id
      end
      return ids ]], sup, node.name)
    for k = 1, 20 do labels[#labels + 1] = node.name .. k end
  end
  local ids = {}
  for _, job in ipairs(jobs) do
    for _, id in ipairs(job:wait()) do
      w:ok(not ids[id], id .. " is unique")
      ids[id] = true
    end
  end
  w:settled(labels)
  c:kill()
  w:settled(labels)
  w:equal(a:run("return dozor.supervisor.count_children('pool')").active, 60)
  for _, node in ipairs { a, b } do
    node:run("for _, found in ipairs(live()) do dozor.kill(found.pid) end")
  end
  w:wait_until(function() return a:run("return dozor.supervisor.count_children('pool')").active == 60 end, "all back")
  w:settled(labels)
  b:run("dozor.supervisor.stop('pool')")
  w:equal(w:live(), {}, "live after stop")
end

--- Supervisors of every node, with children on every node, while one node is killed.
local function supervisors_everywhere(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  local labels = {}
  for _, node in ipairs { a, b, c } do
    for s = 1, 5 do
      local spec = { name = node.name .. s, node_selector = "round_robin", restart_intensity = { max_restarts = 0 }, children = {} }
      for i = 1, 6 do
        local label = ("%s%d.%d"):format(node.name, s, i)
        spec.children[i] = specs.probe(label)
        if node ~= c then labels[#labels + 1] = label end
      end
      specs.start(node, spec)
    end
  end
  w:wait_until(function() return #w:live() == 90 end, "ninety live")
  c:kill()
  w:settled(labels)
  w:equal(#a:events("node_failure_detected"), 5)
  w:equal(#b:events("node_failure_detected"), 5)
end

return {
  { name = "fifty children crash at once, again and again", fn = function(w) crash_all(w, "one_for_one") end },
  { name = "one_for_all: all crash at once, again and again", fn = function(w) crash_all(w, "one_for_all") end },
  { name = "rest_for_one: all crash at once, again and again", fn = function(w) crash_all(w, "rest_for_one") end },
  { name = "stop in a storm", fn = stop_in_a_storm },
  { name = "a dynamic pool, started from everywhere", fn = a_dynamic_pool },
  { name = "supervisors on every node lose one node", fn = supervisors_everywhere },
}
