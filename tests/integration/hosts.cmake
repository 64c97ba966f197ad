# Several hosts in one OS process, over the public C API.
foreach(name three_hosts fifty_hosts)
  add_executable(test_${name} ${CMAKE_CURRENT_LIST_DIR}/${name}.c)
  target_link_libraries(test_${name} PRIVATE dozor_core PkgConfig::CMOCKA PkgConfig::LUAJIT PkgConfig::LIBUV PkgConfig::OPENSSL
    ${DOZOR_LUA_LIBRARIES} Threads::Threads ${CMAKE_DL_LIBS} m)
  add_test(NAME integration/${name} COMMAND test_${name})
  set_tests_properties(integration/${name} PROPERTIES TIMEOUT 180 LABELS integration)
endforeach()
