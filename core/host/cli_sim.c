/* cli_sim.c - `dozor sim`: a cluster under a simulator, once for each seed.
 * Owns:    a process for each run.
 * Threads: the main thread.
 * Fails:   misuse: 2; a run in which something was not true: 1. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "host/cli.h"
#include "host/sim_run.h"
#include "host/sim_same.h"
#include "term/build.h"

#define JOBS_MAX   64u
#define PATH_BYTES 4096
#define HASH_FD    3 /* where a run's process writes the hash */

struct sim {
    struct dz_sim_options run;
    struct dz_up_settings up;
    struct dz_cli_host host;
    struct dz_config_list behaviors;
    char dir[PATH_BYTES];
    uint64_t seeds, first, nodes, jobs;
    bool single; /* --seed */
    bool replay;
    bool here; /* --one: this process is that of one run */
    int argc;
    char **argv;
};

/* --- options --- */

static int take_number(uint64_t *out, const char *value, uint64_t least, uint64_t most, struct dz_buf *why)
{
    char *end;
    errno = 0;
    uint64_t n = strtoull(value, &end, 10);
    if (errno || end == value || *end || *value == '-' || n < least || n > most) {
        dz_buf_printf(why, "'%s' is not a number from %" PRIu64 " to %" PRIu64, value, least, most);
        return DZ_ECONFIG;
    }
    *out = n;
    return DZ_OK;
}

static int take_seed(void *ctx, const char *value, struct dz_buf *why)
{
    struct sim *sim = ctx;
    sim->single = true;
    return take_number(&sim->first, value, 0, UINT64_MAX, why);
}

static int take_seeds(void *ctx, const char *value, struct dz_buf *why)
{
    return take_number(&((struct sim *)ctx)->seeds, value, 1, UINT32_MAX, why);
}

static int take_first(void *ctx, const char *value, struct dz_buf *why)
{
    return take_number(&((struct sim *)ctx)->first, value, 0, UINT64_MAX, why);
}

static int take_time(void *ctx, const char *value, struct dz_buf *why)
{
    return take_number(&((struct sim *)ctx)->run.storm_ms, value, 1, 24u * 3600u * 1000u, why);
}

static int take_nodes(void *ctx, const char *value, struct dz_buf *why)
{
    return take_number(&((struct sim *)ctx)->nodes, value, 1, DZ_SIM_HOSTS_MAX, why);
}

static int take_jobs(void *ctx, const char *value, struct dz_buf *why)
{
    return take_number(&((struct sim *)ctx)->jobs, value, 1, JOBS_MAX, why);
}

static bool find_fault(const char *word, size_t len, unsigned *kind)
{
    const char *name;
    for (*kind = 0; (name = dz_sim_fault_name(*kind)) != NULL; ++*kind)
        if (strlen(name) == len && memcmp(name, word, len) == 0)
            return true;
    return false;
}

static int take_faults(void *ctx, const char *value, struct dz_buf *why)
{
    struct sim *sim = ctx;
    unsigned kind;
    sim->run.kinds = 0;
    if (strcmp(value, "none") == 0)
        return DZ_OK;
    while (*value) {
        size_t len = strcspn(value, ",");
        if (!find_fault(value, len, &kind)) {
            dz_buf_printf(why, "'%.*s' is none of cut, stall, partition, freeze, crash, slow (or none)", (int)len, value);
            return DZ_ECONFIG;
        }
        sim->run.kinds |= 1u << kind;
        value += len + (value[len] == ',');
    }
    return DZ_OK;
}

static int take_behaviors(void *ctx, const char *value, struct dz_buf *why)
{
    struct stat st;
    if (stat(value, &st) != 0 || !S_ISDIR(st.st_mode)) {
        dz_buf_printf(why, "%s is not a directory", value);
        return DZ_ECONFIG;
    }
    return dz_config_list_push(&((struct sim *)ctx)->behaviors, value, strlen(value));
}

static int take_trace(void *ctx, const char *value, struct dz_buf *why)
{
    (void)value, (void)why;
    ((struct sim *)ctx)->run.trace = true;
    return DZ_OK;
}

static int take_replay(void *ctx, const char *value, struct dz_buf *why)
{
    (void)value, (void)why;
    ((struct sim *)ctx)->replay = true;
    return DZ_OK;
}

