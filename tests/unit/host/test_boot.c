/* test_boot.c - what a launched node is told through its pipe, and what the first node then starts. */
#include "hosted.h"

#include "host/boot.h"

static struct dz_up_settings up;

static void read_up(const char *text)
{
    struct dz_config_error error;
    struct dz_buf term = literal(text);
    if (dz_up_settings_read(&up, term.data, term.len, &error))
        fail_msg("%s", error.message);
    dz_buf_fini(&term);
}

/* Through a pipe, as the launcher sends it. */
static int read_bytes(struct dz_boot *boot, const void *data, size_t len)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], data, len), (ssize_t)len);
    close(fds[1]);
    int err = dz_boot_read(boot, fds[0]);
    assert_int_equal(fcntl(fds[0], F_GETFD), -1); /* it was closed */
    return err;
}

static int read_text(struct dz_boot *boot, const char *text)
{
    struct dz_buf term = literal(text);
    int err = read_bytes(boot, term.data, term.len);
    dz_buf_fini(&term);
    return err;
}

/* What node `index` is told, as text. */
static void told(size_t index, struct dz_boot *boot, char *cluster, size_t size)
{
    struct dz_buf bytes;
    dz_buf_init(&bytes);
    assert_int_equal(dz_boot_write(&bytes, &up, index), 0);
    assert_int_equal(read_bytes(boot, bytes.data, bytes.len), 0);
    dz_term_print(boot->cluster, boot->cluster_len, cluster, size);
    dz_buf_fini(&bytes);
}

static void each_node_is_told_its_own_place_and_only_the_first_what_to_start(void **state)
{
    struct dz_boot boot;
    char cluster[1024], nodes[256];
    (void)state;
    read_up("{ cluster = { attributes = { zone = \"all\" }, down_after_ms = 7000 }, supervisors = { { children = {} } },"
            "  nodes = { { id = \"a@127.0.0.1:1001\" }, { id = \"b@127.0.0.1:1002\", attributes = { zone = \"b\" } } } }");
    told(0, &boot, cluster, sizeof cluster);
    expect_text(cluster, "node_name = \"a\"");
    expect_text(cluster, "port = 1001");
    expect_text(cluster, "zone = \"all\"");
    expect_text(cluster, "down_after_ms = 7000");
    expect_text(cluster, "seeds = {\"a@127.0.0.1:1001\", \"b@127.0.0.1:1002\"}");
    dz_term_print(boot.nodes, boot.nodes_len, nodes, sizeof nodes);
    assert_string_equal(nodes, "{\"a@127.0.0.1:1001\", \"b@127.0.0.1:1002\"}");
    assert_non_null(boot.supervisors);
    dz_boot_fini(&boot);
    told(1, &boot, cluster, sizeof cluster);
    expect_text(cluster, "node_name = \"b\"");
    expect_text(cluster, "zone = \"b\"");
    assert_null(boot.supervisors);
    dz_boot_fini(&boot);
    dz_up_settings_fini(&up);
}

static void seeds_that_are_given_stay(void **state)
{
    struct dz_boot boot;
    char cluster[1024];
    (void)state;
    read_up("{ cluster = { seeds = { \"z@127.0.0.1:9\" } }, nodes = { { id = \"a@127.0.0.1:1001\" } } }");
    told(0, &boot, cluster, sizeof cluster);
    expect_text(cluster, "seeds = {\"z@127.0.0.1:9\"}");
    assert_int_equal(up.cluster.seeds.count, 1);
    dz_boot_fini(&boot);
    dz_up_settings_fini(&up);
}

static void bytes_that_are_no_such_map_are_refused(void **state)
{
    static const char *const texts[] = { "{ 1 }", "{ cluster = {} }", "{ nodes = {} }", "5" };
    struct dz_boot boot;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(read_text(&boot, texts[i]), DZ_EFORMAT);
        dz_boot_fini(&boot);
    }
    assert_int_not_equal(read_bytes(&boot, "\x82\xa1", 2), 0);
    dz_boot_fini(&boot);
    assert_int_not_equal(read_bytes(&boot, "", 0), 0);
    dz_boot_fini(&boot);
}

