-- compare.lua: runs each program of tests/bench/programs and its Erlang twin in turn, as fresh OS processes, and prints medians,
-- smallest and largest, and the ratio (above 1: ours is better). See ./compare for the options.
local dozor = require "dozor"
local uv = dozor.uv

local here = arg[0]:match("^(.*)/[^/]*$") or "."

-- figure: the name both programs print; less: smaller is better; target: the ratio performance.md asks for.
local MEASURES = {
  { id = "P1", name = "local call, integer", figure = "calls_per_s", unit = "/s", target = 5 },
  { id = "P2", name = "local call, map of 10 fields", figure = "calls_per_s", unit = "/s", target = 1.3 },
  { id = "P3", name = "call between workers", figure = "calls_per_s", unit = "/s", target = 1.5 },
  { id = "P4", name = "cast 1 -> 1", figure = "casts_per_s", unit = "/s", target = 1.3 },
  { id = "P5", name = "cast 16 -> 1", figure = "casts_per_s", unit = "/s", target = 4 },
  { id = "P5", name = "cast 16 -> 1, peak memory", figure = "peak_mib", unit = "MiB", less = true, target = 20 },
  { id = "P6", name = "ring of 1,000 plain processes", figure = "plain_hops_per_s", unit = "hops/s", target = 3 },
  { id = "P6", name = "ring of 1,000 behaviours", figure = "behavior_hops_per_s", unit = "hops/s", target = 3 },
  { id = "P7", name = "start behaviours", figure = "starts_per_s", unit = "/s", target = 3 },
  { id = "P7", name = "start + stop", figure = "cycles_per_s", unit = "/s", target = 2 },
  { id = "P8", name = "memory per idle behaviour", figure = "bytes_per_process", unit = "B", less = true, target = 8 },
  { id = "P10", name = "restarts back to back", figure = "restarts_per_s", unit = "/s", target = 3 },
  { id = "P10", name = "restarts back to back, many", figure = "restarts_per_s_long", unit = "/s", target = 3 },
  { id = "P11", name = "kill -> replacement, p50", figure = "p50_us", unit = "us", less = true, target = 2 },
  { id = "P11", name = "kill -> replacement, p99", figure = "p99_us", unit = "us", less = true, target = 2 },
  { id = "P12", name = "100,000 children: start", figure = "start_ms", unit = "ms", less = true },
  { id = "P12", name = "100,000 children: crash of one", figure = "crash_ms", unit = "ms", less = true },
  { id = "P12", name = "100,000 children: stop", figure = "stop_ms", unit = "ms", less = true },
  { id = "P19", name = "start to first supervised child", figure = "start_to_first_ms", unit = "ms", less = true },
  { id = "P19", name = "memory of an idle node", figure = "rss_mib", unit = "MiB", less = true },
  { id = "P20", name = "two workers against one", figure = "speedup", unit = "x" },
}

local options = { runs = 5, scale = 1 }
do
  local i = 1
  while arg[i] do
    local a = arg[i]
    if a == "--quick" then options.runs, options.scale = 1, 0.02
    elseif a == "--json" then options.json = true
    elseif a == "--runs" then i = i + 1; options.runs = assert(tonumber(arg[i]), "--runs takes a number")
    elseif a == "--only" then
      i = i + 1
      options.only = {}
      for id in (arg[i] or ""):gmatch("[^,]+") do options.only[id] = true end
    else error("compare: unknown option " .. a .. "; known are --only, --quick, --json, --runs", 0) end
    i = i + 1
  end
end

---Runs a program to its end. Returns its output, its exit code and how many ms passed until its first output.
local function execute(file, args)
  local t0 = uv.hrtime()
  return dozor.await(function(done)
    local out, first = {}, nil
    local stdout = uv.new_pipe(false)
    local handle
    local code, closed
    local function finish()
      if code and closed then done(table.concat(out), code, first) end
    end
    handle = uv.spawn(file, { args = args, stdio = { nil, stdout, 2 } }, function(status)
      code = status
      handle:close()
      finish()
    end)
    if not handle then error("compare: cannot start " .. file, 0) end
    stdout:read_start(function(_, data)
      if data then
        first = first or (uv.hrtime() - t0) / 1e6
        out[#out + 1] = data
      else
        stdout:close()
        closed = true
        finish()
      end
    end)
  end, 600000)
end

local function figures(output, first_ms)
  local found = { start_to_first_ms = first_ms }
  for name, value in output:gmatch("RESULT (%S+) (%S+)") do found[name] = tonumber(value) end
  return found
end

local function median(list)
  table.sort(list)
  return list[math.ceil(#list / 2)]
end

local beams = os.tmpname()
os.remove(beams)
uv.fs_mkdir(beams, 448)
local _, erlc = execute("erlc", { "-o", beams, here .. "/erlang/bench.erl", here .. "/erlang/bench_sup.erl" })
assert(erlc == 0, "compare: erlc failed; the package erlang-base has it")

local function run_ours(id)
  local output, code, first = execute(uv.exepath(), { "run", here .. "/programs/" .. id:lower() .. ".lua", tostring(options.scale) })
  assert(code == 0, "compare: our " .. id .. " ended with " .. tostring(code))
  return figures(output, first)
end

local function run_theirs(id)
  local output, code, first = execute("erl", { "-noshell", "-pa", beams, "-kernel", "logger_level", "none", "-run", "bench",
    "main", id, string.format("%.6f", options.scale) })
  assert(code == 0, "compare: Erlang's " .. id .. " ended with " .. tostring(code))
  return figures(output, first)
end

-- Each program once per run, ours and theirs in turn.
local samples, order = {}, {}
for _, m in ipairs(MEASURES) do
  if not samples[m.id] and (not options.only or options.only[m.id]) then
    samples[m.id] = { ours = {}, theirs = {} }
    order[#order + 1] = m.id
  end
end
for _, id in ipairs(order) do
  for _ = 1, options.runs do
    table.insert(samples[id].ours, run_ours(id))
    table.insert(samples[id].theirs, run_theirs(id))
  end
end

local function column(list, figure)
  local values = {}
  for _, found in ipairs(list) do values[#values + 1] = found[figure] end
  return values
end

local function show(v)
  if v >= 1e6 then return string.format("%.2f M", v / 1e6) end
  if v >= 1e4 then return string.format("%.0f k", v / 1e3) end
  return string.format("%.4g", v)
end

if not options.json then
  print(string.format("%-4s %-34s %28s %28s %8s %7s", "", "measure", "dozor (min - max)", "OTP (min - max)", "ratio", "target"))
end
for _, m in ipairs(MEASURES) do
  if samples[m.id] then
    local ours, theirs = column(samples[m.id].ours, m.figure), column(samples[m.id].theirs, m.figure)
    local a, b = median(ours), median(theirs)
    local ratio = m.less and b / a or a / b
    if options.json then
      print(dozor.json.encode { id = m.id, name = m.name, ours = a, theirs = b, ratio = ratio, unit = m.unit })
    else
      local function cell(v, list) return string.format("%s (%s - %s)", show(v), show(list[1]), show(list[#list])) end
      print(string.format("%-4s %-34s %28s %28s %7.2fx %7s  %s", m.id, m.name, cell(a, ours), cell(b, theirs), ratio,
        m.target and ">=" .. m.target or "", m.unit))
    end
  end
end

for _, file in ipairs { "bench.beam", "bench_sup.beam" } do os.remove(beams .. "/" .. file) end
uv.fs_rmdir(beams)
dozor.shutdown(0)
