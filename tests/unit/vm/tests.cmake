dz_unit_test(vm codec process full_link behavior vm code memory)
