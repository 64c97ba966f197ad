--- sup_corner_spec.lua - what lies between the sentences: odd arguments, odd moments, odd children.

local dozor = require "dozor"
local S = dozor.supervisor

local journal, live = {}, {}
local function note(text) journal[#journal + 1] = text end
local function text() return table.concat(journal, " ") end
local function reset() journal, live = {}, {} end
local function alive()
  local n = 0
  for pid in pairs(live) do if dozor.alive(pid) then n = n + 1 end end
  return n
end
local function B(id, hooks)
  hooks = hooks or {}
  return {
    init = function(...) note("+" .. id) live[dozor.self()] = id if hooks.init then hooks.init(...) end return { args = { n = select("#", ...), ... } } end,
    handle_call = hooks.handle_call or function(m, s) if m == "args" then return s.args end end,
    handle_cast = function(m) if m.raise then error(m.raise, 0) end if m.exit ~= nil then dozor.exit(m.exit) end end,
    handle_info = hooks.handle_info,
    terminate = function(r) if hooks.terminate then hooks.terminate(r) end note("-" .. id) end,
  }
end
local function kid(id, extra, hooks)
  local c = { id = id, behavior = B(id, hooks) }
  for k, v in pairs(extra or {}) do c[k] = v end
  return c
end
local function pid_of(sup, id) local c = S.child(sup, id) return c and c.pid end
local function changed(sup, id, old) wait_until(function() local c = S.child(sup, id) return c and c.status == "running" and c.pid ~= old end) end
local function down(ref, ms) return expect_message(function(m) return type(m) == "table" and m.ref == ref end, ms).reason end

describe("odd arguments", function()
  it("a behaviour table without init is refused, nothing starts", function()
    reset()
    local ok, err = pcall(S.start, { children = { kid "a", { id = "b", behavior = {} } } })
    equal(ok, false)
    truthy(type(err) == "table" and err.code, show(err))
    equal(alive(), 0)
  end)
  it("a spec that contains itself is an error, not a crash", function()
    local spec = { children = {} }
    spec.children[1] = { id = "x", supervisor = spec }
    local ok, err = pcall(S.start, spec)
    equal(ok, false)
    truthy(type(err) == "table" and (err.code == "invalid_spec" or err.code == "bad_message"), show(err))
    local args = {}
    args[1] = args
    ok, err = pcall(S.start, { children = { kid("a", { args = args }) } })
    equal(ok, false)
    truthy(type(err) == "table" and err.code, show(err))
  end)
  it("specs that name each other in a circle are refused with the path, nothing starts", function()
    reset()
    dozor.behaviors.register("circle_one", { children = { kid "a", { id = "in", supervisor = "circle_two" } } })
    dozor.behaviors.register("circle_two", { children = { kid "b", { id = "deep", supervisor = { children = { { id = "back", behavior = "circle_one" } } } } } })
    dozor.behaviors.register("circle_self", { strategy = "simple_one_for_one", child_template = { supervisor = "circle_self" } })
    local err = raises("invalid_spec", S.start, "circle_one")
    equal(err.cycle, "circle_one > circle_two > circle_one")
    equal(err.field, "children[2].supervisor")
    equal(err.child_id, "in")
    contains(err.message, err.cycle)
    equal(raises("invalid_spec", S.start, { children = { kid "a", { id = "x", supervisor = "circle_two" } } }).cycle,
      "circle_two > circle_one > circle_two")
    equal(raises("invalid_spec", dozor.spawn, "circle_one").cycle, err.cycle)
    equal(raises("invalid_spec", S.start, "circle_self").field, "child_template.supervisor")
    local sup = S.start { children = {} }
    equal(raises("invalid_spec", S.start_child, sup, { id = "x", supervisor = "circle_self" }).field, "supervisor")
    equal(#S.children(sup), 0)
    S.stop(sup)
    equal(text(), "")
  end)
  it("functions that name each other without end are refused at a depth", function()
    reset()
    dozor.behaviors.register("endless", function() return { children = { { id = "in", supervisor = "endless" } } } end)
    local err = raises("child_start_failed", S.start, "endless")
    while type(err.cause) == "table" do err = err.cause end
    equal(err.code, "invalid_spec")
    contains(err.message, "more than 60 supervisors inside each other")
    equal(#S.list(), 0)
    dozor.behaviors.register("counted", function(n) return { children = n > 0 and { { id = "in", supervisor = "counted", args = { n - 1 } } } or {} } end)
    local sup = S.start("counted", { 20 })
    equal(#S.list(), 21)
    S.stop(sup)
  end)
  it("is_running of anything", function()
    equal(S.is_running(dozor.self()), false)
    equal(S.is_running("no_such_name"), false)
    raises("bad_argument", S.is_running)
    raises("supervisor_not_found", S.stats, dozor.self())
    raises("supervisor_not_found", S.start_child, dozor.self(), kid "x")
    S.stop("no_such_name")
  end)
  it("pages", function()
    local kids = {}
    for i = 1, 10 do kids[i] = kid("k" .. i) end
    local sup = S.start { children = kids }
    local function ids(opts) local t = {} for i, c in ipairs(S.children(sup, opts)) do t[i] = c.id end return table.concat(t, " ") end
    equal(ids { from = 9 }, "k9 k10")
    equal(ids { from = 2, limit = 3 }, "k2 k3 k4")
    equal(ids { limit = 2 }, "k1 k2")
    equal(ids { from = 11 }, "")
    equal(ids { limit = 0 }, "")
    equal(#S.children(sup, { limit = math.huge }), 10)
    equal(#S.children(sup, {}), 10)
    S.stop(sup)
  end)
  it("messages to a supervisor do no harm", function()
    reset()
    local sup = S.start { children = { kid "a" } }
    dozor.send(sup, "junk")
    dozor.cast(sup, { "junk" })
    dozor.send(sup, { type = "name_conflict_" })
    raises("unhandled_call", dozor.call, sup, "junk")
    local info = dozor.info(sup)
    truthy(info.node_id == dozor.node() and info.status)
    equal(S.is_running(sup), true)
    S.stop(sup)
    equal(dozor.info(sup), nil)
  end)
  it("a reason that is a table", function()
    local sup = S.start { children = {} }
    local ref = dozor.monitor(sup)
    S.stop(sup, { code = "upgrade", to = 2 })
    equal(down(ref), { code = "upgrade", to = 2 })
  end)
  it("two supervisors of one name", function()
    reset()
    local sup = S.start { name = "single", children = {} }
    local err = raises("name_taken", S.start, { name = "single", children = { kid "never" } })
    equal(err.name, "single")
    equal(err.owner, sup)
    equal(text(), "")
    equal(S.is_running("single"), true)
    S.stop(sup)
  end)
  it("holes and nils in args of a pool", function()
    reset()
    local pool = S.start { strategy = "simple_one_for_one", child_template = { behavior = B "p", args = { "a", nil, "c" } } }
    local pid = S.start_child(pool, { nil, 2 })
    equal(dozor.call(pid, "args"), { n = 5, "a", nil, "c", nil, 2 })
    S.stop(pool)
  end)
  it("a name in a template can be had once", function()
    reset()
    local pool = S.start { strategy = "simple_one_for_one", child_template = { behavior = B "p", name = "only" } }
    S.start_child(pool)
    raises("name_taken", S.start_child, pool)
    equal(#S.children(pool), 1)
    S.stop(pool)
  end)
  it("a spec that is changed after the start is not what restarts use", function()
    reset()
    local args = { "first" }
    local sup = S.start { children = { kid("a", { args = args }) } }
    args[1] = "changed"
    local old = pid_of(sup, "a")
    dozor.kill(old)
    changed(sup, "a", old)
    equal(dozor.call(pid_of(sup, "a"), "args"), { n = 1, "first" })
    S.stop(sup)
  end)
  it("args that cannot be sent name the path", function()
    local err = raises("bad_message", S.start, { children = { kid("a", { args = { 1, { co = coroutine.create(print) } } }) } })
    contains(err.message, "co")
  end)
  it("functions in the args of a table behaviour stay on this host, and work", function()
    reset()
    local sup = S.start { children = { kid("a", { args = { function() note("called") end } }, { init = function(fn) fn() end }) } }
    dozor.kill(pid_of(sup, "a"))
    wait_until(function() return text() == "+a called +a called" end)
    S.stop(sup)
  end)
  it("mailbox_limit is the child's", function()
    reset()
    local sup = S.start { children = { kid("a", { mailbox_limit = 2 }, { handle_call = function() dozor.sleep(300) return 1 end }) } }
    local pid = pid_of(sup, "a")
    dozor.spawn(function() pcall(dozor.call, pid, "x") end, {})
    dozor.sleep(20)
    for _ = 1, 10 do dozor.cast(pid, {}) end
    raises("overloaded", dozor.call, pid, "y")
    S.stop(sup)
  end)
end)

describe("odd moments", function()
  it("who asked for a start is killed meanwhile", function()
    reset()
    local sup = S.start { children = {} }
    local asker = dozor.spawn(function() S.start_child(sup, kid("slow", nil, { init = function() dozor.sleep(80) end })) end, {})
    wait_until(function() return S.child(sup, "slow") end)
    dozor.kill(asker)
    wait_until(function() local c = S.child(sup, "slow") return not c or c.status == "running" end)
    equal(alive(), S.count_children(sup).active)
    S.stop(sup)
    equal(alive(), 0)
  end)
  it("who starts a supervisor is killed meanwhile: nothing is left half started", function()
    reset()
    local before = #S.list()
    local asker = dozor.spawn(function() S.start { children = { kid "a", kid("slow", nil, { init = function() dozor.sleep(60) end }), kid "c" } } end, {})
    wait_until(function() return text() == "+a +slow" end)
    dozor.kill(asker)
    dozor.sleep(150)
    local whole = #S.list() == before + 1 and alive() == 3
    local nothing = #S.list() == before and alive() == 0
    truthy(whole or nothing, ("%d supervisors, %d children"):format(#S.list() - before, alive()))
    for _, sup in ipairs(S.list()) do S.stop(sup) end
  end)
  it("a supervisor killed while it starts", function()
    reset()
    local me = dozor.self()
    dozor.spawn(function() dozor.send(me, { pcall(S.start, { name = "kws", children = { kid "a", kid("slow", nil, { init = function() dozor.sleep(60000) end }) } }) }) end, {})
    local sup = wait_until(function() return text() == "+a +slow" and dozor.global.whereis("kws") end)
    dozor.kill(sup)
    local got = expect_message(function(m) return m.ref == nil end)
    equal(got[1], false)
    truthy(got[2].code, show(got[2]))
    wait_until(function() return alive() == 0 end)
    equal(dozor.global.whereis("kws"), nil)
  end)
  it("a supervisor killed while it stops a stubborn child", function()
    reset()
    local sup = S.start { children = { kid("a", { shutdown_timeout = "infinity" }, { terminate = function() dozor.sleep(60) end }) } }
    dozor.spawn(function() S.stop(sup) end, {})
    dozor.sleep(10)
    dozor.kill(sup)
    wait_until(function() return alive() == 0 and not S.is_running(sup) end, 1000)
  end)
  it("stop in the middle of a round", function()
    reset()
    local slow = false
    local sup = S.start { strategy = "one_for_all", children = { kid "a", kid("b", nil, { init = function() if slow then dozor.sleep(60000) end end }), kid "c" } }
    slow = true
    dozor.kill(pid_of(sup, "c"))
    wait_until(function() return S.child(sup, "b").status ~= "running" and text():match("%+a %+b$") end)
    local t = dozor.now()
    S.stop(sup)
    truthy(dozor.now() - t < 500)
    equal(alive(), 0)
    equal(text(), "+a +b +c -b -a +a +b -a")
  end)
  it("terminate_child of a child whose init hangs in a round: the round goes on", function()
    reset()
    local slow = false
    local sup = S.start { strategy = "one_for_all", children = { kid "a", kid("b", nil, { init = function() if slow then dozor.sleep(60000) end end }), kid "c" } }
    slow = true
    dozor.kill(pid_of(sup, "c"))
    wait_until(function() return text():match("%+a %+b$") end)
    S.terminate_child(sup, "b")
    wait_until(function() local c = S.child(sup, "c") return c.status == "running" end)
    equal(S.child(sup, "b"), nil)
    equal(alive(), 2)
    S.stop(sup)
    equal(alive(), 0)
  end)
  it("requests during a round wait for it", function()
    reset()
    local slow = false
    local sup = S.start { strategy = "one_for_all", children = { kid "a", kid("b", nil, { init = function() if slow then dozor.sleep(80) end end }) } }
    slow = true
    dozor.kill(pid_of(sup, "a"))
    wait_until(function() return text() == "+a +b -b +a +b" end)
    equal(S.child(sup, "b").status, "restarting")
    local pid = S.start_child(sup, kid "dyn")
    equal(S.child(sup, "b").status, "running")
    truthy(dozor.alive(pid))
    equal(text():match("%+b (%+dyn)$"), "+dyn")
    S.stop(sup)
  end)
  it("a crash while a sibling starts waits its turn", function()
    reset()
    local sup = S.start { strategy = "one_for_all", children = { kid "a" } }
    local me = dozor.self()
    dozor.spawn(function() dozor.send(me, { pcall(S.start_child, sup, kid("slow", nil, { init = function() dozor.sleep(60) end })) }) end, {})
    wait_until(function() return S.child(sup, "slow") end)
    dozor.kill(pid_of(sup, "a"))
    equal(expect_message()[1], true)
    wait_until(function() return S.child(sup, "a").restart_count == 1 and S.child(sup, "slow").restart_count == 1 and S.child(sup, "slow").status == "running" end)
    equal(text(), "+a +slow -slow +a +slow")
    S.stop(sup)
  end)
  it("restart_child in one_for_all restarts only that child", function()
    reset()
    local sup = S.start { strategy = "one_for_all", children = { kid "a", kid "b" } }
    local b = pid_of(sup, "b")
    S.restart_child(sup, "a")
    equal(pid_of(sup, "b"), b)
    equal(text(), "+a +b -a +a")
    S.stop(sup)
  end)
  it("restart_child of a child that waits for its delayed restart starts it now", function()
    reset()
    local sup = S.start { children = { kid("a", { backoff = { initial_ms = 5000, max_ms = 5000 } }) } }
    dozor.kill(pid_of(sup, "a"))
    wait_until(function() return S.child(sup, "a").status == "restarting" end)
    local pid = S.restart_child(sup, "a")
    equal(pid_of(sup, "a"), pid)
    equal(alive(), 1)
    S.stop(sup)
  end)
  it("terminate_child of a stopped transient child, then its id is free", function()
    reset()
    local sup = S.start { children = { kid("t", { restart = "transient" }) } }
    dozor.cast(pid_of(sup, "t"), { exit = "normal" })
    wait_until(function() return S.child(sup, "t").status == "stopped" end)
    raises("duplicate_child", S.start_child, sup, kid "t")
    S.terminate_child(sup, "t")
    equal(S.child(sup, "t"), nil)
    truthy(dozor.alive((S.start_child(sup, kid "t"))))
    S.stop(sup)
  end)
  it("a child stopped by somebody else with shutdown is a normal end", function()
    reset()
    local sup = S.start { children = { kid("t", { restart = "transient" }), kid "p" } }
    local p = pid_of(sup, "p")
    dozor.stop(pid_of(sup, "t"), "shutdown")
    dozor.stop(p, "shutdown")
    wait_until(function() return S.child(sup, "t").status == "stopped" end)
    changed(sup, "p", p)
    S.stop(sup)
  end)
  it("a child whose name was stolen meanwhile fails to restart and counts", function()
    reset()
    local sup = S.start { restart_intensity = { max_restarts = 2, within_ms = 60000 }, children = { kid("a", { name = "stolen" }) } }
    local ref = dozor.monitor(sup)
    local watcher = dozor.spawn(function()
      local r = dozor.monitor("stolen")
      dozor.receive("infinity", function(m) return m.ref == r end)
      pcall(dozor.register, "stolen")
      dozor.receive("infinity")
    end, {})
    wait_until(function() return dozor.info(watcher).status == "waiting" end)
    for _ = 1, 5 do
      if S.is_running(sup) and dozor.whereis("stolen") ~= watcher then
        local pid = dozor.whereis("stolen")
        if pid then dozor.kill(pid) end
        dozor.sleep(10)
      end
    end
    if S.is_running(sup) then S.stop(sup) end
    down(ref)
    dozor.kill(watcher)
    wait_until(function() return alive() == 0 end)
  end)
  it("links: a linked process hears of a supervisor's end", function()
    reset()
    local me = dozor.self()
    local sup = S.start { children = { kid "a" } }
    local trapper = dozor.spawn(function() dozor.trap_exit(true) dozor.link(sup) dozor.send(me, "linked") dozor.send(me, dozor.receive("infinity").reason) end, {})
    expect_message(function(m) return m == "linked" end)
    dozor.kill(sup)
    equal(expect_message(), "killed")
    wait_until(function() return not dozor.alive(trapper) and alive() == 0 end)
  end)
  it("an exit signal with reason normal leaves a supervisor alone", function()
    reset()
    local me = dozor.self()
    local sup = S.start { children = { kid "a" } }
    dozor.spawn(function() dozor.link(sup) dozor.send(me, "linked") end, {})
    expect_message(function(m) return m == "linked" end)
    dozor.sleep(10)
    equal(S.is_running(sup), true)
    S.stop(sup)
  end)
end)

describe("odd children", function()
  it("terminate that raises does not keep the others from stopping", function()
    reset()
    local sup = S.start { children = { kid "a", kid("b", nil, { terminate = function() error("in terminate") end }), kid "c" } }
    local ref = dozor.monitor(sup)
    S.stop(sup)
    equal(down(ref), "normal")
    equal(text(), "+a +b +c -c -a")
    equal(alive(), 0)
  end)
  it("an inner supervisor under brutal_kill: the subtree ends, terminate runs", function()
    reset()
    local sup = S.start { children = { { id = "in", shutdown_timeout = "brutal_kill", supervisor = { children = { kid "x", kid "y" } } } } }
    S.stop(sup)
    wait_until(function() return alive() == 0 end)
    truthy(text() == "+x +y -x -y" or text() == "+x +y -y -x", text())
  end)
  it("a start function whose supervisor is killed starts a new one", function()
    reset()
    local sup = S.start { name = "sff", children = { { id = "in", start = function() return S.start { children = { kid "x" } } end } } }
    local inner = pid_of(sup, "in")
    dozor.kill(inner)
    changed(sup, "in", inner)
    equal(alive(), 1)
    S.stop(sup)
    equal(alive(), 0)
  end)
  it("a start function's process outlives nothing: terminate_child, kill of the supervisor", function()
    for _, how in ipairs { "terminate", "kill", "stop" } do
      reset()
      local trapped
      local sup = S.start { children = { { id = "p", shutdown_timeout = 50, start = function() return dozor.spawn(function() dozor.trap_exit(true) live[dozor.self()] = "p" while true do trapped = dozor.receive("infinity") end end, {}) end } } }
      wait_until(function() return next(live) end)
      if how == "terminate" then S.terminate_child(sup, "p") elseif how == "kill" then dozor.kill(sup) else S.stop(sup) end
      wait_until(function() return alive() == 0 end, 1000)
      if how ~= "kill" then equal(trapped and trapped.type, "exit") end
      S.stop(sup)
    end
  end)
  it("a start function that spawns before it fails leaves nothing of the supervisor's", function()
    reset()
    local me = dozor.self()
    local ok, err = pcall(S.start, { children = { { id = "p", start = function() local pid = dozor.spawn(B "orphan", {}, { link = true }) error("after the spawn") return pid end } } })
    equal(ok, false)
    equal(err.code, "child_start_failed")
    wait_until(function() return alive() == 0 end, 1000)
    truthy(me)
  end)
  it("a child that is busy for ever is killed when its time runs out", function()
    reset()
    local sup = S.start { children = { kid("loop", { shutdown_timeout = 100 }, { handle_info = function() local x = 0 while true do x = x + 1 end end }) } }
    dozor.spawn(function() dozor.sleep(5) end, {})
    truthy(sup)
    S.stop(sup)
  end)
  it("a child that traps exits ends at its supervisor's stop through terminate", function()
    reset()
    local info
    local sup = S.start { children = { kid("t", nil, { init = function() dozor.trap_exit(true) end, handle_info = function(m) info = m end }) } }
    local t = dozor.now()
    S.stop(sup)
    truthy(dozor.now() - t < 500)
    equal(text(), "+t -t")
    equal(info, nil)
  end)
  it("a parked handler is not resumed by stop", function()
    reset()
    local resumed = false
    local sup = S.start { children = { kid("w", nil, { handle_info = function() pcall(dozor.sleep, 60000) resumed = true end }) } }
    dozor.send(pid_of(sup, "w"), "go")
    dozor.sleep(10)
    local t = dozor.now()
    S.stop(sup)
    truthy(dozor.now() - t < 500)
    equal(resumed, false)
    equal(text(), "+w -w")
  end)
  it("children keep working while their supervisor waits for a slow one to stop", function()
    reset()
    local sup = S.start { children = { kid("a", nil, { handle_call = function() return "here" end }), kid("b", nil, { terminate = function() note(dozor.call(pid_of_a, "x")) end }) } }
    pid_of_a = pid_of(sup, "a")
    S.stop(sup)
    equal(text(), "+a +b here -b -a")
  end)
  it("temporary children leave no record, their names and ids are free", function()
    reset()
    local sup = S.start { children = {} }
    for i = 1, 50 do
      local pid = S.start_child(sup, kid("tmp", { restart = "temporary", name = "tmp_name" }))
      dozor.cast(pid, i % 2 == 0 and { exit = "normal" } or { raise = "x" })
      wait_until(function() return not S.child(sup, "tmp") end)
      equal(dozor.whereis("tmp_name"), nil)
    end
    equal(#S.children(sup), 0)
    equal(S.stats(sup).total_restarts, 0)
    S.stop(sup)
  end)
end)
