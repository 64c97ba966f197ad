/* membership.c - what comes beside a session: lists of nodes, questions about a suspect and their answers. */
#include "fuzz_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    fuzz_world(data, len, true);
    return 0;
}
