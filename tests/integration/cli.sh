#!/usr/bin/env bash
# cli.sh DOZOR - the command line, as a user meets it.
dozor="$1"
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

a_script_that_returns_ends_the_program_with_0() {
  write hello.lua <<<'print("hello", ...) print(arg[0] ~= nil, arg[1])'
  run 0 "$dozor" run "$work/hello.lua" one two
  expect out "hello	one	two"
  expect out "true	one"
}

an_error_in_the_script_is_told_with_its_traceback() {
  write error.lua <<<'local function f() error("boom") end f()'
  run 1 "$dozor" run "$work/error.lua"
  expect err "error.lua:1: boom"
  expect err "stack traceback"
}

a_syntax_error_names_file_and_line() {
  write syntax.lua <<<'print("x"'
  run 1 "$dozor" run "$work/syntax.lua"
  expect err "syntax.lua:2: ')' expected"
}

a_script_that_is_missing_is_named() {
  run 1 "$dozor" run "$work/nowhere.lua"
  expect err "nowhere.lua: No such file or directory"
}

misuse_ends_with_2_and_names_the_nearest_word() {
  run 2 "$dozor" rum x.lua
  expect err "did you mean run?"
  run 2 "$dozor" run --max-turn-sm 5 x.lua
  expect err "did you mean --max-turn-ms?"
  run 2 "$dozor" run
  expect err "which script?"
  run 2 "$dozor" run --workers many x.lua
  expect err "expected a whole number"
  run 2 "$dozor" run --node bad x.lua
  expect err "is not a node id"
}

help_and_version_end_with_0() {
  run 0 "$dozor" --version
  expect out "dozor 0."
  run 0 "$dozor" --help
  expect out "dozor up"
  run 0 "$dozor" run --help
  expect out "--max-turn-ms"
}

shutdown_gives_the_exit_code_and_runs_the_hooks() {
  write shutdown.lua <<'LUA'
local dozor = require "dozor"
dozor.on_shutdown(function() print("hook one") end)
dozor.on_shutdown(function() print("hook two") end)
dozor.shutdown(7)
LUA
  run 7 "$dozor" run "$work/shutdown.lua"
  [ "$(cat "$work/out.log")" = $'hook one\nhook two' ] || fail "the hooks did not run in order"
}

a_supervisor_keeps_the_program_up_until_sigterm_stops_it_in_order() {
  mkdir -p "$work/behaviors"
  write behaviors/noisy.lua <<'LUA'
local M = {}
function M.init(name) return { name = name } end
function M.terminate(reason, state) print("end of " .. state.name .. ": " .. tostring(reason)) io.stdout:flush() end
return M
LUA
  write up.lua <<'LUA'
local dozor = require "dozor"
for i = 1, 2 do
  dozor.supervisor.start { children = { { id = "a", behavior = "noisy", args = { "a" .. i } },
                                        { id = "b", behavior = "noisy", args = { "b" .. i } } } }
end
print("ready")
io.stdout:flush()
LUA
  start up "$dozor" run "$work/up.lua"
  wait_until 10 says up ready || fail "it did not start"
  kill -TERM "$started"
  local code=0
  wait "$started" || code=$?
  [ "$code" -eq 0 ] || fail "exit code $code"
  [ "$(grep '^end of' "$work/up.log" | tr '\n' ' ')" = "end of b2: shutdown end of a2: shutdown end of b1: shutdown end of a1: shutdown " ] ||
    fail "the order was wrong"
}

a_second_signal_ends_at_once() {
  write stuck.lua <<'LUA'
local dozor = require "dozor"
dozor.on_shutdown(function() print("stuck") io.stdout:flush() dozor.sleep("infinity") end)
print("ready")
io.stdout:flush()
dozor.sleep("infinity")
LUA
  start stuck "$dozor" run "$work/stuck.lua"
  wait_until 10 says stuck ready || fail "it did not start"
  kill -INT "$started"
  wait_until 10 says stuck stuck || fail "the hook did not run"
  kill -INT "$started"
  local code=0
  wait "$started" || code=$?
  [ "$code" -eq 130 ] || fail "exit code $code"
}

a_port_in_use_is_named() {
  local port
  port="$(free_port)"
  write node.lua <<<'print("ready") io.stdout:flush()'
  start first "$dozor" run --node "a@127.0.0.1:$port" "$work/node.lua"
  wait_until 10 says first ready || fail "the first node did not start"
  run 1 "$dozor" run --node "b@127.0.0.1:$port" "$work/node.lua"
  expect err "address_in_use"
  expect err "127.0.0.1:$port"
}

listening_off_loopback_needs_a_secret() {
  write node.lua <<<'print("ready")'
  run 1 "$dozor" run --node a@127.0.0.1:4369 --listen 0.0.0.0:0 "$work/node.lua"
  expect err "needs a secret"
  printf 'short' >"$work/secret"
  run 1 "$dozor" run --node a@127.0.0.1:4369 --listen 0.0.0.0:0 --secret-file "$work/secret" "$work/node.lua"
  expect err "at least 32"
}

