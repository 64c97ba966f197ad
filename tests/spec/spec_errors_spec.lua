local dozor = require "dozor"
local supervisor = dozor.supervisor

local function refuse(spec, field)
  local err = raises("invalid_spec", supervisor.start, spec)
  contains(err.field, field)
  contains(err.message, field)
end

local function child(fields)
  local copy = { id = "a", behavior = "worker" }
  for key, value in pairs(fields) do copy[key] = value end
  if fields.behavior == false then copy.behavior = nil end
  return { children = { copy } }
end

describe("a bad spec", function()
  local cases = {
    { "strategy", { strategy = "one_for_none", children = {} } },
    { "strategy", { strategy = 1, children = {} } },
    { "children", { children = 7 } },
    { "children[1]", { children = { "worker" } } },
    { "max_restarts", { restart_intensity = { max_restarts = -1 }, children = {} } },
    { "max_restarts", { restart_intensity = { max_restarts = "three" }, children = {} } },
    { "within_ms", { restart_intensity = { within_ms = -1 }, children = {} } },
    { "restart_intensity", { restart_intensity = 3, children = {} } },
    { "auto_shutdown", { auto_shutdown = "sometimes", children = {} } },
    { "name", { name = 7, children = {} } },
    { "name", { name = "", children = {} } },
    { "node_selector", { node_selector = "the_nearest", children = {} } },
    { "node_selector", { node_selector = {}, children = {} } },
    { "id", child { id = 7 } },
    { "children[1]", { children = { { behavior = "worker" } } } },
    { "behavior", child { behavior = 7 } },
    { "args", child { args = "x" } },
    { "args", child { args = { a = 1 } } },
    { "name", child { name = true } },
    { "global", child { global = 1 } },
    { "restart", child { restart = "always" } },
    { "node_selector", child { node_selector = { node = "no node id" } } },
    { "shutdown_timeout", child { shutdown_timeout = -1 } },
    { "shutdown_timeout", child { shutdown_timeout = "soon" } },
    { "start_timeout", child { start_timeout = "brutal_kill" } },
    { "mailbox_limit", child { mailbox_limit = 0 } },
    { "mailbox_limit", child { mailbox_limit = "big" } },
    { "significant", child { significant = "yes" } },
    { "backoff", child { backoff = 5 } },
    { "initial_ms", child { backoff = { initial_ms = -5 } } },
    { "start", child { behavior = false, start = "fn" } },
    { "supervisor", child { behavior = false, supervisor = 7 } },
  }
  for i, case in ipairs(cases) do
    it(("names the field (%d: %s)"):format(i, case[1]), function() refuse(case[2], case[1]) end)
  end

  it("with an unknown key names the nearest known one", function()
    contains(raises("invalid_spec", supervisor.start, { stratgy = "one_for_one", children = {} }).message, "strategy")
    contains(raises("invalid_spec", supervisor.start, child { restrat = "permanent" }).message, "restart")
  end)

  it("with two kinds of child at once, or none, is refused", function()
    raises("invalid_spec", supervisor.start, child { supervisor = { children = {} } })
    raises("invalid_spec", supervisor.start, child { behavior = false })
  end)

  it("with a duplicate id is duplicate_child", function()
    equal(raises("duplicate_child", supervisor.start, {
      children = { { id = "a", behavior = "worker" }, { id = "a", behavior = "worker" } },
    }).child_id, "a")
  end)

  it("significant does not go with permanent or without auto_shutdown", function()
    raises("invalid_spec", supervisor.start,
      { auto_shutdown = "any_significant", children = { { id = "a", behavior = "worker", significant = true, restart = "permanent" } } })
    raises("invalid_spec", supervisor.start, child { significant = true })
  end)

  it("inside an inner spec is named by its path", function()
    local err = raises("invalid_spec", supervisor.start,
      { children = { { id = "in", supervisor = { children = { { id = "x", behavior = "worker", restart = 1 } } } } } })
    contains(err.field, "children[1].supervisor.children[1].restart")
  end)

  it("that is no table at all is refused", function()
    raises("bad_argument", supervisor.start, 5)
    raises("bad_argument", supervisor.start)
  end)

  it("with something that cannot be sent is bad_message with its path", function()
    contains(raises("bad_message", supervisor.start, child { args = { { io.stdout } } }).path, "args")
  end)

  it("nothing of a refused spec remains", function()
    pcall(supervisor.start, { name = "spec_refused", children = { { id = "a", behavior = "worker", restart = 5 } } })
    equal(supervisor.list(), {})
    equal(dozor.global.whereis("spec_refused"), nil)
  end)
end)
