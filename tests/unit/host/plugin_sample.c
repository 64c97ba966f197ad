/* plugin_sample.c - the plug-ins of test_plugin.c: SAMPLE says how it behaves. */
#include "dozor.h"

static int sample_init(dz_context *context, dz_reader *args, void **state)
{
    (void)context;
    (void)args;
    *state = NULL;
    return 0;
}

static int sample_call(dz_context *context, void *state, dz_reader *message, dz_from from, dz_builder *reply)
{
    (void)context;
    (void)state;
    (void)message;
    (void)from;
    dz_builder_string(reply, "from the plug-in");
    return 0;
}

DZ_API int SAMPLE(dz_host *host);

DZ_API int SAMPLE(dz_host *host)
{
    static const dz_native_behavior sample = { .size = sizeof sample, .init = sample_init, .call = sample_call };
    return SAMPLE_RESULT ? SAMPLE_RESULT : dz_host_register_behavior(host, "sample", &sample);
}
