#include "term/term.h"

#include <stdio.h>

#include "base/err.h"
#include "sample.h"

static int check_bytes(const char *bytes, size_t len)
{
    uint8_t *copy = sample_exact((const uint8_t *)bytes, len);
    int err = dz_term_check(copy, len, 0);
    free(copy);
    return err;
}

#define CHECK(text) check_bytes(text, sizeof(text) - 1)

static void every_type_passes_the_check(void **state)
{
    (void)state;
    struct dz_buf buf;
    dz_buf_init(&buf);
    sample_all_types(&buf);
    assert_int_equal(dz_term_check(buf.data, buf.len, DZ_TERM_ALLOW_FUNCTIONS), 0);
    dz_buf_fini(&buf);
}

static void functions_pass_only_where_they_are_allowed(void **state)
{
    (void)state;
    static const char function[] = "\x91\xc7\x0d\x05" FUNCTION_BYTES;
    assert_int_equal(CHECK(function), DZ_EFORMAT);
    assert_int_equal(dz_term_check((const uint8_t *)function, sizeof function - 1, DZ_TERM_ALLOW_FUNCTIONS),
                     0);
}

static void exactly_one_value_passes(void **state)
{
    (void)state;
    assert_int_equal(CHECK(""), DZ_EFORMAT);
    assert_int_equal(dz_term_check(NULL, 0, 0), DZ_EFORMAT);
    assert_int_equal(CHECK("\xc0"), 0);
    assert_int_equal(CHECK("\xc0\xc0"), DZ_EFORMAT);
    assert_int_equal(CHECK("\x90\xc0"), DZ_EFORMAT);
    assert_int_equal(CHECK("\x92\xc0\xc0"), 0);
    assert_int_equal(CHECK("\x92\xc0"), DZ_EFORMAT);
}

static void nil_and_nan_are_no_keys(void **state)
{
    (void)state;
    assert_int_equal(CHECK("\x81\x01\xc0"), 0);
    assert_int_equal(CHECK("\x81\xc0\x01"), DZ_EFORMAT);
    assert_int_equal(CHECK("\x81\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00\x01"), DZ_EFORMAT);
    assert_int_equal(CHECK("\x81\x01\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"), 0);
    assert_int_equal(CHECK("\x82\x01\xc0\xc0\x01"), DZ_EFORMAT);
    assert_int_equal(CHECK("\x81\x81\x01\xc0\x90"), 0);          /* a table is a key */
    assert_int_equal(CHECK("\x82\x91\xc0\x01\x02\x03"), 0);      /* nil inside of a key is none itself */
    assert_int_equal(CHECK("\x81\x01\x81\xc0\x01"), DZ_EFORMAT); /* in a nested map */
    assert_int_equal(CHECK("\x82\x01\x91\x05\xc0\x01"), DZ_EFORMAT);
}

static void depth_ends_at_the_limit(void **state)
{
    (void)state;
    uint8_t bytes[2 * DZ_TERM_MAX_DEPTH + 4];
    memset(bytes, 0x91, DZ_TERM_MAX_DEPTH);
    bytes[DZ_TERM_MAX_DEPTH] = 0x05;
    assert_int_equal(dz_term_check(bytes, DZ_TERM_MAX_DEPTH + 1, 0), 0);
    bytes[DZ_TERM_MAX_DEPTH] = 0x90;
    assert_int_equal(dz_term_check(bytes, DZ_TERM_MAX_DEPTH + 1, 0), DZ_ETOODEEP);
    bytes[DZ_TERM_MAX_DEPTH - 1] = 0x80;
    assert_int_equal(dz_term_check(bytes, DZ_TERM_MAX_DEPTH, 0), 0);
    for (size_t i = 0; i <= DZ_TERM_MAX_DEPTH; i++) {
        bytes[2 * i] = 0x81;
        bytes[2 * i + 1] = 0x01;
    }
    bytes[2 * DZ_TERM_MAX_DEPTH + 2] = 0x01;
    assert_int_equal(dz_term_check(bytes, 2 * DZ_TERM_MAX_DEPTH + 3, 0), DZ_ETOODEEP);
    memset(bytes, 0x81, sizeof bytes); /* keys in keys in keys */
    assert_int_equal(dz_term_check(bytes, sizeof bytes, 0), DZ_ETOODEEP);
}

