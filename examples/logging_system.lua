--- logging_system.lua - two kinds of dependence in one system, by a supervisor inside a supervisor:
---   LogWriter stands alone: its crash restarts only itself (one_for_one);
---   LogAggregator -> AlertManager: the aggregator's crash restarts both, the manager's only itself
--- (rest_for_one).
--- Run: dozor run examples/logging_system.lua

local dozor = require "dozor"

local function part(name, callbacks)
  local behavior = {
    init = function()
      print(("[%s] Started"):format(name))
      return callbacks.state()
    end,
    handle_call = callbacks.handle_call,
    handle_cast = function(msg, state)
      if msg == "crash" then error("crash of " .. name) end
      if callbacks.handle_cast then return callbacks.handle_cast(msg, state) end
    end,
    terminate = function() print(("[%s] Stopped"):format(name)) end,
  }
  return behavior
end

local log_writer = part("LogWriter", {
  state = function() return {} end,
  handle_call = function(msg)
    print("[LogWriter] Writing: " .. msg.msg)
    return true
  end,
})

local log_aggregator = part("LogAggregator", {
  state = function() return { buffer = {} } end,
  handle_call = function(msg, state)
    if msg.type == "get_stats" then return #state.buffer end
  end,
  handle_cast = function(msg, state)
    if msg.type == "log" then table.insert(state.buffer, msg.msg) end
  end,
})

local alert_manager = part("AlertManager", {
  state = function() return { alerts = 0 } end,
  handle_call = function(msg, state)
    if msg.type == "get_alert_count" then return state.alerts end
  end,
  handle_cast = function(msg, state)
    if msg.type == "check" then state.alerts = state.alerts + dozor.call("log-aggregator", { type = "get_stats" }) end
  end,
})

local sup = dozor.supervisor.start {
  strategy = "one_for_one",
  children = {
    { id = "log-writer", behavior = log_writer, name = "log-writer" },
    {
      id = "aggregation-subsystem",
      supervisor = {
        strategy = "rest_for_one",
        children = {
          { id = "log-aggregator", behavior = log_aggregator, name = "log-aggregator" },
          { id = "alert-manager", behavior = alert_manager, name = "alert-manager" },
        },
      },
    },
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

print("\nThe logging system is up")
dozor.call("log-writer", { type = "write", msg = "hello" })
dozor.cast("log-aggregator", { type = "log", msg = "hello" })
print("Aggregated: " .. dozor.call("log-aggregator", { type = "get_stats" }))

crash("log-writer", 1)
crash("log-aggregator", 2)
crash("alert-manager", 1)

print("")
dozor.supervisor.stop(sup)
