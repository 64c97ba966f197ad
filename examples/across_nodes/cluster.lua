--- cluster.lua - three nodes as three OS processes on this machine; the first one's script shows the three strategies with children
--- on all of them. Run: dozor up examples/across_nodes/cluster.lua
--- DOZOR_PORT_BASE moves the ports (default 14379, 14380, 14381).

local base = tonumber(os.getenv("DOZOR_PORT_BASE") or "") or 14379

local function id(name, offset)
  return ("%s@127.0.0.1:%d"):format(name, base + offset)
end

return {
  cluster = { seeds = { id("a", 0) } },
  behaviors = { "../behaviors" },
  nodes = {
    { id = id("a", 0), script = "main.lua" },
    { id = id("b", 1) },
    { id = id("c", 2) },
  },
}
