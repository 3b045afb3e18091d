// SPDX-License-Identifier: Apache-2.0
// NORMAL: what an Ethernet switch does (IEEE 802.1Q): VLAN of the packet by the port it came in on, learning, forwarding or flooding, tags as the port it
// leaves by has them. The modes are those of ovs-vswitchd.conf.db(5), table Port, "VLAN Configuration".
#include <config.h>
#include "ofproto/l2.h"
#include "ofproto/translate_ctx.h"

#define TPID_8021Q 0x8100
#define TPID_8021AD 0x88a8
#define PCP_MASK 0xe000

/* One tag taken apart; 'pcp' stays in its place in the TCI. */
struct tag {
    uint16_t tpid, vid, pcp;
};
struct tags {
    struct tag v[FLOW_N_VLANS];
};

/* The port that packets from a controller come in on: a trunk of all VLANs. */
static const struct port_settings controller_port = {.vlan_mode = VLAN_TRUNK, .vlan_tag = -1, .all_trunks = true, .all_cvlans = true};

static struct tags
tags_of(const struct flow_key *key)
{
    struct tags t = {0};

    for (unsigned i = 0; i < xl_n_vlans(key) && key->vlan[i].tpid; i++) {
        uint16_t tci = ntohs(key->vlan[i].tci);

        t.v[i] = (struct tag){ntohs(key->vlan[i].tpid), tci & 0xfff, tci & PCP_MASK};
    }
    return t;
}

static void
push(struct tags *t)
{
    memmove(&t->v[1], &t->v[0], sizeof t->v - sizeof t->v[0]);
    t->v[0] = (struct tag){0};
}

static void
pop(struct tags *t)
{
    memmove(&t->v[0], &t->v[1], sizeof t->v - sizeof t->v[0]);
    t->v[FLOW_N_VLANS - 1] = (struct tag){0};
}

static bool
in_map(const unsigned long *map, unsigned bit)
{
    return map[bit / (8 * sizeof *map)] >> bit % (8 * sizeof *map) & 1;
}

static bool
is_native(const struct port_settings *s)
{
    return s->vlan_mode == VLAN_NATIVE_TAGGED || s->vlan_mode == VLAN_NATIVE_UNTAGGED;
}

static uint16_t
own_vlan(const struct port_settings *s)
{
    return s->vlan_tag > 0 ? (uint16_t) s->vlan_tag : 0;
}

/* A native VLAN is trunked whatever the list says, and takes the place of VLAN 0. */
static bool
trunks(const struct port_settings *s, uint16_t vid)
{
    if (is_native(s) && own_vlan(s)) {
        if (vid == own_vlan(s)) {
            return true;
        }
        if (!vid) {
            return false;
        }
    }
    return s->all_trunks || in_map(s->trunks, vid);
}

static bool
allows_cvlan(const struct port_settings *s, uint16_t vid)
{
    return s->all_cvlans || in_map(s->cvlans, vid);
}

/* Does the port let a packet with this VLAN in? 'vid' is that of the packet's own tag. */
static bool
admits(struct xl *xl, const struct port_settings *s, const char *name, uint16_t vid)
{
    switch (s->vlan_mode) {
    case VLAN_ACCESS:
        if (vid) {
            trace_add(xl->in->trace, TRACE_ERROR, "dropping VLAN %u tagged packet received on port %s configured as VLAN %u access port", vid,
                      name, own_vlan(s));
        }
        return !vid;
    case VLAN_DOT1Q_TUNNEL:
        if (!allows_cvlan(s, vid)) {
            trace_add(xl->in->trace, TRACE_ERROR, "dropping VLAN %u packet received on dot1q-tunnel port %s that excludes this VLAN", vid, name);
        }
        return allows_cvlan(s, vid);
    case VLAN_NATIVE_TAGGED:
    case VLAN_NATIVE_UNTAGGED:
    case VLAN_TRUNK:
        if ((is_native(s) && !vid) || trunks(s, vid)) {
            return true;
        }
        trace_add(xl->in->trace, TRACE_ERROR, "dropping VLAN %u packet received on port %s not configured for trunking VLAN %u", vid, name, vid);
        return false;
    }
    return false;
}

