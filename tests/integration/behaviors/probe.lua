--- probe.lua - a child whose life leaves a trace: a line in the ledger (the file DOZOR_LEDGER) when it begins and when it ends.
--- args: label, options { init_ms, init_error, end_ms, end_on (only on that node), trap, crash_once }. Calls: "label", "get", "args", "node", { "echo", v },
--- { "make", bytes }, { "sleep", ms }; casts: "inc", "crash", "spin", "backtrack" (neither ends), { "burn", ms }, { "stream", pid, bytes, ms }, { "exit", reason }, { "push", v }.

local dozor = require "dozor"

local M = {}

local function note(what, label, reason)
  local path = os.getenv "DOZOR_LEDGER"
  if not path then return end
  local file = assert(io.open(path, "a"))
  local text = type(reason) == "table" and (reason.code or "table") or tostring(reason or "")
  file:write(("%.3f\t%s\t%s\t%s\t%s\t%s\n"):format(dozor.uv.hrtime() / 1e6, what, label, dozor.node(), dozor.self(), text))
  file:close()
end

function M.init(label, options)
  options = options or {}
  if options.trap then dozor.trap_exit(true) end
  if options.init_ms then
    note("init", label)
    dozor.sleep(options.init_ms)
  end
  if options.init_error then error(options.init_error) end
  if options.crash_once then
    local mark = os.getenv "DOZOR_LEDGER" .. "." .. label
    local file = io.open(mark)
    if file then
      file:close()
      os.remove(mark)
    else
      io.open(mark, "w"):close()
      dozor.cast(dozor.self(), "crash")
    end
  end
  note("start", label)
  return { label = label or false, options = options, count = 0, pushed = {} }
end

function M.handle_call(msg, state)
  if msg == "label" then return state.label end
  if msg == "get" then return state.count end
  if msg == "options" then return state.options end
  if msg == "node" then return dozor.node() end
  if msg == "pushed" then return state.pushed end
  if msg == "crash" then error("asked to crash") end
  if type(msg) == "table" and msg[1] == "echo" then return msg[2] end
  if type(msg) == "table" and msg[1] == "make" then return ("x"):rep(msg[2]) end
  if type(msg) == "table" and msg[1] == "sleep" then
    dozor.sleep(msg[2])
    return true
  end
end

function M.handle_cast(msg, state)
  if msg == "inc" then state.count = state.count + 1 end
  if msg == "crash" then error("asked to crash") end
  if msg == "spin" then while true do end end
  if msg == "backtrack" then return (("a"):rep(40)):find(("a?"):rep(40) .. ("a"):rep(40) .. "b") end
  if type(msg) == "table" and msg[1] == "burn" then
    local till = dozor.now() + msg[2]
    while dozor.now() < till do end
  end
  if type(msg) == "table" and msg[1] == "stream" then
    local text, till = ("x"):rep(msg[3]), dozor.now() + msg[4]
    while dozor.now() < till do
      dozor.cast(msg[2], text)
      state.count = state.count + 1
    end
  end
  if type(msg) == "table" and msg[1] == "exit" then dozor.exit(msg[2]) end
  if type(msg) == "table" and msg[1] == "push" then state.pushed[#state.pushed + 1] = msg[2] end
end

function M.handle_info(msg, state)
  state.pushed[#state.pushed + 1] = msg
end

function M.terminate(reason, state)
  local options = state.options
  if options.end_ms and (options.end_on or dozor.node()) == dozor.node() then dozor.sleep(options.end_ms) end
  note("end", state.label, reason)
end

return M
