dz_unit_test(proc pid table names message mailbox timer rt bond process send spawn native)
