/* main.c - the command line of the simulator.
 * Owns:    nothing.
 *
 *   dozor-sim --seed S [--time MS] [--hosts N] [--no-faults] [--no-load] [--trace]   one run
 *   dozor-sim --seeds N [--first S] [--stop]   the runs S .. S + N - 1, with --stop up to the first that fails
 *   dozor-sim --seed S --replay                                                      one run twice: the same hash?
 *   dozor-sim --regressions FILE                                                     the command lines in a file */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "sim.h"

struct settings {
    struct sim_options run;
    uint64_t seeds;
    bool replay;
    bool stop;
    const char *regressions;
};

static int usage(void)
{
    fprintf(stderr, "usage: dozor-sim [--seed S | --seeds N [--first S] [--stop] | --regressions FILE] [--time MS] [--hosts N]\n"
                    "                 [--no-faults] [--no-load] [--trace] [--replay]\n");
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
        else if (strcmp(argv[i], "--regressions") == 0)
            s->regressions = argv[++i];
        else
            return false;
    }
    return s->run.hosts >= 2 && s->run.hosts <= SIM_HOSTS_MAX;
}

static void defaults(struct settings *s)
{
    *s = (struct settings){.run = {.seed = 1, .hosts = 5, .time_ms = 60000, .faults = true, .load = true}};
}

static void tell_how_to_replay(const struct sim_options *o)
{
    printf("  replay: dozor-sim --seed %" PRIu64 " --time %" PRIu64 " --hosts %u%s%s --trace\n", o->seed, o->time_ms,
           o->hosts, o->faults ? "" : " --no-faults", o->load ? "" : " --no-load");
}

/* In a process of its own: a run that aborts fails alone. */
static int run_apart(const struct sim_options *o)
{
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int result = sim_run(o, NULL);
        fflush(stdout);
        _exit(result);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
        tell_how_to_replay(o);
        return 1;
    }
    return 0;
}

static int run_many(struct settings *s)
{
    uint64_t failures = 0, first = s->run.seed;
    for (uint64_t i = 0; i < s->seeds && !(failures && s->stop); i++) {
        s->run.seed = first + i;
        failures += (uint64_t)run_apart(&s->run);
    }
    printf("%" PRIu64 " seeds, %" PRIu64 " failed\n", s->seeds, failures);
    return failures > 0;
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
