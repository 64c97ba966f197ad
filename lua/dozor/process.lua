--- process.lua - processes: making them, talking to them, waiting, links and monitors, names, time.
--- Primitives that wait park the process and return nothing; core.result() after them is what they waited for.

local core = require "dozor.core"
local check = require "dozor.check"
local registry = require "dozor.registry"
local request = require "dozor.request"

local M = {}

local type, pcall, huge = type, pcall, math.huge
local core_spawn, spawn_result = core.spawn, core.spawn_result
local core_call, core_receive, result = core.call, core.receive, core.result
local take, look, take_seen, wait_message, received = core.take, core.look, core.take_seen, core.wait_message, core.received

--- What handle_call returns to reply later.
M.NOREPLY = core.NOREPLY

-- ------------------------------------------------------------------------------------------------------------ spawn --

local LINK, MONITOR, OWN_WORKER = 1, 2, 16
local OPTIONS = { "name", "global", "link", "monitor", "node", "timeout_ms", "mailbox_limit", "own_worker" }
local WHAT = "a behaviour's name, a behaviour table or a function"

local function check_flag(opts, name)
  local value = opts[name]
  if value ~= nil and type(value) ~= "boolean" then check.fail("opts." .. name, "true or false", value) end
  return value or false
end

local function is_count(value)
  return type(value) == "number" and value >= 1 and value < 2 ^ 40
end

local function mailbox_limits(limit)
  if limit == nil then return 0, 0 end
  if is_count(limit) then return limit, 0 end
  if type(limit) ~= "table" then
    check.fail("opts.mailbox_limit", "a number of messages or { messages =, bytes = }", limit)
  end
  check.options("opts.mailbox_limit", limit, { "messages", "bytes" })
  for _, key in ipairs { "messages", "bytes" } do
    if limit[key] ~= nil and not is_count(limit[key]) then
      check.fail("opts.mailbox_limit." .. key, "a number of at least 1", limit[key])
    end
  end
  return limit.messages or 0, limit.bytes or 0
end

local function check_node(node)
  if node == nil or node == core.node() then return nil end
  if type(node) ~= "string" or not node:find("^%a[%w_%-]*@[^:@/]+:%d+$") then
    error(core.make_error("invalid_node_id", "opts.node must be a node id (name@host:port), got " .. tostring(node),
      { argument = "opts.node", got = tostring(node) }), 0)
  end
  return node
end

local function spawn_with(what, args, opts)
  check.options("opts", opts, OPTIONS)
  local flags = 0
  if check_flag(opts, "link") then flags = flags + LINK end
  if check_flag(opts, "monitor") then flags = flags + MONITOR end
  local own_worker = check_flag(opts, "own_worker")
  local node = check_node(opts.node)
  if type(what) ~= "string" and (node or own_worker) then
    check.fail("what", "a registered name: tables and functions stay on their worker", what)
  end
  if own_worker then flags = flags + OWN_WORKER end
  if opts.name ~= nil then core.check_name(opts.name, "opts.name") end
  if opts.global ~= nil then core.check_name(opts.global, "opts.global") end
  local messages, bytes = mailbox_limits(opts.mailbox_limit)
  local timeout = opts.timeout_ms
  if timeout == nil and node then timeout = 10000 end
  core_spawn(what, args, opts.name, opts.global, flags, timeout, messages, bytes, node)
  return spawn_result(flags)
end

--- Starts a process; returns when its `init` has.
---@param what string|table|function a behaviour's name, a behaviour table or a function (both of this worker)
---@param args? any[] handed to init or the function, up to the largest integer key
---@param opts? dozor.SpawnOptions
---@return dozor.Pid pid
---@return dozor.Ref? ref with opts.monitor
function M.spawn(what, args, opts)
  local kind = type(what)
  if kind == "table" then
    if registry.is_spec(what) then check.fail("what", WHAT .. " (for a spec: dozor.supervisor.start)", what) end
    what = registry.name_of(what) or what
  elseif kind ~= "function" and (kind ~= "string" or what == "" or what:byte() == 64) then
    check.fail("what", WHAT, what)
  end
  if opts ~= nil then return spawn_with(what, args, opts) end
  core_spawn(what, args)
  return spawn_result(0)
end

