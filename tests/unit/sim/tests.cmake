dz_unit_test(sim sim_faults sim_net sim_trace)
