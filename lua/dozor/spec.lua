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

-- ----------------------------------------------------------------------------------------------------------- cycles --

local walk

--- `seen` has the names on the way down (true) and those that are done (false).
local function visit(name, where, way, seen)
  local spec = type(name) == "string" and registry.known_spec(name)
  if not spec or seen[name] == false then return end
  if seen[name] then
    local first = 1
    while way[first] ~= name do first = first + 1 end
    local cycle = table.concat(way, " > ", first) .. " > " .. name
    error(core.make_error("invalid_spec", ("%s: these specs start each other without end: %s"):format(where.field, cycle),
      { field = where.field, child_id = where.child_id, cycle = cycle }), 0)
  end
  seen[name], way[#way + 1] = true, name
  walk(spec, "", where, way, seen)
  seen[name], way[#way] = false, nil
end

--- Can the child lead to another spec? Most cannot, and there may be very many of them.
local function leads_on(child)
  if type(child) ~= "table" then return false end
  return child.supervisor ~= nil or type(child.behavior) == "string" and registry.known_spec(child.behavior) ~= nil
end

--- A child's own field is told, not one of the specs behind it.
local function walk_child(child, field, where, way, seen)
  local function at(name)
    return where or { field = (field == "" and "" or field .. ".") .. name, child_id = child.id }
  end
  if type(child.supervisor) == "table" then walk(child.supervisor, field .. ".supervisor", where, way, seen) end
  visit(child.supervisor, at "supervisor", way, seen)
  visit(child.behavior, at "behavior", way, seen)
end

function walk(spec, field, where, way, seen)
  local prefix = field == "" and "" or field .. "."
  if type(spec.children) == "table" then
    for i, child in pairs(spec.children) do
      if leads_on(child) then
        walk_child(child, ("%schildren[%s]"):format(prefix, tostring(i)), where, way, seen)
      end
    end
  end
  if leads_on(spec.child_template) then
    walk_child(spec.child_template, prefix .. "child_template", where, way, seen)
  end
end

--- Raises invalid_spec for supervisor specs that name each other in a circle. Functions are not asked: they may end it; how deep
--- supervisors may be inside each other is limited for all.
local function check_cycles(spec, name)
  walk(spec, "", nil, { name }, name and { [name] = true } or {})
end

-- --------------------------------------------------------------------------------------------------------- on their way --

local function child_to_send(child, level)
  if type(child) ~= "table" then return child end
  local behavior, inner = child.behavior, child.supervisor
  if type(behavior) ~= "table" and type(inner) ~= "table" then return child end
  local copy = {}
  for key, value in pairs(child) do copy[key] = value end
  if type(behavior) == "table" then copy.behavior = behavior_value(behavior) end
  if type(inner) == "table" then copy.supervisor = M.prepare(inner, nil, level or 1) end
  return copy
end

--- One child's spec, ready to be sent. What is wrong with it, the core says.
---@param child any
---@return any
function M.prepare_child(child)
  local copy = child_to_send(child)
  if leads_on(child) then walk_child(child, "", nil, {}, {}) end
  return copy
end

--- The same for a whole spec.
---@param spec table
---@param name? string it is registered under
---@param level? integer how many supervisors it is inside of
---@return table
function M.prepare(spec, name, level)
  level = (level or 0) + 1
  if level > MAX_LEVELS then too_deep() end
  local copy = {}
  for key, value in pairs(spec) do copy[key] = value end
  if type(copy.children) == "table" then
    local children = {}
    for i, child in pairs(copy.children) do children[i] = child_to_send(child, level) end
    copy.children = children
  end
  if copy.child_template ~= nil then copy.child_template = child_to_send(copy.child_template, level) end
  if level == 1 then check_cycles(spec, name) end
  return copy
end

return M
