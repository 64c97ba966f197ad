#!/usr/bin/env bash
# runaway.sh DOZOR - hosts whose workers do not come back.
dozor="$1"
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
export ASAN_OPTIONS="detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}" # a lost worker leaves its memory behind on purpose

write behaviors/loop.lua <<'LUA'
local M = {}
function M.init() return {} end
function M.handle_cast(msg)
  if msg == "compiled" then while true do end end
  if msg == "pattern" then return (("a"):rep(40)):find(("a?"):rep(40) .. ("a"):rep(40) .. "b") end
end
return M
LUA

# away(sup): a child on another worker than the script's.
write away.lua <<'LUA'
local dozor = require "dozor"
local here = dozor.info(dozor.self()).worker
local M = { children = {} }
for i = 1, 6 do M.children[i] = { id = "c" .. i, behavior = "loop" } end
function M.find(sup)
  for _, child in ipairs(dozor.supervisor.children(sup)) do
    if dozor.info(child.pid).worker ~= here then return child end
  end
end
return M
LUA

eight_lost_workers_end_the_host_with_70() {
  write eight.lua <<'LUA'
local dozor, away = require "dozor", require "away"
dozor.on_shutdown(function() print("hook") end)
while true do
  local sup = dozor.supervisor.start { children = away.children }
  local child = away.find(sup)
  dozor.monitor(child.pid)
  dozor.cast(child.pid, "compiled")
  print("lost", dozor.receive("infinity").reason)
  io.stdout:flush()
  dozor.supervisor.stop(sup)
end
LUA
  run 70 "$dozor" run --workers 2 --max-turn-ms 100 "$work/eight.lua"
  [ "$(grep -c "worker_stuck" "$work/out.log")" -ge 7 ] || fail "it ended too early"
  expect err "too many workers were lost"
  expect out "hook"
}

a_child_that_costs_two_workers_is_not_started_again() {
  write twice.lua <<'LUA'
local dozor, away = require "dozor", require "away"
local sup = dozor.supervisor.start { children = away.children, restart_intensity = { max_restarts = 100, within_ms = 1000 } }
local ref = dozor.monitor(sup)
local id = away.find(sup).id
local stuck, down
repeat
  local alive, child = pcall(dozor.supervisor.child, sup, id)
  if alive and child and child.status == "running" and child.pid ~= stuck then
    if dozor.info(child.pid).worker == dozor.info(dozor.self()).worker then
      dozor.supervisor.restart_child(sup, id)
    else
      stuck = child.pid
      dozor.cast(stuck, "pattern")
    end
  end
  down = dozor.receive(10, function(m) return m.ref == ref end)
until down
print("ended", down.reason.code)
dozor.shutdown(0)
LUA
  run 0 "$dozor" run --workers 2 --max-turn-ms 100 "$work/twice.lua"
  expect out "ended	max_restarts_exceeded"
  [ "$(grep -c "worker lost" "$work/err.log")" -eq 2 ] || fail "not two workers were lost"
}

a_script_that_never_ends_its_turn_ends_the_program_with_1() {
  write stuck.lua <<<'while true do end'
  run 1 "$dozor" run --workers 2 --max-turn-ms 100 "$work/stuck.lua"
  expect err "worker_stuck"
  write runaway.lua <<<'local dozor = require "dozor" while true do dozor.self() end'
  run 1 "$dozor" run --workers 1 --max-turn-ms 100 "$work/runaway.lua"
  expect err "runaway"
}

sigterm_stops_a_host_with_a_stuck_worker_in_order() {
  write term.lua <<'LUA'
local dozor, away = require "dozor", require "away"
local sup = dozor.supervisor.start { children = away.children }
local child = away.find(sup)
dozor.cast(child.pid, "compiled")
print("ready")
io.stdout:flush()
LUA
  start term "$dozor" run --workers 2 --max-turn-ms 1000 "$work/term.lua"
  wait_until 10 says term ready || fail "it did not start"
  kill -TERM "$started"
  wait_until 20 gone "$started" || fail "it did not end"
  local code=0
  wait "$started" || code=$?
  [ "$code" -eq 0 ] || fail "exit code $code"
}

without_a_limit_a_turn_may_take_as_long_as_it_likes() {
  write long.lua <<'LUA'
local dozor = require "dozor"
local till = dozor.now() + 600
while dozor.now() < till do end
print("done")
LUA
  run 0 "$dozor" run --max-turn-ms 0 "$work/long.lua"
  expect out "done"
  run 1 "$dozor" run --max-turn-ms 100 "$work/long.lua"
}

a_kill_takes_effect_in_the_middle_of_a_turn() {
  local jit
  for jit in true false; do
    write "behaviors/spin_jit_$jit.lua" <<LUA
local function handle_cast(from)
  require("dozor").send(from, "spinning")
  while true do end
end
return { jit = $jit, init = function() return {} end, handle_cast = handle_cast }
LUA
  done
  write kill.lua <<'LUA'
local dozor = require "dozor"
local function spin(behavior)
  local sup = dozor.supervisor.start {
    children = { { id = "c", behavior = behavior, shutdown_timeout = "brutal_kill" } },
  }
  local pid = dozor.supervisor.child(sup, "c").pid
  local ref = dozor.monitor(pid)
  dozor.cast(pid, dozor.self())
  assert(dozor.receive(5000) == "spinning")
  local began = dozor.now()
  dozor.supervisor.stop(sup)
  local took = dozor.now() - began
  print(behavior, dozor.receive(0, function(m) return m.ref == ref end).reason, took < 5000 or took)
end
spin "spin_jit_true"
spin "spin_jit_false"
dozor.shutdown(0)
LUA
  run 0 "$dozor" run --workers 2 --max-turn-ms 0 "$work/kill.lua"
  expect out "spin_jit_true	killed	true"
  expect out "spin_jit_false	killed	true"
  [ "$(grep -c "worker lost" "$work/err.log")" -eq 1 ] || fail "not just the compiled loop cost its worker"
}

run_tests eight_lost_workers_end_the_host_with_70 a_child_that_costs_two_workers_is_not_started_again \
  a_script_that_never_ends_its_turn_ends_the_program_with_1 sigterm_stops_a_host_with_a_stuck_worker_in_order \
  without_a_limit_a_turn_may_take_as_long_as_it_likes a_kill_takes_effect_in_the_middle_of_a_turn
