// SPDX-License-Identifier: Apache-2.0
// What the tiers of this host can match and do: asked of the very functions that decide it for a megaflow, with one flow for each match field and one list for
// each action.
#ifndef LIB_DP_CAPABILITY_H
#define LIB_DP_CAPABILITY_H 1

#include "lib/dp/dp.h"
#include "lib/flow/field.h"

enum capability_tier {
    CAPABILITY_KERNEL, /* openvswitch.ko: it is asked itself. */
    CAPABILITY_EBPF,   /* The eBPF programs. */
    CAPABILITY_TC,     /* Flower filters; those of an adapter, too, as far as its driver takes them. */
    CAPABILITY_DAEMON, /* The daemon's executor. */
    CAPABILITY_N_TIERS
};
#define CAPABILITY_WHY_MAX 160

const char *capability_tier_name(enum capability_tier);
/* 0: this host has it. -errno and '*why' (caller frees): not. */
int capability_tier_probe(enum capability_tier, char **why);

/* Is it a field of packets, else of the way through OpenFlow tables alone? */
bool capability_field_is_of_packets(const struct field *);
/* NULL, or why the tier matches no flow on the field, in 'why'. 'kernel': an open datapath of openvswitch.ko, or NULL where there is none; then what that
 * can do is not known. Main thread. */
const char *capability_of_field(enum capability_tier, const struct field *, struct dp *kernel, char why[CAPABILITY_WHY_MAX]);

/* Actions, as ovs-dpctl(8) writes them; NULL-terminated. */
extern const char *const capability_actions[];
/* The same for an action. */
const char *capability_of_action(enum capability_tier, const char *action, struct dp *kernel, char why[CAPABILITY_WHY_MAX]);

#endif
