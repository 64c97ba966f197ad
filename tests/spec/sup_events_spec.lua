--- sup_events_spec.lua - what supervisors tell about themselves: fields, order, exactly once.

local dozor = require "dozor"
local S = dozor.supervisor

local FIELDS = {
  supervisor_started = { ref = "table" },
  supervisor_stopped = { ref = "table", reason = "string" },
  child_started = { supervisor_id = "string", child_id = "string", node_id = "string", pid = "string", epoch = "any" },
  child_stopped = { supervisor_id = "string", child_id = "string", reason = "string" },
  child_restarted = { supervisor_id = "string", child_id = "string", node_id = "string", attempt = "number", reason = "string" },
}

local function check(event)
  local fields = FIELDS[event.type]
  if not fields then return end
  for key, kind in pairs(fields) do
    truthy(event[key] ~= nil, event.type .. "." .. key)
    if kind ~= "any" then equal(type(event[key]), kind) end
  end
  for key in pairs(event) do
    truthy(fields[key] or key == "type" or key == "timestamp" or key == "seq", event.type .. " without " .. key)
  end
  truthy(math.abs(event.timestamp - os.time() * 1000) < 5000, "timestamp")
  truthy(dozor.json.encode(event))
end

--- Runs fn with all of this node's events collected; returns them as short lines once the last line is there.
local function lines_of(fn, last, opts)
  local lines, events = {}, {}
  local unsubscribe = dozor.on_event(function(e)
    events[#events + 1] = e
    local id = e.child_id or (e.ref and e.ref.id) or "?"
    local extra = e.type == "child_restarted" and (" " .. e.attempt .. " " .. e.reason) or e.reason and (" " .. e.reason) or ""
    lines[#lines + 1] = e.type .. " " .. id:gsub("^sup_%d+@.*", "SUP") .. extra
  end, opts)
  fn()
  wait_until(function()
    for _, line in ipairs(lines) do if line == last then return true end end
    return nil
  end)
  dozor.sleep(10)
  unsubscribe()
  for i, e in ipairs(events) do
    check(e)
    if i > 1 and not opts then equal(e.seq, events[i - 1].seq + 1) end
    if i > 1 then truthy(e.seq > events[i - 1].seq) truthy(e.timestamp >= events[i - 1].timestamp) end
  end
  return lines, events
end

local function B(hooks)
  hooks = hooks or {}
  return {
    init = function(...) if hooks.init then hooks.init(...) end return {} end,
    handle_cast = function(m) if m.raise then error(m.raise, 0) end if m.exit ~= nil then dozor.exit(m.exit) end end,
    terminate = hooks.terminate,
  }
end
local function kid(id, extra, hooks)
  local c = { id = id, behavior = B(hooks) }
  for k, v in pairs(extra or {}) do c[k] = v end
  return c
end
local function changed(sup, id, old)
  wait_until(function() local c = S.child(sup, id) return c and c.status == "running" and c.pid ~= old end)
end
local function pid_of(sup, id) return S.child(sup, id).pid end

describe("events", function()
  it("of a plain life", function()
    local lines = lines_of(function()
      local sup = S.start { name = "life", children = { kid "a", kid "b" } }
      S.start_child(sup, kid "c")
      S.terminate_child(sup, "a")
      S.restart_child(sup, "b")
      S.stop(sup)
    end, "supervisor_stopped life normal")
    equal(lines, { "child_started a", "child_started b", "supervisor_started life", "child_started c", "child_stopped a shutdown",
      "child_restarted b 1 shutdown", "child_stopped c shutdown", "child_stopped b shutdown", "supervisor_stopped life normal" })
  end)

  it("ref, supervisor_id and epoch", function()
    local sup, pid, id
    local _, events = lines_of(function()
      sup = S.start { children = { kid "a" } }
      pid, id = pid_of(sup, "a"), S.stats(sup).id
      S.stop(sup)
    end, "supervisor_stopped SUP normal")
    for _, e in ipairs(events) do
      if e.ref then equal(e.ref, { id = id, node_id = dozor.node() }) end
      if e.child_id then equal(e.supervisor_id, id) end
      if e.type == "child_started" then equal(e.pid, pid) equal(e.node_id, dozor.node()) end
    end
  end)

  it("of ends: reason texts", function()
    local lines = lines_of(function()
      local sup = S.start { name = "reasons", restart_intensity = { max_restarts = 100, within_ms = 5000 }, children = {
        kid("t1", { restart = "temporary" }), kid("t2", { restart = "temporary" }), kid("t3", { restart = "temporary" }), kid("t4", { restart = "temporary" }), kid("t5", { restart = "temporary" }), kid "p" } }
      local function do_end(id, how)
        local pid = pid_of(sup, id)
        if how == "kill" then dozor.kill(pid) else dozor.cast(pid, how) end
        wait_until(function() local c = S.child(sup, id) return not c or (c.status == "running" and c.pid ~= pid) end)
      end
      do_end("t1", { exit = "normal" })
      do_end("t2", "kill")
      do_end("t3", { raise = "the disk is full" })
      do_end("t4", { exit = { code = "my_code", x = 1 } })
      do_end("t5", { exit = "odd" })
      do_end("p", { raise = "bug" })
      do_end("p", "kill")
      do_end("p", { exit = "normal" })
      S.stop(sup, "shutdown")
    end, "supervisor_stopped reasons shutdown")
    equal({ unpack(lines, 8) }, { "child_stopped t1 normal", "child_stopped t2 killed", "child_stopped t3 the disk is full",
      "child_stopped t4 my_code", "child_stopped t5 odd", "child_restarted p 1 bug", "child_restarted p 2 killed", "child_restarted p 3 normal",
      "child_stopped p shutdown", "supervisor_stopped reasons shutdown" })
  end)

  it("of a round: siblings are restarted, temporary ones stopped", function()
    local lines = lines_of(function()
      local sup = S.start { name = "round", strategy = "one_for_all", children = { kid "a", kid("tmp", { restart = "temporary" }), kid "b" } }
      local old = pid_of(sup, "b")
      dozor.kill(pid_of(sup, "a"))
      changed(sup, "b", old)
      S.stop(sup)
    end, "supervisor_stopped round normal")
    equal({ unpack(lines, 5) }, { "child_stopped tmp shutdown", "child_restarted a 1 killed", "child_restarted b 1 shutdown",
      "child_stopped b shutdown", "child_stopped a shutdown", "supervisor_stopped round normal" })
  end)

  it("of excess", function()
    local lines = lines_of(function()
      local sup = S.start { name = "excess", restart_intensity = { max_restarts = 0 }, children = { kid "a", kid "b", kid "c" } }
      dozor.kill(pid_of(sup, "b"))
      wait_until(function() return not S.is_running(sup) end)
    end, "supervisor_stopped excess max_restarts_exceeded")
    local rest = { unpack(lines, 5) }
    local killed = 0
    for i = #rest, 1, -1 do if rest[i] == "child_stopped b killed" then table.remove(rest, i) killed = killed + 1 end end
    equal(killed, 1)
    equal(rest, { "child_stopped c shutdown", "child_stopped a shutdown", "supervisor_stopped excess max_restarts_exceeded" })
  end)

  it("of auto shutdown", function()
    local lines = lines_of(function()
      local sup = S.start { name = "auto", auto_shutdown = "any_significant", children = { kid("sig", { significant = true }), kid "b" } }
      dozor.cast(pid_of(sup, "sig"), { raise = "gone" })
      wait_until(function() return not S.is_running(sup) end)
    end, "supervisor_stopped auto shutdown")
    equal({ unpack(lines, 4) }, { "child_stopped sig gone", "child_stopped b shutdown", "supervisor_stopped auto shutdown" })
  end)

  it("of a kill: each child once, then the supervisor", function()
    local lines = lines_of(function()
      local sup = S.start { name = "killed_one", children = { kid "a", { id = "in", supervisor = { name = "killed_in", children = { kid "b" } } } } }
      dozor.kill(sup)
    end, "supervisor_stopped killed_one killed")
    wait_until(function() return #S.list() == 0 end)
    local seen = {}
    for _, l in ipairs(lines) do seen[l] = (seen[l] or 0) + 1 end
    equal(seen["child_stopped a killed"], 1)
    equal(seen["child_stopped in killed"], 1)
    equal(seen["supervisor_stopped killed_one killed"], 1)
  end)

  it("of an inner supervisor killed by the parent's kill", function()
    local lines = lines_of(function()
      local sup = S.start { name = "ko", children = { { id = "in", supervisor = { name = "ki", children = { kid "b" } } } } }
      dozor.kill(sup)
    end, "supervisor_stopped ki killed")
    local seen = {}
    for _, l in ipairs(lines) do seen[l] = (seen[l] or 0) + 1 end
    equal(seen["child_stopped b killed"], 1)
    equal(seen["supervisor_stopped ki killed"], 1)
    equal(seen["supervisor_stopped ko killed"], 1)
  end)

  it("of nested ones: inner stopped before its child_stopped in the parent", function()
    local lines = lines_of(function()
      local sup = S.start { name = "out", children = { { id = "in", supervisor = { name = "inner", children = { kid "b" } } } } }
      S.stop(sup)
    end, "supervisor_stopped out normal")
    equal(lines, { "child_started b", "supervisor_started inner", "child_started in", "supervisor_started out",
      "child_stopped b shutdown", "supervisor_stopped inner shutdown", "child_stopped in shutdown", "supervisor_stopped out normal" })
  end)

  it("of a failed start: what started is stopped, the supervisor too", function()
    local lines = lines_of(function()
      pcall(S.start, { name = "failed", children = { kid "a", kid "b", kid("bad", nil, { init = function() error("no", 0) end }) } })
      local sup = S.start { name = "marker", children = {} }
      S.stop(sup)
    end, "supervisor_stopped marker normal")
    local seen = {}
    for _, l in ipairs(lines) do seen[l] = (seen[l] or 0) + 1 end
    equal(seen["child_started a"], 1)
    equal(seen["child_stopped a shutdown"], 1)
    equal(seen["child_stopped b shutdown"], 1)
    equal(seen["child_started bad"], nil)
    equal(seen["child_stopped bad no"], nil)
    -- a supervisor that never started never stops, or both are told
    equal(seen["supervisor_started failed"], nil)
  end)

  it("of init failing on restart: one child_restarted when it works again", function()
    local fail = 0
    local lines = lines_of(function()
      local sup = S.start { name = "again", children = { kid("a", nil, { init = function() if fail > 0 then fail = fail - 1 error("not yet", 0) end end }) } }
      fail = 2
      local old = pid_of(sup, "a")
      dozor.kill(old)
      changed(sup, "a", old)
      S.stop(sup)
    end, "supervisor_stopped again normal")
    equal(lines, { "child_started a", "supervisor_started again", "child_restarted a 1 killed", "child_stopped a shutdown", "supervisor_stopped again normal" })
  end)

  it("of init failing too often: the end that no restart follows is one child_stopped", function()
    local fail = false
    local lines = lines_of(function()
      local sup = S.start { name = "never", restart_intensity = { max_restarts = 2, within_ms = 60000 }, children = { kid "z", kid("a", nil, { init = function() if fail then error("never", 0) end end }) } }
      fail = true
      dozor.kill(pid_of(sup, "a"))
      wait_until(function() return not S.is_running(sup) end)
    end, "supervisor_stopped never max_restarts_exceeded")
    local n = 0
    for _, l in ipairs(lines) do if l:match("^child_stopped a ") then n = n + 1 end end
    equal(n, 1)
    equal(#lines, 6)
  end)

  it("of a delayed restart that is called off", function()
    for _, how in ipairs { "terminate", "stop" } do
      local lines = lines_of(function()
        local sup = S.start { name = "delayed", children = { kid("a", { backoff = { initial_ms = 200 } }) } }
        dozor.kill(pid_of(sup, "a"))
        wait_until(function() return S.child(sup, "a").status == "restarting" end)
        if how == "terminate" then S.terminate_child(sup, "a") end
        S.stop(sup)
      end, "supervisor_stopped delayed normal")
      equal(lines, { "child_started a", "supervisor_started delayed", "child_stopped a killed", "supervisor_stopped delayed normal" })
    end
  end)

  it("of a stopped transient child: one child_stopped, none more at the stop; restart_child is child_restarted", function()
    local lines = lines_of(function()
      local sup = S.start { name = "tr", children = { kid("t", { restart = "transient" }) } }
      dozor.cast(pid_of(sup, "t"), { exit = "normal" })
      wait_until(function() return S.child(sup, "t").status == "stopped" end)
      S.restart_child(sup, "t")
      dozor.cast(pid_of(sup, "t"), { exit = "shutdown" })
      wait_until(function() return S.child(sup, "t").status == "stopped" end)
      S.stop(sup)
    end, "supervisor_stopped tr normal")
    equal(lines, { "child_started t", "supervisor_started tr", "child_stopped t normal", "child_restarted t 1 normal", "child_stopped t shutdown", "supervisor_stopped tr normal" })
  end)

  it("of a failed restart_child: one child_stopped", function()
    local fail = false
    local lines = lines_of(function()
      local sup = S.start { name = "frc", children = { kid("a", nil, { init = function() if fail then error("no", 0) end end }) } }
      fail = true
      pcall(S.restart_child, sup, "a")
      S.stop(sup)
    end, "supervisor_stopped frc normal")
    equal(lines, { "child_started a", "supervisor_started frc", "child_stopped a shutdown", "supervisor_stopped frc normal" })
  end)

  it("of a failed start_child: none", function()
    local lines = lines_of(function()
      local sup = S.start { name = "fsc", children = {} }
      pcall(S.start_child, sup, kid("a", nil, { init = function() error("no", 0) end }))
      S.stop(sup)
    end, "supervisor_stopped fsc normal")
    equal(lines, { "supervisor_started fsc", "supervisor_stopped fsc normal" })
  end)

  it("of terminate_child on a child stuck in a start", function()
    local lines = lines_of(function()
      local sup = S.start { name = "stuck", children = {} }
      dozor.spawn(function() pcall(S.start_child, sup, kid("slow", nil, { init = function() dozor.sleep(60000) end })) end, {})
      wait_until(function() return S.child(sup, "slow") end)
      S.terminate_child(sup, "slow")
      S.stop(sup)
    end, "supervisor_stopped stuck normal")
    equal(lines, { "supervisor_started stuck", "supervisor_stopped stuck normal" })
  end)

  it("of simple_one_for_one: every child once", function()
    local lines = lines_of(function()
      local sup = S.start { name = "pool", strategy = "simple_one_for_one", child_template = { behavior = B() } }
      for _ = 1, 5 do S.start_child(sup, {}) end
      S.stop(sup)
    end, "supervisor_stopped pool normal")
    equal(#lines, 12)
    equal(lines[12], "supervisor_stopped pool normal")
    equal(lines[1], "supervisor_started pool")
    for i = 1, 5 do equal(lines[1 + i], "child_started child_" .. i) end
  end)

  it("types filter, unknown types are refused", function()
    local lines = lines_of(function()
      local sup = S.start { name = "flt", children = { kid "a" } }
      S.stop(sup)
    end, "supervisor_stopped flt normal", { types = { "supervisor_started", "supervisor_stopped" } })
    equal(lines, { "supervisor_started flt", "supervisor_stopped flt normal" })
    raises("bad_argument", dozor.on_event, function() end, { types = { "child_strated" } })
    raises("bad_argument", dozor.on_event, function() end, { types = "child_started" })
    raises("bad_argument", dozor.on_event, function() end, { cluster = "x" })
    raises("bad_argument", dozor.on_event, function() end, { typ = {} })
    raises("bad_argument", dozor.on_event)
  end)

  it("seq is shared: a filtered subscriber sees the same numbers", function()
    local all, some = {}, {}
    local stop1 = dozor.on_event(function(e) all[#all + 1] = e end)
    local stop2 = dozor.on_event(function(e) some[#some + 1] = e end, { types = { "child_started" } })
    local sup = S.start { name = "seqs", children = { kid "a", kid "b" } }
    S.stop(sup)
    wait_until(function() return #all >= 6 and #some >= 2 end)
    local by_seq = {}
    for _, e in ipairs(all) do truthy(not by_seq[e.seq]) by_seq[e.seq] = e.type end
    for _, e in ipairs(some) do equal(by_seq[e.seq], "child_started") end
    stop1()
    stop2()
  end)

  it("a handler that raises loses its subscription, the others do not", function()
    local good, bad = 0, 0
    local stop1 = dozor.on_event(function() bad = bad + 1 error("handler") end)
    local stop2 = dozor.on_event(function() good = good + 1 end)
    local sup = S.start { children = { kid "a" } }
    S.stop(sup)
    wait_until(function() return good == 4 end)
    equal(bad, 1)
    stop1()
    stop2()
    stop2()
  end)

  it("a subscription ends with its process", function()
    local count = 0
    local pid = dozor.spawn(function() dozor.on_event(function() count = count + 1 end) dozor.receive("infinity") end, {})
    wait_until(function() return dozor.info(pid) and dozor.info(pid).status == "waiting" end)
    local before = #dozor.processes()
    dozor.kill(pid)
    wait_until(function() return #dozor.processes() == before - 1 end)
    local sup = S.start { children = {} }
    S.stop(sup)
    dozor.sleep(20)
    equal(count, 0)
  end)
end)

describe("selectors on one node", function()
  it("a function is given the nodes and the child's id", function()
    local seen
    local sup = S.start { node_selector = function(nodes, id) seen = { nodes, id } return nodes[1].id end, children = { kid "chosen" } }
    equal(seen[2], "chosen")
    equal(#seen[1], 1)
    local n = seen[1][1]
    equal(n.id, dozor.node())
    equal(n.name .. "@" .. n.host .. ":" .. n.port, n.id)
    equal(n.status, "up")
    truthy(n.process_count >= 1)
    truthy(n.uptime_ms >= 0)
    truthy(n.last_heartbeat_at and n.incarnation and n.attributes)
    S.stop(sup)
  end)
  local bad = {
    raises = function() error("no idea", 0) end, ["answers nil"] = function() end, ["answers a number"] = function() return 5 end,
    ["answers an unknown node"] = function() return "x@1.2.3.4:5" end, ["answers garbage"] = function() return "garbage" end,
    ["takes too long"] = function() dozor.sleep(60000) return dozor.node() end, ["exits"] = function() dozor.exit("gone") end,
  }
  for name, fn in pairs(bad) do
    it("a function that " .. name .. " is no_available_node with the cause", function()
      local sup = S.start { name = "sel", children = { kid "a" } }
      local err = raises("no_available_node", S.start_child, sup, kid("b", { node_selector = fn }))
      equal({ err.child_id, err.supervisor_id }, { "b", "sel" })
      truthy(err.cause ~= nil, "a cause in " .. show(err))
      if name == "raises" then contains(show(err.cause), "no idea") end
      equal(#S.children(sup), 1)
      equal(S.is_running(sup), true)
      S.stop(sup)
      raises("no_available_node", S.start, { children = { kid("b", { node_selector = fn }) } })
    end)
  end
  it("asked at the first start and by restart_child, not after a crash", function()
    local asked = 0
    local sup = S.start { children = { kid("a", { node_selector = function(nodes) asked = asked + 1 return nodes[1].id end }) } }
    equal(asked, 1)
    local old = pid_of(sup, "a")
    dozor.kill(old)
    changed(sup, "a", old)
    equal(asked, 1)
    S.restart_child(sup, "a")
    equal(asked, 2)
    S.stop(sup)
  end)
  it("registered", function()
    dozor.selectors.register("aud_first", function(nodes) return nodes[1].id end)
    local sup = S.start { node_selector = { selector = "aud_first" }, children = { kid "a" } }
    S.stop(sup)
    local ok, err = pcall(S.start, { children = { kid("a", { node_selector = { selector = "aud_unknown" } }) } })
    equal(ok, false)
    truthy(err.code == "no_available_node" or err.code == "invalid_spec", err.code)
    contains(tostring(err) .. show(err.cause), "aud_unknown")
    raises("bad_argument", dozor.selectors.register, "x")
    raises("bad_argument", dozor.selectors.register, 5, function() end)
  end)
  it("the child's own one goes before the supervisor's", function()
    local sup = S.start { node_selector = { node = "far@1.2.3.4:5" }, children = { kid("a", { node_selector = "local" }) } }
    raises("no_available_node", S.start_child, sup, kid "b")
    S.stop(sup)
  end)
end)
