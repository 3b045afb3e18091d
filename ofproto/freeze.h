// SPDX-License-Identifier: Apache-2.0
// Frozen translations: what must be known again when a packet comes back, by recirculation or to a controller. States are found by content, so that the
// same translation made twice, for a miss and for its revalidation, yields the same number, and translate() stays pure.
//
// One store in the process: numbers are unique among all datapaths. Any thread. A state lives while megaflows use it: each translate_apply() of a
// translation that names it says so, and freeze_sweep() drops what nobody has named for a while.
#ifndef OFPROTO_FREEZE_H
#define OFPROTO_FREEZE_H 1

#include "lib/base/buf.h"
#include "lib/flow/key.h"

#define FREEZE_NO_TABLE 255

/* Stands before each run of actions in freeze.ofacts: whose they are. */
struct freeze_segment {
    uint64_t cookie;
    uint32_t size;      /* Bytes of struct ofact records that follow. */
    uint8_t table_id;   /* Where resubmit without a table goes. */
    uint8_t pad[3];
};

struct freeze {
    uint32_t bridge_id;
    uint8_t table_id;           /* Go on with a lookup in this table; FREEZE_NO_TABLE: with 'ofacts' only. */
    bool in_action_set, conntracked, pad;
    struct flow_key meta;       /* in_port, registers, metadata, tunnel; the rest zero. */
    struct slice ofacts;        /* Segments. */
    struct slice action_set;    /* struct ofact records. */
    struct slice stack;         /* 16-byte values. */
    struct slice userdata;      /* Of controller(userdata=...). */
};

/* The number of this state, never 0; the store copies. 0: the store is full (bounded by FREEZE_MAX). */
uint32_t freeze_intern(const struct freeze *);
const struct freeze *freeze_find(uint32_t id); /* RCU read section. NULL: no such state, or no longer. */
void freeze_use(uint32_t id, int64_t now_ms);  /* It is in use still. */
/* Main thread, every now and then: drops what was not used for 'idle_ms'. */
void freeze_sweep(int64_t now_ms, int64_t idle_ms);
size_t freeze_count(void);
#define FREEZE_MAX 65536

#endif