/* The tags that the packet has inside of the switch. */
static struct tags
tags_inside(const struct port_settings *s, const struct tags *in)
{
    struct tags t = *in;

    switch (s->vlan_mode) {
    case VLAN_ACCESS:
        t = (struct tags){0};
        t.v[0] = (struct tag){in->v[0].tpid ? in->v[0].tpid : TPID_8021Q, own_vlan(s), in->v[0].pcp};
        break;
    case VLAN_NATIVE_TAGGED:
    case VLAN_NATIVE_UNTAGGED:
        if (!in->v[0].vid) {
            t.v[0] = (struct tag){in->v[0].tpid ? in->v[0].tpid : TPID_8021Q, own_vlan(s), in->v[0].pcp};
        }
        break;
    case VLAN_DOT1Q_TUNNEL:
        push(&t);
        t.v[0] = (struct tag){s->qinq_tpid ? s->qinq_tpid : TPID_8021AD, own_vlan(s), 0};
        break;
    case VLAN_TRUNK:
        break;
    }
    return t;
}

/* The tags with which it leaves by a port. */
static struct tags
tags_outside(const struct port_settings *s, const struct tags *inside)
{
    struct tags t = *inside;

    switch (s->vlan_mode) {
    case VLAN_ACCESS:
        return (struct tags){0};
    case VLAN_NATIVE_UNTAGGED:
        if (inside->v[0].vid == own_vlan(s)) {
            pop(&t);
        }
        break;
    case VLAN_DOT1Q_TUNNEL:
        pop(&t);
        break;
    case VLAN_NATIVE_TAGGED:
    case VLAN_TRUNK:
        break;
    }
    return t;
}

/* Is the packet's VLAN one of the port's? */
static bool
includes(const struct port_settings *s, const struct tags *t)
{
    switch (s->vlan_mode) {
    case VLAN_ACCESS:
        return t->v[0].vid == own_vlan(s) && !t->v[1].vid;
    case VLAN_DOT1Q_TUNNEL:
        return t->v[0].vid == own_vlan(s) && allows_cvlan(s, t->v[1].vid);
    case VLAN_NATIVE_TAGGED:
    case VLAN_NATIVE_UNTAGGED:
    case VLAN_TRUNK:
        return trunks(s, t->v[0].vid);
    }
    return false;
}

static void
put_tags(struct flow_key *key, const struct tags *t, int priority_tags)
{
    for (unsigned i = 0; i < FLOW_N_VLANS; i++) {
        uint16_t tci = t->v[i].vid | t->v[i].pcp;

        if (tci || (t->v[i].tpid && priority_tags == PRIORITY_TAGS_ALWAYS)) {
            key->vlan[i].tpid = htons(t->v[i].tpid ? t->v[i].tpid : TPID_8021Q);
            key->vlan[i].tci = htons(tci | FLOW_VLAN_PRESENT);
        } else {
            key->vlan[i] = (struct flow_vlan){0, 0};
        }
    }
}

static void
output(struct xl *xl, struct port *port, const struct tags *inside)
{
    const struct port_settings *s = port_settings(port);
    struct tags t = tags_outside(s, inside);
    struct flow_vlan was[FLOW_N_VLANS];

    if (s->priority_tags != PRIORITY_TAGS_NEVER) {
        t.v[0].pcp = ntohs(xl->key.vlan[0].tci) & PCP_MASK;
    }
    memcpy(was, xl->key.vlan, sizeof was);
    put_tags(&xl->key, &t, s->priority_tags);
    xl_output_to_port(xl, port->ofp, false);
    memcpy(xl->key.vlan, was, sizeof was);
}

static void
flood(struct xl *xl, const struct port *in, const struct tags *inside)
{
    const struct bridge_ports *ports = rcu_dereference(xl->bridge->ports);

    for (size_t i = 0; i < ports->n; i++) {
        struct port *port = ports->ports[i];
        const struct port_settings *s = port_settings(port);

        if (port != in && includes(s, inside) && !(s->of_config & OFPPC_NO_FLOOD)) {
            output(xl, port, inside);
        }
    }
}

/* Addresses of protocols between neighbouring switches, which no switch forwards unless told to: IEEE 802.1D's sixteen, and those that
 * ovs-vswitchd.conf.db(5) names under forward-bpdu. */
static bool
is_reserved(struct eth_addr mac)
{
    static const uint64_t others[] = {
        UINT64_C(0x00e02b000000), UINT64_C(0x00e02b000004), UINT64_C(0x00e02b000006), UINT64_C(0x01000c000000), UINT64_C(0x01000ccccccc),
        UINT64_C(0x01000ccccccd), UINT64_C(0x01000ccdcdcd), UINT64_C(0x0180c2000010),
    };
    uint64_t a = eth_addr_u64(mac);

    if ((a & ~UINT64_C(0xf)) == UINT64_C(0x0180c2000000) || (a & ~UINT64_C(0xf)) == UINT64_C(0x01000cccccc0)) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        if (a == others[i]) {
            return true;
        }
    }
    return false;
}

static bool
is_broadcast(struct eth_addr mac)
{
    return eth_addr_u64(mac) == UINT64_C(0xffffffffffff);
}