static void size_ends_at_the_limit(void **state)
{
    (void)state;
    size_t len = DZ_TERM_MAX_BYTES;
    uint8_t *bytes = calloc(1, len + 1);
    assert_non_null(bytes);
    uint32_t inside = (uint32_t)len - 5;
    bytes[0] = 0xdb;
    for (int i = 0; i < 4; i++)
        bytes[1 + i] = (uint8_t)(inside >> (24 - 8 * i));
    assert_int_equal(dz_term_check(bytes, len, 0), 0);
    assert_int_equal(dz_term_check(bytes, len + 1, 0), DZ_ETOOLARGE);
    free(bytes);
}

static void every_cut_of_a_value_is_refused(void **state)
{
    (void)state;
    struct dz_buf buf;
    char out[64];
    dz_buf_init(&buf);
    sample_all_types(&buf);
    for (size_t len = 0; len < buf.len; len++) {
        uint8_t *cut = sample_exact(buf.data, len);
        assert_int_equal(dz_term_check(cut, len, DZ_TERM_ALLOW_FUNCTIONS), DZ_EFORMAT);
        assert_true(dz_term_print(cut, len, out, sizeof out) < sizeof out);
        assert_true(dz_term_reason_text(cut, len, out, sizeof out) < sizeof out);
        free(cut);
    }
    dz_buf_fini(&buf);
}

/* Bytes near a good value find more than bytes from nowhere. */
static void mangled_values_are_never_read_outside(void **state)
{
    (void)state;
    struct dz_buf buf;
    uint64_t seed = 41;
    char out[128];
    int passed = 0;
    dz_buf_init(&buf);
    sample_all_types(&buf);
    for (int i = 0; i < 20000; i++) {
        uint8_t *bytes = sample_exact(buf.data, buf.len);
        for (int k = 0; k <= i % 3; k++) {
            uint64_t random = sample_random(&seed);
            bytes[random % buf.len] = (uint8_t)(random >> 32);
        }
        size_t len = i % 5 ? buf.len : sample_random(&seed) % buf.len;
        bool good = dz_term_check(bytes, len, DZ_TERM_ALLOW_FUNCTIONS) == 0;
        size_t written = dz_term_print(bytes, len, out, sizeof out);
        assert_true(written < sizeof out && out[written] == '\0');
        passed += good;
        free(bytes);
    }
    assert_true(passed > 0 && passed < 20000);
    dz_buf_fini(&buf);
}

static bool is_pid(const char *s)
{
    size_t len = strlen(s);
    char *exact = (char *)sample_exact((const uint8_t *)s, len);
    bool yes = dz_term_is_pid(exact, len);
    free(exact);
    return yes;
}

static bool is_ref(const char *s)
{
    size_t len = strlen(s);
    char *exact = (char *)sample_exact((const uint8_t *)s, len);
    bool yes = dz_term_is_ref(exact, len);
    free(exact);
    return yes;
}

static void well_formed_pids_are_pids(void **state)
{
    (void)state;
    assert_true(is_pid(PID));
    assert_true(is_pid("<a@h:0/0.0.0>"));
    assert_true(is_pid("<local@127.0.0.1:0/18446744073709551615.4294967295.4294967295>"));
    assert_true(is_pid("<A-b_9@::1:65535/1.2.3>"));
    assert_true(is_pid("<ref@h:1/1.2.3>"));
    assert_false(is_ref(PID));
}

