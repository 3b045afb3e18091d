// SPDX-License-Identifier: Apache-2.0
// The way of a packet nobody knew: received in a batch, translated, its effects applied, its flow put into the table and the datapath, the packet executed. Each step
// is done for the whole batch before the next, so that netlink is crossed few times. RCU: a batch is one read section.
#include <config.h>
#include "ofproto/upcall.h"

#include <stdlib.h>

#include "lib/base/counter.h"
#include "lib/base/log.h"
#include "ofproto/megaflow.h"
#include "ofproto/packet_in.h"
#include "ofproto/private.h"

COUNTER(upcall_miss, "A packet came up that no megaflow matched.");
COUNTER(upcall_slow, "A packet came up whose megaflow only the daemon can execute.");
COUNTER(upcall_controller, "A packet came up for a controller.");
COUNTER(upcall_unknown_port, "A packet came up from a datapath port that no bridge has.");
COUNTER(upcall_flow_limit, "A megaflow was not installed: flow-limit is reached.");
COUNTER(upcall_flow_duplicate, "Another handler had installed the same megaflow.");
COUNTER(upcall_install_failed, "A datapath refused a megaflow.");
COUNTER(upcall_execute_failed, "A datapath refused to execute a packet's actions.");
COUNTER(upcall_reason_unknown, "A packet came up for a reason that we did not ask for.");

#define BATCH 64

/* Packets of one batch that are credited alike, one after the other: rules and tables are counted once for them, since other handlers count there, too. */
struct credit {
    const struct translate_out *out; /* Of the first; NULL: none. */
    uint64_t packets, bytes;
};

struct handler {
    struct upcalls *upcalls;
    unsigned index;
    pthread_t thread;
    struct dp_upcall upcalls_in[BATCH];
    struct translate_out out[BATCH];
    struct bridge *missed[BATCH];    /* Which translated a packet that wants a megaflow; NULL: it wants none. */
    dp_ufid ufids[BATCH];            /* Of that. */
    struct megaflow *flows[BATCH];   /* Put into the table by this batch, to be installed; NULL: none. */
    struct buf flow_actions[BATCH];
    struct credit credit;
};

struct upcalls {
    struct datapath *datapath;
    unsigned n_handlers;
    bool stop;                       /* Atomic. */
    struct handler *handlers;
};

/* A translation whose effects include some for the main thread, on its way there. */
struct main_effects {
    struct translate_out out;
};

static void
apply_in_main(void *effects)
{
    struct main_effects *e = effects;

    translate_apply_main(&e->out);
    for (size_t i = 0; i < e->out.n_effects; i++) {
        effect_unref(&e->out.effects[i]);
    }
    translate_out_destroy(&e->out);
    free(e);
}

/* Hands the translation over to the main thread; '*out' is fresh after it. Until that thread comes to it, bridge and rule may go. */
static void
post_main_effects(struct datapath *d, struct translate_out *out)
{
    struct main_effects *e = xmalloc(sizeof *e);
    size_t n = 0;

    e->out = *out;
    translate_out_init(out);
    for (size_t i = 0; i < e->out.n_effects; i++) {
        const struct effect *effect = &e->out.effects[i];

        if (effect_is_main(effect) && effect_ref(effect)) {
            e->out.effects[n++] = *effect;
        }
    }
    e->out.n_effects = n;
    loop_post(d->ofproto->loop, apply_in_main, e);
}

static void
note_duplicate(struct datapath *d, dp_ufid ufid)
{
    COUNTER_INC(upcall_flow_duplicate);
    place_flow_missed(d->place, ufid);
}

