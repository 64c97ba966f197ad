%% bench_epmd.erl - in place of epmd: which port a node listens on stands in a file of the directory -bench_dir.
-module(bench_epmd).
-export([start_link/0, register_node/2, register_node/3, port_please/2, port_please/3, names/1, address_please/3,
         listen_port_please/2]).

start_link() -> ignore.

file(Name) ->
    {ok, [[Dir]]} = init:get_argument(bench_dir),
    filename:join(Dir, lists:flatten(io_lib:format("port_~s", [Name]))).

register_node(Name, Port) -> register_node(Name, Port, inet).
register_node(Name, Port, _Family) ->
    %% The file server does not run yet.
    ok = file:write_file(file(Name), integer_to_list(Port), [raw]),
    {ok, rand:uniform(1 bsl 30)}.

port_please(Name, Host) -> port_please(Name, Host, infinity).
port_please(Name, _Host, _Timeout) ->
    case file:read_file(file(Name)) of
        {ok, Port} -> {port, binary_to_integer(Port), 6};
        _ -> noport
    end.

names(_Host) -> {error, address}.
address_please(_Name, _Host, _Family) -> {ok, {127, 0, 0, 1}}.
listen_port_please(_Name, _Host) -> {ok, 0}.
