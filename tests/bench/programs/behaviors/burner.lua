-- burner: keeps its worker busy for so many seconds.
local now = require("bench").now
return {
  init = function() end,
  handle_cast = function(seconds)
    local till = now() + seconds
    while now() < till do end
  end,
}
