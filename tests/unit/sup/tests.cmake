dz_unit_test(sup strategy intensity backoff selector spec supervisor round loss model)
