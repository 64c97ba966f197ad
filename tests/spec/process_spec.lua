local dozor = require "dozor"

describe("spawn", function()
  it("hands args to init, up to the largest integer key", function()
    local pid = dozor.spawn(probe(), { [1] = "a", [3] = "c" })
    equal(dozor.call(pid, "args"), { n = 3, [1] = "a", [3] = "c" })
    dozor.stop(pid)
  end)

  it("returns after init returned", function()
    local done = false
    local pid = dozor.spawn(server { init = function() dozor.sleep(20) done = true end })
    truthy(done)
    dozor.stop(pid)
  end)

  it("raises init_failed with the reason", function()
    local err = raises("init_failed", dozor.spawn, { init = function() error("no disk") end })
    contains(err.reason.message, "no disk")
    local fields = raises("init_failed", dozor.spawn, { init = function() error { code = "custom", number = 7 } end })
    equal(fields.reason.code, "custom")
    equal(fields.reason.number, 7)
  end)

  it("raises timeout when init takes too long, and ends the late process", function()
    raises("timeout", dozor.spawn, { init = function() dozor.sleep("infinity") end }, {}, { timeout_ms = 20 })
  end)

  it("a function is a plain process that gets bare messages and calls as tables", function()
    local me = dozor.self()
    local pid = dozor.spawn(function(a, b)
      dozor.send(me, { a, b })
      dozor.send(me, { "cast", dozor.receive() })
      local call = dozor.receive()
      equal(call.type, "call")
      dozor.reply(call.from, { "answer", call.message })
    end, { 1, 2 })
    equal(expect_message(), { 1, 2 })
    dozor.cast(pid, "bare")
    equal(expect_message(), { "cast", "bare" })
    equal(dozor.call(pid, "question"), { "answer", "question" })
    wait_until(function() return not dozor.alive(pid) end)
  end)

  it("unknown options are refused and the nearest key is named", function()
    local err = raises("bad_argument", dozor.spawn, probe(), {}, { timout_ms = 5 })
    contains(err.message, "timeout_ms")
  end)

  it("an unknown behaviour is behavior_not_found", function()
    contains(raises("behavior_not_found", dozor.spawn, "no_such_behaviour_anywhere").message, "no_such_behaviour_anywhere")
  end)

  it("the option name registers before init and frees at the end", function()
    local seen
    local pid = dozor.spawn(server { init = function() seen = dozor.whereis("spec_name") end }, {}, { name = "spec_name" })
    equal(seen, pid)
    local err = raises("name_taken", dozor.spawn, probe(), {}, { name = "spec_name" })
    equal(err.name, "spec_name")
    equal(err.owner, pid)
    dozor.stop(pid)
    equal(dozor.whereis("spec_name"), nil)
  end)

  it("the option monitor returns a ref too", function()
    local pid, ref = dozor.spawn(function() end, {}, { monitor = true })
    local down = expect_message()
    equal(down, { type = "down", ref = ref, pid = pid, reason = "normal" })
  end)

  it("the option link links before init", function()
    dozor.trap_exit(true)
    local pid = dozor.spawn(function() error("boom") end, {}, { link = true })
    local exit = expect_message()
    equal(exit.type, "exit")
    equal(exit.pid, pid)
    contains(exit.reason.message, "boom")
  end)

  it("works on this very node by its id", function()
    local pid = dozor.spawn("worker", {}, { node = dozor.node() })
    equal(dozor.call(pid, "status"), 0)
    dozor.stop(pid)
  end)

  it("own_worker gives a process a worker of its own", function()
    local pid = dozor.spawn("worker", {}, { own_worker = true })
    dozor.cast(pid, "work")
    equal(dozor.call(pid, "status"), 1)
    dozor.stop(pid)
  end)
end)

describe("info", function()
  it("tells what a process is", function()
    local pid = dozor.spawn(probe(), {}, { name = "spec_info" })
    dozor.call(pid, "get")
    local info = dozor.info("spec_info")
    equal(info.name, "spec_info")
    equal(info.node_id, dozor.node())
    equal(info.mailbox, 0)
    equal(info.handled, 1)
    truthy(info.started_at > 1e12)
    truthy(info.memory_bytes ~= nil)
    equal(type(info.links), "table")
    dozor.stop(pid)
    equal(dozor.info(pid), nil)
  end)

  it("processes lists the living ones", function()
    local pid = dozor.spawn(probe())
    local found = false
    for _, other in ipairs(dozor.processes()) do found = found or other == pid end
    truthy(found)
    dozor.stop(pid)
    for _, other in ipairs(dozor.processes()) do truthy(other ~= pid) end
  end)

  it("alive follows the process", function()
    local pid = dozor.spawn(probe())
    equal(dozor.alive(pid), true)
    dozor.kill(pid)
    wait_until(function() return dozor.alive(pid) == false end)
    equal(dozor.alive("nobody_has_this_name"), false)
  end)
end)

