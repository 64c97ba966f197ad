/* hello.c - the body of a HELLO or HELLO_ACK, and node ids. */
#include <string.h>
#include "base/err.h"
#include "fuzz.h"
#include "net/frame.h"
#include "net/handshake.h"

static void parse_id(const uint8_t *data, size_t len)
{
    char id[DZ_NET_MAX_NODE_ID + 1], host[256];
    uint16_t port;
    if (len >= sizeof id)
        return;
    memcpy(id, data, len);
    id[len] = '\0';
    if (dz_handshake_parse_id(id, host, &port) == 0)
        FUZZ_CHECK(strlen(host) > 0 && strlen(host) < sizeof host);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct dz_node_identity self = {.id = "b@127.0.0.1:2", .incarnation = 3, .birth = 4};
    struct dz_hello hello;
    struct dz_buf out;
    parse_id(data, len);
    int err = dz_hello_decode(data, len, &hello);
    FUZZ_CHECK(err == 0 || err == DZ_EFORMAT || err == DZ_EVERSION);
    if (err)
        return 0;
    (void)dz_hello_check_receiver(&hello, &self);
    (void)dz_hello_check_life(&hello, self.incarnation, self.birth);
    dz_buf_init(&out);
    FUZZ_CHECK(dz_hello_encode(&out, DZ_FRAME_HELLO, &hello) == 0);
    FUZZ_CHECK(out.len == len + DZ_FRAME_PREFIX + 1 && memcmp(out.data + DZ_FRAME_PREFIX + 1, data, len) == 0);
    dz_buf_fini(&out);
    return 0;
}
