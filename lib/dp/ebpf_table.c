// SPDX-License-Identifier: Apache-2.0
// Flows where the programs of the eBPF datapath find them (lib/dp/ebpf_abi.h). They read while we write: a flow is all there before its chain leads to it, and
// stays as it is, but for what is done with its packets, until a grace period after it has left the chain.
#include <config.h>
#include "lib/dp/ebpf.h"

_Static_assert(EBPF_SLOT_BITS + EBPF_TAG_BITS == 32, "beside the life of a flow");
_Static_assert(EBPF_MAX_PORTS <= UINT16_MAX && EBPF_MAX_ACTS == UINT8_MAX, "what is done with a packet fits a word");

static uint64_t
digest_of(const struct ebpf *e, const uint64_t words[EBPF_KEY_WORDS], uint16_t mask)
{
    const uint64_t *secrets = e->config->secrets;
    uint64_t sum = ebpf_digest_word(0, mask, secrets[EBPF_KEY_WORDS]);

    for (uint32_t i = 0; i < e->table.masks[mask].n; i++) {
        sum = ebpf_digest_word(sum, words[i], secrets[i]);
    }
    return ebpf_digest_end(sum);
}

static uint32_t *
head_of(const struct ebpf *e, uint64_t digest)
{
    uint32_t number = (uint32_t) digest & (e->table.n_heads - 1);

    return &e->table.heads[number / EBPF_HEADS].first[number % EBPF_HEADS];
}

void
ebpf_table_words(const struct ebpf *e, uint32_t slot, uint64_t words[EBPF_KEY_WORDS])
{
    const struct ebpf_flow_value *f = &e->table.flows[slot];
    uint32_t n = e->table.masks[f->mask].n;

    memset(words, 0, EBPF_KEY_WORDS * sizeof *words);
    memcpy(words, f->words, MIN(n, EBPF_FLOW_WORDS) * sizeof *words);
    if (n > EBPF_FLOW_WORDS && slot + 1 < e->table.n_slots) {
        memcpy(words + EBPF_FLOW_WORDS, f[1].words, (n - EBPF_FLOW_WORDS) * sizeof *words);
    }
}

/* May the flow be the first of the chain? */
static bool
has_room(const struct ebpf_table *t, uint32_t first, const struct ebpf_flow_value *f)
{
    unsigned n = 0;

    for (uint32_t next = first; next; next = t->flows[next - 1].next) {
        const struct ebpf_flow_value *other = &t->flows[next - 1];

        if (++n == EBPF_MAX_CHAIN || (other->digest == f->digest && other->mask == f->mask)) {
            return false;
        }
    }
    return true;
}

/* What the flow is now, for who remembers it. */
static void
publish_state(const struct ebpf *e, uint32_t slot)
{
    const struct ebpf_flow_value *f = &e->table.flows[slot];
    union ebpf_state state = {.life = f->life, .port = f->todo.port, .n = f->todo.n, .flags = f->todo.flags};

    __atomic_store_n(&e->table.states[slot].whole, state.whole, __ATOMIC_RELEASE);
}

int
ebpf_table_add(struct ebpf *e, uint32_t slot, const uint64_t words[EBPF_KEY_WORDS], uint16_t mask, union ebpf_todo todo)
{
    struct ebpf_flow_value *f = &e->table.flows[slot];
    uint64_t digest = digest_of(e, words, mask);
    uint32_t *head = head_of(e, digest);

    f->digest = (uint32_t) (digest >> 32);
    f->mask = mask;
    f->next = *head;
    f->todo = todo;
    memcpy(f->words, words, sizeof f->words);
    if (e->table.masks[mask].n > EBPF_FLOW_WORDS) {
        memcpy(f[1].words, words + EBPF_FLOW_WORDS, (EBPF_KEY_WORDS - EBPF_FLOW_WORDS) * sizeof *words);
    }
    if (!has_room(&e->table, *head, f)) {
        return -ENOSPC;
    }
    __atomic_store_n(&f->life, f->life + 1, __ATOMIC_RELEASE);
    publish_state(e, slot);
    __atomic_store_n(head, slot + 1, __ATOMIC_RELEASE);
    return 0;
}