static void anything_else_is_no_pid(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "<",
        "<>",
        ">",
        "a@h:1/1.2.3",
        "<a@h:1/1.2.3",
        "a@h:1/1.2.3>",
        "<a@h:1/1.2.3> ",
        " <a@h:1/1.2.3>",
        "<a@h:1/1.2.3>>",
        "<a@h:1/1.2>",
        "<a@h:1/1.2.3.4>",
        "<a@h:1/1..3>",
        "<a@h:1/.2.3>",
        "<a@h:1/1.2.>",
        "<a@h:1/01.2.3>",
        "<a@h:1/1.02.3>",
        "<a@h:1/1.2.03>",
        "<a@h:01/1.2.3>",
        "<a@h:65536/1.2.3>",
        "<a@h:/1.2.3>",
        "<a@h/1.2.3>",
        "<a@:1/1.2.3>",
        "<@h:1/1.2.3>",
        "<1a@h:1/1.2.3>",
        "<_a@h:1/1.2.3>",
        "<a b@h:1/1.2.3>",
        "<a@h@i:1/1.2.3>",
        "<a@h>:1/1.2.3>",
        "<a@h\n:1/1.2.3>",
        "<a@h\x7f:1/1.2.3>",
        "<a@h:1/-1.2.3>",
        "<a@h:1/+1.2.3>",
        "<a@h:1/1.2.3a>",
        "<a@h:1/18446744073709551616.2.3>",
        "<a@h:1/99999999999999999999.2.3>",
        "<a@h:1/1.4294967296.3>",
        "<a@h:1/1.2.4294967296>",
        "<a@h:1>",
        REF,
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (is_pid(bad[i]))
            fail_msg("taken for a pid: %s", bad[i]);
}

static void refs_have_one_number_more(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "<ref a@h:1/1.2.3>",
        "<ref a@h:1/1.2.3.>",
        "<ref a@h:1/1.2.3.04>",
        "<ref a@h:1/1.2.3.4.5>",
        "<ref  a@h:1/1.2.3.4>",
        "<refa@h:1/1.2.3.4>",
        "<Ref a@h:1/1.2.3.4>",
        "<ref >",
        "<ref",
        "<ref a@h:1/1.2.3.4",
        "<ref a@h:1/1.2.3.18446744073709551616>",
        PID,
        "",
    };
    assert_true(is_ref(REF));
    assert_true(is_ref("<ref a@h:1/1.2.3.0>"));
    assert_true(is_ref("<ref a@h:1/1.2.3.18446744073709551615>"));
    assert_false(is_pid("<ref a@h:1/1.2.3.4>"));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (is_ref(bad[i]))
            fail_msg("taken for a ref: %s", bad[i]);
}

static void names_and_hosts_have_their_limits(void **state)
{
    (void)state;
    char text[512], name[66], host[257];
    memset(name, 'n', sizeof name);
    memset(host, 'h', sizeof host);
    snprintf(text, sizeof text, "<%.64s@h:1/1.2.3>", name);
    assert_true(is_pid(text));
    snprintf(text, sizeof text, "<%.65s@h:1/1.2.3>", name);
    assert_false(is_pid(text));
    snprintf(text, sizeof text, "<n@%.255s:1/1.2.3>", host);
    assert_true(is_pid(text));
    snprintf(text, sizeof text, "<n@%.256s:1/1.2.3>", host);
    assert_false(is_pid(text));
    assert_false(dz_term_is_pid("<a@h\0:1/1.2.3>", 14));
}

static void every_cut_of_a_name_is_refused(void **state)
{
    (void)state;
    for (size_t len = 0; len < strlen(PID); len++) {
        char *cut = (char *)sample_exact((const uint8_t *)PID, len);
        assert_false(dz_term_is_pid(cut, len));
        assert_false(dz_term_is_ref(cut, len));
        free(cut);
    }
    for (size_t len = 0; len < strlen(REF); len++) {
        char *cut = (char *)sample_exact((const uint8_t *)REF, len);
        assert_false(dz_term_is_ref(cut, len));
        free(cut);
    }
}

static void pids_in_values_must_have_the_form(void **state)
{
    (void)state;
    assert_int_equal(CHECK("\xc7\x0d\x01<a@h:1/1.2.3>"), 0);
    assert_int_equal(CHECK("\xc7\x0d\x01<a@h:1/1.2.x>"), DZ_EFORMAT);
    assert_int_equal(CHECK("\xc7\x0d\x02<a@h:1/1.2.3>"), DZ_EFORMAT);
    assert_int_equal(CHECK("\xc7\x13\x02<ref a@h:1/1.2.3.4>"), 0);
    assert_int_equal(CHECK("\xc7\x00\x01"), DZ_EFORMAT);
}

