--- script.lua - the plain processes of our own: `main` runs the script.

---@param internals table<string, function> name -> what the process "@name" runs
return function(internals)
  function internals.main(path, ...)
    arg = { [0] = path, ... }
    local chunk, err = loadfile(path)
    if not chunk then error(err, 0) end
    chunk(...)
  end

  --- Gives a process of this host a cluster-wide name for one who asks from another node; answers nil or the error.
  function internals.register_name()
    local process = require "dozor.process"
    local question = process.receive(10000)
    if not question then return end
    local ok, err = pcall(require("dozor.global").register, question.message.name, question.message.pid)
    process.reply(question.from, not ok and err or nil)
  end
end
