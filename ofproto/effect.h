// SPDX-License-Identifier: Apache-2.0
// What a translation says shall happen beside the packet. RCU read section; any thread, where nothing else is said.
#ifndef OFPROTO_EFFECT_H
#define OFPROTO_EFFECT_H 1

#include "ofproto/bridge.h"

struct learned;

/* Whom to credit with the packets of a megaflow, and what to do once for the packet in hand. Packets for controllers are not here: they are userspace
 * actions (UPCALL_CONTROLLER), whose cookie names the state of the packet in ofproto/freeze.h. */
enum effect_kind { EFFECT_RULE, EFFECT_PORT_RX, EFFECT_PORT_TX, EFFECT_L2_LEARN, EFFECT_FLOW_MOD, EFFECT_FIN_TIMEOUT, EFFECT_FREEZE, EFFECT_TABLE };
struct effect {
    enum effect_kind kind;
    union {
        struct rule *rule;                                          /* RULE: not referenced. */
        struct port *port;                                          /* PORT_*. */
        struct { struct bridge *bridge; struct eth_addr mac; uint16_t vlan; struct port *port; } learn;
        struct learned *learned;                                    /* FLOW_MOD: struct translate_out has a reference. */
        uint32_t freeze;                                            /* Its number. */
        struct { struct bridge *bridge; struct rule *rule; uint16_t idle, hard; } fin;
        struct { struct bridge *bridge; uint8_t id; bool matched; } table; /* TABLE: one lookup. */
    };
};

/* References the rule, port and bridge that it points to, for who keeps it past the read section. false, and nothing referenced: one of them is going. */
bool effect_ref(const struct effect *);
void effect_unref(const struct effect *);

/* Byte by byte: where bytes that mean nothing differ, the same effects are not equal. */
bool effects_equal(const struct effect *a, size_t n_a, const struct effect *b, size_t n_b);
/* Do the effects only count packets, so that those of several packets may be applied at once? */
bool effects_only_count(const struct effect *, size_t n);
/* Applies them for 'packets' packets of 'bytes' bytes. What concerns a port or bridge that is gone meanwhile (port->removed, bridge->removed) is left out, as is
 * what only the main thread may do. */
void effects_apply(const struct effect *, size_t n, uint64_t packets, uint64_t bytes, int64_t used_ms);
/* For packets that passed in the datapath, what is for the main thread besides: rules that they learn (ofproto/learned.h). */
void effects_repeat(const struct effect *, size_t n, int64_t used_ms);
bool effect_is_main(const struct effect *);        /* Is it for the main thread, once for the packet in hand? */
void effect_apply_main(const struct effect *);     /* Main thread. Nothing if it is of another kind, or its bridge is gone. */

#endif