static int take_one(void *ctx, const char *value, struct dz_buf *why)
{
    struct sim *sim = ctx;
    sim->here = true;
    return take_number(&sim->run.seed, value, 0, UINT64_MAX, why);
}

static const struct dz_cli_option sim_options[] = {
    { "--seeds", "N", "so many runs, each with a seed of its own (default 100)", take_seeds },
    { "--first", "S", "the first of these seeds (default 1)", take_first },
    { "--seed", "S", "one run", take_seed },
    { "--trace", NULL, "tell what happens in it", take_trace },
    { "--replay", NULL, "play it twice: is it the same run?", take_replay },
    { "--time", "MS", "simulated time in which faults come (default 30000)", take_time },
    { "--faults", "KIND,...", "cut, stall, partition, freeze, crash, slow or none (default: all)", take_faults },
    { "--nodes", "N", "the file is a script, to be run on so many nodes", take_nodes },
    { "--behaviors", "DIR", "one more directory searched for behaviours (may be repeated)", take_behaviors },
    { "--jobs", "N", "runs at once (default: one per core)", take_jobs },
    { "--one", "S", NULL, take_one }, /* the process of one run */
    { NULL, NULL, NULL, NULL },
};

/* --- the cluster --- */

/* A config that runs the script on each of N nodes. */
static int make_config(const char *path, uint64_t nodes, struct dz_up_settings *up)
{
    struct dz_buf value;
    struct dz_build b;
    struct dz_config_error error = {.message = ""};
    char id[32];
    dz_buf_init(&value);
    dz_build_init(&b, &value);
    dz_build_map(&b, 1);
    dz_build_key(&b, "nodes");
    dz_build_array(&b, (uint32_t)nodes);
    for (uint64_t i = 1; i <= nodes; i++) {
        snprintf(id, sizeof id, "n%" PRIu64 "@127.0.0.1:%" PRIu64, i, 4000 + i);
        dz_build_map(&b, 2);
        dz_build_kstring(&b, "id", id);
        dz_build_kstring(&b, "script", path);
    }
    int err = dz_build_done(&b);
    err = err ? err : dz_up_settings_read(up, value.data, value.len, &error);
    dz_buf_fini(&value);
    return err ? dz_cli_fail(DZ_EXIT_FAILED, "%s", error.message[0] ? error.message : dz_err_text(err)) : 0;
}

/* Paths of a config are beside it. */
static int complete(const struct sim *sim, char **path)
{
    char whole[2 * PATH_BYTES];
    if ((*path)[0] == '/' || strcmp(sim->dir, ".") == 0)
        return DZ_OK;
    int len = snprintf(whole, sizeof whole, "%s/%s", sim->dir, *path);
    char *copy = dz_strndup(whole, (size_t)len);
    if (!copy)
        return DZ_ENOMEM;
    dz_free(*path);
    *path = copy;
    return DZ_OK;
}

static int complete_all(struct sim *sim)
{
    int err = DZ_OK;
    for (size_t i = 0; i < sim->up.behaviors.count && !err; i++)
        err = complete(sim, &sim->up.behaviors.items[i]);
    for (size_t i = 0; i < sim->up.node_count && !err; i++) {
        struct dz_up_node *n = &sim->up.nodes[i];
        if (n->script)
            err = complete(sim, &n->script);
        for (size_t k = 0; k < n->behaviors.count && !err; k++)
            err = complete(sim, &n->behaviors.items[k]);
    }
    return err;
}

static int read_cluster(struct sim *sim, const char *path)
{
    char beside[PATH_BYTES + 16];
    const char *slash = strrchr(path, '/');
    snprintf(sim->dir, sizeof sim->dir, "%.*s", slash ? (int)(slash - path) + (slash == path) : 1, slash ? path : ".");
    int code = sim->nodes ? make_config(path, sim->nodes, &sim->up)
                          : dz_cli_read_config(path, "; --nodes N runs a script on N nodes", &sim->up);
    if (code)
        return code;
    if (sim->up.node_count > DZ_SIM_HOSTS_MAX)
        return dz_cli_fail(DZ_EXIT_FAILED, "%s: more than %d nodes cannot be simulated", path, DZ_SIM_HOSTS_MAX);
    int err = sim->nodes ? DZ_OK : complete_all(sim);
    snprintf(beside, sizeof beside, "%s/behaviors", sim->dir);
    err = err ? err : dz_config_list_push(&sim->behaviors, beside, strlen(beside));
    if (!err && strcmp(sim->dir, ".") != 0)
        err = dz_config_list_push(&sim->behaviors, "behaviors", strlen("behaviors"));
    return err ? dz_cli_fail(DZ_EXIT_FAILED, "%s", dz_err_text(err)) : 0;
}

