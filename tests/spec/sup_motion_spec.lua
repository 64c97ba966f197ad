--- sup_motion_spec.lua - supervisors disturbed while they are busy. What is counted are live processes, never records: every init
--- looks at who else lives, and after stop this node's processes are those of before.

local dozor = require "dozor"
local S = dozor.supervisor

local born   --- pid -> id of every process whose init ran
local limit  --- so many may live at once
local wrong  --- what an init saw that must not be

local function reset(children)
  born, wrong, limit = {}, {}, children
end

local function live(id)
  local count = 0
  for pid, whose in pairs(born) do
    if (id == nil or whose == id) and dozor.alive(pid) then count = count + 1 end
  end
  return count
end

local function starts(id)
  local count = 0
  for _, whose in pairs(born) do count = count + (whose == id and 1 or 0) end
  return count
end

local function look_around(id)
  if live(id) > 0 then wrong[#wrong + 1] = id .. " started beside an older one" end
  born[dozor.self()] = id
  if live() > limit then wrong[#wrong + 1] = ("%d live when %s started"):format(live(), id) end
end

--- hooks: init(nth start), terminate(reason).
local function kid(id, hooks, extra)
  hooks = hooks or {}
  local child = { id = id, behavior = {
    init = function()
      look_around(id)
      if hooks.init then hooks.init(starts(id)) end
      return {}
    end,
    handle_cast = function(msg) if msg == "crash" then error("crash of " .. id) end end,
    terminate = hooks.terminate,
  } }
  for key, value in pairs(extra or {}) do child[key] = value end
  return child
end

local function pid_of(sup, id) return S.child(sup, id).pid end

local function all_running(sup)
  for _, child in ipairs(S.children(sup)) do
    if child.status ~= "running" or not dozor.alive(child.pid) then return false end
  end
  return true
end

local function processes()
  local set = {}
  for _, pid in ipairs(dozor.processes()) do set[pid] = true end
  return set
end

--- Nothing lives now that did not live before: asked once, without waiting.
local function nothing_new_since(before)
  for pid in pairs(processes()) do
    if not before[pid] then error(("%s (%s) lives"):format(pid, tostring(born[pid])), 2) end
  end
  equal(wrong, {})
  equal(live(), 0)
end

--- Calls fn(...) in a process of its own; the returned function waits for { ok, result }.
local function at_once(fn, ...)
  local me, args = dozor.self(), { ... }
  local pid = dozor.spawn(function() dozor.send(me, { from = dozor.self(), pcall(fn, unpack(args)) }) end, {})
  return function()
    local answer = expect_message(function(m) return m.from == pid end, 10000)
    wait_until(function() return not dozor.alive(pid) end)
    return answer[1], answer[2]
  end
end

local STRATEGIES = { "one_for_one", "one_for_all", "rest_for_one" }

describe("a slow init", function()
  it("stop during the start of an initial child: it and those before it are gone", function()
    reset(3)
    local before = processes()
    local answer = at_once(S.start, { name = "motion", children = {
      kid "a", kid("slow", { init = function() dozor.sleep(60000) end }, { start_timeout = "infinity" }), kid "c" } })
    local sup = wait_until(function() return live() == 2 and dozor.global.whereis "motion" end)
    S.stop(sup)
    equal(live(), 0)
    equal(starts "c", 0)
    equal(answer(), false)
    nothing_new_since(before)
  end)

  it("stop during start_child", function()
    reset(2)
    local before = processes()
    local sup = S.start { children = { kid "a" } }
    local answer = at_once(S.start_child, sup, kid("slow", { init = function() dozor.sleep(60000) end }))
    wait_until(function() return live "slow" == 1 end)
    S.stop(sup)
    equal(live(), 0)
    equal(answer(), false)
    nothing_new_since(before)
  end)

  it("inside a supervisor that is given inline, by name, or by a function of that name", function()
    local spec = { children = { kid "i1", kid("slow", { init = function() dozor.sleep(60000) end }, { start_timeout = "infinity" }), kid "i3" } }
    dozor.behaviors.register("motion_slow_inner", spec)
    dozor.behaviors.register("motion_slow_maker", function() return spec end)
    for _, inner in ipairs { spec, "motion_slow_inner", "motion_slow_maker" } do
      for _, break_off in ipairs { S.stop, function(sup) S.terminate_child(sup, "inner") end } do
        reset(3)
        local before = processes()
        local sup = S.start { children = { kid "a" } }
        local answer = at_once(S.start_child, sup, { id = "inner", supervisor = inner })
        wait_until(function() return live "slow" == 1 end)
        break_off(sup)
        equal(live "i1" + live "slow" + starts "i3", 0)
        equal(answer(), false)
        S.stop(sup)
        nothing_new_since(before)
      end
    end
  end)

  it("an init that ends at the moment of the stop leaves nothing either", function()
    for delay = 0, 12 do
      reset(2)
      local before = processes()
      local sup = S.start { children = { kid "a" } }
      local answer = at_once(S.start_child, sup, kid("slow", { init = function() dozor.sleep(6) end }))
      wait_until(function() return starts "slow" == 1 end)
      if delay > 0 then dozor.sleep(delay) end
      S.stop(sup)
      equal(live(), 0)
      answer()
      nothing_new_since(before)
    end
  end)

  for _, strategy in ipairs(STRATEGIES) do
    it("stop while a crashed child starts again: " .. strategy, function()
      reset(3)
      local before = processes()
      local sup = S.start { strategy = strategy, children = {
        kid "a", kid("b", { init = function(nth) if nth == 2 then dozor.sleep(60000) end end }, { start_timeout = "infinity" }), kid "c" } }
      dozor.cast(pid_of(sup, "b"), "crash")
      wait_until(function() return starts "b" == 2 end)
      S.stop(sup)
      equal(live(), 0)
      nothing_new_since(before)
    end)
  end

  it("start_timeout ends the late process before the error is raised", function()
    reset(2)
    local before = processes()
    local sup = S.start { children = { kid "a" } }
    raises("timeout", S.start_child, sup, kid("late", { init = function() dozor.sleep(60000) end }, { start_timeout = 20 }))
    equal(live "late", 0)
    equal(S.child(sup, "late"), nil)
    S.stop(sup)
    nothing_new_since(before)
  end)

  it("queries are answered within a millisecond while it takes a second", function()
    reset(2)
    local sup = S.start { children = { kid "a" } }
    local answer = at_once(S.start_child, sup, kid("slow", { init = function() dozor.sleep(1000) end }))
    wait_until(function() return live "slow" == 1 end)
    local took = {}
    for i = 1, 200 do
      local t = dozor.uv.hrtime()
      equal(S.child(sup, "slow").status, "starting")
      equal(#S.children(sup), 2)
      equal(S.count_children(sup).specs, 2)
      equal(S.stats(sup).child_count, 2)
      equal(S.is_running(sup), true)
      took[i] = (dozor.uv.hrtime() - t) / 5e6
      dozor.sleep(1)
    end
    equal(S.child(sup, "slow").status, "starting")
    table.sort(took)
    truthy(took[100] < 1, ("a query took %.3f ms (median)"):format(took[100]))
    equal(answer(), true)
    S.stop(sup)
  end)
end)

describe("an init that fails twice and then works", function()
  for _, strategy in ipairs(STRATEGIES) do
    it("leaves one process for each child: " .. strategy, function()
      reset(3)
      local before = processes()
      local sup = S.start { strategy = strategy, restart_intensity = { max_restarts = 3, within_ms = 60000 }, children = {
        kid "a", kid("b", { init = function(nth) if nth == 2 or nth == 3 then error("not yet") end end }), kid "c" } }
      local c = pid_of(sup, "c")
      dozor.cast(pid_of(sup, "b"), "crash")
      wait_until(function() return starts "b" == 4 and all_running(sup) end)
      equal(live(), 3)
      for _, id in ipairs { "a", "b", "c" } do equal(live(id), 1) end
      equal(pid_of(sup, "c") == c, strategy == "one_for_one")
      S.stop(sup)
      nothing_new_since(before)
    end)
  end
end)

describe("a crash during shutdown", function()
  for _, strategy in ipairs(STRATEGIES) do
    it("is no restart: " .. strategy, function()
      reset(3)
      local before = processes()
      local sup
      sup = S.start { strategy = strategy, children = { kid "a", kid "b",
        kid("c", { terminate = function()
          local a, b = pid_of(sup, "a"), pid_of(sup, "b")
          dozor.kill(a)
          dozor.cast(b, "crash")
          wait_until(function() return not dozor.alive(a) and not dozor.alive(b) end)
        end }) } }
      S.stop(sup)
      equal(live(), 0)
      for _, id in ipairs { "a", "b", "c" } do equal(starts(id), 1) end
      nothing_new_since(before)
    end)
  end
end)

describe("two crashes in one tick", function()
  for _, strategy in ipairs(STRATEGIES) do
    it("leave one process for each child: " .. strategy, function()
      for _, pair in ipairs { { "a", "b" }, { "b", "a" }, { "a", "c" }, { "c", "a" } } do
        reset(3)
        local before = processes()
        local sup = S.start { strategy = strategy, children = { kid "a", kid "b", kid "c" } }
        local first, second = pid_of(sup, pair[1]), pid_of(sup, pair[2])
        dozor.cast(first, "crash")
        dozor.cast(second, "crash")
        wait_until(function()
          return not dozor.alive(first) and not dozor.alive(second) and live() == 3 and all_running(sup)
        end)
        for _, id in ipairs { "a", "b", "c" } do equal(live(id), 1) end
        S.stop(sup)
        nothing_new_since(before)
      end
    end)
  end
end)

describe("many at once", function()
  it("restart_child five times on one child: one process after another", function()
    reset(2)
    local before = processes()
    local sup = S.start { children = { kid("a", { init = function() dozor.sleep(5) end }), kid "b" } }
    local answers = {}
    for i = 1, 5 do answers[i] = at_once(S.restart_child, sup, "a") end
    local last
    for i = 1, 5 do
      local ok, pid = answers[i]()
      equal(ok, true)
      last = dozor.alive(pid) and pid or last
    end
    equal(starts "a", 6)
    equal(live "a", 1)
    equal(pid_of(sup, "a"), last)
    S.stop(sup)
    nothing_new_since(before)
  end)

  it("twenty start_child with one id: one process ever", function()
    reset(1)
    local before = processes()
    local sup = S.start { children = {} }
    local answers, won = {}, 0
    for i = 1, 20 do answers[i] = at_once(S.start_child, sup, kid("one", { init = function() dozor.sleep(10) end })) end
    for i = 1, 20 do
      local ok, err = answers[i]()
      if ok then won = won + 1 else equal(err.code, "duplicate_child") end
    end
    equal(won, 1)
    equal(starts "one", 1)
    equal(live(), 1)
    S.stop(sup)
    nothing_new_since(before)
  end)

  it("crashes, restart_child, start_child and terminate_child mixed, then stop", function()
    reset(6)
    local before = processes()
    local sup = S.start { strategy = "one_for_all", restart_intensity = { max_restarts = "infinity" }, children = { kid "a", kid "b", kid "c" } }
    local answers = {}
    for i = 1, 30 do
      answers[#answers + 1] = at_once(S.restart_child, sup, ({ "a", "b", "c" })[i % 3 + 1])
      answers[#answers + 1] = at_once(S.start_child, sup, kid("x" .. i % 3))
      answers[#answers + 1] = at_once(S.terminate_child, sup, "x" .. i % 3)
      for pid in pairs(born) do
        if i % 5 == 0 and dozor.alive(pid) then dozor.cast(pid, "crash") break end
      end
    end
    S.stop(sup)
    equal(live(), 0)
    for _, answer in ipairs(answers) do answer() end
    nothing_new_since(before)
  end)
end)

describe("a supervisor that is killed leaves nothing behind", function()
  --- Everything below it ends at once, yet not in the same moment: its processes are told when it is gone.
  local function all_gone(before)
    wait_until(function()
      for pid in pairs(processes()) do
        if not before[pid] then return false end
      end
      return true
    end)
    nothing_new_since(before)
  end

  it("at rest, with one inside it", function()
    reset(4)
    local before = processes()
    local sup = S.start { children = { kid "a", { id = "inner", supervisor = { children = { kid "i1", kid "i2" } } }, kid "b" } }
    equal(live(), 4)
    dozor.kill(sup)
    all_gone(before)
  end)

  it("while a child starts", function()
    reset(2)
    local before = processes()
    local sup = S.start { children = { kid "a" } }
    local answer = at_once(S.start_child, sup, kid("slow", { init = function() dozor.sleep(60000) end }))
    wait_until(function() return live "slow" == 1 end)
    dozor.kill(sup)
    equal(answer(), false)
    all_gone(before)
  end)

  it("while one inside it starts, given inline or by name", function()
    local spec = { children = { kid "i1", kid("slow", { init = function() dozor.sleep(60000) end }, { start_timeout = "infinity" }) } }
    dozor.behaviors.register("motion_inner", spec)
    for _, inner in ipairs { spec, "motion_inner" } do
      reset(3)
      local before = processes()
      local sup = S.start { children = { kid "a" } }
      local answer = at_once(S.start_child, sup, { id = "inner", supervisor = inner })
      wait_until(function() return live "slow" == 1 end)
      dozor.kill(sup)
      equal(answer(), false)
      all_gone(before)
    end
  end)

  it("while a start function's answer is on its way", function()
    for spin = 0, 40 do
      reset(1)
      local before = processes()
      local sup = S.start { children = {} }
      local made = kid "made"
      local answer = at_once(S.start_child, sup, { id = "f", start = function()
        return dozor.spawn(made.behavior, {}, { link = true }) -- linked: when the function is killed it takes along what it made
      end })
      for _ = 1, spin do dozor.alive(sup) end
      dozor.kill(sup)
      answer()
      all_gone(before)
    end
  end)

  it("a terminate that does not return has its shutdown_timeout, not more", function()
    reset(2)
    local before = processes()
    local sup = S.start { children = { kid("stuck", { terminate = function() dozor.sleep(60000) end }, { shutdown_timeout = 50 }),
      kid("patient", { terminate = function() dozor.sleep(100) end }, { shutdown_timeout = "infinity" }) } }
    local t = dozor.now()
    dozor.kill(sup)
    all_gone(before)
    truthy(dozor.now() - t < 3000, "both gone long before 5 s")
  end)

  it("in the middle of a round", function()
    for delay = 0, 8 do
      reset(3)
      local before = processes()
      local sup = S.start { strategy = "one_for_all", children = { kid("a", { init = function(nth) if nth > 1 then dozor.sleep(3) end end }),
        kid "b", kid("c", { terminate = function() dozor.sleep(3) end }) } }
      dozor.cast(pid_of(sup, "b"), "crash")
      if delay > 0 then dozor.sleep(delay) end
      dozor.kill(sup)
      all_gone(before)
    end
  end)
end)
