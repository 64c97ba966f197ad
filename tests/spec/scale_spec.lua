--- scale_spec.lua - 10,000 supervisors in a tree three deep, and 100,000 children under one: they start, crash and stop in order.

local dozor = require "dozor"
local S = dozor.supervisor

local MIDDLE, INNER = 99, 100
local CHILDREN = 100000

local started, stopped

--- A child that is known by its number and says when it starts and stops.
local leaf = {
  init = function(number)
    started[#started + 1] = number
    return number
  end,
  handle_cast = function() error "crash" end,
  terminate = function(_, number) stopped[#stopped + 1] = number end,
}

local function reset() started, stopped = {}, {} end

local function in_order(list, from, to)
  equal(#list, math.abs(to - from) + 1)
  local step = from <= to and 1 or -1
  for i = 1, #list do
    if list[i] ~= from + (i - 1) * step then error(("place %d: %d"):format(i, list[i]), 2) end
  end
end

--- 1 root, 99 in the middle, 9,900 inside, each of these with one child; whoever crashes takes its middle supervisor along.
local function tree()
  local root, number = { children = {} }, 0
  for i = 1, MIDDLE do
    local middle = { restart_intensity = { max_restarts = 0 }, children = {} }
    for j = 1, INNER do
      number = number + 1
      middle.children[j] = { id = "inner-" .. j, supervisor = { restart_intensity = { max_restarts = 0 }, children = {
        { id = "leaf", behavior = leaf, args = { number }, name = number == 5050 and "victim" or nil } } } }
    end
    root.children[i] = { id = "middle-" .. i, supervisor = middle }
  end
  return root
end

it("10,000 supervisors in a tree three deep start, crash and stop in order", function()
  reset()
  local before = #dozor.processes()
  local sup = S.start(tree())
  local total = MIDDLE * INNER
  in_order(started, 1, total)
  equal(#S.list(), 1 + MIDDLE + total)
  equal(#dozor.processes() - before, 1 + MIDDLE + 2 * total)

  -- The crash of number 5050 is more than its supervisor bears, and that more than the one above: 5001 to 5100 begin anew.
  local ended = dozor.monitor(dozor.whereis("victim"))
  reset()
  dozor.cast("victim", "crash")
  expect_message(function(m) return m.ref == ended end)
  wait_until(function() return #started == INNER end, 20000)
  in_order(started, 5001, 5100)
  equal(stopped[1], 5050)
  table.remove(stopped, 1)
  equal(#stopped, INNER - 1)
  for i, number in ipairs(stopped) do equal(number, 5101 - i - (i > 50 and 1 or 0)) end
  wait_until(function() return S.child(sup, "middle-51").status == "running" end)
  equal(S.stats(sup).total_restarts, 1)
  equal(#dozor.processes() - before, 1 + MIDDLE + 2 * total)

  reset()
  S.stop(sup)
  in_order(stopped, total, 1)
  equal(#S.list(), 0)
  equal(#dozor.processes(), before)
end)

it("100,000 children under one supervisor start and stop in order, and a crash costs one start", function()
  reset()
  local before = #dozor.processes()
  local children = {}
  for i = 1, CHILDREN do children[i] = { id = "c" .. i, behavior = leaf, args = { i } } end
  local sup = S.start { children = children }
  in_order(started, 1, CHILDREN)
  equal(S.count_children(sup), { specs = CHILDREN, active = CHILDREN, supervisors = 0, workers = CHILDREN })

  local victim = S.child(sup, "c50000").pid
  reset()
  dozor.cast(victim, "crash")
  wait_until(function() local c = S.child(sup, "c50000") return c.status == "running" and c.pid ~= victim end)
  equal(started, { 50000 })
  equal(stopped, { 50000 })
  equal(#dozor.processes() - before, 1 + CHILDREN)

  reset()
  S.stop(sup)
  in_order(stopped, CHILDREN, 1)
  equal(#dozor.processes(), before)
end)
