// SPDX-License-Identifier: GPL-2.0
#include "eswemu.h"

#define K(key)		BIT(FLOW_DISSECTOR_KEY_##key)
#define A(action)	BIT_ULL(FLOW_ACTION_##action)
#define SAY(err, text)	{ -(err), KBUILD_MODNAME ": " text }

#define ESW_KEYS_BASIC (K(CONTROL) | K(BASIC) | K(ETH_ADDRS) | K(VLAN) | \
			K(CVLAN) | K(IPV4_ADDRS) | K(IPV6_ADDRS) | K(IP) | \
			K(PORTS))
#define ESW_KEYS_TUNNEL (K(ENC_KEYID) | K(ENC_IPV4_ADDRS) | \
			 K(ENC_IPV6_ADDRS) | K(ENC_CONTROL) | K(ENC_PORTS) | \
			 K(ENC_IP) | K(ENC_OPTS))

static const struct esw_reason_text esw_mlx5_texts[ESW_N_REASONS] = {
	[ESW_NO_HWTC]		= SAY(EOPNOTSUPP, "TC offload is disabled on net device"),
	[ESW_NO_CHAIN]		= SAY(EOPNOTSUPP, "Driver supports only offload of chain 0"),
	[ESW_BAD_CHAIN]		= SAY(EOPNOTSUPP, "Requested chain is out of supported range"),
	[ESW_NO_KEY]		= SAY(EOPNOTSUPP, "Unsupported key"),
	[ESW_IFINDEX_MASK]	= SAY(EINVAL, "Unsupported ingress ifindex mask"),
	[ESW_IFINDEX_NONE]	= SAY(EINVAL, "Can't find the ingress port to match on"),
	[ESW_IFINDEX_OTHER]	= SAY(EINVAL, "Can't match on the ingress filter port"),
	[ESW_NO_CVLAN]		= SAY(EOPNOTSUPP, "Matching on CVLAN is not supported"),
	[ESW_VLAN_MASK]		= SAY(EINVAL, "Bad VLAN mask"),
	[ESW_VLAN_PCP]		= SAY(EOPNOTSUPP, "Matching on VLAN priority is not supported"),
	[ESW_FRAG_LATER]	= SAY(EOPNOTSUPP, "Match on frag first/later is not supported"),
	[ESW_NO_TTL]		= SAY(EOPNOTSUPP, "Matching on TTL is not supported"),
	[ESW_L4_PROTO]		= SAY(EINVAL, "Only UDP and TCP transports are supported for L4 matching"),
	[ESW_L4_NO_PROTO]	= SAY(EINVAL, "Only UDP and TCP transports are supported for L4 matching"),
	[ESW_TCP_FLAGS]		= SAY(EOPNOTSUPP, "Match on these TCP flags is not supported"),
	[ESW_NO_ICMP]		= SAY(EOPNOTSUPP, "Match on Flex protocols for ICMP is not supported"),
	[ESW_NO_ARP]		= SAY(EOPNOTSUPP, "Unsupported key"),
	[ESW_NO_MPLS]		= SAY(EOPNOTSUPP, "Matching on MPLS is supported only for MPLS over UDP"),
	[ESW_IP6_LOOPBACK]	= SAY(EINVAL, "Bad IPv6, addr is LOOPBACK"),
	[ESW_IP6_ANY]		= SAY(EINVAL, "Bad src/dest IPv6, addr is any"),
	[ESW_CT_NEW]		= SAY(EOPNOTSUPP, "Matching on ct_state +new isn't supported"),
	[ESW_CT_REL]		= SAY(EOPNOTSUPP, "Matching on ct_state +rel isn't supported"),
	[ESW_CT_INV]		= SAY(EOPNOTSUPP, "Matching on ct_state +inv isn't supported"),
	[ESW_NO_CT]		= SAY(EOPNOTSUPP, "Conntrack is not part of this adapter"),
	[ESW_TUN_NO_DPORT]	= SAY(EOPNOTSUPP, "Tunnel filters must include enc_dst_port condition"),
	[ESW_NO_TUN]		= SAY(EOPNOTSUPP, "Match on tunnel is not supported"),
	[ESW_NO_ACTIONS]	= SAY(EINVAL, "Flow action doesn't have any entries"),
	[ESW_HW_STATS]		= SAY(EOPNOTSUPP, "Flow action HW stats type is not supported"),
	[ESW_NO_ACTION]		= SAY(EOPNOTSUPP, "Not implemented offload action"),
	[ESW_TRAP_ALONE]	= SAY(EOPNOTSUPP, "action trap is supported as a sole action only"),
	[ESW_DROP_PEDIT]	= SAY(EOPNOTSUPP, "Drop with modify header action is not supported"),
	[ESW_DROP_FORWARD]	= SAY(EOPNOTSUPP, "Rule cannot support forward+drop action"),
	[ESW_NO_FORWARD]	= SAY(EOPNOTSUPP, "Rule must have at least one forward/drop action"),
	[ESW_OTHER_SWITCH]	= SAY(EOPNOTSUPP, "devices are not on same switch HW, can't offload forwarding"),
	[ESW_MANY_OUTPUTS]	= SAY(EOPNOTSUPP, "can't support more output ports, can't offload forwarding"),
	[ESW_TWICE]		= SAY(EOPNOTSUPP, "can't duplicate output to same device"),
	[ESW_TO_ITSELF]		= SAY(EOPNOTSUPP, "can't forward from a VF to itself"),
	[ESW_HAIRPIN]		= SAY(EOPNOTSUPP, "devices are both uplink, can't offload forwarding"),
	[ESW_INGRESS_DEV]	= SAY(EOPNOTSUPP, "redirect to ingress is supported only for OVS internal ports"),
	[ESW_VLAN_DEPTH]	= SAY(EOPNOTSUPP, "Total vlans used is greater than supported"),
	[ESW_VLAN_NO_KEY]	= SAY(EOPNOTSUPP, "VLAN rewrite action must have VLAN protocol match"),
	[ESW_VLAN_PRIO]		= SAY(EOPNOTSUPP, "Changing VLAN prio is not supported"),
	[ESW_PEDIT_LEGACY]	= SAY(EOPNOTSUPP, "legacy pedit isn't offloaded"),
	[ESW_PEDIT_FIELD]	= SAY(EOPNOTSUPP, "attempt to offload an unsupported field"),
	[ESW_PEDIT_MASK]	= SAY(EOPNOTSUPP, "rewrite of few sub-fields isn't supported"),
	[ESW_PEDIT_TWICE]	= SAY(EOPNOTSUPP, "Acting twice on same location"),
	[ESW_PEDIT_PROTO]	= SAY(EOPNOTSUPP, "can't offload re-write of non TCP/UDP"),
	[ESW_CSUM_ALONE]	= SAY(EOPNOTSUPP, "TC csum action is only offloaded with pedit"),
	[ESW_CSUM_PROTO]	= SAY(EOPNOTSUPP, "can't offload TC csum action for some header/s"),
	[ESW_BAD_DEST]		= SAY(EOPNOTSUPP, "Requested destination chain is out of supported range"),
	[ESW_GOTO_LOWER]	= SAY(EOPNOTSUPP, "Goto lower numbered chain isn't supported"),
	[ESW_GOTO_MIRROR]	= SAY(EOPNOTSUPP, "Mirroring goto chain rules isn't supported"),
	[ESW_NO_TC_SKB_EXT]	= SAY(EOPNOTSUPP, "Goto action is not supported without CONFIG_NET_TC_SKB_EXT"),
	[ESW_NO_PTYPE]		= SAY(EOPNOTSUPP, "skbedit ptype is only supported with type host"),
	[ESW_POLICE_EXCEED]	= SAY(EOPNOTSUPP, "Offload not supported when exceed action is not drop"),
	[ESW_POLICE_CONFORM]	= SAY(EOPNOTSUPP, "Offload not supported when conform action is not pipe or ok"),
	[ESW_POLICE_LAST]	= SAY(EOPNOTSUPP, "Offload not supported when conform action is ok, but action is not last"),
	[ESW_POLICE_PEAK]	= SAY(EOPNOTSUPP, "Offload not supported when peakrate/avrate/overhead is configured"),
	[ESW_POLICE_PKTS]	= SAY(EOPNOTSUPP, "QoS offload not support packets per second"),
	[ESW_MATCHALL_ONE]	= SAY(EOPNOTSUPP, "matchall policing support only a single action"),
	[ESW_MATCHALL_POLICE]	= SAY(EOPNOTSUPP, "supports only police action for matchall"),
	[ESW_MATCHALL_PRIO]	= SAY(EINVAL, "only priority 1 is supported"),
	[ESW_MATCHALL_CONFORM]	= SAY(EOPNOTSUPP, "Offload not supported when conform action is not continue"),
	[ESW_FULL]		= SAY(ENOSPC, "The flow table is full"),
	[ESW_NO_COUNTER]	= SAY(ENOSPC, "No counter is left"),
	[ESW_BUSY]		= SAY(EBUSY, "The eSwitch mode is changing"),
	[ESW_NO_METER]		= SAY(ENOSPC, "Failed to get flow meter"),
	[ESW_NOT_SWITCHDEV]	= SAY(EOPNOTSUPP, "Offload needs switchdev mode"),
	[ESW_MATCHALL_UPLINK]	= SAY(EOPNOTSUPP, "matchall policing is supported only on VF representors"),
};

