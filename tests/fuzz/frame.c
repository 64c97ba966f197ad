/* frame.c - a stream of frames, each encoded back to the bytes it came from. */
#include <string.h>
#include "base/err.h"
#include "fuzz.h"
#include "net/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct dz_frame frame;
    size_t used;
    int got;
    for (size_t at = 0; (got = dz_frame_decode(data + at, len - at, &frame, &used)) == 1; at += used) {
        struct dz_buf out;
        FUZZ_CHECK(used > DZ_FRAME_PREFIX && used <= len - at);
        FUZZ_CHECK(frame.len <= used);
        dz_buf_init(&out);
        FUZZ_CHECK(dz_frame_encode(&out, &frame) == 0);
        FUZZ_CHECK(out.len == used && memcmp(out.data, data + at, used) == 0);
        dz_buf_fini(&out);
    }
    FUZZ_CHECK(got == 0 || got == DZ_EFORMAT);
    return 0;
}
