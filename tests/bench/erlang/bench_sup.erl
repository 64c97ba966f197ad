%% bench_sup.erl - a supervisor whose specification is its argument.
-module(bench_sup).
-behaviour(supervisor).
-export([init/1]).

init(Spec) -> {ok, Spec}.
