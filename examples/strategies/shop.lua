--- shop.lua - the services of a shop: each domain stands alone (one_for_one). Products crash and start again with
--- what they had been given as args; users, orders and payments never notice.
--- Run: dozor run examples/strategies/shop.lua

local dozor = require "dozor"

local function service(name)
  return {
    init = function(catalogue)
      print(("[%s] Started"):format(name))
      return { served = 0, catalogue = catalogue }
    end,
    handle_call = function(msg, state)
      state.served = state.served + 1
      if msg.type == "price" then return state.catalogue[msg.item] end
      return state.served
    end,
    handle_cast = function(msg)
      if msg == "crash" then error(name .. " lost its database connection") end
    end,
    terminate = function(reason)
      print(("[%s] Stopped: %s"):format(name, type(reason) == "table" and "error" or reason))
    end,
  }
end

local sup = dozor.supervisor.start {
  strategy = "one_for_one",
  children = {
    { id = "users", behavior = service("Users"), name = "users" },
    { id = "products", behavior = service("Products"), name = "products", args = { { tea = 4, cup = 9 } } },
    { id = "orders", behavior = service("Orders"), name = "orders" },
    { id = "payments", behavior = service("Payments"), name = "payments", shutdown_timeout = 10000 },
  },
}

local function buy(item)
  local order = dozor.call("orders", { type = "order", item = item })
  print(("Order #%d: %s for %d"):format(order, item, dozor.call("products", { type = "price", item = item })))
end

print("")
buy("tea")

print("\nProducts crash")
local main = dozor.self()
dozor.on_event(function(event) dozor.send(main, event) end, { types = { "child_restarted" } })
dozor.cast("products", "crash")
local event = dozor.receive(5000)
print(("%s restarted, attempt %d\n"):format(event.child_id, event.attempt))

buy("cup")
local stats = dozor.supervisor.stats(sup)
print(("%d services, %d restart\n"):format(stats.child_count, stats.total_restarts))

dozor.supervisor.stop(sup)