struct writer {
    struct dz_buf buf;
    struct dz_build b;
    char text[512];
};

static void begin(struct writer *w)
{
    dz_buf_init(&w->buf);
    dz_build_init(&w->b, &w->buf);
}

static const char *printed(struct writer *w)
{
    size_t len = dz_term_print(w->buf.data, w->buf.len, w->text, sizeof w->text);
    assert_int_equal(len, strlen(w->text));
    dz_buf_clear(&w->buf);
    return w->text;
}

static void scalars_print_as_lua_writes_them(void **state)
{
    (void)state;
    struct writer w;
    begin(&w);
    dz_build_nil(&w.b);
    assert_string_equal(printed(&w), "nil");
    dz_build_bool(&w.b, true);
    assert_string_equal(printed(&w), "true");
    dz_build_int(&w.b, INT64_MIN);
    assert_string_equal(printed(&w), "-9223372036854775808");
    dz_build_uint(&w.b, UINT64_MAX);
    assert_string_equal(printed(&w), "18446744073709551615");
    dz_build_int64(&w.b, -3);
    assert_string_equal(printed(&w), "-3LL");
    dz_build_uint64(&w.b, 3);
    assert_string_equal(printed(&w), "3ULL");
    dz_build_number(&w.b, 0.1);
    assert_string_equal(printed(&w), "0.1");
    dz_build_number(&w.b, (double)NAN);
    assert_string_equal(printed(&w), "nan");
    dz_build_number(&w.b, -(double)INFINITY);
    assert_string_equal(printed(&w), "-inf");
    dz_build_string(&w.b, "a\"b\\\n\0\x7f", 7);
    assert_string_equal(printed(&w), "\"a\\\"b\\\\\\n\\000\\127\"");
    dz_build_pid(&w.b, PID, strlen(PID));
    assert_string_equal(printed(&w), PID);
    dz_build_ref(&w.b, REF, strlen(REF));
    assert_string_equal(printed(&w), REF);
    dz_build_ext(&w.b, DZ_EXT_FUNCTION, FUNCTION_BYTES, 13);
    assert_string_equal(printed(&w), "function");
    dz_buf_fini(&w.buf);
}

static void tables_print_as_lua_writes_them(void **state)
{
    (void)state;
    struct writer w;
    begin(&w);
    dz_build_array(&w.b, 3);
    dz_build_int(&w.b, 1);
    dz_build_array(&w.b, 0);
    dz_build_map(&w.b, 4);
    dz_build_kstring(&w.b, "code", "x");
    dz_build_kint(&w.b, "two words", 2);
    dz_build_kbool(&w.b, "end", false);
    dz_build_int(&w.b, 7);
    dz_build_nil(&w.b);
    assert_string_equal(printed(&w),
                        "{1, {}, {code = \"x\", [\"two words\"] = 2, [\"end\"] = false, [7] = nil}}");
    dz_buf_fini(&w.buf);
}

static void malformed_bytes_print_as_such(void **state)
{
    (void)state;
    char out[64];
    dz_term_print((const uint8_t *)"", 0, out, sizeof out);
    assert_string_equal(out, "<malformed>");
    dz_term_print((const uint8_t *)"\x92\x01\xc1", 3, out, sizeof out);
    assert_string_equal(out, "{1, <malformed>");
}

static void every_cap_is_kept(void **state)
{
    (void)state;
    struct dz_buf buf;
    char whole[2048];
    dz_buf_init(&buf);
    sample_all_types(&buf);
    size_t full = dz_term_print(buf.data, buf.len, whole, sizeof whole);
    assert_true(full > 300 && full < sizeof whole - 1);
    assert_int_equal(dz_term_print(buf.data, buf.len, NULL, 0), 0);
    for (size_t cap = 1; cap <= full + 2; cap++) {
        char *out = malloc(cap);
        assert_non_null(out);
        size_t len = dz_term_print(buf.data, buf.len, out, cap);
        assert_int_equal(len, cap > full ? full : cap - 1);
        assert_int_equal(out[len], 0);
        if (cap > full)
            assert_string_equal(out, whole);
        else
            assert_memory_equal(out + (len < 3 ? 0 : len - 3), "...", len < 3 ? len : 3);
        if (cap <= full && len > 3)
            assert_memory_equal(out, whole, len - 3);
        free(out);
    }
    dz_buf_fini(&buf);
}

