--- failover.lua - three nodes as three OS processes on this machine; the first one's script kills one of the others and shows that
--- nothing is lost but the time it takes. Run: dozor up scripts/failover.lua
--- DOZOR_PORT_BASE moves the ports (default 14369, 14370, 14371).

local base = tonumber(os.getenv("DOZOR_PORT_BASE") or "") or 14369

local function id(name, offset)
  return ("%s@127.0.0.1:%d"):format(name, base + offset)
end

return {
  cluster = { seeds = { id("supervisor", 0) } },
  behaviors = { "../behaviors", "../examples/failover/behaviors" },
  nodes = {
    { id = id("supervisor", 0), script = "../examples/failover/main.lua" },
    { id = id("worker1", 1) },
    { id = id("worker2", 2) },
  },
}
