/* config_up.c - the settings of a whole local cluster, as a config file returns them.
 * Owns:    see config.h.
 * Threads: any; pure.
 * Fails:   with an error that names the field. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "host/config.h"
#include "proc/pid.h"

#define MAX_NODES 64u

static int read_id(struct dz_config_reader *x, struct dz_read *r, const struct dz_config_field *f, void *target)
{
    size_t name_len, host_len;
    uint16_t port;
    const char *why = "";
    int err = dz_config_text(x, r, f, target);
    if (err)
        return err;
    const char *id = ((const struct dz_up_node *)target)->id;
    if (dz_node_id_parse(id, strlen(id), &name_len, &host_len, &port, &why))
        return dz_config_fail(x, DZ_ENODEID, "'%.200s' is not a node id (name@host:port): %s", id, why);
    return port ? DZ_OK : dz_config_fail(x, DZ_ENODEID, "'%.200s': a launched node needs a port from 1 to 65535", id);
}

static int read_map(struct dz_config_reader *x, struct dz_read *r, const struct dz_config_field *f, void *target)
{
    uint32_t count;
    struct dz_read copy = *r;
    if (dz_read_map(&copy, &count) && (dz_read_array(&copy, &count) || count > 0))
        return dz_config_wrong(x, r, "a table with named fields");
    return dz_config_copy(x, r, f, target);
}

#define NODE(member) offsetof(struct dz_up_node, member)
static const struct dz_config_field node_fields[] = {
    { "id", read_id, NODE(id), 0, 0 },
    { "script", dz_config_text, NODE(script), 0, 0 },
    { "args", dz_config_texts, NODE(args), 0, 0 },
    { "attributes", read_map, NODE(attributes), 0, 0 },
    { "behaviors", dz_config_texts, NODE(behaviors), 0, 0 },
    { "restart", dz_config_bool, NODE(restart), 0, 0 },
};
#define NODE_FIELDS (sizeof node_fields / sizeof node_fields[0])

static int check_node(struct dz_config_reader *x, const struct dz_up_settings *s, size_t index)
{
    const struct dz_up_node *node = &s->nodes[index];
    if (!node->id)
        return dz_config_fail(x, DZ_ECONFIG, "id is missing");
    for (size_t i = 0; i < index; i++)
        if (s->nodes[i].id && strcmp(s->nodes[i].id, node->id) == 0)
            return dz_config_fail(x, DZ_ECONFIG, "the id '%.200s' is that of nodes[%zu] already", node->id, i + 1);
    return DZ_OK;
}

static int read_nodes(struct dz_config_reader *x, struct dz_read *r, const struct dz_config_field *f, void *target)
{
    struct dz_up_settings *s = target;
    uint32_t count;
    (void)f;
    if (s->nodes)
        return dz_config_fail(x, DZ_ECONFIG, "given twice");
    struct dz_read list = *r;
    if (dz_read_array(&list, &count) || count == 0 || count > MAX_NODES)
        return dz_config_wrong(x, r, "a list of nodes, from 1 to 64 of them");
    *r = list;
    s->nodes = dz_zalloc(count, sizeof *s->nodes);
    if (!s->nodes)
        return dz_config_fail(x, DZ_ENOMEM, "out of memory");
    int err = DZ_OK;
    bool goes_on = true;
    for (uint32_t i = 0; i < count && goes_on; i++) {
        struct dz_read node = *r;
        size_t mark = dz_config_enter_index(x, i + 1);
        s->node_count++;
        int one = dz_config_read_table(x, r, "a node", node_fields, NODE_FIELDS, &s->nodes[i]);
        if (!one)
            one = check_node(x, s, i);
        goes_on = !one || dz_config_goes_on(x, r, &node);
        err = err ? err : one;
        dz_config_leave(x, mark);
    }
    return err;
}

static int read_host(struct dz_config_reader *x, struct dz_read *r, const struct dz_config_field *f, void *target)
{
    struct dz_up_settings *s = target;
    struct dz_read options = *r;
    int err = dz_config_copy(x, r, f, target);
    return err ? err : dz_host_settings_read(&s->host, x, &options);
}

/* The launcher gives every node its name itself, so the common part is read without the checks of a whole. */
static int read_cluster_part(struct dz_config_reader *x, struct dz_read *r, const struct dz_config_field *f, void *target)
{
    (void)f;
    return dz_cluster_settings_read_part(&((struct dz_up_settings *)target)->cluster, x, r);
}

