--- supervisor.lua - supervisors: started from a spec, asked and changed by requests to their pid, from any
--- node.
--- A supervisor is a process of the core; nothing here runs inside it.

local core = require "dozor.core"
local check = require "dozor.check"
local process = require "dozor.process"
local registry = require "dozor.registry"
local request = require "dozor.request"
local specs = require "dozor.spec"

local M = {}

local pairs, type = pairs, type

-- ----------------------------------------------------------------------------------------------------------
-- specs --

local function is_child_spec(value)
  for key in pairs(value) do
    if type(key) == "string" then return true end
  end
  return false
end

local function last_index(list)
  local last = 0
  for key in pairs(list) do
    if type(key) == "number" and key > last then last = key end
  end
  return last
end

--- The spec a registered name stands for; nil when only another Lua state has it.
local function named_spec(name, args)
  local found = registry.get(name)
  if found == nil then
    if registry.has(name) then return nil end
    registry.not_found(name)
  end
  local spec = found
  if type(found) == "function" then spec = registry.evaluate(name, found, unpack(args, 1, last_index(args))) end
  if not registry.is_spec(spec) then
    error(core.make_error("invalid_spec",
      ("'%s' is no supervisor spec: a spec is a table with children or child_template, or a function that returns one")
      :format(name), { field = "", name = name }), 0)
  end
  return spec
end

-- -------------------------------------------------------------------------------------------------------
-- requests --

local GONE = { noproc = true, unhandled_call = true }

--- A supervisor's name is cluster-wide; { name =, node = } may mean that one, too.
local function target(sup)
  if type(sup) ~= "table" or type(sup.name) ~= "string" then return sup end
  local owner = core.global_whereis(sup.name)
  return owner and process.node_of(owner) == sup.node and owner or sup
end

local function question(sup, code, value, functions)
  core.request(target(sup), code, value, "infinity", functions)
  return core.result()
end

--- The answer of the supervisor; these questions have no deadline of their own.
local function ask(sup, code, value, functions)
  if sup == nil then check.fail("supervisor", "a pid, a name or { name =, node = }", sup) end
  local ok, answer = pcall(question, sup, code, value, functions)
  if ok then return answer end
  if type(answer) == "table" and GONE[answer.code] then
    local shown = type(sup) == "table" and tostring(sup.name) or tostring(sup)
    error(core.make_error("supervisor_not_found", ("there is no supervisor %s"):format(shown),
      { supervisor = sup }), 0)
  end
  error(answer, 0)
end

--- Functions and behaviour tables may be in what is sent only when the supervisor is on this host.
local function is_here(sup)
  local dest = target(sup)
  if type(dest) == "table" then return dest.node == core.node() end
  return core.alive_here(dest) ~= nil
end

local function stays_here(err)
  local field = tostring(err.path):gsub("^argument%.?", "")
  error(core.make_error("invalid_spec",
    field .. ": functions and behaviour tables stay on the host they were made on; give a behaviour's name",
    { field = field }), 0)
end

--- Starts a supervisor and its children, in order. It is linked to nobody: it lives until it is stopped,
--- gives up, or the host goes. Waits until every child has started.
---@param spec dozor.SupervisorSpec|string the spec, or the name of a registered one
---@param args? any[] for a registered spec that is a function
---@return dozor.Pid
function M.start(spec, args)
  local name
  if type(spec) == "string" then
    if args ~= nil and type(args) ~= "table" then check.fail("args", "a list", args) end
    local found = named_spec(spec, args or {})
    if not found then return process.spawn(spec, args, { timeout_ms = "infinity" }) end
    spec, name = found, spec
  end
  if type(spec) ~= "table" then
    check.fail("spec", "a supervisor spec or the name of a registered one", spec)
  end
  core.spawn_supervisor(specs.prepare(spec, name))
  return core.result()
end

--- Stops the children in reverse order of their start, then the supervisor. When this returns none of its
--- processes lives on any reachable node. Stopping one that is gone does nothing.
---@param sup dozor.Dest
---@param reason? any default "normal"
function M.stop(sup, reason)
  if sup == nil then check.fail("supervisor", "a pid, a name or { name =, node = }", sup) end
  if reason == nil then reason = "normal" end
  process.stop(target(sup), reason, "infinity")
end

--- Starts one more child, behind all others.
---@param sup dozor.Dest
---@param child dozor.ChildSpec|any[] under simple_one_for_one: args that follow the template's
---@return dozor.Pid pid
---@return string id the child's id, under simple_one_for_one a generated one
function M.start_child(sup, child)
  if child ~= nil and type(child) ~= "table" then
    check.fail("child", "a child spec or a list of args", child)
  end
  local value, here = child or {}, is_here(sup)
  if is_child_spec(value) then value = specs.prepare_child(value) end
  local ok, answer = pcall(ask, sup, request.START_CHILD, value, here)
  if ok then return answer[1], answer[2] end
  if not here and type(answer) == "table" and answer.code == "bad_message" then stays_here(answer) end
  error(answer, 0)
end

--- Ends the child wherever it lives, removes its record and never restarts it.
---@param sup dozor.Dest
---@param id string
function M.terminate_child(sup, id)
  check.text("id", id)
  ask(sup, request.TERMINATE_CHILD, id)
end

--- Stops the child if it runs, selects a node again and starts it there. Does not consume restart intensity.
---@param sup dozor.Dest
---@param id string
---@return dozor.Pid
function M.restart_child(sup, id)
  check.text("id", id)
  return ask(sup, request.RESTART_CHILD, id)
end

--- The children's records in start order.
---@param sup dozor.Dest
---@param opts? { from?: integer, limit?: integer } a page: from the position `from` (1), at most `limit` of them
---@return dozor.ChildRecord[]
function M.children(sup, opts)
  for key, value in pairs(check.options("options", opts, { "from", "limit" })) do
    if not (type(value) == "number" and value >= 0) then check.fail(key, "a number not below 0", value) end
  end
  return ask(sup, request.CHILDREN, opts)
end

--- One child's record, or nil.
---@param sup dozor.Dest
---@param id string
---@return dozor.ChildRecord?
function M.child(sup, id)
  check.text("id", id)
  return ask(sup, request.CHILD, id)
end

--- How many children there are: records, those with a process, supervisors and others.
---@param sup dozor.Dest
---@return { specs: integer, active: integer, supervisors: integer, workers: integer }
function M.count_children(sup)
  return ask(sup, request.COUNT_CHILDREN)
end

--- The supervisor's figures.
---@param sup dozor.Dest
---@return dozor.SupervisorStats
function M.stats(sup)
  return ask(sup, request.STATS)
end

local NOT_RUNNING = { supervisor_not_found = true, noconnection = true, call_failed = true }

--- Does this supervisor run, as far as this node can tell?
---@param sup dozor.Dest
---@return boolean
function M.is_running(sup)
  local ok, answer = pcall(ask, sup, request.IS_SUPERVISOR)
  if ok then return answer == true end
  if type(answer) == "table" and NOT_RUNNING[answer.code] then return false end
  error(answer, 0)
end

--- The pids of this node's supervisors, in the order they were started.
---@return dozor.Pid[]
function M.list()
  core.request(core.system(), request.SUPERVISORS)
  return core.result()
end

return M
