--- spec.lua - supervisor specs on their way to the core: behaviour tables become values that can be sent.

local core = require "dozor.core"
local registry = require "dozor.registry"

local M = {}

local pairs, type = pairs, type

--- The name under which every worker and node finds the behaviour, when the table is a module's; else a
--- reference to the table.
local function behavior_value(table_)
  return registry.name_of(table_) or core.behavior_reference(table_)
end

--- One child's spec, ready to be sent. What is wrong with it, the core says.
---@param child any
---@return any
function M.prepare_child(child)
  if type(child) ~= "table" then return child end
  local behavior, inner = child.behavior, child.supervisor
  if type(behavior) ~= "table" and type(inner) ~= "table" then return child end
  local copy = {}
  for key, value in pairs(child) do copy[key] = value end
  if type(behavior) == "table" then copy.behavior = behavior_value(behavior) end
  if type(inner) == "table" then copy.supervisor = M.prepare(inner) end
  return copy
end

--- The same for a whole spec.
---@param spec table
---@return table
function M.prepare(spec)
  local copy = {}
  for key, value in pairs(spec) do copy[key] = value end
  if type(copy.children) == "table" then
    local children = {}
    for i, child in pairs(copy.children) do children[i] = M.prepare_child(child) end
    copy.children = children
  end
  if copy.child_template ~= nil then copy.child_template = M.prepare_child(copy.child_template) end
  return copy
end

return M
