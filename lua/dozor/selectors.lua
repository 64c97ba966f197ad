--- selectors.lua - functions that choose a node, known by a name that specs can carry: { selector = "name" }.

local core = require "dozor.core"
local check = require "dozor.check"

local M = {}

--- Registers a selector. It runs as a small process on this worker and has one second to answer with the id
--- of one of the nodes it is given; a raised error, nil or another answer is `no_available_node` for the
--- child concerned. The name is known on this node only; registering the same function again is fine, another
--- one is `bad_argument`.
---@param name string
---@param fn fun(nodes: dozor.NodeRecord[], child_id: string): string?
function M.register(name, fn)
  check.text("name", name)
  check.func("selector", fn)
  if not core.register_selector(name, fn) then
    check.fail("name", "the name of no other selector", name)
  end
end

return M
