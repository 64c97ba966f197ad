--- failover.lua - a node is lost for good: SIGKILL.

local ROUND_ROBIN = [[
  local n = ...
  S.sup = dozor.supervisor.start {
    name = "tree", node_selector = "round_robin", restart_intensity = { max_restarts = 0, within_ms = 5000 },
    children = (function()
      local list = {}
      for i = 1, n do
        list[i] = { id = "c" .. i, behavior = "probe", args = { "c" .. i } }
      end
      return list
    end)(),
  }
  return S.sup ]]

local function labels(n)
  local list = {}
  for i = 1, n do list[i] = "c" .. i end
  return list
end

local function lost_with_its_children(w)
  local a, b, c = w:cluster { "a", "b", "c" }
  a:run(ROUND_ROBIN, 9)
  local before = w:settled(labels(9))
  for i = 1, 9 do
    a:run("for _ = 1, select(2, ...) do dozor.cast((...), 'inc') end", before["c" .. i].pid, i)
  end
  local killed = a:run("return dozor.now()")
  c:kill()
  local running = a:run [[
    wait_until(function()
      for _, child in ipairs(dozor.supervisor.children(S.sup)) do
        if child.status ~= "running" or child.node_id:match("^c@") then return false end
      end
      return true
    end)
    return dozor.now() ]]
  w:log("from the kill to all running: %.1f ms (the test's polling included)", running - killed)
  local after = w:settled(labels(9))
  for i = 1, 9 do
    local id = "c" .. i
    local count = a:run("return dozor.call(..., 'get')", after[id].pid)
    if before[id].node == "c" then
      w:ok(after[id].pid ~= before[id].pid and count == 0, id .. " began anew")
    else
      w:equal(after[id].pid, before[id].pid, id .. " kept its process")
      w:equal(count, i, id .. " kept its state")
    end
  end
  w:equal(#a:events("node_down"), 1, "node_down at a")
  w:equal(#b:events("node_down"), 1, "node_down at b")
  local failures = a:events("node_failure_detected")
  w:equal(#failures, 1, "node_failure_detected")
  w:equal(failures[1].affected_children, { "c3", "c6", "c9" })
  w:equal(#a:events("child_migrated"), 3, "child_migrated")
  w:equal(#a:events("child_restarted"), 0, "child_restarted")
  local stats = a:run("return dozor.supervisor.stats(S.sup)")
  w:equal({ stats.total_restarts, stats.node_failure_restarts, stats.child_count }, { 3, 3, 9 })
  a:run("dozor.supervisor.stop(S.sup)")
  w:equal(w:live(), {}, "live after stop")
end

return {
  { name = "a killed node's children run elsewhere, the others never notice", fn = lost_with_its_children },
}
