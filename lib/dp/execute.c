// SPDX-License-Identifier: Apache-2.0
// Actions are run in order on the packet itself; lists that must not leak what they change (sample, clone, check_pkt_len, recirculation) run on a copy
// unless nothing follows them. The key is extracted again only when somebody looks at it after an edit.
#include <config.h>
#include "lib/dp/execute.h"

#include "lib/base/hash.h"

/* As deep as openvswitch.ko lets lists nest. */
#define MAX_DEPTH 16

struct execution {
    struct packet *packet;
    struct flow_key key;
    bool edited; /* 'key' is older than 'packet'. */
    unsigned depth;
    const struct execute_ops *ops;
    void *arg;
};

static int run(struct execution *, const void *actions, size_t size);

static const struct flow_key *
current_key(struct execution *x)
{
    if (x->edited) {
        packet_extract(x->packet, &x->key);
        x->edited = false;
    }
    return &x->key;
}

/* What a truncation left off is for one output only. */
static uint32_t
begin_cut(struct packet *p)
{
    uint32_t cut = MIN(p->cutlen, p->len);

    p->cutlen = 0;
    p->len -= cut;
    return cut;
}

/* Who got the packet cut short may have extracted it so. */
static void
end_cut(struct execution *x, uint32_t cut)
{
    x->packet->len += cut;
    x->edited = x->edited || cut;
}

static void
output(struct execution *x, uint32_t port, bool last)
{
    const struct flow_key *key = x->ops->keyed_output ? current_key(x) : NULL;
    uint32_t cut = begin_cut(x->packet);

    x->ops->output(port, x->packet, key, last, x->arg);
    end_cut(x, cut);
}

static void
userspace(struct execution *x, const struct action_userspace *a)
{
    const struct flow_key *key = current_key(x);
    uint32_t cut = begin_cut(x->packet);

    if (x->ops->userspace) {
        x->ops->userspace(a, x->packet, key, x->arg);
    }
    end_cut(x, cut);
}

static void
set_fields(struct execution *x, const struct action_set *a)
{
    const uint64_t *key = flow_key_cwords(&a->key), *mask = flow_key_cwords(&a->mask);
    uint64_t *own = flow_key_words(&x->key), in_packet = 0;

    for (unsigned i = 0; i < FLOW_STAGE_END_0; i++) {
        own[i] = (own[i] & ~mask[i]) | (key[i] & mask[i]);
    }
    for (unsigned i = FLOW_STAGE_END_0; i < FLOW_KEY_WORDS; i++) {
        in_packet |= mask[i];
    }
    if (in_packet) {
        current_key(x); /* And with it where the layers are. */
        packet_set_fields(x->packet, &a->key, &a->mask);
        x->edited = true;
    }
}

/* A list of its own: what it changes stays inside, but for the last one, where nobody would see it. */
static int
run_apart(struct execution *x, const void *list, size_t size, bool last)
{
    struct execution inner = *x;
    int error;

    if (!size) {
        return 0;
    }
    if (x->depth >= MAX_DEPTH) {
        return -EOPNOTSUPP;
    }
    inner.depth++;
    if (!last) {
        inner.packet = packet_clone(x->packet);
    }
    error = run(&inner, list, size);
    if (!last) {
        packet_free(inner.packet);
    }
    return error;
}

static int
sample(struct execution *x, const struct action_sample *a, bool last)
{
    bool taken = a->probability == UINT32_MAX || (x->ops->random && x->ops->random(x->arg) < a->probability);

    return taken ? run_apart(x, a + 1, a->nested_size, last) : 0;
}

static int
check_len(struct execution *x, const struct action_check_len *a, bool last)
{
    const uint8_t *lists = (const uint8_t *) (a + 1);
    bool greater = x->packet->len > a->len;
    size_t size = a->a.size - sizeof *a;

    return greater ? run_apart(x, lists, a->greater_size, last)
                   : run_apart(x, lists + a->greater_size, size - a->greater_size, last);
}

static int
recirc(struct execution *x, uint32_t id, bool last)
{
    struct packet *packet = x->packet;
    uint32_t was = x->key.recirc_id;

    if (!x->ops->recirc) {
        return -EOPNOTSUPP;
    }
    current_key(x);
    x->key.recirc_id = id;
    if (!last) {
        packet = packet_clone(packet);
    }
    x->ops->recirc(id, packet, &x->key, x->arg);
    if (!last) {
        packet_free(packet);
    }
    x->key.recirc_id = was;
    return 0;
}

