--- crash_restart.lua - a behaviour, its supervisor, a crash and the restart. Run: dozor run
--- examples/crash_restart.lua

local dozor = require "dozor"
local main = dozor.self()

local counter = {
  init = function() return 0 end,
  handle_call = function(_, count) return count end,
  handle_cast = function(msg, count) return count + msg.by end, -- a message without `by` is a crash
}

dozor.on_event(function(event) dozor.send(main, event) end, { types = { "child_restarted" } })

local sup = dozor.supervisor.start { children = { { id = "counter", behavior = counter, name = "counter" } } }

dozor.cast("counter", { by = 2 })
print("before the crash: " .. dozor.call("counter", "get"))

dozor.cast("counter", "nonsense")
local event = dozor.receive(5000)
print(("%s: %s, attempt %d"):format(event.type, event.child_id, event.attempt))
print("after the restart: " .. dozor.call("counter", "get"))

dozor.supervisor.stop(sup)
