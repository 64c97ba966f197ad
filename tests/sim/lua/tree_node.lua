--- One node of tree.lua: disturbs the children, and says what must be true.

local dozor = require "dozor"

local NAMES = { "tree_one", "tree_two", "tree_three", "tree_four" }

dozor.spawn(function()
  while true do
    dozor.sleep(200 + math.random(800))
    if dozor.sim.phase() == "storm" then
      local pid = dozor.global.whereis(NAMES[math.random(#NAMES)])
      if pid and math.random(4) == 1 then
        dozor.kill(pid)
      elseif pid then
        pcall(dozor.call, pid, "increment", 1000)
      end
    end
  end
end)

local function all_running(sup, where)
  for _, child in ipairs(dozor.supervisor.children(sup)) do
    if child.status ~= "running" then return false, where .. "/" .. child.id .. " is " .. child.status end
    if not dozor.alive(child.pid) then return false, where .. "/" .. child.id .. " does not live" end
    if child.id == "inner" then
      local ok, why = all_running(child.pid, "tree/inner")
      if not ok then return false, why end
    elseif dozor.global.whereis("tree_" .. child.id) ~= child.pid then
      return false, "the name tree_" .. child.id .. " is another's"
    end
  end
  return true
end

dozor.sim.check("every node sees all", function()
  return #dozor.cluster.nodes() == 3, #dozor.cluster.nodes() .. " nodes"
end)

dozor.sim.check("every child runs, under its name", function()
  local sup = dozor.global.whereis("tree")
  if not sup then return false, "the tree is gone" end
  return all_running(sup, "tree")
end)

--- Of each name there is one process, however many nodes are asked.
dozor.sim.check("every child runs once", function()
  local count = 0
  for _, pid in ipairs(dozor.processes()) do
    local info = dozor.info(pid)
    if info and info.behavior == "counter" then
      count = count + 1
      if dozor.global.whereis(info.global) ~= pid then return false, tostring(info.global) .. " has a second process" end
    end
  end
  return count <= #NAMES, count .. " counters"
end)
