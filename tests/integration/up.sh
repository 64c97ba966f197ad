#!/usr/bin/env bash
# up.sh DOZOR - a whole local cluster from one config, as OS processes.
dozor="$1"
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# config RESTART: two nodes; the first one's script is main.lua.
config() {
  local port
  port="$(free_port 2)"
  mkdir -p "$work/behaviors"
  write behaviors/napper.lua <<'LUA'
local M = {}
function M.init() return {} end
function M.handle_call() return require("dozor").node() end
return M
LUA
  write up.lua <<LUA
return {
  cluster = { attributes = { zone = "eu" } },
  behaviors = { "behaviors" },
  nodes = {
    { id = "a@127.0.0.1:$port", script = "main.lua", args = { "one", "two" } },
    { id = "b@127.0.0.1:$((port + 1))", restart = $1, attributes = { zone = "us" } },
  },
  supervisors = { { name = "tree", node_selector = { node = "b@127.0.0.1:$((port + 1))" },
                    children = { { id = "n", behavior = "napper", global = "napper" } } } },
  host = { workers = 1, log_level = "warn" },
}
LUA
}

# What main.lua of every test begins with.
preamble='
local dozor = require "dozor"
io.stdout:setvbuf("line")
local function wait_until(cond)
  local deadline = dozor.now() + 20000
  while not cond() do
    if dozor.now() > deadline then error("gave up waiting") end
    dozor.sleep(10)
  end
end
wait_until(function() return dozor.global.whereis("napper") end)
'

processes_of() { pgrep -f -- "--behaviors $work/behaviors" || true; }
none_left() { [ -z "$(processes_of)" ]; }

the_first_node_gives_output_arguments_and_the_exit_code() {
  config false
  write main.lua <<LUA
$preamble
print("args", ...)
print("napper on", (dozor.call(dozor.global.whereis("napper"), "where"):match("^%a+")))
for _, node in ipairs(dozor.cluster.nodes()) do print(node.name, node.attributes.zone) end
dozor.shutdown(5)
LUA
  run 5 "$dozor" up "$work/up.lua"
  expect out "[a] args	one	two"
  expect out "[a] napper on	b"
  expect out "[a] a	eu"
  expect out "[a] b	us"
  none_left || fail "processes were left behind"
}

an_error_in_the_first_script_ends_all_with_1() {
  config false
  write main.lua <<<'error("no good")'
  run 1 "$dozor" up "$work/up.lua"
  expect err "no good"
  none_left || fail "processes were left behind"
}

a_node_that_dies_is_reported_and_started_again() {
  config true
  write main.lua <<LUA
$preamble
local first = dozor.global.whereis("napper")
print("ready")
wait_until(function() return not dozor.alive(first) end)
wait_until(function() local pid = dozor.global.whereis("napper") return pid and pid ~= first end)
print("back")
dozor.shutdown(0)
LUA
  start up "$dozor" up "$work/up.lua"
  local launcher="$started"
  wait_until 20 says up "[a] ready" || fail "it did not start"
  kill -9 "$(processes_of | tail -1)"
  wait_until 20 says up "[a] back" || fail "the node or its child did not come back"
  local code=0
  wait "$launcher" || code=$?
  [ "$code" -eq 0 ] || fail "exit code $code"
  expect up "was ended by signal 9"
  expect up "is started again"
  none_left || fail "processes were left behind"
}

ctrl_c_stops_all_in_order() {
  config false
  write main.lua <<LUA
$preamble
dozor.on_shutdown(function() print("bye") end)
print("ready")
LUA
  start up "$dozor" up "$work/up.lua"
  local launcher="$started"
  wait_until 20 says up "[a] ready" || fail "it did not start"
  kill -INT "$launcher"
  local code=0
  wait "$launcher" || code=$?
  [ "$code" -eq 0 ] || fail "exit code $code"
  expect up "[a] bye"
  none_left || fail "processes were left behind"
}

every_node_stops_in_order_when_the_launcher_is_killed() {
  config true
  write main.lua <<LUA
$preamble
dozor.on_shutdown(function() io.open("$work/said", "w"):write("bye\\n"):close() end)
print("ready")
LUA
  write behaviors/napper.lua <<LUA
local M = {}
function M.init() return {} end
function M.terminate(reason) io.open("$work/slept", "w"):write(tostring(reason), "\\n"):close() end
return M
LUA
  start up "$dozor" up "$work/up.lua"
  local launcher="$started"
  wait_until 20 says up "[a] ready" || fail "it did not start"
  kill -9 "$launcher"
  wait_until 10 none_left || fail "processes were left behind: $(processes_of)"
  [ "$(cat "$work/said" 2>/dev/null)" = bye ] || fail "the first node's shutdown hook did not run"
  [ -s "$work/slept" ] || fail "the child's terminate did not run"
}

run_tests the_first_node_gives_output_arguments_and_the_exit_code an_error_in_the_first_script_ends_all_with_1 \
  a_node_that_dies_is_reported_and_started_again ctrl_c_stops_all_in_order every_node_stops_in_order_when_the_launcher_is_killed
