--- bank.lua with tellers who do not make its mistake: `dozor sim` finds nothing.

local nodes = {}
for i, name in ipairs { "prague", "brno", "plzen" } do
  nodes[i] = { id = ("%s@127.0.0.1:%d"):format(name, 4400 + i), script = "bank_node.lua", args = { "careful" } }
end

return { nodes = nodes }
