--- init.lua - `require "dozor"`: the whole public API in one table.

local core = require "dozor.core"
local check = require "dozor.check"
local cluster = require "dozor.cluster"
local events = require "dozor.events"
local process = require "dozor.process"
local request = require "dozor.request"

local M = {}

for name, value in pairs(process) do M[name] = value end

M.behaviors = require "dozor.registry".public
M.supervisor = require "dozor.supervisor"
M.selectors = require "dozor.selectors"
M.cluster = cluster
M.global = require "dozor.global"
M.log = require "dozor.log"
M.json = require "dozor.json"
M.sim = require "dozor.sim"
M.on_event = events.on_event
M.on_shutdown = events.on_shutdown

--- This node's id, `name@host:port`; without a cluster `local@127.0.0.1:0`.
---@return string
function M.node()
  return core.node()
end

--- Stops the host in order, as SIGTERM does: shutdown hooks, supervisors in reverse order of their start, the
--- cluster. Returns as soon as that has begun.
---@param code? integer exit code of the program, 0 to 255; default 0
function M.shutdown(code)
  if code == nil then code = 0 end
  if type(code) ~= "number" or code % 1 ~= 0 or code < 0 or code > 255 then
    check.fail("code", "an integer from 0 to 255", code)
  end
  core.request(core.system(), request.SHUTDOWN, code, "infinity")
  core.result()
end

--- luv is opened by the first who asks for it: most workers never do.
setmetatable(M, {
  __index = function(self, key)
    if key ~= "uv" then return nil end
    local uv = require "dozor.uv"
    rawset(self, "uv", uv)
    return uv
  end,
})

return M