static void a_descriptor_that_cannot_be_read_is_an_error(void **state)
{
    struct dz_boot boot;
    (void)state;
    assert_int_equal(dz_boot_read(&boot, open("/", O_RDONLY | O_CLOEXEC)), DZ_EIO);
    dz_boot_fini(&boot);
}

static bool the_last_runs(struct hosted *f)
{
    return !dz_process_is_none(dz_host_whereis(f->host, "two"));
}

static void the_supervisors_start_one_after_another(void **state)
{
    struct hosted *f = *state;
    struct dz_boot boot;
    assert_int_equal(read_text(&boot, "{ cluster = {}, nodes = { \"local@127.0.0.1:0\" }, supervisors = {"
                                      "  { name = \"one\", children = {} }, { name = \"two\", children = {} } } }"), 0);
    dz_boot_begin(&boot, f->host);
    hosted_until(f, the_last_runs);
    assert_false(dz_process_is_none(dz_host_whereis(f->host, "one")));
    dz_boot_fini(&boot);
}

static void without_supervisors_nothing_happens(void **state)
{
    struct hosted *f = *state;
    struct dz_boot boot;
    assert_int_equal(read_text(&boot, "{ cluster = {}, nodes = { \"other@127.0.0.1:1\" } }"), 0);
    dz_boot_begin(&boot, f->host);
    dz_boot_fini(&boot);
}

static void one_that_does_not_start_ends_the_host_with_code_one(void **state)
{
    static struct capture captured;
    struct hosted *f = *state;
    struct dz_boot boot;
    assert_int_equal(read_text(&boot, "{ cluster = {}, nodes = {}, supervisors = { { name = \"one\", children = {} },"
                                      "  { children = { { id = \"c\", behavior = \"nobody knows it\" } } } } }"), 0);
    capture_begin(&captured);
    dz_boot_begin(&boot, f->host);
    int code = dz_host_wait(f->host);
    capture_end(&captured);
    assert_int_equal(code, 1);
    expect_text(captured.err, "dozor: a supervisor did not start: behavior_not_found: ");
    expect_text(captured.err, "nobody knows it");
    dz_boot_fini(&boot);
}

static bool has_warned(struct hosted *f)
{
    return strstr(hosted_log(f), "the supervisors wait for a node that is not up") != NULL;
}

static void a_node_that_is_not_up_is_waited_for_and_told_once(void **state)
{
    struct hosted *f = *state;
    struct dz_boot boot;
    assert_int_equal(read_text(&boot, "{ cluster = {}, nodes = { \"local@127.0.0.1:0\", \"late@127.0.0.1:1\" },"
                                      "  supervisors = { { children = {} } } }"), 0);
    dz_boot_begin(&boot, f->host);
    hosted_sync(f);
    assert_false(has_warned(f));
    hosted_skip(f, 10001);
    hosted_until(f, has_warned);
    expect_text(f->logged, "node=late@127.0.0.1:1");
    for (int i = 0; i < 5; i++)
        hosted_skip(f, 10001);
    assert_null(strstr(strstr(hosted_log(f), "the supervisors wait") + 1, "the supervisors wait"));
    assert_int_equal(dz_host_process_count(f->host), 0);
    dz_host_stop(f->host, 0);
    assert_int_equal(dz_host_wait(f->host), 0);
    dz_boot_fini(&boot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_node_is_told_its_own_place_and_only_the_first_what_to_start),
        cmocka_unit_test(seeds_that_are_given_stay),
        cmocka_unit_test(bytes_that_are_no_such_map_are_refused),
        cmocka_unit_test(a_descriptor_that_cannot_be_read_is_an_error),
        HOSTED(the_supervisors_start_one_after_another),
        HOSTED(without_supervisors_nothing_happens),
        HOSTED(one_that_does_not_start_ends_the_host_with_code_one),
        HOSTED(a_node_that_is_not_up_is_waited_for_and_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
