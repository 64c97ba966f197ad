--- Three banks that send one another money, and a mistake that `dozor sim` finds in behaviors/teller.lua:
---
---     dozor sim --faults cut,stall,partition,freeze,slow examples/sim/bank.lua
---
--- It prints the command that plays a failing run again. An account is only in memory, so a crash of its node would lose its
--- money: that fault is left out. With `dozor up examples/sim/bank.lua` the banks run on real nodes, and nobody looks at the check.

local nodes = {}
for i, name in ipairs { "prague", "brno", "plzen" } do
  nodes[i] = { id = ("%s@127.0.0.1:%d"):format(name, 4400 + i), script = "bank_node.lua", args = { "careless" } }
end

return { nodes = nodes }
