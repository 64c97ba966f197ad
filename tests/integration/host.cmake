# The program and the libraries as a user meets them.
foreach(name cli up)
  add_test(NAME integration/${name} COMMAND bash ${PROJECT_SOURCE_DIR}/tests/integration/${name}.sh $<TARGET_FILE:dozor-bin>)
  set_tests_properties(integration/${name} PROPERTIES TIMEOUT 180 LABELS integration)
endforeach()

set(embed_flags "")
if(DOZOR_SANITIZE)
  set(embed_flags "-fsanitize=${DOZOR_SANITIZE}")
endif()
if(DOZOR_COVERAGE)
  set(embed_flags "--coverage")
endif()
add_test(NAME integration/embed COMMAND bash ${PROJECT_SOURCE_DIR}/tests/integration/embed.sh ${PROJECT_BINARY_DIR} ${PROJECT_SOURCE_DIR}
  ${CMAKE_C_COMPILER} ${CMAKE_COMMAND} "${embed_flags}")
set_tests_properties(integration/embed PROPERTIES TIMEOUT 180 LABELS integration)

# A thread interrupted under TSan is not where it seems to be.
if(NOT DOZOR_SANITIZE MATCHES "thread")
  add_test(NAME integration/runaway COMMAND bash ${PROJECT_SOURCE_DIR}/tests/integration/runaway.sh $<TARGET_FILE:dozor-bin>)
  set_tests_properties(integration/runaway PROPERTIES TIMEOUT 180 LABELS integration)
endif()
