-- compare.lua: runs each program of tests/bench/programs and its Erlang twin in turn, as fresh OS processes, and prints medians,
-- smallest and largest, and the ratio (above 1: ours is better). See ./compare for the options.
local dozor = require "dozor"
local uv = dozor.uv

local here = arg[0]:match("^(.*)/[^/]*$") or "."

-- figure: the name both programs print; less: smaller is better; target: the ratio performance.md asks for, most: the figure itself;
-- alone: Erlang has no twin; runs: not more than so many.
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
  { id = "P9", name = "worst pause, 1 M idle processes", figure = "worst_pause_us", unit = "us", less = true, alone = true, most = 2000 },
  { id = "P9", name = "the same while the string table grows", figure = "worst_pause_strings_us", unit = "us", less = true, alone = true },
  { id = "P9", name = "the same with 10,000 waiting", figure = "worst_pause_waiting_us", unit = "us", less = true, alone = true },
  { id = "P10", name = "restarts back to back", figure = "restarts_per_s", unit = "/s", target = 3 },
  { id = "P10", name = "restarts back to back, many", figure = "restarts_per_s_long", unit = "/s", target = 3 },
  { id = "P11", name = "kill -> replacement, p50", figure = "p50_us", unit = "us", less = true, target = 2 },
  { id = "P11", name = "kill -> replacement, p99", figure = "p99_us", unit = "us", less = true, target = 2 },
  { id = "P12", name = "100,000 children: start", figure = "start_ms", unit = "ms", less = true },
  { id = "P12", name = "100,000 children: crash of one", figure = "crash_ms", unit = "ms", less = true },
  { id = "P12", name = "100,000 children: stop", figure = "stop_ms", unit = "ms", less = true },
  { id = "P13", name = "remote call, p50", figure = "p50_us", unit = "us", less = true },
  { id = "P13", name = "the same above the kernel's floor", figure = "over_floor_us", unit = "us", less = true, alone = true, most = 15 },
  { id = "P14", name = "remote call, 64 callers, integer", figure = "integers_per_s", unit = "/s", target = 4 },
  { id = "P14", name = "remote call, 64 callers, 1 KB", figure = "kilobytes_per_s", unit = "/s", target = 3 },
  { id = "P15", name = "remote cast, small", figure = "small_per_s", unit = "/s", target = 2 },
  { id = "P15", name = "remote cast, 1 KB", figure = "kilobytes_per_s", unit = "/s", target = 1.5 },
  { id = "P16", name = "kill -9 of a node, 10 of 30 children", figure = "all_running_ms", unit = "ms", less = true, most = 20 },
  { id = "P17", name = "a node freezes, 10 of 30 children", figure = "all_running_ms", unit = "ms", less = true, most = 4000, runs = 1 },
  { id = "P18", name = "10,000 children of a lost node", figure = "all_running_ms", unit = "ms", less = true, most = 300 },
  { id = "P19", name = "start to first supervised child", figure = "start_to_first_ms", unit = "ms", less = true },
  { id = "P19", name = "memory of an idle node", figure = "rss_mib", unit = "MiB", less = true },
  { id = "P20", name = "two workers against one", figure = "speedup", unit = "x" },
  { id = "P21", name = "CPU of an idle node, 3 peers", figure = "idle_cpu_percent", unit = "%", less = true, alone = true, most = 0.5 },
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
local MODULES = { "bench", "bench_sup", "bench_epmd", "bench_dist" }
local sources = { "-o", beams }
for _, name in ipairs(MODULES) do sources[#sources + 1] = here .. "/erlang/" .. name .. ".erl" end
local _, erlc = execute("erlc", sources)
assert(erlc == 0, "compare: erlc failed; the package erlang-base has it")

local function run_ours(id)
  local output, code, first = execute(uv.exepath(), { "run", "--log-level", "error", here .. "/programs/" .. id:lower() .. ".lua", tostring(options.scale) })
  assert(code == 0, "compare: our " .. id .. " ended with " .. tostring(code))
  return figures(output, first)
end

local function run_theirs(id)
  local output, code, first = execute("erl", { "-noshell", "-pa", beams, "-start_epmd", "false", "-epmd_module", "bench_epmd",
    "-bench_dir", beams, "-kernel", "inet_dist_use_interface", "{127,0,0,1}", "logger_level", "none", "-run", "bench", "main", id,
    string.format("%.6f", options.scale) })
  assert(code == 0, "compare: Erlang's " .. id .. " ended with " .. tostring(code))
  return figures(output, first)
end

-- Each program once per run, ours and theirs in turn.
local samples, order = {}, {}
for _, m in ipairs(MEASURES) do
  if not samples[m.id] and (not options.only or options.only[m.id]) then
    samples[m.id] = { ours = {}, theirs = {}, runs = math.min(options.runs, m.runs or options.runs) }
    order[#order + 1] = m.id
  end
  if samples[m.id] and not m.alone then samples[m.id].twin = true end
end
for _, id in ipairs(order) do
  for _ = 1, samples[id].runs do
    table.insert(samples[id].ours, run_ours(id))
    if samples[id].twin then table.insert(samples[id].theirs, run_theirs(id)) end
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
  print(string.format("%-4s %-36s %28s %28s %8s %7s", "", "measure", "dozor (min - max)", "OTP (min - max)", "ratio", "target"))
end
for _, m in ipairs(MEASURES) do
  if samples[m.id] then
    local ours, theirs = column(samples[m.id].ours, m.figure), column(samples[m.id].theirs, m.figure)
    local a, b = median(ours), not m.alone and median(theirs) or nil
    local ratio = b and (m.less and b / a or a / b)
    if options.json then
      print(dozor.json.encode { id = m.id, name = m.name, ours = a, theirs = b, ratio = ratio, unit = m.unit })
    else
      local function cell(v, list) return string.format("%s (%s - %s)", show(v), show(list[1]), show(list[#list])) end
      print(string.format("%-4s %-36s %28s %28s %8s %7s  %s", m.id, m.name, cell(a, ours), b and cell(b, theirs) or "",
        b and string.format("%.2fx", ratio) or "", m.target and ">=" .. m.target .. "x" or m.most and "<=" .. m.most or "", m.unit))
    end
  end
end

local left = uv.fs_scandir(beams)
for name in function() return uv.fs_scandir_next(left) end do os.remove(beams .. "/" .. name) end
uv.fs_rmdir(beams)
dozor.shutdown(0)
