--- registry.lua - behaviours and supervisor specs by name, as this Lua state has them.
--- A name stands for a file, which every worker compiles for itself from the same bytes, or for a table or function that a
--- script has registered, which belongs to the state it was made in.

local core = require "dozor.core"
local check = require "dozor.check"

local M = { public = {} }

local CALLBACKS = { "init", "handle_call", "handle_cast", "handle_info", "terminate" }
local SETTINGS = { version = "number", jit = "boolean" }
local is_callback = {}
for _, name in ipairs(CALLBACKS) do is_callback[name] = true end

local own = {}                                    -- name -> table or function registered in this state
local compiled = {}                               -- name -> what the file returned
local names = setmetatable({}, { __mode = "k" })  -- table of a module -> its name, or false

-- ------------------------------------------------------------------------------------------------------- behaviours --

local function invalid(what, message, field)
  error(core.make_error("bad_argument", what .. ": " .. message, { argument = field or "behavior" }), 0)
end

local function is_spec(value)
  return type(value) == "table" and (value.children ~= nil or value.child_template ~= nil)
end
M.is_spec = is_spec

--- The callback a field was probably meant to be: one that is not there (`emit` beside an `init` is a function of its own).
local function meant(field, behavior)
  local best, distance = check.nearest(field, CALLBACKS)
  if field:find("^handle_") or distance <= 2 and behavior[best] == nil then return best end
end

--- Raises what is wrong with a behaviour's table.
local function check_behavior(what, behavior)
  if type(behavior) ~= "table" then
    invalid(what, ("a behaviour is a table of callbacks, got a %s"):format(type(behavior)))
  end
  for field, value in pairs(behavior) do
    if is_callback[field] then
      if type(value) ~= "function" then
        invalid(what, ("%s must be a function, got a %s"):format(field, type(value)), field)
      end
    elseif type(field) == "string" and type(value) == "function" then
      local near = meant(field, behavior)
      if near then invalid(what, ("unknown callback '%s'; did you mean '%s'?"):format(field, near), field) end
    end
  end
  for field, wanted in pairs(SETTINGS) do
    local value = behavior[field]
    if value ~= nil and type(value) ~= wanted then
      invalid(what, ("%s must be a %s, got a %s"):format(field, wanted, type(value)), field)
    end
  end
  if type(behavior.init) ~= "function" then invalid(what, "a behaviour has a function init", "init") end
end

local function wants_from(behavior)
  if not behavior.handle_call then return false end
  local info = debug.getinfo(behavior.handle_call, "u")
  return info.isvararg or info.nparams == nil or info.nparams >= 3
end

local function counts_args(init)
  local info = debug.getinfo(init, "u")
  return info.isvararg or info.nparams == nil
end

--- What a module's code writes to must be declared: a forgotten `local` would be shared by all processes of the worker.
local function environment()
  return setmetatable({}, {
    __index = _G,
    __newindex = function(_, key, value)
      if rawget(_G, key) == nil then
        error(("assignment to undeclared global '%s' in a behaviour (a forgotten 'local'?)"):format(tostring(key)), 2)
      end
      rawset(_G, key, value)
    end,
  })
end

local function load_failed(name, path, err)
  local text = ("behaviour '%s' does not load: %s"):format(name, tostring(err))
  error(core.make_error("init_failed", text, { behavior = name, path = path,
    reason = { code = "error", message = text, behavior = name, path = path } }), 0)
end

local function compile(name, source, path, no_jit)
  local chunk, err = loadstring(source, path:sub(1, 1) == "=" and path or "@" .. path)
  if not chunk then load_failed(name, path, err) end
  setfenv(chunk, environment())
  if no_jit then jit.off(chunk, true) end
  local ok, value = pcall(chunk, name)
  if not ok then load_failed(name, path, value) end
  if type(value) == "table" and value.jit == false then jit.off(chunk, true) end
  return value
end