/* Is there to be a megaflow for packet 'i'? Then its mask is the datapath's from now on, and 'ufids' has its ufid. */
static bool
wants_flow(struct handler *h, unsigned i)
{
    struct datapath *d = h->upcalls->datapath;
    const struct flow_key *key = &h->upcalls_in[i].key;
    struct translate_out *out = &h->out[i];

    if (!h->missed[i] || !out->cacheable || !__atomic_load_n(&d->forwarding, __ATOMIC_ACQUIRE)) {
        return false;
    }
    datapath_mask_from_translate(d, key, &out->mask);
    h->ufids[i] = dp_ufid_of(key, &out->mask);
    if (megaflows_find(d->megaflows, h->ufids[i])) {
        note_duplicate(d, h->ufids[i]);
        return false;
    }
    return true;
}

/* Makes the megaflow and claims its ufid; installing comes with the rest of the batch. */
static struct megaflow *
claim_flow(struct handler *h, unsigned i, uint64_t generation)
{
    struct datapath *d = h->upcalls->datapath;
    struct buf *actions = &h->flow_actions[i];
    struct megaflow *mf;

    if (megaflows_n(d->megaflows) >= d->ofproto->config.flow_limit) {
        COUNTER_INC(upcall_flow_limit);
        return NULL;
    }
    buf_clear(actions);
    megaflow_datapath_actions(&h->out[i], h->missed[i]->id, actions);
    mf = megaflow_create(d->megaflows, h->ufids[i], &h->upcalls_in[i].key, &h->out[i], actions, generation);
    if (!megaflows_add(d->megaflows, mf)) {
        note_duplicate(d, mf->ufid);
        megaflow_free(mf);
        return NULL;
    }
    return mf;
}

static void
settle_credit(struct handler *h)
{
    if (h->credit.out) {
        translate_apply(h->credit.out, h->credit.packets, h->credit.bytes, now_ms());
        h->credit.out = NULL;
    }
}

/* Effects that do more than count come at once: the next packet may be translated otherwise after them. */
static void
apply(struct handler *h, const struct translate_out *out, uint64_t packets, uint64_t bytes)
{
    if (h->credit.out && !effects_equal(h->credit.out->effects, h->credit.out->n_effects, out->effects, out->n_effects)) {
        settle_credit(h);
    }
    if (h->credit.out) {
        h->credit.packets += packets;
        h->credit.bytes += bytes;
    } else if (effects_only_count(out->effects, out->n_effects)) {
        h->credit = (struct credit){out, packets, bytes};
    } else {
        translate_apply(out, packets, bytes, now_ms());
    }
}

/* Translates one packet for forwarding: a miss, or one of the slow path, whose counters the datapath's flow keeps. */
static void
translate_upcall(struct handler *h, unsigned i, bool miss)
{
    struct datapath *d = h->upcalls->datapath;
    struct dp_upcall *up = &h->upcalls_in[i];
    struct translate_in in = {.packet = up->packet};

    in.in_port = datapath_key_to_translate(d, &up->key, &in.key);
    if (!in.in_port) {
        COUNTER_INC(upcall_unknown_port);
        return;
    }
    in.bridge = in.in_port->bridge;
    translate(&in, &h->out[i]);
    apply(h, &h->out[i], miss ? 1 : 0, miss ? up->packet->len : 0);
    h->missed[i] = miss ? in.bridge : NULL;
}

static void
handle_one(struct handler *h, unsigned i)
{
    struct dp_upcall *up = &h->upcalls_in[i];

    translate_out_clear(&h->out[i]);
    h->missed[i] = NULL;
    if (!up->action) {
        COUNTER_INC(upcall_miss);
        translate_upcall(h, i, true);
    } else if (up->cookie.reason == UPCALL_SLOW) {
        COUNTER_INC(upcall_slow);
        translate_upcall(h, i, false);
    } else if (up->cookie.reason == UPCALL_CONTROLLER) {
        COUNTER_INC(upcall_controller);
        packet_in_from_upcall(h->upcalls->datapath, up);
    } else {
        COUNTER_INC(upcall_reason_unknown);
    }
}

/* Each step for all of a batch: it is a walk through memory that is far away, and the processor begins with the next before one has ended. */
static void
claim_flows(struct handler *h, unsigned n, uint64_t generation)
{
    for (unsigned i = 0; i < n; i++) {
        h->missed[i] = wants_flow(h, i) ? h->missed[i] : NULL;
    }
    for (unsigned i = 0; i < n; i++) {
        h->flows[i] = h->missed[i] ? claim_flow(h, i, generation) : NULL;
    }
}

