/* test_transport.c - what refusals and the ends of connections are called in logs and events. */
#include "../base/check.h"
#include <string.h>
#include "net/transport.h"

static void every_refusal_has_a_name_of_its_own(void **state)
{
    (void)state;
    static const enum dz_refusal all[] = {
        DZ_REFUSAL_NONE,   DZ_REFUSAL_VERSION,  DZ_REFUSAL_SELF,        DZ_REFUSAL_WRONG_RECEIVER,
        DZ_REFUSAL_STALE,  DZ_REFUSAL_SECRET,   DZ_REFUSAL_BUSY,        DZ_REFUSAL_INSECURE,
        DZ_REFUSAL_DENIED, DZ_REFUSAL_STOPPING, DZ_REFUSAL_GARBAGE,     DZ_REFUSAL_TIMEOUT,
        DZ_REFUSAL_CLOSED, DZ_REFUSAL_CONNECT,  DZ_REFUSAL_UNREACHABLE, DZ_REFUSAL_LIMIT};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        assert_string_not_equal(dz_refusal_name(all[i]), "unknown");
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(dz_refusal_name(all[k]), dz_refusal_name(all[i]));
    }
    assert_string_equal(dz_refusal_name(DZ_REFUSAL_SECRET), "secret_mismatch");
    assert_string_equal(dz_refusal_name(DZ_REFUSAL_CONNECT), "connection_refused");
    assert_string_equal(dz_refusal_name((enum dz_refusal)20), "unknown");
    assert_string_equal(dz_refusal_name((enum dz_refusal)99), "unknown");
}

static void every_end_of_a_connection_has_a_name_of_its_own(void **state)
{
    (void)state;
    const char *names[DZ_PEER_REPLACED + 1];
    for (int i = DZ_PEER_EOF; i <= DZ_PEER_REPLACED; i++) {
        names[i] = dz_peer_closed_name((enum dz_peer_closed)i);
        assert_string_not_equal(names[i], "unknown");
        for (int k = DZ_PEER_EOF; k < i; k++)
            assert_string_not_equal(names[k], names[i]);
    }
    assert_string_equal(dz_peer_closed_name(DZ_PEER_GOODBYE), "goodbye");
    assert_string_equal(dz_peer_closed_name((enum dz_peer_closed)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_refusal_has_a_name_of_its_own),
        cmocka_unit_test(every_end_of_a_connection_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