/* What leads to the flow; NULL: nothing does. */
static uint32_t *
link_to(const struct ebpf *e, uint32_t slot)
{
    uint16_t mask = (uint16_t) e->table.flows[slot].mask;
    uint64_t words[EBPF_KEY_WORDS];
    uint32_t *link;

    ebpf_table_words(e, slot, words);
    link = head_of(e, digest_of(e, words, mask));
    for (unsigned n = 0; n < EBPF_MAX_CHAIN && *link && *link <= e->table.n_slots; n++) {
        if (*link == slot + 1) {
            return link;
        }
        link = &e->table.flows[*link - 1].next;
    }
    return NULL;
}

bool
ebpf_table_has(const struct ebpf *e, uint32_t slot)
{
    return link_to(e, slot);
}

static bool
find_in_tuple(const struct ebpf *e, const struct flow_key *key, uint16_t id, uint32_t *slot)
{
    const struct ebpf_mask *m = &e->table.masks[id];
    uint64_t words[EBPF_KEY_WORDS], there[EBPF_KEY_WORDS], digest;
    uint32_t next;

    for (uint32_t i = 0; i < m->n; i++) {
        words[i] = flow_key_cwords(key)[m->at[i]] & m->words[i];
    }
    digest = digest_of(e, words, id);
    next = __atomic_load_n(head_of(e, digest), __ATOMIC_ACQUIRE);
    for (unsigned n = 0; n < EBPF_MAX_CHAIN && next && next <= e->table.n_slots; n++) {
        const struct ebpf_flow_value *f = &e->table.flows[next - 1];

        if (f->digest == (uint32_t) (digest >> 32) && f->mask == id) {
            *slot = next - 1;
            ebpf_table_words(e, *slot, there);
            return !memcmp(there, words, m->n * sizeof *words);
        }
        next = __atomic_load_n(&f->next, __ATOMIC_ACQUIRE);
    }
    return false;
}

bool
ebpf_table_find(const struct ebpf *e, const struct flow_key *key, uint32_t *slot)
{
    const struct ebpf_config *c = e->config;
    bool found = false;

    if (ebpf_is_beyond(key, key)) {
        return false;
    }
    for (uint32_t i = 0; !found && i < c->n_masks[c->active]; i++) {
        found = find_in_tuple(e, key, c->order[c->active][i], slot);
    }
    return found;
}

void
ebpf_table_del(struct ebpf *e, uint32_t slot)
{
    struct ebpf_flow_value *f = &e->table.flows[slot];
    uint32_t *link = link_to(e, slot);

    if (link) {
        __atomic_store_n(link, f->next, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&f->life, f->life + 1, __ATOMIC_RELEASE);
    publish_state(e, slot);
}

void
ebpf_table_set_todo(struct ebpf *e, uint32_t slot, union ebpf_todo todo)
{
    __atomic_store_n(&e->table.flows[slot].todo.whole, todo.whole, __ATOMIC_RELEASE);
    publish_state(e, slot);
}

static struct ebpf_counter *
counter_of(const struct ebpf *e, unsigned cpu, uint32_t slot)
{
    return &e->table.counters[(size_t) cpu * e->table.n_slots + slot];
}

void
ebpf_counters_clear(struct ebpf *e, uint32_t slot)
{
    for (unsigned i = 0; i < e->n_cpus; i++) {
        memset(counter_of(e, i, slot), 0, sizeof(struct ebpf_counter));
    }
}

void
ebpf_counters_add(const struct ebpf *e, uint32_t slot, struct dp_stats *s)
{
    for (unsigned i = 0; i < e->n_cpus; i++) {
        const struct ebpf_counter *c = counter_of(e, i, slot);

        s->packets += __atomic_load_n(&c->packets, __ATOMIC_RELAXED);
        s->bytes += __atomic_load_n(&c->bytes, __ATOMIC_RELAXED);
        s->used_ms = MAX(s->used_ms, (int64_t) (__atomic_load_n(&c->used_ns, __ATOMIC_RELAXED) / 1000000));
        s->tcp_flags |= (uint16_t) __atomic_load_n(&c->tcp_flags, __ATOMIC_RELAXED);
    }
}
