dz_unit_test(net frame handshake reassembly session channel tls link hub transport_uv)
target_sources(test_net_hub PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/../support/fault_alloc.c)
target_include_directories(test_net_hub PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/../support)
