--- web_stack.lua - the layers of a web application, each on those before it (rest_for_one): the cache's crash restarts
--- cache, session and API; the database keeps its connections. The session's crash leaves the cache warm.
--- Run: dozor run examples/strategies/web_stack.lua

local dozor = require "dozor"

local function layer(name, below)
  return {
    init = function()
      if below then dozor.call(below, "ping") end
      print(("[%s] Started%s"):format(name, below and " on " .. below or ""))
      return { requests = 0 }
    end,
    handle_call = function(msg, state)
      if msg == "ping" then return true end
      state.requests = state.requests + 1
      if below then return name .. " -> " .. dozor.call(below, msg) end
      return ("%s (request #%d)"):format(name, state.requests)
    end,
    handle_cast = function(msg)
      if msg == "crash" then error(name .. " crashed") end
    end,
    terminate = function(reason)
      print(("[%s] Stopped%s"):format(name, type(reason) == "table" and ": " .. reason.code or ""))
    end,
  }
end

local function child(id, below)
  return { id = id, behavior = layer(id, below), name = id }
end

local sup = dozor.supervisor.start {
  strategy = "rest_for_one",
  children = {
    child("database"),
    child("cache", "database"),
    child("session", "cache"),
    child("api", "session"),
  },
}

local main = dozor.self()
dozor.on_event(function(event)
  if event.child_id == "api" then dozor.send(main, event) end
end, { types = { "child_restarted" } })

--- Crashes a layer; the API is the last one to start again.
local function crash(name)
  print(("\n%s crashes"):format(name))
  dozor.cast(name, "crash")
  dozor.receive(5000)
end

print("GET /: " .. dozor.call("api", "GET /"))
crash("cache")
print("GET /: " .. dozor.call("api", "GET /"))
crash("api")
print("GET /: " .. dozor.call("api", "GET /"))

print("")
for _, record in ipairs(dozor.supervisor.children(sup)) do
  print(("%s: %d restarts"):format(record.id, record.restart_count))
end
print("")
dozor.supervisor.stop(sup)
