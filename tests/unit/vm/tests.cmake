dz_unit_test(vm codec process full_link behavior vm code memory
  bind_bond bind_cluster bind_events bind_log bind_name bind_supervisor bind_support)
