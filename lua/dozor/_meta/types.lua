---@meta
--- The values and tables of dozor's API, for editors that understand LuaLS annotations. Nothing here is executed.

---A process. Opaque; `==` compares identity, it is a good table key, travels in messages and prints as `<name@host:port/...>`.
---@alias dozor.Pid string

---What `monitor` returns. Opaque like a pid.
---@alias dozor.Ref string

---Where a message goes: a pid, a registered name (looked up here, then cluster-wide), or a name on a certain node.
---@alias dozor.Dest dozor.Pid|string|{ name: string, node: string }

---Milliseconds; "infinity" and math.huge are the same.
---@alias dozor.Time number|"infinity"

---Who asked: handed to handle_call, good for one dozor.reply from any process.
---@alias dozor.From any

---Every error that dozor raises. `tostring` reads well.
---@class dozor.Error
---@field code string short name: noproc, timeout, invalid_spec, ...
---@field message string for people
---@field where? string `file:line` of the call, for misuse

---The callbacks of a process. All but `init` are optional. A callback that returns nil for `state` keeps the present state; any of
---them may wait; an error raised in one ends the process with that reason.
---@class dozor.Behavior
---@field init? fun(...): any makes the state; raising refuses the start
---@field handle_call? fun(msg: any, state: any, from: dozor.From): any, any reply and state; no value at all: unhandled_call
---@field handle_cast? fun(msg: any, state: any): any
---@field handle_info? fun(msg: any, state: any): any sends, timers, down, exit, name_conflict
---@field terminate? fun(reason: any, state: any) runs at every end but a kill
---@field version? any
---@field jit? boolean false: interpreted, hence always interruptible

---@class dozor.SpawnOptions
---@field name? string local registered name
---@field global? string cluster-wide name
---@field link? boolean linked to the caller before init runs
---@field monitor? boolean spawn then also returns a ref
---@field node? string node id; behaviours by name only
---@field timeout_ms? dozor.Time for init: 5000, on another node 10000
---@field mailbox_limit? integer|{ messages?: integer, bytes?: integer }
---@field own_worker? boolean a worker of its own, for code that blocks

---@class dozor.ProcessInfo
---@field behavior? string
---@field name? string
---@field global? string
---@field node_id string
---@field status string
---@field mailbox integer messages waiting
---@field mailbox_bytes integer
---@field memory_bytes integer
---@field worker? integer index of its worker; supervisors have none
---@field worker_memory_bytes? integer what the Lua state of that worker has allocated, all its processes together
---@field handled integer messages taken so far
---@field links dozor.Pid[]
---@field monitors integer
---@field supervisor? dozor.Pid
---@field started_at integer ms since 1970

---A selector picks the node of a child: a strategy by name, a node, a function (on this host only), or a registered function.
---@alias dozor.Selector
---| "local_first" this node unless excluded or draining, else like least_loaded
---| "local" this node
---| "round_robin" in turn: this node, then the peers by id
---| "least_loaded" fewest processes
---| "random"
---| { node: string }
---| { selector: string }
---| fun(nodes: dozor.NodeRecord[], child_id: string): string?

---@class dozor.Backoff grows with each restart in a row, jittered; starts over after `reset_after_ms` of healthy run
---@field initial_ms number
---@field max_ms? number default 30000
---@field factor? number default 2
---@field jitter? number share of the delay, default 0.1
---@field reset_after_ms? number default 5000

---@class dozor.ChildSpec exactly one of behavior, supervisor, start
---@field id? string unique in this supervisor; none in a child_template
---@field behavior? string|dozor.Behavior a registered name, or a table (this host only)
---@field supervisor? string|dozor.SupervisorSpec a nested supervisor
---@field start? fun(...): dozor.Pid gets args (this host only); a supervisor's pid makes this a supervisor child
---@field args? any[] to init at the first start, every restart, every migration
---@field name? string local registered name
---@field global? string cluster-wide name
---@field restart? "permanent"|"transient"|"temporary" default permanent; a significant child: temporary
---@field node_selector? dozor.Selector overrides the supervisor's
---@field shutdown_timeout? dozor.Time|"brutal_kill" default 5000, for a supervisor child "infinity"
---@field start_timeout? dozor.Time default 5000, on another node 10000; supervisor or start function "infinity"
---@field mailbox_limit? integer|{ messages?: integer, bytes?: integer }
---@field significant? boolean see auto_shutdown
---@field backoff? dozor.Backoff default none: at once, as in OTP

