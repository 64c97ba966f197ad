/* script.h - one script: a tree of supervisors and what happens to it, step by step.
 * Owns:    nothing outside itself: a script is a plain value, copied to be shrunk.
 * Threads: any.
 * Fails:   script_read names the line.
 *
 * One line each; a path is the supervisor's path, "/" and the child's id, the root is "r". Declarations:
 *   sup PATH STRATEGY MAX WITHIN_S AUTO_SHUTDOWN [RESTART significant|plain]
 *   child PATH RESTART patient|brutal significant|plain
 *                               the id "*" is the template of simple_one_for_one
 *   run                         steps follow
 * Steps:
 *   plan PATH VERDICT...        how the next starts of it end: ok, fail, raise, hold; ok when nothing is
 * planned. Plans that stand first are made before the root starts slow PATH                   its next stop
 * lasts until `finish` or `exit` exit PATH REASON            it ends by itself: normal, shutdown,
 * shutdown_with, boom, killed release PATH VERDICT        ends a held start finish PATH                 ends
 * a slow stop start_child PATH RESTART patient|brutal significant|plain terminate PATH | restart PATH time
 * SECONDS | which PATH | stop REASON skip                        nothing A step that begins with "+ " reaches
 * the supervisor at the same moment as the step before it. */
#ifndef ORACLE_SCRIPT_H
#define ORACLE_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "sup/spec.h"

#define SCRIPT_PATH     32
#define SCRIPT_DECLS    32
#define SCRIPT_STEPS    64
#define SCRIPT_VERDICTS 6

struct decl {
    char path[SCRIPT_PATH];
    bool is_sup;
    enum dz_restart restart;
    bool brutal;
    bool significant;
    enum dz_strategy strategy; /* of a supervisor, as what follows */
    unsigned max_restarts;
    unsigned within_s;
    enum dz_auto_shutdown auto_shutdown;
};

enum step_kind {
    STEP_PLAN,
    STEP_SLOW,
    STEP_EXIT,
    STEP_RELEASE,
    STEP_FINISH,
    STEP_START_CHILD,
    STEP_TERMINATE,
    STEP_RESTART,
    STEP_TIME,
    STEP_WHICH,
    STEP_STOP,
    STEP_SKIP,
};

enum verdict { VERDICT_OK, VERDICT_FAIL, VERDICT_RAISE, VERDICT_HOLD };

enum ending { ENDING_NORMAL, ENDING_SHUTDOWN, ENDING_SHUTDOWN_WITH, ENDING_BOOM, ENDING_KILLED };

struct step {
    enum step_kind kind;
    bool joined;
    char path[SCRIPT_PATH];
    enum verdict verdicts[SCRIPT_VERDICTS];
    unsigned verdict_count;
    enum ending reason;
    unsigned seconds;
    struct decl child; /* START_CHILD; its path is the step's */
};

struct script {
    struct decl decls[SCRIPT_DECLS];
    unsigned decl_count;
    struct step steps[SCRIPT_STEPS];
    unsigned step_count;
};

int script_read(struct script *out, const char *text, char *why, size_t why_cap);
void script_write(const struct script *script, struct dz_buf *out);

const char *verdict_name(enum verdict v);
const char *ending_name(enum ending e);

/* The path up to the last "/"; "" for the root. */
void script_parent(const char *path, char out[SCRIPT_PATH]);
const struct decl *script_decl(const struct script *script, const char *path);
bool script_is_simple(const struct script *script, const char *path);
/* How many plans stand first. */
unsigned script_early_plans(const struct script *script);
/* Steps that reach beyond what OTP can do become `skip`, and a group keeps to one supervisor; see
 * differences.h. Idempotent. */
void script_normalise(struct script *script);

#endif