--- This process.
---@return dozor.Pid
M.self = core.self

-- --------------------------------------------------------------------------------------------------------- messages --

--- Fire and forget; to a missing process it is a no-op. May hand over the turn.
M.send = core.send
--- The same to `handle_cast`.
M.cast = core.cast
--- Answers a call, from any process.
M.reply = core.reply

--- Asks and waits for the answer.
---@param dest dozor.Dest
---@param msg any
---@param timeout_ms? number|"infinity" default 5000
---@return any reply
function M.call(dest, msg, timeout_ms)
  local reply, given = core_call(dest, msg, timeout_ms)
  if given then return reply end
  return result(dest, timeout_ms)
end

local function remaining(deadline)
  return deadline and math.max(0, deadline - core.now()) or "infinity"
end

local function receive_matching(timeout_ms, match)
  local deadline
  if timeout_ms ~= nil and timeout_ms ~= "infinity" and timeout_ms ~= huge then deadline = core.now() + timeout_ms end
  local found, msg = look(true)
  while true do
    while found do
      if match(msg) then
        take_seen()
        return msg
      end
      found, msg = look(false)
    end
    if deadline and core.now() >= deadline then return nil, "timeout" end
    wait_message(remaining(deadline))
    received()
    found, msg = look(false)
  end
end

--- The oldest message (never a call or cast of a behaviour); with `match` the first for which it is true, the others stay.
---@param timeout_ms? number|"infinity" default infinity
---@param match? fun(msg: any): any
---@return any msg
---@return "timeout"? why
function M.receive(timeout_ms, match)
  if match == nil then
    local msg, found = core_receive(timeout_ms)
    if found then return msg end
    if found == false or not received() then return nil, "timeout" end
    return (take())
  end
  if timeout_ms ~= nil then check.time("timeout_ms", timeout_ms) end
  check.func("match", match)
  return receive_matching(timeout_ms, match)
end

--- Suspends this process until `done(...)` is called, from a luv callback for example; returns its arguments.
---@param start fun(done: fun(...))
---@param timeout_ms? number|"infinity" default infinity
function M.await(start, timeout_ms)
  check.func("start", start)
  local me, token = core.self(), core.await_token()
  local results, count
  start(function(...)
    if results then return end
    results, count = { ... }, select("#", ...)
    core.await_wake(me, token)
  end)
  if not results then
    core.await_park(token, timeout_ms)
    local ok, err = pcall(result)
    if not results then
      results = {} -- a late done changes nothing
      error(err, 0)
    end
    local _ = ok
  end
  return unpack(results, 1, count)
end

-- ------------------------------------------------------------------------------------------------------------- ends --

--- Ends this process; `terminate` runs. Never returns, and no pcall holds it.
---@param reason? any default "normal"
function M.exit(reason)
  if reason == nil then reason = "normal" end
  core.exit(reason)
end

--- The pid of { name =, node = }; nil when nobody has the name there.
local function resolve(dest, argument)
  if type(dest) ~= "table" then return dest end
  if type(dest.name) ~= "string" or type(dest.node) ~= "string" then
    check.fail(argument, "a pid, a registered name or { name =, node = }", dest)
  end
  if core.ask("info", dest, nil, 5000) == false then return nil end
  return core.result_sender()
end

--- The same; and the code of the error when its node cannot be reached.
local function resolve_reachable(dest)
  local ok, found = pcall(resolve, dest, "dest")
  if ok then return found end
  if found.code ~= "noconnection" then error(found, 0) end
  return nil, found.code
end

local function wait_for_stop(dest, reason, timeout_ms)
  if core.ask("stop", dest, reason, timeout_ms) == false then return true end
  local ok, err = pcall(result)
  if ok or err.code == "noproc" then return true end
  if err.code ~= "timeout" then error(err, 0) end
  return false
end

local function ask_supervisor(pid)
  core.request(pid, request.IS_SUPERVISOR, nil, 500)
  result()
end

--- A supervisor answers at once, also while it stops its children; each of those has its own time, so it has none.
local function is_supervisor(pid)
  return (pcall(ask_supervisor, pid))
end

