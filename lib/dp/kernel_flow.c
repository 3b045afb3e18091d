// SPDX-License-Identifier: Apache-2.0
// Flows and packets into openvswitch.ko. Whatever the caller hands over as one batch goes down in as few
// system calls as it fits.
#include <config.h>
#include "lib/dp/kernel.h"

#include "lib/base/counter.h"
#include "lib/base/log.h"
#include "lib/nl/ovs_action.h"

COUNTER(dp_flow_put, "A flow was put into the kernel datapath, or its actions were replaced.");
COUNTER(dp_flow_put_failed, "The kernel datapath refused a flow.");
COUNTER(dp_flow_del, "A flow was deleted from the kernel datapath.");
COUNTER(dp_execute, "A packet was handed to the kernel datapath for execution.");
COUNTER(dp_execute_failed, "The kernel datapath refused to execute a packet.");
COUNTER(dp_flow_undecoded, "A dumped flow has actions that this daemon does not know.");

#define OMIT_ALL (OVS_UFID_F_OMIT_KEY | OVS_UFID_F_OMIT_MASK | OVS_UFID_F_OMIT_ACTIONS)

static void
put_ufid(struct buf *b, dp_ufid ufid)
{
    uint32_t raw[4];

    dp_ufid_pack(ufid, raw);
    nl_put(b, OVS_FLOW_ATTR_UFID, raw, sizeof raw);
}

static void
read_stats(const struct nl_attr *tb, struct dp_stats *stats)
{
    struct ovs_flow_stats s = {.n_packets = 0};

    if (tb[OVS_FLOW_ATTR_STATS].len >= sizeof s) {
        memcpy(&s, tb[OVS_FLOW_ATTR_STATS].data, sizeof s);
    }
    stats->packets = s.n_packets;
    stats->bytes = s.n_bytes;
    stats->used_ms = (int64_t) nl_attr_u64(tb[OVS_FLOW_ATTR_USED]);
    stats->tcp_flags = nl_attr_u8(tb[OVS_FLOW_ATTR_TCP_FLAGS]);
}

static int
encode_put(const struct kernel *k, struct buf *b, const struct dp_flow_put *put)
{
    size_t at = kernel_begin(k, b, k->flow_family, put->modify ? OVS_FLOW_CMD_SET : OVS_FLOW_CMD_NEW,
                             put->modify ? NLM_F_ECHO : NLM_F_CREATE);
    size_t nest;
    int error;

    put_ufid(b, put->ufid);
    if (put->modify) {
        nl_put_u32(b, OVS_FLOW_ATTR_UFID_FLAGS, OMIT_ALL);
    }
    nest = nl_nest_begin(b, OVS_FLOW_ATTR_KEY);
    ovs_key_put(b, put->key, put->mask);
    nl_nest_end(b, nest);
    nest = nl_nest_begin(b, OVS_FLOW_ATTR_MASK);
    ovs_mask_put(b, put->key, put->mask);
    nl_nest_end(b, nest);
    nest = nl_nest_begin(b, OVS_FLOW_ATTR_ACTIONS);
    error = ovs_actions_put(b, put->actions, put->actions_len, kernel_upcall_pid(k, put->key->in_port));
    if (!error && b->len - nest > UINT16_MAX) {
        error = -EMSGSIZE;
    }
    if (error) {
        b->len = at;
        return error;
    }
    nl_nest_end(b, nest);
    nl_msg_end(b, at);
    return 0;
}

static void
put_replied(struct nl_op *op, const struct nlmsghdr *h, void *arg)
{
    struct nl_attr tb[OVS_FLOW_ATTR_MAX + 1];
    struct dp_flow_put *put = op->aux;

    if (!kernel_parse(arg, h, tb, ARRAY_SIZE(tb))) {
        read_stats(tb, &put->stats);
    }
}

static void
put_finish(struct kernel *k, struct nl_sock *s, struct nl_batch *b)
{
    nl_batch_run(s, b, put_replied, k);
    for (size_t i = 0; i < b->n; i++) {
        struct dp_flow_put *put = b->ops[i].aux;

        put->error = b->ops[i].error;
        if (put->error) {
            COUNTER_INC(dp_flow_put_failed);
        }
    }
    nl_batch_clear(b);
}

void
kernel_flow_put(struct dp *dp, struct dp_flow_put *puts, size_t n)
{
    struct kernel *k = kernel_cast(dp);
    struct nl_batch b = {.n = 0};
    struct nl_sock *s;
    int error = nl_pool_get(k->pool, &s);

    if (error) {
        for (size_t i = 0; i < n; i++) {
            puts[i].error = error;
        }
        return;
    }
    COUNTER_ADD(dp_flow_put, n);
    for (size_t i = 0; i < n; i++) {
        struct nl_op *op = nl_batch_add(&b);

        op->aux = &puts[i];
        puts[i].error = encode_put(k, &b.msgs, &puts[i]);
        if (puts[i].error) {
            COUNTER_INC(dp_flow_put_failed);
            b.n--;
        }
        if (b.msgs.len >= NL_BATCH_BYTES) {
            put_finish(k, s, &b);
        }
    }
    put_finish(k, s, &b);
    nl_pool_put(k->pool, s);
    nl_batch_free(&b);
}

