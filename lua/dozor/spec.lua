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

local MAX_LEVELS = 64

local function too_deep()
  error(core.make_error("invalid_spec", ("supervisor: more than %d supervisors inside each other"):format(MAX_LEVELS),
    { field = "supervisor" }), 0)
end

--- One child's spec, ready to be sent. What is wrong with it, the core says.
---@param child any
---@param level? integer how many supervisors it is inside of
---@return any
function M.prepare_child(child, level)
  if type(child) ~= "table" then return child end
  local behavior, inner = child.behavior, child.supervisor
  if type(behavior) ~= "table" and type(inner) ~= "table" then return child end
  local copy = {}
  for key, value in pairs(child) do copy[key] = value end
  if type(behavior) == "table" then copy.behavior = behavior_value(behavior) end
  if type(inner) == "table" then copy.supervisor = M.prepare(inner, level) end
  return copy
end

--- The same for a whole spec.
---@param spec table
---@param level? integer
---@return table
function M.prepare(spec, level)
  level = (level or 0) + 1
  if level > MAX_LEVELS then too_deep() end
  local copy = {}
  for key, value in pairs(spec) do copy[key] = value end
  if type(copy.children) == "table" then
    local children = {}
    for i, child in pairs(copy.children) do children[i] = M.prepare_child(child, level) end
    copy.children = children
  end
  if copy.child_template ~= nil then copy.child_template = M.prepare_child(copy.child_template, level) end
  return copy
end

return M