static int read_supervisors(struct dz_config_reader *x, struct dz_read *r, const struct dz_config_field *f, void *target)
{
    uint32_t count;
    struct dz_read copy = *r;
    if (dz_read_array(&copy, &count))
        return dz_config_wrong(x, r, "a list of supervisor specs");
    return dz_config_copy(x, r, f, target);
}

#define UP(member) offsetof(struct dz_up_settings, member)
static const struct dz_config_field up_fields[] = {
    { "cluster", read_cluster_part, 0, 0, 0 },
    { "behaviors", dz_config_texts, UP(behaviors), 0, 0 },
    { "nodes", read_nodes, 0, 0, 0 },
    { "supervisors", read_supervisors, UP(supervisors), 0, 0 },
    { "host", read_host, UP(host_term), 0, 0 },
};
#define UP_FIELDS (sizeof up_fields / sizeof up_fields[0])

/* Every node's own settings, as they will be, checked before anything starts. */
static int check_nodes(struct dz_config_reader *x, struct dz_up_settings *s)
{
    int err = DZ_OK;
    for (size_t i = 0; i < s->node_count && !err; i++) {
        err = dz_cluster_settings_set_id(&s->cluster, s->nodes[i].id, x->error);
        size_t list = dz_config_enter(x, "nodes");
        dz_config_enter_index(x, (uint32_t)i + 1);
        if (!err)
            err = dz_cluster_settings_check(&s->cluster, x);
        dz_config_leave(x, list);
    }
    return err;
}

static int read_up(struct dz_config_reader *x, struct dz_read *r, struct dz_up_settings *s)
{
    memset(s, 0, sizeof *s);
    dz_host_settings_init(&s->host);
    dz_cluster_settings_init(&s->cluster);
    int err = dz_config_read_table(x, r, "a cluster config", up_fields, UP_FIELDS, s);
    if (err)
        return err;
    if (!s->nodes)
        return dz_config_fail(x, DZ_ECONFIG, "nodes is missing: a cluster config is a table like "
                              "{ cluster = {...}, nodes = { { id = \"a@127.0.0.1:4369\", script = \"main.lua\" } } }");
    return check_nodes(x, s);
}

int dz_up_settings_read(struct dz_up_settings *s, const uint8_t *data, size_t len, struct dz_config_error *error)
{
    struct dz_config_reader x;
    struct dz_read r;
    dz_config_reader_init(&x, error, "");
    dz_read_init(&r, data, len);
    return read_up(&x, &r, s);
}

int dz_up_settings_check(struct dz_up_settings *s, const uint8_t *data, size_t len, dz_config_tell tell, void *ctx)
{
    struct dz_config_error error;
    struct dz_config_reader x;
    struct dz_read r, whole;
    dz_config_reader_init(&x, &error, "");
    x.tell = tell;
    x.ctx = ctx;
    dz_read_init(&r, data, len);
    whole = r;
    int err = read_up(&x, &r, s);
    if (err)
        dz_config_goes_on(&x, &r, &whole);
    return err;
}

void dz_up_settings_fini(struct dz_up_settings *s)
{
    for (size_t i = 0; i < s->node_count; i++) {
        struct dz_up_node *node = &s->nodes[i];
        dz_free(node->id);
        dz_free(node->script);
        dz_free(node->attributes.data);
        dz_config_list_fini(&node->args);
        dz_config_list_fini(&node->behaviors);
    }
    dz_free(s->nodes);
    dz_free(s->host_term.data);
    dz_free(s->supervisors.data);
    dz_cluster_settings_fini(&s->cluster);
    dz_config_list_fini(&s->behaviors);
    memset(s, 0, sizeof *s);
}
