--- cluster.lua - three nodes, each with the region it stands for among its attributes; the first one's script places children by
--- region. Run: dozor up examples/geo/cluster.lua
--- DOZOR_PORT_BASE moves the ports (default 14389, 14390, 14391).

local base = tonumber(os.getenv("DOZOR_PORT_BASE") or "") or 14389

local function node(name, offset, region, script)
  return { id = ("%s@127.0.0.1:%d"):format(name, base + offset), attributes = { region = region }, script = script }
end

return {
  cluster = { seeds = { ("prague@127.0.0.1:%d"):format(base) } },
  behaviors = { "../behaviors" },
  nodes = {
    node("prague", 0, "eu", "main.lua"),
    node("boston", 1, "us"),
    node("osaka", 2, "ap"),
  },
}
