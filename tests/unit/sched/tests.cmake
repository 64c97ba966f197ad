dz_unit_test(sched spin sched takeover watchdog guard)