/* Where a profile is silent it speaks as mlx5. */
static const struct esw_reason_text esw_ice_texts[ESW_N_REASONS] = {
	[ESW_NO_HWTC]		= SAY(EOPNOTSUPP, "can't apply TC flower filters, turn ON hw-tc-offload and try again"),
	[ESW_NO_KEY]		= SAY(EOPNOTSUPP, "Unsupported key used"),
	[ESW_NO_CVLAN]		= SAY(EINVAL, "Double VLAN mode is not enabled"),
	[ESW_L4_PROTO]		= SAY(EINVAL, "Only UDP and TCP transport are supported"),
	[ESW_L4_NO_PROTO]	= SAY(EINVAL, "Only UDP and TCP transport are supported"),
	[ESW_NO_TUN]		= SAY(EOPNOTSUPP, "Tunnel key used, but device isn't a tunnel"),
	[ESW_NO_ACTION]		= SAY(EINVAL, "Unsupported action in switchdev mode"),
	[ESW_OTHER_SWITCH]	= SAY(EINVAL, "Unsupported netdevice in switchdev mode"),
};

static const struct esw_reason_text esw_nfp_texts[ESW_N_REASONS] = {
	[ESW_NO_KEY]		= SAY(EOPNOTSUPP, "unsupported offload: match not supported"),
	[ESW_NO_CVLAN]		= SAY(EOPNOTSUPP, "unsupported offload: loaded firmware does not support VLAN QinQ offload"),
	[ESW_VLAN_PCP]		= SAY(EOPNOTSUPP, "unsupported offload: loaded firmware does not support VLAN PCP offload"),
	[ESW_NO_ARP]		= SAY(EOPNOTSUPP, "unsupported offload: ARP not supported"),
	[ESW_L4_NO_PROTO]	= SAY(EOPNOTSUPP, "unsupported offload: cannot match on L4 information without specified IP protocol type"),
	[ESW_TCP_FLAGS]		= SAY(EOPNOTSUPP, "unsupported offload: no match support for selected TCP flags"),
	[ESW_TUN_NO_DPORT]	= SAY(EOPNOTSUPP, "unsupported offload: the tunnel's destination port has to be exact"),
	[ESW_NO_TUN]		= SAY(EOPNOTSUPP, "unsupported offload: tunnel match not supported"),
	[ESW_NO_ACTION]		= SAY(EOPNOTSUPP, "unsupported offload: unsupported action in action list"),
	[ESW_OTHER_SWITCH]	= SAY(EOPNOTSUPP, "unsupported offload: egress interface is not an nfp port"),
	[ESW_PEDIT_FIELD]	= SAY(EOPNOTSUPP, "unsupported offload: pedit on unsupported header"),
	[ESW_CSUM_ALONE]	= SAY(EOPNOTSUPP, "unsupported offload: unsupported csum update action in action list"),
};

