/* assert.h - assertions on what the core itself guarantees; on in release, never on bytes from outside. */
#ifndef DZ_BASE_ASSERT_H
#define DZ_BASE_ASSERT_H

#include <stdio.h>
#include <stdlib.h>

#define dz_assert(cond)                                                                                      \
    do {                                                                                                     \
        if (__builtin_expect(!(cond), 0)) {                                                                  \
            fprintf(stderr, "%s:%d: %s: assertion failed: %s\n", __FILE__, __LINE__, __func__, #cond);       \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

#define dz_container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#endif
