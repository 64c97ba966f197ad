--- workers.lua - a node loses a worker that another node's supervisor has children on. Semantics 7.8.

local specs = require "harness.specs"

local OPTIONS = { "--workers", "2", "--max-turn-ms", "300" }

--- Children by the worker they live on, asked on their node.
local function by_worker(w, node, labels)
  local found = w:settled(labels)
  local groups = {}
  for label, child in pairs(found) do
    local worker = node:run("return dozor.info(...).worker", child.pid)
    groups[worker] = groups[worker] or {}
    table.insert(groups[worker], label)
  end
  return groups, found
end

--- One event per supervisor, the strategy once, on another worker of the same node; only the one that ran counts as a crash.
local function a_stuck_worker(w, strategy)
  local a = w:node("a")
  local b = w:node("b", { host_options = OPTIONS })
  a.config.seeds, b.config.seeds = {}, { a.id }
  a:start()
  b:start()
  w:meshed { a, b }
  specs.start(a, specs.tree(8, { strategy = strategy, node_selector = { node = b.id },
    restart_intensity = { max_restarts = 1, within_ms = 60000 } }))
  local groups, before = by_worker(w, b, specs.labels(8))
  local victim, group
  local script = b:run("return dozor.info(dozor.self()).worker")
  for worker, labels in pairs(groups) do
    if worker ~= script then victim, group = labels[1], labels end
  end
  w:ok(victim, "some children live on another worker than the script: " .. w:show(groups))
  local hit = {}
  for _, label in ipairs(group) do hit[label] = true end
  a:run("dozor.cast(..., 'spin')", before[victim].pid)
  a:run("local pid = ... wait_until(function() return not dozor.alive(pid) end, 15000)", before[victim].pid)
  local after = w:settled(specs.labels(8))
  for label, found in pairs(after) do
    w:equal(found.node, "b", label .. " is on the same node")
    if strategy == "one_for_one" then w:equal(found.pid == before[label].pid, not hit[label], label) end
    if strategy == "one_for_all" then w:ok(found.pid ~= before[label].pid, label .. " was in the round") end
  end
  local stats = a:run("return dozor.supervisor.stats(S.sup)")
  w:equal(stats.node_failure_restarts, 0, "no node was lost")
  w:ok(a:run("return dozor.supervisor.is_running(S.sup)"), "it counts once, however many were there")
  w:wait_until(function() return #a:events("child_restarted") == (strategy == "one_for_one" and #group or 8) end, "each was told of once")
  w:equal(#a:events("supervisor_stopped") + #a:events("node_down"), 0)
  for _, event in ipairs(a:events("child_restarted", victim)) do w:equal(event.reason, "worker_stuck") end
  local lines = w:ledger(function(l) return l.what == "end" and hit[l.label] end)
  w:equal(#lines, 0, "terminate does not run on a lost worker")
end

--- A child that costs two workers is not started again: its supervisor ends as if its intensity were exceeded.
local function two_workers(w)
  local a = w:node("a")
  local b = w:node("b", { host_options = OPTIONS })
  a.config.seeds, b.config.seeds = {}, { a.id }
  a:start()
  b:start()
  w:meshed { a, b }
  local sup = specs.start(a, specs.tree(4, { node_selector = { node = b.id },
    restart_intensity = { max_restarts = 100, within_ms = 60000 } }))
  local script = b:run("return dozor.info(dozor.self()).worker")
  local groups = by_worker(w, b, specs.labels(4))
  local victim
  for worker, labels in pairs(groups) do if worker ~= script then victim = labels[1] end end
  w:ok(victim)
  for _ = 1, 2 do
    local pid = a:run("return dozor.supervisor.child(S.sup, ...).pid", victim)
    -- The second time it is interpreted, so that a loop could be interrupted: a call of C that does not return cannot.
    a:run("dozor.cast(..., 'backtrack')", pid)
    a:run([[
      local pid, id = ...
      wait_until(function()
        local ok, child = pcall(dozor.supervisor.child, S.sup, id)
        return not ok or not child or (child.status == "running" and child.pid ~= pid)
      end, 15000) ]], pid, victim)
  end
  w:wait_until(function() return #a:events("supervisor_stopped") == 1 end, "the supervisor has ended")
  w:equal(a:events("supervisor_stopped")[1].reason, "max_restarts_exceeded")
  w:wait_until(function() return #w:live() == 0 end, "nothing lives")
  w:equal(a:run("return dozor.supervisor.is_running(...)", sup), false)
end

return {
  { name = "a stuck worker over there is one event: one_for_one", fn = function(w) a_stuck_worker(w, "one_for_one") end },
  { name = "a stuck worker over there is one round: one_for_all", fn = function(w) a_stuck_worker(w, "one_for_all") end },
  { name = "a child that costs two workers over there ends its supervisor", fn = two_workers },
}