check_tells_what_is_wrong_with_a_file() {
  write good.lua <<<'local dozor = require "dozor" return { init = function() return {} end }'
  run 0 "$dozor" check "$work/good.lua"
  expect out "a behaviour, ok"
  write bad.lua <<<'return { init = function() end, handle_cal = function() end, version = "one" }'
  run 1 "$dozor" check "$work/bad.lua"
  expect err "did you mean 'handle_call'?"
  expect err "version must be a number"
  write spec.lua <<<'return { children = { { id = "x", behavior = "y", restrat = "permanent" } } }'
  run 1 "$dozor" check "$work/spec.lua"
  expect err "restrat"
  write config.lua <<<'return { nodes = { { id = "a@127.0.0.1:4369", skript = "x.lua" } } }'
  run 1 "$dozor" check "$work/config.lua"
  expect err "did you mean 'script'?"
  write many.lua <<'LUA'
return {
  cluster = { heartbeat_intervall_ms = 5 },
  nodes = { { id = "a@127.0.0.1:4369" }, { id = "nowhere" } },
  supervisors = { { strategy = "one_by_one", children = { { id = "x" } } } },
}
LUA
  run 1 "$dozor" check "$work/many.lua"
  expect err "did you mean 'heartbeat_interval_ms'?"
  expect err "nodes[2].id: 'nowhere' is not a node id"
  expect err "supervisors[1]: invalid_spec: strategy: got \"one_by_one\""
  expect err "supervisors[1]: invalid_spec: children[1] (child \"x\"): one of behavior, supervisor and start is missing"
}

a_secret_file_that_cannot_be_used_says_why() {
  write node.lua <<<'print("ready")'
  run 2 "$dozor" run --secret-file "$work/none" "$work/node.lua"
  expect err "none: No such file or directory"
  run 2 "$dozor" run --secret-file "$work" "$work/node.lua"
  expect err "Is a directory"
  : >"$work/empty"
  run 2 "$dozor" run --secret-file "$work/empty" "$work/node.lua"
  expect err "empty: is empty"
}

nodes_with_different_secrets_say_so_and_go_on() {
  local port
  port="$(free_port 2)"
  write node.lua <<'LUA'
io.stdout:setvbuf("no")
print("ready")
require("dozor").sleep("infinity")
LUA
  printf 'the secret of the one, 32 bytes long' >"$work/one"
  printf 'the secret of the other, as long as that' >"$work/other"
  start a "$dozor" run --node "a@127.0.0.1:$port" --secret-file "$work/one" "$work/node.lua"
  local a="$started"
  wait_until 10 says a ready || fail "the first node did not start"
  start b "$dozor" run --node "b@127.0.0.1:$((port + 1))" --seeds "a@127.0.0.1:$port" --secret-file "$work/other" "$work/node.lua"
  local b="$started"
  wait_until 10 says b ready || fail "the second node did not start"
  wait_until 10 says a "another secret" || fail "the first node does not say it"
  wait_until 10 says b "another secret" || fail "the second node does not say it"
  gone "$a" && fail "the first node has ended"
  gone "$b" && fail "the second node has ended"
  return 0
}

certificates_that_cannot_be_used_are_named() {
  write tls.lua <<'LUA'
local dozor = require "dozor"
local ok, err = pcall(dozor.cluster.start, { node_name = "a", host = "127.0.0.1", port = 0,
  tls = { cert = "/nowhere/cert.pem", key = "/nowhere/key.pem", ca = "/nowhere/ca.pem" } })
print(ok, err.code, err.message)
LUA
  run 0 "$dozor" run "$work/tls.lua"
  expect out "invalid_config	cannot use the certificate /nowhere/cert.pem: No such file or directory"
}

a_spinning_script_ends_at_a_signal_even_without_a_limit() {
  write spin.lua <<<'print("ready") io.stdout:flush() while true do end'
  start spin "$dozor" run --max-turn-ms 0 "$work/spin.lua"
  wait_until 10 says spin ready || fail "it did not start"
  kill -TERM "$started"
  wait_until 30 gone "$started" || fail "it did not end"
  local code=0
  wait "$started" || code=$?
  [ "$code" -eq 0 ] || fail "exit code $code"
}

run_tests a_script_that_returns_ends_the_program_with_0 an_error_in_the_script_is_told_with_its_traceback \
  a_syntax_error_names_file_and_line a_script_that_is_missing_is_named misuse_ends_with_2_and_names_the_nearest_word \
  help_and_version_end_with_0 shutdown_gives_the_exit_code_and_runs_the_hooks \
  a_supervisor_keeps_the_program_up_until_sigterm_stops_it_in_order a_second_signal_ends_at_once a_port_in_use_is_named \
  listening_off_loopback_needs_a_secret a_secret_file_that_cannot_be_used_says_why \
  nodes_with_different_secrets_say_so_and_go_on certificates_that_cannot_be_used_are_named \
  a_spinning_script_ends_at_a_signal_even_without_a_limit check_tells_what_is_wrong_with_a_file
