--- halt_order.lua - at shutdown a supervisor that a start function made is stopped by its parent, in its turn.

local dozor = require "dozor"

local function part(id)
  return {
    init = function()
      print("+" .. id)
      return {}
    end,
    terminate = function(reason) print(("-%s %s"):format(id, reason)) end,
  }
end

dozor.supervisor.start {
  children = {
    { id = "first", behavior = part("first") },
    { id = "inner", start = function()
      return dozor.supervisor.start { children = { { id = "a", behavior = part("a") }, { id = "b", behavior = part("b") } } }
    end },
    { id = "last", behavior = part("last") },
  },
}
dozor.supervisor.start { children = { { id = "second", behavior = part("second") } } }
dozor.shutdown(0)
