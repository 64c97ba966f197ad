dz_unit_test(vm codec process full_link behavior vm code memory
  bind_behavior bind_bond bind_cluster bind_events bind_log bind_name bind_process bind_send bind_supervisor bind_support
  bind_time bind_wait callback report)
