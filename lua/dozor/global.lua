--- global.lua - names known in the whole cluster. Registering asks every connected node (at most 1 s); a
--- conflict that a partition made is settled when it heals: one owner wins everywhere, the loser gets { type
--- = "name_conflict", name, winner }.

local core = require "dozor.core"
local check = require "dozor.check"
local process = require "dozor.process"
local request = require "dozor.request"

local M = {}

local function ask(code, value)
  core.request(core.system(), code, value, "infinity")
  return core.result()
end

--- A name is given by the host its process lives on: a process there asks for it.
local function register_there(name, pid, node)
  core.spawn("@register_name", {}, nil, nil, 0, 10000, 0, 0, node)
  local err = process.call(core.spawn_result(0), { name = name, pid = pid }, 10000)
  if err then error(core.make_error(err.code, err.message, err), 0) end
end

--- Gives a process the name; it is free again when the process ends. Waits. Raises `name_taken` (name,
--- owner), `noproc`.
---@param name string
---@param pid? dozor.Pid default: the calling process
function M.register(name, pid)
  check.text("name", name)
  pid = pid or process.self()
  if process.node_of(pid) == nil then check.fail("pid", "a pid", pid) end
  local node = process.node_of(pid)
  if node ~= core.node() then return register_there(name, pid, node) end
  core.mark_global(pid)
  ask(request.GLOBAL_REGISTER, { name = name, pid = pid })
end

--- Frees the name, whoever has it.
---@param name string
---@return boolean had_owner
function M.unregister(name)
  check.text("name", name)
  return ask(request.GLOBAL_UNREGISTER, name)
end

--- Who has the name, as far as this node knows. Does not wait.
---@param name string
---@return dozor.Pid?
function M.whereis(name)
  check.text("name", name)
  return core.global_whereis(name)
end

--- All names, with their owners.
---@return table<string, dozor.Pid>
function M.names()
  return ask(request.GLOBAL_NAMES)
end

return M
