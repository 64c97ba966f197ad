%% bench_dist.erl - the twins of P13 to P18: nodes as OS processes on the loopback, over the distribution protocol (no TLS).
%% The failover that dozor's supervisors do is written by hand here: who holds the children watches their node and starts them anew.
-module(bench_dist).
-export([run/2, peer/1, agent/0]).

result(Name, Value) -> io:format("RESULT ~s ~w~n", [Name, Value * 1.0]).
now_s() -> erlang:monotonic_time(nanosecond) / 1.0e9.

timed(Fun) ->
    T0 = now_s(),
    Fun(),
    now_s() - T0.

median(List) -> lists:nth((length(List) + 1) div 2, lists:sort(List)).

%% --- nodes ---

cookie() -> bench_cookie.

begin_cluster() ->
    {ok, _} = net_kernel:start(['main@127.0.0.1', longnames]),
    erlang:set_cookie(node(), cookie()),
    register(agent, spawn(?MODULE, agent, [])),
    net_kernel:monitor_nodes(true).

argument(Name) ->
    {ok, [[Value]]} = init:get_argument(Name),
    Value.

%% A further node, once it has joined: {Node, OsPid}.
start_peer(Name) -> start_peer(Name, []).
start_peer(Name, More) ->
    Dir = argument(bench_dir),
    Args = ["-noshell", "-pa", filename:dirname(code:which(?MODULE)), "-start_epmd", "false", "-epmd_module", "bench_epmd",
            "-bench_dir", Dir, "-kernel", "inet_dist_use_interface", "{127,0,0,1}", "logger_level", "none"] ++ More ++
           ["-name", Name ++ "@127.0.0.1", "-setcookie", atom_to_list(cookie()), "-run", "bench_dist", "peer",
            atom_to_list(node())],
    open_port({spawn_executable, os:find_executable("erl")}, [{args, Args}, nouse_stdio]),
    Node = list_to_atom(Name ++ "@127.0.0.1"),
    receive {nodeup, Node} -> ok after 20000 -> exit(no_peer) end,
    {Node, wait_agent(Node)}.

wait_agent(Node) ->
    {agent, Node} ! {os_pid, self()},
    receive {os_pid, Pid} -> Pid after 50 -> wait_agent(Node) end.

%% In the peer: lives as long as the node that asked for it.
peer([Main0]) ->
    Main = list_to_atom(Main0),
    register(agent, spawn(?MODULE, agent, [])),
    connect(Main, 200),
    monitor_node(Main, true),
    receive {nodedown, Main} -> halt(0) end.

connect(_, 0) -> halt(1);
connect(Main, Tries) ->
    case net_kernel:connect_node(Main) of
        true -> ok;
        _ -> timer:sleep(50), connect(Main, Tries - 1)
    end.

%% Starts servers for others.
agent() ->
    receive
        {os_pid, From} -> From ! {os_pid, os:getpid()};
        {start, Ref, From, Arg} ->
            {ok, Pid} = gen_server:start(bench, Arg, []),
            From ! {started, Ref, Pid};
        {burn, Seconds} -> spawn(fun() -> burn(now_s() + Seconds) end)
    end,
    agent().

burn(Till) ->
    case now_s() < Till of
        true -> burn(Till);
        false -> ok
    end.

kill(OsPid) -> os:cmd("kill -9 " ++ OsPid).

%% A guard wakes it should we end meanwhile.
freeze(OsPid) ->
    open_port({spawn_executable, "/bin/sh"}, [{args, ["-c", "read _; kill -CONT $1 2>/dev/null", "sh", OsPid]}]),
    os:cmd("kill -STOP " ++ OsPid).

far_server(Node, Arg) ->
    {agent, Node} ! {start, 0, self(), Arg},
    receive {started, 0, Pid} -> Pid end.

%% --- children over nodes ---

%% Child I on the I-th node in turn: ets I -> {Pid, Node}.
start_children(N, Nodes) ->
    T = ets:new(children, [public]),
    place(T, lists:zip(lists:seq(1, N), take_turns(N, Nodes, Nodes))),
    T.

take_turns(0, _, _) -> [];
take_turns(N, [], All) -> take_turns(N, All, All);
take_turns(N, [Node | Rest], All) -> [Node | take_turns(N - 1, Rest, All)].

%% All at once, until all run; in whatever order they answer.
place(T, List) ->
    Where = maps:from_list(List),
    [{agent, Node} ! {start, I, self(), count} || {I, Node} <- List],
    [receive {started, I, Pid} -> ets:insert(T, {I, Pid, maps:get(I, Where)}) end || _ <- List].

