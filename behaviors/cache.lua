--- cache.lua - values by key, forgotten after a while, the least recently used first when it is full.
---
--- Args: init { max_entries = 10000, ttl_ms = "infinity", sweep_ms = 1000 }
---
---     call { op = "get", key = k }                            -> the value, or nil
---     call { op = "put", key = k, value = v, ttl_ms = n }     -> true        (also as a cast)
---     call { op = "delete", key = k }                         -> was it there (also as a cast)
---     call { op = "clear" }                                   -> how many there were (also as a cast)
---     call "stats"                                            -> { entries, hits, misses, evicted, expired }
---
--- Keys are strings, numbers, booleans, pids. An entry is never handed out after its time, whenever the sweep
--- comes.

local dozor = require "dozor"

local M = { version = 1 }

-- Entries form a ring through `head` in the order of their last use: head.next is the newest, head.prev the
-- oldest.

local function unlink(entry)
  entry.prev.next, entry.next.prev = entry.next, entry.prev
end

local function link_first(head, entry)
  entry.prev, entry.next = head, head.next
  head.next.prev, head.next = entry, entry
end

local function remove(state, entry)
  unlink(entry)
  state.by_key[entry.key] = nil
  state.entries = state.entries - 1
end

local function find(state, key)
  local entry = key ~= nil and state.by_key[key]
  if not entry then return nil end
  if entry.expires > dozor.now() then return entry end
  remove(state, entry)
  state.expired = state.expired + 1
  return nil
end

local function lifetime(ms)
  if ms == nil or ms == "infinity" then return math.huge end
  return assert(tonumber(ms), "ttl_ms must be a number or \"infinity\"")
end

local ops = {}

function ops.get(state, msg)
  local entry = find(state, msg.key)
  if not entry then
    state.misses = state.misses + 1
    return nil
  end
  state.hits = state.hits + 1
  unlink(entry)
  link_first(state.head, entry)
  return entry.value
end

function ops.put(state, msg)
  assert(msg.key ~= nil, "put needs a key")
  local old = state.by_key[msg.key]
  if old then remove(state, old) end
  local ttl = msg.ttl_ms ~= nil and lifetime(msg.ttl_ms) or state.ttl
  local entry = { key = msg.key, value = msg.value, expires = dozor.now() + ttl }
  state.by_key[msg.key] = entry
  link_first(state.head, entry)
  state.entries = state.entries + 1
  if state.entries > state.max_entries then
    remove(state, state.head.prev)
    state.evicted = state.evicted + 1
  end
  return true
end

function ops.delete(state, msg)
  local entry = find(state, msg.key)
  if entry then remove(state, entry) end
  return entry ~= nil
end

function ops.clear(state)
  local count = state.entries
  state.by_key, state.entries = {}, 0
  state.head.next, state.head.prev = state.head, state.head
  return count
end

function M.init(options)
  options = options or {}
  local head = {}
  head.next, head.prev = head, head
  local state = {
    head = head,
    by_key = {},
    entries = 0,
    max_entries = options.max_entries or 10000,
    ttl = lifetime(options.ttl_ms),
    sweep_ms = options.sweep_ms or 1000,
    hits = 0, misses = 0, evicted = 0, expired = 0,
  }
  dozor.send_after(state.sweep_ms, dozor.self(), "sweep")
  return state
end

function M.handle_call(msg, state)
  if msg == "stats" then
    return {
      entries = state.entries, hits = state.hits, misses = state.misses,
      evicted = state.evicted, expired = state.expired,
    }
  end
  local op = type(msg) == "table" and ops[msg.op]
  if op then return (op(state, msg)) end
end

function M.handle_cast(msg, state)
  local op = type(msg) == "table" and ops[msg.op]
  if op then op(state, msg) end
end

function M.handle_info(msg, state)
  if msg ~= "sweep" then return end
  local now = dozor.now()
  local entry = state.head.prev
  while entry ~= state.head do
    local newer = entry.prev
    if entry.expires <= now then
      remove(state, entry)
      state.expired = state.expired + 1
    end
    entry = newer
  end
  dozor.send_after(state.sweep_ms, dozor.self(), "sweep")
end

return M
