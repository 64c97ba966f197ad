dz_unit_test(sup
  backoff children driver driver_load driver_places driver_answer driver_query driver_select driver_start driver_stop driver_turn fault intensity loss model place
  query report requests round selector selectors shutdown spec spec_child spec_parts spec_reader strategy supervisor)
target_sources(test_sup_fault PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/../support/fault_alloc.c)
target_include_directories(test_sup_fault PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/../support)
