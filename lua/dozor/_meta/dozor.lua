---@meta
--- Signatures of `require "dozor"`. Functions marked "waits" suspend the calling process only; where Lua cannot wait (a sort comparator, gsub, a
--- finaliser, a luv callback) they raise `cannot_wait`. Misuse raises `bad_argument` (argument, expected, got) at the caller's line.

---@class dozor
---@field NOREPLY any returned by handle_call: the answer comes later, by dozor.reply
---@field supervisor dozor.supervisor
---@field cluster dozor.cluster
---@field global dozor.global
---@field behaviors dozor.behaviors
---@field selectors dozor.selectors
---@field log dozor.log
---@field sim dozor.sim
---@field json dozor.json lua-cjson; NaN and infinity become null, 64-bit cdata integers text
---@field uv table luv on this worker's loop: a callback is a turn of the process that passed it, may not wait, and its error ends that process; handles close with it
local dozor = {}

---Starts a process and waits until its init has returned. (API 2)
---@param what string|dozor.Behavior|function a behaviour's name; a behaviour table or a function (a plain process) run on this worker, closures intact
---@param args? any[] up to its largest integer key, handed to init or to the function
---@param opts? dozor.SpawnOptions
---@return dozor.Pid pid
---@return dozor.Ref? ref with opts.monitor
---Raises init_failed (reason), timeout, behavior_not_found, name_taken (name, owner), noconnection. Waits.
function dozor.spawn(what, args, opts) end

---The calling process.
---@return dozor.Pid
function dozor.self() end

---Does the process live? False for one on a lost node. May wait for another node.
---@param dest dozor.Dest
---@return boolean
function dozor.alive(dest) end

---What is known of a process, or nil when it is gone. Waits.
---@param dest dozor.Dest
---@return dozor.ProcessInfo?
function dozor.info(dest) end

---The pids of this node.
---@return dozor.Pid[]
function dozor.processes() end

---The node id of a pid or ref.
---@param pid dozor.Pid
---@return string
function dozor.node_of(pid) end

---This node's id; without a cluster local@127.0.0.1:0.
---@return string
function dozor.node() end

---Fire and forget: to handle_info, or to receive. To a missing process it does nothing. When it returns the message is in the receiver's queue
---(within one host). Raises bad_message (path) for what cannot be sent.
---@param dest dozor.Dest
---@param msg any
function dozor.send(dest, msg) end

---Asks and waits for the answer; each call ends exactly once. (Semantics 1.5)
---@param dest dozor.Dest
---@param msg any
---@param timeout_ms? dozor.Time default 5000; a late reply is dropped
---@return any reply
---Raises timeout, noproc, noconnection, overloaded, unhandled_call, call_failed (reason); bad_argument for a call to oneself. Waits.
function dozor.call(dest, msg, timeout_ms) end

---To handle_cast; a plain process gets the bare message.
---@param dest dozor.Dest
---@param msg any
function dozor.cast(dest, msg) end

---Answers a call, from any process.
---@param from dozor.From
---@param value any
function dozor.reply(from, value) end

---The oldest message (send, timer, down, exit, name_conflict; never a call or cast of a behaviour), or with `match` the first that it takes; the others
---stay. Waits.
---@param timeout_ms? dozor.Time default "infinity"
---@param match? fun(msg: any): boolean
---@return any msg nil on timeout
---@return "timeout"?
function dozor.receive(timeout_ms, match) end

---Calls fn(done) and waits until done(...) is called, from a luv callback for example. Raises timeout. Waits.
---@param fn fun(done: fun(...))
---@param timeout_ms? dozor.Time default "infinity"
---@return ... what done was given
function dozor.await(fn, timeout_ms) end

---Ends this process; terminate runs. Cannot be caught by pcall. (Semantics 1.6)
---@param reason any
function dozor.exit(reason) end

---Orderly end: terminate runs; returns when the process is gone, at once if it was; on timeout it is killed. On a supervisor it is supervisor.stop.
---Waits.
---@param dest dozor.Dest
---@param reason? any default "normal"
---@param timeout_ms? dozor.Time default 5000
function dozor.stop(dest, reason, timeout_ms) end

