--- auto_shutdown.lua - supervisors that end with their work: `any_significant` when the first significant child ends,
--- `all_significant` when the last one does. A significant child is temporary unless its spec says otherwise.
--- Run: dozor run examples/auto_shutdown.lua

local dozor = require "dozor"

local function part(name)
  return {
    init = function()
      print(("[%s] Started"):format(name))
      return {}
    end,
    handle_cast = function(msg)
      if msg == "crash" then error(name .. " crashed") end
      if msg == "done" then dozor.exit("normal") end
    end,
    terminate = function(reason)
      print(("[%s] Stopped: %s"):format(name, type(reason) == "table" and reason.code or reason))
    end,
  }
end

local function child(id, significant)
  return { id = id, behavior = part(id), name = id, significant = significant }
end

--- Waits for the supervisor's end and prints why.
local function await_end(sup, name)
  local ref = dozor.monitor(sup)
  local down = dozor.receive(5000, function(msg) return msg.ref == ref end)
  print(("%s has ended: %s"):format(name, down.reason))
end

print("any_significant")
local any = dozor.supervisor.start {
  auto_shutdown = "any_significant",
  children = { child("critical", true), child("helper") },
}
dozor.cast("critical", "crash")
await_end(any, "any_significant")

print("\nall_significant")
local all = dozor.supervisor.start {
  auto_shutdown = "all_significant",
  children = { child("worker-1", true), child("worker-2", true), child("logger") },
}
dozor.cast("worker-1", "done")
while dozor.whereis("worker-1") do dozor.sleep(1) end
print("worker-1 is done, the supervisor runs: " .. tostring(dozor.supervisor.is_running(all)))
dozor.cast("worker-2", "crash")
await_end(all, "all_significant")
