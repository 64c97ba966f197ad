# cmake -DPROGRAM=dozor -DSCRIPT=example.lua -DEXPECTED=example.txt -P compare.cmake
# The example ends by itself with exit code 0 and prints exactly what is expected.
execute_process(COMMAND ${PROGRAM} run --log-level off ${SCRIPT} OUTPUT_VARIABLE output ERROR_VARIABLE errors
  RESULT_VARIABLE code TIMEOUT 60)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "exit code ${code}\n${output}\n${errors}")
endif()
file(READ ${EXPECTED} expected)
if(NOT output STREQUAL expected)
  message(FATAL_ERROR "it printed\n${output}\nand not\n${expected}")
endif()
