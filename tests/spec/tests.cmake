# The Lua API's specs: each file is a test, run by the built program.
foreach(spec values process bonds corners behaviors supervisor spec_errors events tools sup_fields sup_order sup_restart sup_events sup_corner sup_motion)
  add_test(NAME spec/${spec}
    COMMAND dozor-bin run --log-level off ${CMAKE_CURRENT_LIST_DIR}/run.lua ${CMAKE_CURRENT_LIST_DIR}/${spec}_spec.lua)
  set_tests_properties(spec/${spec} PROPERTIES TIMEOUT 120 LABELS spec)
endforeach()

add_test(NAME spec/halt_order COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:dozor-bin>
  -DSCRIPT=${CMAKE_CURRENT_LIST_DIR}/halt_order.lua -DEXPECTED=${CMAKE_CURRENT_LIST_DIR}/expected/halt_order.txt
  -P ${CMAKE_CURRENT_LIST_DIR}/compare.cmake)
set_tests_properties(spec/halt_order PROPERTIES TIMEOUT 90 LABELS spec)

# The examples print what their readers are promised.
foreach(example auto_shutdown crash_restart logging_flat logging_system worker_pool strategies/cache_cluster
    strategies/one_for_all strategies/one_for_one strategies/rest_for_one strategies/shop strategies/web_stack)
  get_filename_component(name ${example} NAME)
  add_test(NAME example/${name} COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:dozor-bin>
    -DSCRIPT=${PROJECT_SOURCE_DIR}/examples/${example}.lua -DEXPECTED=${CMAKE_CURRENT_LIST_DIR}/expected/${name}.txt
    -P ${CMAKE_CURRENT_LIST_DIR}/compare.cmake)
  set_tests_properties(example/${name} PROPERTIES TIMEOUT 90 LABELS example)
endforeach()
# Those of several nodes run on ports nobody listens on.
foreach(example across_nodes geo)
  add_test(NAME example/${example} COMMAND bash ${CMAKE_CURRENT_LIST_DIR}/compare_up.sh $<TARGET_FILE:dozor-bin>
    ${PROJECT_SOURCE_DIR}/examples/${example}/cluster.lua ${CMAKE_CURRENT_LIST_DIR}/expected/${example}.txt)
  set_tests_properties(example/${example} PROPERTIES TIMEOUT 90 LABELS example)
endforeach()
add_test(NAME example/failover COMMAND dozor-bin up ${PROJECT_SOURCE_DIR}/scripts/failover.lua)
set_tests_properties(example/failover PROPERTIES TIMEOUT 90 LABELS example RESOURCE_LOCK failover_ports)

# Workers that are lost leave their memory behind on purpose. A thread interrupted under TSan is not where it seems to be.
if(NOT DOZOR_SANITIZE MATCHES "thread")
  add_test(NAME spec/runaway COMMAND dozor-bin run --workers 3 --max-turn-ms 300
    ${CMAKE_CURRENT_LIST_DIR}/run.lua ${CMAKE_CURRENT_LIST_DIR}/runaway_spec.lua)
  add_test(NAME spec/memory COMMAND dozor-bin run --workers 2 --worker-memory-mb 64
    ${CMAKE_CURRENT_LIST_DIR}/run.lua ${CMAKE_CURRENT_LIST_DIR}/memory_spec.lua)
  set_tests_properties(spec/runaway spec/memory PROPERTIES TIMEOUT 120 LABELS spec ENVIRONMENT ASAN_OPTIONS=detect_leaks=0)
endif()

# 100,000 processes: only where they are fast.
if(NOT DOZOR_SANITIZE AND NOT DOZOR_COVERAGE)
  add_test(NAME spec/scale
    COMMAND dozor-bin run --log-level off ${CMAKE_CURRENT_LIST_DIR}/run.lua ${CMAKE_CURRENT_LIST_DIR}/scale_spec.lua)
  set_tests_properties(spec/scale PROPERTIES TIMEOUT 120 LABELS spec)
endif()