static const struct esw_profile esw_profiles[] = {
	{
		.name	 = "mlx5",
		.keys	 = ESW_KEYS_BASIC | ESW_KEYS_TUNNEL | K(META) | K(TCP) |
			   K(ICMP) | K(CT) | K(MPLS),
		.actions = A(ACCEPT) | A(DROP) | A(TRAP) | A(GOTO) |
			   A(REDIRECT) | A(MIRRED) | A(REDIRECT_INGRESS) |
			   A(VLAN_PUSH) | A(VLAN_POP) | A(VLAN_MANGLE) |
			   A(MANGLE) | A(ADD) | A(CSUM) | A(PTYPE) |
			   A(SAMPLE) | A(POLICE),
		.flags	 = ESW_P_UNTAGGED | ESW_P_CHAINS | ESW_P_STATS,
		.texts	 = esw_mlx5_texts,
	},
	{
		.name	 = "ice",
		.keys	 = ESW_KEYS_BASIC | ESW_KEYS_TUNNEL | K(PPPOE) |
			   K(L2TPV3),
		.actions = A(DROP) | A(REDIRECT),
		.flags	 = ESW_P_FULL_VID | ESW_P_IP6_CHECKS |
			   ESW_P_FIRST_FRAG | ESW_P_MODE_NO_VFS |
			   ESW_P_TUN_DEVICE,
		.texts	 = esw_ice_texts,
	},
	{
		.name	 = "nfp",
		.keys	 = ESW_KEYS_BASIC | ESW_KEYS_TUNNEL | K(META) | K(TCP) |
			   K(MPLS),
		.actions = A(DROP) | A(REDIRECT) | A(MIRRED) | A(VLAN_PUSH) |
			   A(VLAN_POP) | A(MANGLE) | A(CSUM) | A(POLICE),
		.flags	 = ESW_P_IFINDEX | ESW_P_STATS | ESW_P_L4_PROTO |
			   ESW_P_FIRST_FRAG | ESW_P_TCP_SUBSET | ESW_P_NO_ARP |
			   ESW_P_MPLS,
		.texts	 = esw_nfp_texts,
	},
};

const struct esw_profile *esw_profile_by_name(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(esw_profiles); i++)
		if (!strcmp(name, esw_profiles[i].name))
			return &esw_profiles[i];
	return NULL;
}

const struct esw_reason_text *esw_reason_text(const struct esw_pf *pf,
					      enum esw_reason reason)
{
	const struct esw_profile *profile = READ_ONCE(pf->profile);

	return profile->texts[reason].text ? &profile->texts[reason] :
					     &esw_mlx5_texts[reason];
}

int esw_refuse(struct esw_pf *pf, struct netlink_ext_ack *extack,
	       enum esw_reason reason)
{
	const struct esw_reason_text *text = esw_reason_text(pf, reason);

	atomic_inc(&pf->refused[reason]);
	if (extack)
		extack->_msg = text->text;
	return text->err;
}
