# The Lua API's specs: each file is a test, run by the built program.
foreach(spec values process bonds behaviors supervisor spec_errors events tools)
  add_test(NAME spec/${spec}
    COMMAND dozor-bin run ${CMAKE_CURRENT_LIST_DIR}/run.lua ${CMAKE_CURRENT_LIST_DIR}/${spec}_spec.lua)
  set_tests_properties(spec/${spec} PROPERTIES TIMEOUT 120 LABELS spec)
endforeach()
