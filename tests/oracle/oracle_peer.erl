%% oracle_peer - runs oracle scripts against the real supervisor of OTP and writes down what happens.
%% Owns:   the supervisors and children of one script at a time; nothing of it survives the script.
%% Input:  scripts on standard input, each closed by a line "end".
%% Output: trace lines, each script closed by "done".
%%
%% One controller decides everything by script: how a start ends, when a slow stop ends, who crashes. It
%% runs below the priority of all it watches, on a node with one scheduler, so that a yield comes back only
%% when nobody else can run; the supervisors' and children's states are looked at besides. Nothing here
%% depends on how long anything takes: a script during which OTP's second rolled over is run again, because
%% the restart window would be a second older than the script says.
-module(oracle_peer).
-behaviour(supervisor).
-export([main/0, init/1, start_sup/3, start_worker/2, log/2]).

%% An actor is whoever has a path. `pid` is undefined unless it lives.
-record(actor, {state = none :: none | held | live | stopping,
                pid, caller, sup = false, simple = false, ready = false, slow = false, plan = []}).
%% `watched` are those without a path, `rising` counts supervisors asked for that have not come up, `excess`
%% holds the pids of those that reported too many restarts, `out` the trace backwards.
-record(s, {decls = #{}, actors = #{}, step = 0, out = [], parent, watched = [], excess = [], rising = 0}).

%% Where #state.restarts stands in supervisor's state (OTP 25), checked by check_layout/0.
-define(RESTARTS, 8).
-define(STATE_SIZE, 12).

main() ->
    _ = logger:remove_handler(default),
    ok = logger:add_handler(oracle, ?MODULE, #{}),
    ok = io:setopts(standard_io, [binary]),
    register(oracle, self()),
    check_layout(),
    serve().

serve() ->
    case read_script([]) of
        eof -> halt(0);
        Lines ->
            ok = io:put_chars([run_steady(Lines, 100), "done\n"]),
            serve()
    end.

read_script(Acc) ->
    case io:get_line(standard_io, "") of
        <<"end\n">> -> lists:reverse(Acc);
        Line when is_binary(Line) ->
            read_script([binary:split(binary:part(Line, 0, byte_size(Line) - 1), <<" ">>, [global]) | Acc]);
        _ -> eof
    end.

%% Ageing the window relies on where the supervisor keeps it.
check_layout() ->
    {ok, Sup} = supervisor:start_link(?MODULE, {#{intensity => 1, period => 1}, []}),
    State = sys:get_state(Sup),
    unlink(Sup),
    exit(Sup, kill),
    case tuple_size(State) =:= ?STATE_SIZE andalso element(?RESTARTS, State) =:= [] of
        true -> ok;
        false ->
            io:put_chars("0 this OTP's supervisor keeps its restarts elsewhere; the oracle needs OTP 25\n"),
            halt(1)
    end.

run_steady(Lines, Tries) ->
    Second = erlang:monotonic_time(1),
    Out = run(Lines),
    case erlang:monotonic_time(1) of
        Second -> Out;
        _ when Tries > 0 -> run_steady(Lines, Tries - 1);
        _ -> [Out, "0 unsteady\n"]
    end.

%% --- a script ---

run(Lines) ->
    {Decls, [_Run | Steps]} = lists:splitwith(fun([Word | _]) -> Word =/= <<"run">> end, Lines),
    {Early, Rest} = lists:splitwith(fun([{_, [Word | _]} | _]) -> Word =:= <<"plan">> end, groups(Steps)),
    S0 = lists:foldl(fun([{N, Words}], S) -> step(N, Words, true, S) end,
                     #s{decls = declare(Decls, #{})}, Early),
    S1 = steps(Rest, boot(S0)),
    S2 = epilogue(S1),
    S2#s.parent ! quit,
    S3 = settle(S2),
    lists:reverse(S3#s.out).

%% Path => {own words, [children's paths in order]}.
declare([], Decls) ->
    maps:map(fun(_, {Words, Children}) -> {Words, lists:reverse(Children)} end, Decls);
declare([Words = [_, Path | _] | Rest], Decls) ->
    D1 = maps:put(Path, {Words, []}, Decls),
    D2 = case parent_of(Path) of
             none -> D1;
             Parent -> maps:update_with(Parent, fun({W, C}) -> {W, [Path | C]} end, D1)
         end,
    declare(Rest, D2).

parent_of(Path) ->
    case string:split(Path, "/", trailing) of
        [Parent, _] -> Parent;
        [_] -> none
    end.

%% [{Number, Words}] in groups that are injected together: a step that begins with "+" belongs to the one
%% before.
groups(Steps) ->
    {Groups, _} = lists:foldl(fun group/2, {[], 1}, Steps),
    lists:reverse([lists:reverse(G) || G <- Groups]).

group([<<"+">> | Words], {[G | Groups], N}) -> {[[{N, Words} | G] | Groups], N + 1};
group([<<"+">> | Words], {[], N}) -> {[[{N, Words}]], N + 1};
group(Words, {Groups, N}) -> {[[{N, Words}] | Groups], N + 1}.

%% The supervisor needs a parent who can wait while it boots.
boot(S) ->
    Ctl = self(),
    Decls = S#s.decls,
    Parent = spawn_opt(fun() -> parent(Ctl, Decls) end, [{priority, high}]),
    settle(S#s{parent = Parent, watched = [Parent]}).

parent(Ctl, Decls) ->
    process_flag(trap_exit, true),
    case start_sup(Ctl, Decls, <<"r">>) of
        {ok, Pid} -> Ctl ! {boot, ok}, parent_loop(Pid);
        {error, {start_spec, _}} -> Ctl ! {boot, invalid}, parent_loop(none);
        {error, _} -> Ctl ! {boot, failed}, parent_loop(none)
    end.

parent_loop(Pid) ->
    receive
        {stop, Reason} -> exit(Pid, Reason), parent_loop(Pid);
        {'EXIT', _, _} -> parent_loop(Pid);
        quit -> ok
    end.

%% Every step begins at rest; a group's events reach suspended supervisors, so all are there before one is
%% handled.
steps(Groups, S) ->
    lists:foldl(fun step_group/2, S, Groups).

step_group([{N, Words}], S) ->
    settle(step(N, Words, applies(Words, S), S));
step_group(Group, S) ->
    Mark = fun({N, Words}, Before) ->
                   {{N, Words, applies(Words, S) andalso may_join(Words, Before, S)}, Before ++ [Words]}
           end,
    {Marked, _} = lists:mapfoldl(Mark, [], Group),
    Sups = [Pid || #actor{sup = true, state = live, pid = Pid} <- maps:values(S#s.actors)],
    [erlang:suspend_process(Pid) || Pid <- Sups],
    S1 = lists:foldl(fun({N, Words, Applies}, Acc) -> step(N, Words, Applies, Acc) end, S, Marked),
    [erlang:resume_process(Pid) || Pid <- Sups],
    settle(S1).

%% terminate_child may only come first (it could overtake, which OTP's cannot), nobody dies twice.
may_join([<<"terminate">>, Path], Before, S) -> Before =:= [] andalso not simple(parent_of(Path), S);
may_join([<<"exit">>, Path, _], Before, _) -> [] =:= [P || [<<"exit">>, P, _] <- Before, P =:= Path];
may_join(_, _, _) -> true.

%% --- when a step applies; world.c decides by the same rules ---

applies([<<"exit">>, Path, _], S) ->
    A = actor(Path, S),
    not A#actor.sup andalso (A#actor.state =:= live orelse A#actor.state =:= stopping);
applies([<<"start_child">>, Path | _], S) -> alive(parent_of(Path), S);
applies([<<"terminate">>, Path], S) ->
    A = actor(Path, S),
    Parent = parent_of(Path),
    Booting = A#actor.sup andalso A#actor.state =:= live andalso not A#actor.ready,
    alive(Parent, S) andalso A#actor.state =/= held andalso not Booting
        andalso (not simple(Parent, S) orelse (A#actor.state =:= live andalso not blocked(S)));
applies([<<"restart">>, Path], S) -> alive(parent_of(Path), S) andalso not simple(parent_of(Path), S);
applies([<<"release">>, Path, _], S) -> (actor(Path, S))#actor.state =:= held;
applies([<<"finish">>, Path], S) -> (actor(Path, S))#actor.state =:= stopping;
applies([<<"time">>, _], S) -> not blocked(S);
applies([<<"which">>, Path], S) -> not blocked(S) andalso alive(Path, S);
applies([<<"stop">>, _], S) -> not blocked(S) andalso alive(<<"r">>, S);
applies([<<"skip">> | _], _) -> false;
applies(_, _) -> true.

blocked(S) ->
    lists:any(fun(#actor{state = State}) -> State =:= held orelse State =:= stopping end,
              maps:values(S#s.actors)).

alive(Path, S) ->
    A = actor(Path, S),
    A#actor.sup andalso A#actor.state =:= live.

simple(Path, S) ->
    case maps:find(Path, S#s.decls) of
        {ok, {[<<"sup">>, _, <<"simple_one_for_one">> | _], _}} -> true;
        _ -> false
    end.

%% --- steps ---

step(N, Words, true, S) -> do(Words, S#s{step = N});
step(N, _, false, S) -> note(["skip"], S#s{step = N}).

do([<<"plan">>, Path | Verdicts], S) ->
    A = actor(Path, S),
    put_actor(Path, A#actor{plan = Verdicts}, S);
do([<<"slow">>, Path], S) ->
    A = actor(Path, S),
    put_actor(Path, A#actor{slow = true}, S);
do([<<"exit">>, Path, Reason], S) -> die(Path, Reason, S);
do([<<"finish">>, Path], S) ->
    die(Path, <<"shutdown">>, S);
do([<<"release">>, Path, Verdict], S) ->
    A = actor(Path, S),
    verdict(Verdict, A#actor.caller),
    put_actor(Path, A#actor{state = none, caller = undefined}, S);
do([<<"start_child">>, Path | Words], S) ->
    Parent = parent_of(Path),
    Request = case simple(Parent, S) of
                  true -> {start_child, [Path]};
                  false -> {start_child, child_spec([<<"child">>, Path | Words], S#s.decls)}
              end,
    request(Parent, [Request], S);
do([<<"terminate">>, Path], S) ->
    Parent = parent_of(Path),
    case simple(Parent, S) of
        true -> request(Parent, [{terminate_child, (actor(Path, S))#actor.pid}], S);
        %% difference terminate_removes
        false -> request(Parent, [{terminate_child, Path}, {delete_child, Path}], S)
    end;
do([<<"restart">>, Path], S) ->
    %% difference restart_running
    request(parent_of(Path), [{terminate_child, Path}, {restart_child, Path}], S);
do([<<"time">>, Seconds], S) ->
    By = binary_to_integer(Seconds),
    [age(Pid, By) || #actor{sup = true, state = live, pid = Pid} <- maps:values(S#s.actors)],
    S;
do([<<"which">>, Path], S) -> snapshot(Path, S);
do([<<"stop">>, Reason], S) ->
    S#s.parent ! {stop, reason(Reason)},
    S.

age(Sup, By) ->
    sys:replace_state(Sup, fun(State) ->
                                   setelement(?RESTARTS, State, [R - By || R <- element(?RESTARTS, State)])
                           end).

%% The child ends now, and when this returns all who are told have been told.
die(Path, Reason, S) ->
    A = #actor{pid = Pid} = actor(Path, S),
    case Reason of
        <<"killed">> -> exit(Pid, kill);
        _ -> Pid ! {die, reason(Reason)}
    end,
    receive {'DOWN', _, process, Pid, _} -> ok end,
    put_actor(Path, A#actor{state = none, pid = undefined}, S).

reason(<<"shutdown_with">>) -> {shutdown, oracle};
reason(Word) -> binary_to_atom(Word).

%% Requests of one step lie side by side in the supervisor's queue; they are what the functions of the same
%% names send.
request(Path, Requests, S = #s{step = N}) ->
    #actor{pid = Sup} = actor(Path, S),
    Ctl = self(),
    Caller = spawn_opt(fun() ->
                               Ids = [gen_server:send_request(Sup, R) || R <- Requests],
                               Ctl ! {sent, N},
                               Replies = [answer(gen_server:wait_response(Id, infinity)) || Id <- Ids],
                               Ctl ! {reply, N, Requests, Replies}
                       end, [{priority, high}]),
    receive {sent, N} -> ok end,
    S#s{watched = [Caller | S#s.watched]}.

answer({reply, Reply}) -> Reply;
answer({error, _}) -> gone.

class([{start_child, _}], [Reply]) -> class(Reply);
class([{terminate_child, Pid}], [Reply]) when is_pid(Pid) -> class(Reply);
class([{terminate_child, _}, {delete_child, _}], [Reply, Deleted]) ->
    case {class(Reply), Deleted} of
        {"ok", ok} -> "ok";
        {"ok", {error, not_found}} -> "ok";
        {"ok", gone} -> "ok";
        {"ok", _} -> "undeleted";
        {Class, _} -> Class
    end;
class([{terminate_child, _}, {restart_child, _}], [gone, _]) -> "gone";
class([{terminate_child, _}, {restart_child, _}], [_, Reply]) -> class(Reply).

class(ok) -> "ok";
class({ok, _}) -> "ok";
class(gone) -> "gone";
class({error, {already_started, _}}) -> "duplicate";
class({error, already_present}) -> "duplicate";
class({error, not_found}) -> "not_found";
class({error, running}) -> "running";
class({error, restarting}) -> "restarting";
class({error, {bad_combination, _}}) -> "invalid";
class({error, _}) -> "start_failed".

%% --- the world at rest ---

%% Handles what the watched ones say until none of them can go on by itself.
settle(S) ->
    receive
        Message -> settle(handle(Message, S))
    after 0 ->
            erlang:yield(),
            rested(S)
    end.

rested(S) ->
    receive
        Message -> settle(handle(Message, S))
    after 0 ->
            case busy(S) of
                true -> settle(S);
                false -> S
            end
    end.

%% A supervisor that has been asked for and has not come up yet runs, unknown to us and at ordinary priority.
busy(#s{rising = Rising}) when Rising > 0 -> true;
busy(S) ->
    Live = [Pid || #actor{pid = Pid} <- maps:values(S#s.actors), is_pid(Pid)],
    lists:any(fun(Pid) ->
                      case process_info(Pid, status) of
                          {status, waiting} -> false;
                          undefined -> false;
                          _ -> true
                      end
              end, Live ++ S#s.watched).

handle({call, From, {start, Path}}, S) ->
    A = actor(Path, S),
    {Verdict, Plan} = case A#actor.plan of
                          [] -> {<<"ok">>, []};
                          [V | Vs] -> {V, Vs}
                      end,
    S1 = note(["start ", Path, " ", Verdict], S),
    case Verdict of
        <<"hold">> -> put_actor(Path, A#actor{state = held, caller = From, plan = Plan}, S1);
        _ ->
            verdict(Verdict, From),
            put_actor(Path, A#actor{plan = Plan}, S1)
    end;
handle({call, From, {up, Path, Pid}}, S) ->
    S1 = rise(Path, Pid, false, S),
    verdict(ok, From),
    S1;
handle({call, From, {start_sup, Path}}, S) ->
    verdict(ok, From),
    note(["start ", Path, " sup"], S#s{rising = S#s.rising + 1});
handle({call, From, {sup_up, Path, Pid}}, S) ->
    S1 = rise(Path, Pid, true, S#s{rising = S#s.rising - 1}),
    verdict(ok, From),
    S1;
handle({call, From, {sup_ready, Path}}, S) ->
    verdict(ok, From),
    A = actor(Path, S),
    put_actor(Path, A#actor{ready = true}, S);
handle({boot, Result}, S) ->
    note(["boot r ", atom_to_binary(Result)], S);
handle({stopping, Path, Pid}, S) ->
    S1 = note(["stop ", Path], S),
    case actor(Path, S1) of
        A = #actor{slow = true} -> put_actor(Path, A#actor{state = stopping, slow = false}, S1);
        A ->
            Pid ! {die, shutdown},
            put_actor(Path, A#actor{state = none}, S1)
    end;
handle({orphan, Path, Reason}, S) ->
    note(["orphan ", Path, " ", io_lib:format("~w", [Reason])], S);
handle({reply, N, Requests, Replies}, S) ->
    note(["reply ", integer_to_binary(N), " ", class(Requests, Replies)], S);
handle({excess, Pid}, S) ->
    S#s{excess = [Pid | S#s.excess]};
handle({'DOWN', _, process, Pid, Reason}, S) ->
    case [Path || {Path, #actor{pid = P}} <- maps:to_list(S#s.actors), P =:= Pid] of
        [Path] -> down(Path, actor(Path, S), Reason, S);
        [] -> S
    end.

verdict(Verdict, {Pid, Ref}) -> Pid ! {Ref, Verdict}.

rise(Path, Pid, Sup, S) ->
    monitor(process, Pid),
    A = actor(Path, S),
    put_actor(Path, A#actor{state = live, pid = Pid, sup = Sup, ready = false}, S).

down(Path, A = #actor{sup = true, pid = Pid}, Reason, S) ->
    Class = case Reason of
                _ when is_atom(Reason) ->
                    case lists:member(Pid, S#s.excess) of
                        true -> "excess";
                        false -> atom_to_binary(Reason)
                    end;
                {shutdown, {failed_to_start_child, _, _}} -> "start_failed";
                {start_spec, _} -> "invalid";
                {shutdown, _} -> "shutdown_with";
                _ -> "other"
            end,
    Gone = A#actor{state = none, pid = undefined, ready = false},
    note(["down ", Path, " ", Class], put_actor(Path, Gone, S));
down(Path, A = #actor{state = live}, killed, S) ->
    note(["stop ", Path, " brutal"], put_actor(Path, A#actor{state = none, pid = undefined}, S));
down(Path, A, _, S) ->
    put_actor(Path, A#actor{state = none, pid = undefined}, S).

%% --- the end of a script: whatever waits is let go, then looked at, then stopped ---

epilogue(S) ->
    N = S#s.step + 1,
    Plain = maps:map(fun(_, A) -> A#actor{slow = false, plan = []} end, S#s.actors),
    S1 = let_go(S#s{actors = Plain, step = N}, 200),
    S2 = lists:foldl(fun snapshot/2, S1#s{step = S1#s.step + 1},
                     lists:sort([P || {P, #actor{sup = true, state = live}} <- maps:to_list(S1#s.actors)])),
    S3 = case alive(<<"r">>, S2) of
             true -> settle(do([<<"stop">>, <<"shutdown">>], S2#s{step = S2#s.step + 1}));
             false -> S2
         end,
    lists:foldl(fun(Path, Acc) -> note(["left ", Path], Acc) end, S3,
                lists:sort([P || {P, #actor{pid = Pid}} <- maps:to_list(S3#s.actors), is_pid(Pid)])).

let_go(S, 0) -> note(["endless"], S);
let_go(S, Left) ->
    Held = lists:sort([P || {P, #actor{state = held}} <- maps:to_list(S#s.actors)]),
    Stopping = lists:sort([P || {P, #actor{state = stopping}} <- maps:to_list(S#s.actors)]),
    Next = S#s{step = S#s.step + 1},
    case {Held, Stopping} of
        {[Path | _], _} -> let_go(settle(do([<<"release">>, Path, <<"ok">>], Next)), Left - 1);
        {[], [Path | _]} -> let_go(settle(do([<<"finish">>, Path], Next)), Left - 1);
        {[], []} -> S
    end.

%% which_children gives them backwards.
snapshot(Path, S) ->
    #actor{pid = Sup} = actor(Path, S),
    Children = lists:reverse(supervisor:which_children(Sup)),
    Simple = simple(Path, S),
    Names = [[name(Id, Pid, S), ":", status(Pid)] || {Id, Pid, _, _} <- Children],
    Ordered = case Simple of
                  true -> lists:sort([iolist_to_binary(Name) || Name <- Names]);
                  false -> Names
              end,
    Counts = supervisor:count_children(Sup),
    note(["state ", Path, [[" ", Name] || Name <- Ordered],
          [[" ", atom_to_binary(Key), "=", integer_to_binary(proplists:get_value(Key, Counts))]
           || Key <- [specs, active, supervisors, workers]]], S).

name(undefined, Pid, S) ->
    hd([Path || {Path, #actor{pid = P}} <- maps:to_list(S#s.actors), P =:= Pid] ++ [<<"?">>]);
name(Id, _, _) -> Id.

status(Pid) when is_pid(Pid) -> "running";
status(undefined) -> "stopped";
status(restarting) -> "restarting".

%% --- what runs inside the supervisors ---

call(Ctl, Request) ->
    Ref = make_ref(),
    Ctl ! {call, {self(), Ref}, Request},
    receive {Ref, Verdict} -> Verdict end.

start_sup(Ctl, Decls, Path) ->
    ok = call(Ctl, {start_sup, Path}),
    case supervisor:start_link(?MODULE, {Ctl, Decls, Path}) of
        {ok, Pid} ->
            ok = call(Ctl, {sup_ready, Path}),
            {ok, Pid};
        Error -> Error
    end.

init({Flags, Specs}) -> {ok, {Flags, Specs}};
init({Ctl, Decls, Path}) ->
    process_flag(priority, high),
    ok = call(Ctl, {sup_up, Path, self()}),
    #{Path := {[<<"sup">>, _, Strategy, Max, Within, Auto | _], Children}} = Decls,
    {ok, {#{strategy => binary_to_atom(Strategy), intensity => binary_to_integer(Max),
            period => binary_to_integer(Within), auto_shutdown => binary_to_atom(Auto)},
          [child_spec(element(1, maps:get(Child, Decls)), Decls) || Child <- Children]}}.

child_spec([<<"child">>, Path, Restart, Stop, Significant], _) ->
    {Function, Args} = case binary:last(Path) of
                           $* -> {start_worker, [whereis(oracle)]};
                           _ -> {start_worker, [whereis(oracle), Path]}
                       end,
    #{id => Path, start => {?MODULE, Function, Args}, restart => binary_to_atom(Restart),
      shutdown => stop_of(Stop), significant => Significant =:= <<"significant">>};
child_spec([<<"sup">>, Path, _, _, _, _, Restart, Significant], Decls) ->
    #{id => Path, start => {?MODULE, start_sup, [whereis(oracle), Decls, Path]},
      restart => binary_to_atom(Restart), type => supervisor,
      significant => Significant =:= <<"significant">>}.

%% How long a stop may take is the driver's affair, not the machine's; here nobody ever runs out of time.
stop_of(<<"brutal">>) -> brutal_kill;
stop_of(<<"patient">>) -> infinity.

start_worker(Ctl, Path) ->
    case call(Ctl, {start, Path}) of
        <<"ok">> ->
            Sup = self(),
            Ref = make_ref(),
            Pid = spawn_opt(fun() ->
                                    process_flag(trap_exit, true),
                                    Sup ! {Ref, ready},
                                    child(Ctl, Sup, Path)
                            end, [link, {priority, high}]),
            receive {Ref, ready} -> ok end,
            ok = call(Ctl, {up, Path, Pid}),
            {ok, Pid};
        <<"fail">> -> {error, oracle};
        <<"raise">> -> error(oracle)
    end.

child(Ctl, Sup, Path) ->
    receive
        {die, Reason} -> exit(Reason);
        {'EXIT', Sup, shutdown} ->
            Ctl ! {stopping, Path, self()},
            receive {die, Reason} -> exit(Reason) end;
        {'EXIT', Sup, Reason} ->
            Ctl ! {orphan, Path, Reason},
            exit(Reason)
    end.

%% Too many restarts and an automatic shutdown end with the same reason; only the report tells them apart.
log(#{msg := {report, #{label := {supervisor, shutdown}, report := Report}}}, _) ->
    case proplists:get_value(reason, Report) of
        reached_max_restart_intensity -> oracle ! {excess, self()};
        _ -> ok
    end;
log(_, _) -> ok.

%% --- small things ---

actor(Path, S) -> maps:get(Path, S#s.actors, #actor{}).

put_actor(Path, A, S) -> S#s{actors = maps:put(Path, A, S#s.actors)}.

note(Words, S = #s{step = N, out = Out}) ->
    S#s{out = [[integer_to_binary(N), " ", Words, "\n"] | Out]}.