---@class dozor.SupervisorSpec
---@field strategy? "one_for_one"|"one_for_all"|"rest_for_one"|"simple_one_for_one" default one_for_one
---@field node_selector? dozor.Selector default local_first
---@field children? dozor.ChildSpec[] started in order
---@field child_template? dozor.ChildSpec simple_one_for_one only; its args come before start_child's
---@field restart_intensity? { max_restarts?: integer, within_ms?: number } default 3 in 5000 ms
---@field auto_shutdown? "never"|"any_significant"|"all_significant" default never
---@field name? string cluster-wide name
---@field global? string the same

---@class dozor.ChildRecord
---@field id string
---@field pid? dozor.Pid
---@field node_id? string where it runs or last ran
---@field status "running"|"starting"|"restarting"|"stopping"|"stopped"|"pending"
---@field restart_count integer how often its process was replaced, for whatever reason
---@field started_at? integer ms since 1970
---@field spec dozor.ChildSpec
---@field epoch? integer

---@class dozor.SupervisorStats
---@field id string the name, or sup_<n>@<node id>
---@field strategy string
---@field child_count integer records
---@field children_by_node table<string, integer> those with a process
---@field total_restarts integer exits that led to a restart, one per round, plus moves
---@field node_failure_restarts integer moves
---@field started_at integer ms since 1970
---@field uptime_ms number

---@class dozor.NodeRecord
---@field id string
---@field name string
---@field host string
---@field port integer
---@field status "up"|"suspect"|"down"|"draining"|"refused" refused: its connections or ours are turned away
---@field process_count integer
---@field uptime_ms number
---@field last_heartbeat_at? integer ms since 1970
---@field incarnation integer
---@field attributes table
---@field refused? integer connections this node turned away; in its own record only

---Without a secret (32 bytes at least off loopback) or certificates only loopback is allowed.
---@class dozor.ClusterConfig
---@field node_name string a letter, then letters, digits, `_`, `-`; at most 64
---@field host? string default 127.0.0.1
---@field port? integer default 4369; 0 takes a free one
---@field listen? string "host:port" when the bound address is not the one peers dial
---@field seeds? string[] node ids; they need not be up
---@field secret? string
---@field strict_versions? boolean refuse to run a behaviour whose file differs
---@field heartbeat_interval_ms? number default 500
---@field suspect_after_ms? number default 1500
---@field down_after_ms? number default 3000
---@field reconnect_base_delay_ms? number default 1000
---@field reconnect_max_delay_ms? number default 30000
---@field attributes? table plain data that other nodes see in this node's record
---@field tls? { cert: string, key: string, ca: string } files
---@field insecure? boolean plain text beyond loopback

---What happened; plain data. Which other fields there are depends on the type.
---@class dozor.Event
---@field type string supervisor_started, supervisor_stopped, child_started, child_stopped, child_restarted, child_migrated, child_pending, node_failure_detected, node_up, node_down, mailbox_overflow, long_turn, worker_stuck
---@field timestamp integer ms since 1970, for people
---@field seq integer grows with every event of a node
---@field ref? { id: string, node_id: string } of supervisor_started, supervisor_stopped
---@field supervisor_id? string
---@field child_id? string
---@field node_id? string
---@field pid? dozor.Pid
---@field epoch? integer
---@field attempt? integer 1-based, per child
---@field reason? string readable text
---@field from_node? string
---@field to_node? string
---@field cause? any
---@field affected_children? string[]
---@field incarnation? integer
