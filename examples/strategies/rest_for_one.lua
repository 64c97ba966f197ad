--- rest_for_one.lua - a pipeline Fetcher -> Transformer -> Loader, where each stage depends on those before
--- it: when the Transformer crashes it is started again together with the Loader, and the Fetcher goes on.
--- Run: dozor run examples/strategies/rest_for_one.lua         (with the crash: ... rest_for_one.lua crash)

local dozor = require "dozor"

local function stage(name, work)
  return {
    init = function()
      print(("[%s] Started"):format(name))
      return { count = 0 }
    end,
    handle_call = function(msg, state)
      state.count = state.count + 1
      return work(msg, state.count)
    end,
    handle_cast = function(msg)
      if msg == "crash" then error("bad data") end
    end,
    terminate = function() print(("[%s] Stopped"):format(name)) end,
  }
end

local fetcher = stage("Fetcher", function(_, count)
  print(("[Fetcher] Fetching data (request #%d)"):format(count))
  return "raw_data_" .. count
end)

local transformer = stage("Transformer", function(msg)
  print("[Transformer] Transforming: " .. msg.data)
  return "transformed_" .. msg.data
end)

local loader = stage("Loader", function(msg)
  print("[Loader] Loading: " .. msg.data)
  return true
end)

local sup = dozor.supervisor.start {
  strategy = "rest_for_one",
  children = {
    { id = "fetcher", behavior = fetcher, name = "fetcher" },
    { id = "transformer", behavior = transformer, name = "transformer" },
    { id = "loader", behavior = loader, name = "loader" },
  },
}

local function run_pipeline()
  local raw = dozor.call("fetcher", { type = "fetch" })
  local transformed = dozor.call("transformer", { type = "transform", data = raw })
  dozor.call("loader", { type = "load", data = transformed })
end

run_pipeline()

if ... == "crash" then
  print("\nThe Transformer crashes")
  local main = dozor.self()
  dozor.on_event(function(event)
    if event.child_id == "loader" then dozor.send(main, event) end
  end, { types = { "child_restarted" } })
  dozor.cast("transformer", "crash")
  dozor.receive(5000)
  run_pipeline()
end

print("\nPipeline finished")

dozor.supervisor.stop(sup)
