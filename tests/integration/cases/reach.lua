--- reach.lua - who reaches whom, and how soon: a node that others reach, links full of bulk, long turns. Semantics 8.2, 8.3, 8.6, 7.7.

local dozor = require "dozor"
local proxy = require "harness.proxy"
local specs = require "harness.specs"

local function spawn(node, label, at, options)
  return node:run("local l, at, o = ... return dozor.spawn('probe', { l, o }, { node = at })", label, at.id, options)
end

--- 8.3: what others reach and we do not stays suspect; after 10,000 ms the session ends on both sides.
local function unreachable(w)
  local a, b, c = w:cluster({ "a", "b", "c" }, { proxied = true })
  specs.start(a, specs.tree(6))
  local before = w:settled(specs.labels(6))
  local far = spawn(a, "far", b)
  local began = dozor.now()
  proxy.set(w, a, b, "hole")
  a:run("local id = ... wait_until(function() return dozor.cluster.node(id).status == 'suspect' end)", b.id)
  a:run([[
    local pid = ...
    wait_until(function()
      local ok, err = pcall(dozor.call, pid, "get", 500)
      return not ok and err.code == "noconnection"
    end, 5000) ]], far)
  a:raises("noconnection", "dozor.spawn('probe', { 'x' }, { node = ... })", b.id)
  w:equal(a:run("return dozor.cluster.node(...).status", b.id), "suspect")
  w:wait_until(function() return #a:events("node_down") == 1 and #b:events("node_down") == 1 end, "both sides gave up", 20000)
  local took = dozor.now() - began
  w:log("from the silence to node_down on both sides: %.0f ms", took)
  w:ok(took > 9000 and took < 14000, "10,000 ms after the last sign of life: " .. took)
  w:equal({ a:events("node_down")[1].reason, a:events("node_down")[1].node_id }, { "unreachable", b.id })
  w:equal(b:events("node_down")[1].node_id, a.id)
  w:equal(#c:events("node_down"), 0, "node_down at c")
  local after = w:settled { "c1", "c2", "c3", "c4", "c5", "c6", "far" }
  for label, found in pairs(after) do
    if label ~= "far" then
      w:ok(found.node ~= "b", label .. " is placed where the supervisor reaches")
      w:equal(found.pid == before[label].pid, before[label].node ~= "b", label)
    end
  end
  proxy.set(w, a, b, "open")
  w:meshed({ a, b, c }, 30000)
  w:equal(#a:events("node_up") + #b:events("node_up"), 6, "one node_up more on both sides")
  w:equal(a:events("node_up")[3].reason, "healed")
  w:equal(a:run("return dozor.call(..., 'get')", far), 0, "what no supervisor placed lives on")
end

--- 3.7 of the architecture: bulk is cut into fragments, what overtakes overtakes, and lanes take turns. Sender and receiver of the
--- bulk have workers of their own, so that only the link is shared.
local function bulk_delays_nobody(w)
  local a, b = w:cluster { "a", "b" }
  local other = spawn(a, "other", b)
  local sink = b:run("return dozor.spawn('probe', { 'sink' }, { own_worker = true })")
  local source = a:run("return dozor.spawn('probe', { 'source' }, { own_worker = true })")
  local calls = [[
    local pid, till = ..., dozor.now() + 1500
    local delays = {}
    while dozor.now() < till do
      local t = dozor.uv.hrtime()
      dozor.call(pid, "get", 20000)
      delays[#delays + 1] = (dozor.uv.hrtime() - t) / 1e6
      dozor.sleep(2)
    end
    table.sort(delays)
    return { delays[math.ceil(#delays / 2)], delays[math.ceil(#delays * 0.95)], #delays } ]]
  local idle = a:run(calls, other)
  a:run("dozor.cast((...), { 'stream', select(2, ...), 16 * 1024 * 1024 - 100, 3000 })", source, sink)
  w:wait_until(function() return b:run("return dozor.info(...).handled > 0", sink) end, "the stream flows")
  local busy = a:run(calls, other)
  local age = a:run([[
    local oldest = 0
    for _ = 1, 50 do
      local node = dozor.cluster.node(...)
      oldest = math.max(oldest, os.time() * 1000 - node.last_heartbeat_at)
      dozor.sleep(10)
    end
    return oldest ]], b.id)
  local sent = a:run("return dozor.call(..., 'get', 60000)", source)
  w:log("%d messages of 16 MiB; calls beside them %.1f ms, 95 %% of them within %.1f ms (%.1f and %.1f without); last sign of life "
    .. "at most %d ms old", sent, busy[1], busy[2], idle[1], idle[2], age)
  w:ok(sent >= 3, "some of them were sent: " .. sent)
  w:ok(busy[1] - idle[1] < 50, "small calls are delayed by less than 50 ms: " .. busy[1] - idle[1])
  w:ok(age < 1500, "heartbeats come through: " .. age)
  for _, node in ipairs { a, b } do w:equal(#node:events("node_down"), 0, "node_down at " .. node.name) end
end

--- What a turn has sent does not wait for the turn's end.
local function a_long_turn(w)
  local a, b = w:cluster { "a", "b" }
  local pid = spawn(a, "far", b)
  local took = a:run([[
    local pid = ...
    dozor.call(pid, "get")
    local first = dozor.spawn(function()
      for i = 1, 3 do dozor.cast(pid, { "push", i }) end
      local till = dozor.uv.hrtime() + 1e9
      while dozor.uv.hrtime() < till do end
    end)
    return true ]], pid)
  w:ok(took)
  local at = dozor.now()
  w:wait_until(function() return #b:run("return dozor.call(..., 'pushed')", pid) == 3 end, "all three have come")
  w:ok(dozor.now() - at < 900, "they did not wait for the turn's end")
end

--- 7.7: a plain spawn sent to a frozen node raises noconnection; what starts there when it thaws does not live on.
local function a_plain_spawn_on_a_frozen_node(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  local before = spawn(a, "before", c)
  c:freeze()
  local jobs = {}
  for i = 1, 5 do
    jobs[i] = a:async([[
      local ok, err = pcall(dozor.spawn, "probe", { (...) }, { node = select(2, ...), timeout_ms = 60000 })
      return { ok, err.code } ]], "plain" .. i, c.id)
  end
  for i = 1, 5 do w:equal(jobs[i]:wait(), { false, "noconnection" }) end
  c:thaw()
  w:meshed { a, b, c }
  w:settled { "before" }
  w:holds(500, function() return #w:live() == 1 end, "nobody else appears")
  w:equal(a:run("return dozor.call(..., 'get')", before), 0, "a spawn that was confirmed lives on")
end

--- api 2: own_worker counts on another node, too.
local function a_worker_of_its_own(w)
  local a, b = w:cluster { "a", "b" }
  local own = a:run("return dozor.spawn('probe', { 'own' }, { node = ..., own_worker = true })", b.id)
  local plain = spawn(a, "plain", b)
  local workers = b:run("local x, y = ... return { dozor.info(x).worker, dozor.info(y).worker }", own, plain)
  w:ok(workers[1] ~= workers[2], "two workers: " .. w:show(workers))
  b:run("dozor.kill(...)", own)
  local again = a:run("return dozor.spawn('probe', { 'again' }, { node = ..., own_worker = true })", b.id)
  w:equal(b:run("return dozor.info(...).worker", again), workers[1], "a worker whose owner has ended is taken again")
end

return {
  { name = "what others reach and we do not: unreachable after 10 s, on both sides", fn = unreachable },
  { name = "a stream of 16 MiB messages delays others' calls by less than 50 ms", fn = bulk_delays_nobody },
  { name = "what a long turn sends does not wait for its end", fn = a_long_turn },
  { name = "a plain spawn on a frozen node does not live on", fn = a_plain_spawn_on_a_frozen_node },
  { name = "own_worker on another node", fn = a_worker_of_its_own },
}