/* ARP sent without being asked, as hosts do after they moved, is learned from like any other packet as long as there are no bonds; but such packets are
 * told apart in the megaflow, as they will have to be then. */
static void
look_for_gratuitous_arp(struct xl *xl)
{
    if (xl->key.eth_type != htons(0x0806) || !is_broadcast(xl->key.eth_dst)) {
        return;
    }
    xl->mask->nw_proto = UINT8_MAX;
    if (xl->key.nw_proto == 1) {
        xl->mask->nw_src = xl->mask->nw_dst = UINT32_MAX;
    }
}

/* Where an address is: as the table will have it after what this translation has learned so far, if that is going to be applied. */
static struct port *
find_port(struct xl *xl, struct eth_addr mac, uint16_t vlan)
{
    const struct effect *e = xl->out->effects;

    for (size_t i = xl_side_effects(xl) ? xl->out->n_effects : 0; i-- > 0;) {
        if (e[i].kind == EFFECT_L2_LEARN && e[i].learn.bridge == xl->bridge && e[i].learn.vlan == vlan && eth_addr_equals(e[i].learn.mac, mac)) {
            return e[i].learn.port;
        }
    }
    return l2_lookup(xl->bridge->l2, mac, vlan);
}

static void
learn(struct xl *xl, struct port *in, uint16_t vlan)
{
    struct eth_addr mac = xl->key.eth_src;
    struct effect *e;

    if (eth_addr_is_multicast(mac)) {
        return;
    }
    if (xl->in->trace && xl_side_effects(xl) && find_port(xl, mac, vlan) != in) {
        trace_add(xl->in->trace, TRACE_DETAIL, "learned that " ETH_ADDR_FMT " is on port %s in VLAN %u", ETH_ADDR_ARGS(mac), in->name, vlan);
    }
    e = xl_effect(xl, EFFECT_L2_LEARN);
    e->learn.bridge = xl->bridge;
    e->learn.mac = mac;
    e->learn.vlan = vlan;
    e->learn.port = in;
}

static void
forward(struct xl *xl, struct port *in, const struct tags *inside)
{
    uint16_t vlan = inside->v[0].vid;
    struct port *to = find_port(xl, xl->key.eth_dst, vlan);

    xl_depend(xl, DEP_L2, eth_addr_u64(xl->key.eth_dst) | (uint64_t) vlan << 48);
    if (!to) {
        trace_add(xl->in->trace, TRACE_DETAIL, "no learned MAC for destination, flooding");
        flood(xl, in, inside);
    } else if (to == in) {
        trace_add(xl->in->trace, TRACE_DETAIL, "learned port is input port, dropping");
    } else {
        trace_add(xl->in->trace, TRACE_DETAIL, "forwarding to learned port");
        output(xl, to, inside);
    }
}

void
xl_normal(struct xl *xl)
{
    struct port *in = bridge_port(xl->bridge, xl->key.in_port);
    const struct port_settings *s = in ? port_settings(in) : &controller_port;
    struct tags outside = tags_of(&xl->key), inside;

    memset(&xl->mask->eth_src, 0xff, sizeof xl->mask->eth_src);
    memset(&xl->mask->eth_dst, 0xff, sizeof xl->mask->eth_dst);
    xl->mask->vlan[0].tci |= htons(FLOW_VLAN_PRESENT | 0xfff);
    if (!in && xl->key.in_port != OFPP_CONTROLLER && xl->key.in_port != OFPP_NONE) {
        trace_add(xl->in->trace, TRACE_ERROR, "received packet on unknown port %" PRIu32, xl->key.in_port);
        trace_add(xl->in->trace, TRACE_WARN, "no input bundle, dropping");
        return;
    }
    if (xl->key.eth_type == htons(TPID_8021Q) && !xl_n_vlans(&xl->key)) {
        trace_add(xl->in->trace, TRACE_WARN, "dropping packet with partial VLAN tag received on port");
        return;
    }
    if (!admits(xl, s, in ? in->name : "none", outside.v[0].vid)) {
        trace_add(xl->in->trace, TRACE_WARN, "disallowed VLAN VID for this input port, dropping");
        return;
    }
    inside = tags_inside(s, &outside);
    if (in && !__atomic_load_n(&xl->bridge->forward_bpdu, __ATOMIC_RELAXED) && is_reserved(xl->key.eth_dst)) {
        trace_add(xl->in->trace, TRACE_DETAIL, "packet has reserved destination MAC, dropping");
        return;
    }
    look_for_gratuitous_arp(xl);
    if (in) {
        learn(xl, in, inside.v[0].vid);
    }
    forward(xl, in, &inside);
}
