--- remote.lua - what one node can ask of another. Semantics 1.2 - 1.7, 7.7, 8.6 - 8.8; api 2.

local dozor = require "dozor"

local function spawn(node, label, at, options)
  return node:run("local l, at, o = ... return dozor.spawn('probe', { l, o }, { node = at })", label, at.id, options)
end

local function spawns(w)
  local a, b = w:cluster { "a", "b" }
  local pid = spawn(a, "far", b, { list = { 1, 2, { deep = "x" } } })
  w:equal(a:run("return dozor.node_of(...)", pid), b.id)
  w:equal(a:run("return dozor.call(..., 'node')", pid), b.id)
  w:equal(a:run("return dozor.call(..., 'options')", pid), { list = { 1, 2, { deep = "x" } } })
  local err = a:raises("init_failed", "dozor.spawn('probe', { 'bad', { init_error = 'no' } }, { node = ... })", b.id)
  w:ok(err.reason.message:find("no", 1, true), "the reason comes along")
  err = a:raises("behavior_not_found", "dozor.spawn('nonsense', {}, { node = ... })", b.id)
  w:equal(err.node, b.id)
  a:raises("noconnection", "dozor.spawn('probe', {}, { node = 'nobody@127.0.0.1:1' })")
  a:raises("timeout", "dozor.spawn('probe', { 'late', { init_ms = 400 } }, { node = ..., timeout_ms = 100 })", b.id)
  a:run("return dozor.spawn('probe', { 'named' }, { node = ..., name = 'only' })", b.id)
  err = a:raises("name_taken", "dozor.spawn('probe', { 'named' }, { node = ..., name = 'only' })", b.id)
  w:equal(err.name, "only")
  w:holds(600, function() return (w:copies()).late == nil end, "the late process never lives")
  w:settled { "far", "named" }
end

local function talk(w)
  local a, b = w:cluster { "a", "b" }
  local pid = spawn(a, "far", b)
  b:run("dozor.register('it', ...)", pid)
  a:run("local it, id = { name = 'it', node = (...) } for _ = 1, 3 do dozor.cast(it, 'inc') end dozor.send(it, 'hello') ", b.id)
  w:equal(a:run("return dozor.call({ name = 'it', node = ... }, 'get')", b.id), 3)
  w:equal(a:run("return dozor.call(..., 'pushed')", pid), { "hello" })
  w:equal(a:run("return dozor.alive(...)", pid), true)
  w:equal(a:run("return dozor.alive({ name = 'it', node = ... })", b.id), true)
  w:equal(a:run("return dozor.alive({ name = 'other', node = ... })", b.id), false)
  local info = a:run("return dozor.info(...)", pid)
  w:equal({ info.behavior, info.name, info.node_id }, { "probe", "it", b.id })
  a:raises("noproc", "dozor.call({ name = 'other', node = ... }, 'get')", b.id)
  a:raises("noconnection", "dozor.call({ name = 'it', node = 'nobody@127.0.0.1:1' }, 'get')")
  a:raises("timeout", "dozor.call(..., { 'sleep', 300 }, 50)", pid)
  a:raises("unhandled_call", "dozor.call(..., 'nonsense')", pid)
  local err = a:raises("call_failed", "dozor.call(..., 'crash')", pid)
  w:ok(err.reason.message:find("asked to crash", 1, true))
  a:run("local pid = ... wait_until(function() return not dozor.alive(pid) end)", pid)
  a:raises("noproc", "dozor.call(..., 'get')", pid)
  w:ok(a:run("return dozor.info(...) == nil", pid))
end

