--- Sends a little money to another bank now and then, and tries until that has answered. A careful teller gives every transfer
--- an id. A careless one does not, and there is the mistake: an answer that is late is not an answer that there was none, and
--- the second try is put a second time.

local dozor = require "dozor"

local M = {}

local function send_later()
  dozor.send_after(20 + math.random(200), dozor.self(), "send")
end

function M.init(kind)
  send_later()
  return { careful = kind == "careful", sent = 0 }
end

function M.handle_call(msg, state)
  if msg == "on_its_way" then return state.transfer and state.transfer.put or 0, state end
end

--- Under the simulator tellers go home when the storm is over; without one there is no phase.
local function is_open()
  return (dozor.sim.phase() or "storm") == "storm"
end

local function begin(state)
  local nodes = dozor.cluster.nodes()
  if #nodes < 2 or not is_open() then return end
  local amount = math.random(10)
  if not dozor.call("account", { take = amount }) then return end
  state.sent = state.sent + 1
  state.to = { name = "account", node = nodes[math.random(2, #nodes)].id }
  state.transfer = { put = amount, id = state.careful and dozor.node() .. "/" .. state.sent or nil }
end

function M.handle_info(_, state)
  if not state.transfer then begin(state) end
  if state.transfer and pcall(dozor.call, state.to, state.transfer, 300) then state.transfer = nil end
  send_later()
  return state
end

return M