/* --- one run, in this process --- */

static int run_here(struct sim *sim)
{
    uint64_t hash = 0;
    sim->run.up = &sim->up;
    sim->run.behaviors = &sim->behaviors;
    sim->run.dir = sim->dir;
    if (!dz_sim_same_random(sim->run.seed))
        fprintf(stderr, "dozor: the kernel does not let its random numbers be replaced: a seed may give different runs\n");
    int failed = dz_sim_run_once(&sim->run, &hash);
    fflush(stdout);
    ssize_t written = write(HASH_FD, &hash, sizeof hash);
    /* Hosts that crashed stand as they stood: nothing is taken down. */
    _exit(written == sizeof hash && !failed ? 0 : 1);
}

/* --- runs, each in a process of its own --- */

struct job {
    pid_t pid; /* 0: none */
    uint64_t seed;
    int hash_fd;
};

/* Does not return. */
static void become_run(const struct sim *sim, uint64_t seed, int hash_fd)
{
    char text[32];
    const char **words = dz_zalloc_must((size_t)sim->argc + 5, sizeof *words);
    snprintf(text, sizeof text, "%" PRIu64, seed);
    words[0] = "dozor";
    words[1] = "sim";
    words[2] = "--one";
    words[3] = text;
    memcpy(words + 4, sim->argv, (size_t)sim->argc * sizeof *words);
    if (!dz_sim_same_addresses())
        fprintf(stderr, "dozor: the kernel does not let addresses stand still: a seed may give different runs\n");
    if (dup2(hash_fd, HASH_FD) == HASH_FD)
        execv("/proc/self/exe", (char *const *)(uintptr_t)words);
    fprintf(stderr, "dozor: /proc/self/exe: %s\n", strerror(errno));
    _exit(DZ_EXIT_FAILED);
}

static int begin_run(const struct sim *sim, uint64_t seed, struct job *job)
{
    int ends[2];
    if (pipe(ends))
        return dz_cli_fail(DZ_EXIT_FAILED, "%s", strerror(errno));
    fflush(stdout);
    *job = (struct job){fork(), seed, ends[0]};
    if (job->pid == 0) {
        close(ends[0]);
        become_run(sim, seed, ends[1]);
    }
    close(ends[1]);
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    return job->pid > 0 ? 0 : dz_cli_fail(DZ_EXIT_FAILED, "%s", strerror(errno));
}

static void tell_how_to_replay(const struct sim *sim, uint64_t seed)
{
    printf("  replay: dozor sim --seed %" PRIu64 " --trace", seed);
    for (int i = 0; i < sim->argc; i++) {
        bool skip = strcmp(sim->argv[i], "--trace") == 0 || strcmp(sim->argv[i], "--replay") == 0;
        bool pair = strcmp(sim->argv[i], "--seeds") == 0 || strcmp(sim->argv[i], "--first") == 0 ||
                    strcmp(sim->argv[i], "--seed") == 0 || strcmp(sim->argv[i], "--jobs") == 0;
        if (!skip && !pair && strncmp(sim->argv[i], "--seed", 6) != 0)
            printf(" %s", sim->argv[i]);
        i += pair;
    }
    printf("\n");
}

/* True when all was well. */
static bool end_run(const struct sim *sim, struct job *job, int status, uint64_t *hash)
{
    bool told = read(job->hash_fd, hash, sizeof *hash) == sizeof *hash;
    close(job->hash_fd);
    job->pid = 0;
    if (status == 0 && told)
        return true;
    if (WIFSIGNALED(status))
        printf("seed %" PRIu64 ": ended by signal %d\n", job->seed, WTERMSIG(status));
    if (!sim->run.trace)
        tell_how_to_replay(sim, job->seed);
    return false;
}

static int run_one(const struct sim *sim, uint64_t seed, uint64_t *hash)
{
    struct job job;
    int status = 0;
    int code = begin_run(sim, seed, &job);
    if (code)
        return code;
    waitpid(job.pid, &status, 0);
    return end_run(sim, &job, status, hash) ? 0 : DZ_EXIT_FAILED;
}

