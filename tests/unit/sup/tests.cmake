dz_unit_test(sup strategy intensity backoff selector spec supervisor round loss model fault driver driver_places driver_load selectors)
target_sources(test_sup_fault PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/../support/fault_alloc.c)
target_include_directories(test_sup_fault PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/../support)
