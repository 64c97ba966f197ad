-- P19: a first supervised child, and the memory of the node that runs it. The time is measured from outside.
local dozor = require "dozor"
local bench = require "bench"
dozor.supervisor.start { children = { { id = "w", behavior = "counter" } } }
bench.result("rss_mib", bench.status_kb("VmRSS") / 1024)
dozor.shutdown(0)
