# Several hosts in one OS process, over the public C API.
add_executable(test_three_hosts ${CMAKE_CURRENT_LIST_DIR}/three_hosts.c)
target_link_libraries(test_three_hosts PRIVATE dozor_core PkgConfig::CMOCKA PkgConfig::LUAJIT PkgConfig::LIBUV PkgConfig::OPENSSL
  ${DOZOR_LUA_LIBRARIES} Threads::Threads ${CMAKE_DL_LIBS} m)
add_test(NAME integration/three_hosts COMMAND test_three_hosts)
set_tests_properties(integration/three_hosts PROPERTIES TIMEOUT 120 LABELS integration)
