/* test_api_answer.c - a place where a thread waits for one answer. */
#include "../sup/literal.h"
#include "base/err.h"
#include "dozor.h"
#include "fault_alloc.h"

#include <pthread.h>

static dz_answer *answer;
static struct dz_buf term;

static int setup(void **state)
{
    (void)state;
    dz_fault_alloc_reset();
    answer = dz_answer_new();
    term = literal("{ \"x\", 7 }");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dz_answer_delete(answer);
    dz_buf_fini(&term);
    assert_int_equal(dz_fault_alloc_live(), 0);
    return 0;
}

static dz_reader value_of(struct dz_buf *buf)
{
    return (dz_reader){ buf->data, buf->data + buf->len, NULL };
}

static void an_answer_that_came_first_is_kept_for_who_waits(void **state)
{
    dz_reader given = value_of(&term), got;
    uint32_t count = 0;
    int64_t n = 0;
    (void)state;
    dz_answer_done(answer, DZ_OK, &given);
    memset(term.data, 0xc1, term.len); /* it is a copy */
    assert_int_equal(dz_answer_wait(answer, &got), DZ_OK);
    assert_true(dz_reader_array(&got, &count) && dz_reader_skip(&got) && dz_reader_int(&got, &n));
    assert_int_equal(count, 2);
    assert_int_equal(n, 7);
}

static void *answers(void *arg)
{
    dz_reader given = value_of(arg);
    dz_answer_done(answer, DZ_ENOPROC, &given);
    return NULL;
}

static void who_waits_is_woken_by_another_thread_with_its_error(void **state)
{
    pthread_t other;
    (void)state;
    assert_int_equal(pthread_create(&other, NULL, answers, &term), 0);
    assert_int_equal(dz_answer_wait(answer, NULL), DZ_ENOPROC);
    pthread_join(other, NULL);
}

static void it_may_be_asked_with_again_and_again(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        pthread_t other;
        dz_reader got;
        assert_int_equal(pthread_create(&other, NULL, answers, &term), 0);
        assert_int_equal(dz_answer_wait(answer, &got), DZ_ENOPROC);
        pthread_join(other, NULL);
        assert_int_equal(dz_reader_type(&got), DZ_TYPE_ARRAY);
    }
}

static void an_answer_that_finds_no_memory_is_an_error_with_nothing_to_read(void **state)
{
    dz_reader given = value_of(&term), got;
    (void)state;
    dz_fault_alloc_fail_at(1);
    dz_answer_done(answer, DZ_OK, &given);
    assert_true(dz_fault_alloc_failed());
    assert_int_equal(dz_answer_wait(answer, &got), DZ_ENOMEM);
    assert_int_equal(dz_reader_type(&got), DZ_TYPE_NONE);
}

static void without_memory_there_is_no_answer_and_none_is_fine_to_delete(void **state)
{
    (void)state;
    dz_fault_alloc_fail_at(1);
    assert_null(dz_answer_new());
    dz_answer_delete(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_that_came_first_is_kept_for_who_waits),
        TEST(who_waits_is_woken_by_another_thread_with_its_error),
        TEST(it_may_be_asked_with_again_and_again),
        TEST(an_answer_that_finds_no_memory_is_an_error_with_nothing_to_read),
        TEST(without_memory_there_is_no_answer_and_none_is_fine_to_delete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
