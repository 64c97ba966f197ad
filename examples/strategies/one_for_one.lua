--- one_for_one.lua - independent request handlers: when one crashes, only that one is started again; the
--- others keep their counts.
--- Run: dozor run examples/strategies/one_for_one.lua

local dozor = require "dozor"

local function handler(name)
  return {
    init = function()
      print(("[%s] Started"):format(name))
      return { requests = 0 }
    end,
    handle_call = function(msg, state)
      state.requests = state.requests + 1
      print(("[%s] Handling %s (request #%d)"):format(name, msg.path, state.requests))
      return ("%s handled %s"):format(name, msg.path)
    end,
    handle_cast = function(msg)
      if msg == "crash" then error("bug in " .. name) end
    end,
    terminate = function(reason)
      print(("[%s] Stopped: %s"):format(name, type(reason) == "string" and reason or "error"))
    end,
  }
end

local function child(id, name)
  return { id = id, behavior = handler(name), name = id }
end

local sup = dozor.supervisor.start {
  strategy = "one_for_one",
  children = {
    child("users-handler", "Users"),
    child("orders-handler", "Orders"),
    child("payments-handler", "Payments"),
  },
}

for _, id in ipairs { "users-handler", "orders-handler", "payments-handler" } do
  dozor.call(id, { type = "handle", path = "/1" })
end

print("\nOrders crashes")
local main = dozor.self()
dozor.on_event(function(event) dozor.send(main, event) end, { types = { "child_restarted" } })
dozor.cast("orders-handler", "crash")
local event = dozor.receive(5000)
print(("%s was restarted (attempt %d)\n"):format(event.child_id, event.attempt))

for _, id in ipairs { "users-handler", "orders-handler", "payments-handler" } do
  dozor.call(id, { type = "handle", path = "/2" })
end

print("")
dozor.supervisor.stop(sup)
