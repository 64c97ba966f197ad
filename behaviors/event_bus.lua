--- event_bus.lua - publish and subscribe between processes, on one node or across the cluster.
---
---     call { op = "subscribe", topic = t, pid = p }     -> true; p gets { type = "bus", topic =, data = } as plain messages
---     call { op = "unsubscribe", topic = t, pid = p }   -> was it subscribed; without `topic`: from all
---     cast { op = "publish", topic = t, data = v }      (as a call: -> how many processes got it)
---     call "topics"                                     -> { [topic] = number of subscribers }
---
--- A topic is text with dots; a subscription to "orders.*" takes every topic that begins with "orders.", one
--- to "*" all. A process subscribed in several ways gets each message once. The bus watches its subscribers:
--- one that ends is forgotten.

local dozor = require "dozor"

local M = { version = 1 }

local function matches(pattern, topic)
  if pattern == topic or pattern == "*" then return true end
  return pattern:sub(-2) == ".*" and topic:sub(1, #pattern - 1) == pattern:sub(1, -2)
end

local ops = {}

function ops.subscribe(state, msg)
  assert(type(msg.topic) == "string", "subscribe needs a topic")
  assert(msg.pid ~= nil, "subscribe needs the pid of the subscriber")
  local subscriber = state.subscribers[msg.pid]
  if not subscriber then
    subscriber = { topics = {}, watch = dozor.monitor(msg.pid) }
    state.subscribers[msg.pid] = subscriber
    state.order[#state.order + 1] = msg.pid
  end
  subscriber.topics[msg.topic] = true
  return true
end

local function forget(state, pid)
  local subscriber = state.subscribers[pid]
  if not subscriber then return false end
  dozor.demonitor(subscriber.watch)
  state.subscribers[pid] = nil
  for i, other in ipairs(state.order) do
    if other == pid then
      table.remove(state.order, i)
      break
    end
  end
  return true
end

function ops.unsubscribe(state, msg)
  local subscriber = state.subscribers[msg.pid]
  if not subscriber then return false end
  if msg.topic == nil then return forget(state, msg.pid) end
  local had = subscriber.topics[msg.topic] == true
  subscriber.topics[msg.topic] = nil
  if next(subscriber.topics) == nil then forget(state, msg.pid) end
  return had
end

function ops.publish(state, msg)
  assert(type(msg.topic) == "string", "publish needs a topic")
  local count = 0
  local message = { type = "bus", topic = msg.topic, data = msg.data }
  for _, pid in ipairs(state.order) do
    for pattern in pairs(state.subscribers[pid].topics) do
      if matches(pattern, msg.topic) then
        dozor.send(pid, message)
        count = count + 1
        break
      end
    end
  end
  return count
end

function M.init()
  return { subscribers = {}, order = {} }
end

function M.handle_call(msg, state)
  if msg == "topics" then
    local topics = {}
    for _, subscriber in pairs(state.subscribers) do
      for topic in pairs(subscriber.topics) do topics[topic] = (topics[topic] or 0) + 1 end
    end
    return topics
  end
  local op = type(msg) == "table" and ops[msg.op]
  if op then return (op(state, msg)) end
end

function M.handle_cast(msg, state)
  local op = type(msg) == "table" and ops[msg.op]
  if op then op(state, msg) end
end

function M.handle_info(msg, state)
  if type(msg) == "table" and msg.type == "down" then forget(state, msg.pid) end
end

return M
