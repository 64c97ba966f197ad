--- script.lua - the plain processes of our own: `main` runs the script.

---@param internals table<string, function> name -> what the process "@name" runs
return function(internals)
  function internals.main(path, ...)
    arg = { [0] = path, ... }
    local chunk, err = loadfile(path)
    if not chunk then error(err, 0) end
    chunk(...)
  end
end
