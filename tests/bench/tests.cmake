# Every benchmark once, shortened, so that none can rot. Only where it is fast: not under sanitizers.
if(NOT DOZOR_SANITIZE AND NOT DOZOR_COVERAGE)
  add_test(NAME bench/quick COMMAND ${CMAKE_CURRENT_LIST_DIR}/compare --quick)
  set_tests_properties(bench/quick PROPERTIES TIMEOUT 300 LABELS bench RUN_SERIAL TRUE ENVIRONMENT "DOZOR=$<TARGET_FILE:dozor-bin>")
endif()
