dz_unit_test(term term build read)
