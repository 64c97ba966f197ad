--- events.lua - subscriptions to what happens on this node, or in the whole cluster.
--- The handler runs in a hidden process of its own on the subscriber's worker: it sees the subscriber's
--- locals, and what goes wrong in it harms nobody else. The event hub sends it each event as a message.

local core = require "dozor.core"
local check = require "dozor.check"
local log = require "dozor.log"
local process = require "dozor.process"
local request = require "dozor.request"

local M = {}

local type = type

local TYPES = {
  "supervisor_started", "supervisor_stopped", "child_started", "child_stopped", "child_restarted", "child_migrated",
  "child_pending", "node_failure_detected", "node_up", "node_down", "mailbox_overflow", "long_turn", "worker_stuck",
}
local KNOWN = {}
for _, name in ipairs(TYPES) do KNOWN[name] = true end

local function check_types(list)
  if type(list) ~= "table" then check.fail("options.types", "a list of event types", list) end
  for _, name in ipairs(list) do
    if not KNOWN[name] then
      local expected = type(name) == "string" and ("known event types; did you mean '%s'?"):format(check.nearest(name, TYPES))
      check.fail("options.types", expected or "a list of event types", name)
    end
  end
end

local function report(err)
  local fields = type(err) == "table" and { code = err.code } or nil
  log.error("an event handler raised an error and was unsubscribed: " .. tostring(err), fields)
end

--- What the hidden process does. The script's own process ends when the script has been read to its end,
--- while the host lives on: what it subscribed to stays. `sub` is shared with the unsubscribe function: both
--- live in this Lua state.
local function run(sub, handler, filter)
  core.request(core.events(), request.SUBSCRIBE, filter)
  core.result()
  local watch = process.monitor(sub.subscriber)
  local call = process.receive("infinity")
  process.reply(call.from, true)
  while sub.active do
    local event = process.receive("infinity")
    if not sub.active then break end
    if event.type == "down" and event.ref == watch then
      if not (sub.is_main and event.reason == "normal") then break end
    elseif event.seq then
      local ok, err = pcall(handler, event)
      if not ok then
        report(err)
        break
      end
    end
  end
  sub.active = false
end

--- Calls `handler(event)` for each event, in order. The subscription stands when this returns: what happens
--- in the next line is seen. It ends with the process that made it (one made by the script's main process
--- outlives the script's normal return), by the returned function, and when the handler raises.
---@param handler fun(event: dozor.Event)
---@param opts? { cluster?: boolean, types?: string[] } `cluster`: other nodes' events too; `types`: only these
---@return fun() unsubscribe
function M.on_event(handler, opts)
  check.func("handler", handler)
  opts = check.options("options", opts, { "cluster", "types" })
  if opts.types ~= nil then check_types(opts.types) end
  if opts.cluster ~= nil and type(opts.cluster) ~= "boolean" then
    check.fail("options.cluster", "a boolean", opts.cluster)
  end

  local me = process.self()
  local sub = { active = true, subscriber = me, is_main = process.whereis("main") == me }
  local filter = { types = opts.types, cluster = opts.cluster == true }
  core.spawn_hidden(function() run(sub, handler, filter) end)
  local pid = core.result()
  process.call(pid, "ready", "infinity")
  return function()
    if not sub.active then return end
    sub.active = false
    process.send(pid, false)
  end
end

--- Calls `fn()` when the host stops (dozor.shutdown, SIGINT, SIGTERM, the end of a script with nothing left
--- to do), before its supervisors do. Hooks run one after another in the order they were given; one that
--- takes longer than 5 s is killed. They run in a process of their own and may wait.
---@param fn fun()
function M.on_shutdown(fn)
  check.func("fn", fn)
  core.spawn_hidden(function()
    core.request(core.system(), request.ON_SHUTDOWN, nil, "infinity")
    core.result()
    local question = process.receive("infinity")
    process.reply(question.from, true)
    process.receive("infinity", function(msg) return type(msg) == "table" and msg.type == "shutdown" end)
    fn()
  end)
  process.call(core.result(), "ready", "infinity")
end

return M
