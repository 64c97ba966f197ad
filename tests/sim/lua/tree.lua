--- A tree of supervisors over three nodes, all faults: when all has settled every child runs, once, and everybody agrees.

local function child(id, selector, restart)
  return { id = id, behavior = "counter", node_selector = selector, restart = restart, global = "tree_" .. id }
end

local nodes = {}
for i, name in ipairs { "a", "b", "c" } do
  nodes[i] = { id = ("%s@127.0.0.1:%d"):format(name, 4500 + i), script = "tree_node.lua" }
end

return {
  nodes = nodes,
  supervisors = {
    {
      name = "tree",
      node_selector = "round_robin",
      restart_intensity = { max_restarts = 100, within_ms = 5000 },
      children = {
        child("one", "round_robin"),
        child("two", "least_loaded"),
        {
          id = "inner",
          supervisor = {
            strategy = "rest_for_one",
            restart_intensity = { max_restarts = 100, within_ms = 5000 },
            children = { child("three", "random"), child("four", "local_first") },
          },
        },
      },
    },
  },
}