static int run_single(const struct sim *sim)
{
    uint64_t hash = 0, again = 0;
    int code = run_one(sim, sim->first, &hash);
    if (sim->replay) {
        int second = run_one(sim, sim->first, &again);
        code = code ? code : second;
    }
    printf("seed %" PRIu64 ": %s, hash %016" PRIx64 "\n", sim->first, code ? "FAILED" : "ok", hash);
    if (sim->replay && hash != again) {
        printf("played again it was another run, hash %016" PRIx64 "\n", again);
        code = DZ_EXIT_FAILED;
    }
    return code;
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct job *find_job(struct job *jobs, pid_t pid)
{
    for (unsigned i = 0; i < JOBS_MAX; i++)
        if (jobs[i].pid == pid)
            return &jobs[i];
    return NULL;
}

static int run_many(const struct sim *sim)
{
    struct job jobs[JOBS_MAX] = {0};
    uint64_t begun = 0, ended = 0, failures = 0, hash;
    double began = seconds_now();
    while (ended < sim->seeds) {
        int status;
        if (begun < sim->seeds && begun - ended < sim->jobs) {
            if (begin_run(sim, sim->first + begun++, find_job(jobs, 0)))
                return DZ_EXIT_FAILED;
            continue;
        }
        struct job *job = find_job(jobs, waitpid(-1, &status, 0));
        if (!job)
            continue;
        ended++;
        failures += !end_run(sim, job, status, &hash);
    }
    double passed = seconds_now() - began + 0.001;
    printf("%" PRIu64 " seeds, %" PRIu64 " failed; %.0f schedules a minute, %.0f simulated seconds a second\n", sim->seeds,
           failures, (double)sim->seeds * 60 / passed,
           (double)(sim->seeds * dz_sim_run_ms(&sim->run)) / 1000 / passed);
    return failures ? DZ_EXIT_FAILED : 0;
}

/* --- the command --- */

static int begin(struct sim *sim, const char *path)
{
    int code = 0;
    if (sim->replay && !sim->single)
        return dz_cli_fail(DZ_EXIT_USAGE, "--replay needs --seed");
    if (sim->run.trace && !sim->single)
        return dz_cli_fail(DZ_EXIT_USAGE, "--trace needs --seed");
    if (access(path, R_OK) != 0)
        return dz_cli_fail(DZ_EXIT_FAILED, "%s: %s", path, strerror(errno));
    code = read_cluster(sim, path);
    if (!code && sim->here)
        return run_here(sim);
    if (!code)
        code = sim->single ? run_single(sim) : run_many(sim);
    return code;
}

static int sim_main(int argc, char **argv)
{
    struct sim sim;
    int first = 0;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    memset(&sim, 0, sizeof sim);
    sim.argc = argc;
    sim.argv = argv;
    sim.seeds = 100;
    sim.first = 1;
    sim.jobs = cpus < 1 ? 1 : cpus > (long)JOBS_MAX ? JOBS_MAX : (uint64_t)cpus;
    sim.run.storm_ms = 30000;
    sim.run.kinds = DZ_SIM_ALL_FAULTS;
    dz_host_settings_init(&sim.host.settings);
    int code = dz_cli_parse(&dz_cli_sim, argc, argv, &sim, &sim.host, &first);
    if (!code && first == argc)
        code = dz_cli_fail(DZ_EXIT_USAGE, "which config or script? usage: dozor %s", dz_cli_sim.usage);
    if (!code && first + 1 < argc)
        code = dz_cli_fail(DZ_EXIT_USAGE, "one file at a time; %s is one too many", argv[first + 1]);
    if (!code)
        code = begin(&sim, argv[first]);
    dz_up_settings_fini(&sim.up);
    dz_config_list_fini(&sim.behaviors);
    dz_config_list_fini(&sim.host.given);
    return code < 0 ? 0 : code;
}

const struct dz_cli_command dz_cli_sim = {
    .name = "sim",
    .usage = "sim [OPTION...] CONFIG.lua",
    .help = "Plays a cluster with clocks, network and chance made from a seed, again and again: connections break, nodes stall, freeze\n"
            "and crash. Then all heals, and what the scripts gave dozor.sim.check must hold. A seed that fails is the same run again.\n"
            "CONFIG.lua is a cluster config as for `dozor up`; with --nodes N any script.",
    .options = sim_options,
    .main = sim_main,
};
