--- greeter.lua - the Lua child of examples/embed: answers with the length of what it is told.

local M = {}

function M.init()
  return { greetings = 0 }
end

function M.handle_call(msg, state)
  state.greetings = state.greetings + 1
  return #msg, state
end

return M
