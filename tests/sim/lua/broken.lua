--- On one node a check does not hold.

local dozor = require "dozor"

dozor.sim.check("what must be true", function()
  return dozor.node() ~= "n2@127.0.0.1:4002", "as was said"
end)