/* Symmetric in nothing: only that packets of one transport flow agree matters. */
static void
hash_l4(struct execution *x, uint32_t basis)
{
    const struct flow_key *k = current_key(x);
    uint32_t h = hash_bytes(&k->nw_src, offsetof(struct flow_key, ipv6_label) - offsetof(struct flow_key, nw_src), basis);

    h = hash_u64((uint64_t) k->nw_proto << 32 | (uint32_t) k->tp_src << 16 | k->tp_dst, h);
    x->key.dp_hash = h ? h : 1;
}

static int
conntrack(struct execution *x, const struct action_ct *a)
{
    if (!x->ops->ct) {
        return -EOPNOTSUPP;
    }
    current_key(x);
    return x->ops->ct(a, x->packet, &x->key, x->arg);
}

static void
conntrack_clear(struct flow_key *k)
{
    k->ct_state = k->ct_nw_proto = 0;
    k->ct_zone = 0;
    k->ct_mark = 0;
    memset(k->ct_label, 0, sizeof k->ct_label);
    k->ct_nw_src = k->ct_nw_dst = 0;
    memset(&k->ct_ipv6_src, 0, sizeof k->ct_ipv6_src);
    memset(&k->ct_ipv6_dst, 0, sizeof k->ct_ipv6_dst);
    k->ct_tp_src = k->ct_tp_dst = 0;
}

/* Actions that change the packet's layout; the offsets of its layers must be true. */
static void
change_headers(struct execution *x, const struct action *a)
{
    current_key(x);
    x->edited = true;
    if (a->kind == ACTION_PUSH_VLAN) {
        const struct action_push_vlan *push = (const struct action_push_vlan *) a;

        packet_push_vlan(x->packet, push->tpid, push->tci);
    } else if (a->kind == ACTION_POP_VLAN) {
        packet_pop_vlan(x->packet);
    } else if (a->kind == ACTION_PUSH_MPLS) {
        const struct action_push_mpls *push = (const struct action_push_mpls *) a;

        packet_push_mpls(x->packet, push->eth_type, push->lse);
    } else {
        packet_pop_mpls(x->packet, ((const struct action_pop_mpls *) a)->eth_type);
    }
}

/* '*drop' is set when nothing that follows shall see the packet. */
static int
run_one(struct execution *x, const struct action *a, bool last, bool *drop)
{
    switch ((enum action_kind) a->kind) {
    case ACTION_OUTPUT:
        output(x, ((const struct action_output *) a)->port, last);
        return 0;
    case ACTION_USERSPACE:
        userspace(x, (const struct action_userspace *) a);
        return 0;
    case ACTION_PUSH_VLAN:
    case ACTION_POP_VLAN:
    case ACTION_PUSH_MPLS:
    case ACTION_POP_MPLS:
        change_headers(x, a);
        return 0;
    case ACTION_SET:
        set_fields(x, (const struct action_set *) a);
        return 0;
    case ACTION_RECIRC:
        return recirc(x, ((const struct action_recirc *) a)->id, last);
    case ACTION_HASH:
        hash_l4(x, ((const struct action_hash *) a)->basis);
        return 0;
    case ACTION_TRUNC: {
        uint32_t max = ((const struct action_trunc *) a)->max_len;

        x->packet->cutlen = x->packet->len > max ? x->packet->len - max : 0;
        return 0;
    }
    case ACTION_METER:
        *drop = x->ops->meter && !x->ops->meter(((const struct action_meter *) a)->id, x->packet, x->arg);
        return 0;
    case ACTION_SAMPLE:
        return sample(x, (const struct action_sample *) a, last);
    case ACTION_CLONE:
        return run_apart(x, (const struct action_clone *) a + 1, ((const struct action_clone *) a)->nested_size, last);
    case ACTION_CHECK_LEN:
        return check_len(x, (const struct action_check_len *) a, last);
    case ACTION_CT:
        return conntrack(x, (const struct action_ct *) a);
    case ACTION_CT_CLEAR:
        conntrack_clear(&x->key);
        return 0;
    case ACTION_DROP:
        *drop = true;
        return 0;
    case ACTION_N_KINDS:
        break;
    }
    return -EOPNOTSUPP;
}

static int
run(struct execution *x, const void *actions, size_t size)
{
    const uint8_t *end = (const uint8_t *) actions + size;
    const struct action *a;
    bool drop = false;
    int error = 0;

    ACTION_FOR_EACH (a, actions, size) {
        error = run_one(x, a, (const uint8_t *) action_next(a) >= end, &drop);
        if (error || drop) {
            break;
        }
    }
    return error;
}

int
execute_actions(struct packet *packet, const struct flow_key *key, const void *actions, size_t size, const struct execute_ops *ops, void *arg)
{
    struct execution x = {.packet = packet, .key = *key, .edited = true, .ops = ops, .arg = arg};

    packet->cutlen = 0;
    return run(&x, actions, size);
}
