--- rate_limiter.lua - token buckets: so many things a second for each key, with a burst.
---
--- Args: init { rate = 10, burst = rate, idle_ms = 60000 }     rate: tokens per second
---
---     call { op = "acquire", key = k, tokens = 1 }  -> { allowed = bool, remaining = n, retry_after_ms = n }; never waits
---     call { op = "wait", key = k, tokens = 1 }     -> true, as soon as the tokens are there; first come, first served per key
---     call { op = "peek", key = k }                 -> how many tokens there are
---     cast { op = "reset", key = k }                full again
---
--- `key` may be left out: one bucket for all. A bucket that was not used for idle_ms is forgotten (it would
--- be full anyway).

local dozor = require "dozor"

local M = { version = 1 }

local function bucket_of(state, key)
  if key == nil then key = "" end
  local bucket = state.buckets[key]
  if not bucket then
    bucket = { key = key, tokens = state.burst, at = dozor.now(), waiting = {} }
    state.buckets[key] = bucket
  end
  local now = dozor.now()
  bucket.tokens = math.min(state.burst, bucket.tokens + (now - bucket.at) * state.rate / 1000)
  bucket.at = now
  return bucket
end

local function wanted(state, msg)
  local tokens = msg.tokens or 1
  assert(type(tokens) == "number" and tokens > 0, "tokens must be a number above 0")
  assert(tokens <= state.burst, "more tokens than the bucket can ever hold")
  return tokens
end

local function delay_for(state, bucket, tokens)
  return math.max(0, math.ceil((tokens - bucket.tokens) * 1000 / state.rate))
end

--- Answers those who wait for this bucket as far as its tokens go, then sets the timer for the next one.
local function serve(state, bucket)
  local first = bucket.waiting[1]
  while first and bucket.tokens + 1e-9 >= first.tokens do
    bucket.tokens = bucket.tokens - first.tokens
    dozor.reply(first.from, true)
    table.remove(bucket.waiting, 1)
    first = bucket.waiting[1]
  end
  if first and not bucket.timer then
    bucket.timer = dozor.send_after(delay_for(state, bucket, first.tokens), dozor.self(), { serve = bucket.key })
  end
end

function M.init(options)
  options = options or {}
  local rate = options.rate or 10
  assert(type(rate) == "number" and rate > 0, "rate must be a number above 0")
  local state = { rate = rate, burst = options.burst or rate, idle_ms = options.idle_ms or 60000, buckets = {} }
  dozor.send_after(state.idle_ms, dozor.self(), "sweep")
  return state
end

function M.handle_call(msg, state, from)
  if type(msg) ~= "table" then return end
  if msg.op == "acquire" then
    local tokens, bucket = wanted(state, msg), bucket_of(state, msg.key)
    local allowed = #bucket.waiting == 0 and bucket.tokens >= tokens
    if allowed then bucket.tokens = bucket.tokens - tokens end
    local retry = allowed and 0 or delay_for(state, bucket, tokens)
    return { allowed = allowed, remaining = math.floor(bucket.tokens), retry_after_ms = retry }
  elseif msg.op == "wait" then
    local bucket = bucket_of(state, msg.key)
    table.insert(bucket.waiting, { from = from, tokens = wanted(state, msg) })
    serve(state, bucket)
    return dozor.NOREPLY
  elseif msg.op == "peek" then
    return math.floor(bucket_of(state, msg.key).tokens)
  end
end

function M.handle_cast(msg, state)
  if type(msg) == "table" and msg.op == "reset" then
    local bucket = bucket_of(state, msg.key)
    bucket.tokens = state.burst
    serve(state, bucket)
  end
end

function M.handle_info(msg, state)
  if type(msg) == "table" and msg.serve ~= nil then
    local bucket = bucket_of(state, msg.serve)
    bucket.timer = nil
    serve(state, bucket)
  elseif msg == "sweep" then
    local limit = dozor.now() - state.idle_ms
    for key, bucket in pairs(state.buckets) do
      if bucket.at < limit and #bucket.waiting == 0 then state.buckets[key] = nil end
    end
    dozor.send_after(state.idle_ms, dozor.self(), "sweep")
  end
end

return M
