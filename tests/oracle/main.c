/* main.c - the differential test of our supervisor against OTP's.
 *
 *   oracle [--from S] --seeds N     compares the scripts of N seeds; a difference is shrunk and printed
 *   oracle --seed S                 one seed: prints the script and both traces
 *   oracle --script FILE            the same for a script in a file
 *   oracle --differences            the differences we want, with their reasons
 * and --no-shrink, --beams DIR. Ends with 0 when nothing differs, 77 when there is no Erlang, else 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/assert.h"
#include "base/err.h"
#include "differences.h"
#include "generate.h"
#include "peer.h"
#include "shrink.h"
#include "world.h"

#define EXIT_SKIPPED      77
#define DIFFERENCES_SHOWN 5u
/* An Erlang node that ends this often will not get better. */
#define FAILURES_MAX        3u
#define SCRIPT_FILE_MAX     65536
#define ONE(name, how, why) +1
#define CUTS                (DIFFERENCES(ONE))

struct options {
    uint64_t from;
    uint64_t seeds;
    const char *file;
    const char *beams;
    bool show;
    bool no_shrink;
};

struct oracle {
    struct peer peer;
    const char *beams;
    unsigned cuts[CUTS]; /* by the difference's place in the table */
    unsigned failures;   /* of the peer */
    unsigned long steps;
    unsigned long lines;
};

struct comparison {
    struct trace ours;
    struct trace theirs;
    long differs_at; /* -1: nowhere */
    bool was_cut;
    char cut[TRACE_CUT];
};

static void comparison_fini(struct comparison *c)
{
    trace_fini(&c->ours);
    trace_fini(&c->theirs);
}

/* A peer that fell silent or died is a difference too; the next script gets a new one. */
static void compare(struct oracle *o, const struct script *script, struct comparison *out)
{
    memset(out, 0, sizeof *out);
    trace_init(&out->ours);
    trace_init(&out->theirs);
    world_run(script, &out->ours);
    if (o->peer.pid == 0 && peer_open(&o->peer, o->beams) != 0) {
        fprintf(stderr, "oracle: erl cannot be started\n");
        exit(1);
    }
    if (peer_run(&o->peer, script, &out->theirs) != 0) {
        trace_add(&out->theirs, 0, "the Erlang node ended or fell silent");
        o->failures++;
    }
    out->was_cut = trace_normalise(&out->ours, &out->theirs, script, out->cut);
    out->differs_at = trace_compare(&out->ours, &out->theirs);
}

static void print_buf(struct dz_buf *buf)
{
    fwrite(buf->data, 1, buf->len, stdout);
    dz_buf_fini(buf);
}

static void print_script(const struct script *script)
{
    struct dz_buf buf;
    dz_buf_init(&buf);
    script_write(script, &buf);
    print_buf(&buf);
}

static void print_side(const struct trace *t, const char *whose, long differs_at)
{
    printf("--- %s\n", whose);
    for (size_t i = 0; i < t->count; i++)
        printf("%s %u %s\n", (long)i == differs_at ? ">" : " ", t->lines[i].step, t->lines[i].text);
}

static void print_comparison(const struct script *script, const struct comparison *c)
{
    print_script(script);
    print_side(&c->ours, "ours", c->differs_at);
    print_side(&c->theirs, "OTP", c->differs_at);
    if (c->was_cut)
        printf("--- compared up to an intended difference: %s\n", c->cut);
    printf("--- %s\n", c->differs_at < 0 ? "no difference" : "DIFFERENT");
}

static bool still_differs(void *ctx, const struct script *script)
{
    struct comparison c;
    compare(ctx, script, &c);
    bool differs = c.differs_at >= 0;
    comparison_fini(&c);
    return differs;
}

static void show_smallest(struct oracle *o, const struct script *script, bool no_shrink)
{
    struct script small = *script;
    struct comparison c;
    if (!no_shrink && o->failures == 0)
        shrink(&small, still_differs, o);
    compare(o, &small, &c);
    print_comparison(&small, &c);
    comparison_fini(&c);
}

static void count(struct oracle *o, const struct script *script, const struct comparison *c)
{
    o->steps += script->step_count;
    o->lines += c->ours.count;
    if (!c->was_cut)
        return;
    for (unsigned i = 0; differences[i].name != NULL; i++)
        if (strcmp(differences[i].name, c->cut) == 0) {
            o->cuts[i]++;
            return;
        }
    printf("unknown difference: %s\n", c->cut);
    exit(1);
}

