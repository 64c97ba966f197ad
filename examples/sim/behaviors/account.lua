--- An account. Messages: "balance"; { take = n } answers whether there was enough; { put = n, id = ? } answers true. A transfer
--- with an id that was put already is not put again.

local M = {}

function M.init(balance)
  return { balance = balance, seen = {} }
end

function M.handle_call(msg, state)
  if msg == "balance" then return state.balance, state end
  if msg.take then
    if msg.take > state.balance then return false, state end
    state.balance = state.balance - msg.take
    return true, state
  end
  if msg.id == nil or not state.seen[msg.id] then
    state.balance = state.balance + msg.put
    if msg.id ~= nil then state.seen[msg.id] = true end
  end
  return true, state
end

return M
