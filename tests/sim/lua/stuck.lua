--- A check whose function does not return.

local dozor = require "dozor"

dozor.sim.check("what never answers", function() dozor.sleep("infinity") end)
