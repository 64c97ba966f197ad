dz_unit_test(proc bond ending mailbox message names native orphan pid process rt send spawn table timer)
