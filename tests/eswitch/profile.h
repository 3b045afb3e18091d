// SPDX-License-Identifier: GPL-2.0
/* Which adapter the emulator pretends to be: what it takes, what it says. */
#ifndef ESWEMU_PROFILE_H
#define ESWEMU_PROFILE_H

#include <linux/types.h>
#include <net/flow_offload.h>

/* Why something is refused. Each profile says it in its own words. */
enum esw_reason {
	ESW_NO_HWTC,		/* hw-tc-offload is off */
	ESW_NO_CHAIN,		/* only chain 0 */
	ESW_BAD_CHAIN,		/* beyond the range */
	ESW_NO_KEY,
	ESW_IFINDEX_MASK,
	ESW_IFINDEX_NONE,
	ESW_IFINDEX_OTHER,
	ESW_NO_CVLAN,
	ESW_VLAN_MASK,
	ESW_VLAN_PCP,
	ESW_FRAG_LATER,
	ESW_NO_TTL,
	ESW_L4_PROTO,
	ESW_L4_NO_PROTO,
	ESW_TCP_FLAGS,
	ESW_NO_ICMP,
	ESW_NO_ARP,
	ESW_NO_MPLS,
	ESW_IP6_LOOPBACK,
	ESW_IP6_ANY,
	ESW_CT_NEW,
	ESW_CT_REL,
	ESW_CT_INV,
	ESW_NO_CT,
	ESW_TUN_NO_DPORT,
	ESW_NO_TUN,
	ESW_NO_ACTIONS,
	ESW_HW_STATS,
	ESW_NO_ACTION,
	ESW_TRAP_ALONE,
	ESW_DROP_PEDIT,
	ESW_DROP_FORWARD,
	ESW_NO_FORWARD,
	ESW_OTHER_SWITCH,
	ESW_MANY_OUTPUTS,
	ESW_TWICE,
	ESW_TO_ITSELF,
	ESW_HAIRPIN,
	ESW_INGRESS_DEV,
	ESW_VLAN_DEPTH,
	ESW_VLAN_NO_KEY,
	ESW_VLAN_PRIO,
	ESW_PEDIT_LEGACY,
	ESW_PEDIT_FIELD,
	ESW_PEDIT_MASK,
	ESW_PEDIT_TWICE,
	ESW_PEDIT_PROTO,
	ESW_CSUM_ALONE,
	ESW_CSUM_PROTO,
	ESW_GOTO_LOWER,
	ESW_BAD_DEST,
	ESW_GOTO_MIRROR,
	ESW_NO_TC_SKB_EXT,
	ESW_NO_PTYPE,
	ESW_POLICE_EXCEED,
	ESW_POLICE_CONFORM,
	ESW_POLICE_LAST,
	ESW_POLICE_PEAK,
	ESW_POLICE_PKTS,
	ESW_MATCHALL_ONE,
	ESW_MATCHALL_POLICE,
	ESW_MATCHALL_PRIO,
	ESW_MATCHALL_CONFORM,
	ESW_MATCHALL_UPLINK,
	ESW_FULL,
	ESW_NO_COUNTER,
	ESW_BUSY,
	ESW_NO_METER,
	ESW_NOT_SWITCHDEV,
	ESW_N_REASONS,
};

#define ESW_P_UNTAGGED		BIT(0)	/* no VLAN key means untagged */
#define ESW_P_CHAINS		BIT(1)
#define ESW_P_IFINDEX		BIT(2)	/* the ingress ifindex may be matched */
#define ESW_P_STATS		BIT(3)	/* answers FLOW_CLS_STATS */
#define ESW_P_FULL_VID		BIT(4)
#define ESW_P_IP6_CHECKS	BIT(5)
#define ESW_P_L4_PROTO		BIT(6)	/* L4 keys need an ip_proto */
#define ESW_P_FIRST_FRAG	BIT(7)
#define ESW_P_TCP_SUBSET	BIT(8)
#define ESW_P_NO_ARP		BIT(9)
#define ESW_P_MODE_NO_VFS	BIT(10)	/* mode changes only without VFs */
#define ESW_P_DOWNWARD		BIT(11)	/* goto a lower chain is fine */
#define ESW_P_MPLS		BIT(12)
#define ESW_P_TUN_DEVICE	BIT(13)	/* tunnel keys on tunnel devices only */

struct esw_reason_text {
	int err;
	const char *text;
};

struct esw_profile {
	const char *name;
	u32 keys;		/* bits of enum flow_dissector_key_id */
	u64 actions;		/* bits of enum flow_action_id */
	u32 flags;
	const struct esw_reason_text *texts;
};

struct esw_pf;

const struct esw_profile *esw_profile_by_name(const char *name);

/* The errno for @reason in the words of the PF's profile. */
int esw_refuse(struct esw_pf *pf, struct netlink_ext_ack *extack,
	       enum esw_reason reason);
const struct esw_reason_text *esw_reason_text(const struct esw_pf *pf,
					      enum esw_reason reason);

#endif
