dz_unit_test(net channel frame greeting handshake hub link reassembly session tls traffic transport transport_uv)
target_sources(test_net_hub PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/../support/fault_alloc.c)
target_include_directories(test_net_hub PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/../support)
