/* pid.c - the text of pids, refs and node ids. */
#include <string.h>
#include "base/err.h"
#include "fuzz.h"
#include "proc/pid.h"

/* The fixed form allows the slot 0, which is nobody's: such a text is no pid. */
static bool is_nobodys(const char *text, size_t len)
{
    const char *slash = memchr(text, '/', len);
    const char *dot = slash ? memchr(slash, '.', (size_t)(text + len - slash)) : NULL;
    return dot && dot[1] == '0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *text = (const char *)data;
    char again[DZ_TERM_MAX_ID + DZ_PID_TEXT_MAX];
    size_t name_len, host_len;
    uint16_t port;
    const char *why;
    struct dz_nodes nodes;
    struct dz_pid pid;
    struct dz_ref ref;
    if (dz_node_id_parse(text, len, &name_len, &host_len, &port, &why) == 0)
        FUZZ_CHECK(name_len + host_len + 3 <= len);
    else
        FUZZ_CHECK(why);
    FUZZ_CHECK(dz_nodes_init(&nodes, 77) == 0);
    int err = dz_pid_parse(&nodes, text, len, &pid);
    FUZZ_CHECK((err == 0) == (dz_term_is_pid(text, len) && !is_nobodys(text, len)));
    if (!err) {
        FUZZ_CHECK(dz_pid_format(&nodes, pid, again) == len && memcmp(again, text, len) == 0);
        FUZZ_CHECK(!dz_pid_is_none(pid) && dz_nodes_resolve(&nodes, pid.node) == pid.node);
    }
    err = dz_ref_parse(&nodes, text, len, &ref);
    FUZZ_CHECK((err == 0) == (dz_term_is_ref(text, len) && !is_nobodys(text, len)));
    if (!err)
        FUZZ_CHECK(dz_ref_format(&nodes, ref, again) == len && memcmp(again, text, len) == 0);
    dz_nodes_fini(&nodes);
    return 0;
}
