dz_unit_test(vm codec process behavior vm code memory)
