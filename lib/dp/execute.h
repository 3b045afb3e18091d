// SPDX-License-Identifier: Apache-2.0
// The userspace executor of datapath actions: slow path, packets that the kernel cannot be asked to execute, and the reference that the other tiers
// are compared with. Pure but for its outputs.
#ifndef LIB_DP_EXECUTE_H
#define LIB_DP_EXECUTE_H 1

#include "lib/flow/action.h"
#include "lib/flow/packet.h"

struct execute_ops {
    bool keyed_output; /* Does 'output' look at the key? Else that is NULL: extracting it takes time. */
    /* The packet is the executor's; copy to keep. 'last': it is not changed any more, but may be a copy that goes. */
    void (*output)(uint32_t port, struct packet *, const struct flow_key *key, bool last, void *arg);
    void (*userspace)(const struct action_userspace *, struct packet *, const struct flow_key *key, void *arg);
    void (*recirc)(uint32_t recirc_id, struct packet *, const struct flow_key *key, void *arg); /* Key has the new recirc_id. */
    bool (*meter)(uint32_t meter_id, struct packet *, void *arg);                               /* false: drop. NULL: pass. */
    int (*ct)(const struct action_ct *, struct packet *, struct flow_key *key, void *arg);      /* NULL: refuse. */
    uint32_t (*random)(void *arg);                                                              /* For sample; NULL: never samples below UINT32_MAX. */
};
/* 'packet' may be changed and is the caller's. 0, or -EOPNOTSUPP for an action that has no executor (outputs before it were made). */
int execute_actions(struct packet *, const struct flow_key *key, const void *actions, size_t size, const struct execute_ops *, void *arg);

#endif
