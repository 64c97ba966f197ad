dz_unit_test(vm
  behavior bind_behavior bind_bond bind_cluster bind_events bind_log bind_name bind_process bind_send bind_sim bind_supervisor
  bind_support bind_time bind_uv bind_wait callback code codec copy coroutine decode dispatch ending error eval full_link function
  handlers
  ident interrupt memory open report shape start vm walk)
