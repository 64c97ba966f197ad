/* code.c - see code.h. */
#include "vm/code.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 512u /* the head of a line; a longer path is of no interest */

static bool contains(const struct dz_code_range *r, uintptr_t address)
{
    return address >= r->from && address < r->to;
}

static const char *hex(const char *s, uintptr_t *value)
{
    *value = 0;
    for (;; s++) {
        if (*s >= '0' && *s <= '9')
            *value = *value * 16 + (uintptr_t)(*s - '0');
        else if (*s >= 'a' && *s <= 'f')
            *value = *value * 16 + (uintptr_t)(*s - 'a') + 10;
        else
            return s;
    }
}

static const char *skip_word(const char *s)
{
    while (*s && *s != ' ')
        s++;
    while (*s == ' ')
        s++;
    return s;
}

static void add_machine(struct dz_code *c, struct dz_code_range range)
{
    if (c->machine_count && c->machine[c->machine_count - 1].to == range.from)
        c->machine[c->machine_count - 1].to = range.to;
    else if (c->machine_count < DZ_CODE_MACHINE_MAX)
        c->machine[c->machine_count++] = range;
}

/* "from-to perms offset device inode path" */
void dz_code_take_line(struct dz_code *c, const char *line, uintptr_t core, uintptr_t lua)
{
    struct dz_code_range range;
    const char *s = hex(line, &range.from);
    if (*s != '-')
        return;
    s = hex(s + 1, &range.to);
    if (*s != ' ' || strnlen(s, 5) < 5 || s[3] != 'x')
        return;
    const char *path = skip_word(skip_word(skip_word(skip_word(s + 1))));
    if (contains(&range, core))
        c->core = range;
    if (contains(&range, lua))
        c->lua = range;
    else if (!*path)
        add_machine(c, range);
}

struct reader {
    struct dz_code *code;
    uintptr_t core, lua;
    char line[LINE_MAX_BYTES];
    size_t len;
};

static void take_bytes(struct reader *r, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n') {
            r->line[r->len] = '\0';
            dz_code_take_line(r->code, r->line, r->core, r->lua);
            r->len = 0;
        } else if (r->len < sizeof r->line - 1) {
            r->line[r->len++] = bytes[i];
        }
    }
}

void dz_code_read(struct dz_code *c, uintptr_t core, uintptr_t lua)
{
    struct reader r = {.code = c, .core = core, .lua = lua};
    char bytes[2048];
    memset(c, 0, sizeof *c);
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    for (;;) {
        ssize_t n = read(fd, bytes, sizeof bytes);
        if (n > 0)
            take_bytes(&r, bytes, (size_t)n);
        else if (n == 0 || errno != EINTR)
            break;
    }
    close(fd);
}

enum dz_code_kind dz_code_at(const struct dz_code *c, uintptr_t address)
{
    if (contains(&c->core, address))
        return DZ_CODE_CORE;
    if (contains(&c->lua, address))
        return DZ_CODE_LUA;
    for (uint32_t i = 0; i < c->machine_count; i++)
        if (contains(&c->machine[i], address))
            return DZ_CODE_MACHINE;
    return DZ_CODE_FOREIGN;
}