static void
install_flows(struct handler *h, unsigned n)
{
    struct datapath *d = h->upcalls->datapath;
    struct dp_flow_put puts[BATCH];
    unsigned which[BATCH];
    struct flow_key keys[BATCH];
    size_t n_puts = 0;

    for (unsigned i = 0; i < n; i++) {
        struct megaflow *mf = h->flows[i];

        if (mf) {
            flow_key_and(&keys[n_puts], &h->upcalls_in[i].key, &h->out[i].mask);
            puts[n_puts] = (struct dp_flow_put){.ufid = mf->ufid,
                                                .key = &keys[n_puts],
                                                .mask = &h->out[i].mask,
                                                .actions = mf->outcome->actions,
                                                .actions_len = mf->outcome->actions_len};
            which[n_puts++] = i;
        }
    }
    if (n_puts) {
        place_flow_put(d->place, puts, n_puts);
    }
    for (size_t j = 0; j < n_puts; j++) {
        struct megaflow *mf = h->flows[which[j]];

        if (puts[j].error) {
            COUNTER_INC(upcall_install_failed);
            megaflows_remove(d->megaflows, mf);
        } else {
            __atomic_store_n(&mf->installed, true, __ATOMIC_RELEASE);
        }
    }
}

static void
execute_packets(struct handler *h, unsigned n)
{
    struct datapath *d = h->upcalls->datapath;
    struct dp_execute executes[BATCH];
    size_t n_executes = 0;

    for (unsigned i = 0; i < n; i++) {
        if (h->out[i].actions.len) {
            executes[n_executes++] = (struct dp_execute){.packet = h->upcalls_in[i].packet,
                                                         .key = &h->upcalls_in[i].key,
                                                         .actions = h->out[i].actions.data,
                                                         .actions_len = h->out[i].actions.len,
                                                         .help = h->out[i].slow & SLOW_ACTION};
        }
    }
    if (n_executes) {
        d->dp->ops->execute(d->dp, executes, n_executes);
    }
    for (size_t j = 0; j < n_executes; j++) {
        if (executes[j].error) {
            COUNTER_INC(upcall_execute_failed);
        }
    }
}

static void
handle_batch(struct handler *h, unsigned n)
{
    uint64_t generation = __atomic_load_n(&h->upcalls->datapath->generation, __ATOMIC_ACQUIRE);

    for (unsigned i = 0; i < n; i++) {
        handle_one(h, i);
    }
    settle_credit(h);
    claim_flows(h, n, generation);
    install_flows(h, n);
    execute_packets(h, n);
    for (unsigned i = 0; i < n; i++) {
        if (translate_needs_main(&h->out[i])) {
            post_main_effects(h->upcalls->datapath, &h->out[i]);
        }
        packet_free(h->upcalls_in[i].packet);
    }
}

static void
handler_main(void *handler)
{
    struct handler *h = handler;
    struct dp *dp = h->upcalls->datapath->dp;

    while (!__atomic_load_n(&h->upcalls->stop, __ATOMIC_ACQUIRE)) {
        int n = dp->ops->recv(dp, h->index, h->upcalls_in, BATCH, -1);

        if (n > 0) {
            handle_batch(h, (unsigned) n);
        }
        rcu_quiescent();
    }
}

struct upcalls *
upcalls_create(struct datapath *d, unsigned n_handlers)
{
    struct upcalls *u = xzalloc(sizeof *u);

    u->datapath = d;
    u->n_handlers = n_handlers;
    u->handlers = xcalloc(n_handlers, sizeof *u->handlers);
    for (unsigned i = 0; i < n_handlers; i++) {
        struct handler *h = &u->handlers[i];
        char name[32];

        h->upcalls = u;
        h->index = i;
        for (size_t j = 0; j < BATCH; j++) {
            translate_out_init(&h->out[j]);
        }
        snprintf(name, sizeof name, "handler%u", i + 1);
        h->thread = rcu_thread_create(name, handler_main, h);
    }
    return u;
}