--- Ends a process in order: its `terminate` runs. Returns when it is gone, at once if it was; after timeout_ms it is killed.
---@param dest dozor.Dest
---@param reason? any default "normal"
---@param timeout_ms? number|"infinity" default 5000
function M.stop(dest, reason, timeout_ms)
  if reason == nil then reason = "normal" end
  local pid = resolve(dest, "dest")
  if pid == nil then
    if dest == nil then check.fail("dest", "a pid, a registered name or { name =, node = }", dest) end
    return
  end
  if timeout_ms ~= nil then check.time("timeout_ms", timeout_ms) end
  if pid == core.self() or core.whereis_dest(pid) == core.self() then core.exit(reason) end
  if wait_for_stop(pid, reason, timeout_ms) then return end
  if timeout_ms == nil and is_supervisor(pid) then
    wait_for_stop(pid, reason, "infinity")
    return
  end
  core.kill(pid)
  wait_for_stop(pid, reason, 5000)
end

--- Ends a process at once; others see the reason "killed", `terminate` does not run.
---@param dest dozor.Dest
function M.kill(dest)
  local pid = resolve_reachable(dest)
  if pid == nil and dest ~= nil then return end
  core.kill(pid)
  core.check_doomed()
  if core.alive_here(pid) then pcall(wait_for_stop, pid, "killed", 1000) end
end

-- -------------------------------------------------------------------------------------------------------- questions --

local function ask_info(dest)
  if core.ask("info", dest, nil, 5000) == false then return nil end
  return result()
end

local function global_name(pid)
  core.request(core.system(), request.GLOBAL_NAMES, nil, 5000)
  local first
  for name, owner in pairs(result()) do
    if owner == pid and (not first or name < first) then first = name end
  end
  return first
end

--- The process knows that it has a cluster-wide name, the registry which.
local function with_global(info)
  if not info then return nil end
  if info.global then
    local ok, name = pcall(global_name, info.pid)
    info.global = ok and name
  end
  info.global, info.pid = info.global or nil, nil
  return info
end

--- What is known of a process, or nil.
---@param dest dozor.Dest
---@return dozor.Info?
function M.info(dest)
  if dest == core.self() then return with_global(core.own_info()) end
  local ok, info = pcall(ask_info, dest)
  if ok then return with_global(info) end
  if info.code == "noproc" or info.code == "noconnection" then return nil end
  error(info, 0)
end

--- Does the process live? False for one of a lost node.
---@param dest dozor.Dest
---@return boolean
function M.alive(dest)
  if type(dest) ~= "table" then
    local here = core.alive_here(dest)
    if here ~= nil then return here end
  end
  return M.info(dest) ~= nil
end

--- The pids of this node.
---@return dozor.Pid[]
M.processes = core.processes
--- The node id of a process.
M.node_of = core.node_of

-- ------------------------------------------------------------------------------------------------ links and monitors --

--- Links this process and another: an abnormal end of one ends the other.
---@param pid dozor.Pid
function M.link(pid)
  core.link(pid)
  core.check_doomed()
end

M.unlink = core.unlink
--- With true, exits of linked processes arrive as messages { type = "exit", pid =, reason = }. Returns the setting before.
M.trap_exit = core.trap_exit

--- One message { type = "down", ref =, pid =, reason = } when the process ends, or at once when it is gone.
---@param dest dozor.Dest
---@return dozor.Ref
function M.monitor(dest)
  local target, why = resolve_reachable(dest)
  if target == nil and dest ~= nil then return core.monitor(dest.name, why or "noproc") end
  return core.monitor(target)
end

--- Takes a monitor back; a notice that is waiting is not seen either.
M.demonitor = core.demonitor

-- ------------------------------------------------------------------------------------------------------------- time --

--- Suspends this process.
---@param ms number|"infinity"
function M.sleep(ms)
  core.sleep(ms)
  result()
end

--- Sends a message later. Returns what cancel_timer takes.
M.send_after = core.send_after
M.cancel_timer = core.cancel_timer
--- Milliseconds on the host's monotonic clock.
M.now = core.now

-- ------------------------------------------------------------------------------------------------------------ names --

M.register = core.register
M.unregister = core.unregister
M.whereis = core.whereis
M.registered = core.registered

--- Loads a native extension (a shared library with `int dozor_plugin(dz_host *)`).
M.load_native = core.load_native

return M
