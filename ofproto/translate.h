// SPDX-License-Identifier: Apache-2.0
// Translation: one pure call from (bridge, key) to datapath actions and the mask that proves them. It serves misses, revalidation, ofproto/trace,
// packet-out and tests. No netlink, no lock, no send inside: what must happen beside the packet is handed back as side effects for the caller to apply,
// or to leave.
//
// RCU read section; any thread. Keys carry OpenFlow port numbers in in_port.
#ifndef OFPROTO_TRANSLATE_H
#define OFPROTO_TRANSLATE_H 1

#include "lib/flow/action.h"
#include "lib/flow/packet.h"
#include "lib/of/ofact.h"
#include "ofproto/bridge.h"
#include "ofproto/effect.h"

struct trace_sink;       /* ofproto/trace listens here; NULL elsewhere. Its functions: ofproto/trace.h. */

struct translate_in {
    struct bridge *bridge;
    struct port *in_port;               /* NULL: from the controller or unknown. */
    struct flow_key key;
    const struct packet *packet;        /* NULL: a revalidation; packet-dependent side effects are then left out. */
    /* Instead of looking up table 0: these actions (packet-out, hidden), or frozen state by recirc_id in the key. */
    const void *ofacts;
    size_t ofacts_len;
    uint8_t first_table;
    struct trace_sink *trace;
};

/* What the result depends on, for invalidation: kinds of things and which. */
enum dep_kind { DEP_TABLE, DEP_L2, DEP_PORT, DEP_BRIDGE, DEP_GROUP };
struct dep {
    uint32_t kind;
    uint32_t bridge_id;
    uint64_t what;                      /* Table id; hash of MAC and VLAN; OpenFlow port; 0; group. */
};

enum translate_error {
    TRANSLATE_OK, TRANSLATE_TOO_DEEP, TRANSLATE_TOO_MANY_RESUBMITS, TRANSLATE_STACK_TOO_DEEP, TRANSLATE_NO_RECIRC, TRANSLATE_BRIDGE_NOT_FOUND,
    TRANSLATE_INVALID_TUNNEL, TRANSLATE_TOO_MANY_ACTIONS,
    TRANSLATE_TOO_MANY_LABELS, TRANSLATE_N_ERRORS
};

struct translate_out {
    /* Bits of the key that were looked at. That a packet has tags or not goes without saying: a datapath tells them apart by their Ethertype
     * (translate_add_layout()). Metadata of OpenFlow is not in it: it is the same for all packets that come in. */
    struct flow_key mask;
    struct buf actions;                 /* struct action records with datapath port numbers. */
    uint32_t slow;                      /* enum slow_reason bits: then 'actions' is for execution in the daemon only. */
    bool cacheable;                     /* false: execute this packet, install nothing. */
    enum translate_error error;         /* Actions are empty (drop) if set. */
    struct effect *effects;
    size_t n_effects, effects_allocated;
    struct dep *deps;
    size_t n_deps, deps_allocated;
    struct flow_key final_key;          /* With a trace only: ofproto/trace's "Final flow". */
};

void translate_out_init(struct translate_out *);
void translate_out_clear(struct translate_out *);   /* Keeps memory for the next use. */
void translate_out_destroy(struct translate_out *);
enum translate_error translate(const struct translate_in *, struct translate_out *);
const char *translate_error_text(enum translate_error);
/* Adds to 'mask' whether the packet of 'key' has tags: for those who compare keys bit by bit. */
void translate_add_layout(const struct flow_key *key, struct flow_key *mask);

/* Applies what 'out' says happened, for 'packets' packets of 'bytes' bytes: credits, MAC addresses seen. Same RCU read section as translate(), any thread.
 * What only the main thread may do for a packet in hand (learned flows) is left: translate_apply_main(). */
void translate_apply(const struct translate_out *, uint64_t packets, uint64_t bytes, int64_t used_ms);
void translate_apply_main(const struct translate_out *); /* Main thread. */
bool translate_needs_main(const struct translate_out *); /* Is there anything of that kind? */

/* The proof of a mask: translates '*in' again with 'rounds' variants of its key that differ in unmasked bits only. false, and both results on stderr, when one
 * is not translated as 'out' says. A build with --enable-debug-masks does so after each translation, and aborts. Pure: effects are not applied. */
bool translate_check_mask(const struct translate_in *, const struct translate_out *, unsigned rounds);
enum translate_error translate_unproved(const struct translate_in *, struct translate_out *); /* translate() without that. */

#endif
