/* main.c - a C program that hosts one Lua child and one child written in C under one supervisor.
 *
 *     cc main.c $(pkg-config --cflags --libs dozor) -o embed && ./embed DIRECTORY_OF_THIS_FILE
 *
 * It crashes the C child, sees it restarted, asks both, and stops. */
#include <dozor.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- a behaviour in C: adds up what it is told --- */

static int adder_init(dz_context *context, dz_reader *args, void **state)
{
    uint32_t count;
    int64_t start = 0;
    if (dz_reader_array(args, &count) && count > 0)
        dz_reader_int(args, &start);
    int64_t *sum = malloc(sizeof *sum);
    if (!sum)
        return dz_context_fail(context, -1, "out of memory");
    *sum = start;
    *state = sum;
    return 0;
}

static int adder_call(dz_context *context, void *state, dz_reader *message, dz_from from, dz_builder *reply)
{
    int64_t *sum = state;
    int64_t more;
    (void)from;
    if (dz_reader_is(message, "crash"))
        return dz_context_fail(context, -1, "crashed on request");
    if (!dz_reader_int(message, &more))
        return DZ_UNHANDLED;
    *sum += more;
    dz_builder_int(reply, *sum);
    return 0;
}

static const dz_native_behavior adder = {
    .size = sizeof adder,
    .init = adder_init,
    .call = adder_call,
    .free_state = free,
};

/* --- questions, asked from this thread --- */

static void die(const char *what, int err)
{
    fprintf(stderr, "%s: %s (%s)\n", what, dz_error_text(err), dz_error_name(err));
    exit(1);
}

static int call(dz_host *host, const char *name, dz_builder *message, int64_t *number)
{
    dz_answer *answer = dz_answer_new();
    dz_reader value;
    int err = dz_host_call(host, dz_host_whereis(host, name), message, 5000, dz_answer_done, answer);
    if (!err)
        err = dz_answer_wait(answer, &value);
    if (!err && !dz_reader_int(&value, number))
        *number = -1;
    dz_answer_delete(answer);
    dz_builder_clear(message);
    return err;
}

static int add(dz_host *host, dz_builder *message, int64_t more, int64_t *sum)
{
    dz_builder_int(message, more);
    return call(host, "adder", message, sum);
}

/* { strategy = "one_for_one", children = { { id = "lua", behavior = "greeter", name = "greeter" },
 *                                          { id = "c", behavior = "adder", name = "adder", args = { 100 } } } } */
static void build_spec(dz_builder *b)
{
    dz_builder_map(b, 2);
    dz_builder_string(b, "strategy");
    dz_builder_string(b, "one_for_one");
    dz_builder_string(b, "children");
    dz_builder_array(b, 2);

    dz_builder_map(b, 3);
    dz_builder_string(b, "id");
    dz_builder_string(b, "lua");
    dz_builder_string(b, "behavior");
    dz_builder_string(b, "greeter");
    dz_builder_string(b, "name");
    dz_builder_string(b, "greeter");

    dz_builder_map(b, 4);
    dz_builder_string(b, "id");
    dz_builder_string(b, "c");
    dz_builder_string(b, "behavior");
    dz_builder_string(b, "adder");
    dz_builder_string(b, "name");
    dz_builder_string(b, "adder");
    dz_builder_string(b, "args");
    dz_builder_array(b, 1);
    dz_builder_int(b, 100);
}

static dz_process start_supervisor(dz_host *host)
{
    dz_builder *spec = dz_builder_new();
    dz_answer *answer = dz_answer_new();
    dz_reader value;
    dz_process supervisor = DZ_NO_PROCESS_INIT;
    build_spec(spec);
    int err = dz_host_start_supervisor(host, spec, dz_answer_done, answer);
    if (!err)
        err = dz_answer_wait(answer, &value);
    if (err || !dz_reader_process(&value, &supervisor))
        die("the supervisor did not start", err);
    dz_answer_delete(answer);
    dz_builder_delete(spec);
    return supervisor;
}

/* The name is free from the crash until the supervisor has started the next one: until then calls answer bad_argument (nobody
 * has the name) or noproc. */
static void crash_and_wait(dz_host *host, dz_builder *message)
{
    int64_t sum = 0;
    dz_builder_string(message, "crash");
    int err = call(host, "adder", message, &sum);
    printf("the crash answered: %s\n", dz_error_name(err));
    while (add(host, message, 0, &sum) != 0)
        ;
    printf("after the restart the sum is %lld again\n", (long long)sum);
}

int main(int argc, char **argv)
{
    const char *dir = argc > 1 ? argv[1] : ".";
    dz_host_options options;
    dz_host *host;
    int64_t number = 0;

    dz_host_options_init(&options);
    options.behaviors = &dir;
    options.behavior_count = 1;
    options.log_level = "warn";
    options.workers = 2;
    int err = dz_host_new(&host, &options);
    if (!err)
        err = dz_host_register_behavior(host, "adder", &adder);
    if (!err)
        err = dz_host_start(host);
    if (err)
        die("the host did not start", err);

    dz_process supervisor = start_supervisor(host);
    dz_builder *message = dz_builder_new();
    dz_builder_string(message, "hello from C");
    err = call(host, "greeter", message, &number);
    if (err)
        die("the Lua child did not answer", err);
    printf("the Lua child got %lld bytes\n", (long long)number);
    add(host, message, 5, &number);
    printf("the sum is %lld\n", (long long)number);
    crash_and_wait(host, message);

    dz_answer *stopped = dz_answer_new();
    if (dz_host_end(host, supervisor, NULL, 5000, dz_answer_done, stopped) == 0)
        dz_answer_wait(stopped, NULL);
    printf("processes left: %zu\n", dz_host_process_count(host));
    dz_answer_delete(stopped);
    dz_builder_delete(message);
    dz_host_stop(host, 0);
    int code = dz_host_wait(host);
    dz_host_free(host);
    return code;
}