static void
del_replied(struct nl_op *op, const struct nlmsghdr *h, void *arg)
{
    struct nl_attr tb[OVS_FLOW_ATTR_MAX + 1];
    struct dp_flow_del *del = op->aux;

    if (!kernel_parse(arg, h, tb, ARRAY_SIZE(tb))) {
        read_stats(tb, &del->stats);
    }
}

static void
del_finish(struct kernel *k, struct nl_sock *s, struct nl_batch *b)
{
    nl_batch_run(s, b, del_replied, k);
    for (size_t i = 0; i < b->n; i++) {
        struct dp_flow_del *del = b->ops[i].aux;

        del->error = b->ops[i].error;
    }
    nl_batch_clear(b);
}

void
kernel_flow_del(struct dp *dp, struct dp_flow_del *dels, size_t n)
{
    struct kernel *k = kernel_cast(dp);
    struct nl_batch b = {.n = 0};
    struct nl_sock *s;
    int error = nl_pool_get(k->pool, &s);

    if (error) {
        for (size_t i = 0; i < n; i++) {
            dels[i].error = error;
        }
        return;
    }
    COUNTER_ADD(dp_flow_del, n);
    for (size_t i = 0; i < n; i++) {
        struct nl_op *op = nl_batch_add(&b);
        size_t at = kernel_begin(k, &b.msgs, k->flow_family, OVS_FLOW_CMD_DEL, NLM_F_ECHO);

        op->aux = &dels[i];
        memset(&dels[i].stats, 0, sizeof dels[i].stats);
        put_ufid(&b.msgs, dels[i].ufid);
        nl_put_u32(&b.msgs, OVS_FLOW_ATTR_UFID_FLAGS, OMIT_ALL);
        nl_msg_end(&b.msgs, at);
        /* Each is answered by its counters: what waits in the receive buffer stays far below its size. */
        if (b.msgs.len >= NL_BATCH_BYTES) {
            del_finish(k, s, &b);
        }
    }
    del_finish(k, s, &b);
    nl_pool_put(k->pool, s);
    nl_batch_free(&b);
}

struct dump_state {
    const struct kernel *k;
    bool (*fn)(const struct dp_flow_dumped *, void *arg);
    void *arg;
    struct buf actions;
};

/* Turns a flow message into what callers understand. The key, mask and actions stand in the arguments. */
static int
flow_decode(struct dump_state *d, const struct nlmsghdr *h, struct flow_key *key, struct flow_key *mask,
            struct dp_flow_dumped *f)
{
    struct nl_attr tb[OVS_FLOW_ATTR_MAX + 1];
    int error = kernel_parse(d->k, h, tb, ARRAY_SIZE(tb));

    if (error) {
        return error;
    }
    memset(f, 0, sizeof *f);
    buf_clear(&d->actions);
    f->has_ufid = tb[OVS_FLOW_ATTR_UFID].len == 16;
    if (f->has_ufid) {
        f->ufid = dp_ufid_unpack(tb[OVS_FLOW_ATTR_UFID].data);
    }
    read_stats(tb, &f->stats);
    if (tb[OVS_FLOW_ATTR_KEY].data) {
        error = ovs_key_get(nl_attr_slice(tb[OVS_FLOW_ATTR_KEY]), key);
        error = error ? error : ovs_mask_get(nl_attr_slice(tb[OVS_FLOW_ATTR_MASK]), key, mask);
        f->key = key;
        f->mask = mask;
    }
    if (!error && tb[OVS_FLOW_ATTR_ACTIONS].data &&
        ovs_actions_get(nl_attr_slice(tb[OVS_FLOW_ATTR_ACTIONS]), &d->actions)) {
        COUNTER_INC(dp_flow_undecoded);
    }
    f->actions = d->actions.data;
    f->actions_len = d->actions.len;
    return error;
}

static bool
flow_dumped(const struct nlmsghdr *h, void *arg)
{
    struct flow_key key, mask;
    struct dp_flow_dumped f;
    struct dump_state *d = arg;

    return flow_decode(d, h, &key, &mask, &f) || d->fn(&f, d->arg);
}

int
kernel_flow_dump(struct dp *dp, bool terse, bool (*fn)(const struct dp_flow_dumped *, void *arg), void *arg)
{
    struct kernel *k = kernel_cast(dp);
    struct dump_state d = {.k = k, .fn = fn, .arg = arg};
    struct buf b = BUF_EMPTY;
    size_t at = kernel_begin(k, &b, k->flow_family, OVS_FLOW_CMD_GET, NLM_F_DUMP);
    int error;

    nl_put_u32(&b, OVS_FLOW_ATTR_UFID_FLAGS, terse ? OMIT_ALL : 0);
    nl_msg_end(&b, at);
    error = nl_pool_dump(k->pool, &b, flow_dumped, &d);
    buf_free(&b);
    buf_free(&d.actions);
    return error == -EINTR ? 0 : error;
}

