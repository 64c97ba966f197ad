--- chaos.lua - random kills, freezes, cuts and returns over four nodes and fifty children; at the end what lives is what was wanted.
--- dozor run tests/integration/run.lua chaos "" SECONDS SEED     each of the three that long; by default 10 s

local dozor = require "dozor"
local proxy = require "harness.proxy"
local specs = require "harness.specs"

local SECONDS = 10

local function wanted()
  local labels = specs.labels(30)
  for i = 1, 10 do labels[#labels + 1] = "in" .. i end
  for i = 1, 10 do labels[#labels + 1] = "all" .. i end
  return labels
end

local function start(a)
  local spec = specs.tree(30, { restart_intensity = { max_restarts = 100000, within_ms = 60000 }, children = {} })
  for i = 1, 30 do spec.children[i] = specs.probe("c" .. i) end
  local function nested(id, prefix, strategy)
    local children = {}
    for i = 1, 10 do children[i] = specs.probe(prefix .. i) end
    spec.children[#spec.children + 1] = { id = id, supervisor = { strategy = strategy, node_selector = "round_robin",
      children = children, restart_intensity = { max_restarts = 100000, within_ms = 60000 } } }
  end
  nested("inner", "in", "one_for_one")
  nested("together", "all", "one_for_all")
  specs.start(a, spec)
end

local function crash_some(w)
  local running = w:running()
  local node = running[math.random(#running)]
  node:async("for i, found in ipairs(live()) do if i % 3 == 0 then dozor.cast(found.pid, 'crash') end end")
  return "crashes on " .. node.name
end

--- A pair's link is cut, or falls silent, or both work again.
local function cut_some(w, nodes)
  local i = math.random(#nodes)
  local one, other = nodes[i], nodes[i % #nodes + 1]
  if not one.proxy or one.exit or other.exit then return "nothing" end
  local policy = ({ "cut", "hole", "open", "open" })[math.random(4)]
  proxy.set(w, one, other, policy)
  return ("%s%s %s"):format(one.name, other.name, policy)
end

--- MiB that a node that was not started again has resident, and its processes.
local function figures(node)
  local pages = io.open("/proc/" .. node.os_pid .. "/statm"):read("*a"):match("^%d+ (%d+)")
  return { mib = tonumber(pages) * 4096 / 1048576, processes = node:run("return #dozor.processes()"), runs = node.runs }
end

--- Sanitizers keep what was freed: there the figure says nothing.
local function sanitized(node)
  for line in io.lines("/proc/" .. node.os_pid .. "/maps") do
    if line:find("libasan", 1, true) or line:find("libtsan", 1, true) then return true end
  end
  return false
end

local function memory_is_flat(w, node, before)
  local after = figures(node)
  w:log("%s: %.1f MiB before, %.1f MiB after", node.name, before.mib, after.mib)
  if after.runs ~= before.runs or sanitized(node) then return end
  w:ok(after.mib < before.mib + 24, "memory is flat")
end

--- One random deed; nodes that are down or frozen come back. The first node, the supervisor's, is only frozen shortly.
local function deed(w, nodes, seconds)
  local node = nodes[math.random(2, #nodes)]
  local what = math.random(8)
  if node.frozen then
    node:thaw()
    return "thaw " .. node.name
  elseif node.exit then
    node:start(false)
    return "start " .. node.name
  elseif what <= 2 then
    node:kill()
    return "kill " .. node.name
  elseif what <= 4 then
    node:freeze()
    return "freeze " .. node.name
  elseif what <= 6 then
    return cut_some(w, nodes)
  end
  return crash_some(w, seconds)
end

local function run(w, seconds, seed)
  seconds, seed = tonumber(seconds) or SECONDS, tonumber(seed) or os.time()
  w:log("%d s, seed %d", seconds, seed)
  local nodes = { w:cluster({ "a", "b", "c", "d" }, { proxied = true, host_options = { "--log-level", "info" } }) }
  for i, node in ipairs(nodes) do
    node.config.seeds = {}
    for j, other in ipairs(nodes) do
      if i ~= j then table.insert(node.config.seeds, other.id) end
    end
  end
  start(nodes[1])
  w:settled(wanted())
  local before = figures(nodes[1])
  math.randomseed(seed)
  local deadline, deeds = dozor.now() + seconds * 1000, {}
  while dozor.now() < deadline do
    deeds[#deeds + 1] = deed(w, nodes, seconds)
    local pause = math.random(20, 900)
    w:holds(pause, function() return true end)
  end
  for _, node in ipairs(nodes) do
    if node.frozen then node:thaw() end
    if node.exit then node:start(false) end
  end
  for i, node in ipairs(nodes) do proxy.set(w, node, nodes[i % #nodes + 1], "open") end
  for _, node in ipairs(nodes) do node:joined() end
  w:log("%d deeds: %s", #deeds, table.concat(deeds, ", "))
  w:meshed(nodes, 90000)
  w:settled(wanted(), 60000)
  w:holds(500, function() return #w:live() == 50 end, "fifty live")
  local stats = nodes[1]:run("return dozor.supervisor.stats(S.sup)")
  w:log("restarts %d, by node failure %d", stats.total_restarts, stats.node_failure_restarts)
  nodes[1]:run("dozor.supervisor.stop(S.sup)")
  w:equal(w:live(), {}, "live after stop")
  memory_is_flat(w, nodes[1], before)
end

--- Every node owns a named tree with children on all; any node is hurt. A node that starts again starts its tree again.
local TREE = [[
  local name, spec = ...
  dozor.spawn(function()
    while true do
      local ok, err = pcall(dozor.supervisor.start, spec)
      if ok or dozor.supervisor.is_running(name) then return end
      dozor.sleep(50)
    end
  end) ]]

local function own_tree(w, node)
  local spec = specs.tree(8, { name = node.name, restart_intensity = { max_restarts = 100000, within_ms = 60000 } })
  for i, child in ipairs(spec.children) do child.args = { node.name .. i } end
  node:run(TREE, node.name, spec)
end

local function hurt_any(w, nodes)
  local node = nodes[math.random(#nodes)]
  local alive = #w:running()
  if node.frozen then
    node:thaw()
    return "thaw " .. node.name
  elseif node.exit then
    node:start()
    own_tree(w, node)
    return "start " .. node.name
  elseif alive <= 1 then
    return crash_some(w)
  elseif math.random(2) == 1 then
    node:kill()
    return "kill " .. node.name
  end
  node:freeze()
  return "freeze " .. node.name
end

local function everybody_owns(w, seconds, seed)
  seconds, seed = tonumber(seconds) or SECONDS, tonumber(seed) or os.time()
  w:log("%d s, seed %d", seconds, seed)
  local nodes = { w:cluster { "a", "b", "c", "d" } }
  local labels = {}
  for i, node in ipairs(nodes) do
    node.config.seeds = {}
    for j, other in ipairs(nodes) do
      if i ~= j then table.insert(node.config.seeds, other.id) end
    end
    own_tree(w, node)
    for k = 1, 8 do labels[#labels + 1] = node.name .. k end
  end
  w:settled(labels)
  math.randomseed(seed)
  local deadline, deeds = dozor.now() + seconds * 1000, {}
  while dozor.now() < deadline do
    deeds[#deeds + 1] = hurt_any(w, nodes)
    w:holds(math.random(20, 900), function() return true end)
  end
  w:log("%d deeds: %s", #deeds, table.concat(deeds, ", "))
  for _, node in ipairs(nodes) do
    if node.frozen then node:thaw() end
    if node.exit then
      node:start()
      own_tree(w, node)
    end
  end
  w:meshed(nodes, 90000)
  w:settled(labels, 60000)
  w:holds(500, function() return #w:live() == #labels end, "all live once")
  for _, node in ipairs(nodes) do node:run("dozor.supervisor.stop(...)", node.name) end
  w:equal(w:live(), {}, "live after stop")
end

--- Links between single pairs break and heal, by closed connections and by silence; every node owns a tree.
local function broken_links(w, seconds, seed)
  seconds, seed = tonumber(seconds) or SECONDS, tonumber(seed) or os.time()
  w:log("%d s, seed %d", seconds, seed)
  local nodes = { w:cluster({ "a", "b", "c" }, { proxied = true }) }
  local labels, deeds = {}, {}
  for _, node in ipairs(nodes) do
    own_tree(w, node)
    for k = 1, 8 do labels[#labels + 1] = node.name .. k end
  end
  w:settled(labels)
  math.randomseed(seed)
  local deadline = dozor.now() + seconds * 1000
  local policies = { "cut", "hole", "open", "open" }
  while dozor.now() < deadline do
    local i = math.random(3)
    local one, other, policy = nodes[i], nodes[i % 3 + 1], policies[math.random(4)]
    proxy.set(w, one, other, policy)
    deeds[#deeds + 1] = ("%s%s %s"):format(one.name, other.name, policy)
    w:holds(math.random(20, 900), function() return true end)
  end
  for i = 1, 3 do proxy.set(w, nodes[i], nodes[i % 3 + 1], "open") end
  w:log("%d deeds: %s", #deeds, table.concat(deeds, ", "))
  w:meshed(nodes, 90000)
  w:settled(labels, 60000)
  w:holds(500, function() return #w:live() == #labels end, "all live once")
  for _, node in ipairs(nodes) do node:run("dozor.supervisor.stop(...)", node.name) end
  w:equal(w:live(), {}, "live after stop")
end

return {
  { name = "chaos over four nodes and fifty children", fn = run, limit_ms = 3600000 },
  { name = "chaos where every node owns a tree", fn = everybody_owns, limit_ms = 3600000 },
  { name = "chaos of broken links", fn = broken_links, limit_ms = 3600000 },
}
