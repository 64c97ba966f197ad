--- world.lua - the nodes of one test: OS processes started, hurt, asked and ended. Lives in one process (uv handles belong to it).
--- Nothing outlives it: a node ends when its control channel does, and a frozen one is woken when its guard's input ends.

local dozor = require "dozor"
local proxy = require "harness.proxy"
local uv = dozor.uv

local World, Node = {}, {}
World.__index, Node.__index = World, Node

local DEADLINE_MS = 15000
local FAST = { heartbeat_interval_ms = 50, suspect_after_ms = 200, down_after_ms = 600, reconnect_base_delay_ms = 50,
               reconnect_max_delay_ms = 500 }

--- Behind a proxy every byte also waits for the test's own process, which may be busy.
local PROXIED = { suspect_after_ms = 500, down_after_ms = 1800 }

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local program = uv.exepath()

-- ---------------------------------------------------------------------------------------------------------- checks --

local function fail(text, level)
  error(text, (level or 1) + 1)
end

local function show(value, depth)
  depth = depth or 0
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) ~= "table" or depth > 5 then return tostring(value) end
  local keys, parts = {}, {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for i, key in ipairs(keys) do parts[i] = ("%s=%s"):format(tostring(key), show(value[key], depth + 1)) end
  return "{" .. table.concat(parts, " ") .. "}"
end
World.show = function(_, value) return show(value) end

function World:equal(actual, expected, what)
  if show(actual) ~= show(expected) then
    fail(("%sexpected %s, got %s"):format(what and (what .. ": ") or "", show(expected), show(actual)), 2)
  end
end

function World:ok(value, what)
  if not value then fail(what or "a true value was expected", 2) end
  return value
end

--- Polls until cond() gives something true; `explain`, a text or a function, says what did not come.
function World:wait_until(cond, explain, deadline_ms)
  local deadline = dozor.now() + (deadline_ms or DEADLINE_MS)
  while true do
    local result = cond()
    if result then return result end
    if dozor.now() > deadline then
      local text = type(explain) == "function" and explain() or explain or "a condition"
      fail("gave up waiting until " .. text, 2)
    end
    dozor.sleep(5)
  end
end

--- Lets time pass in which something must not happen: cond() must stay true.
function World:holds(ms, cond, what)
  local deadline = dozor.now() + ms
  repeat
    if not cond() then fail((what or "what had to hold") .. " did not hold", 2) end
    dozor.sleep(10)
  until dozor.now() > deadline
end

function World:log(...)
  print("     " .. string.format(...))
end

-- ---------------------------------------------------------------------------------------------------------- world --

local M = {}

function M.new(name)
  local dir = assert(uv.fs_mkdtemp("/tmp/dozor-integration-XXXXXX"))
  local self = setmetatable({ name = name, dir = dir, nodes = {}, by_name = {}, handles = {}, guards = {} }, World)
  self.ledger_path = dir .. "/ledger"
  math.randomseed(uv.hrtime() % 2147483647)
  return self
end

local taken = {}

--- A port below the range of outgoing connections that nobody listens on now.
function World:port()
  while true do
    local port = math.random(10000, 31999)
    local socket = uv.new_tcp()
    local ok = not taken[port] and socket:bind("127.0.0.1", port) == 0 and socket:listen(1, function() end) == 0
    socket:close()
    if ok then
      taken[port] = true
      return port
    end
  end
end

--- Describes a node, without starting it. opts: any of cluster.start's settings; `proxied = true` puts a proxy on its address.
function World:node(name, opts)
  opts = opts or {}
  local node = setmetatable({ world = self, name = name, port = opts.port or self:port(), waiting = {}, next_id = 0 }, Node)
  node.id = ("%s@127.0.0.1:%d"):format(name, node.port)
  node.opts = opts
  node.config = { node_name = name, host = "127.0.0.1", port = node.port }
  for key, value in pairs(FAST) do node.config[key] = value end
  for key, value in pairs(opts.proxied and PROXIED or {}) do node.config[key] = value end
  for key, value in pairs(opts) do node.config[key] = value end
  node.config.proxied, node.config.host_options, node.config.asan_options = nil, nil, nil
  if opts.proxied then
    node.listen_port = self:port()
    node.config.listen = "127.0.0.1:" .. node.listen_port
    node.proxy = proxy.open(self, node)
  end
  self.nodes[#self.nodes + 1] = node
  self.by_name[name] = node
  return node
end

--- Starts nodes of these names, each with all the others as seeds, and waits until all see all.
function World:cluster(names, opts)
  local nodes = {}
  for i, name in ipairs(names) do nodes[i] = self:node(name, opts) end
  for i, node in ipairs(nodes) do
    node.config.seeds = {}
    for j = 1, i - 1 do node.config.seeds[j] = nodes[j].id end
    node:start()
  end
  self:meshed(nodes)
  return unpack(nodes)
end

--- Waits until each of the nodes sees exactly these as up.
function World:meshed(nodes, deadline_ms)
  for _, node in ipairs(nodes) do
    self:wait_until(function() return #node:up() == #nodes end, function()
      return ("%s sees %d nodes up: %s"):format(node.name, #nodes, show(node:up()))
    end, deadline_ms)
  end
end

function World:running()
  local list = {}
  for _, node in ipairs(self.nodes) do
    if node.os_pid and not node.exit and not node.frozen then list[#list + 1] = node end
  end
  return list
end

--- Every live probe of every node that can be asked: a list of { label, pid, node }, asked at the same time.
function World:live(behavior)
  local jobs, list = {}, {}
  for i, node in ipairs(self:running()) do
    jobs[i] = { node = node, job = node:async("return live(...)", behavior) }
  end
  for _, entry in ipairs(jobs) do
    for _, found in ipairs(entry.job:wait()) do
      list[#list + 1] = { label = found.label, pid = found.pid, node = entry.node.name }
    end
  end
  return list
end

--- label -> number of live copies; also the list.
function World:copies(behavior)
  local counts, list = {}, self:live(behavior)
  for _, found in ipairs(list) do counts[found.label] = (counts[found.label] or 0) + 1 end
  return counts, list
end

--- True when each label of the list lives exactly once and nothing else does.
local function exactly(counts, labels)
  local left = 0
  for _ in pairs(counts) do left = left + 1 end
  for _, label in ipairs(labels) do
    if counts[label] ~= 1 then return false end
    left = left - 1
  end
  return left == 0
end

--- Waits until exactly these labels live, each once; returns label -> { pid, node }.
function World:settled(labels, deadline_ms)
  local counts, list
  self:wait_until(function()
    counts, list = self:copies()
    return exactly(counts, labels)
  end, function() return ("exactly %s live: %s"):format(show(labels), show(counts)) end, deadline_ms)
  local by_label = {}
  for _, found in ipairs(list) do by_label[found.label] = found end
  return by_label
end

--- The lines of the ledger so far, as { at, what, label, node, pid, reason }.
function World:ledger(filter)
  local lines = {}
  local file = io.open(self.ledger_path)
  if not file then return lines end
  for line in file:lines() do
    local at, what, label, node, pid, reason = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$")
    local entry = { at = tonumber(at), what = what, label = label, node = node and node:match("^[^@]+"), pid = pid, reason = reason }
    if at and (not filter or filter(entry)) then lines[#lines + 1] = entry end
  end
  file:close()
  return lines
end

local function read_file(path)
  local file = io.open(path)
  if not file then return "" end
  local text = file:read "*a"
  file:close()
  return text
end

function World:show_logs()
  for _, node in ipairs(self.nodes) do
    local text = read_file(node.log_path or "")
    if text ~= "" then
      if #text > 6000 then text = "..." .. text:sub(-6000) end
      print(("     --- %s"):format(node.id))
      print("     " .. (text:gsub("\n", "\n     ")))
    end
    if node.os_pid and not node.exit and not node.frozen and node.ready and node.ready.node then
      local ok, events = pcall(node.run, node, "return events")
      for _, event in ipairs(ok and events or {}) do
        if event.type ~= "child_started" then print("     event " .. dozor.json.encode(event)) end
      end
    end
  end
  local ledger = read_file(self.ledger_path)
  if #ledger > 0 and #ledger < 6000 then print("     --- ledger\n     " .. ledger:gsub("\n", "\n     ")) end
end

--- Every node that still runs ends in order, with 0, and has nothing to complain of.
function World:finish()
  local running = self:running()
  for i = #running, 1, -1 do running[i]:shutdown() end
  for _, node in ipairs(self.nodes) do
    local log = node:log_text()
    for _, sign in ipairs { "Sanitizer", "runtime error:", "assertion" } do
      if log:find(sign, 1, true) then fail(("%s complained (%s)"):format(node.name, sign)) end
    end
  end
end

function World:kill_all()
  for _, node in ipairs(self.nodes) do
    if node.os_pid and not node.exit then
      pcall(uv.kill, node.os_pid, "sigkill")
      pcall(uv.kill, node.os_pid, "sigcont")
    end
    if node.proxy then node.proxy:close() end
  end
  for _, node in ipairs(self.nodes) do
    if node.handle then
      local deadline = dozor.now() + 5000
      while not node.exit and dozor.now() < deadline do dozor.sleep(2) end
    end
  end
  for _, guard in ipairs(self.guards) do guard() end
  for _, name in ipairs(self.nodes) do
    if name.log_path then os.remove(name.log_path) end
  end
  os.remove(self.ledger_path)
  for _, path in ipairs(self.files or {}) do os.remove(path) end
  uv.fs_rmdir(self.dir)
end

-- ----------------------------------------------------------------------------------------------------------- nodes --

local function take_answer(node, answer)
  if answer.ready then
    node.ready = answer
  else
    local job = node.waiting[answer.id]
    node.waiting[answer.id] = nil
    if job then job.answer = answer end
  end
  if node.wake then node.wake() end
end

local function read_answers(node, channel)
  local pending = {}
  channel:read_start(function(_, data)
    if not data then
      if not channel:is_closing() then channel:close() end
      return
    end
    pending[#pending + 1] = data
    if not data:find("\n", 1, true) then return end
    local text = table.concat(pending)
    local rest = 1
    for line, after in text:gmatch("([^\n]*)\n()") do
      take_answer(node, dozor.json.decode(line))
      rest = after
    end
    pending = { text:sub(rest) }
  end)
end

--- Starts the OS process; `wait = false` does not wait until it has joined.
function Node:start(wait)
  self.runs = (self.runs or 0) + 1
  self.exit, self.ready, self.waiting, self.frozen = nil, nil, {}, false
  self.log_path = self.log_path or ("%s/%s.log"):format(self.world.dir, self.name)
  local log = assert(uv.fs_open(self.log_path, "a", 420))
  local channel = uv.new_pipe(false)
  local args = { "run", "--workers", "1" }
  for _, option in ipairs(self.opts.host_options or {}) do args[#args + 1] = option end
  args[#args + 1] = here .. "/node.lua"
  args[#args + 1] = dozor.json.encode(self.opts.alone and {} or self.config)
  local env = { "DOZOR_LEDGER=" .. self.world.ledger_path, "PATH=" .. (os.getenv "PATH" or ""),
                "ASAN_OPTIONS=" .. table.concat({ os.getenv "ASAN_OPTIONS" or "", self.opts.asan_options }, ":") }
  local handle, pid = uv.spawn(program, { args = args, env = env, stdio = { nil, log, log, channel } }, function(code, signal)
    self.exit = { code = code, signal = signal }
    self.died_at = dozor.now()
    if self.handle and not self.handle:is_closing() then self.handle:close() end
  end)
  uv.fs_close(log)
  if not handle then error("cannot start " .. program .. ": " .. tostring(pid)) end
  self.handle, self.os_pid, self.channel = handle, pid, channel
  read_answers(self, channel)
  if wait == false then return self end
  return self:joined()
end

--- Waits until it has joined its cluster.
function Node:joined()
  self.world:wait_until(function() return self.ready or self.exit end, self.name .. " is ready", 30000)
  if not self.ready or self.ready.err then
    error(("%s did not start: %s"):format(self.name, show(self.ready and self.ready.err or self.exit)), 2)
  end
  return self
end

local Job = {}
Job.__index = Job

--- Runs the code on the node; the job's :wait() gives its first result, or raises its error.
function Node:async(code, ...)
  self.next_id = self.next_id + 1
  local job = setmetatable({ node = self }, Job)
  self.waiting[self.next_id] = job
  self.channel:write(dozor.json.encode { id = self.next_id, code = code, args = { ... }, count = select("#", ...) } .. "\n")
  return job
end

function Job:wait(deadline_ms)
  local node = self.node
  node.world:wait_until(function() return self.answer or node.exit end, node.name .. " answers", deadline_ms or 20000)
  local answer = self.answer
  if not answer then error(node.name .. " ended", 2) end
  if answer.err then
    local err = answer.err
    error(setmetatable(err, { __tostring = function() return show(err) end }), 2)
  end
  return answer.value
end

function Node:run(code, ...)
  return self:async(code, ...):wait()
end

--- The code must raise an error of that code; returned for a closer look.
function Node:raises(code, text, ...)
  local ok, err = pcall(self.run, self, text, ...)
  if ok then fail(("an error %s was expected, got %s"):format(code, show(err)), 2) end
  if type(err) ~= "table" or err.code ~= code then
    fail(("an error %s was expected, got %s"):format(code, show(err)), 2)
  end
  return err
end

--- The ids of the nodes it sees as up.
function Node:up()
  return self:run [[
    local list = {}
    for _, node in ipairs(dozor.cluster.nodes()) do
      if node.status == "up" then list[#list + 1] = node.id end
    end
    return list ]]
end

function Node:events(type, child)
  return self:run("return seen(...)", type, child)
end

function Node:kill()
  uv.kill(self.os_pid, "sigkill")
  self.killed_at = dozor.now()
  self.world:wait_until(function() return self.exit end, self.name .. " is dead")
end

local function process_state(os_pid)
  local file = io.open("/proc/" .. os_pid .. "/stat")
  if not file then return nil end
  local text = file:read "*a"
  file:close()
  return text:match("^.*%) (%a)")
end

--- Stops the OS process where it stands. Should the test die, its guard lets it run again, and it ends with its channel.
function Node:freeze()
  local input = uv.new_pipe(false)
  local guard
  guard = uv.spawn("/bin/sh", { args = { "-c", "read _; kill -CONT $1 2>/dev/null", "sh", tostring(self.os_pid) },
                                stdio = { input, nil, nil } }, function() guard:close() end)
  self.world.guards[#self.world.guards + 1] = function()
    if not input:is_closing() then input:close() end
  end
  uv.kill(self.os_pid, "sigstop")
  self.frozen = true
  self.world:wait_until(function() return process_state(self.os_pid) == "T" end, self.name .. " is frozen")
end

function Node:thaw()
  uv.kill(self.os_pid, "sigcont")
  self.frozen = false
end

--- SIGTERM; it must end with 0.
function Node:terminate()
  uv.kill(self.os_pid, "sigterm")
  self.world:wait_until(function() return self.exit end, self.name .. " has ended", 20000)
  if self.exit.code ~= 0 then fail(("%s ended with %s"):format(self.name, show(self.exit))) end
end

--- In order; it must end with 0.
function Node:shutdown()
  self:async("dozor.shutdown(0)")
  self.world:wait_until(function() return self.exit end, self.name .. " has shut down", 20000)
  if self.exit.code ~= 0 or self.exit.signal ~= 0 then
    fail(("%s ended with %s"):format(self.name, show(self.exit)))
  end
end

function Node:log_text()
  return read_file(self.log_path or "")
end

return M
