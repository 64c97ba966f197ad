--- logging_flat.lua - the logging system of logging_system.lua under a single supervisor (rest_for_one): simpler, but the
--- LogWriter's crash restarts everything behind it, too.
--- Run: dozor run examples/logging_flat.lua

local dozor = require "dozor"

local function part(name)
  return {
    init = function()
      print(("[%s] Started"):format(name))
      return {}
    end,
    handle_cast = function(msg)
      if msg == "crash" then error("crash of " .. name) end
    end,
    terminate = function(reason)
      print(("[%s] Stopped%s"):format(name, type(reason) == "table" and ": " .. reason.code or ""))
    end,
  }
end

local sup = dozor.supervisor.start {
  strategy = "rest_for_one",
  children = {
    { id = "log-writer", behavior = part("LogWriter"), name = "log-writer" },
    { id = "log-aggregator", behavior = part("LogAggregator"), name = "log-aggregator" },
    { id = "alert-manager", behavior = part("AlertManager"), name = "alert-manager" },
  },
}

local main = dozor.self()
dozor.on_event(function(event) dozor.send(main, event) end, { types = { "child_restarted" } })

--- Crashes a part and prints which parts were restarted because of it.
local function crash(name, restarts)
  print(("\n%s crashes"):format(name))
  dozor.cast(name, "crash")
  local ids = {}
  for i = 1, restarts do ids[i] = dozor.receive(5000).child_id end
  print("Restarted: " .. table.concat(ids, ", "))
end

crash("log-writer", 3)
crash("log-aggregator", 2)
crash("alert-manager", 1)

print("")
dozor.supervisor.stop(sup)
