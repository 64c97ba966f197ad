--- sup_order_spec.lua - starting, stopping and asking supervisors, seen by processes rather than by records.

local dozor = require "dozor"
local S = dozor.supervisor

local journal
local live = {}   --- pid -> id of every process that ran init and not yet ended, checked with dozor.alive

local function note(text) journal[#journal + 1] = text end

local function recorder(id, opts)
  opts = opts or {}
  return {
    init = function(...)
      note("+" .. id)
      live[dozor.self()] = id
      if opts.trap then dozor.trap_exit(true) end
      if opts.init then opts.init(...) end
      return { args = { n = select("#", ...), ... } }
    end,
    handle_call = function(msg, state)
      if msg == "args" then return state.args end
      if msg == "pid" then return dozor.self() end
    end,
    handle_cast = function(msg)
      if type(msg) == "table" and msg.raise then error(msg.raise) end
      if type(msg) == "table" and msg.exit ~= nil then dozor.exit(msg.exit) end
    end,
    terminate = function(reason)
      if opts.terminate then opts.terminate(reason) end
      note("-" .. id .. (opts.reason and ":" .. tostring(type(reason) == "table" and reason.code or reason) or ""))
    end,
  }
end

local function kid(id, opts, extra)
  local child = { id = id, behavior = recorder(id, opts) }
  for k, v in pairs(extra or {}) do child[k] = v end
  return child
end

local function reset() journal, live = {}, {} end
local function text() return table.concat(journal, " ") end
local function alive()
  local n = 0
  for pid in pairs(live) do if dozor.alive(pid) then n = n + 1 end end
  return n
end

describe("order", function()
  it("starts in order one after another and stops in reverse one after another", function()
    reset()
    local function slow(id)
      return kid(id, {
        init = function() dozor.sleep(15) note("+" .. id .. "'") end,
        terminate = function() note("-" .. id .. "'") dozor.sleep(15) end,
      })
    end
    local sup = S.start { children = { slow "a", slow "b", slow "c" } }
    equal(text(), "+a +a' +b +b' +c +c'")
    journal = {}
    S.stop(sup)
    equal(text(), "-c' -c -b' -b -a' -a")
    equal(alive(), 0)
  end)

  it("children of modules on any worker follow the same order", function()
    reset()
    local b = kid "x"
    local sup = S.start { children = { kid "a", { id = "fn", start = function(who)
      note("start " .. who)
      return dozor.spawn(recorder("b"), {})
    end, args = { "me" } }, kid "c" } }
    equal(text(), "+a start me +b +c")
    S.stop(sup)
    equal(text(), "+a start me +b +c -c -b -a")
    truthy(b)
  end)

  it("terminate sees the reason shutdown", function()
    reset()
    local sup = S.start { children = { kid("a", { reason = true }), kid("b", { reason = true, trap = true }) } }
    S.stop(sup)
    equal(text(), "+a +b -b:shutdown -a:shutdown")
  end)

  it("stop takes a reason that monitors of the supervisor see", function()
    reset()
    local sup = S.start { children = { kid "a" } }
    local ref = dozor.monitor(sup)
    S.stop(sup, "shutdown")
    local down = expect_message(function(m) return m.ref == ref end)
    equal(down.reason, "shutdown")
    local sup2 = S.start { children = { kid "a" } }
    local ref2 = dozor.monitor(sup2)
    S.stop(sup2)
    equal(expect_message(function(m) return m.ref == ref2 end).reason, "normal")
  end)

  it("stop is idempotent, also many at once and from inside", function()
    reset()
    local sup = S.start { children = { kid("a", { terminate = function() dozor.sleep(50) end }), kid "b" } }
    local done = 0
    local me = dozor.self()
    for _ = 1, 20 do
      dozor.spawn(function() S.stop(sup) dozor.send(me, alive()) end, {})
    end
    for _ = 1, 20 do equal(expect_message(), 0) done = done + 1 end
    equal(done, 20)
    S.stop(sup)
    S.stop(sup)
    equal(text(), "+a +b -b -a")
  end)
end)

describe("an initial child that fails", function()
  local function failing(how, init)
    return kid("bad", { init = init })
  end
  local cases = {
    { "raises", function() error("no disk") end, "child_start_failed", "no disk" },
    { "raises a table", function() error({ code = "my_code", detail = 7 }) end, "child_start_failed", "my_code" },
    { "exits", function() dozor.exit("quit") end, "child_start_failed", "quit" },
    { "exits normally", function() dozor.exit("normal") end, "child_start_failed", "normal" },
    { "kills itself", function() dozor.kill(dozor.self()) dozor.sleep(1000) end, "child_start_failed", "killed" },
  }
  for _, case in ipairs(cases) do
    it(case[1], function()
      reset()
      local names = #dozor.registered()
      local err = raises(case[3], S.start, { name = "doomed", children = {
        kid("a", nil, { name = "name_a" }), kid("b", nil, { global = "global_b" }), failing(case[1], case[2]), kid "never" } })
      equal(err.child_id, "bad")
      equal(err.supervisor_id, "doomed")
      truthy(err.cause ~= nil, "a cause")
      contains(show(err.cause), case[4])
      equal(text(), "+a +b +bad -b -a")
      equal(alive(), 0)
      equal(#dozor.registered(), names)
      equal(dozor.whereis("name_a"), nil)
      equal(dozor.global.whereis("global_b"), nil)
      equal(dozor.global.whereis("doomed"), nil)
    end)
  end

  it("by timeout", function()
    reset()
    local err = raises("timeout", S.start, { children = { kid "a", kid("slow", { init = function() dozor.sleep(10000) end }, { start_timeout = 40 }) } })
    equal(err.child_id, "slow")
    truthy(err.supervisor_id)
    equal(text(), "+a +slow -a")
    wait_until(function() return alive() == 0 end)
  end)

  it("by a name that is taken", function()
    reset()
    local err = raises("name_taken", S.start, { children = { kid("a", nil, { name = "twice" }), kid("b", nil, { name = "twice" }) } })
    equal(err.child_id, "b")
    equal(text(), "+a -a")
    equal(dozor.whereis("twice"), nil)
  end)

  it("by a behaviour nobody has", function()
    reset()
    local err = raises("behavior_not_found", S.start, { children = { kid "a", { id = "b", behavior = "nobody_has_it" } } })
    equal(err.child_id, "b")
    equal(text(), "+a -a")
  end)

  it("by a node nobody knows", function()
    reset()
    local err = raises("no_available_node", S.start, { children = { kid "a", kid("b", nil, { node_selector = { node = "far@10.0.0.1:1" } }) } })
    equal(err.child_id, "b")
    equal(alive(), 0)
  end)

  it("deep inside", function()
    reset()
    local ok, err = pcall(S.start, { name = "outer", children = { kid "a",
      { id = "inner", supervisor = { children = { kid "b", kid("bad", { init = function() error("deep") end }) } } } } })
    equal(ok, false)
    equal(err.supervisor_id, "outer")
    equal(err.child_id, "inner")
    contains(show(err), "deep")
    equal(text(), "+a +b +bad -b -a")
    equal(alive(), 0)
  end)
end)

describe("start functions", function()
  it("garbage is child_start_failed", function()
    for i, fn in ipairs {
      function() return nil end, function() return 5 end, function() return "x" end, function() return {} end,
      function() error("raised") end, function() dozor.exit("left") end,
    } do
      reset()
      local err = raises("child_start_failed", S.start, { children = { kid "a", { id = "fn" .. i, start = fn } } })
      equal(err.child_id, "fn" .. i)
      equal(text(), "+a -a")
    end
  end)
  it("a pid of a dead process is a crash like any other", function()
    reset()
    local pid = dozor.spawn(recorder("d"), {})
    dozor.stop(pid)
    local sup = S.start { children = { { id = "fn", start = function() return pid end } } }
    local ref = dozor.monitor(sup)
    local reason = expect_message(function(m) return m.ref == ref end).reason
    truthy(reason == "noproc" or reason.code == "max_restarts_exceeded")
  end)
  it("restarts through the function with its args", function()
    reset()
    local calls = 0
    local sup = S.start { children = { { id = "fn", args = { 7 }, start = function(x)
      calls = calls + 1
      equal(x, 7)
      return dozor.spawn(recorder("p"), {})
    end } } }
    local pid = S.child(sup, "fn").pid
    dozor.kill(pid)
    wait_until(function() local c = S.child(sup, "fn") return c.status == "running" and c.pid ~= pid end)
    equal(calls, 2)
    S.stop(sup)
    equal(alive(), 0)
  end)
  it("one that hangs is killed by stop", function()
    reset()
    local me = dozor.self()
    local starter
    dozor.spawn(function()
      local ok, err = pcall(S.start, { name = "hangs", children = { kid "a", { id = "fn", start = function() starter = dozor.self() dozor.sleep("infinity") end } } })
      dozor.send(me, { ok, err })
    end, {})
    local sup = wait_until(function() return starter and dozor.global.whereis("hangs") end)
    S.stop(sup)
    local got = expect_message()
    equal(got[1], false)
    equal(got[2].code, "child_start_failed")
    equal(got[2].cause, "shutdown")
    equal(alive(), 0)
    equal(dozor.alive(starter), false)
  end)
end)

describe("exact shapes", function()
  it("children, child, count_children, stats", function()
    reset()
    local sup = S.start { name = "shapes", children = {
      kid("w", nil, { args = { 1, "x" }, restart = "transient", shutdown_timeout = 77 }),
      { id = "s", supervisor = { children = { kid "inner" } } } } }
    local list = S.children(sup)
    equal(#list, 2)
    local known = { id = 1, pid = 1, node_id = 1, status = 1, restart_count = 1, started_at = 1, spec = 1, epoch = 1 }
    for _, rec in ipairs(list) do
      for k in pairs(rec) do truthy(known[k], "no field " .. k) end
      for k in pairs(known) do truthy(rec[k] ~= nil, "field " .. k) end
      equal(rec.node_id, dozor.node())
      equal(rec.status, "running")
      equal(rec.restart_count, 0)
      truthy(math.abs(rec.started_at - os.time() * 1000) < 5000)
      truthy(dozor.alive(rec.pid))
      equal(rec.spec.id, rec.id)
    end
    equal(list[1].id, "w")
    equal(list[1].spec.restart, "transient")
    equal(list[1].spec.args, { 1, "x" })
    equal(list[1].spec.shutdown_timeout, 77)
    equal(list[2].id, "s")
    equal(S.child(sup, "w"), list[1])
    equal(S.count_children(sup), { specs = 2, active = 2, supervisors = 1, workers = 1 })
    local stats = S.stats(sup)
    local fields = { id = 1, strategy = 1, child_count = 1, children_by_node = 1, total_restarts = 1, node_failure_restarts = 1, started_at = 1, uptime_ms = 1 }
    for k in pairs(stats) do truthy(fields[k], "no field " .. k) end
    for k in pairs(fields) do truthy(stats[k] ~= nil, "field " .. k) end
    equal(stats.id, "shapes")
    equal(stats.strategy, "one_for_one")
    equal(stats.child_count, 2)
    equal(stats.children_by_node, { [dozor.node()] = 2 })
    equal(stats.total_restarts, 0)
    equal(stats.node_failure_restarts, 0)
    truthy(stats.uptime_ms >= 0 and stats.uptime_ms < 5000)
    local anon = S.start { children = {} }
    truthy(S.stats(anon).id:match("^sup_%d+@" .. dozor.node():gsub("%p", "%%%0") .. "$"), S.stats(anon).id)
    equal(S.count_children(anon), { specs = 0, active = 0, supervisors = 0, workers = 0 })
    equal(S.children(anon), {})
    equal(S.stats(anon).children_by_node, {})
    -- the list is of pids or of records with what identifies them
    local found = 0
    for _, entry in ipairs(S.list()) do if entry == sup or entry == anon then found = found + 1 end end
    equal(found, 2)
    -- by name, by { name, node }, from another process
    equal(S.stats("shapes").id, "shapes")
    equal(S.stats({ name = "shapes", node = dozor.node() }).id, "shapes")
    equal(#S.children("shapes"), 2)
    local me = dozor.self()
    dozor.spawn(function() dozor.send(me, { S.is_running("shapes"), #S.children(sup), S.child("shapes", "w").id }) end, {})
    equal(expect_message(), { true, 2, "w" })
    dozor.spawn(function() dozor.send(me, (S.start_child("shapes", kid "dyn"))) end, {})
    truthy(dozor.alive(expect_message()))
    equal(S.child("shapes", "dyn").status, "running")
    S.terminate_child("shapes", "dyn")
    equal(S.child("shapes", "dyn"), nil)
    S.stop(anon)
    S.stop("shapes")
    equal(S.is_running("shapes"), false)
    equal(S.is_running(sup), false)
    raises("supervisor_not_found", S.stats, "shapes")
    raises("supervisor_not_found", S.children, sup)
    equal(alive(), 0)
  end)

  it("a stopped transient child is a record without a process", function()
    reset()
    local sup = S.start { children = { kid("t", nil, { restart = "transient" }), kid("tmp", nil, { restart = "temporary" }) } }
    local t, tmp = S.child(sup, "t").pid, S.child(sup, "tmp").pid
    dozor.cast(t, { exit = "normal" })
    dozor.cast(tmp, { exit = "normal" })
    wait_until(function() return S.child(sup, "t").status == "stopped" and not S.child(sup, "tmp") end)
    local rec = S.child(sup, "t")
    equal(rec.pid, nil)
    equal(S.count_children(sup), { specs = 1, active = 0, supervisors = 0, workers = 1 })
    equal(S.stats(sup).child_count, 1)
    equal(S.stats(sup).children_by_node, {})
    local pid = S.restart_child(sup, "t")
    truthy(dozor.alive(pid))
    equal(S.child(sup, "t").status, "running")
    equal(S.stats(sup).total_restarts, 0)
    S.stop(sup)
  end)

  it("args arrive, defaults are none", function()
    reset()
    local sup = S.start { children = { kid "none", kid("some", nil, { args = { 1, nil, "three", { 4 } } }) } }
    equal(dozor.call(S.child(sup, "none").pid, "args"), { n = 0 })
    local args = dozor.call(S.child(sup, "some").pid, "args")
    equal(args, { n = 4, 1, nil, "three", { 4 } })
    local pid = S.child(sup, "some").pid
    dozor.cast(pid, { raise = "x" })
    wait_until(function() local c = S.child(sup, "some") return c.status == "running" and c.pid ~= pid end)
    equal(dozor.call(S.child(sup, "some").pid, "args"), args)
    equal(dozor.call(S.restart_child(sup, "some"), "args"), args)
    S.stop(sup)
  end)

  it("restart_child: old one gone before the new one starts", function()
    reset()
    local sup = S.start { children = { kid("a", { terminate = function() dozor.sleep(20) end }, { name = "only_one" }) } }
    for i = 1, 5 do
      local old = S.child(sup, "a").pid
      local new = S.restart_child(sup, "a")
      equal(dozor.alive(old), false)
      equal(dozor.whereis("only_one"), new)
      equal(S.child(sup, "a").restart_count, i)
    end
    equal(text(), "+a -a +a -a +a -a +a -a +a -a +a")
    equal(S.stats(sup).total_restarts, 0)
    S.stop(sup)
  end)

  it("a failed restart_child leaves the child stopped", function()
    reset()
    local fail = false
    local sup = S.start { name = "fr", restart_intensity = { max_restarts = 0, within_ms = 5000 }, children = { kid("a", { init = function() if fail then error("now it fails") end end }), kid "b" } }
    fail = true
    local err = raises("child_start_failed", S.restart_child, sup, "a")
    equal(err.child_id, "a")
    equal(err.supervisor_id, "fr")
    contains(show(err.cause), "now it fails")
    equal(S.child(sup, "a").status, "stopped")
    equal(S.child(sup, "a").pid, nil)
    equal(S.child(sup, "b").status, "running")
    equal(S.stats(sup).total_restarts, 0)
    dozor.sleep(50)
    equal(S.child(sup, "a").status, "stopped")
    fail = false
    truthy(dozor.alive(S.restart_child(sup, "a")))
    S.stop(sup)
  end)

  it("a failed start_child leaves nothing", function()
    reset()
    local sup = S.start { name = "fs", children = { kid "a" } }
    local err = raises("child_start_failed", S.start_child, sup, kid("bad", { init = function() error("no tea") end }))
    equal({ err.child_id, err.supervisor_id }, { "bad", "fs" })
    truthy(tostring(err):find("no tea", 1, true), "the text tells the cause")
    err = raises("timeout", S.start_child, sup, kid("slow", { init = function() dozor.sleep(5000) end }, { start_timeout = 20 }))
    equal({ err.child_id, err.supervisor_id }, { "slow", "fs" })
    err = raises("duplicate_child", S.start_child, sup, kid "a")
    equal(err.child_id, "a")
    err = raises("behavior_not_found", S.start_child, sup, { id = "nb", behavior = "nothing_there" })
    truthy(err.message:find("nothing_there", 1, true) and err.message:find("behaviors/nothing_there.lua", 1, true))
    equal({ err.child_id, err.supervisor_id }, { "nb", "fs" })
    err = raises("no_available_node", S.start_child, sup, kid("nn", nil, { node_selector = { node = "q@1.2.3.4:5" } }))
    equal({ err.child_id, err.supervisor_id }, { "nn", "fs" })
    equal(#S.children(sup), 1)
    S.stop(sup)
    wait_until(function() return alive() == 0 end)
  end)
end)

describe("shutdown_timeout", function()
  local function stubborn(timeout, body)
    return S.start { children = { { id = "x", behavior = recorder("x", { trap = true, terminate = body }), shutdown_timeout = timeout } } }
  end
  it("n: killed when it runs out", function()
    reset()
    local sup = stubborn(60, function() dozor.sleep("infinity") end)
    local pid = S.child(sup, "x").pid
    local ref = dozor.monitor(pid)
    local t = dozor.now()
    S.stop(sup)
    local took = dozor.now() - t
    truthy(took >= 59 and took < 400, "took " .. took)
    equal(expect_message(function(m) return m.ref == ref end).reason, "killed")
    equal(text(), "+x")
  end)
  it("brutal_kill: at once, no terminate", function()
    reset()
    local sup = stubborn("brutal_kill", function() end)
    local ref = dozor.monitor(S.child(sup, "x").pid)
    S.stop(sup)
    equal(expect_message(function(m) return m.ref == ref end).reason, "killed")
    equal(text(), "+x")
  end)
  it("infinity: waits", function()
    reset()
    local sup = stubborn("infinity", function() dozor.sleep(200) end)
    local t = dozor.now()
    S.stop(sup)
    truthy(dozor.now() - t >= 199)
    equal(text(), "+x -x")
  end)
  it("0: stop and kill", function()
    reset()
    local sup = stubborn(0, function() dozor.sleep(3000) end)
    local t = dozor.now()
    S.stop(sup)
    truthy(dozor.now() - t < 500)
  end)
  it("a plain process that traps gets the message and its time", function()
    reset()
    local got, sup
    local plain = function()
      live[dozor.self()] = "plain"
      dozor.trap_exit(true)
      got = dozor.receive("infinity")
      note("left by itself")
    end
    sup = S.start { children = { { id = "p", start = function() return dozor.spawn(plain, {}) end, shutdown_timeout = 1000 } } }
    wait_until(function() return next(live) end)
    equal(dozor.info(S.child(sup, "p").pid).supervisor, sup)
    local t = dozor.now()
    S.stop(sup)
    truthy(dozor.now() - t < 500)
    equal(got.type, "exit")
    equal(got.reason, "shutdown")
    equal(text(), "left by itself")
    -- one that does not leave
    reset()
    sup = S.start { children = { { id = "p", start = function() return dozor.spawn(function()
      live[dozor.self()] = "stays"
      dozor.trap_exit(true)
      while true do dozor.receive("infinity") end
    end, {}) end, shutdown_timeout = 50 } } }
    wait_until(function() return next(live) end)
    t = dozor.now()
    S.stop(sup)
    local took = dozor.now() - t
    truthy(took >= 49 and took < 500, "took " .. took)
    equal(alive(), 0)
  end)
  it("a plain process that does not trap ends at once", function()
    reset()
    local pid
    local sup = S.start { children = { { id = "p", start = function() pid = dozor.spawn(function() dozor.sleep("infinity") end, {}) return pid end } } }
    local ref = dozor.monitor(pid)
    local t = dozor.now()
    S.stop(sup)
    truthy(dozor.now() - t < 500)
    equal(expect_message(function(m) return m.ref == ref end).reason, "shutdown")
  end)
end)

describe("a start function that returns a supervisor", function()
  it("makes a child that is given the time its own children need", function()
    reset()
    local sup = S.start { name = "outer_of_function", children = { { id = "inner", start = function()
      return S.start { children = { kid("slow", { terminate = function() dozor.sleep(5200) end }, { shutdown_timeout = "infinity" }) } }
    end } } }
    equal(S.count_children(sup), { specs = 1, active = 1, supervisors = 1, workers = 0 })
    equal(dozor.info(S.child(sup, "inner").pid).supervisor, sup)
    S.stop(sup)
    equal(text(), "+slow -slow")
    equal(alive(), 0)
  end)
end)

describe("killing a supervisor", function()
  it("ends the whole subtree with reason killed, terminate runs", function()
    reset()
    local sup = S.start { name = "victim", children = { kid("a", { reason = true, trap = true }),
      { id = "s", supervisor = { children = { kid("b", { reason = true }), { id = "s2", supervisor = { children = { kid("c", { reason = true }) } } } } } } } }
    equal(text(), "+a +b +c")
    local refs, n = {}, 0
    for pid, id in pairs(live) do refs[dozor.monitor(pid)] = id n = n + 1 end
    equal(n, 3)
    journal = {}
    dozor.kill(sup)
    for _ = 1, 3 do
      local m = expect_message(function(m) return m.type == "down" end)
      equal(m.reason, "killed")
    end
    table.sort(journal)
    equal(text(), "-a:killed -b:killed -c:killed")
    equal(S.is_running(sup), false)
    equal(dozor.global.whereis("victim"), nil)
    wait_until(function() return #dozor.registered() >= 0 and alive() == 0 end)
  end)
end)

describe("concurrency", function()
  it("queries are answered in a moment while an init is slow", function()
    reset()
    local sup = S.start { children = { kid "a" } }
    local me = dozor.self()
    dozor.spawn(function() dozor.send(me, { "started", S.start_child(sup, kid("slow", { init = function() dozor.sleep(300) end })) }) end, {})
    wait_until(function() return S.child(sup, "slow") end)
    local t = dozor.now()
    for _ = 1, 20 do
      equal(S.child(sup, "slow").status, "starting")
      equal(#S.children(sup), 2)
      equal(S.count_children(sup).specs, 2)
      equal(S.stats(sup).child_count, 2)
      equal(S.is_running(sup), true)
    end
    local took = dozor.now() - t
    truthy(took < 100, "took " .. took)
    equal(S.child(sup, "slow").status, "starting")
    -- other requests wait their turn
    dozor.spawn(function() S.terminate_child(sup, "a") dozor.send(me, { "terminated" }) end, {})
    dozor.spawn(function() dozor.send(me, { "second", S.start_child(sup, kid "after") }) end, {})
    equal(dozor.receive(50), nil)
    equal(expect_message()[1], "started")
    local rest = { expect_message()[1], expect_message()[1] }
    table.sort(rest)
    equal(rest, { "second", "terminated" })
    S.stop(sup)
    equal(alive(), 0)
  end)

  it("stop during a start: caller gets child_start_failed, cause shutdown", function()
    reset()
    local sup = S.start { name = "sds", children = { kid "a" } }
    local me = dozor.self()
    dozor.spawn(function()
      local ok, err = pcall(S.start_child, sup, kid("slow", { init = function() dozor.sleep(60000) end }))
      dozor.send(me, { ok, err })
    end, {})
    local slow = wait_until(function() return S.child(sup, "slow") end)
    equal(slow.status, "starting")
    local t = dozor.now()
    S.stop(sup)
    truthy(dozor.now() - t < 500)
    equal(alive(), 0)
    local got = expect_message()
    equal(got[1], false)
    equal(got[2].code, "child_start_failed")
    equal(got[2].cause, "shutdown")
    equal(got[2].child_id, "slow")
    equal(got[2].supervisor_id, "sds")
    equal(text(), "+a +slow -a")
  end)

  it("stop during the very start of the supervisor", function()
    reset()
    local me = dozor.self()
    dozor.spawn(function()
      local ok, err = pcall(S.start, { name = "early", children = { kid "a", kid("slow", { init = function() dozor.sleep(60000) end }, { start_timeout = "infinity" }) } })
      dozor.send(me, { ok, err })
    end, {})
    local sup = wait_until(function() return text() == "+a +slow" and dozor.global.whereis("early") end)
    S.stop(sup)
    equal(alive(), 0)
    local got = expect_message()
    equal(got[1], false)
    equal(got[2].code, "child_start_failed")
    equal(got[2].cause, "shutdown")
    equal(text(), "+a +slow -a")
  end)

  it("terminate_child of the starting child", function()
    reset()
    local sup = S.start { name = "tcs", children = { kid "a" } }
    local me = dozor.self()
    dozor.spawn(function()
      local ok, err = pcall(S.start_child, sup, kid("slow", { init = function() dozor.sleep(60000) end }))
      dozor.send(me, { ok, err })
    end, {})
    wait_until(function() return S.child(sup, "slow") end)
    S.terminate_child(sup, "slow")
    local got = expect_message()
    equal(got[1], false)
    equal(got[2].code, "child_start_failed")
    equal(got[2].cause, "shutdown")
    equal(S.child(sup, "slow"), nil)
    equal(#S.children(sup), 1)
    equal(alive(), 1)
    S.stop(sup)
    equal(text(), "+a +slow -a")
  end)

  it("an exit signal to the supervisor breaks a start off", function()
    reset()
    local me = dozor.self()
    local owner = dozor.spawn(function()
      local sup = S.start { name = "exs", children = { kid "a" } }
      dozor.link(sup)
      dozor.send(me, sup)
      dozor.receive("infinity")
      dozor.exit("bye")
    end, {})
    local sup = expect_message()
    dozor.spawn(function()
      local ok, err = pcall(S.start_child, sup, kid("slow", { init = function() dozor.sleep(60000) end }))
      dozor.send(me, { ok, err })
    end, {})
    wait_until(function() return S.child(sup, "slow") end)
    local ref = dozor.monitor(sup)
    dozor.send(owner, "go")
    local got = expect_message(function(m) return m.ref == nil end)
    equal(got[1], false)
    equal(got[2].code, "child_start_failed")
    equal(expect_message(function(m) return m.ref == ref end).reason, "bye")
    equal(alive(), 0)
    equal(text(), "+a +slow -a")
  end)

  it("restart_child five times at once on one child", function()
    reset()
    local sup = S.start { children = { kid("a", nil, { name = "five" }), kid "b" } }
    local me = dozor.self()
    for _ = 1, 5 do dozor.spawn(function() dozor.send(me, { pcall(S.restart_child, sup, "a") }) end, {}) end
    local pids = {}
    for _ = 1, 5 do
      local m = expect_message()
      equal(m[1], true)
      truthy(not pids[m[2]], "a pid of its own")
      pids[m[2]] = true
    end
    equal(alive(), 2)
    equal(S.child(sup, "a").restart_count, 5)
    equal(S.stats(sup).total_restarts, 0)
    S.stop(sup)
    equal(alive(), 0)
  end)

  it("twenty start_child with one id: one wins", function()
    reset()
    local sup = S.start { children = {} }
    local me = dozor.self()
    for _ = 1, 20 do
      dozor.spawn(function() local ok, v = pcall(S.start_child, sup, kid("one", { init = function() dozor.sleep(20) end })) dozor.send(me, { ok, type(v) == "table" and v.code or v }) end, {})
    end
    local won = 0
    for _ = 1, 20 do
      local m = expect_message()
      if m[1] then won = won + 1 else equal(m[2], "duplicate_child") end
    end
    equal(won, 1)
    equal(alive(), 1)
    equal(#S.children(sup), 1)
    S.stop(sup)
  end)

  it("two hundred start_child and terminate_child mixed leave nothing", function()
    reset()
    local sup = S.start { children = {} }
    local me = dozor.self()
    for i = 1, 100 do
      dozor.spawn(function() pcall(S.start_child, sup, kid("c" .. i % 10)) dozor.send(me, 1) end, {})
      dozor.spawn(function() pcall(S.terminate_child, sup, "c" .. i % 10) dozor.send(me, 1) end, {})
      dozor.spawn(function() pcall(S.restart_child, sup, "c" .. i % 10) dozor.send(me, 1) end, {})
    end
    for _ = 1, 300 do expect_message() end
    equal(alive(), S.count_children(sup).active)
    S.stop(sup)
    equal(alive(), 0)
  end)

  it("a child may ask and change its own supervisor", function()
    reset()
    local sup = S.start { name = "own", children = { { id = "asker", behavior = {
      init = function() return {} end,
      handle_call = function(msg)
        if msg == "grow" then return (S.start_child("own", kid "grown")) end
        if msg == "look" then return #S.children("own") end
      end } } } }
    local asker = S.child(sup, "asker").pid
    truthy(dozor.alive(dozor.call(asker, "grow")))
    equal(dozor.call(asker, "look"), 2)
    S.stop(sup)
  end)

  it("a child's init may ask its own supervisor", function()
    reset()
    local seen
    local sup = S.start { name = "own2", children = { kid "a", kid("b", { init = function() seen = S.children("own2") end }) } }
    equal(#seen, 2)
    equal(seen[2].status, "starting")
    S.stop(sup)
  end)

  it("a child that stops its own supervisor", function()
    reset()
    local sup = S.start { name = "suicide", children = { kid "a", { id = "x", behavior = {
      init = function() return {} end, handle_cast = function() S.stop("suicide") note("never") end } } } }
    local ref = dozor.monitor(sup)
    dozor.cast(S.child(sup, "x").pid, "go")
    equal(expect_message(function(m) return m.ref == ref end, 7000).reason, "normal")
    equal(alive(), 0)
    equal(text(), "+a -a")
  end)

  it("a child that terminates itself through its supervisor", function()
    reset()
    local sup = S.start { name = "selfterm", children = { kid "a", { id = "x", behavior = {
      init = function() return {} end, handle_cast = function() S.terminate_child("selfterm", "x") note("never") end } } } }
    dozor.cast(S.child(sup, "x").pid, "go")
    wait_until(function() return not S.child(sup, "x") end, 1000)
    S.stop(sup)
    equal(text(), "+a -a")
  end)
end)
