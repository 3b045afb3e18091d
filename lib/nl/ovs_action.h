// SPDX-License-Identifier: Apache-2.0
// Lists of struct action <-> OVS_ACTION_ATTR_* of openvswitch.ko (include/uapi/linux/openvswitch.h, enum
// ovs_action_attr).
#ifndef LIB_NL_OVS_ACTION_H
#define LIB_NL_OVS_ACTION_H 1

#include "lib/flow/action.h"
#include "lib/nl/ovs_key.h"

/* Appends the attributes of 'list' (call within a nest). 'upcall_pid' is where userspace actions with
 * UPCALL_PID_AUTO send. 0; or -EOPNOTSUPP: the kernel has no such action (what was appended before it stays).
 */
int ovs_actions_put(struct buf *, const void *list, size_t size, uint32_t upcall_pid);

/* How many bytes of attributes that is, up to an action that the kernel has not. */
size_t ovs_actions_size(const void *list, size_t size);

/* Appends the records of the attributes to 'list'. 0; or -EINVAL (nonsense), -EOPNOTSUPP (an action we do not
 * know), -E2BIG (nested too deep); then 'list' is as before. */
int ovs_actions_get(struct slice, struct buf *list);

/* Which key attribute a set of each group carries; 0: none. */
extern const uint16_t ovs_set_attrs[SET_N_GROUPS];
/* Bit i of action_ct.nat_flags is this attribute. */
#define OVS_N_NAT_FLAGS 3
extern const uint16_t ovs_nat_flag_attrs[OVS_N_NAT_FLAGS];

#endif
