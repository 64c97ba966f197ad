#include "world_term.h"

#include <stdio.h>
#include <string.h>
#include "base/assert.h"
#include "base/err.h"
#include "sup/strategy.h"
#include "term/build.h"
#include "term/read.h"

static const char *const autos[] = {"never", "any_significant", "all_significant"};

static bool is_child_of(const struct decl *d, const char *path)
{
    char parent[SCRIPT_PATH];
    script_parent(d->path, parent);
    return strcmp(parent, path) == 0;
}

static const char *restart_name(enum dz_restart restart)
{
    static const char *const names[] = {
        [DZ_PERMANENT] = "permanent", [DZ_TRANSIENT] = "transient", [DZ_TEMPORARY] = "temporary"};
    return names[restart];
}

static void build_args(struct dz_build *b, const char *path)
{
    dz_build_array(b, path != NULL);
    if (path != NULL)
        dz_build_cstring(b, path);
}

static void build_worker(struct dz_build *b, const struct decl *d, bool templated)
{
    dz_build_map(b, templated ? 5 : 6);
    if (!templated)
        dz_build_kstring(b, "id", d->path);
    dz_build_kstring(b, "behavior", "oracle");
    dz_build_key(b, "args");
    build_args(b, templated ? NULL : d->path);
    dz_build_kstring(b, "restart", restart_name(d->restart));
    dz_build_kbool(b, "significant", d->significant);
    dz_build_kstring(b, "shutdown_timeout", d->brutal ? "brutal_kill" : "infinity");
}

static void build_supervisor(struct dz_build *b, const struct script *script, const struct decl *d);

static void build_child(struct dz_build *b, const struct script *script, const struct decl *d)
{
    if (!d->is_sup) {
        build_worker(b, d, false);
        return;
    }
    dz_build_map(b, 4);
    dz_build_kstring(b, "id", d->path);
    dz_build_key(b, "supervisor");
    build_supervisor(b, script, d);
    dz_build_kstring(b, "restart", restart_name(d->restart));
    dz_build_kbool(b, "significant", d->significant);
}

static void build_children(struct dz_build *b, const struct script *script, const struct decl *d)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < script->decl_count; i++)
        count += is_child_of(&script->decls[i], d->path);
    dz_build_key(b, "children");
    dz_build_array(b, count);
    for (unsigned i = 0; i < script->decl_count; i++)
        if (is_child_of(&script->decls[i], d->path))
            build_child(b, script, &script->decls[i]);
}

static void build_supervisor(struct dz_build *b, const struct script *script, const struct decl *d)
{
    dz_build_map(b, 4);
    dz_build_kstring(b, "strategy", dz_strategy_name(d->strategy));
    dz_build_kstring(b, "auto_shutdown", autos[d->auto_shutdown]);
    dz_build_key(b, "restart_intensity");
    dz_build_map(b, 2);
    dz_build_kint(b, "max_restarts", d->max_restarts);
    dz_build_kint(b, "within_ms", (int64_t)d->within_s * 1000);
    if (d->strategy != DZ_SIMPLE_ONE_FOR_ONE) {
        build_children(b, script, d);
        return;
    }
    dz_build_key(b, "child_template");
    for (unsigned i = 0; i < script->decl_count; i++)
        if (is_child_of(&script->decls[i], d->path)) {
            build_worker(b, &script->decls[i], true);
            return;
        }
    dz_build_nil(b);
}

void world_term_supervisor(const struct script *script, const char *path, struct dz_buf *out)
{
    struct dz_build b;
    dz_build_init(&b, out);
    build_supervisor(&b, script, script_decl(script, path));
    dz_assert(dz_build_done(&b) == DZ_OK);
}

void world_term_child(const struct decl *d, struct dz_buf *out)
{
    struct dz_build b;
    dz_build_init(&b, out);
    build_worker(&b, d, false);
    dz_assert(dz_build_done(&b) == DZ_OK);
}

void world_term_args(const char *path, struct dz_buf *out)
{
    struct dz_build b;
    dz_build_init(&b, out);
    build_args(&b, path);
    dz_assert(dz_build_done(&b) == DZ_OK);
}

void world_term_reason(enum ending reason, struct dz_buf *out)
{
    struct dz_build b;
    dz_build_init(&b, out);
    if (reason == ENDING_SHUTDOWN_WITH) {
        dz_build_map(&b, 1);
        dz_build_kstring(&b, "code", "shutdown");
    } else {
        dz_build_cstring(&b, ending_name(reason));
    }
    dz_assert(dz_build_done(&b) == DZ_OK);
}

void world_term_class(const uint8_t *reason, size_t len, char *out, size_t cap)
{
    const char *code;
    size_t n;
    if (!dz_read_find_string(reason, len, "code", &code, &n))
        dz_term_reason_text(reason, len, out, cap);
    else if (n == strlen("shutdown") && memcmp(code, "shutdown", n) == 0)
        snprintf(out, cap, "shutdown_with");
    else if (n == strlen("max_restarts_exceeded") && memcmp(code, "max_restarts_exceeded", n) == 0)
        snprintf(out, cap, "excess");
    else
        snprintf(out, cap, "%.*s", (int)n, code);
}

const char *world_term_answer(int code)
{
    switch (code) {
    case DZ_OK:
        return "ok";
    case DZ_ENOSUPERVISOR:
        return "gone";
    case DZ_EDUPLICATECHILD:
        return "duplicate";
    case DZ_ENOCHILD:
        return "not_found";
    case DZ_ESPEC:
        return "invalid";
    case DZ_ECHILDSTART:
        return "start_failed";
    default:
        return dz_err_name(code);
    }
}

bool world_term_path_in_args(const uint8_t *args, size_t len, char out[SCRIPT_PATH])
{
    struct dz_read r;
    uint32_t count;
    const char *s;
    size_t n;
    dz_read_init(&r, args, len);
    if (dz_read_array(&r, &count) != DZ_OK || count == 0 || dz_read_string(&r, &s, &n) != DZ_OK ||
        n >= SCRIPT_PATH)
        return false;
    memcpy(out, s, n);
    out[n] = 0;
    return true;
}
