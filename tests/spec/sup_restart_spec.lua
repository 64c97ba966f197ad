--- sup_restart_spec.lua - restarts: which ends lead to one, in which order, how many, and when the supervisor gives up.

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

local function recorder(id, opts)
  opts = opts or {}
  return {
    init = function(...)
      note("+" .. id)
      live[dozor.self()] = id
      if opts.init then opts.init(...) end
      return {}
    end,
    handle_call = function(msg)
      if msg == "return" then return 1 end
      if msg == "raise" then error("in a call") end
    end,
    handle_cast = function(msg)
      if msg.raise then error(msg.raise) end
      if msg.raise_in then dozor.sleep(msg.raise_in) error("later") end
      if msg.exit ~= nil then dozor.exit(msg.exit) end
    end,
    terminate = function(reason)
      if opts.terminate then opts.terminate(reason) end
      if not opts.silent then note("-" .. id) end
    end,
  }
end

local function kid(id, extra, opts)
  local child = { id = id, behavior = recorder(id, opts) }
  for k, v in pairs(extra or {}) do child[k] = v end
  return child
end

local function pid_of(sup, id) local c = S.child(sup, id) return c and c.pid end
local function end_child(sup, id, how)
  local pid = pid_of(sup, id)
  if how == "kill" then dozor.kill(pid)
  elseif how == "stop" then dozor.stop(pid)
  elseif how == "stop_shutdown" then dozor.stop(pid, "shutdown")
  elseif how == "stop_other" then dozor.stop(pid, "because")
  elseif how == "call_raise" then pcall(dozor.call, pid, "raise")
  else dozor.cast(pid, how) end
  return pid
end
local function down_reason(ref) return expect_message(function(m) return type(m) == "table" and m.ref == ref end).reason end
local function settled(sup)
  wait_until(function()
    for _, c in ipairs(S.children(sup)) do
      if c.status ~= "running" and c.status ~= "stopped" then return false end
    end
    return true
  end)
end

local NORMAL = {
  { "exit normal", { exit = "normal" } }, { "exit shutdown", { exit = "shutdown" } },
  { "exit {code=shutdown}", { exit = { code = "shutdown", detail = 5 } } }, { "stop", "stop" }, { "stop shutdown", "stop_shutdown" },
}
local ABNORMAL = {
  { "raise", { raise = "bug" } }, { "raise a table", { raise = { code = "odd" } } },
  { "exit other", { exit = "other" } }, { "exit {code=other}", { exit = { code = "other" } } }, { "exit 5", { exit = 5 } },
  { "exit killed", { exit = "killed" } }, { "exit false", { exit = false } }, { "exit {}", { exit = {} } }, { "exit { 'shutdown' }", { exit = { "shutdown" } } },
  { "exit NORMAL", { exit = "NORMAL" } },
  { "kill", "kill" }, { "stop other", "stop_other" }, { "raise in a call", "call_raise" },
  { "raise {code=shutdown} is still an error?", nil },
}

describe("restart type and exit", function()
  local function matrix(kind, cases, expected)
    for _, case in ipairs(cases) do
      if case[2] ~= nil then
        it(kind .. ": " .. case[1] .. " -> " .. expected, function()
          reset()
          local sup = S.start { children = { kid("keep"), kid("x", { restart = kind }) } }
          local keep = pid_of(sup, "keep")
          local old = end_child(sup, "x", case[2])
          wait_until(function() return not dozor.alive(old) end)
          if expected == "restarted" then
            wait_until(function() local c = S.child(sup, "x") return c and c.status == "running" and c.pid ~= old end)
            equal(S.child(sup, "x").restart_count, 1)
            equal(S.stats(sup).total_restarts, 1)
          elseif expected == "stopped" then
            wait_until(function() local c = S.child(sup, "x") return c and c.status == "stopped" end)
            equal(S.child(sup, "x").restart_count, 0)
            equal(S.stats(sup).total_restarts, 0)
            equal(alive(), 1)
          else
            wait_until(function() return S.child(sup, "x") == nil end)
            equal(S.stats(sup).total_restarts, 0)
            equal(alive(), 1)
          end
          equal(pid_of(sup, "keep"), keep)
          S.stop(sup)
          equal(alive(), 0)
        end)
      end
    end
  end
  matrix("permanent", NORMAL, "restarted")
  matrix("permanent", ABNORMAL, "restarted")
  matrix("transient", NORMAL, "stopped")
  matrix("transient", ABNORMAL, "restarted")
  matrix("temporary", NORMAL, "removed")
  matrix("temporary", ABNORMAL, "removed")
end)