---Ends it at once, without terminate; others see "killed".
---@param dest dozor.Dest
function dozor.kill(dest) end

---An abnormal end of one side ends the other with the same reason, unless it traps exits; also across nodes. (Semantics 1.4)
---@param pid dozor.Pid
function dozor.link(pid) end

---@param pid dozor.Pid
function dozor.unlink(pid) end

---Exits of linked processes then arrive as { type = "exit", pid, reason }.
---@param on boolean
function dozor.trap_exit(on) end

---Exactly one { type = "down", ref, pid, reason } when it ends, at once with noproc if it is gone, noconnection when its node is lost. (Semantics 1.3)
---@param dest dozor.Dest
---@return dozor.Ref
function dozor.monitor(dest) end

---@param ref dozor.Ref
function dozor.demonitor(ref) end

---Suspends the calling process. Waits.
---@param ms dozor.Time
function dozor.sleep(ms) end

---@param ms number
---@param dest dozor.Dest
---@param msg any
---@return any timer
function dozor.send_after(ms, dest, msg) end

---@param timer any
---@return boolean was_pending
function dozor.cancel_timer(timer) end

---Milliseconds of a monotonic clock.
---@return number
function dozor.now() end

---A name on this node; free again before anyone can observe the process's end. Raises name_taken (name, owner). (Semantics 1.7)
---@param name string
---@param pid? dozor.Pid default: the calling process
function dozor.register(name, pid) end

---@param name string
function dozor.unregister(name) end

---@param name string
---@return dozor.Pid?
function dozor.whereis(name) end

---@return string[]
function dozor.registered() end

---Calls handler(event) for each event in a process of its own on this worker; stands when it returns. A handler that raises is logged and unsubscribed.
---Waits. (API 5)
---@param handler fun(event: dozor.Event)
---@param opts? { cluster?: boolean, types?: string[] }
---@return fun() unsubscribe
function dozor.on_event(handler, opts) end

---Calls fn() when the host stops, before its supervisors do; it may take 5 s. Waits.
---@param fn fun()
function dozor.on_shutdown(fn) end

---Stops the host in order and ends the program with this exit code.
---@param code? integer default 0
function dozor.shutdown(code) end

---Loads an extension in C.
---@param path string
function dozor.load_native(path) end

---@class dozor.behaviors
local behaviors = {}

---name -> a module's name or file, a table, a supervisor spec, or a function of the args that returns one. The same again is fine, something else an
---error. A table belongs to this worker's Lua state, unless it is a loaded module. (API 3)
---@param name string
---@param what string|table|function
function behaviors.register(name, what) end

---What has the name: registered, or found as NAME.lua or NAME/init.lua in the behaviour path. nil if nothing has.
---@param name string
---@return table|function|nil
function behaviors.get(name) end

---@param name string
---@return boolean
function behaviors.has(name) end

---@return string[]
function behaviors.names() end

---@class dozor.supervisor
local supervisor = {}

---Starts a supervisor and its children in order; linked to nobody. Waits. (API 4, Semantics 2)
---@param spec dozor.SupervisorSpec|string
---@param args? any[] for a registered spec that is a function
---@return dozor.Pid
---Raises invalid_spec (field), duplicate_child, missing_child_template, invalid_simple_one_for_one, name_taken; behavior_not_found, no_available_node,
---timeout, noconnection, child_start_failed (cause), each with supervisor_id and child_id.
function supervisor.start(spec, args) end

---Children stop in reverse order of their start. When it returns none of its processes lives on any reachable node. Idempotent. Waits. (Semantics 2.6)
---@param sup dozor.Dest
---@param reason? any
function supervisor.stop(sup, reason) end

---One more child, behind the others. Waits; no deadline of its own. (Semantics 2.4)
---@param sup dozor.Dest
---@param child? dozor.ChildSpec|any[] under simple_one_for_one a list of args
---@return dozor.Pid pid
---@return string id
function supervisor.start_child(sup, child) end

---Gone wherever it lives, its record removed, never restarted. Raises child_not_found. Waits.
---@param sup dozor.Dest
---@param id string
function supervisor.terminate_child(sup, id) end

