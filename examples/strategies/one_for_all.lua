--- one_for_all.lua - a coordinator and two replicas that hold copies of what it knows: when one of the three
--- crashes, the others' state is worth nothing, so all are stopped in reverse order and started again in
--- order.
--- Run: dozor run examples/strategies/one_for_all.lua

local dozor = require "dozor"

local coordinator = {
  init = function()
    print("[Coordinator] Starting with count = 0")
    return { count = 0 }
  end,
  handle_call = function(msg, state)
    if msg.type == "set" then state.count = msg.value end
    return state.count
  end,
  handle_cast = function(msg)
    if msg == "crash" then error("the coordinator lost its disk") end
  end,
  terminate = function() print("[Coordinator] Stopped") end,
}

local function replica(name)
  return {
    init = function()
      print(("[%s] Starting, synchronising with the coordinator..."):format(name))
      return { cached = dozor.call("coordinator", { type = "get" }) }
    end,
    handle_call = function(msg, state)
      if msg.type == "read" then return state.cached end
    end,
    handle_cast = function(msg, state)
      if msg.type == "sync" then state.cached = dozor.call("coordinator", { type = "get" }) end
    end,
    terminate = function() print(("[%s] Stopped"):format(name)) end,
  }
end

local sup = dozor.supervisor.start {
  strategy = "one_for_all",
  children = {
    { id = "coordinator", behavior = coordinator, name = "coordinator" },
    { id = "replica-1", behavior = replica("Replica-1"), name = "replica-1" },
    { id = "replica-2", behavior = replica("Replica-2"), name = "replica-2" },
  },
}
print("\nAll parts are up and synchronised")

dozor.call("coordinator", { type = "set", value = 7 })
dozor.cast("replica-1", { type = "sync" })
print("Replica-1 reads " .. dozor.call("replica-1", { type = "read" }))

print("\nThe coordinator crashes")
local main = dozor.self()
dozor.on_event(function(event)
  if event.child_id == "replica-2" then dozor.send(main, event) end
end, { types = { "child_restarted" } })
dozor.cast("coordinator", "crash")
dozor.receive(5000)
print("Replica-1 reads " .. dozor.call("replica-1", { type = "read" }) .. ", as the coordinator does\n")

dozor.supervisor.stop(sup)