describe("one_for_all", function()
  it("stops the others in reverse, skipping the dead one, then starts all", function()
    reset()
    local sup = S.start { strategy = "one_for_all", children = { kid "a", kid("b", nil, { silent = true }), kid "c", kid "d" } }
    journal = {}
    end_child(sup, "b", { raise = "x" })
    wait_until(function() return text():find("+d", 1, true) end)
    settled(sup)
    equal(text(), "-d -c -a +a +b +c +d")
    for _, c in ipairs(S.children(sup)) do equal(c.restart_count, 1) end
    equal(S.stats(sup).total_restarts, 1)
    S.stop(sup)
  end)
  it("temporary siblings are removed, transient ones that ended are started again", function()
    reset()
    local sup = S.start { strategy = "one_for_all", children = { kid("t", { restart = "transient" }), kid("tmp", { restart = "temporary" }), kid "p" } }
    end_child(sup, "t", { exit = "normal" })
    wait_until(function() return S.child(sup, "t").status == "stopped" end)
    journal = {}
    end_child(sup, "p", "kill")
    wait_until(function() return text():find("+p", 1, true) end)
    settled(sup)
    equal(text(), "-tmp +t +p")
    equal(#S.children(sup), 2)
    S.stop(sup)
  end)
  it("a temporary child's crash and a transient one's normal end start no round", function()
    reset()
    local sup = S.start { strategy = "one_for_all", children = { kid "a", kid("tmp", { restart = "temporary" }), kid("t", { restart = "transient" }) } }
    local a = pid_of(sup, "a")
    journal = {}
    end_child(sup, "tmp", { raise = "x" })
    wait_until(function() return not S.child(sup, "tmp") end)
    end_child(sup, "t", { exit = "shutdown" })
    wait_until(function() return S.child(sup, "t").status == "stopped" end)
    equal(pid_of(sup, "a"), a)
    equal(text(), "-tmp -t")
    S.stop(sup)
  end)
  it("a temporary child that crashes in a round is gone too", function()
    reset()
    local sup = S.start { strategy = "one_for_all", children = { kid("tmp", { restart = "temporary" }), kid "p" } }
    end_child(sup, "tmp", "kill")
    end_child(sup, "p", "kill")
    wait_until(function() return #S.children(sup) == 1 and S.child(sup, "p").status == "running" and S.child(sup, "p").restart_count == 1 end)
    S.stop(sup)
  end)
  it("init failing in a round: the whole round starts over, counted and retried", function()
    reset()
    local fails = 0
    local sup = S.start { strategy = "one_for_all", restart_intensity = { max_restarts = 5, within_ms = 60000 }, children = {
      kid "a", kid("b", nil, { init = function() if fails > 0 then fails = fails - 1 error("not yet") end end }), kid "c" } }
    fails = 2
    journal = {}
    end_child(sup, "c", "kill")
    wait_until(function() return text():find("+c", 1, true) end)
    settled(sup)
    equal(text(), "-b -a +a +b -a +a +b -a +a +b +c")
    equal(S.stats(sup).total_restarts, 1)
    equal(alive(), 3)
    S.stop(sup)
  end)
end)

describe("rest_for_one", function()
  it("earlier children keep pid and state", function()
    reset()
    local sup = S.start { strategy = "rest_for_one", children = { kid "a", kid("b", nil, { silent = true }), kid "c", kid "d" } }
    local a = pid_of(sup, "a")
    journal = {}
    end_child(sup, "b", { raise = "x" })
    wait_until(function() return text():find("+d", 1, true) end)
    settled(sup)
    equal(text(), "-d -c +b +c +d")
    equal(pid_of(sup, "a"), a)
    journal = {}
    end_child(sup, "d", "kill")
    wait_until(function() return text():find("+d", 1, true) end)
    settled(sup)
    equal(text(), "+d")
    S.stop(sup)
  end)
  it("stopped transient children behind the dead one are started, before it not", function()
    reset()
    local sup = S.start { strategy = "rest_for_one", children = { kid("t1", { restart = "transient" }), kid "x", kid("t2", { restart = "transient" }) } }
    end_child(sup, "t1", { exit = "normal" })
    end_child(sup, "t2", { exit = "normal" })
    wait_until(function() return S.child(sup, "t1").status == "stopped" and S.child(sup, "t2").status == "stopped" end)
    journal = {}
    end_child(sup, "x", "kill")
    wait_until(function() return text():find("+t2", 1, true) end)
    settled(sup)
    equal(text(), "+x +t2")
    equal(S.child(sup, "t1").status, "stopped")
    S.stop(sup)
  end)
  it("init failing: from the child that failed", function()
    reset()
    local fails = 0
    local sup = S.start { strategy = "rest_for_one", restart_intensity = { max_restarts = 5, within_ms = 60000 }, children = {
      kid "a", kid "b", kid("c", nil, { init = function() if fails > 0 then fails = fails - 1 error("not yet") end end }), kid "d" } }
    fails = 2
    journal = {}
    end_child(sup, "b", "kill")
    wait_until(function() return text():find("+d", 1, true) end)
    settled(sup)
    equal(text(), "-d -c +b +c +c +c +d")
    S.stop(sup)
  end)
  it("dynamic children are at the end, order survives removal and restart_child", function()
    reset()
    local sup = S.start { strategy = "rest_for_one", children = { kid "a", kid "b" } }
    S.start_child(sup, kid "c")
    S.start_child(sup, kid "d")
    S.terminate_child(sup, "b")
    S.restart_child(sup, "c")
    journal = {}
    end_child(sup, "a", "kill")
    wait_until(function() return text():find("+d", 1, true) end)
    settled(sup)
    equal(text(), "-d -c +a +c +d")
    S.stop(sup)
  end)
end)

describe("two crashes in one moment", function()
  for _, strategy in ipairs { "one_for_all", "rest_for_one", "one_for_one" } do
    it(strategy, function()
      reset()
      local sup = S.start { strategy = strategy, children = { kid("a", nil, { silent = true }), kid("b", nil, { silent = true }), kid("c", nil, { silent = true }) } }
      journal = {}
      local a, c = pid_of(sup, "a"), pid_of(sup, "c")
      dozor.kill(a)
      dozor.kill(c)
      wait_until(function() local x, y = S.child(sup, "a"), S.child(sup, "c") return x.status == "running" and y.status == "running" and x.pid ~= a and y.pid ~= c end)
      dozor.sleep(20)
      settled(sup)
      equal(alive(), 3)
      if strategy ~= "one_for_one" then
        equal(text(), "+a +b +c")
        equal(S.stats(sup).total_restarts, 1)
      else
        equal(text(), "+a +c")
        equal(S.stats(sup).total_restarts, 2)
      end
      S.stop(sup)
    end)
  end
  it("a sibling that crashes while its round stops it counts nothing", function()
    reset()
    local sup = S.start { strategy = "one_for_all", restart_intensity = { max_restarts = 1, within_ms = 60000 }, children = {
      kid("a", nil, { terminate = function() error("in terminate") end }), kid("b", nil, { silent = true }), kid("c", nil, { terminate = function() dozor.sleep(20) error("too") end }) } }
    journal = {}
    end_child(sup, "b", "kill")
    wait_until(function() return text():find("+c", 1, true) end)
    settled(sup)
    dozor.sleep(20)
    equal(S.is_running(sup), true)
    equal(text(), "+a +b +c")
    equal(S.stats(sup).total_restarts, 1)
    S.stop(sup)
  end)
  it("a crash during shutdown is no restart", function()
    reset()
    local sup
    sup = S.start { children = { kid("a"), kid("b", nil, { terminate = function() dozor.kill(pid_of(sup, "a")) dozor.sleep(20) end }) } }
    S.stop(sup)
    equal(text(), "+a +b -b")
    equal(alive(), 0)
  end)
end)

describe("failing restarts", function()
  it("count, show restarting, and end the supervisor when there are too many", function()
    reset()
    local fail = false
    local sup = S.start { name = "failing", restart_intensity = { max_restarts = 3, within_ms = 60000 }, children = {
      kid "a", kid("x", nil, { init = function() if fail then error("still broken") end end }) } }
    fail = true
    local ref = dozor.monitor(sup)
    journal = {}
    end_child(sup, "x", "kill")
    local reason = down_reason(ref)
    equal(reason.code, "max_restarts_exceeded")
    equal(reason.supervisor_id, "failing")
    equal(reason.max_restarts, 3)
    equal(reason.within_ms, 60000)
    truthy(reason.cause ~= nil, "cause")
    contains(show(reason.cause), "still broken")
    equal(text(), "+x +x +x -a")
    equal(alive(), 0)
  end)
  it("are spaced by backoff", function()
    reset()
    local fail, times = false, {}
    local sup = S.start { restart_intensity = { max_restarts = 10, within_ms = 60000 }, children = {
      kid("x", { backoff = { initial_ms = 40, max_ms = 80, factor = 2, jitter = 0, reset_after_ms = 100 } },
        { init = function() times[#times + 1] = dozor.now() if fail then error("broken") end end }) } }
    fail = true
    local t0 = dozor.now()
    end_child(sup, "x", "kill")
    wait_until(function() return S.child(sup, "x").status == "restarting" end)
    equal(S.child(sup, "x").pid, nil)
    wait_until(function() return #times == 4 end)
    fail = false
    wait_until(function() return S.child(sup, "x").status == "running" end)
    local gaps = {}
    local prev = t0
    for i = 2, 5 do gaps[#gaps + 1] = times[i] - prev prev = times[i] end
    local expected = { 40, 80, 80, 80 }
    for i, g in ipairs(gaps) do truthy(g >= expected[i] - 1 and g < expected[i] + 60, ("gap %d: %g"):format(i, g)) end
    -- healthy for reset_after_ms: back to the initial delay
    dozor.sleep(150)
    t0 = dozor.now()
    end_child(sup, "x", "kill")
    wait_until(function() return #times == 6 end)
    local g = times[6] - t0
    truthy(g >= 39 and g < 78, "after reset " .. g)
    S.stop(sup)
  end)
  it("a delayed restart dies with terminate_child, restart_child and the supervisor", function()
    for _, how in ipairs { "terminate", "restart", "stop" } do
      reset()
      local sup = S.start { children = { kid("x", { backoff = { initial_ms = 60, jitter = 0 } }) } }
      end_child(sup, "x", "kill")
      wait_until(function() return S.child(sup, "x").status == "restarting" end)
      if how == "terminate" then S.terminate_child(sup, "x") equal(S.child(sup, "x"), nil)
      elseif how == "restart" then truthy(dozor.alive(S.restart_child(sup, "x")))
      else S.stop(sup) end
      local before = text()
      dozor.sleep(100)
      equal(text(), before)
      equal(alive(), how == "restart" and 1 or 0)
      S.stop(sup)
    end
  end)
  it("terminate_child of the child that keeps a round from finishing: the round goes on", function()
    reset()
    local fail = false
    local sup = S.start { strategy = "rest_for_one", restart_intensity = { max_restarts = 1000, within_ms = 1000 }, children = {
      kid "a", kid("b", { backoff = { initial_ms = 30, jitter = 0 } }, { init = function() if fail then error("never") end end }), kid "c" } }
    fail = true
    journal = {}
    end_child(sup, "a", "kill")
    wait_until(function() return S.child(sup, "b").status == "restarting" end)
    equal(S.child(sup, "c").status, "restarting")
    S.terminate_child(sup, "b")
    wait_until(function() return S.child(sup, "c").status == "running" end)
    equal(S.child(sup, "b"), nil)
    equal(alive(), 2)
    S.stop(sup)
  end)
  it("a name is free for the replacement, local and global", function()
    reset()
    local sup = S.start { children = { kid("x", { name = "the_local", global = "the_global" }) } }
    for _ = 1, 3 do
      local old = end_child(sup, "x", { raise = "x" })
      wait_until(function() local c = S.child(sup, "x") return c.status == "running" and c.pid ~= old end)
      equal(dozor.whereis("the_local"), pid_of(sup, "x"))
      equal(dozor.global.whereis("the_global"), pid_of(sup, "x"))
    end
    S.stop(sup)
    equal(dozor.whereis("the_local"), nil)
    equal(dozor.global.whereis("the_global"), nil)
  end)
end)

describe("intensity", function()
  local function storm(n, within, kills, gap)
    reset()
    local sup = S.start { restart_intensity = { max_restarts = n, within_ms = within }, children = { kid "x" } }
    for i = 1, kills do
      local old = end_child(sup, "x", "kill")
      wait_until(function() if not S.is_running(sup) then return true end local ok, c = pcall(S.child, sup, "x") return not ok or (c and c.status == "running" and c.pid ~= old) end)
      if not S.is_running(sup) then return i, sup end
      if gap then dozor.sleep(gap) end
    end
    return nil, sup
  end
  it("max_restarts within the window are allowed, one more is not", function()
    for _, n in ipairs { 0, 1, 2, 3, 10 } do
      local at = storm(n, 60000, n + 1)
      equal(at, n + 1)
    end
  end)
  it("outside the window they are forgotten", function()
    local at, sup = storm(1, 50, 6, 60)
    equal(at, nil)
    S.stop(sup)
  end)
  it("the default is 3 in 5000", function()
    reset()
    local sup = S.start { children = { kid "x" } }
    local ref = dozor.monitor(sup)
    for _ = 1, 4 do
      local old = end_child(sup, "x", "kill")
      wait_until(function() local ok, c = pcall(S.child, sup, "x") return not ok or (c and c.pid and c.pid ~= old) end)
    end
    local reason = down_reason(ref)
    equal({ reason.code, reason.max_restarts, reason.within_ms, reason.cause }, { "max_restarts_exceeded", 3, 5000, "killed" })
    truthy(reason.supervisor_id:match("^sup_%d+@"))
    for k in pairs(reason) do truthy(({ code = 1, supervisor_id = 1, max_restarts = 1, within_ms = 1, cause = 1, message = 1 })[k], "no field " .. k) end
  end)
  it("remaining children stop in reverse order", function()
    reset()
    local sup = S.start { restart_intensity = { max_restarts = 0, within_ms = 5000 }, children = { kid "a", kid "b", kid "c", kid "d" } }
    local ref = dozor.monitor(sup)
    journal = {}
    end_child(sup, "b", "kill")
    equal(down_reason(ref).code, "max_restarts_exceeded")
    equal(text(), "-d -c -a")
    equal(alive(), 0)
  end)
  it("siblings, restart_child, terminate_child do not count", function()
    reset()
    local sup = S.start { strategy = "one_for_all", restart_intensity = { max_restarts = 2, within_ms = 60000 }, children = { kid "a", kid "b", kid "c", kid "d" } }
    for _ = 1, 2 do
      local old = end_child(sup, "a", "kill")
      wait_until(function() local c = S.child(sup, "d") return S.child(sup, "a").pid ~= old and c.status == "running" end)
      settled(sup)
    end
    for _ = 1, 5 do S.restart_child(sup, "b") end
    S.terminate_child(sup, "d")
    equal(S.is_running(sup), true)
    equal(S.stats(sup).total_restarts, 2)
    S.stop(sup)
  end)
end)

describe("nested", function()
  it("stopping the parent stops the subtree in order", function()
    reset()
    local sup = S.start { children = { kid "a", { id = "in", supervisor = { children = { kid "b", kid "c" } } }, kid "d" } }
    equal(text(), "+a +b +c +d")
    journal = {}
    S.stop(sup)
    equal(text(), "-d -c -b -a")
  end)
  it("inner excess: subtree gone, restarted fresh with static children, one restart", function()
    reset()
    local inner_started = 0
    local sup = S.start { children = { kid "a", { id = "in", supervisor = { restart_intensity = { max_restarts = 0 }, children = { kid "b", kid "c" } } } } }
    local inner = pid_of(sup, "in")
    S.start_child(inner, kid "dyn")
    journal = {}
    dozor.kill(pid_of(inner, "b"))
    wait_until(function() local c = S.child(sup, "in") return c.status == "running" and c.pid ~= inner end)
    equal(text(), "-dyn -c +b +c")
    equal(S.stats(sup).total_restarts, 1)
    equal(S.child(sup, "in").restart_count, 1)
    equal(#S.children(pid_of(sup, "in")), 2)
    equal(alive(), 3)
    truthy(inner_started == 0)
    S.stop(sup)
    equal(alive(), 0)
  end)
  it("a transient inner supervisor is restarted on excess, a temporary one is not", function()
    for _, restart in ipairs { "transient", "temporary" } do
      reset()
      local sup = S.start { children = { { id = "in", restart = restart, supervisor = { restart_intensity = { max_restarts = 0 }, children = { kid "b" } } } } }
      local inner = pid_of(sup, "in")
      dozor.kill(pid_of(inner, "b"))
      wait_until(function() return not dozor.alive(inner) end)
      if restart == "transient" then
        wait_until(function() local c = S.child(sup, "in") return c.status == "running" and c.pid ~= inner end)
      else
        wait_until(function() return not S.child(sup, "in") end)
      end
      S.stop(sup)
      equal(alive(), 0)
    end
  end)
  it("excess climbs up through all levels", function()
    reset()
    local one = { max_restarts = 1, within_ms = 60000 }
    local sup = S.start { name = "top", restart_intensity = one, children = { kid "t", { id = "mid", supervisor = { restart_intensity = one, children = { { id = "low", supervisor = { restart_intensity = one, children = { kid "x" } } } } } } } }
    local ref = dozor.monitor(sup)
    local inits = 0
    while S.is_running(sup) do
      for pid, id in pairs(live) do if id == "x" and dozor.alive(pid) then dozor.kill(pid) inits = inits + 1 end end
      dozor.sleep(1)
    end
    local reason = down_reason(ref)
    equal(reason.code, "max_restarts_exceeded")
    equal(reason.supervisor_id, "top")
    equal(reason.cause.code, "max_restarts_exceeded")
    equal(inits, 8)
    equal(alive(), 0)
  end)
  it("by name with args", function()
    reset()
    dozor.behaviors.register("named_tree", function(n, prefix)
      local children = {}
      for i = 1, n do children[i] = kid(prefix .. i) end
      return { children = children }
    end)
    local sup = S.start { children = { { id = "in", supervisor = "named_tree", args = { 3, "n" } } } }
    equal(text(), "+n1 +n2 +n3")
    equal(S.count_children(sup).supervisors, 1)
    local inner = pid_of(sup, "in")
    dozor.kill(inner)
    wait_until(function() local c = S.child(sup, "in") return c.status == "running" and c.pid ~= inner end)
    equal(#S.children(pid_of(sup, "in")), 3)
    equal(alive(), 3)
    local alone = S.start("named_tree", { 2, "m" })
    equal(#S.children(alone), 2)
    S.stop(alone)
    -- a spec name as `behavior`
    local sup2 = S.start { children = { { id = "in", behavior = "named_tree", args = { 1, "o" } } } }
    equal(S.count_children(sup2).supervisors, 1)
    S.stop(sup2)
    S.stop(sup)
    equal(alive(), 0)
    local pid = dozor.spawn("named_tree", { 2, "q" })
    equal(#S.children(pid), 2)
    dozor.stop(pid)
    equal(alive(), 0)
  end)
  it("given as a behaviour's name has the time of a supervisor to start, unless it is told", function()
    reset()
    dozor.behaviors.register("slow_tree", { children = { kid("s", { start_timeout = 8000 }, { init = function() dozor.sleep(5400) end }) } })
    local me = dozor.self()
    dozor.spawn(function() dozor.send(me, { pcall(S.start, { children = { { id = "in", behavior = "slow_tree" } } }) }) end, {})
    local t = dozor.now()
    raises("timeout", S.start, { children = { { id = "in", behavior = "slow_tree", start_timeout = 50 } } })
    truthy(dozor.now() - t < 3000)
    local answer = expect_message(function(m) return m[1] ~= nil end, 9000)
    truthy(answer[1], show(answer[2]))
    S.stop(answer[2])
    equal(alive(), 0)
  end)
  it("an inner spec that fails to evaluate is child_start_failed", function()
    reset()
    dozor.behaviors.register("broken_tree", function() error("no tree today") end)
    dozor.behaviors.register("garbage_tree", function() return 5 end)
    dozor.behaviors.register("wrong_tree", function() return { children = { { id = "x" } } } end)
    local broken = raises("init_failed", S.start, "broken_tree")
    equal(broken.behavior, "broken_tree")
    equal(broken.reason.code, "error")
    contains(broken.reason.message, "no tree today")
    contains(broken.reason.traceback, "sup_restart_spec.lua")
    local cause = raises("child_start_failed", S.start, { children = { { id = "in", supervisor = "broken_tree" } } }).cause
    contains(cause.message, "no tree today")
    raises("invalid_spec", S.start, "garbage_tree")
    raises("invalid_spec", S.start, "wrong_tree")
    for _, name in ipairs { "broken_tree", "garbage_tree", "wrong_tree" } do
      local ok, err = pcall(S.start, { children = { kid "a", { id = "in", supervisor = name } } })
      equal(ok, false)
      equal(err.child_id, "in")
      equal(alive(), 0)
    end
  end)
  it("the inner supervisor killed: its children end, the parent restarts it", function()
    reset()
    local sup = S.start { children = { { id = "in", supervisor = { children = { kid "b", kid "c" } } } } }
    local inner = pid_of(sup, "in")
    local b, c = pid_of(inner, "b"), pid_of(inner, "c")
    dozor.kill(inner)
    wait_until(function() local x = S.child(sup, "in") return x.status == "running" and x.pid ~= inner end)
    equal(dozor.alive(b), false)
    equal(dozor.alive(c), false)
    equal(alive(), 2)
    S.stop(sup)
  end)
  it("names in a killed subtree are free for its replacement", function()
    reset()
    local sup = S.start { restart_intensity = { max_restarts = 100, within_ms = 60000 }, children = { { id = "in", supervisor = { name = "inner_name", children = { kid("b", { name = "b_name" }), kid("c", { global = "c_name" }) } } } } }
    for _ = 1, 10 do
      local inner = pid_of(sup, "in")
      dozor.kill(inner)
      wait_until(function() local x = S.child(sup, "in") return x.status == "running" and x.pid ~= inner end)
      equal(dozor.whereis("b_name"), pid_of(pid_of(sup, "in"), "b"))
    end
    equal(S.stats(sup).total_restarts, 10)
    S.stop(sup)
    equal(alive(), 0)
  end)
  it("shutdown_timeout of an inner supervisor: its subtree is killed, terminate runs", function()
    reset()
    local sup = S.start { children = { { id = "in", shutdown_timeout = 50, supervisor = { children = {
      kid("quick"), kid("slow", { shutdown_timeout = "infinity" }, { terminate = function() dozor.sleep(500) end }) } } } } }
    local quick
    for pid, id in pairs(live) do if id == "quick" then quick = pid end end
    local ref = dozor.monitor(quick)
    local t = dozor.now()
    S.stop(sup)
    truthy(dozor.now() - t < 450, "took " .. (dozor.now() - t))
    equal(down_reason(ref), "killed")
    wait_until(function() return alive() == 0 end)
  end)
end)

describe("auto_shutdown", function()
  local function sup_with(mode, children, parent_restart)
    local spec = { auto_shutdown = mode, children = children }
    return parent_restart and S.start { children = { { id = "in", restart = parent_restart, supervisor = spec } } } or S.start(spec)
  end
  for _, how in ipairs { { exit = "normal" }, { raise = "crash" }, { exit = "shutdown" } } do
    it("any_significant " .. show(how), function()
      reset()
      local sup = sup_with("any_significant", { kid("critical", { significant = true }), kid "helper", kid("other", { significant = true }) })
      local ref = dozor.monitor(sup)
      end_child(sup, "critical", how)
      equal(down_reason(ref), "shutdown")
      equal(text(), "+critical +helper +other -critical -other -helper")
      equal(alive(), 0)
    end)
  end
  it("a helper's end does not", function()
    reset()
    local sup = sup_with("any_significant", { kid("critical", { significant = true }), kid("helper", { restart = "temporary" }), kid "perm" })
    end_child(sup, "helper", { raise = "x" })
    local old = end_child(sup, "perm", { raise = "x" })
    wait_until(function() local c = S.child(sup, "perm") return c.status == "running" and c.pid ~= old end)
    equal(S.is_running(sup), true)
    S.stop(sup)
  end)
  it("terminate_child of a significant child does not", function()
    reset()
    local sup = sup_with("any_significant", { kid("critical", { significant = true }), kid "helper" })
    S.terminate_child(sup, "critical")
    equal(S.is_running(sup), true)
    S.stop(sup)
    sup = sup_with("all_significant", { kid("critical", { significant = true }), kid "helper" })
    S.terminate_child(sup, "critical")
    equal(S.is_running(sup), true)
    S.stop(sup)
  end)
  it("a significant transient child that crashes is restarted, its normal end fires", function()
    reset()
    local sup = sup_with("any_significant", { kid("t", { significant = true, restart = "transient" }), kid "helper" })
    local old = end_child(sup, "t", { raise = "x" })
    wait_until(function() local c = S.child(sup, "t") return c.status == "running" and c.pid ~= old end)
    local ref = dozor.monitor(sup)
    end_child(sup, "t", { exit = "normal" })
    equal(down_reason(ref), "shutdown")
  end)
  it("all_significant: only after the last", function()
    reset()
    local sup = sup_with("all_significant", { kid("w1", { significant = true }), kid("w2", { significant = true, restart = "transient" }), kid "logger" })
    local ref = dozor.monitor(sup)
    end_child(sup, "w1", { raise = "x" })
    wait_until(function() return not S.child(sup, "w1") end)
    dozor.sleep(20)
    equal(S.is_running(sup), true)
    end_child(sup, "w2", { exit = "normal" })
    equal(down_reason(ref), "shutdown")
    equal(alive(), 0)
  end)
  it("siblings a round stops do not fire", function()
    reset()
    local sup = S.start { strategy = "one_for_all", auto_shutdown = "any_significant", children = { kid("sig", { significant = true }), kid("sigt", { significant = true, restart = "transient" }), kid "p" } }
    local old = end_child(sup, "p", "kill")
    wait_until(function() local c = S.child(sup, "p") return c.status == "running" and c.pid ~= old end)
    equal(S.child(sup, "sig"), nil)
    equal(S.is_running(sup), true)
    S.stop(sup)
  end)
  it("in a parent: permanent is restarted, transient and temporary are not", function()
    for _, restart in ipairs { "permanent", "transient", "temporary" } do
      reset()
      local sup = sup_with("any_significant", { kid("critical", { significant = true }), kid "helper" }, restart)
      local inner = pid_of(sup, "in")
      end_child(inner, "critical", { raise = "x" })
      wait_until(function() return not dozor.alive(inner) end)
      if restart == "permanent" then
        wait_until(function() local c = S.child(sup, "in") return c.status == "running" and c.pid ~= inner end)
        equal(alive(), 2)
      elseif restart == "transient" then
        wait_until(function() return S.child(sup, "in").status == "stopped" end)
        equal(alive(), 0)
      else
        wait_until(function() return not S.child(sup, "in") end)
        equal(alive(), 0)
      end
      S.stop(sup)
    end
  end)
  it("works in a template", function()
    reset()
    local sup = S.start { strategy = "simple_one_for_one", auto_shutdown = "all_significant", child_template = { behavior = recorder "p", significant = true } }
    local a, b = S.start_child(sup, {}), S.start_child(sup, {})
    local ref = dozor.monitor(sup)
    dozor.cast(a, { exit = "normal" })
    dozor.sleep(20)
    equal(S.is_running(sup), true)
    dozor.cast(b, { exit = "normal" })
    equal(down_reason(ref), "shutdown")
  end)
end)

describe("simple_one_for_one", function()
  it("args are joined, ids are child_1.., children in start order", function()
    reset()
    local got = {}
    local sup = S.start { strategy = "simple_one_for_one", child_template = { args = { "t1", "t2" }, behavior = {
      init = function(...) got[#got + 1] = { n = select("#", ...), ... } live[dozor.self()] = "p" return {} end } } }
    local p1, id1 = S.start_child(sup, { 1, { x = 2 } })
    local p2, id2 = S.start_child(sup, {})
    local p3, id3 = S.start_child(sup)
    equal({ id1, id2, id3 }, { "child_1", "child_2", "child_3" })
    equal(got[1], { n = 4, "t1", "t2", 1, { x = 2 } })
    equal(got[2], { n = 2, "t1", "t2" })
    equal(got[3], { n = 2, "t1", "t2" })
    local list = S.children(sup)
    for i, c in ipairs(list) do equal(c.id, "child_" .. i) end
    equal({ list[1].pid, list[2].pid, list[3].pid }, { p1, p2, p3 })
    S.terminate_child(sup, "child_2")
    local _, id4 = S.start_child(sup, {})
    equal(id4, "child_4")
    dozor.kill(p1)
    wait_until(function() local c = S.child(sup, "child_1") return c.status == "running" and c.pid ~= p1 end)
    equal(got[5], { n = 4, "t1", "t2", 1, { x = 2 } })
    S.restart_child(sup, "child_1")
    equal(got[6], { n = 4, "t1", "t2", 1, { x = 2 } })
    equal(S.count_children(sup), { specs = 1, active = 3, supervisors = 0, workers = 3 }) -- one spec, as in OTP
    S.stop(sup)
    equal(alive(), 0)
  end)
  it("stops all at once under one timer", function()
    reset()
    local sup = S.start { strategy = "simple_one_for_one", child_template = { shutdown_timeout = 200, behavior = recorder("p", { terminate = function() dozor.sleep(60) end }) } }
    for _ = 1, 50 do S.start_child(sup, {}) end
    local t = dozor.now()
    S.stop(sup)
    local took = dozor.now() - t
    truthy(took >= 59 and took < 180, "took " .. took)
    equal(alive(), 0)
    equal(select(2, text():gsub("%-p", "")), 50)
    reset()
    sup = S.start { strategy = "simple_one_for_one", child_template = { shutdown_timeout = 60, behavior = recorder("p", { terminate = function() dozor.sleep(60000) end }) } }
    for _ = 1, 50 do S.start_child(sup, {}) end
    t = dozor.now()
    S.stop(sup)
    took = dozor.now() - t
    truthy(took >= 59 and took < 180, "took " .. took)
    equal(alive(), 0)
  end)
  it("a start function as template", function()
    reset()
    local sup = S.start { strategy = "simple_one_for_one", child_template = { args = { "a" }, start = function(a, b) note(a .. b) return dozor.spawn(recorder("p"), {}) end } }
    S.start_child(sup, { "1" })
    S.start_child(sup, { "2" })
    equal(text(), "a1 +p a2 +p")
    S.stop(sup)
    equal(alive(), 0)
  end)
  it("a supervisor as template", function()
    reset()
    dozor.behaviors.register("pool_member", function(n) return { children = { kid("m" .. n) } } end)
    local sup = S.start { strategy = "simple_one_for_one", child_template = { supervisor = "pool_member" } }
    S.start_child(sup, { 1 })
    S.start_child(sup, { 2 })
    equal(text(), "+m1 +m2")
    equal(S.count_children(sup).supervisors, 2)
    S.stop(sup)
    equal(alive(), 0)
  end)
  it("transient template: normal end removes or keeps the record, crash restarts", function()
    reset()
    local sup = S.start { strategy = "simple_one_for_one", child_template = { behavior = recorder "p", restart = "transient" } }
    local a = S.start_child(sup, {})
    local b = S.start_child(sup, {})
    dozor.cast(a, { exit = "normal" })
    dozor.cast(b, { raise = "x" })
    wait_until(function() local c = S.child(sup, "child_2") return c and c.status == "running" and c.pid ~= b end)
    wait_until(function() local c = S.child(sup, "child_1") return not c or c.status == "stopped" end)
    note(S.child(sup, "child_1") and "kept" or "removed")
    S.stop(sup)
    equal(alive(), 0)
  end)
end)
