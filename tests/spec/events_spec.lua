local dozor = require "dozor"
local supervisor = dozor.supervisor

local function types_of(events)
  local list = {}
  for i, event in ipairs(events) do list[i] = event.type end
  return list
end

describe("on_event", function()
  it("sees the whole life of a supervisor, in order, as plain data", function()
    local events, unsubscribe = collect_events()
    local sup = supervisor.start { name = "spec_events", children = { { id = "a", behavior = probe() }, { id = "b", behavior = probe() } } }
    local pid = supervisor.child(sup, "a").pid
    dozor.cast(pid, { "crash", "a bug" })
    wait_until(function() return #events() == 4 end)
    supervisor.stop(sup)
    wait_until(function() return #events() == 7 end)
    local list = events()
    local seen = {}
    for i, event in ipairs(list) do
      truthy(event.timestamp > 1e12)
      truthy(i == 1 or event.seq > list[i - 1].seq)
      dozor.json.encode(event)
      seen[i] = event.type .. ":" .. (event.child_id or event.ref.id)
    end
    equal(seen, {
      "child_started:a", "child_started:b", "supervisor_started:spec_events", "child_restarted:a",
      "child_stopped:b", "child_stopped:a", "supervisor_stopped:spec_events",
    })
    equal({ list[1].supervisor_id, list[1].node_id, list[1].pid }, { "spec_events", dozor.node(), pid })
    equal(list[4].attempt, 1)
    contains(list[4].reason, "a bug")
    equal(list[6].reason, "shutdown")
    equal(list[7].reason, "normal")
    equal(list[7].ref.node_id, dozor.node())
    unsubscribe()
  end)

  it("is active when it returns", function()
    for _ = 1, 10 do
      local events, unsubscribe = collect_events { "supervisor_started" }
      local sup = supervisor.start { children = {} }
      wait_until(function() return #events() == 1 end)
      unsubscribe()
      supervisor.stop(sup)
    end
  end)

  it("filters by type", function()
    local events, unsubscribe = collect_events { "supervisor_stopped" }
    supervisor.stop(supervisor.start { children = { { id = "a", behavior = "worker" } } })
    wait_until(function() return #events() == 1 end)
    equal(types_of(events()), { "supervisor_stopped" })
    unsubscribe()
  end)

  it("unsubscribe ends it, also twice", function()
    local events, unsubscribe = collect_events()
    unsubscribe()
    unsubscribe()
    supervisor.stop(supervisor.start { children = {} })
    dozor.sleep(10)
    equal(events(), {})
  end)

  it("a handler that raises is unsubscribed and harms nobody", function()
    local calls = 0
    dozor.on_event(function()
      calls = calls + 1
      error("bad handler")
    end)
    local events, unsubscribe = collect_events { "supervisor_stopped" }
    supervisor.stop(supervisor.start { children = {} })
    wait_until(function() return #events() == 1 end)
    equal(calls, 1)
    unsubscribe()
  end)

  it("a handler may wait and call", function()
    local answer
    dozor.on_event(function(event)
      dozor.sleep(1)
      answer = supervisor.is_running(event.ref.id)
    end, { types = { "supervisor_started" } })
    local sup = supervisor.start { name = "spec_wait", children = {} }
    wait_until(function() return answer == true end)
    supervisor.stop(sup)
  end)

  it("a subscription ends with its process", function()
    local seen, me = 0, dozor.self()
    local pid = dozor.spawn(function()
      dozor.on_event(function() seen = seen + 1 end)
      dozor.send(me, "ready")
      dozor.receive("infinity")
    end)
    expect_message()
    dozor.stop(pid)
    dozor.sleep(5)
    supervisor.stop(supervisor.start { children = {} })
    dozor.sleep(5)
    equal(seen, 0)
  end)

  it("the end of a child without restart is one child_stopped", function()
    local events, unsubscribe = collect_events { "child_stopped" }
    local sup = supervisor.start { children = { { id = "t", behavior = probe(), restart = "temporary" } } }
    dozor.cast(supervisor.child(sup, "t").pid, { "exit", { code = "mine" } })
    wait_until(function() return #events() == 1 end)
    equal(events()[1].reason, "mine")
    supervisor.stop(sup)
    dozor.sleep(5)
    equal(#events(), 1)
    unsubscribe()
  end)

  it("restart_child is a child_restarted, terminate_child a child_stopped", function()
    local events, unsubscribe = collect_events { "child_restarted", "child_stopped" }
    local sup = supervisor.start { children = { { id = "a", behavior = "worker" } } }
    supervisor.restart_child(sup, "a")
    supervisor.terminate_child(sup, "a")
    wait_until(function() return #events() == 2 end)
    equal(types_of(events()), { "child_restarted", "child_stopped" })
    supervisor.stop(sup)
    unsubscribe()
  end)

  it("refuses what is no handler and unknown options", function()
    raises("bad_argument", dozor.on_event, "fn")
    contains(raises("bad_argument", dozor.on_event, print, { type = { "x" } }).message, "types")
  end)
end)
