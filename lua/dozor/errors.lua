--- errors.lua - how error tables read: the metatable of every error dozor raises.

local meta = debug.getregistry()["dozor.error"]

local M = {}

local function reason_text(reason)
  if type(reason) == "table" then return tostring(reason.message or reason.code or "a table") end
  return tostring(reason)
end

--- One line for people: where (for misuse), code, message, and the reason of the process that failed.
---@param err dozor.Error
---@return string
function M.text(err)
  local parts = {}
  if err.where then parts[#parts + 1] = err.where end
  parts[#parts + 1] = tostring(err.code)
  if err.message ~= nil then parts[#parts + 1] = tostring(err.message) end
  if err.reason ~= nil and err.code == "call_failed" then parts[#parts + 1] = reason_text(err.reason) end
  return table.concat(parts, ": ")
end

meta.__tostring = M.text
meta.__concat = function(a, b) return tostring(a) .. tostring(b) end
meta.__name = "dozor.error"

return M
