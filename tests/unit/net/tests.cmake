dz_unit_test(net frame handshake reassembly session tls transport_uv)
