--- corners_spec.lua - odd corners of the process API: what errors carry, what a kill or a lost node looks like afterwards,
--- reasons that are too large, misspelled callbacks, names of the core.

local dozor = require "dozor"

local NOWHERE = { name = "x", node = "nobody@127.0.0.1:9" }
local HERE = "corners_spec%.lua:%d+"

local function waits() dozor.receive("infinity", function() return false end) end

local function raised(code, fn, ...)
  local err = raises(code, fn, ...)
  return err, tostring(err)
end

describe("errors", function()
  it("of a call say where, whom and for how long", function()
    local server = dozor.spawn(server { handle_call = function() dozor.sleep(50) return 1 end })
    local ok, err = pcall(function() dozor.call(server, 1, 5) end)
    equal(ok, false)
    equal({ err.code, err.dest, err.timeout_ms }, { "timeout", server, 5 })
    truthy(err.where:find(HERE), "the line of the call")
    contains(err, "within 5 ms")
    contains(err, tostring(server))
    dozor.kill(server)
    ok, err = pcall(function() dozor.call(server, 1) end)
    equal({ ok, err.code, err.dest }, { false, "noproc", server })
    truthy(tostring(err):find("^[^ ]*" .. HERE .. ": noproc"), tostring(err))
    equal(raised("noconnection", dozor.call, NOWHERE, 1).node, NOWHERE.node)
  end)

  it("of an init that ended say how", function()
    local _, text = raised("init_failed", dozor.spawn, server { init = function() dozor.exit("bye") end })
    contains(text, "bye")
  end)

  it("of spawn name the option", function()
    equal(raised("bad_argument", dozor.spawn, waits, {}, { global = 5 }).argument, "opts.global")
    equal(raised("bad_argument", dozor.spawn, waits, {}, { name = "" }).argument, "opts.name")
  end)

  it("too large for a message are shortened, not lost", function()
    local huge = ("x"):rep(17 * 1024 * 1024)
    for _, value in ipairs { huge, { code = "mine", data = huge } } do
      dozor.spawn(function() error(value) end, {}, { monitor = true })
      local reason = expect_message().reason
      equal(reason.code, type(value) == "table" and "mine" or "error")
      truthy(#reason.message > 0 and #reason.message < 10000, "a short message")
    end
  end)
end)

describe("an end", function()
  it("by kill has happened when kill returns", function()
    for _, opts in ipairs { { name = "victim" }, { name = "victim", global = "victim everywhere" } } do
      local plain = dozor.spawn(waits, {}, opts)
      dozor.kill(plain)
      equal({ dozor.alive(plain), dozor.whereis("victim"), dozor.info(plain) }, { false })
      local far = dozor.spawn("counter", {}, { name = "victim", own_worker = true })
      dozor.kill("victim")
      equal({ dozor.alive(far), dozor.whereis("victim"), dozor.info(far) }, { false })
    end
  end)

  it("is what a node that is not reached looks like", function()
    equal(dozor.alive(NOWHERE), false)
    equal(dozor.info(NOWHERE), nil)
    dozor.kill(NOWHERE)
    local ref = dozor.monitor(NOWHERE)
    equal(expect_message(), { type = "down", ref = ref, reason = "noconnection" })
    expect_no_message()
  end)

  it("is not made by a stop with a timeout that is none", function()
    raises("bad_argument", dozor.stop, dozor.self(), "normal", -1)
  end)
end)

describe("names", function()
  it("info knows the cluster-wide one", function()
    local pid = dozor.spawn(waits, {}, { global = "of a plain process" })
    equal(dozor.info(pid).global, "of a plain process")
    dozor.global.register("mine", dozor.self())
    equal(dozor.info(dozor.self()).global, "mine")
    dozor.global.unregister("mine")
    equal(dozor.info(dozor.self()).global, nil)
    dozor.kill(pid)
  end)

  it("of the core are nobody's business", function()
    for _, name in ipairs(dozor.registered()) do truthy(name:sub(1, 1) ~= "$", name) end
  end)
end)

describe("behaviours", function()
  it("with a misspelled callback are refused, with functions of their own not", function()
    local init = function() return {} end
    for field, meant in pairs { handle_calls = "handle_call", terminat = "terminate", handleCast = "handle_cast" } do
      contains(raises("bad_argument", dozor.spawn, { init = init, [field] = init }), meant)
    end
    contains(raises("bad_argument", dozor.spawn, { inti = init }), "init")
    dozor.stop(dozor.spawn { init = init, emit = init, exit = init, wait = init, terminate = init, terminated = init })
  end)

  it("registered twice with something else are refused", function()
    dozor.behaviors.register("corner", server {})
    equal(raises("name_taken", dozor.behaviors.register, "corner", server {}).name, "corner")
  end)

  it("that are missing are told with the places", function()
    local err = raises("behavior_not_found", dozor.spawn, "no such behaviour")
    contains(err, dozor.node())
    contains(err, "behaviors/no such behaviour.lua")
  end)
end)

it("JSON shows a pid as tostring does", function()
  local me = dozor.self()
  equal(dozor.json.encode { me }, '["' .. tostring(me) .. '"]')
  for _, text in ipairs { "/", "\\/", "\\\\//", "a/b\\" } do equal(dozor.json.decode(dozor.json.encode { text }), { text }) end
end)
