--- uv.lua - luv on this worker's loop. A callback runs as the process that passed it: it may send, cast,
--- reply and spawn nothing that waits; an error in it ends that process; handles close with the process that
--- made them.

return require("dozor.core").open_uv()
