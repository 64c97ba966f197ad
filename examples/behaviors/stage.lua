--- stage.lua - a child that tells the process with the cluster-wide name `board` where it starts and that it stops. The cast "crash"
--- makes it crash; the call "where" is answered with its node's name.

local dozor = require "dozor"

local M = {}

local function node_name()
  return (dozor.node():match("^[^@]+"))
end

function M.init(title)
  dozor.call("board", ("[%s] Started on %s"):format(title, node_name()))
  return { title = title }
end

function M.handle_call(msg)
  if msg == "where" then return node_name() end
end

function M.handle_cast(msg, state)
  if msg == "crash" then error("crash of " .. state.title) end
end

function M.terminate(reason, state)
  local how = type(reason) == "table" and "Crashed" or "Stopped"
  dozor.call("board", ("[%s] %s"):format(state.title, how))
end

return M
