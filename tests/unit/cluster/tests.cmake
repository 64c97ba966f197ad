# Hosts in these tests talk over tests/support/mem_transport.c.
function(dz_cluster_test)
  foreach(file ${ARGN})
    dz_unit_test(cluster ${file})
    target_sources(test_cluster_${file} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/../support/mem_transport.c)
    target_include_directories(test_cluster_${file} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/../support)
  endforeach()
endfunction()

dz_cluster_test(cluster events exchange globals globals_ask globals_table mesh place_ports places remote remote_serve router sessions view)
target_compile_definitions(test_cluster_mesh PRIVATE MEM_HOSTS=50 WORLD_HOSTS=50)
dz_unit_test(cluster config detector envelope frames membership membership_query node placement routes)
