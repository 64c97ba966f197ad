dz_unit_test(host config api)
foreach(file config api)
  target_link_libraries(test_host_${file} PRIVATE ${DOZOR_LUA_LIBRARIES})
endforeach()
