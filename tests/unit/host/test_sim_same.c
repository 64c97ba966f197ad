/* core/host/sim_same.c: what it does to a process stays with it, so each test sends a process of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/personality.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>
#include "host/sim_same.h"

struct answer {
    bool done;
    uint8_t first[24];
    uint8_t second[24];
};

static void random_of(uint64_t seed, struct answer *a)
{
    a->done = dz_sim_same_random(seed) && getrandom(a->first, sizeof a->first, 0) == sizeof a->first &&
              getrandom(a->second, sizeof a->second, GRND_NONBLOCK) == sizeof a->second;
}

static void addresses_of(uint64_t unused, struct answer *a)
{
    (void)unused;
    a->done = dz_sim_same_addresses();
    a->first[0] = (personality(0xffffffff) & ADDR_NO_RANDOMIZE) != 0;
    /* twice is as good as once */
    a->second[0] = dz_sim_same_addresses() && (personality(0xffffffff) & ADDR_NO_RANDOMIZE) != 0;
}

static struct answer of_a_process(void (*what)(uint64_t seed, struct answer *a), uint64_t seed)
{
    struct answer a;
    int ends[2], status = 0;
    memset(&a, 0, sizeof a);
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        what(seed, &a);
        _exit(write(ends[1], &a, sizeof a) != sizeof a);
    }
    assert_true(pid > 0);
    close(ends[1]);
    assert_int_equal(read(ends[0], &a, sizeof a), sizeof a);
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    return a;
}

static void the_same_seed_gives_the_same_random_numbers(void **state)
{
    (void)state;
    struct answer one = of_a_process(random_of, 7), again = of_a_process(random_of, 7);
    if (!one.done)
        skip(); /* the kernel refuses */
    assert_true(again.done);
    assert_memory_equal(one.first, again.first, sizeof one.first);
    assert_memory_equal(one.first, one.second, sizeof one.first);
}

static void another_seed_gives_others(void **state)
{
    (void)state;
    struct answer one = of_a_process(random_of, 7), other = of_a_process(random_of, UINT64_MAX);
    if (!one.done)
        skip();
    assert_true(other.done);
    assert_memory_not_equal(one.first, other.first, sizeof one.first);
}

static void this_process_keeps_the_kernels_random_numbers(void **state)
{
    (void)state;
    uint8_t a[24], b[24];
    of_a_process(random_of, 7);
    assert_int_equal(getrandom(a, sizeof a, 0), sizeof a);
    assert_int_equal(getrandom(b, sizeof b, 0), sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
}

static void what_is_executed_next_has_addresses_that_stand_still(void **state)
{
    (void)state;
    struct answer a = of_a_process(addresses_of, 0);
    if (!a.done)
        skip();
    assert_true(a.first[0]);
    assert_true(a.second[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_random_numbers),
        cmocka_unit_test(another_seed_gives_others),
        cmocka_unit_test(this_process_keeps_the_kernels_random_numbers),
        cmocka_unit_test(what_is_executed_next_has_addresses_that_stand_still),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