local function bonds(w)
  local a, b = w:cluster { "a", "b" }
  local function down(pid, act)
    return a:run([[
      local pid, act = ...
      local ref = dozor.monitor(pid)
      loadstring("local dozor, pid = ... " .. act)(dozor, pid)
      local first = dozor.receive(5000, function(m) return m.ref == ref end)
      local second = dozor.receive(100)
      return { first and first.type, first and (type(first.reason) == "table" and first.reason.code or first.reason), second ~= nil } ]], pid, act)
  end
  w:equal(down(spawn(a, "1", b), "dozor.stop(pid)"), { "down", "normal", false })
  w:equal(down(spawn(a, "2", b), "dozor.stop(pid, 'enough')"), { "down", "enough", false })
  w:equal(down(spawn(a, "3", b), "dozor.kill(pid)"), { "down", "killed", false })
  w:equal(down(spawn(a, "4", b), "dozor.cast(pid, 'crash')"), { "down", "error", false })
  w:equal(down(spawn(a, "5", b), "dozor.cast(pid, { 'exit', { code = 'mine' } })"), { "down", "mine", false })
  local gone = spawn(a, "6", b)
  a:run("dozor.stop(...)", gone)
  w:equal(down(gone, ""), { "down", "noproc", false })
  w:equal(a:run([[
    local pid = ...
    local ref = dozor.monitor(pid)
    dozor.demonitor(ref)
    dozor.kill(pid)
    return dozor.receive(200) == nil ]], spawn(a, "7", b)), true, "demonitor silences")
  w:equal(a:run([[
    local pid = ...
    dozor.trap_exit(true)
    dozor.link(pid)
    dozor.cast(pid, { "exit", "bye" })
    local msg = dozor.receive(5000)
    return { msg.type, msg.reason, msg.pid == pid } ]], spawn(a, "8", b)), { "exit", "bye", true })
  local partner = spawn(a, "9", b)
  a:run("local p = ... dozor.spawn(function() dozor.link(p) dozor.exit('dies') end)", partner)
  a:run("local p = ... wait_until(function() return not dozor.alive(p) end)", partner)
  local last = spawn(a, "10", b)
  local job = a:async([[
    local pid = ...
    dozor.trap_exit(true)
    local ref = dozor.monitor(pid)
    dozor.link(pid)
    S.waiting = true
    local down = dozor.receive(10000, function(m) return m.type == "down" end)
    local exit = dozor.receive(1000, function(m) return m.type == "exit" end)
    return { down.reason, exit.reason, dozor.receive(100) == nil } ]], last)
  local call = a:async("local ok, e = pcall(dozor.call, (...), { 'sleep', 60000 }, 'infinity') return e.code", last)
  a:run("wait_until(function() return S.waiting end)")
  w:wait_until(function() return b:run("return dozor.info(...).status == 'waiting'", last) end, "the call is being handled")
  b:kill()
  w:equal(job:wait(), { "noconnection", "noconnection", true })
  w:equal(call:wait(), "noconnection")
end

