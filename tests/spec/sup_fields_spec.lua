--- sup_fields_spec.lua - every field of a supervisor's and a child's spec: what is taken, what is refused and how.

local dozor = require "dozor"
local S = dozor.supervisor

local started = 0
local B = { init = function() started = started + 1 return {} end }

local function child(extra)
  local c = { id = "kid", behavior = B }
  for k, v in pairs(extra or {}) do c[k] = v end
  return c
end

local function nothing_started(fn)
  local before, sups = started, #S.list()
  local processes = #dozor.processes()
  fn()
  equal(started, before)
  equal(#S.list(), sups)
  equal(#dozor.processes(), processes)
end

local function refused(spec, code, ...)
  local err
  local parts = { ... }
  nothing_started(function() err = raises(code, S.start, spec) end)
  for _, part in ipairs(parts) do contains(err.message, part) end
  return err
end

local function taken(spec)
  local sup = S.start(spec)
  truthy(S.is_running(sup))
  S.stop(sup)
  equal(S.is_running(sup), false)
end

local NAN = 0 / 0

--- field -> { values taken }, { values refused }
local child_fields = {
  { "args", { {}, { 1, nil, 3 } }, { 5, "x", true, B.init } },
  { "name", { "some_name" }, { 5, true, {}, "" } },
  { "global", { "some_global" }, { 5, {}, "" } },
  { "restart", { "permanent", "transient", "temporary" }, { "always", 5, true, {}, "" } },
  { "node_selector", { "local_first", "local", "round_robin", "least_loaded", "random",
    function(nodes) return nodes[1].id end, { node = "local@127.0.0.1:0" } },
    { "nearest", 5, true, {}, { node = 5 }, { selector = 5 }, { nod = "a@b:1" }, { node = "local@127.0.0.1:0", selector = "x" }, { node = "nonsense" } } },
  { "shutdown_timeout", { 0, 1, 5000, "infinity", "brutal_kill", math.huge }, { -1, "soon", true, {}, NAN, "" } },
  { "start_timeout", { 1000, "infinity", math.huge }, { -1, "soon", true, {}, NAN, "brutal_kill" } },
  { "mailbox_limit", { 5, { messages = 5 }, { bytes = 1000 }, { messages = 3, bytes = 1000 } },
    { -1, 0, "x", true, { message = 3 }, { messages = "x" }, {} } },
  { "significant", { false }, { "yes", 1, {} } },
  { "backoff", { { initial_ms = 1 }, { initial_ms = 1, max_ms = 10, factor = 3, jitter = 0, reset_after_ms = 10 } },
    { 5, "x", true, { initial = 5 }, { initial_ms = -1 }, { initial_ms = "x" }, { initial_ms = 5, factor = "x" },
      { initial_ms = 5, jitter = "x" }, { initial_ms = 5, factor = 0 }, { initial_ms = 5, jitter = -1 }, { initial_ms = 5, max_ms = {} } } },
}

describe("a child's field", function()
  for _, field in ipairs(child_fields) do
    local name = field[1]
    for i, value in ipairs(field[2]) do
      it(("%s is taken (%d)"):format(name, i), function() taken { children = { child { [name] = value } } } end)
    end
    for i, value in ipairs(field[3]) do
      it(("%s is refused (%d: %s)"):format(name, i, tostring(value)), function()
        refused({ children = { child { id = "a" }, child { id = "culprit", [name] = value } } }, "invalid_spec", name, "culprit")
      end)
    end
  end
  for i, id in ipairs { 5, true, {}, "" } do
    it(("id is refused (%d)"):format(i), function()
      refused({ children = { { id = id, behavior = B } } }, "invalid_spec", "id")
    end)
  end
  it("id is needed", function() refused({ children = { { behavior = B } } }, "invalid_spec", "id") end)
  for i, value in ipairs { 5, true, "" } do
    it(("behavior of another type is refused (%d)"):format(i), function()
      refused({ children = { { id = "culprit", behavior = value } } }, "invalid_spec", "behavior", "culprit")
    end)
    it(("supervisor of another type is refused (%d)"):format(i), function()
      refused({ children = { { id = "culprit", supervisor = value } } }, "invalid_spec", "supervisor", "culprit")
    end)
    it(("start of another type is refused (%d)"):format(i), function()
      refused({ children = { { id = "culprit", start = value } } }, "invalid_spec", "start", "culprit")
    end)
  end
  it("start is no table", function()
    refused({ children = { { id = "culprit", start = {} } } }, "invalid_spec", "start", "culprit")
  end)
  it("exactly one of the three kinds", function()
    refused({ children = { { id = "culprit" } } }, "invalid_spec", "culprit", "behavior", "supervisor", "start")
    refused({ children = { { id = "culprit", behavior = B, start = function() end } } }, "invalid_spec", "culprit")
    refused({ children = { { id = "culprit", behavior = B, supervisor = { children = {} } } } }, "invalid_spec", "culprit")
    refused({ children = { { id = "culprit", start = function() end, supervisor = { children = {} } } } }, "invalid_spec", "culprit")
  end)
  it("unknown keys name the nearest", function()
    refused({ children = { child { id = "culprit", restrat = "permanent" } } }, "invalid_spec", "restrat", "restart", "culprit")
    refused({ children = { child { id = "culprit", shutdownTimeout = 5 } } }, "invalid_spec", "shutdownTimeout", "shutdown_timeout", "culprit")
    refused({ children = { { id = "culprit", behaviour = B } } }, "invalid_spec", "behaviour", "behavior")
  end)
  it("is a table", function()
    for _, value in ipairs { 5, "x", true, B.init } do refused({ children = { value } }, "invalid_spec", "children") end
  end)
  it("significant rules", function()
    refused({ auto_shutdown = "any_significant", children = { child { significant = true, restart = "permanent" } } }, "invalid_spec", "significant", "kid")
    refused({ children = { child { significant = true } } }, "invalid_spec", "significant", "kid")
    refused({ auto_shutdown = "never", children = { child { significant = true, restart = "temporary" } } }, "invalid_spec", "significant", "kid")
    taken { auto_shutdown = "any_significant", children = { child { significant = true } } }
    taken { auto_shutdown = "all_significant", children = { child { significant = true, restart = "transient" } } }
    taken { auto_shutdown = "all_significant", children = { child { significant = true, restart = "temporary" } } }
  end)
  it("on_supervisor_loss other than stop is refused", function()
    refused({ children = { child { on_supervisor_loss = "keep" } } }, "invalid_spec", "on_supervisor_loss")
  end)
end)

local sup_fields = {
  { "strategy", { "one_for_one", "one_for_all", "rest_for_one" }, { "one_for_some", 5, true, {}, "" } },
  { "node_selector", { "local_first", "local", "round_robin", "least_loaded", "random" }, { "nearest", 5, true, {}, { node = 5 } } },
  { "children", { {} }, { 5, "x", true, { a = 1 } } },
  { "restart_intensity", { { max_restarts = 3, within_ms = 5000 }, { max_restarts = 0 }, { within_ms = 10 }, {} },
    { 5, "x", true, { max_restarts = -1 }, { max_restarts = "x" }, { within_ms = -1 }, { within_ms = "x" }, { max = 3 }, { max_restarts = 1.5 }, { within_ms = 0 } } },
  { "auto_shutdown", { "never", "any_significant", "all_significant" }, { "all", 5, true, {} } },
  { "name", { "sup_name" }, { 5, true, {}, "" } },
  { "global", { "sup_name" }, { 5, true, {}, "" } },
}

describe("a supervisor's field", function()
  for _, field in ipairs(sup_fields) do
    local name = field[1]
    for i, value in ipairs(field[2]) do
      it(("%s is taken (%d)"):format(name, i), function() taken { children = {}, [name] = value } end)
    end
    for i, value in ipairs(field[3]) do
      it(("%s is refused (%d: %s)"):format(name, i, tostring(value)), function()
        local spec = { children = { child() } }
        spec[name] = value
        refused(spec, "invalid_spec", name)
      end)
    end
  end
  it("unknown keys name the nearest", function()
    refused({ childs = { child() } }, "invalid_spec", "childs", "children")
    refused({ children = { child() }, stratgy = "one_for_one" }, "invalid_spec", "stratgy", "strategy")
    refused({ children = { child() }, restartIntensity = {} }, "invalid_spec", "restartIntensity", "restart_intensity")
    refused({ children = { child() }, restart_intensity = { maxRestarts = 4 } }, "invalid_spec", "maxRestarts", "max_restarts")
  end)
  it("valid values are told", function()
    refused({ strategy = "x", children = {} }, "invalid_spec", "one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one")
    refused({ children = { child { restart = "x" } } }, "invalid_spec", "permanent", "transient", "temporary")
    refused({ children = { child { shutdown_timeout = "x" } } }, "invalid_spec", "infinity", "brutal_kill")
    refused({ auto_shutdown = "x", children = {} }, "invalid_spec", "never", "any_significant", "all_significant")
  end)
  it("a duplicate id", function()
    local err = refused({ children = { child { id = "twin" }, child { id = "other" }, child { id = "twin" } } }, "duplicate_child", "twin")
    equal(err.child_id, "twin")
  end)
  it("simple_one_for_one needs its template and takes no children", function()
    refused({ strategy = "simple_one_for_one" }, "missing_child_template")
    taken { strategy = "simple_one_for_one", children = {}, child_template = { behavior = B } }
    refused({ strategy = "simple_one_for_one", children = { child() }, child_template = { behavior = B } }, "invalid_simple_one_for_one")
    refused({ strategy = "one_for_one", child_template = { behavior = B } }, "invalid_spec", "child_template")
    refused({ strategy = "simple_one_for_one", child_template = 5 }, "invalid_spec", "child_template")
    refused({ strategy = "simple_one_for_one", child_template = { id = "x", behavior = B } }, "invalid_spec", "id")
    refused({ strategy = "simple_one_for_one", child_template = { behavior = B, restart = "x" } }, "invalid_spec", "restart", "child_template")
    refused({ strategy = "simple_one_for_one", child_template = {} }, "invalid_spec", "behavior")
  end)
  it("a spec is a table or a name", function()
    for _, v in ipairs { 5, true, B.init } do
      nothing_started(function()
        local ok, err = pcall(S.start, v)
        equal(ok, false)
        truthy(err.code == "invalid_spec" or err.code == "bad_argument", "invalid_spec")
      end)
    end
    raises("behavior_not_found", S.start, "no_such_spec_anywhere")
  end)
  it("name and global that agree are fine, that differ are not", function()
    refused({ children = {}, name = "a1", global = "b1" }, "invalid_spec", "name")
  end)
  it("a hole in the children is refused", function()
    refused({ children = { child { id = "a" }, nil, child { id = "c" } } }, "invalid_spec", "children")
  end)
  it("in an inner spec is found before anything starts", function()
    local err = refused({ children = { child { id = "first" },
      { id = "inner", supervisor = { children = { child { id = "deep", restart = "sometimes" } } } } } }, "invalid_spec", "restart", "deep")
    truthy(err.message)
    refused({ children = { child { id = "first" },
      { id = "inner", supervisor = { children = { child { id = "t" }, child { id = "t" } } } } } }, "duplicate_child", "t")
    refused({ children = { child { id = "first" },
      { id = "inner", supervisor = { strategy = "simple_one_for_one" } } } }, "missing_child_template")
  end)
end)

describe("start_child's spec", function()
  it("is checked as the others", function()
    local sup = S.start { children = { child { id = "a" } } }
    local before = started
    for _, f in ipairs(child_fields) do
      for _, value in ipairs(f[3]) do
        local err = raises("invalid_spec", S.start_child, sup, child { id = "culprit", [f[1]] = value })
        contains(err.message, f[1])
        contains(err.message, "culprit")
      end
    end
    raises("duplicate_child", S.start_child, sup, child { id = "a" })
    contains(raises("invalid_spec", S.start_child, sup, { behavior = B }).message, "id")
    raises("invalid_spec", S.start_child, sup, child { id = "s", significant = true })
    equal(started, before)
    equal(#S.children(sup), 1)
    S.stop(sup)
  end)
  it("args for a supervisor without a template, and a spec for one with it", function()
    local sup = S.start { children = {} }
    local ok, err = pcall(S.start_child, sup, { 1, 2 })
    equal(ok, false)
    truthy(err.code == "invalid_spec" or err.code == "invalid_simple_one_for_one", tostring(err.code))
    S.stop(sup)
    local pool = S.start { strategy = "simple_one_for_one", child_template = { behavior = B } }
    raises("invalid_simple_one_for_one", S.start_child, pool, child { id = "x" })
    S.stop(pool)
  end)
end)

describe("arguments of the calls", function()
  it("are checked", function()
    local sup = S.start { children = { child() } }
    raises("bad_argument", S.terminate_child, sup, 5)
    raises("bad_argument", S.terminate_child, sup)
    raises("bad_argument", S.restart_child, sup, {})
    raises("bad_argument", S.child, sup, 5)
    raises("bad_argument", S.children, sup, 5)
    raises("bad_argument", S.children, sup, { from = "x" })
    raises("bad_argument", S.children, sup, { frm = 1 })
    raises("bad_argument", S.stop, 5)
    raises("bad_argument", S.stats, {})
    raises("bad_argument", S.count_children)
    raises("child_not_found", S.terminate_child, sup, "none")
    raises("child_not_found", S.restart_child, sup, "none")
    equal(S.child(sup, "none"), nil)
    S.stop(sup)
  end)
end)

describe("every field with a value of every other type", function()
  local VALUES = { number = 5.5, string = "\1no such word", boolean = true, list = { 1 }, map = { zz = 1 }, fn = function() end }

  --- Every value but those named in `except` must be refused: the field told, the child told, nothing started.
  local function each_wrong(field, except, spec_with)
    for kind, value in pairs(VALUES) do
      if not except:find(kind, 1, true) then
        local spec, child_id = spec_with(value)
        local err = refused(spec, "invalid_spec")
        truthy(tostring(err.field):find(field, 1, true), ("%s with a %s: the field told is %s"):format(field, kind, tostring(err.field)))
        equal(err.child_id, child_id)
      end
    end
  end

  --- field -> what it may be, or what is refused with another code
  local of_child = { args = "list", name = "string", global = "string", restart = "", node_selector = "fn", shutdown_timeout = "number",
    start_timeout = "number", mailbox_limit = "", significant = "boolean", backoff = "" }
  local inside_child = { ["backoff.initial_ms"] = "number", ["backoff.max_ms"] = "number", ["backoff.factor"] = "number",
    ["backoff.jitter"] = "", ["backoff.reset_after_ms"] = "number", ["mailbox_limit.messages"] = "", ["mailbox_limit.bytes"] = "",
    ["node_selector.node"] = "", ["node_selector.selector"] = "string" }
  local what = { behavior = "string list map", supervisor = "string", start = "fn" }
  local of_supervisor = { strategy = "", node_selector = "fn", children = "", child_template = "", restart_intensity = "", auto_shutdown = "",
    name = "string", global = "string", on_supervisor_loss = "" }
  local inside_supervisor = { ["restart_intensity.max_restarts"] = "", ["restart_intensity.within_ms"] = "number" }

  local function inner(path, value, base)
    local outer, field = path:match("^(.-)%.(.*)$")
    local t = { [field] = value }
    if outer == "backoff" and field ~= "initial_ms" then t.initial_ms = 1 end
    base[outer] = t
    return base
  end

  for field, except in pairs(of_child) do
    it("of a child: " .. field, function()
      each_wrong(field, except, function(v) return { children = { child { [field] = v } } }, "kid" end)
    end)
  end
  for path, except in pairs(inside_child) do
    it("of a child: " .. path, function()
      each_wrong(path, except, function(v) return { children = { inner(path, v, child()) } }, "kid" end)
    end)
  end
  for field, except in pairs(what) do
    it("of a child: " .. field, function()
      each_wrong(field, except, function(v) return { children = { { id = "kid", [field] = v } } }, "kid" end)
    end)
  end
  it("of a child: id", function()
    each_wrong("id", "string", function(v) return { children = { { id = v, behavior = B } } } end)
  end)
  for field, except in pairs(of_supervisor) do
    it("of a supervisor: " .. field, function()
      each_wrong(field, except, function(v)
        if field == "child_template" then return { strategy = "simple_one_for_one", child_template = v } end
        return { [field] = v }
      end)
    end)
  end
  for path, except in pairs(inside_supervisor) do
    it("of a supervisor: " .. path, function()
      each_wrong(path, except, function(v) return inner(path, v, { children = {} }) end)
    end)
  end
end)
