--- cache_cluster.lua - a primary cache and two replicas that must hold the same (one_for_all): a replica that crashes
--- takes all three down, in reverse order, and all start again in order, so that none of them serves what the others
--- no longer know.
--- Run: dozor run examples/strategies/cache_cluster.lua

local dozor = require "dozor"

local REPLICAS = { "cache-replica-1", "cache-replica-2" }

local primary = {
  init = function()
    print("[cache-primary] Started, empty")
    return { items = {} }
  end,
  handle_call = function(msg, state)
    if msg.type == "put" then
      state.items[msg.key] = msg.value
      for _, replica in ipairs(REPLICAS) do dozor.call(replica, msg) end
      return true
    end
    if msg.type == "all" then return state.items end
  end,
  terminate = function() print("[cache-primary] Stopped") end,
}

local function replica(id)
  return {
    init = function()
      print(("[%s] Started as a copy of the primary"):format(id))
      return { items = dozor.call("cache-primary", { type = "all" }) }
    end,
    handle_call = function(msg, state)
      if msg.type == "put" then
        state.items[msg.key] = msg.value
        return true
      end
      if msg.type == "get" then return state.items[msg.key] end
    end,
    handle_cast = function(msg)
      if msg == "crash" then error("out of sync") end
    end,
    terminate = function(reason)
      print(("[%s] Stopped%s"):format(id, type(reason) == "table" and ": " .. reason.code or ""))
    end,
  }
end

local sup = dozor.supervisor.start {
  strategy = "one_for_all",
  children = {
    { id = "cache-primary", behavior = primary, name = "cache-primary" },
    { id = "cache-replica-1", behavior = replica("cache-replica-1"), name = "cache-replica-1" },
    { id = "cache-replica-2", behavior = replica("cache-replica-2"), name = "cache-replica-2" },
  },
}

local function read_all(key)
  local values = {}
  for i, name in ipairs(REPLICAS) do values[i] = tostring(dozor.call(name, { type = "get", key = key })) end
  print(("The replicas have %s = %s"):format(key, table.concat(values, ", ")))
end

dozor.call("cache-primary", { type = "put", key = "user:1", value = "Anna" })
read_all("user:1")

print("\ncache-replica-1 crashes")
local main = dozor.self()
dozor.on_event(function(event)
  if event.child_id == "cache-replica-2" then dozor.send(main, event) end
end, { types = { "child_restarted" } })
dozor.cast("cache-replica-1", "crash")
dozor.receive(5000)
read_all("user:1")

print("")
dozor.supervisor.stop(sup)
