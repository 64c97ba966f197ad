--- log.lua - lines for the host's log, with named values behind the text. Lines below the host's level cost
--- next to nothing.

local core = require "dozor.core"
local check = require "dozor.check"
local json = require "dozor.json"

local M = {}

local write = core.log

--- A table is shown as JSON, where it can be.
local function shown(value)
  if type(value) == "table" and not getmetatable(value) then
    local ok, text = pcall(json.encode, value)
    if ok then return text end
  end
  return tostring(value)
end

local function write_line(level, text, fields)
  if fields ~= nil and type(fields) ~= "table" then check.fail("fields", "a table", fields) end
  if not write(level) then return end
  if fields == nil then
    write(level, tostring(text))
    return
  end
  local names, values = {}, {}
  for name in pairs(fields) do names[#names + 1] = tostring(name) end
  table.sort(names)
  local by_text = {}
  for name, value in pairs(fields) do by_text[tostring(name)] = value end
  for i, name in ipairs(names) do values[i] = shown(by_text[name]) end
  write(level, tostring(text), names, values)
end

---@param text string
---@param fields? table<string, any>
function M.debug(text, fields) write_line(0, text, fields) end

---@param text string
---@param fields? table<string, any>
function M.info(text, fields) write_line(1, text, fields) end

---@param text string
---@param fields? table<string, any>
function M.warn(text, fields) write_line(2, text, fields) end

---@param text string
---@param fields? table<string, any>
function M.error(text, fields) write_line(3, text, fields) end

return M