fail_over(T, Lost, Nodes) ->
    Ids = [I || [I] <- ets:match(T, {'$1', '_', Lost})],
    place(T, lists:zip(Ids, take_turns(length(Ids), Nodes, Nodes))),
    length(Ids).

%% --- measures ---

run("P13", S) ->
    N = S(20000),
    begin_cluster(),
    {Far, _} = start_peer("far"),
    Pid = far_server(Far, echo),
    [gen_server:call(Pid, 1) || _ <- lists:seq(1, N div 10 + 1)],
    Samples = [timed(fun() -> gen_server:call(Pid, I) end) * 1.0e6 || I <- lists:seq(1, N)],
    result("p50_us", median(Samples));
run("P14", S) ->
    N = S(5000),
    begin_cluster(),
    {Far, _} = start_peer("far"),
    Pid = far_server(Far, echo),
    per_second(Pid, 1, N div 10 + 1),
    result("integers_per_s", per_second(Pid, 1, N)),
    result("kilobytes_per_s", per_second(Pid, binary:copy(<<"x">>, 1024), N));
run("P15", S) ->
    N = S(1000000),
    begin_cluster(),
    {Far, _} = start_peer("far"),
    casts_per_second(Far, one, N div 10 + 1),
    result("small_per_s", casts_per_second(Far, one, N)),
    result("kilobytes_per_s", casts_per_second(Far, binary:copy(<<"x">>, 1024), N div 2));
run("P16", S) ->
    begin_cluster(),
    {Stays, _} = start_peer("stays"),
    Samples = [begin
        {Dies, OsPid} = start_peer("dies" ++ integer_to_list(R)),
        T = start_children(30, [node(), Stays, Dies]),
        T0 = now_s(),
        kill(OsPid),
        receive {nodedown, Dies} -> ok end,
        10 = fail_over(T, Dies, [node(), Stays]),
        (now_s() - T0) * 1.0e3
    end || R <- lists:seq(1, S(5))],
    result("all_running_ms", median(Samples));
run("P17", S) ->
    %% Shortened, it says less: then the tick is made shorter, too.
    Tick = case S(100) of 100 -> 60; _ -> 4 end,
    Busy = max(1, 6 * S(100) / 100),
    begin_cluster(),
    net_kernel:set_net_ticktime(Tick, 0),
    More = ["-kernel", "net_ticktime", integer_to_list(Tick)],
    {Stays, _} = start_peer("stays", More),
    {Dies, OsPid} = start_peer("dies", More),
    [{agent, Node} ! {burn, Busy} || Node <- [Stays, Dies], _ <- [1, 2]],
    [spawn(fun() -> burn(now_s() + Busy) end) || _ <- [1, 2]],
    receive {nodedown, _} -> exit(false_alarm) after round(Busy * 1000) -> ok end,
    T = start_children(30, [node(), Stays, Dies]),
    T0 = now_s(),
    freeze(OsPid),
    receive {nodedown, Dies} -> ok end,
    10 = fail_over(T, Dies, [node(), Stays]),
    result("all_running_ms", (now_s() - T0) * 1.0e3),
    kill(OsPid);
run("P18", S) ->
    N = 3 * S(10000),
    begin_cluster(),
    {Stays, _} = start_peer("stays"),
    {Dies, OsPid} = start_peer("dies"),
    T = start_children(N, [node(), Stays, Dies]),
    Third = N div 3,
    T0 = now_s(),
    kill(OsPid),
    receive {nodedown, Dies} -> ok end,
    T1 = now_s(),
    Third = fail_over(T, Dies, [node(), Stays]),
    result("detected_ms", (T1 - T0) * 1.0e3),
    result("all_running_ms", (now_s() - T1) * 1.0e3).

per_second(Pid, Msg, N) ->
    Main = self(),
    T = timed(fun() ->
        [spawn(fun() -> [gen_server:call(Pid, Msg, 60000) || _ <- lists:seq(1, N)], Main ! done end) || _ <- lists:seq(1, 64)],
        [receive done -> ok end || _ <- lists:seq(1, 64)]
    end),
    64 * N / T.

%% The server counts only `one`; the call behind the casts says that they were handled.
casts_per_second(Node, Msg, N) ->
    Pid = far_server(Node, count),
    T = timed(fun() ->
        [gen_server:cast(Pid, Msg) || _ <- lists:seq(1, N)],
        gen_server:call(Pid, get, infinity)
    end),
    N / T.
