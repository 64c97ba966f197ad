dz_unit_test(net frame handshake reassembly session channel tls link hub transport_uv)
