--- versions.lua - behaviours that differ between nodes, or are there only on some. Semantics 8.7.

local specs = require "harness.specs"

local SAME = "return { init = function(l) return l end, handle_call = function() return 'same' end }\n"
local OURS = "return { init = function(l) return l end, handle_call = function() return 'ours' end }\n"
local THEIRS = "return { init = function(l) return l end, handle_call = function() return 'theirs' end }\n"

local function write(w, dir, name, text)
  local path = ("%s/%s/%s.lua"):format(w.dir, dir, name)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  w.files = w.files or {}
  table.insert(w.files, path)
end

--- Nodes a and b, each with its own behaviours: `odd` is different, `even` the same, `rare` only at b.
local function two_places(w, strict)
  local uv = require("dozor").uv
  for _, dir in ipairs { "a", "b" } do
    assert(uv.fs_mkdir(w.dir .. "/" .. dir, 448))
    write(w, dir, "even", SAME)
    write(w, dir, "odd", dir == "a" and OURS or THEIRS)
  end
  write(w, "b", "rare", SAME)
  local nodes = {}
  for i, name in ipairs { "a", "b" } do
    nodes[i] = w:node(name, { host_options = { "--behaviors", w.dir .. "/" .. name }, strict_versions = strict })
    nodes[i].config.seeds = i == 2 and { nodes[1].id } or {}
    nodes[i]:start()
  end
  w:meshed(nodes)
  return nodes[1], nodes[2]
end

local function count(text, what)
  local n = 0
  for _ in text:gmatch(what) do n = n + 1 end
  return n
end

local SPAWN = "local name, at = ... return dozor.call(dozor.spawn(name, {}, { node = at }), 'which')"

local function told_once(w)
  local a, b = two_places(w, false)
  w:equal(a:run(SPAWN, "even", b.id), "same")
  for _ = 1, 3 do w:equal(a:run(SPAWN, "odd", b.id), "theirs", "the node that runs it runs its own") end
  w:equal(b:run(SPAWN, "odd", a.id), "ours")
  w:wait_until(function() return count(b:log_text(), "differs") == 1 end, "b has logged it")
  w:ok(b:log_text():find("behavior=odd", 1, true) and b:log_text():find(a.id, 1, true), "the log names behaviour and node")
  w:equal({ count(a:log_text(), "differs"), count(b:log_text(), "differs") }, { 1, 1 }, "once per name and node")
  w:equal(a:run(SPAWN, "rare", b.id), "same", "only the node that runs it needs it")
  local err = b:raises("behavior_not_found", SPAWN, "rare", a.id)
  w:equal(err.node, a.id, "the error names the node")
end

local function refused_when_strict(w)
  local a, b = two_places(w, true)
  w:equal(a:run(SPAWN, "even", b.id), "same")
  local err = a:raises("behavior_not_found", SPAWN, "odd", b.id)
  w:equal(err.node, b.id)
  w:ok(err.message:find("strict_versions", 1, true), "the error says why: " .. err.message)
  err = a:raises("behavior_not_found", "dozor.supervisor.start(...)", { children = {
    { id = "x", behavior = "odd", node_selector = { node = b.id } } } })
  w:equal(err.child_id, "x")
  w:equal(b:run("return #live('odd')"), 0)
  local sup = a:run("return dozor.supervisor.start(...)", { node_selector = { node = b.id }, children = {
    { id = "x", behavior = "even" } } })
  w:equal(a:run("return dozor.supervisor.child(..., 'x').node_id", sup), b.id)
end

--- A table that each node's own script registers under one name is found by that name.
local function tables_by_name(w)
  local a, b = w:cluster { "a", "b" }
  for _, node in ipairs { a, b } do
    node:run([[
      local name = ...
      dozor.behaviors.register("told", { init = function() return {} end, handle_call = function() return name end }) ]], node.name)
  end
  w:equal(a:run(SPAWN, "told", b.id), "b")
  w:equal(b:run(SPAWN, "told", a.id), "a")
  specs.start(a, { name = "tree", node_selector = { node = b.id }, children = { { id = "t", behavior = "told", global = "told" } } })
  w:equal(a:run("return dozor.call('told', 'who')"), "b")
end

return {
  { name = "a behaviour that differs is logged once per name and node", fn = told_once },
  { name = "strict_versions refuses a behaviour that differs", fn = refused_when_strict },
  { name = "tables registered under one name", fn = tables_by_name },
}
