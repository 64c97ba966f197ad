--- worker.lua - counts the work it is given: the smallest behaviour that is worth supervising.
---
---     cast "work"     one more piece of work is done
---     call "status"   -> how many were done since this process started
---
--- The count is the process's own: a worker that is restarted, here or on another node, begins at 0 again.

local M = { version = 1 }

function M.init()
  return { processed = 0 }
end

function M.handle_call(msg, state)
  if msg == "status" then return state.processed end
end

function M.handle_cast(msg, state)
  if msg == "work" then state.processed = state.processed + 1 end
end

return M
