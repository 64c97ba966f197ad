--- worker_pool.lua - workers made from one template (simple_one_for_one), one for each task: a worker that is done
--- ends normally and stays ended, one that crashes is started again with the same task (transient).
--- Run: dozor run examples/worker_pool.lua

local dozor = require "dozor"
local main = dozor.self()

local crashed = {}

local worker = {
  init = function(pool, task)
    dozor.cast(dozor.self(), "work")
    return { pool = pool, task = task }
  end,
  handle_cast = function(_, state)
    local task = state.task
    if task.crash_once and not crashed[task.id] then
      crashed[task.id] = true
      error("task " .. task.id .. " failed")
    end
    dozor.send(main, { done = task.id, result = task.value * task.value, pool = state.pool })
    dozor.exit("normal")
  end,
}

local pool = dozor.supervisor.start {
  strategy = "simple_one_for_one",
  child_template = { behavior = worker, args = { "squares" }, restart = "transient" },
}

--- The results are awaited by their tasks' numbers: workers finish in any order.
local function await(id)
  local answer = dozor.receive(5000, function(msg) return msg.done == id end)
  print(("task %d: %d (%s)"):format(id, answer.result, answer.pool))
end

for id = 1, 5 do
  local _, child_id = dozor.supervisor.start_child(pool, { { id = id, value = id + 10, crash_once = id == 3 } })
  print(("task %d given to %s"):format(id, child_id))
end
for id = 1, 5 do await(id) end

local function idle()
  return dozor.supervisor.count_children(pool).active == 0
end
while not idle() do dozor.sleep(1) end
print(("%d restart, %d workers left"):format(dozor.supervisor.stats(pool).total_restarts,
  dozor.supervisor.count_children(pool).active))

dozor.supervisor.stop(pool)
