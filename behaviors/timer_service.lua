--- timer_service.lua - messages later, once or again and again, that outlive who asked for them but not who
--- gets them.
---
---     call { op = "after", ms = n, to = pid, message = v }   -> id
---     call { op = "every", ms = n, to = pid, message = v }   -> id; the first one after n ms; beats do not drift
---     call { op = "cancel", id = id }                        -> was it pending
---     call "list"                                            -> { { id, kind, to, due_in_ms, ms, fired } ... } by id
---
--- The receiver gets `message` as it is, as a plain message. A receiver that ends takes its timers with it.

local dozor = require "dozor"

local M = { version = 1 }

local function arm(timer)
  local delay = math.max(0, timer.due - dozor.now())
  timer.handle = dozor.send_after(delay, dozor.self(), { fire = timer.id })
end

local function watch(state, pid)
  local watched = state.watched[pid]
  if not watched then
    watched = { count = 0, ref = dozor.monitor(pid) }
    state.watched[pid] = watched
  end
  watched.count = watched.count + 1
end

local function forget(state, timer)
  state.timers[timer.id] = nil
  local watched = state.watched[timer.to]
  watched.count = watched.count - 1
  if watched.count == 0 then
    dozor.demonitor(watched.ref)
    state.watched[timer.to] = nil
  end
end

local function add(state, msg)
  assert(type(msg.ms) == "number" and msg.ms >= 0, "ms must be a number of milliseconds")
  assert(msg.op == "after" or msg.ms >= 1, "every needs at least 1 ms")
  assert(msg.to ~= nil, "a timer needs a receiver `to`")
  state.last_id = state.last_id + 1
  local timer = {
    id = state.last_id, kind = msg.op, to = msg.to, message = msg.message,
    ms = msg.ms, due = dozor.now() + msg.ms, fired = 0,
  }
  state.timers[timer.id] = timer
  watch(state, timer.to)
  arm(timer)
  return timer.id
end

local function cancel(state, id)
  local timer = state.timers[id]
  if not timer then return false end
  dozor.cancel_timer(timer.handle)
  forget(state, timer)
  return true
end

local function list(state)
  local rows = {}
  for id, timer in pairs(state.timers) do
    rows[#rows + 1] = {
      id = id, kind = timer.kind, to = timer.to, ms = timer.ms, fired = timer.fired,
      due_in_ms = math.max(0, timer.due - dozor.now()),
    }
  end
  table.sort(rows, function(a, b) return a.id < b.id end)
  return rows
end

local function fire(state, timer)
  dozor.send(timer.to, timer.message)
  timer.fired = timer.fired + 1
  if timer.kind == "after" then
    forget(state, timer)
    return
  end
  local now = dozor.now()
  repeat timer.due = timer.due + timer.ms until timer.due > now -- beats that were missed are not made up for
  arm(timer)
end

function M.init()
  return { timers = {}, watched = {}, last_id = 0 }
end

function M.handle_call(msg, state)
  if msg == "list" then return list(state) end
  if type(msg) ~= "table" then return end
  if msg.op == "after" or msg.op == "every" then return add(state, msg) end
  if msg.op == "cancel" then return cancel(state, msg.id) end
end

function M.handle_info(msg, state)
  if type(msg) ~= "table" then return end
  if msg.fire then
    local timer = state.timers[msg.fire]
    if timer then fire(state, timer) end
  elseif msg.type == "down" then
    for _, timer in pairs(state.timers) do
      if timer.to == msg.pid then
        dozor.cancel_timer(timer.handle)
        state.timers[timer.id] = nil
      end
    end
    state.watched[msg.pid] = nil
  end
end

return M
