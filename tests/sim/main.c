/* main.c - the command line of the simulator.
 * Owns:    nothing.
 *
 *   dozor-sim --seed S [--time MS] [--hosts N] [--no-faults] [--no-load] [--trace]   one run
 *   dozor-sim --seeds N [--first S] [--stop | --caught] [--jobs N]
 *       the runs S .. S + N - 1, several at once; with --stop up to the first that fails, with --caught one has to
 *   dozor-sim --seed S --replay                                                      one run twice: the same hash?
 *   dozor-sim --regressions FILE                                                     the command lines in a file */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "sim.h"

#define JOBS_MAX 64u

struct settings {
    struct sim_options run;
    uint64_t seeds;
    bool replay;
    bool stop;
    bool caught; /* a failure is what is wanted */
    unsigned jobs;
    const char *regressions;
};

static int usage(void)
{
    fprintf(stderr, "usage: dozor-sim [--seed S | --seeds N [--first S] [--stop | --caught] [--jobs N] | --regressions FILE]\n"
                    "                 [--time MS] [--hosts N] [--no-faults] [--no-load] [--trace] [--replay]\n");
    return 2;
}

/* The words from `i` on; false when one is not understood. */
static bool read_words(struct settings *s, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--trace") == 0)
            s->run.trace = true;
        else if (strcmp(argv[i], "--no-faults") == 0)
            s->run.faults = false;
        else if (strcmp(argv[i], "--no-load") == 0)
            s->run.load = false;
        else if (strcmp(argv[i], "--replay") == 0)
            s->replay = true;
        else if (strcmp(argv[i], "--stop") == 0)
            s->stop = true;
        else if (strcmp(argv[i], "--caught") == 0)
            s->stop = s->caught = true;
        else if (!value)
            return false;
        else if (strcmp(argv[i], "--seed") == 0 || strcmp(argv[i], "--first") == 0)
            s->run.seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seeds") == 0)
            s->seeds = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--time") == 0)
            s->run.time_ms = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--hosts") == 0)
            s->run.hosts = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--jobs") == 0)
            s->jobs = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--regressions") == 0)
            s->regressions = argv[++i];
        else
            return false;
    }
    return s->run.hosts >= 2 && s->run.hosts <= DZ_SIM_HOSTS_MAX && s->jobs >= 1 && s->jobs <= JOBS_MAX;
}

static void defaults(struct settings *s)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    *s = (struct settings){.jobs = cpus < 1 ? 1 : cpus > JOBS_MAX ? JOBS_MAX : (unsigned)cpus, .run = {.seed = 1, .hosts = 5, .time_ms = 60000, .faults = true, .load = true}};
}

static void tell_how_to_replay(const struct sim_options *o)
{
    printf("  replay: dozor-sim --seed %" PRIu64 " --time %" PRIu64 " --hosts %u%s%s --trace\n", o->seed, o->time_ms,
           o->hosts, o->faults ? "" : " --no-faults", o->load ? "" : " --no-load");
}

/* In a process of its own: a run that aborts fails alone. */
static pid_t begin_apart(const struct sim_options *o)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    int result = sim_run(o, NULL);
    fflush(stdout);
    _exit(result);
}

static int run_apart(const struct sim_options *o)
{
    int status = 0;
    pid_t pid = begin_apart(o);
    if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0)
        return 0;
    tell_how_to_replay(o);
    return 1;
}

/* --- many seeds, several at once --- */

struct crowd {
    struct settings *settings;
    struct { pid_t pid; uint64_t seed; } jobs[JOBS_MAX];
    uint64_t begun, ended, failures, first_failure;
};

static uint64_t real_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void begin_one(struct crowd *c)
{
    struct sim_options o = c->settings->run;
    unsigned i = 0;
    while (c->jobs[i].pid)
        i++;
    o.seed += c->begun++;
    c->jobs[i].seed = o.seed;
    c->jobs[i].pid = begin_apart(&o);
    if (c->jobs[i].pid < 0) {
        perror("dozor-sim: fork");
        exit(2);
    }
}

static void end_one(struct crowd *c)
{
    int status = 0;
    pid_t pid = waitpid(-1, &status, 0);
    for (unsigned i = 0; i < c->settings->jobs; i++) {
        if (c->jobs[i].pid != pid)
            continue;
        c->jobs[i].pid = 0;
        c->ended++;
        if (status == 0)
            return;
        struct sim_options o = c->settings->run;
        o.seed = c->jobs[i].seed;
        tell_how_to_replay(&o);
        if (c->failures++ == 0 || o.seed < c->first_failure)
            c->first_failure = o.seed;
    }
}

static int run_many(struct settings *s)
{
    struct crowd c = {.settings = s};
    uint64_t began = real_ms();
    s->run.quiet = true;
    for (;;) {
        bool more = c.begun < s->seeds && !(c.failures && s->stop);
        if (more && c.begun - c.ended < s->jobs)
            begin_one(&c);
        else if (c.begun > c.ended)
            end_one(&c);
        else
            break;
    }
    double seconds = (double)(real_ms() - began + 1) / 1000;
    printf("%" PRIu64 " seeds, %" PRIu64 " failed; %.0f schedules a minute, %.0f simulated seconds a second\n", c.ended,
           c.failures, (double)c.ended * 60 / seconds, (double)(c.ended * sim_simulated_ms(&s->run)) / 1000 / seconds);
    if (s->caught && c.failures)
        printf("caught by seed %" PRIu64 ", the %" PRIu64 ". tried\n", c.first_failure, c.first_failure - s->run.seed + 1);
    return s->caught ? !c.failures : c.failures > 0;
}

/* Each line: options, then what it was about behind a '#'. */
static int run_regressions(const char *path)
{
    char line[512];
    int failures = 0, count = 0;
    FILE *f = fopen(path, "r");
    if (!f) {
        fprintf(stderr, "cannot read %s\n", path);
        return 2;
    }
    while (fgets(line, sizeof line, f)) {
        struct settings s;
        char *words[32], *save = NULL;
        int n = 0;
        line[strcspn(line, "#\n")] = 0;
        for (char *w = strtok_r(line, " ", &save); w && n < 32; w = strtok_r(NULL, " ", &save))
            words[n++] = w;
        defaults(&s);
        if (n == 0)
            continue;
        failures += !read_words(&s, n, words) || run_apart(&s.run);
        count++;
    }
    fclose(f);
    printf("%d regressions, %d failed\n", count, failures);
    return failures > 0;
}

int main(int argc, char **argv)
{
    struct settings s;
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    defaults(&s);
    if (!read_words(&s, argc - 1, argv + 1))
        return usage();
    if (s.regressions)
        return run_regressions(s.regressions);
    if (s.seeds)
        return run_many(&s);
    uint64_t hash = 0, again = 0;
    int failed = sim_run(&s.run, &hash);
    if (s.replay)
        failed |= sim_run(&s.run, &again) || hash != again;
    if (s.replay && hash != again)
        printf("the same seed, another run\n");
    if (failed)
        tell_how_to_replay(&s.run);
    return failed;
}
