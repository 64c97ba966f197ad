/* embed_compile.c - a tool of the build: embed_compile OUT.c ROOT lua/dozor/NAME.lua...
 * Writes the modules of lua/dozor as LuaJIT compiled them, line numbers included, so that a starting node need not
 * compile them once for each of its workers. Another LuaJIT refuses what this one made: then the sources do.
 * Owns:    nothing.
 * Threads: one.
 * Fails:   exits 1 with a message. */
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <string.h>

struct writer {
    FILE *out;
    unsigned column;
};

static int put_bytes(lua_State *L, const void *data, size_t len, void *ctx)
{
    struct writer *w = ctx;
    const unsigned char *bytes = data;
    (void)L;
    for (size_t i = 0; i < len; i++)
        fprintf(w->out, "%u,%s", bytes[i], ++w->column % 24 ? "" : "\n");
    return ferror(w->out);
}

/* "lua/dozor/NAME.lua": the part between. */
static int name_of(const char *file, char *name, size_t room)
{
    const char *base = strrchr(file, '/');
    int len = base ? (int)strlen(base + 1) - 4 : 0;
    return len > 0 && snprintf(name, room, "%.*s", len, base + 1) < (int)room ? 0 : 1;
}

static int compile(lua_State *L, FILE *out, const char *root, const char *file, int number)
{
    char path[4096], chunk[300], name[256];
    struct writer w = {out, 0};
    if (name_of(file, name, sizeof name) || snprintf(path, sizeof path, "%s/%s", root, file) >= (int)sizeof path)
        return 1;
    snprintf(chunk, sizeof chunk, "=[dozor]/%s.lua", name);
    FILE *in = fopen(path, "rb");
    if (!in)
        return 1;
    luaL_Buffer source;
    luaL_buffinit(L, &source);
    for (int c; (c = getc(in)) != EOF;)
        luaL_addchar(&source, (char)c);
    fclose(in);
    luaL_pushresult(&source);
    size_t len;
    const char *text = lua_tolstring(L, -1, &len);
    if (luaL_loadbuffer(L, text, len, chunk)) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        return 1;
    }
    fprintf(out, "static const unsigned char code_%d[] = {\n", number);
    int err = lua_dump(L, put_bytes, &w);
    fprintf(out, "0};\n");
    lua_settop(L, 0);
    return err;
}

static void put_list(FILE *out, char **files, int count)
{
    char name[256];
    fprintf(out, "\nconst struct dz_embedded dz_embedded_code[] = {\n");
    for (int i = 0; i < count; i++) {
        name_of(files[i], name, sizeof name);
        const char *module = strcmp(name, "init") == 0 ? "" : name;
        fprintf(out, "    {\"dozor%s%s\", \"[dozor]/%s.lua\", code_%d, sizeof code_%d - 1},\n", *module ? "." : "", module,
                name, i, i);
    }
    fprintf(out, "    {0, 0, 0, 0},\n};\n");
}

int main(int argc, char **argv)
{
    lua_State *L = luaL_newstate();
    FILE *out = argc > 3 ? fopen(argv[1], "wb") : NULL;
    int err = !L || !out;
    if (!err)
        fprintf(out, "#include \"vm/embed.h\"\n\n");
    for (int i = 3; i < argc && !err; i++)
        if ((err = compile(L, out, argv[2], argv[i], i - 3)) != 0)
            fprintf(stderr, "embed_compile: cannot compile %s\n", argv[i]);
    if (!err)
        put_list(out, argv + 3, argc - 3);
    if (out && fclose(out))
        err = 1;
    if (L)
        lua_close(L);
    return err ? 1 : 0;
}
