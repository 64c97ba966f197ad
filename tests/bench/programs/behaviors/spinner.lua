-- spinner: counts for a while, then tells who asked.
local dozor = require "dozor"
return {
  init = function() end,
  handle_cast = function(msg)
    local a = 0
    for i = 1, msg.n do a = (a * 31 + i) % 1000003 end
    dozor.send(msg.to, a)
  end,
}