describe("call", function()
  it("raises noproc for a process that is gone and for an unknown name", function()
    local pid = dozor.spawn(probe())
    dozor.stop(pid)
    raises("noproc", dozor.call, pid, "get")
    raises("noproc", dozor.call, "nobody_has_this_name", "get")
  end)

  it("raises timeout, and a late reply is dropped", function()
    local pid = dozor.spawn(server {
      handle_call = function(_, _, from)
        dozor.sleep(40)
        dozor.reply(from, "late")
        return dozor.NOREPLY
      end,
    })
    raises("timeout", dozor.call, pid, "x", 10)
    expect_no_message(80)
    dozor.stop(pid)
  end)

  it("raises call_failed with the reason when the server ends", function()
    local pid = dozor.spawn(probe())
    local err = raises("call_failed", dozor.call, pid, { "fail", "server bug" })
    contains(err.reason.message, "server bug")
    truthy(err.reason.traceback)
    wait_until(function() return not dozor.alive(pid) end)
  end)

  it("raises unhandled_call when handle_call returns nothing, and the process lives", function()
    local pid = dozor.spawn(probe())
    raises("unhandled_call", dozor.call, pid, "what is this")
    equal(dozor.call(pid, "get"), 0)
    dozor.stop(pid)
  end)

  it("nil and false are answers", function()
    local pid = dozor.spawn(probe())
    equal(dozor.call(pid, { "echo", nil }), nil)
    equal(dozor.call(pid, { "echo", false }), false)
    dozor.stop(pid)
  end)

  it("can be answered later, by another process", function()
    local pid = dozor.spawn(server {
      handle_call = function(msg, _, from)
        dozor.spawn(function() dozor.reply(from, msg * 2) end)
        return dozor.NOREPLY
      end,
    })
    equal(dozor.call(pid, 21), 42)
    dozor.stop(pid)
  end)

  it("many at once are all answered", function()
    local pid = dozor.spawn(probe())
    local me, n = dozor.self(), 50
    for i = 1, n do
      dozor.spawn(function() dozor.send(me, dozor.call(pid, { "echo", i })) end)
    end
    local sum = 0
    for _ = 1, n do sum = sum + expect_message() end
    equal(sum, n * (n + 1) / 2)
    dozor.stop(pid)
  end)

  it("messages queue while a callback waits, and keep their order", function()
    local order = {}
    local pid = dozor.spawn(server {
      init = function() return {} end,
      handle_cast = function(msg)
        if msg == 1 then dozor.sleep(20) end
        order[#order + 1] = msg
      end,
      handle_call = function() return order end,
    })
    for i = 1, 5 do dozor.cast(pid, i) end
    equal(dozor.call(pid, "order"), { 1, 2, 3, 4, 5 })
    dozor.stop(pid)
  end)

  it("a call to oneself is refused at once, not a standstill", function()
    local pid = dozor.spawn(server {
      handle_call = function()
        local ok, err = pcall(dozor.call, dozor.self(), "again", "infinity")
        return { ok, err.code }
      end,
    })
    equal(dozor.call(pid, "x"), { false, "bad_argument" })
    dozor.stop(pid)
  end)

  it("a full mailbox is overloaded", function()
    local pid = dozor.spawn(server {
      handle_call = function(msg) if msg == "block" then dozor.sleep(50) end return true end,
    }, {}, { mailbox_limit = 2 })
    dozor.spawn(function() dozor.call(pid, "block") end)
    wait_until(function() return dozor.info(pid).status == "waiting" end)
    dozor.cast(pid, 1)
    dozor.cast(pid, 2)
    raises("overloaded", dozor.call, pid, "x")
    dozor.cast(pid, "dropped")
    dozor.stop(pid)
  end)
end)

describe("receive", function()
  it("takes the oldest message, or nil and timeout", function()
    dozor.send(dozor.self(), "a")
    dozor.send(dozor.self(), "b")
    equal(dozor.receive(0), "a")
    equal(dozor.receive(0), "b")
    local msg, why = dozor.receive(0)
    equal(msg, nil)
    equal(why, "timeout")
  end)

  it("with match takes the first that fits and leaves the others", function()
    for i = 1, 4 do dozor.send(dozor.self(), i) end
    equal(dozor.receive(0, function(m) return m == 3 end), 3)
    equal({ dozor.receive(0), dozor.receive(0), dozor.receive(0) }, { 1, 2, 4 })
  end)

  it("with match waits for what fits", function()
    local me = dozor.self()
    dozor.spawn(function()
      dozor.send(me, "other")
      dozor.sleep(10)
      dozor.send(me, "wanted")
    end)
    equal(dozor.receive(2000, function(m) return m == "wanted" end), "wanted")
    equal(dozor.receive(0), "other")
  end)

  it("never takes a call or cast of a behaviour", function()
    local seen = {}
    local pid = dozor.spawn(server {
      handle_cast = function(msg)
        if msg == "wait" then seen[#seen + 1] = { dozor.receive(30) } else seen[#seen + 1] = msg end
      end,
      handle_call = function() return seen end,
    })
    dozor.cast(pid, "wait")
    dozor.cast(pid, "second")
    equal(dozor.call(pid, "seen"), { { nil, "timeout" }, "second" })
    dozor.stop(pid)
  end)
end)

describe("ending", function()
  it("terminate runs with the reason at exit, stop and error", function()
    local reasons = {}
    local function start()
      return dozor.spawn(probe { terminate = function(reason) reasons[#reasons + 1] = reason end })
    end
    local a, b, c = start(), start(), start()
    dozor.cast(a, { "exit", "bye" })
    wait_until(function() return not dozor.alive(a) end)
    dozor.stop(b, "enough")
    dozor.cast(c, { "crash", "bug" })
    wait_until(function() return not dozor.alive(c) end)
    equal(reasons[1], "bye")
    equal(reasons[2], "enough")
    contains(reasons[3].message, "bug")
    equal(reasons[3].code, "error")
  end)

  it("kill ends at once without terminate; others see killed", function()
    local terminated = false
    local pid = dozor.spawn(probe { terminate = function() terminated = true end })
    local ref = dozor.monitor(pid)
    dozor.kill(pid)
    equal(expect_message(), { type = "down", ref = ref, pid = pid, reason = "killed" })
    equal(terminated, false)
  end)

  it("stop returns when the process is gone, at once if it was", function()
    local pid = dozor.spawn(probe())
    dozor.stop(pid)
    equal(dozor.alive(pid), false)
    dozor.stop(pid)
  end)

  it("stop kills what does not end in time", function()
    local pid = dozor.spawn(server { terminate = function() dozor.sleep("infinity") end })
    local ref = dozor.monitor(pid)
    dozor.stop(pid, "normal", 20)
    equal(dozor.alive(pid), false)
    equal(expect_message().ref, ref)
  end)

  it("stop reaches a process parked in a wait, whose handler is never resumed", function()
    local resumed = false
    local pid = dozor.spawn(server {
      handle_cast = function()
        dozor.sleep(60000)
        resumed = true
      end,
    })
    dozor.cast(pid, "sleep")
    wait_until(function() return dozor.info(pid).status == "waiting" end)
    dozor.stop(pid)
    equal(resumed, false)
  end)

  it("ending cannot be caught by pcall", function()
    local caught = false
    local pid = dozor.spawn(function()
      pcall(dozor.exit, "really")
      caught = true
    end, {}, { monitor = true })
    local down = expect_message()
    equal(down.pid, pid)
    equal(down.reason, "really")
    equal(caught, false)
  end)

  it("a raised table keeps its fields in the reason", function()
    local _, ref = dozor.spawn(function() error { code = "mine", detail = { 1, 2 }, fn = print } end, {}, { monitor = true })
    local down = expect_message(function(m) return m.ref == ref end)
    equal(down.reason.code, "mine")
    equal(down.reason.detail, { 1, 2 })
    equal(type(down.reason.fn), "string")
  end)
end)

describe("where one may not wait", function()
  it("a sort comparator and gsub raise cannot_wait", function()
    raises("cannot_wait", table.sort, { 3, 2, 1 }, function(a, b) dozor.sleep(1) return a < b end)
    raises("cannot_wait", string.gsub, "abc", ".", function() dozor.receive(1) end)
  end)

  it("pcall and one's own coroutines may wait", function()
    truthy(pcall(dozor.sleep, 1))
    local co = coroutine.wrap(function()
      dozor.sleep(1)
      coroutine.yield("yielded")
      dozor.sleep(1)
      return "returned"
    end)
    equal(co(), "yielded")
    equal(co(), "returned")
  end)
end)
