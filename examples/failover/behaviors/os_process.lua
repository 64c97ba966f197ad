--- os_process.lua - tells the number of the operating system's process it lives in: call "pid" -> integer.

local dozor = require "dozor"

local M = {}

function M.init() end

function M.handle_call(msg)
  if msg == "pid" then return dozor.uv.os_getpid() end
end

return M
