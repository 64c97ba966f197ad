/* simulated.h - a cluster for the simulator: configs as text, scripts as files.
 * Owns:    the files of the test, the settings.
 * Threads: one. */
#ifndef DZ_TESTS_HOST_SIMULATED_H
#define DZ_TESTS_HOST_SIMULATED_H

#include "../sup/literal.h"
#include "files.h"
#include "base/err.h"
#include "host/sim_run.h"

#define SIMULATED_A "a@127.0.0.1:4601"
#define SIMULATED_B "b@127.0.0.1:4602"

struct simulated {
    struct files files;
    struct capture captured;
    struct dz_up_settings up;
    struct dz_config_list behaviors;
    struct dz_sim_options options;
};

static inline int simulated_setup(void **state)
{
    struct simulated *s = calloc(1, sizeof *s);
    files_make(&s->files);
    *state = s;
    return 0;
}

static inline int simulated_teardown(void **state)
{
    struct simulated *s = *state;
    dz_up_settings_fini(&s->up);
    files_remove(&s->files);
    free(s);
    return 0;
}

/* So many nodes, a and b, each running this text as its script; NULL: none. */
static inline void simulated_cluster(struct simulated *s, int nodes, const char *script)
{
    static const char *const ids[] = {SIMULATED_A, SIMULATED_B};
    struct dz_config_error error;
    char text[1024] = "{ nodes = {";
    const char *path = script ? files_write(&s->files, "main.lua", script) : NULL;
    for (int i = 0; i < nodes; i++) {
        size_t at = strlen(text);
        if (path)
            snprintf(text + at, sizeof text - at, "{ id = \"%s\", script = \"%s\" },", ids[i], path);
        else
            snprintf(text + at, sizeof text - at, "{ id = \"%s\" },", ids[i]);
    }
    strcat(text, "} }");
    struct dz_buf term = literal(text);
    assert_int_equal(dz_up_settings_read(&s->up, term.data, term.len, &error), 0);
    dz_buf_fini(&term);
    s->options = (struct dz_sim_options){
        .seed = 1, .storm_ms = 2000, .up = &s->up, .behaviors = &s->behaviors, .dir = s->files.dir};
}

#endif
