--- One bank: an account, a teller who sends money to the other banks, and what must be true of all of them together.

local dozor = require "dozor"
local kind = ...

local BEGINS_WITH = 1000

--- Supervised here, so that the money does not move when another node is lost.
dozor.supervisor.start {
  node_selector = "local",
  children = {
    { id = "account", behavior = "account", name = "account", args = { BEGINS_WITH } },
    { id = "teller", behavior = "teller", name = "teller", args = { kind } },
  },
}

local function total()
  local sum, banks = 0, 0
  for _, node in ipairs(dozor.cluster.nodes()) do
    sum = sum + dozor.call({ name = "account", node = node.id }, "balance")
    sum = sum + dozor.call({ name = "teller", node = node.id }, "on_its_way")
    banks = banks + 1
  end
  return sum, banks
end

--- Asked when all has healed and no teller sends any more.
dozor.sim.check("no money is made and none is lost", function()
  local sum, banks = total()
  return sum == banks * BEGINS_WITH, ("%d in %d banks"):format(sum, banks)
end)