local function stops(w)
  local a, b = w:cluster { "a", "b" }
  local slow = spawn(a, "slow", b, { end_ms = 150 })
  local took = a:run("local t = dozor.now() dozor.stop(...) return dozor.now() - t", slow)
  w:ok(took >= 150, "stop waits for terminate")
  w:equal(a:run("return dozor.alive(...)", slow), false)
  local stuck = spawn(a, "stuck", b, { end_ms = 60000 })
  a:run("dozor.stop(..., 'normal', 200)", stuck)
  w:equal(w:live(), {}, "killed after the timeout")
  a:run("dozor.stop(...)", stuck)
  local ends = w:ledger(function(l) return l.what == "end" end)
  w:equal({ #ends, ends[1].label, ends[1].reason }, { 1, "slow", "normal" })
end

local function names(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  local pid = spawn(a, "it", b)
  a:run("dozor.global.register('it', ...)", pid)
  for _, node in ipairs { a, b, c } do
    w:equal(node:run("return dozor.global.whereis('it')"), pid, node.name)
    w:equal(node:run("return dozor.global.names().it"), pid)
  end
  w:equal(c:run("dozor.cast('it', 'inc') return dozor.call('it', 'get')"), 1)
  local other = spawn(a, "other", c)
  local err = c:raises("name_taken", "dozor.global.register('it', ...)", other)
  w:equal({ err.name, err.owner }, { "it", pid })
  c:run("dozor.stop('it')")
  for _, node in ipairs { a, b, c } do
    w:wait_until(function() return node:run("return dozor.global.whereis('it') == nil") end, "free at " .. node.name)
  end
  c:run("dozor.global.register('it', ...)", other)
  w:equal(a:run("return dozor.global.whereis('it')"), other)
  local made = b:run("return dozor.spawn('probe', { 'made' }, { global = 'made' })")
  w:equal(a:run("return dozor.global.whereis('made')"), made)
  a:raises("name_taken", "dozor.spawn('probe', { 'twice' }, { global = 'made' })")
  w:equal((w:copies()).twice, nil)
  c:kill()
  w:wait_until(function() return a:run("return dozor.global.whereis('it') == nil") end, "free with its node")
  a:run("dozor.global.unregister('made')")
  w:wait_until(function() return b:run("return dozor.global.whereis('made') == nil") end, "unregistered everywhere")
end

--- Everybody registers the same names at once: exactly one wins each, the same everywhere.
local function names_at_once(w)
  local nodes = { w:cluster { "a", "b", "c" } }
  local jobs = {}
  for i, node in ipairs(nodes) do
    jobs[i] = node:async [[
      local won = 0
      for i = 1, 20 do
        local pid = dozor.spawn("probe", { "p" .. i })
        local ok, err = pcall(dozor.global.register, "n" .. i, pid)
        if ok then won = won + 1 elseif err.code == "name_taken" then dozor.kill(pid) else error(err) end
      end
      return won ]]
  end
  local won = 0
  for _, job in ipairs(jobs) do won = won + job:wait() end
  w:equal(won, 20, "names won")
  local owners = nodes[1]:run("return dozor.global.names()")
  for _, node in ipairs(nodes) do w:equal(node:run("return dozor.global.names()"), owners, node.name) end
  local labels = {}
  for i = 1, 20 do labels[i] = "p" .. i end
  w:settled(labels)
end

local function values(w)
  local a, b = w:cluster { "a", "b" }
  local pid = spawn(a, "far", b)
  w:equal(a:run([[
    local ffi = require "ffi"
    local pid = ...
    local function echo(v) return dozor.call(pid, { "echo", v }, 20000) end
    local bad = {}
    local function same(name, ok) if not ok then bad[#bad + 1] = name end end
    for _, size in ipairs { 0, 1, 65535, 65536, 1000000, 10000000 } do
      local text = ("\0\255\n%d"):rep(math.ceil(size / 5)):sub(1, size)
      same("string " .. size, echo(text) == text)
    end
    local nan = echo(0 / 0)
    same("nan", nan ~= nan)
    for _, v in ipairs { math.huge, -math.huge, 0, -1, 2 ^ 53, 1.5, true, false } do same(tostring(v), echo(v) == v) end
    same("nil", echo(nil) == nil)
    same("int64", echo(9007199254740993LL) == 9007199254740993LL)
    same("pid", echo(pid) == pid and echo(dozor.self()) == dozor.self())
    local ref = dozor.monitor(pid)
    same("ref", echo(ref) == ref)
    local holes = echo { 1, nil, 3, [10] = "x", k = { [true] = 1 } }
    same("holes", holes[1] == 1 and holes[2] == nil and holes[3] == 3 and holes[10] == "x" and holes.k[true] == 1)
    local list = {}
    for i = 1, 100000 do list[i] = i end
    local back = echo(list)
    same("list", #back == 100000 and back[100000] == 100000)
    return bad ]], pid), {}, "values that did not survive")
  w:equal(a:run("local p = ... local ok, e = pcall(dozor.call, p, { 'echo', { f = print } }) return e.code", pid), "bad_message")
end

--- 1.2: what one process sends to another arrives in order and once, also while it is much.
local function order(w)
  local a, b = w:cluster { "a", "b" }
  local pid = spawn(a, "far", b)
  w:equal(a:run([[
    local pid = ...
    for i = 1, 20000 do dozor.cast(pid, { "push", i }) end
    local list = dozor.call(pid, "pushed", 20000)
    for i = 1, 20000 do if list[i] ~= i then return i end end
    return #list ]], pid), 20000)
end

--- 8.2, 8.6: more than a link holds, in one burst: the sender is slowed down, nothing is lost.
local function a_burst(w)
  local a, b = w:cluster { "a", "b" }
  local pid = spawn(a, "far", b)
  w:equal(a:run([[
    local pid, text = ..., ("x"):rep(100000)
    for i = 1, 1500 do dozor.cast(pid, { "push", i, text }) end
    local list = dozor.call(pid, "pushed", 60000)
    for i = 1, 1500 do if list[i] ~= i then return { i, list[i] } end end
    return #list ]], pid), 1500, "casts of 100 KB")
  b:run("dozor.register('far', ...)", pid)
  w:equal(a:run([[
    local dest, text = { name = "far", node = ... }, ("y"):rep(100000)
    for i = 1, 600 do dozor.send(dest, { i, text }) end
    local ok = dozor.call(dest, "get", 60000)
    return ok ]], b.id), 0)
  w:equal(b:run("return dozor.info(...).handled >= 2100", pid), true, "sends by name of 100 KB")
  for i = 1, 2 do w:equal(#({ a, b })[i]:events("node_down"), 0, "node_down") end
end

--- Questions or answers of 1 MB, of a hundred callers at once: more than a link holds.
local function great_calls(w, question)
  local a, b = w:cluster { "a", "b" }
  local pid = spawn(a, "far", b)
  local job = a:async([[
    local pid, size = ...
    local done, bad = 0, nil
    local text = ("x"):rep(1000000)
    local question = size == "great" and { "echo", text } or { "make", 1000000 }
    for i = 1, 100 do
      dozor.spawn(function()
        local ok, back = pcall(dozor.call, pid, question, 60000)
        if not ok or #back ~= 1000000 then bad = tostring(back) end
        done = done + 1
      end)
    end
    wait_until(function() return done == 100 end, 70000)
    return bad or "none" ]], pid, question)
  w:equal(job:wait(80000), "none", "calls that failed")
  for i = 1, 2 do w:equal(#({ a, b })[i]:events("node_down"), 0, "node_down") end
end

--- 8.6: a stopped peer costs bounded memory; others are unaffected.
local function a_stopped_peer(w)
  local a, b, c = w:cluster({ "a", "b", "c" }, { suspect_after_ms = 3000, down_after_ms = 6000 })
  local there, other = spawn(a, "there", b), spawn(a, "other", c)
  b:freeze()
  local flood = a:async([[
    local pid, text = ..., ("x"):rep(100000)
    local before = dozor.now()
    for _ = 1, 2000 do dozor.cast(pid, text) end
    return dozor.now() - before ]], there)
  local slowest = a:run([[
    local pid, slowest = ..., 0
    for _ = 1, 200 do
      local t = dozor.now()
      dozor.call(pid, "get")
      slowest = math.max(slowest, dozor.now() - t)
    end
    return slowest ]], other)
  w:log("slowest call to a healthy node while another is flooded and stopped: %.1f ms", slowest)
  local rss = tonumber(io.open("/proc/" .. a.os_pid .. "/statm"):read("*a"):match("^%d+ (%d+)")) * 4096 / 1048576
  w:log("resident memory of the sender: %.0f MiB", rss)
  w:ok(rss < 600, "bounded memory: " .. rss)
  b:thaw()
  flood:wait(60000)
  w:wait_until(function() return a:run("return dozor.info(...).handled", there) == 2000 end, "all casts were handled")
end

--- The same the other way round: who answers a peer that reads no more stands still, and goes on when it does.
local function answers_for_a_stopped_peer(w)
  local a, b = w:cluster({ "a", "b" }, { suspect_after_ms = 3000, down_after_ms = 60000 })
  local pid = a:run [[
    local answer = ("x"):rep(1000000)
    return dozor.spawn(function()
      dozor.receive("infinity", function(m) return m == "go" end)
      while true do dozor.reply(dozor.receive().from, answer) end
    end) ]]
  local callers = b:async([[
    local pid, done, bad = ..., 0, nil
    for i = 1, 80 do
      dozor.spawn(function()
        local ok, back = pcall(dozor.call, pid, "please", 60000)
        if not ok or #back ~= 1000000 then bad = tostring(back) end
        done = done + 1
      end)
    end
    wait_until(function() return done == 80 end, 70000)
    return bad or "none" ]], pid)
  w:wait_until(function() return a:run("return dozor.info(...).mailbox == 80", pid) end, "all questions have come")
  b:freeze()
  a:run("dozor.send(..., 'go')", pid)
  local left, since = 80, dozor.now()
  w:wait_until(function()
    local info = a:run("return dozor.info(...)", pid)
    if info.mailbox ~= left then left, since = info.mailbox, dozor.now() end
    return left < 80 and info.status == "waiting" and dozor.now() - since > 500
  end, "the server stands still")
  w:ok(left > 20, "the link takes no more than it may: " .. left)
  b:thaw()
  w:equal(callers:wait(70000), "none", "calls that failed")
  for i = 1, 2 do w:equal(#({ a, b })[i]:events("node_down"), 0, "node_down") end
end

return {
  { name = "spawn on another node: args, failures, deadlines", fn = spawns },
  { name = "call, cast and send by pid and by name", fn = talk },
  { name = "monitors fire once, links break both ways", fn = bonds },
  { name = "stop and kill reach over", fn = stops },
  { name = "cluster-wide names", fn = names },
  { name = "names registered everywhere at once", fn = names_at_once },
  { name = "values survive, also 10 MB of them", fn = values },
  { name = "order between two processes", fn = order },
  { name = "a burst beyond what a link holds is slowed down, not lost", fn = a_burst },
  { name = "answers of 1 MB to a hundred callers at once", fn = function(w) great_calls(w, "small") end },
  { name = "questions of 1 MB, too", fn = function(w) great_calls(w, "great") end },
  { name = "answers for a stopped peer wait until it reads again", fn = answers_for_a_stopped_peer },
  { name = "a stopped peer costs bounded memory and nobody else's time", fn = a_stopped_peer },
}