--- Turns the compiler off for the callbacks of a table and what they refer to.
local function interpret(fn, seen)
  if seen[fn] then return end
  seen[fn] = true
  jit.off(fn, true)
  for i = 1, 255 do
    local name, value = debug.getupvalue(fn, i)
    if not name then break end
    if type(value) == "function" and debug.getinfo(value, "S").what ~= "C" then interpret(value, seen) end
  end
end

local function interpret_table(behavior)
  local seen = {}
  for _, name in ipairs(CALLBACKS) do
    if behavior[name] then interpret(behavior[name], seen) end
  end
end

-- ------------------------------------------------------------------------------------------------------------ names --

--- Raises `behavior_not_found`, naming the node and the places looked at.
---@param name string
function M.not_found(name)
  local node, places = core.node(), core.behavior_places(name)
  error(core.make_error("behavior_not_found",
    ("there is no behaviour '%s' on %s; looked at %s"):format(name, node, places),
    { behavior = name, node = node, places = places }), 0)
end

local function file_value(name, source, path)
  local value = compiled[name]
  if value == nil then
    value = compile(name, source, path)
    if value == nil then load_failed(name, path, "it returns nothing") end
    compiled[name] = value
  end
  return value
end

--- The behaviour, spec or function of that name; nil when there is none, or only another Lua state has it.
---@param name string
function M.get(name)
  local kind, a, b = core.behavior_find(name)
  if kind == "table" then return b and own[name] or nil end
  if kind == "file" then return file_value(name, a, b) end
end

--- The supervisor spec of that name if this state knows one without running anybody's code for it: registered here, or of a
--- file that has been loaded.
---@param name string
---@return table?
function M.known_spec(name)
  local value = own[name]
  if value == nil then value = compiled[name] end
  return is_spec(value) and value or nil
end

---@param name string
---@return boolean
function M.has(name)
  return core.behavior_find(name) ~= nil or core.native_behavior(name)
end

local function module_name(value)
  for name, module in pairs(package.loaded) do
    if module == value and type(name) == "string" then return name end
  end
end

--- The name under which every worker and node finds this table, when it is a module's.
---@param value table
---@return string?
function M.name_of(value)
  local known = names[value]
  if known ~= nil then return known or nil end
  local module = module_name(value)
  local path = module and package.searchpath(module, package.path)
  local name = path and core.behavior_register_file(module, path) and module or false
  names[value] = name
  return name or nil
end

-- ------------------------------------------------------------------------------------------------------- first turns --

--- The reason of a raised error, as a process would have it that ends by it.
local function reason_of(err)
  local reason = { code = "error", traceback = debug.traceback("", 2):gsub("^\n", "") }
  if type(err) ~= "table" then
    reason.message = tostring(err)
  else
    for key, field in pairs(err) do reason[key] = field end
  end
  return reason
end

--- What the registered function makes of its args. That it raises is said like an init that raises.
---@param name string
---@param fn function
---@return any
function M.evaluate(name, fn, ...)
  local ok, value = xpcall(fn, reason_of, ...)
  if ok then return value end
  error(core.make_error("init_failed", ("the function '%s' raised: %s"):format(name, tostring(value.message or value.code)),
    { behavior = name, reason = value }), 0)
end

local function spawn_spec(name, value)
  if type(value) == "function" then
    value = M.evaluate(name, value, core.start_args())
  else
    core.start_args()
  end
  if not is_spec(value) then
    error(core.make_error("invalid_spec",
      ("'%s' is no behaviour and no supervisor spec: a spec has children or child_template"):format(name),
      { field = "", name = name }), 0)
  end
  core.start_other(0, require("dozor.spec").prepare(value, name))
  return core.result()
end

local function spawn_elsewhere(thread)
  core.start_args()
  core.start_other(thread)
  return core.result()
end

local function bind_value(key, name, value, is_local)
  check_behavior(("behaviour '%s'"):format(name), value)
  core.behavior_bind(key, 0, value, wants_from(value), is_local, counts_args(value.init))
