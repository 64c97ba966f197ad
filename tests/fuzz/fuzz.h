/* fuzz.h - one decoder each is handed bytes from nobody knows where: by libFuzzer (preset `fuzz`), or by replay.c, which runs a
 * corpus in every test run.
 * Owns:    nothing.
 * Threads: one.
 * A target must not crash, leak or hang on any input, and what FUZZ_CHECK says must hold. */
#ifndef DZ_TESTS_FUZZ_H
#define DZ_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define FUZZ_CHECK(condition)                                                                                \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                   \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

/* The input is a row of small decisions and pieces of bytes. */
struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

static inline uint8_t fuzz_u8(struct fuzz_input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

/* A piece with its length (u16) in front, cut to what is there. */
static inline const uint8_t *fuzz_piece(struct fuzz_input *in, size_t *len)
{
    size_t wanted = (size_t)fuzz_u8(in) << 8;
    wanted |= fuzz_u8(in);
    *len = wanted < in->left ? wanted : in->left;
    const uint8_t *piece = in->at;
    in->at += *len;
    in->left -= *len;
    return piece;
}

#endif
