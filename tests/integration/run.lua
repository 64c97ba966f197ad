--- run.lua - real nodes, really hurt: dozor run tests/integration/run.lua CASE [PATTERN [ARG...]]
--- CASE is a file of cases/, which returns a list of { name, fn }; PATTERN picks tests whose name contains it. Every test gets a
--- world of its own (harness/world.lua): nodes as OS processes. A test fails when it raises, takes longer than its limit, or when
--- a node that should be healthy does not end in order. Prints one line a test; exit code 1 when one failed.

local dozor = require "dozor"
local world = require "harness.world"

local LIMIT_MS = 120000

local case, pattern = ...
if not case then error("which case?", 0) end
local tests = require("cases." .. case)
local args = { select(3, ...) }

local function describe(reason)
  if type(reason) ~= "table" then return tostring(reason) end
  local text = tostring(reason.message or reason.code)
  return reason.traceback and (text .. "\n" .. reason.traceback) or text
end

local function body(test, w)
  test.fn(w, unpack(args))
  w:finish()
end

--- The process that owns the handles of a test must live until its nodes are gone: all of it happens in one process, which
--- is watched from here.
local function run(test)
  local w
  local pid, ref = dozor.spawn(function()
    w = world.new(test.name)
    local ok, err = xpcall(body, function(e)
      if type(e) == "table" then return e end
      return debug.traceback(tostring(e), 2)
    end, test, w)
    if not ok then w:show_logs() end
    w:kill_all()
    if not ok then error(describe(err), 0) end
  end, {}, { monitor = true })
  local down = dozor.receive(test.limit_ms or LIMIT_MS, function(msg) return type(msg) == "table" and msg.ref == ref end)
  if not down then
    if w then
      w:show_logs()
      w:kill_all()
    end
    dozor.kill(pid)
    return ("took longer than %d ms"):format(test.limit_ms or LIMIT_MS)
  end
  if down.reason ~= "normal" then return describe(down.reason) end
end

local ran, failed = 0, 0
for _, test in ipairs(tests) do
  if not pattern or pattern == "" or test.name:find(pattern, 1, true) then
    local began = dozor.now()
    local problem = run(test)
    ran = ran + 1
    if problem then
      failed = failed + 1
      print(("FAIL %s\n     %s"):format(test.name, (problem:gsub("\n", "\n     "))))
    else
      print(("ok   %s (%.1f s)"):format(test.name, (dozor.now() - began) / 1000))
    end
    io.stdout:flush()
  end
end
print(("%d passed, %d failed"):format(ran - failed, failed))
dozor.shutdown(failed == 0 and ran > 0 and 0 or 1)
