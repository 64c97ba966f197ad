--- sim.lua - what a script and its behaviours say to `dozor sim`: what must be true of them.
---
--- Under `dozor run` and `dozor up` a check is never looked at, so that it may stand where the program starts.

local core = require "dozor.core"
local check = require "dozor.check"
local process = require "dozor.process"

local M = {}

local EVERY_MS = 500
local OPTIONS = { always = "boolean" }

--- Where a run is: "storm" (faults come), "calm" (all have healed), "settled" (long enough ago for everything to have recovered);
--- nil outside of a simulator.
---@return "storm"|"calm"|"settled"|nil
function M.phase()
  return core.sim_phase()
end

--- The seed of this run; nil outside of a simulator.
---@return integer|nil
function M.seed()
  return core.sim_seed()
end

--- A line in the trace (`dozor sim --trace`); nothing outside of a simulator.
---@param text string
function M.note(text)
  core.sim_note(tostring(text))
end

local function look(number, fn)
  local ok, held, why = pcall(fn)
  if ok and held ~= false then
    core.sim_held(number)
    return
  end
  if not ok then why = held end
  core.sim_failed(number, why == nil and "it returned false" or tostring(why))
end

local function watch(number, fn, always)
  while true do
    process.sleep(EVERY_MS)
    if always or core.sim_phase() == "settled" then look(number, fn) end
  end
end

--- Something that must be true whenever all has healed and settled, as seen from this node. `fn` runs again and again in a
--- process of its own, and may call others. The run has failed when it raises an error or returns false (and why).
---@param name string what is printed when it is not true
---@param fn fun(): boolean?, string?
---@param options? { always: boolean } always: it must be true in the storm, too
function M.check(name, fn, options)
  if type(name) ~= "string" then check.fail("name", "a string", name) end
  if type(fn) ~= "function" then check.fail("fn", "a function", fn) end
  if options ~= nil and type(options) ~= "table" then check.fail("options", "a table", options) end
  for key in pairs(options or {}) do
    if not OPTIONS[key] then check.fail("options." .. tostring(key), "one of: always", key) end
  end
  if not core.simulated then return end
  local always = options ~= nil and options.always == true
  local number = core.sim_check(name)
  process.spawn(function() watch(number, fn, always) end)
end

return M
