# Real nodes as OS processes, really hurt: each file of cases/ is a test.
foreach(case failover freeze return nested slow joining partition crowd chaos remote reach detect selectors versions workers hostile)
  add_test(NAME integration/${case}
    COMMAND dozor-bin run ${CMAKE_CURRENT_LIST_DIR}/run.lua ${case})
  set_tests_properties(integration/${case} PROPERTIES TIMEOUT 300 LABELS integration)
endforeach()
# A lost worker leaves its memory behind on purpose.
set_tests_properties(integration/workers PROPERTIES ENVIRONMENT ASAN_OPTIONS=detect_leaks=0)
