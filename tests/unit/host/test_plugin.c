/* test_plugin.c - shared libraries that add behaviours: loaded, refused, and what is said about it. */
#include "hosted.h"

#include "host/plugin.h"

static int load(struct hosted *f, const char *path, char *why, size_t size)
{
    char *text = NULL;
    int err = dz_host_load_plugin(f->host, path, &text);
    snprintf(why, size, "%s", text ? text : "");
    free(text);
    return err;
}

static void a_plugin_adds_its_behaviours_to_this_host(void **state)
{
    struct hosted *f = *state;
    char why[256];
    dz_process p;
    dz_reader value;
    assert_int_equal(load(f, PLUGIN_GOOD, why, sizeof why), 0);
    assert_string_equal(why, "");
    assert_int_equal(hosted_spawn(f, "sample", "{}", NULL, &p), 0);
    assert_int_equal(hosted_call(f, p, "1", &value), 0);
    assert_true(dz_reader_is(&value, "from the plug-in"));
}

static void loaded_twice_its_own_refusal_is_passed_on(void **state)
{
    struct hosted *f = *state;
    char why[256];
    assert_int_equal(load(f, PLUGIN_GOOD, why, sizeof why), 0);
    assert_int_equal(load(f, PLUGIN_GOOD, why, sizeof why), DZ_EEXIST);
    assert_string_equal(why, dz_err_text(DZ_EEXIST));
}

static void a_file_that_is_missing_or_no_library_is_told_by_the_loader(void **state)
{
    struct hosted *f = *state;
    char why[512];
    assert_int_equal(load(f, "/nowhere/plugin.so", why, sizeof why), DZ_EIO);
    expect_text(why, "/nowhere/plugin.so");
    assert_int_equal(load(f, files_write(&f->files, "text.so", "no library"), why, sizeof why), DZ_EIO);
    expect_text(why, "text.so");
    assert_int_equal(dz_host_load_plugin(f->host, "/nowhere/plugin.so", NULL), DZ_EIO);
}

static void a_library_without_the_entry_point_is_refused(void **state)
{
    struct hosted *f = *state;
    char why[256];
    assert_int_equal(load(f, PLUGIN_NO_ENTRY, why, sizeof why), DZ_EARGUMENT);
    expect_text(why, "dozor_plugin");
}

static void what_the_entry_point_returns_is_the_error_and_no_positive_number(void **state)
{
    struct hosted *f = *state;
    char why[256];
    assert_int_equal(load(f, PLUGIN_REFUSES, why, sizeof why), DZ_EAUTH);
    assert_string_equal(why, dz_err_text(DZ_EAUTH));
    assert_int_equal(load(f, PLUGIN_ODD, why, sizeof why), DZ_EARGUMENT);
}

static void a_script_loads_one_and_spawns_its_behaviour(void **state)
{
    struct hosted *f = *state;
    char script[1024];
    hosted_ear(f);
    snprintf(script, sizeof script,
             "local dozor = require 'dozor'\n"
             "dozor.load_native('%s')\n"
             "dozor.send('ear', dozor.call(dozor.spawn('sample'), 'hello'))\n"
             "local ok, err = pcall(dozor.load_native, '/nowhere.so')\n"
             "dozor.send('ear', err.code)\n", PLUGIN_GOOD);
    hosted_run_script(f, script);
    seen_await(&f->heard, 2);
    assert_string_equal(f->heard.all, "\"from the plug-in\";\"io\";");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOSTED(a_plugin_adds_its_behaviours_to_this_host),
        HOSTED(loaded_twice_its_own_refusal_is_passed_on),
        HOSTED(a_file_that_is_missing_or_no_library_is_told_by_the_loader),
        HOSTED(a_library_without_the_entry_point_is_refused),
        HOSTED(what_the_entry_point_returns_is_the_error_and_no_positive_number),
        HOSTED(a_script_loads_one_and_spawns_its_behaviour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
