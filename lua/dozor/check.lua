--- check.lua - arguments of the Lua side of the API: what is wrong is raised as the core raises it, at the
--- caller's line.

local core = require "dozor.core"

local M = {}

local function shown(value)
  local kind = type(value)
  if kind == "string" and #value <= 64 then return ('"%s"'):format(value) end
  if kind == "number" or kind == "boolean" then return tostring(value) end
  if kind == "nil" then return "no value" end
  return "a " .. kind
end

--- Raises `bad_argument`.
---@param argument string its name, as the documentation has it
---@param expected string what would be right
---@param got any
function M.fail(argument, expected, got)
  local text = shown(got)
  error(core.make_error("bad_argument", ("%s must be %s, got %s"):format(argument, expected, text), {
    argument = argument,
    expected = expected,
    got = text,
  }), 0)
end

---@param argument string
---@param value any
function M.func(argument, value)
  if type(value) ~= "function" then M.fail(argument, "a function", value) end
end

---@param argument string
---@param value any
function M.text(argument, value)
  if type(value) ~= "string" or value == "" then M.fail(argument, "a string that is not empty", value) end
end

---@param argument string
---@param value any
function M.time(argument, value)
  if value ~= "infinity" and not (type(value) == "number" and value >= 0) then
    M.fail(argument, "milliseconds (a number >= 0) or \"infinity\"", value)
  end
end

--- How many single-letter changes lie between two words (Levenshtein), for "did you mean".
local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local corner = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(row[j] + 1, row[j - 1] + 1, corner + cost)
      corner, row[j] = row[j], best
    end
  end
  return row[#b]
end

--- The word of the list that is most like this one, and how many letters lie between them.
---@param word string
---@param known string[]
---@return string nearest, integer distance
function M.nearest(word, known)
  local best, least = nil, math.huge
  for _, name in ipairs(known) do
    local d = distance(word, name)
    if d < least then best, least = name, d end
  end
  return best, least
end

--- An options table: nil stands for an empty one; unknown keys raise `bad_argument` naming the nearest known
--- one.
---@param argument string
---@param value any
---@param known string[]
---@return table
function M.options(argument, value, known)
  if value == nil then return {} end
  if type(value) ~= "table" then M.fail(argument, "a table", value) end
  for key in pairs(value) do
    local found = false
    for _, name in ipairs(known) do
      if name == key then found = true end
    end
    if not found then
      local near = M.nearest(tostring(key), known)
      error(core.make_error("bad_argument",
        ("%s: unknown key '%s'; did you mean '%s'?"):format(argument, tostring(key), near),
        { argument = argument, expected = near, got = tostring(key) }), 0)
    end
  end
  return value
end

return M
