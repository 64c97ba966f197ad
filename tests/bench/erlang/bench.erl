%% bench.erl - the Erlang twins of tests/bench/programs/*.lua: the same work, one measure a run.
%% erl -noshell -pa DIR -run bench main P1 SCALE   prints one line for each figure: "RESULT name value".
-module(bench).
-behaviour(gen_server).
-export([main/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).
-export([ring_node/1, start_child/0]).

main([Id, Scale0]) ->
    Scale = list_to_float(Scale0),
    run(Id, fun(N) -> max(1, round(N * Scale)) end),
    halt(0).

result(Name, Value) -> io:format("RESULT ~s ~w~n", [Name, Value * 1.0]).

now_s() -> erlang:monotonic_time(nanosecond) / 1.0e9.

timed(Fun) ->
    T0 = now_s(),
    Fun(),
    now_s() - T0.

status_kb(Field) ->
    {ok, Bin} = file:read_file("/proc/self/status"),
    [_, Rest] = binary:split(Bin, list_to_binary(Field ++ ":")),
    [Line | _] = binary:split(Rest, <<"\n">>),
    [Num | _] = string:lexemes(binary_to_list(Line), " \t"),
    list_to_integer(Num).

%% --- the server used everywhere ---

init(count) -> {ok, 0};
init(echo) -> {ok, echo};
init({forward, Next}) -> {ok, {forward, Next}};
init(State) -> {ok, State}.

handle_call(get, _From, State) -> {reply, State, State};
handle_call(Msg, _From, State) -> {reply, Msg, State}.

handle_cast(one, State) when is_integer(State) -> {noreply, State + 1};
handle_cast({next, Pid}, _State) -> {noreply, {forward, Pid}};
handle_cast({hop, 0, Main}, State) ->
    Main ! done,
    {noreply, State};
handle_cast({hop, N, Main}, {forward, Next} = State) ->
    gen_server:cast(Next, {hop, N - 1, Main}),
    {noreply, State};
handle_cast(crash, _State) -> exit(crash);
handle_cast(_, State) -> {noreply, State}.

handle_info(_, State) -> {noreply, State}.
terminate(_, _) -> ok.

start(Arg) ->
    {ok, Pid} = gen_server:start(?MODULE, Arg, []),
    Pid.

calls(_Pid, _Msg, 0) -> ok;
calls(Pid, Msg, N) ->
    _ = gen_server:call(Pid, Msg),
    calls(Pid, Msg, N - 1).

casts(_Pid, 0) -> ok;
casts(Pid, N) ->
    gen_server:cast(Pid, one),
    casts(Pid, N - 1).

%% --- measures ---

run("P1", S) ->
    N = S(2000000),
    Pid = start(echo),
    calls(Pid, 1, N div 10),
    result("calls_per_s", N / timed(fun() -> calls(Pid, 1, N) end));
run("P2", S) ->
    N = S(1000000),
    Pid = start(echo),
    Msg = #{id => 1, name => <<"worker">>, kind => <<"job">>, priority => 5, retries => 0, delay => 1.5,
            owner => <<"alice">>, done => false, total => 100, list => lists:seq(1, 10)},
    calls(Pid, Msg, N div 10),
    result("calls_per_s", N / timed(fun() -> calls(Pid, Msg, N) end));
run("P3", S) ->
    %% Two schedulers: a process kept busy elsewhere does not pin; the caller is bound to one by spawn_opt's scheduler option.
    N = S(1000000),
    Server = bound(1, echo),
    Main = self(),
    spawn_opt(fun() ->
        calls(Server, 1, N div 10),
        T = timed(fun() -> calls(Server, 1, N) end),
        Main ! {took, T}
    end, [{scheduler, 2}]),
    receive {took, T} -> result("calls_per_s", N / T) end;
run("P4", S) ->
    N = S(2000000),
    Pid = start(count),
    T = timed(fun() ->
        casts(Pid, N),
        N = gen_server:call(Pid, get, infinity)
    end),
    result("casts_per_s", N / T);
run("P5", S) ->
    N = S(250000),
    Pid = start(count),
    Main = self(),
    Base = status_kb("VmHWM"),
    T = timed(fun() ->
        [spawn(fun() -> casts(Pid, N), Main ! sent end) || _ <- lists:seq(1, 16)],
        [receive sent -> ok end || _ <- lists:seq(1, 16)],
        Total = 16 * N,
        Total = gen_server:call(Pid, get, infinity)
    end),
    result("casts_per_s", 16 * N / T),
    result("peak_mib", (status_kb("VmHWM") - Base) / 1024);
run("P6", S) ->
    Hops = S(3000000),
    [First | Rest] = [spawn(?MODULE, ring_node, [self()]) || _ <- lists:seq(1, 1000)],
    link_ring(First, [First | Rest]),
    T = timed(fun() -> First ! {hop, Hops}, receive done -> ok end end),
    result("plain_hops_per_s", Hops / T),
    Pids = [PF | PR] = [start(idle) || _ <- lists:seq(1, 1000)],
    lists:foreach(fun({A, B}) -> gen_server:cast(A, {next, B}) end, lists:zip(Pids, PR ++ [PF])),
    T2 = timed(fun() -> gen_server:cast(PF, {hop, Hops, self()}), receive done -> ok end end),
    result("behavior_hops_per_s", Hops / T2);
run("P7", S) ->
    N = S(200000),
    T = timed(fun() -> [start(count) || _ <- lists:seq(1, N)] end),
    result("starts_per_s", N / T),
    T2 = timed(fun() ->
        [begin P = start(count), gen_server:stop(P) end || _ <- lists:seq(1, N)]
    end),
    result("cycles_per_s", N / T2);
run("P8", S) ->
    N = S(100000),
    erlang:garbage_collect(),
    Base = status_kb("VmRSS"),
    Pids = [start(#{n => I}) || I <- lists:seq(1, N)],
    result("bytes_per_process", (status_kb("VmRSS") - Base) * 1024 / length(Pids));
run("P10", S) ->
    restarts("restarts_per_s", S(2000)),
    restarts("restarts_per_s_long", S(20000));
run("P11", S) ->
    N = S(2000),
    Sup = sup_with_one(1000000),
    Samples = [begin
        [{w, Pid, _, _}] = supervisor:which_children(Sup),
        T0 = erlang:monotonic_time(nanosecond),
        exit(Pid, kill),
        await_new(Pid),
        (erlang:monotonic_time(nanosecond) - T0) / 1000
    end || _ <- lists:seq(1, N)],
    Sorted = lists:sort(Samples),
    result("p50_us", lists:nth(max(1, N div 2), Sorted)),
    result("p99_us", lists:nth(max(1, N * 99 div 100), Sorted));
run("P12", S) ->
    N = S(100000),
    Specs = [#{id => I, start => {?MODULE, start_child, []}} || I <- lists:seq(1, N)],
    T0 = now_s(),
    {ok, Sup} = supervisor_bridge_start({#{intensity => 1000, period => 1}, Specs}),
    result("start_ms", (now_s() - T0) * 1000),
    {_, Pid, _, _} = hd(supervisor:which_children(Sup)),
    T1 = now_s(),
    exit(Pid, kill),
    await_registered_restart(Sup, Pid),
    result("crash_ms", (now_s() - T1) * 1000),
    T2 = now_s(),
    Ref = monitor(process, Sup),
    unlink(Sup),
    exit(Sup, shutdown),
    receive {'DOWN', Ref, _, _, _} -> ok end,
    result("stop_ms", (now_s() - T2) * 1000);
run([$P, $1, Digit] = Id, S) when Digit >= $3, Digit =< $8 -> bench_dist:run(Id, S);
run("P19", _S) ->
    {ok, _} = supervisor_bridge_start({#{}, [#{id => w, start => {?MODULE, start_child, []}}]}),
    result("rss_mib", status_kb("VmRSS") / 1024);
run("P20", S) ->
    N = S(30000000),
    Main = self(),
    Work = fun() -> spin(N, 0), Main ! done end,
    T1 = timed(fun() -> spawn(Work), receive done -> ok end, spawn(Work), receive done -> ok end end),
    T2 = timed(fun() -> spawn(Work), spawn(Work), receive done -> ok end, receive done -> ok end end),
    result("speedup", T1 / T2).

spin(0, A) -> A;
spin(N, A) -> spin(N - 1, (A * 31 + N) rem 1000003).

bound(Scheduler, Arg) ->
    Main = self(),
    proc_lib:spawn_opt(fun() ->
        Main ! {bound, self()},
        {ok, State} = init(Arg),
        gen_server:enter_loop(?MODULE, [], State)
    end, [{scheduler, Scheduler}]),
    receive {bound, Pid} -> Pid end.

ring_node(Main) ->
    receive
        {next, Next} -> ring_loop(Next, Main)
    end.

ring_loop(Next, Main) ->
    receive
        {hop, 0} -> Main ! done, ring_loop(Next, Main);
        {hop, N} -> Next ! {hop, N - 1}, ring_loop(Next, Main)
    end.

link_ring(First, [Last]) -> Last ! {next, First};
link_ring(First, [A, B | Rest]) -> A ! {next, B}, link_ring(First, [B | Rest]).

%% --- supervision ---

start_child() ->
    {ok, Pid} = gen_server:start_link(?MODULE, count, []),
    case whereis(watcher) of
        undefined -> ok;
        W -> W ! {started, Pid}
    end,
    {ok, Pid}.

supervisor_bridge_start(Spec) -> supervisor:start_link(bench_sup, Spec).

sup_with_one(Max) ->
    register(watcher, self()),
    {ok, Sup} = supervisor_bridge_start({#{intensity => Max, period => 1}, [#{id => w, start => {?MODULE, start_child, []}}]}),
    receive {started, _} -> ok end,
    Sup.

restarts(Name, N) ->
    Sup = sup_with_one(100000000),
    [{w, Pid, _, _}] = supervisor:which_children(Sup),
    T = timed(fun() -> crash_each(Pid, N) end),
    result(Name, N / T),
    unlink(Sup),
    Ref = monitor(process, Sup),
    exit(Sup, shutdown),
    receive {'DOWN', Ref, _, _, _} -> ok end,
    unregister(watcher).

crash_each(_Pid, 0) -> ok;
crash_each(Pid, N) ->
    exit(Pid, kill),
    receive {started, New} -> crash_each(New, N - 1) end.

await_new(_Old) -> receive {started, _} -> ok end.

await_registered_restart(Sup, Old) ->
    case lists:keymember(Old, 2, supervisor:which_children(Sup)) of
        true -> await_registered_restart(Sup, Old);
        false -> ok
    end.
