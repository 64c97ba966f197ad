--- counter.lua - a number that many processes share.
---
--- Args: init(start = 0)
---
---     call "get"                     -> the value
---     call { op = "add", by = n }    -> the value after adding n (default 1)
---     call { op = "set", to = n }    -> the value before
---     cast "increment", "decrement", { op = "add", by = n }, { op = "set", to = n }
---
--- Calls are answered in the order they come, so the values that `add` returns are all different: it hands
--- out numbers.

local M = { version = 1 }

local function apply(msg, state)
  if msg == "increment" then msg = { op = "add", by = 1 } end
  if msg == "decrement" then msg = { op = "add", by = -1 } end
  if type(msg) ~= "table" then return false end
  if msg.op == "add" then
    state.value = state.value + (msg.by or 1)
  elseif msg.op == "set" then
    state.value = assert(tonumber(msg.to), "set needs a number `to`")
  else
    return false
  end
  return true
end

function M.init(start)
  return { value = start or 0 }
end

function M.handle_call(msg, state)
  if msg == "get" then return state.value end
  local before = state.value
  if not apply(msg, state) then return end
  return msg.op == "set" and before or state.value
end

function M.handle_cast(msg, state)
  apply(msg, state)
end

return M
