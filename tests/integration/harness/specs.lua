--- specs.lua - specs of probes, as data that can be sent to a node.

local M = {}

--- "c1" .. "c<n>"
function M.labels(n, prefix)
  local list = {}
  for i = 1, n do list[i] = (prefix or "c") .. i end
  return list
end

--- A child whose label is its id.
function M.probe(id, fields)
  local child = { id = id, behavior = "probe", args = { id } }
  for key, value in pairs(fields or {}) do child[key] = value end
  return child
end

--- A supervisor of n probes; `fields` overrides.
function M.tree(n, fields)
  local spec = { name = "tree", node_selector = "round_robin", children = {},
                 restart_intensity = { max_restarts = 0, within_ms = 5000 } }
  for i = 1, n do spec.children[i] = M.probe("c" .. i) end
  for key, value in pairs(fields or {}) do spec[key] = value end
  return spec
end

--- Starts it on the node, which keeps its pid in S.sup.
function M.start(node, spec)
  return node:run("S.sup = dozor.supervisor.start((...)) return S.sup", spec)
end

return M
