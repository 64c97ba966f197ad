dz_unit_test(proc bond ending fault mailbox message names native orphan pid process rt send spawn table timer)
target_sources(test_proc_fault PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/../support/fault_alloc.c)
target_include_directories(test_proc_fault PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/../support)