void
upcalls_destroy(struct upcalls *u)
{
    __atomic_store_n(&u->stop, true, __ATOMIC_RELEASE);
    u->datapath->dp->ops->wake(u->datapath->dp);
    urcu_qsbr_thread_offline(); /* A handler may wait for a grace period. */
    for (unsigned i = 0; i < u->n_handlers; i++) {
        pthread_join(u->handlers[i].thread, NULL);
    }
    urcu_qsbr_thread_online();
    for (unsigned i = 0; i < u->n_handlers; i++) {
        for (size_t j = 0; j < BATCH; j++) {
            translate_out_destroy(&u->handlers[i].out[j]);
            buf_free(&u->handlers[i].flow_actions[j]);
        }
    }
    free(u->handlers);
    free(u);
}

unsigned
upcalls_n_handlers(const struct upcalls *u)
{
    return u->n_handlers;
}

/* Executes a translation of a packet that the main thread has in hand. */
static void
execute_in_main(struct bridge *br, struct packet *packet, const struct flow_key *key, struct port *in_port, struct translate_out *out)
{
    struct dp *dp = br->datapath->dp;
    struct flow_key dp_key = *key;
    struct dp_execute execute = {.packet = packet, .key = &dp_key, .actions = out->actions.data, .actions_len = out->actions.len,
                                 .help = out->slow & SLOW_ACTION};

    dp_key.in_port = in_port && in_port->dp_port != DP_PORT_NONE ? in_port->dp_port : DP_PORT_NONE;
    translate_apply(out, 1, packet->len, now_ms());
    if (out->actions.len) {
        dp->ops->execute(dp, &execute, 1);
        if (execute.error) {
            COUNTER_INC(upcall_execute_failed);
        }
    }
    translate_apply_main(out);
}

/* Makes the packet, which the caller frees, and its key. Or why the actions cannot be carried out on it, and no packet. */
static enum of_error
prepare_packet_out(const struct packet_out *po, struct packet **packetp, struct flow_key *key)
{
    const struct ofact_limits limits = {.max_ports = OFP10_PORT_MAX, .table_id = OFPTT_ALL, .n_tables = N_TABLES};
    struct packet *packet;
    struct match match;
    enum of_error error;

    if (po->data.len > PACKET_MAX_LEN) {
        return OFERR_OFPBRC_BAD_PACKET;
    }
    packet = packet_new(po->data.data, po->data.len);
    *key = po->meta.key;
    key->in_port = po->in_port;
    packet_extract(packet, key);
    match.key = *key;
    memset(&match.mask, 0xff, sizeof match.mask);
    error = ofact_check(po->actions.data, po->actions.len, &match, &limits);
    if (error) {
        packet_free(packet);
    } else {
        *packetp = packet;
    }
    return error;
}

enum of_error
packet_out_check(const struct packet_out *po)
{
    struct flow_key key;
    struct packet *packet;
    enum of_error error = prepare_packet_out(po, &packet, &key);

    if (!error) {
        packet_free(packet);
    }
    return error;
}

enum of_error
packet_out_execute(struct bridge *br, const struct packet_out *po)
{
    struct translate_in in = {.bridge = br, .ofacts = po->actions.data, .ofacts_len = po->actions.len};
    struct translate_out out;
    struct packet *packet;
    enum of_error error = prepare_packet_out(po, &packet, &in.key);

    if (!error) {
        in.packet = packet;
        in.in_port = bridge_port(br, po->in_port);
        packet_key_limit_vlans(&in.key, br->ofproto->config.vlan_limit);
        translate_out_init(&out);
        translate(&in, &out);
        execute_in_main(br, packet, &in.key, in.in_port, &out);
        translate_out_destroy(&out);
        packet_free(packet);
    }
    return error;
}
