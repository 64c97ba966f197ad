dz_unit_test(sched alarm guard loss sched spin takeover watchdog worker)
