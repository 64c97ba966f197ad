dz_unit_test(net frame handshake reassembly session hub tls transport_uv)