static int run_seeds(struct oracle *o, const struct options *opt)
{
    unsigned long different = 0;
    printf("seeds %llu to %llu\n", (unsigned long long)opt->from,
           (unsigned long long)(opt->from + opt->seeds - 1));
    for (uint64_t i = 0; i < opt->seeds && o->failures < FAILURES_MAX; i++) {
        struct script script;
        struct comparison c;
        generate(&script, opt->from + i);
        compare(o, &script, &c);
        count(o, &script, &c);
        bool differs = c.differs_at >= 0;
        comparison_fini(&c);
        if (!differs)
            continue;
        printf("=== seed %llu differs%s\n", (unsigned long long)(opt->from + i),
               opt->no_shrink ? "" : ", shrunk:");
        if (++different <= DIFFERENCES_SHOWN)
            show_smallest(o, &script, opt->no_shrink);
        fflush(stdout);
    }
    printf("%llu scripts, %lu steps, %lu trace lines, %lu different\n", (unsigned long long)opt->seeds,
           o->steps, o->lines, different);
    for (unsigned i = 0; differences[i].name != NULL; i++)
        if (o->cuts[i] > 0)
            printf("  compared up to %s: %u\n", differences[i].name, o->cuts[i]);
    return different > 0;
}

static int show(struct oracle *o, const struct script *script)
{
    struct comparison c;
    compare(o, script, &c);
    print_comparison(script, &c);
    bool differs = c.differs_at >= 0;
    comparison_fini(&c);
    return differs;
}

static int run_file(struct oracle *o, const struct options *opt)
{
    char text[SCRIPT_FILE_MAX], why[128];
    struct script script;
    FILE *f = fopen(opt->file, "r");
    if (f == NULL) {
        perror(opt->file);
        return 1;
    }
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    if (script_read(&script, text, why, sizeof why) != 0) {
        fprintf(stderr, "%s: %s\n", opt->file, why);
        return 1;
    }
    script_normalise(&script);
    return show(o, &script);
}

static int print_differences(void)
{
    for (const struct difference *d = differences; d->name != NULL; d++)
        printf("%-20s %-7s %s\n", d->name, d->how, d->why);
    return 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: oracle [--from S] --seeds N | --seed S | --script FILE | --differences"
                    " [--no-shrink] [--beams DIR]\n");
    return 2;
}

static bool takes(int argc, char **argv, int *i, const char *name, const char **value)
{
    if (strcmp(argv[*i], name) != 0 || *i + 1 >= argc)
        return false;
    *value = argv[++*i];
    return true;
}

static bool parse(struct options *opt, int argc, char **argv)
{
    const char *value;
    for (int i = 1; i < argc; i++) {
        if (takes(argc, argv, &i, "--seeds", &value)) {
            opt->seeds = strtoull(value, NULL, 10);
        } else if (takes(argc, argv, &i, "--from", &value)) {
            opt->from = strtoull(value, NULL, 10);
        } else if (takes(argc, argv, &i, "--seed", &value)) {
            opt->from = strtoull(value, NULL, 10);
            opt->show = true;
        } else if (takes(argc, argv, &i, "--script", &value)) {
            opt->file = value;
        } else if (takes(argc, argv, &i, "--beams", &value)) {
            opt->beams = value;
        } else if (strcmp(argv[i], "--no-shrink") == 0) {
            opt->no_shrink = true;
        } else {
            return false;
        }
    }
    return opt->show || opt->file != NULL || opt->seeds > 0;
}

static int run(struct oracle *o, const struct options *opt)
{
    struct script script;
    if (opt->file != NULL)
        return run_file(o, opt);
    if (!opt->show)
        return run_seeds(o, opt);
    generate(&script, opt->from);
    return show(o, &script);
}

int main(int argc, char **argv)
{
    struct options opt = {.from = 1, .beams = ORACLE_BEAMS};
    if (argc == 2 && strcmp(argv[1], "--differences") == 0)
        return print_differences();
    if (!parse(&opt, argc, argv))
        return usage();
    if (!peer_available()) {
        printf("oracle: skipped, there is no Erlang here (`erl`, Debian: erlang-base)\n");
        return EXIT_SKIPPED;
    }
    struct oracle o = {.beams = opt.beams};
    int status = run(&o, &opt);
    peer_close(&o.peer);
    return status;
}