---Stop, select again, start; does not consume intensity. Raises child_not_found and what start raises. Waits. (Semantics 3.6)
---@param sup dozor.Dest
---@param id string
---@return dozor.Pid
function supervisor.restart_child(sup, id) end

---In start order, answered from the present state. Waits. (Semantics 2.5)
---@param sup dozor.Dest
---@param opts? { from?: integer, limit?: integer }
---@return dozor.ChildRecord[]
function supervisor.children(sup, opts) end

---@param sup dozor.Dest
---@param id string
---@return dozor.ChildRecord?
function supervisor.child(sup, id) end

---@param sup dozor.Dest
---@return { specs: integer, active: integer, supervisors: integer, workers: integer }
function supervisor.count_children(sup) end

---(Semantics 4.4)
---@param sup dozor.Dest
---@return dozor.SupervisorStats
function supervisor.stats(sup) end

---@param sup dozor.Dest
---@return boolean
function supervisor.is_running(sup) end

---This node's supervisors.
---@return dozor.Pid[]
function supervisor.list() end

---@class dozor.selectors
local selectors = {}

---Makes fn known as { selector = name } in this node's specs. It runs as a process on this worker and has 1 s. (API 4, Semantics 7.1)
---@param name string
---@param fn fun(nodes: dozor.NodeRecord[], child_id: string): string?
function selectors.register(name, fn) end

---@class dozor.cluster
local cluster = {}

---Returns after the first exchange with every seed that answers, at most about 2 s. Raises invalid_config, invalid_node_id, address_in_use,
---already_started. Waits. (API 6)
---@param config dozor.ClusterConfig
---@return string node_id
function cluster.start(config) end

---Says goodbye: peers see this node down at once. Waits.
function cluster.stop() end

---Nodes up or suspect, this one first. Waits.
---@return dozor.NodeRecord[]
function cluster.nodes() end

---@param id string
---@return dozor.NodeRecord?
function cluster.node(id) end

---@return "starting"|"running"|"stopping"|"stopped"
function cluster.status() end

---@param fn fun(event: dozor.Event)
---@return fun() unsubscribe
function cluster.on_node_up(fn) end

---@param fn fun(event: dozor.Event)
---@return fun() unsubscribe
function cluster.on_node_down(fn) end

---@class dozor.global
local global = {}

---A cluster-wide name; asks every connected node, at most 1 s. Raises name_taken (name, owner). Waits. (Semantics 8.8)
---@param name string
---@param pid? dozor.Pid
function global.register(name, pid) end

---@param name string
---@return boolean had_owner
function global.unregister(name) end

---@param name string
---@return dozor.Pid?
function global.whereis(name) end

---@return table<string, dozor.Pid>
function global.names() end

---@class dozor.log
local log = {}

---@param text string
---@param fields? table<string, any>
function log.debug(text, fields) end

---@param text string
---@param fields? table<string, any>
function log.info(text, fields) end

---@param text string
---@param fields? table<string, any>
function log.warn(text, fields) end

---@param text string
---@param fields? table<string, any>
function log.error(text, fields) end

---@class dozor.json
---@field null any
local json = {}

---@param value any
---@return string
function json.encode(value) end

---@param text string
---@return any
function json.decode(text) end

---What scripts and behaviours have to do with `dozor sim`. Under `run` and `up` nothing of it does anything.
---@class dozor.sim
local sim = {}

---Where the run is: faults come, all have healed, or that was long enough ago for everything to have recovered; nil without a
---simulator.
---@return "storm"|"calm"|"settled"|nil
function sim.phase() end

---The seed of this run; nil without a simulator.
---@return integer|nil
function sim.seed() end

---A line in the trace.
---@param text any
function sim.note(text) end

---Something that must be true whenever all has settled, as seen from this node: `fn` runs again and again in a process of its own, and may
---call others. The run fails when it raises, or returns false and why, or never returns.
---@param name string
---@param fn fun(): boolean?, string?
---@param options? { always: boolean } in the storm, too
function sim.check(name, fn, options) end

dozor.behaviors, dozor.supervisor, dozor.selectors = behaviors, supervisor, selectors
dozor.cluster, dozor.global, dozor.log, dozor.json, dozor.sim = cluster, global, log, json, sim

return dozor
