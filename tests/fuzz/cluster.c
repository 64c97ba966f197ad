/* cluster.c - messages of a session: envelopes, starts, cancellations, exchanges, verdicts, names. */
#include "fuzz_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    fuzz_world(data, len, false);
    return 0;
}
