--- errors.lua - how error tables read: the metatable of every error dozor raises.

local meta = debug.getregistry()["dozor.error"]

local M = {}

--- What a reason or a cause says, and what was behind that: a child's supervisor names its own child's failure.
local function reason_text(reason)
  if type(reason) ~= "table" then return tostring(reason) end
  local text = tostring(reason.message or reason.code or "a table")
  return reason.cause == nil and text or ("%s: %s"):format(text, reason_text(reason.cause))
end

local function dest_text(dest)
  if type(dest) ~= "table" then return tostring(dest) end
  return ("%s on %s"):format(tostring(dest.name), tostring(dest.node))
end

--- One line for people: where, code, message, and the cause or the reason of the process that failed.
---@param err dozor.Error
---@return string
function M.text(err)
  local parts = {}
  if err.where then parts[#parts + 1] = err.where end
  parts[#parts + 1] = tostring(err.code)
  if err.message ~= nil then parts[#parts + 1] = tostring(err.message) end
  local dest = err.dest ~= nil and dest_text(err.dest)
  if dest and not tostring(err.message):find(dest, 1, true) then
    parts[#parts] = ("%s (asked: %s)"):format(parts[#parts], dest)
  end
  if err.reason ~= nil and (err.code == "call_failed" or err.code == "init_failed") then
    local reason = reason_text(err.reason)
    if not tostring(err.message):find(reason, 1, true) then parts[#parts + 1] = reason end
  end
  if err.cause ~= nil then parts[#parts + 1] = reason_text(err.cause) end
  return table.concat(parts, ": ")
end

meta.__tostring = M.text
meta.__concat = function(a, b) return tostring(a) .. tostring(b) end
meta.__name = "dozor.error"

return M
