local dozor = require "dozor"
local supervisor = dozor.supervisor

--- A behaviour that writes "start X" and "stop X" into `trace`.
local function traced(trace, name, extra)
  local behavior = probe {
    init = function() trace[#trace + 1] = "start " .. name end,
    terminate = function() trace[#trace + 1] = "stop " .. name end,
  }
  for key, value in pairs(extra or {}) do behavior[key] = value end
  return behavior
end

local function children_of(trace, names, common)
  local children = {}
  for i, name in ipairs(names) do
    children[i] = { id = name, behavior = traced(trace, name) }
    for key, value in pairs(common or {}) do children[i][key] = value end
  end
  return children
end

local function pids(sup)
  local by_id = {}
  for _, child in ipairs(supervisor.children(sup)) do by_id[child.id] = child.pid end
  return by_id
end

local function crash(pid)
  local ref = dozor.monitor(pid)
  dozor.cast(pid, { "crash", "on purpose" })
  expect_message(function(m) return type(m) == "table" and m.ref == ref end)
end

--- Waits until all children run and `id` has another pid than `old`.
local function restarted(sup, id, old)
  return wait_until(function()
    for _, child in ipairs(supervisor.children(sup)) do
      if child.status ~= "running" then return false end
    end
    local child = supervisor.child(sup, id)
    return child and child.status == "running" and child.pid ~= old and child
  end)
end

local function clear(trace)
  for i = #trace, 1, -1 do trace[i] = nil end
end

local function ended(sup)
  local ref = dozor.monitor(sup)
  return expect_message(function(m) return type(m) == "table" and m.ref == ref end).reason
end

describe("a supervisor", function()
  it("starts children in order and stops them in reverse", function()
    local trace = {}
    local sup = supervisor.start { children = children_of(trace, { "a", "b", "c" }) }
    equal(trace, { "start a", "start b", "start c" })
    clear(trace)
    supervisor.stop(sup)
    equal(trace, { "stop c", "stop b", "stop a" })
    equal(supervisor.is_running(sup), false)
    supervisor.stop(sup)
  end)

  it("may have no children at all", function()
    local sup = supervisor.start { children = {} }
    equal(supervisor.children(sup), {})
    equal(supervisor.count_children(sup), { specs = 0, active = 0, supervisors = 0, workers = 0 })
    supervisor.stop(sup)
  end)

  it("is linked to nobody: it outlives who started it", function()
    local me = dozor.self()
    dozor.spawn(function()
      dozor.send(me, supervisor.start { children = { { id = "w", behavior = "worker" } } })
      error("the starter dies")
    end)
    local sup = expect_message()
    equal(supervisor.is_running(sup), true)
    supervisor.stop(sup)
  end)

  it("tells about its children", function()
    local sup = supervisor.start { children = { { id = "w", behavior = "worker", args = { 1 }, name = "spec_w" } } }
    local child = supervisor.child(sup, "w")
    equal(child.id, "w")
    equal(child.pid, dozor.whereis("spec_w"))
    equal(child.node_id, dozor.node())
    equal(child.status, "running")
    equal(child.restart_count, 0)
    truthy(child.started_at > 1e12)
    equal(child.spec.behavior, "worker")
    equal(child.spec.args, { 1 })
    truthy(child.epoch ~= nil)
    equal(supervisor.child(sup, "nobody"), nil)
    equal(#supervisor.children(sup), 1)
    equal(supervisor.count_children(sup), { specs = 1, active = 1, supervisors = 0, workers = 1 })
    equal(dozor.info(child.pid).supervisor, sup)
    supervisor.stop(sup)
  end)

  it("tells its figures", function()
    local sup = supervisor.start { name = "spec_stats", children = { { id = "w", behavior = "worker" } } }
    local stats = supervisor.stats("spec_stats")
    equal(stats.id, "spec_stats")
    equal(stats.strategy, "one_for_one")
    equal(stats.child_count, 1)
    equal(stats.children_by_node, { [dozor.node()] = 1 })
    equal(stats.total_restarts, 0)
    equal(stats.node_failure_restarts, 0)
    truthy(stats.started_at > 1e12)
    truthy(stats.uptime_ms >= 0)
    dozor.json.encode(stats)
    supervisor.stop(sup)
  end)

  it("pages through its children", function()
    local trace = {}
    local sup = supervisor.start { children = children_of(trace, { "a", "b", "c", "d" }) }
    local page = supervisor.children(sup, { from = 2, limit = 2 })
    equal({ #page, page[1].id, page[2].id }, { 2, "b", "c" })
    raises("bad_argument", supervisor.children, sup, { form = 2 })
    supervisor.stop(sup)
  end)

  it("is in the list of this node's supervisors", function()
    local sup = supervisor.start { children = {} }
    equal(supervisor.list(), { sup })
    equal(supervisor.is_running(sup), true)
    supervisor.stop(sup)
    equal(supervisor.list(), {})
  end)

  it("that is gone is supervisor_not_found for every question", function()
    local sup = supervisor.start { children = {} }
    supervisor.stop(sup)
    for _, call in ipairs { "children", "count_children", "stats" } do
      raises("supervisor_not_found", supervisor[call], sup)
    end
    raises("supervisor_not_found", supervisor.child, sup, "x")
    raises("supervisor_not_found", supervisor.start_child, sup, { id = "x", behavior = "worker" })
    raises("supervisor_not_found", supervisor.terminate_child, "no_such_supervisor", "x")
  end)

  it("a process that is no supervisor is not taken for one", function()
    local pid = dozor.spawn("worker")
    equal(supervisor.is_running(pid), false)
    raises("supervisor_not_found", supervisor.stats, pid)
    dozor.stop(pid)
  end)

  it("dozor.stop on it is supervisor.stop", function()
    local trace = {}
    local sup = supervisor.start { children = children_of(trace, { "a" }) }
    dozor.stop(sup)
    equal(trace, { "start a", "stop a" })
  end)

  it("dozor.stop waits for it however long its children take", function()
    local slow = server { terminate = function() dozor.sleep(5200) end }
    local sup = supervisor.start { children = { { id = "a", behavior = slow, shutdown_timeout = "infinity" } } }
    local ref = dozor.monitor(sup)
    dozor.stop(sup)
    equal(expect_message(function(m) return m.ref == ref end).reason, "normal")
  end)

  it("is found by a table of name and node", function()
    local sup = supervisor.start { name = "spec_place", children = {} }
    equal(supervisor.stats({ name = "spec_place", node = dozor.node() }).id, "spec_place")
    supervisor.stop { name = "spec_place", node = dozor.node() }
    equal(supervisor.is_running(sup), false)
  end)

  it("that is killed takes its subtree along, terminate runs", function()
    local trace, reason = {}, nil
    local child = traced(trace, "a")
    child.terminate = function(why) reason = why end
    local sup = supervisor.start { children = { { id = "a", behavior = child } } }
    local pid = pids(sup).a
    dozor.kill(sup)
    wait_until(function() return not dozor.alive(pid) end)
    equal(reason, "killed")
  end)

  it("an initial child that fails stops those before it in reverse order", function()
    local trace = {}
    local children = children_of(trace, { "a", "b" })
    children[3] = { id = "c", behavior = { init = function() error("no luck") end }, name = "spec_c" }
    local err = raises("child_start_failed", supervisor.start, { name = "spec_failing", children = children })
    equal(err.child_id, "c")
    equal(err.supervisor_id, "spec_failing")
    contains(err.cause.message or err.cause.reason.message, "no luck")
    equal(trace, { "start a", "start b", "stop b", "stop a" })
    equal(dozor.whereis("spec_c"), nil)
    equal(supervisor.list(), {})
  end)

  it("names what hindered a start", function()
    local missing = raises("behavior_not_found", supervisor.start, { children = { { id = "x", behavior = "no_such" } } })
    equal(missing.child_id, "x")
    local pid = dozor.spawn("worker", {}, { name = "spec_taken" })
    local taken = raises("name_taken", supervisor.start,
      { children = { { id = "x", behavior = "worker", name = "spec_taken" } } })
    equal({ taken.owner, taken.child_id }, { pid, "x" })
    dozor.stop(pid)
    raises("timeout", supervisor.start, {
      children = { { id = "x", behavior = { init = function() dozor.sleep("infinity") end }, start_timeout = 20 } },
    })
    raises("no_available_node", supervisor.start, {
      children = { { id = "x", behavior = "worker", node_selector = { node = "nobody@127.0.0.1:1" } } },
    })
  end)

  it("a name that is taken is name_taken", function()
    local sup = supervisor.start { name = "spec_sup", children = {} }
    raises("name_taken", supervisor.start, { name = "spec_sup", children = {} })
    equal(supervisor.is_running("spec_sup"), true)
    supervisor.stop("spec_sup")
    equal(supervisor.is_running(sup), false)
  end)
end)

describe("one_for_one", function()
  it("restarts only the child that crashed", function()
    local trace = {}
    local sup = supervisor.start { children = children_of(trace, { "a", "b", "c" }) }
    local before = pids(sup)
    clear(trace)
    crash(before.b)
    local child = restarted(sup, "b", before.b)
    equal(child.restart_count, 1)
    equal(trace, { "stop b", "start b" })
    local after = pids(sup)
    equal({ after.a, after.c }, { before.a, before.c })
    equal(supervisor.stats(sup).total_restarts, 1)
    supervisor.stop(sup)
  end)

  it("permanent restarts always, transient on abnormal ends, temporary never", function()
    local sup = supervisor.start {
      restart_intensity = { max_restarts = 100, within_ms = 1000 },
      children = {
        { id = "permanent", behavior = probe() },
        { id = "transient", behavior = probe(), restart = "transient" },
        { id = "temporary", behavior = probe(), restart = "temporary" },
      },
    }
    local before = pids(sup)
    dozor.cast(before.permanent, { "exit", "normal" })
    restarted(sup, "permanent", before.permanent)
    crash(before.transient)
    local child = restarted(sup, "transient", before.transient)
    dozor.cast(child.pid, { "exit", { code = "shutdown", why = "done" } })
    wait_until(function() return supervisor.child(sup, "transient").status == "stopped" end)
    equal(supervisor.child(sup, "transient").pid, nil)
    crash(before.temporary)
    wait_until(function() return supervisor.child(sup, "temporary") == nil end)
    truthy(supervisor.restart_child(sup, "transient"))
    equal(supervisor.child(sup, "transient").status, "running")
    supervisor.stop(sup)
  end)

  it("args are given at every start", function()
    local sup = supervisor.start { children = { { id = "a", behavior = probe(), args = { "x", { 1 } } } } }
    local pid = pids(sup).a
    crash(pid)
    equal(dozor.call(restarted(sup, "a", pid).pid, "args"), { n = 2, "x", { 1 } })
    supervisor.stop(sup)
  end)

  it("a restarted child has its name again", function()
    local sup = supervisor.start { children = { { id = "a", behavior = probe(), name = "spec_named" } } }
    local pid = dozor.whereis("spec_named")
    crash(pid)
    local child = restarted(sup, "a", pid)
    equal(dozor.whereis("spec_named"), child.pid)
    supervisor.stop(sup)
  end)

  it("backoff delays the restart", function()
    local sup = supervisor.start {
      children = { { id = "a", behavior = probe(), backoff = { initial_ms = 60, max_ms = 60, jitter = 0 } } },
    }
    local pid = pids(sup).a
    local before = dozor.now()
    crash(pid)
    wait_until(function() return supervisor.child(sup, "a").status == "restarting" end)
    restarted(sup, "a", pid)
    truthy(dozor.now() - before >= 50)
    supervisor.stop(sup)
  end)
end)

describe("one_for_all", function()
  it("stops the others in reverse order, then starts all in order", function()
    local trace = {}
    local sup = supervisor.start { strategy = "one_for_all", children = children_of(trace, { "a", "b", "c" }) }
    local before = pids(sup)
    clear(trace)
    crash(before.b)
    restarted(sup, "c", before.c)
    equal(trace, { "stop b", "stop c", "stop a", "start a", "start b", "start c" })
    local after = pids(sup)
    for id, pid in pairs(before) do truthy(after[id] ~= pid, id) end
    equal(supervisor.stats(sup).total_restarts, 1)
    supervisor.stop(sup)
  end)

  it("removes temporary siblings", function()
    local trace = {}
    local children = children_of(trace, { "a", "b" })
    children[2].restart = "temporary"
    local sup = supervisor.start { strategy = "one_for_all", children = children }
    local before = pids(sup)
    crash(before.a)
    restarted(sup, "a", before.a)
    equal(supervisor.child(sup, "b"), nil)
    supervisor.stop(sup)
  end)
end)

describe("rest_for_one", function()
  it("restarts the dead one and those behind it", function()
    local trace = {}
    local sup = supervisor.start { strategy = "rest_for_one", children = children_of(trace, { "a", "b", "c", "d" }) }
    local before = pids(sup)
    clear(trace)
    crash(before.b)
    restarted(sup, "d", before.d)
    equal(trace, { "stop b", "stop d", "stop c", "start b", "start c", "start d" })
    equal(pids(sup).a, before.a)
    supervisor.stop(sup)
  end)

  it("the last one's crash restarts only itself", function()
    local trace = {}
    local sup = supervisor.start { strategy = "rest_for_one", children = children_of(trace, { "a", "b" }) }
    local before = pids(sup)
    clear(trace)
    crash(before.b)
    restarted(sup, "b", before.b)
    equal(trace, { "stop b", "start b" })
    supervisor.stop(sup)
  end)

  it("dynamic children take part by their order", function()
    local trace = {}
    local sup = supervisor.start { strategy = "rest_for_one", children = children_of(trace, { "a" }) }
    supervisor.start_child(sup, { id = "b", behavior = traced(trace, "b") })
    local before = pids(sup)
    clear(trace)
    crash(before.a)
    restarted(sup, "b", before.b)
    equal(trace, { "stop a", "stop b", "start a", "start b" })
    supervisor.stop(sup)
  end)
end)

describe("simple_one_for_one", function()
  it("starts children from the template, template args first", function()
    local sup = supervisor.start {
      strategy = "simple_one_for_one",
      child_template = { behavior = probe(), args = { "template" }, restart = "transient" },
    }
    local first, first_id = supervisor.start_child(sup, { { task_id = 1 } })
    local second, second_id = supervisor.start_child(sup, { { task_id = 2 } })
    equal({ first_id, second_id }, { "child_1", "child_2" })
    equal(dozor.call(first, "args"), { n = 2, "template", { task_id = 1 } })
    equal(dozor.call(second, "args"), { n = 2, "template", { task_id = 2 } })
    local third = supervisor.start_child(sup)
    equal(dozor.call(third, "args"), { n = 1, "template" })
    equal(#supervisor.children(sup), 3)
    crash(first)
    equal(dozor.call(restarted(sup, "child_1", first).pid, "args"), { n = 2, "template", { task_id = 1 } })
    supervisor.terminate_child(sup, "child_2")
    equal(dozor.alive(second), false)
    supervisor.stop(sup)
  end)

  it("says what does not fit it", function()
    raises("missing_child_template", supervisor.start, { strategy = "simple_one_for_one" })
    raises("invalid_simple_one_for_one", supervisor.start, {
      strategy = "simple_one_for_one", child_template = { behavior = "worker" }, children = { { id = "a", behavior = "worker" } },
    })
    local sup = supervisor.start { strategy = "simple_one_for_one", child_template = { behavior = "worker" } }
    raises("invalid_simple_one_for_one", supervisor.start_child, sup, { id = "x", behavior = "worker" })
    supervisor.stop(sup)
  end)
end)

describe("intensity", function()
  it("on excess the others stop in reverse order and the supervisor ends with the figures", function()
    local trace = {}
    local sup = supervisor.start {
      name = "spec_intense",
      restart_intensity = { max_restarts = 1, within_ms = 10000 },
      children = children_of(trace, { "a", "b", "c" }),
    }
    local events, unsubscribe = collect_events { "supervisor_stopped" }
    local ref = dozor.monitor(sup)
    local pid = pids(sup).b
    crash(pid)
    local second = restarted(sup, "b", pid)
    clear(trace)
    dozor.cast(second.pid, { "crash", "again" })
    local down = expect_message(function(m) return type(m) == "table" and m.ref == ref end)
    equal(down.reason.code, "max_restarts_exceeded")
    equal(down.reason.supervisor_id, "spec_intense")
    equal(down.reason.max_restarts, 1)
    equal(down.reason.within_ms, 10000)
    equal(trace, { "stop b", "stop c", "stop a" })
    wait_until(function() return #events() == 1 end)
    equal(events()[1].reason, "max_restarts_exceeded")
    unsubscribe()
  end)

  it("max_restarts = 0: the first crash ends the supervisor", function()
    local sup = supervisor.start {
      restart_intensity = { max_restarts = 0, within_ms = 1000 }, children = { { id = "a", behavior = probe() } },
    }
    local ref = dozor.monitor(sup)
    dozor.cast(pids(sup).a, { "crash", "x" })
    equal(expect_message(function(m) return m.ref == ref end).reason.code, "max_restarts_exceeded")
  end)

  it("restart_child does not count", function()
    local sup = supervisor.start {
      restart_intensity = { max_restarts = 0, within_ms = 1000 }, children = { { id = "a", behavior = probe() } },
    }
    local pid = pids(sup).a
    for _ = 1, 3 do
      local new = supervisor.restart_child(sup, "a")
      truthy(new ~= pid)
      equal(dozor.alive(pid), false)
      pid = new
    end
    equal(supervisor.child(sup, "a").restart_count, 3)
    equal(supervisor.stats(sup).total_restarts, 0)
    supervisor.stop(sup)
  end)

  it("a restart whose init fails is tried again and counts", function()
    local attempts = 0
    local behavior = probe {
      init = function()
        attempts = attempts + 1
        if attempts == 2 or attempts == 3 then error("not yet") end
      end,
    }
    local sup = supervisor.start {
      restart_intensity = { max_restarts = 5, within_ms = 10000 }, children = { { id = "a", behavior = behavior } },
    }
    local pid = pids(sup).a
    crash(pid)
    restarted(sup, "a", pid)
    equal(attempts, 4)
    supervisor.stop(sup)
  end)
end)

describe("dynamic children", function()
  it("are appended, and their ids are unique", function()
    local sup = supervisor.start { children = { { id = "a", behavior = "worker" } } }
    local pid, id = supervisor.start_child(sup, { id = "b", behavior = "worker", node_selector = "least_loaded" })
    equal({ id, dozor.call(pid, "status") }, { "b", 0 })
    local err = raises("duplicate_child", supervisor.start_child, sup, { id = "a", behavior = "worker" })
    equal(err.child_id, "a")
    local children = supervisor.children(sup)
    equal({ children[1].id, children[2].id }, { "a", "b" })
    supervisor.stop(sup)
  end)

  it("a failed start_child leaves no record", function()
    local sup = supervisor.start { children = {} }
    raises("child_start_failed", supervisor.start_child, sup, { id = "a", behavior = { init = function() error("x") end } })
    raises("behavior_not_found", supervisor.start_child, sup, { id = "a", behavior = "no_such" })
    equal(supervisor.children(sup), {})
    supervisor.stop(sup)
  end)

  it("terminate_child ends it and removes it", function()
    local sup = supervisor.start { children = { { id = "a", behavior = "worker" } } }
    local pid = pids(sup).a
    supervisor.terminate_child(sup, "a")
    equal(dozor.alive(pid), false)
    equal(supervisor.child(sup, "a"), nil)
    raises("child_not_found", supervisor.terminate_child, sup, "a")
    raises("child_not_found", supervisor.restart_child, sup, "a")
    supervisor.stop(sup)
  end)

  it("shutdown_timeout runs out: the child is killed", function()
    local stubborn = server { terminate = function() dozor.sleep("infinity") end }
    local sup = supervisor.start { children = { { id = "a", behavior = stubborn, shutdown_timeout = 20 } } }
    local ref = dozor.monitor(pids(sup).a)
    supervisor.stop(sup)
    equal(expect_message(function(m) return m.ref == ref end).reason, "killed")
  end)

  it("brutal_kill does not wait", function()
    local terminated = false
    local behavior = server { terminate = function() terminated = true end }
    local sup = supervisor.start { children = { { id = "a", behavior = behavior, shutdown_timeout = "brutal_kill" } } }
    supervisor.stop(sup)
    equal(terminated, false)
  end)

  it("queries are answered while a start is under way", function()
    local sup = supervisor.start { children = {} }
    local slow = { init = function() dozor.sleep(60) end }
    local starter = dozor.spawn(function() supervisor.start_child(sup, { id = "slow", behavior = slow }) end)
    local child = wait_until(function() return supervisor.child(sup, "slow") end)
    equal(child.status, "starting")
    wait_until(function() return supervisor.child(sup, "slow").status == "running" end)
    wait_until(function() return not dozor.alive(starter) end)
    supervisor.stop(sup)
  end)

  it("stop breaks a start off", function()
    local sup = supervisor.start { children = {} }
    local me = dozor.self()
    local never = { init = function() dozor.sleep("infinity") end }
    dozor.spawn(function()
      local ok, err = pcall(supervisor.start_child, sup, { id = "never", behavior = never })
      dozor.send(me, { ok, err.code, err.cause })
    end)
    wait_until(function() return supervisor.child(sup, "never") end)
    supervisor.stop(sup)
    equal(expect_message(), { false, "child_start_failed", "shutdown" })
  end)
end)

describe("start functions and nested supervisors", function()
  it("a start function returns the pid", function()
    local starts = 0
    local sup = supervisor.start {
      children = {
        {
          id = "a",
          args = { 5 },
          start = function(n)
            starts = starts + 1
            return dozor.spawn("counter", { n })
          end,
        },
      },
    }
    local pid = pids(sup).a
    equal(dozor.call(pid, "get"), 5)
    dozor.kill(pid)
    local again = restarted(sup, "a", pid)
    equal(dozor.call(again.pid, "get"), 5)
    equal(starts, 2)
    supervisor.stop(sup)
    equal(dozor.alive(again.pid), false)
  end)

  it("a start function that returns a supervisor makes it a supervisor child", function()
    local sup = supervisor.start {
      children = {
        { id = "inner", start = function() return supervisor.start { children = { { id = "w", behavior = "worker" } } } end },
      },
    }
    equal(supervisor.count_children(sup), { specs = 1, active = 1, supervisors = 1, workers = 0 })
    supervisor.stop(sup)
  end)

  it("stopping the parent stops the subtree in order", function()
    local trace = {}
    local sup = supervisor.start {
      children = {
        { id = "first", behavior = traced(trace, "first") },
        { id = "inner", supervisor = { children = children_of(trace, { "a", "b" }) } },
      },
    }
    equal(trace, { "start first", "start a", "start b" })
    clear(trace)
    supervisor.stop(sup)
    equal(trace, { "stop b", "stop a", "stop first" })
  end)

  it("an inner one that gives up is restarted fresh, with its static children", function()
    local trace = {}
    local sup = supervisor.start {
      children = {
        {
          id = "inner",
          supervisor = { restart_intensity = { max_restarts = 0, within_ms = 1000 }, children = children_of(trace, { "a" }) },
        },
      },
    }
    local inner = pids(sup).inner
    supervisor.start_child(inner, { id = "dynamic", behavior = "worker" })
    crash(pids(inner).a)
    local new = restarted(sup, "inner", inner).pid
    equal(#supervisor.children(new), 1)
    equal(supervisor.child(sup, "inner").restart_count, 1)
    supervisor.stop(sup)
  end)
end)

describe("auto_shutdown", function()
  it("any_significant: the first significant end ends the supervisor", function()
    local sup = supervisor.start {
      auto_shutdown = "any_significant",
      children = { { id = "critical", behavior = probe(), significant = true }, { id = "helper", behavior = "worker" } },
    }
    local ref = dozor.monitor(sup)
    dozor.cast(pids(sup).critical, { "crash", "x" })
    equal(expect_message(function(m) return m.ref == ref end).reason, "shutdown")
  end)

  it("all_significant: the last one does", function()
    local sup = supervisor.start {
      auto_shutdown = "all_significant",
      children = {
        { id = "a", behavior = probe(), significant = true },
        { id = "b", behavior = probe(), significant = true },
        { id = "logger", behavior = "worker" },
      },
    }
    local ref, before = dozor.monitor(sup), pids(sup)
    dozor.cast(before.a, { "exit", "normal" })
    wait_until(function() return supervisor.child(sup, "a") == nil end)
    equal(supervisor.is_running(sup), true)
    dozor.cast(before.b, { "exit", "normal" })
    equal(expect_message(function(m) return m.ref == ref end).reason, "shutdown")
  end)
end)

describe("selectors", function()
  it("a function chooses, or the child cannot start", function()
    local asked
    local sup = supervisor.start {
      node_selector = function(nodes, child_id)
        asked = { child_id, nodes[1].id, #nodes }
        return nodes[1].id
      end,
      children = { { id = "a", behavior = "worker" } },
    }
    equal(asked, { "a", dozor.node(), 1 })
    supervisor.stop(sup)
    for _, bad in ipairs { function() error("x") end, function() end, function() return "nobody@127.0.0.1:9" end } do
      raises("no_available_node", supervisor.start, { node_selector = bad, children = { { id = "a", behavior = "worker" } } })
    end
  end)

  it("a registered one is named in the spec", function()
    local function first(nodes) return nodes[1].id end
    dozor.selectors.register("spec_first", first)
    dozor.selectors.register("spec_first", first)
    raises("bad_argument", dozor.selectors.register, "spec_first", function() end)
    local sup = supervisor.start { node_selector = { selector = "spec_first" }, children = { { id = "a", behavior = "worker" } } }
    equal(supervisor.child(sup, "a").node_id, dozor.node())
    supervisor.stop(sup)
  end)

  it("every built-in one finds the only node", function()
    for _, selector in ipairs { "local_first", "local", "round_robin", "least_loaded", "random", { node = dozor.node() } } do
      local sup = supervisor.start { children = { { id = "a", behavior = "worker", node_selector = selector } } }
      equal(supervisor.child(sup, "a").node_id, dozor.node())
      supervisor.stop(sup)
    end
  end)
end)
