dz_unit_test(base err alloc buf map mpsc heap near log env list fault)
target_sources(test_base_fault PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/../support/fault_alloc.c)
target_include_directories(test_base_fault PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/../support)
