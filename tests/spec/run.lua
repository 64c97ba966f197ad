--- run.lua - runs specs of the Lua API: dozor run tests/spec/run.lua FILE_spec.lua...
--- A spec file describes tests with `describe(name, fn)` and `it(name, fn)` and looks at results with the functions of expect.lua,
--- all of them globals of the file. Each test runs in a process of its own. A test fails when its process ends abnormally, takes
--- longer than its limit, or leaves processes, supervisors or names behind. Prints one line a test; exit code 1 when one failed.

local dozor = require "dozor"
local expect = require "expect"

local LIMIT_MS = 30000
local SETTLE_MS = 3000

local tests = {}

local function environment()
  local names = {}
  local env = setmetatable({}, { __index = function(_, key) return expect[key] or _G[key] end })
  function env.describe(name, fn)
    names[#names + 1] = name
    fn()
    names[#names] = nil
  end
  function env.it(name, fn)
    local path = {}
    for i, part in ipairs(names) do path[i] = part end
    path[#path + 1] = name
    tests[#tests + 1] = { name = table.concat(path, ": "), fn = fn }
  end
  return env
end

local function load_spec(path)
  local chunk, err = loadfile(path)
  if not chunk then error(err, 0) end
  setfenv(chunk, environment())()
end

--- What a test may leave behind: nothing that was not there before.
local function footprint()
  return {
    processes = #dozor.processes(),
    supervisors = #dozor.supervisor.list(),
    names = #dozor.registered(),
  }
end

local function left_behind(before)
  local deadline = dozor.now() + SETTLE_MS
  while true do
    local now, what = footprint(), nil
    for key, count in pairs(before) do
      if now[key] ~= count then what = ("%s: %d before, %d after"):format(key, count, now[key]) end
    end
    if not what or dozor.now() > deadline then return what end
    dozor.sleep(2)
  end
end

local function describe_reason(reason)
  if type(reason) ~= "table" then return tostring(reason) end
  local text = tostring(reason.message or reason.code)
  return reason.traceback and (text .. "\n" .. reason.traceback) or text
end

local function run(test)
  local before = footprint()
  local pid, ref = dozor.spawn(test.fn, {}, { monitor = true })
  local down = dozor.receive(LIMIT_MS, function(msg) return type(msg) == "table" and msg.ref == ref end)
  if not down then
    dozor.kill(pid)
    dozor.receive(1000, function(msg) return type(msg) == "table" and msg.ref == ref end)
    return ("took longer than %d ms"):format(LIMIT_MS)
  end
  if down.reason ~= "normal" then return describe_reason(down.reason) end
  local left = left_behind(before)
  return left and ("left behind: " .. left)
end

for _, path in ipairs { ... } do load_spec(path) end

local passed, failed = 0, 0
for _, test in ipairs(tests) do
  local problem = run(test)
  while dozor.receive(0) do end
  if problem then
    failed = failed + 1
    print(("FAIL %s\n     %s"):format(test.name, (problem:gsub("\n", "\n     "))))
  else
    passed = passed + 1
    print("ok   " .. test.name)
  end
  io.stdout:flush()
end
print(("%d passed, %d failed"):format(passed, failed))
dozor.shutdown(failed == 0 and #tests > 0 and 0 or 1)
