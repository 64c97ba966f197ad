/* selector.c - the built-in selectors over one list of candidates. */
#include "sup/selector.h"

#include <string.h>
#include "base/assert.h"
#include "base/err.h"

#define NOBODY SIZE_MAX

static bool fits(const struct dz_selector_query *q, size_t i)
{
    const struct dz_candidate *c = &q->nodes[i];
    return c->connected && !c->draining && c->node != q->excluded && (c->local || !q->local_only);
}

static size_t local_node(const struct dz_selector_query *q)
{
    for (size_t i = 0; i < q->count; i++)
        if (q->nodes[i].local)
            return fits(q, i) ? i : NOBODY;
    return NOBODY;
}

static size_t count_fitting(const struct dz_selector_query *q)
{
    size_t n = 0;
    for (size_t i = 0; i < q->count; i++)
        n += fits(q, i);
    return n;
}

static size_t nth_fitting(const struct dz_selector_query *q, uint64_t n)
{
    for (size_t i = 0; i < q->count; i++)
        if (fits(q, i) && n-- == 0)
            return i;
    return NOBODY;
}

static size_t least_loaded(const struct dz_selector_query *q)
{
    size_t best = NOBODY;
    uint64_t best_load = UINT64_MAX;
    for (size_t i = 0; i < q->count; i++) {
        uint64_t load = (uint64_t)q->nodes[i].process_count + q->nodes[i].placed_since;
        if (fits(q, i) && load < best_load) {
            best = i;
            best_load = load;
        }
    }
    return best;
}

static size_t find_id(const struct dz_selector_query *q, const char *id)
{
    for (size_t i = 0; i < q->count; i++)
        if (strcmp(q->nodes[i].id, id) == 0)
            return i;
    return NOBODY;
}

static const char *why_not(const struct dz_selector_query *q, size_t i)
{
    const struct dz_candidate *c = &q->nodes[i];
    if (!c->connected)
        return "the node is not connected";
    if (c->node == q->excluded)
        return "the node is excluded";
    if (c->draining)
        return "the node is draining";
    return "the spec holds functions and runs only on the host it was made on";
}

static int verdict(size_t found, const char *cause_if_none, size_t *chosen, const char **cause)
{
    if (found == NOBODY) {
        *cause = cause_if_none;
        return DZ_ENONODE;
    }
    *chosen = found;
    return DZ_OK;
}

static int choose_node(const struct dz_selector_query *q, const char *id, size_t *chosen, const char **cause)
{
    size_t i = find_id(q, id);
    if (i == NOBODY)
        return verdict(NOBODY, "the node is not known", chosen, cause);
    return fits(q, i) ? verdict(i, NULL, chosen, cause) : verdict(NOBODY, why_not(q, i), chosen, cause);
}

static size_t round_robin(const struct dz_selector_query *q, uint64_t *counter)
{
    size_t n = count_fitting(q);
    return n == 0 ? NOBODY : nth_fitting(q, (*counter)++ % n);
}

static size_t any(const struct dz_selector_query *q, uint64_t random)
{
    size_t n = count_fitting(q);
    return n == 0 ? NOBODY : nth_fitting(q, random % n);
}

static size_t local_first(const struct dz_selector_query *q)
{
    size_t i = local_node(q);
    return i != NOBODY ? i : least_loaded(q);
}

int dz_selector_choose(const struct dz_selector *selector, const struct dz_selector_query *query,
                       uint64_t *counter, uint64_t random, size_t *chosen, const char **cause)
{
    const char *none = "no connected node takes new processes";
    switch (selector->kind) {
    case DZ_SELECT_LOCAL_FIRST:
        return verdict(local_first(query), none, chosen, cause);
    case DZ_SELECT_LOCAL:
        return verdict(local_node(query), "the local node is excluded or draining", chosen, cause);
    case DZ_SELECT_ROUND_ROBIN:
        return verdict(round_robin(query, counter), none, chosen, cause);
    case DZ_SELECT_LEAST_LOADED:
        return verdict(least_loaded(query), none, chosen, cause);
    case DZ_SELECT_RANDOM:
        return verdict(any(query, random), none, chosen, cause);
    case DZ_SELECT_NODE:
        return choose_node(query, selector->name, chosen, cause);
    case DZ_SELECT_NAMED:
    case DZ_SELECT_FUNCTION:
        break;
    }
    return count_fitting(query) == 0 ? verdict(NOBODY, none, chosen, cause) : DZ_SELECTOR_ASK;
}

int dz_selector_check_answer(const struct dz_selector_query *query, const char *answer, size_t *chosen,
                             const char **cause)
{
    dz_assert(chosen != NULL && cause != NULL);
    if (answer == NULL)
        return verdict(NOBODY, "the selector returned nil", chosen, cause);
    return choose_node(query, answer, chosen, cause);
}