int
kernel_flow_get(struct dp *dp, const dp_ufid *ufid, void (*fn)(const struct dp_flow_dumped *, void *arg),
                void *arg)
{
    struct kernel *k = kernel_cast(dp);
    struct dump_state d = {.k = k};
    struct buf b = BUF_EMPTY, reply = BUF_EMPTY;
    size_t at = kernel_begin(k, &b, k->flow_family, OVS_FLOW_CMD_GET, 0);
    struct flow_key key, mask;
    struct dp_flow_dumped f;
    int error;

    put_ufid(&b, *ufid);
    nl_msg_end(&b, at);
    error = nl_pool_transact(k->pool, &b, &reply, NULL);
    if (!error) {
        error = reply.len ? flow_decode(&d, nl_msg_at(&reply, 0), &key, &mask, &f) : -EPROTO;
    }
    if (!error) {
        fn(&f, arg);
    }
    buf_free(&b);
    buf_free(&reply);
    buf_free(&d.actions);
    return error;
}

int
kernel_flow_flush(struct dp *dp)
{
    struct kernel *k = kernel_cast(dp);
    struct buf b = BUF_EMPTY;
    size_t at = kernel_begin(k, &b, k->flow_family, OVS_FLOW_CMD_DEL, 0);
    int error;

    nl_msg_end(&b, at);
    error = nl_pool_transact(k->pool, &b, NULL, NULL);
    buf_free(&b);
    return error;
}

static int
encode_execute(const struct kernel *k, struct buf *b, const struct dp_execute *e)
{
    size_t at = kernel_begin(k, b, k->packet_family, OVS_PACKET_CMD_EXECUTE, 0);
    size_t nest;
    int error;

    if (e->packet->len > PACKET_MAX_LEN - NLA_HDRLEN) {
        b->len = at;
        return -EMSGSIZE;
    }
    nl_put(b, OVS_PACKET_ATTR_PACKET, e->packet->data, e->packet->len);
    nest = nl_nest_begin(b, OVS_PACKET_ATTR_KEY);
    ovs_key_put_metadata(b, e->key);
    nl_nest_end(b, nest);
    nest = nl_nest_begin(b, OVS_PACKET_ATTR_ACTIONS);
    error = ovs_actions_put(b, e->actions, e->actions_len, kernel_upcall_pid(k, e->key->in_port));
    if (!error && b->len - nest > UINT16_MAX) {
        error = -EMSGSIZE;
    }
    if (error) {
        b->len = at;
        return error;
    }
    nl_nest_end(b, nest);
    if (e->probe) {
        nl_put_flag(b, OVS_PACKET_ATTR_PROBE);
    }
    nl_msg_end(b, at);
    return 0;
}

static void
execute_finish(struct nl_sock *s, struct nl_batch *b)
{
    static struct log_limit limit = LOG_LIMIT(60, 5);

    nl_batch_run(s, b, NULL, NULL);
    for (size_t i = 0; i < b->n; i++) {
        struct dp_execute *e = b->ops[i].aux;

        e->error = b->ops[i].error;
        if (e->error) {
            COUNTER_INC(dp_execute_failed);
            if (!e->probe) {
                log_dbg_rl(LOG_dp, &limit, "the datapath refused to execute a packet (%s)",
                           errno_text(e->error));
            }
        }
    }
    nl_batch_clear(b);
}

void
kernel_execute(struct dp *dp, struct dp_execute *executes, size_t n)
{
    struct kernel *k = kernel_cast(dp);
    struct nl_batch b = {.n = 0};
    struct nl_sock *s;
    int error = nl_pool_get(k->pool, &s);

    if (error) {
        for (size_t i = 0; i < n; i++) {
            executes[i].error = error;
        }
        return;
    }
    COUNTER_ADD(dp_execute, n);
    for (size_t i = 0; i < n; i++) {
        struct nl_op *op;

        /* A list without actions drops: nothing to ask for. */
        executes[i].error = 0;
        if (!executes[i].actions_len) {
            continue;
        }
        if (executes[i].help) {
            execute_finish(s, &b); /* In order. */
            executes[i].error = kernel_execute_helped(dp, &executes[i]);
            continue;
        }
        op = nl_batch_add(&b);
        op->aux = &executes[i];
        executes[i].error = encode_execute(k, &b.msgs, &executes[i]);
        if (executes[i].error) {
            b.n--;
        }
        if (b.msgs.len >= NL_BATCH_BYTES) {
            execute_finish(s, &b);
        }
    }
    execute_finish(s, &b);
    nl_pool_put(k->pool, s);
    nl_batch_free(&b);
}
