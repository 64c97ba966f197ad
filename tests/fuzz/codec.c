/* codec.c - terms that passed the check become Lua values, and Lua values terms. One Lua state for all inputs. */
#include "../unit/vm/machine.h"
#include "fuzz.h"
#include "vm/codec.h"

struct round {
    const uint8_t *data;
    size_t len;
    struct dz_buf *out;
};

static int there_and_back(lua_State *L)
{
    struct round *r = lua_touserdata(L, 1);
    dz_codec_decode(L, r->data, r->len, 0);
    dz_codec_encode(L, -1, "value", DZ_CODEC_LOSSY, r->out);
    return 0;
}

static void go_round(lua_State *L, const uint8_t *data, size_t len, struct dz_buf *out)
{
    struct round r = {data, len, out};
    dz_buf_init(out);
    int status = lua_cpcall(L, there_and_back, &r);
    if (status)
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
    FUZZ_CHECK(status == 0);
    FUZZ_CHECK(dz_term_check(out->data, out->len, 0) == 0);
}

static struct machine *m;

static void end(void)
{
    machine_delete(m);
}

static void begin(void)
{
    if (m)
        return;
    m = machine_new();
    atexit(end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct dz_buf first, second;
    if (dz_term_check(data, len, 0) || len > 65536)
        return 0;
    begin();
    lua_State *L = dz_vm_main(machine_vm(m, 1));
    go_round(L, data, len, &first);
    go_round(L, first.data, first.len, &second);
    FUZZ_CHECK(first.len == second.len); /* a table's keys may come in another order */
    dz_buf_fini(&first);
    dz_buf_fini(&second);
    return 0;
}
