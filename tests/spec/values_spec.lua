local dozor = require "dozor"
local ffi = require "ffi"

local function echo(value)
  local pid = dozor.spawn(probe())
  local reply = dozor.call(pid, { "echo", value })
  dozor.stop(pid)
  return reply
end

describe("values", function()
  it("what is plain arrives as it was", function()
    for _, value in ipairs { true, false, 0, -1, 1.5, 2 ^ 53, -2 ^ 53, 1e308, "", "text", "a\0b\255", math.huge, -math.huge } do
      equal(echo(value), value)
    end
    equal(echo(nil), nil)
  end)

  it("NaN arrives as NaN", function()
    local nan = echo(0 / 0)
    truthy(nan ~= nan)
  end)

  it("negative zero keeps its sign", function()
    equal(1 / echo(-0.0), -math.huge)
  end)

  it("tables arrive with the keys they had, holes included", function()
    equal(echo { 1, 2, { a = { b = { "c" } } } }, { 1, 2, { a = { b = { "c" } } } })
    equal(echo { [1] = "a", [3] = "c" }, { [1] = "a", [3] = "c" })
    equal(echo { [true] = 1, [false] = 2, [1.5] = 3 }, { [true] = 1, [false] = 2, [1.5] = 3 })
    equal(echo {}, {})
  end)

  it("a table met twice is copied twice", function()
    local shared = { 1 }
    local reply = echo { a = shared, b = shared }
    equal(reply.a, reply.b)
    truthy(reply.a ~= reply.b or rawequal(reply.a, reply.b) == false)
  end)

  it("pids and refs compare equal after a journey and work as keys", function()
    local me, ref = dozor.self(), dozor.monitor(dozor.self())
    dozor.demonitor(ref)
    equal(echo(me), me)
    equal(echo(ref), ref)
    equal(echo({ [me] = "mine" })[me], "mine")
    equal(dozor.node_of(me), dozor.node())
  end)

  it("64-bit cdata integers stay what they are", function()
    local big = echo(ffi.new("int64_t", -9007199254740993LL))
    equal(tostring(big), "-9007199254740993LL")
    equal(tostring(echo(18446744073709551615ULL)), "18446744073709551615ULL")
  end)

  it("functions, coroutines and userdata are refused with their path", function()
    local err = raises("bad_message", dozor.send, dozor.self(), { list = { 1, 2, { cb = print } } })
    contains(err.path, "list[3].cb")
    contains(err.message, "a function cannot be sent")
    raises("bad_message", dozor.send, dozor.self(), { coroutine.create(print) })
    raises("bad_message", dozor.send, dozor.self(), io.stdout)
  end)

  it("a cycle is refused", function()
    local t = { name = "t" }
    t.inner = { t }
    raises("bad_message", dozor.send, dozor.self(), t)
  end)

  it("nesting beyond 64 levels is refused", function()
    local deep = {}
    for _ = 1, 70 do deep = { deep } end
    raises("bad_message", dozor.send, dozor.self(), deep)
  end)

  it("an error prints readably and keeps its fields", function()
    local err = raises("bad_argument", dozor.spawn, 42)
    equal(err.argument, "what")
    truthy(err.expected)
    truthy(err.got ~= nil)
    contains(tostring(err), err.message)
  end)

  it("a pid prints in its fixed form", function()
    contains(tostring(dozor.self()), "<" .. dozor.node() .. "/")
    contains(dozor.json.encode { pid = dozor.self() }, "local@127.0.0.1:0")
  end)
end)
