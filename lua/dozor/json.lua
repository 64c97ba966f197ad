--- json.lua - lua-cjson, set up so that everything that can be a message can be shown.
--- NaN and infinities become null (JSON has neither), lists with holes become arrays with nulls while they
--- are not much longer than what they hold, numbers keep 14 digits (the most lua-cjson gives). 64-bit cdata
--- integers become text, as most readers of JSON would round them.

local cjson = require("cjson").new()

cjson.encode_invalid_numbers("null")
cjson.encode_sparse_array(true, 2, 16)
cjson.encode_number_precision(14)
cjson.encode_keep_buffer(false)

local M = {}

for name, value in pairs(cjson) do M[name] = value end

local function plain(value, depth)
  if type(value) == "cdata" then return (tostring(value):gsub("U?LL$", "")) end
  if type(value) ~= "table" or depth > 64 then return value end
  local copy = {}
  for key, item in pairs(value) do
    copy[type(key) == "boolean" and tostring(key) or key] = plain(item, depth + 1)
  end
  return copy
end

local encode = cjson.encode

--- lua-cjson writes every '/' as '\/': allowed, and needed by nobody; a pid is to read as it does elsewhere.
local function unescape(text)
  if not text:find("\\/", 1, true) then return text end
  return (text:gsub("\\/", "/"))
end

--- The value as JSON text. Raises for functions, userdata, coroutines, and tables nested too deeply.
---@param value any
---@return string
function M.encode(value)
  local ok, text = pcall(encode, value)
  return unescape(ok and text or encode(plain(value, 0)))
end

return M
