/* check.h - what every cmocka test includes, in the order cmocka wants, and a random number generator with a
 * seed.
 * Owns:    nothing; the state of the generator is the test's.
 * Threads: a state belongs to one thread. */
#ifndef DZ_TESTS_CHECK_H
#define DZ_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* splitmix64: the same numbers on every machine. */
static inline uint64_t check_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

#endif