end

--- Makes the named behaviour known to the core; or returns what the first turn has to do instead.
---@param name string
---@param no_jit boolean an interpreted twin
---@return function?
function M.bind(name, no_jit)
  local kind, a, b = core.behavior_find(name)
  if not kind then M.not_found(name) end
  if kind == "table" and not b then return function() return spawn_elsewhere(a) end end
  local value
  if kind == "table" then
    value = own[name]
    if type(value) == "table" and (no_jit or value.jit == false) then interpret_table(value) end
  elseif no_jit then
    value = compile(name, a, b, true)
  else
    value = file_value(name, a, b)
  end
  if type(value) == "function" or is_spec(value) then return function() return spawn_spec(name, value) end end
  bind_value(no_jit and name .. "\n" or name, name, value, kind == "table")
end

--- The same for a table that is referred to by number.
function M.bind_table(behavior, number)
  check_behavior("behaviour table", behavior)
  if behavior.jit == false then interpret_table(behavior) end
  core.behavior_bind(nil, number, behavior, wants_from(behavior), true, counts_args(behavior.init))
end

-- ----------------------------------------------------------------------------------------------------------- public --

local function check_name(name)
  if type(name) ~= "string" or name == "" or #name > 255 or name:find("^[<@]") or name:find("[%z\n]") then
    check.fail("name", "1 to 255 bytes, the first of them neither '<' nor '@'", name)
  end
end

local function taken(name)
  error(core.make_error("name_taken", ("the behaviour '%s' is registered with something else"):format(name),
    { name = name }), 0)
end

local function register_file(name, path)
  local ok, code = core.behavior_register_file(name, path)
  if ok then return end
  if code == "exists" then taken(name) end
  error(core.make_error(code, ("cannot read %s"):format(path), { name = name, path = path }), 0)
end

local function register_own(name, value)
  if own[name] ~= nil and own[name] ~= value then taken(name) end
  if own[name] == value then return end
  if not core.behavior_register_table(name) then taken(name) end
  own[name] = value
end

local function path_of(module)
  local path, tried = package.searchpath(module, package.path)
  if not path then
    error(core.make_error("behavior_not_found", ("there is no module '%s':%s"):format(module, tried),
      { behavior = module, node = core.node() }), 0)
  end
  return path
end

--- Registers a behaviour, a supervisor spec or a function that returns one.
---@param name string
---@param value string|table|function the name of a module, a module's table (both: any worker runs it), or a table or function
---of this script (its processes run on this worker)
function M.public.register(name, value)
  check_name(name)
  if core.native_behavior(name) then taken(name) end
  local kind = type(value)
  if kind ~= "string" and kind ~= "table" and kind ~= "function" then
    check.fail("behavior", "a module's name, a table of callbacks, a supervisor spec or a function", value)
  end
  if kind == "table" and not is_spec(value) then check_behavior(("behaviour '%s'"):format(name), value) end
  if kind == "string" then
    register_file(name, path_of(value))
    local loaded = M.get(name)
    if type(loaded) ~= "function" and not is_spec(loaded) then
      check_behavior(("behaviour '%s'"):format(name), loaded)
    end
    return
  end
  local module = kind == "table" and module_name(value)
  local path = module and package.searchpath(module, package.path)
  if path then
    register_file(name, path)
    names[value] = name
  else
    register_own(name, value)
  end
end

--- The behaviour's table (or the spec, or the function that returns one); nil when there is none here.
---@param name string
function M.public.get(name)
  check_name(name)
  return M.get(name)
end

---@param name string
---@return boolean
function M.public.has(name)
  check_name(name)
  return M.has(name)
end

--- Names registered, used so far or built in, sorted. Files in the behaviour path that nobody has asked for are not among them.
---@return string[]
function M.public.names()
  local list = core.behavior_names()
  table.sort(list)
  return list
end

return M
