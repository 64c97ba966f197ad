--- boot.lua - what the core runs in every Lua state before anything else: the loop of its coroutines, the first turn of a
--- process, and the standard functions that must let a wait pass (coroutine.resume, require, dofile).

local core = require "dozor.core"
require "dozor.errors"

local WAIT = core.WAIT
local next_turn, prepare = core.next, core.prepare
local resume, yield, create = coroutine.resume, coroutine.yield, coroutine.create
local isyieldable = coroutine.isyieldable

local M = { steps = {}, internals = {} }

-- ----------------------------------------------------------------------------------------------------------- turns --

--- The life of a pooled coroutine: the handler's results go to the core, which gives the next handler and its arguments. It may
--- give nothing to a coroutine that begins or has been idle: then it is asked again.
function M.body(handler, a, b, c)
  while true do
    while handler do
      handler, a, b, c = next_turn(handler(a, b, c))
    end
    handler, a, b, c = next_turn()
  end
end
jit.off(M.body)

local function enter(step, ...)
  return step(...)
end

--- The first turn of a process: steps until the last one is its init.
function M.start()
  return enter(prepare())
end

function M.steps.resolve(name, no_jit)
  local other = require("dozor.registry").bind(name, no_jit)
  if other then return other() end
  return enter(prepare())
end

function M.steps.table(behavior, number)
  require("dozor.registry").bind_table(behavior, number)
  return enter(prepare())
end

function M.steps.global(name)
  core.request(core.system(), require("dozor.request").GLOBAL_REGISTER, { name = name, pid = core.self() })
  core.result()
  return enter(prepare())
end

-- ------------------------------------------------------------------------------------------------- 64-bit integers --

local ffi = require "ffi"
local halves = ffi.new "union { int64_t i; uint64_t u; uint32_t w[2]; }"
local int64, uint64 = ffi.typeof "int64_t", ffi.typeof "uint64_t"
local low, high = ffi.abi "le" and 0 or 1, ffi.abi "le" and 1 or 0

function M.box(signed, hi, lo)
  halves.w[high], halves.w[low] = hi, lo
  if signed then return halves.i end
  return halves.u
end

function M.unbox(value)
  if ffi.istype(int64, value) then
    halves.i = value
    return true, halves.w[high], halves.w[low]
  elseif ffi.istype(uint64, value) then
    halves.u = value
    return false, halves.w[high], halves.w[low]
  end
end

-- ------------------------------------------------------------------------------------- a process's own coroutines --

--- A wait inside a coroutine of the process is a wait of the process: the token goes on outwards, and back in when it is over.
local function pass(co, ok, ...)
  if ok and (...) == WAIT then
    if isyieldable() then return pass(co, resume(co, yield(WAIT))) end
    core.refuse_wait()
    return pass(co, resume(co))
  end
  return ok, ...
end

local function unwrap(ok, ...)
  if not ok then error((...), 0) end
  return ...
end

---@diagnostic disable-next-line: duplicate-set-field
function coroutine.resume(co, ...)
  return pass(co, resume(co, ...))
end

---@diagnostic disable-next-line: duplicate-set-field
function coroutine.wrap(fn)
  local co = create(fn)
  return function(...) return unwrap(pass(co, resume(co, ...))) end
end

-- -------------------------------------------------------------------------------------------------- require, dofile --

local loaded = package.loaded
local loading = {} -- name -> the process that loads it

local function search(name)
  local tried = {}
  for _, loader in ipairs(package.loaders) do
    local found = loader(name)
    if type(found) == "function" then return found end
    if type(found) == "string" then tried[#tried + 1] = found end
  end
  error(("module '%s' not found:%s"):format(name, table.concat(tried)), 3)
end

local function finish(name, ok, value)
  loading[name] = nil
  if not ok then error(value, 0) end
  if value ~= nil then loaded[name] = value end
  if loaded[name] == nil then loaded[name] = true end
  return loaded[name]
end

--- Lua's own, but a module may wait while it loads; another process that wants it meanwhile waits for it.
function require(name)
  if type(name) == "number" then name = tostring(name) end
  if type(name) ~= "string" then
    error(("bad argument #1 to 'require' (string expected, got %s)"):format(type(name)), 2)
  end
  while loaded[name] == nil and loading[name] do
    if loading[name] == (core.current() or "none") then
      error(("loop or previous error loading module '%s'"):format(name), 2)
    end
    core.sleep(1)
    core.result()
  end
  if loaded[name] ~= nil then return loaded[name] end
  local found = search(name)
  loading[name] = core.current() or "none"
  return finish(name, pcall(found, name))
end

--- Lua's own, but the file's code may wait.
function dofile(path)
  local chunk, err = loadfile(path)
  if not chunk then error(err, 0) end
  return chunk()
end

-- ------------------------------------------------------------------------------------------------------- simulator --

if core.simulated then
  local function refuse(what)
    return function()
      error(core.make_error("not_in_simulation", what .. " is not available under the simulator"), 0)
    end
  end
  os.time = function(t)
    if t ~= nil then error("os.time of a table is not available under the simulator", 2) end
    return math.floor(core.wall_ms() / 1000)
  end
  local date = os.date
  os.date = function(format, t) return date(format, t or os.time()) end
  os.clock = function() return core.now() / 1000 end
  print = function(...)
    local words = { ... }
    for i = 1, select("#", ...) do words[i] = tostring(words[i]) end
    core.sim_note(table.concat(words, "\t"))
  end
  os.execute = refuse "os.execute"
  io.popen = refuse "io.popen"
end

require("dozor.script")(M.internals)

return M
