--- cluster.lua - this host's place in a cluster. The system service of the host does the work; these are its
--- questions.

local core = require "dozor.core"
local check = require "dozor.check"
local events = require "dozor.events"
local request = require "dozor.request"

local M = {}

local function ask(code, value)
  core.request(core.system(), code, value, "infinity")
  return core.result()
end

--- Joins the cluster (or begins one). Returns after the first exchange with every seed that answers, at most
--- about 2 s, so that a supervisor started on the next line sees those nodes. Seeds that are not up are
--- dialled again for ever.
--- Raises `invalid_config`, `invalid_node_id`, `address_in_use`, `already_started`.
---@param config dozor.ClusterConfig
---@return string node_id
function M.start(config)
  if type(config) ~= "table" then check.fail("config", "a table", config) end
  return ask(request.CLUSTER_START, config)
end

--- Leaves the cluster in order: peers see this node go down at once. Does nothing when none was started.
function M.stop()
  ask(request.CLUSTER_STOP)
end

--- The nodes that are up or suspect, this one first, then by id.
---@return dozor.NodeRecord[]
function M.nodes()
  return ask(request.CLUSTER_NODES)
end

--- One node in whatever status, or nil when it was never met.
---@param id string
---@return dozor.NodeRecord?
function M.node(id)
  check.text("id", id)
  return ask(request.CLUSTER_NODE, id)
end

---@return "starting"|"running"|"stopping"|"stopped"
function M.status()
  return ask(request.CLUSTER_STATUS)
end

--- Calls `fn(event)` with each `node_up` event. See dozor.on_event for where it runs and when it ends.
---@param fn fun(event: dozor.Event)
---@return fun() unsubscribe
function M.on_node_up(fn)
  return events.on_event(fn, { types = { "node_up" } })
end

--- The same for `node_down`.
---@param fn fun(event: dozor.Event)
---@return fun() unsubscribe
function M.on_node_down(fn)
  return events.on_event(fn, { types = { "node_down" } })
end

return M
