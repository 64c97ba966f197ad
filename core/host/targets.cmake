# What is built of the layers: dozor_core (static), dozor (shared), dozor-bin (the program), and how they are installed.
set(layers base term proc sched sup net cluster sim vm host)
set(objects)
foreach(layer IN LISTS layers)
  list(APPEND objects $<TARGET_OBJECTS:dz_${layer}>)
endforeach()

# The command line, which is the program's only; a library so that its files can be tested.
set(cli cli.c cli_run.c cli_up.c cli_check.c cli_sim.c sim_run.c sim_node.c sim_same.c boot.c launcher.c)
list(TRANSFORM cli PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
add_library(dz_cli STATIC ${cli})
target_link_libraries(dz_cli PUBLIC dz_host)

# The layers' own libraries give what is outside of the project; their archives add nothing to the objects.
function(dz_whole target)
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/core/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/core)
  target_link_libraries(${target} PRIVATE PkgConfig::LUAJIT PkgConfig::LIBUV PkgConfig::OPENSSL ${DOZOR_LUA_LIBRARIES}
    Threads::Threads ${CMAKE_DL_LIBS} m)
endfunction()

add_library(dozor_core STATIC ${objects})
dz_whole(dozor_core)

add_library(dozor SHARED ${objects})
dz_whole(dozor)
set_target_properties(dozor PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
  LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)

# Plug-ins find the C API in the program itself.
add_executable(dozor-bin ${CMAKE_CURRENT_LIST_DIR}/main.c $<TARGET_OBJECTS:dz_cli> ${objects})
dz_whole(dozor-bin)
set_target_properties(dozor-bin PROPERTIES OUTPUT_NAME dozor ENABLE_EXPORTS ON
  RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})

include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/dozor)
install(TARGETS dozor EXPORT dozor-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS dozor-bin RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${PROJECT_SOURCE_DIR}/core/include/dozor.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/lua/dozor/_meta DESTINATION ${CMAKE_INSTALL_DATADIR}/dozor/lua/dozor)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/behaviors DESTINATION ${CMAKE_INSTALL_DATADIR}/dozor)
install(EXPORT dozor-targets NAMESPACE dozor:: DESTINATION ${package})
configure_file(${CMAKE_CURRENT_LIST_DIR}/package/dozor.pc.in ${CMAKE_CURRENT_BINARY_DIR}/dozor.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/dozor.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/dozor-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_LIST_DIR}/package/dozor-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/dozor-config-version.cmake DESTINATION ${package})