static void a_cut_leaves_no_half_character(void **state)
{
    (void)state;
    struct writer w;
    char out[9];
    begin(&w);
    dz_build_cstring(&w.b, "ab\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac");
    assert_int_equal(dz_term_reason_text(w.buf.data, w.buf.len, out, sizeof out), 8);
    assert_string_equal(out, "ab\xe2\x82\xac...");
    dz_buf_fini(&w.buf);
}

static const char *reason(struct writer *w)
{
    size_t len = dz_term_reason_text(w->buf.data, w->buf.len, w->text, sizeof w->text);
    assert_int_equal(len, strlen(w->text));
    dz_buf_clear(&w->buf);
    return w->text;
}

static void reasons_are_short(void **state)
{
    (void)state;
    struct writer w;
    begin(&w);
    dz_build_cstring(&w.b, "node_down");
    assert_string_equal(reason(&w), "node_down");
    dz_build_map(&w.b, 2);
    dz_build_kstring(&w.b, "code", "max_restarts_exceeded");
    dz_build_kstring(&w.b, "message", "not this");
    assert_string_equal(reason(&w), "max_restarts_exceeded");
    dz_build_map(&w.b, 3);
    dz_build_kstring(&w.b, "traceback", "...");
    dz_build_kstring(&w.b, "message", "main.lua:3: boom");
    dz_build_kstring(&w.b, "code", "error");
    assert_string_equal(reason(&w), "main.lua:3: boom");
    dz_build_map(&w.b, 2);
    dz_build_kstring(&w.b, "code", "error");
    dz_build_kint(&w.b, "message", 5);
    assert_string_equal(reason(&w), "error");
    dz_build_map(&w.b, 1);
    dz_build_kint(&w.b, "code", 5);
    assert_string_equal(reason(&w), "{code = 5}");
    dz_build_int(&w.b, 12);
    assert_string_equal(reason(&w), "12");
    dz_build_nil(&w.b);
    assert_string_equal(reason(&w), "nil");
    dz_buf_fini(&w.buf);
}

static void reasons_keep_their_cap(void **state)
{
    (void)state;
    struct writer w;
    char out[8];
    begin(&w);
    dz_build_cstring(&w.b, "a long reason");
    assert_int_equal(dz_term_reason_text(w.buf.data, w.buf.len, out, sizeof out), 7);
    assert_string_equal(out, "a lo...");
    assert_int_equal(dz_term_reason_text(w.buf.data, w.buf.len, NULL, 0), 0);
    assert_int_equal(dz_term_reason_text(w.buf.data, w.buf.len, out, 1), 0);
    assert_string_equal(out, "");
    dz_buf_fini(&w.buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_passes_the_check),
        cmocka_unit_test(functions_pass_only_where_they_are_allowed),
        cmocka_unit_test(exactly_one_value_passes),
        cmocka_unit_test(nil_and_nan_are_no_keys),
        cmocka_unit_test(depth_ends_at_the_limit),
        cmocka_unit_test(size_ends_at_the_limit),
        cmocka_unit_test(every_cut_of_a_value_is_refused),
        cmocka_unit_test(mangled_values_are_never_read_outside),
        cmocka_unit_test(well_formed_pids_are_pids),
        cmocka_unit_test(anything_else_is_no_pid),
        cmocka_unit_test(refs_have_one_number_more),
        cmocka_unit_test(names_and_hosts_have_their_limits),
        cmocka_unit_test(every_cut_of_a_name_is_refused),
        cmocka_unit_test(pids_in_values_must_have_the_form),
        cmocka_unit_test(scalars_print_as_lua_writes_them),
        cmocka_unit_test(tables_print_as_lua_writes_them),
        cmocka_unit_test(malformed_bytes_print_as_such),
        cmocka_unit_test(every_cap_is_kept),
        cmocka_unit_test(a_cut_leaves_no_half_character),
        cmocka_unit_test(reasons_are_short),
        cmocka_unit_test(reasons_keep_their_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
