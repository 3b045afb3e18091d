// SPDX-License-Identifier: GPL-2.0
/*
 * What a packet looks like, and what a flower filter looks at. One table of
 * the fields serves both: the kernel's dissector fills the key of a packet,
 * and the filter's own key and mask are copied field by field.
 */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <net/ipv6.h>

#include "eswemu.h"

#define F(id, member) { FLOW_DISSECTOR_KEY_##id, \
			offsetof(struct esw_key, member) }
#define FSIZE(member) sizeof_field(struct esw_key, member)

static const struct flow_dissector_key esw_fields[] = {
	F(CONTROL, control),
	F(BASIC, basic),
	F(NUM_OF_VLANS, vlans),
	F(ETH_ADDRS, eth),
	F(VLAN, vlan),
	F(IPV4_ADDRS, ipv4),
	F(PORTS, l4),
	F(IP, ip),
	F(TCP, tcp),
	F(ICMP, icmp),
	F(CVLAN, cvlan),
	F(IPV6_ADDRS, ipv6),
	F(MPLS, mpls),
};

static const u16 esw_field_sizes[] = {
	FSIZE(control), FSIZE(basic), FSIZE(vlans), FSIZE(eth), FSIZE(vlan),
	FSIZE(ipv4), FSIZE(l4), FSIZE(ip), FSIZE(tcp), FSIZE(icmp),
	FSIZE(cvlan), FSIZE(ipv6), FSIZE(mpls),
};

static struct flow_dissector esw_dissector;

void esw_match_init(void)
{
	BUILD_BUG_ON(ARRAY_SIZE(esw_fields) != ARRAY_SIZE(esw_field_sizes));
	BUILD_BUG_ON(sizeof(struct esw_key) % sizeof(u64));
	skb_flow_dissector_init(&esw_dissector, esw_fields,
				ARRAY_SIZE(esw_fields));
}

/* @skb as a wire would show it: MAC header at skb->data. */
void esw_key_extract(struct sk_buff *skb, struct esw_key *key)
{
	memset(key, 0, sizeof(*key));
	skb_reset_mac_header(skb);
	skb->protocol = eth_hdr(skb)->h_proto;
	skb_set_network_header(skb, ETH_HLEN);
	skb_flow_dissect(skb, &esw_dissector, key,
			 FLOW_DISSECTOR_F_STOP_BEFORE_ENCAP);
	/* What the dissector notes on its way and no rule may look at. */
	key->control.addr_type = 0;
	key->control.thoff = 0;
}

/*
 * Flower keeps IPv4 and IPv6 addresses in one place and then says that both
 * are used; the address type tells which it is.
 */
static bool esw_match_uses(const struct flow_match *match,
			   enum flow_dissector_key_id id)
{
	const struct flow_dissector_key_control *control;

	if (!dissector_uses_key(match->dissector, id))
		return false;
	if (id != FLOW_DISSECTOR_KEY_IPV4_ADDRS &&
	    id != FLOW_DISSECTOR_KEY_IPV6_ADDRS)
		return true;
	control = skb_flow_dissector_target(match->dissector,
					    FLOW_DISSECTOR_KEY_CONTROL,
					    match->key);
	return control->addr_type == id;
}

static void esw_match_copy(const struct flow_match *match, struct esw_key *key,
			   struct esw_key *mask)
{
	unsigned int i;

	memset(key, 0, sizeof(*key));
	memset(mask, 0, sizeof(*mask));
	for (i = 0; i < ARRAY_SIZE(esw_fields); i++) {
		enum flow_dissector_key_id id = esw_fields[i].key_id;
		size_t off = esw_fields[i].offset;

		if (!esw_match_uses(match, id))
			continue;
		memcpy((char *)key + off,
		       skb_flow_dissector_target(match->dissector, id,
						 match->key),
		       esw_field_sizes[i]);
		memcpy((char *)mask + off,
		       skb_flow_dissector_target(match->dissector, id,
						 match->mask),
		       esw_field_sizes[i]);
	}
	mask->control.addr_type = 0;
	mask->control.thoff = 0;
}

static int esw_match_ingress(struct esw_port *port,
			     const struct flow_rule *rule,
			     struct netlink_ext_ack *extack)
{
	struct net_device *rep, *dev;
	struct flow_match_meta match;
	struct esw_pf *pf = port->pf;
	int err = 0;

	if (!flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_META))
		return 0;
	flow_rule_match_meta(rule, &match);
	if (!match.mask->ingress_ifindex)
		return 0;
	if (match.mask->ingress_ifindex != 0xffffffff)
		return esw_refuse(pf, extack, ESW_IFINDEX_MASK);
	rcu_read_lock();
	rep = rcu_dereference(port->rep);
	dev = rep ? dev_get_by_index_rcu(dev_net(rep),
					 match.key->ingress_ifindex) : NULL;
	if (!dev)
		err = esw_refuse(pf, extack, ESW_IFINDEX_NONE);
	else if (dev != rep)
		err = esw_refuse(pf, extack, ESW_IFINDEX_OTHER);
	rcu_read_unlock();
	return err;
}

static int esw_match_vlan(struct esw_pf *pf, const struct flow_rule *rule,
			  struct esw_key *key, struct esw_key *mask,
			  struct netlink_ext_ack *extack)
{
	const struct esw_key none = {};

	if (flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_CVLAN) &&
	    memchr_inv(&mask->cvlan, 0, sizeof(mask->cvlan)) &&
	    !READ_ONCE(pf->caps.cvlan))
		return esw_refuse(pf, extack, ESW_NO_CVLAN);
	if (flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_VLAN)) {
		if ((pf->profile->flags & ESW_P_FULL_VID) &&
		    mask->vlan.vlan_id &&
		    mask->vlan.vlan_id != VLAN_VID_MASK)
			return esw_refuse(pf, extack, ESW_VLAN_MASK);
		if (mask->vlan.vlan_priority && !READ_ONCE(pf->caps.pcp))
			return esw_refuse(pf, extack, ESW_VLAN_PCP);
		return 0;
	}
	/* Steering that looks at anything then wants no tag at all. */
	if ((pf->profile->flags & ESW_P_UNTAGGED) &&
	    memcmp(mask, &none, sizeof(none))) {
		mask->vlans.num_of_vlans = 0xff;
		key->vlans.num_of_vlans = 0;
	}
	return 0;
}

static int esw_match_ip6(struct esw_pf *pf, const struct esw_key *key,
			 const struct esw_key *mask,
			 struct netlink_ext_ack *extack)
{
	const struct in6_addr *sm = &mask->ipv6.src, *dm = &mask->ipv6.dst;

	if (!(pf->profile->flags & ESW_P_IP6_CHECKS) ||
	    (ipv6_addr_any(sm) && ipv6_addr_any(dm)))
		return 0;
	if (ipv6_addr_loopback(&key->ipv6.src) ||
	    ipv6_addr_loopback(&key->ipv6.dst))
		return esw_refuse(pf, extack, ESW_IP6_LOOPBACK);
	if ((!ipv6_addr_any(sm) && ipv6_addr_any(&key->ipv6.src)) ||
	    (!ipv6_addr_any(dm) && ipv6_addr_any(&key->ipv6.dst)))
		return esw_refuse(pf, extack, ESW_IP6_ANY);
	return 0;
}

static int esw_match_l3(struct esw_pf *pf, const struct esw_key *key,
			const struct esw_key *mask,
			struct netlink_ext_ack *extack)
{
	u32 flags = pf->profile->flags;

	if ((flags & ESW_P_NO_ARP) && mask->basic.n_proto &&
	    key->basic.n_proto == htons(ETH_P_ARP))
		return esw_refuse(pf, extack, ESW_NO_ARP);
	if (!(flags & ESW_P_FIRST_FRAG) &&
	    (mask->control.flags & FLOW_DIS_FIRST_FRAG))
		return esw_refuse(pf, extack, ESW_FRAG_LATER);
	if (mask->ip.ttl && !READ_ONCE(pf->caps.ttl))
		return esw_refuse(pf, extack, ESW_NO_TTL);
	return esw_match_ip6(pf, key, mask, extack);
}

/* SYN, FIN and RST alone, PSH and URG with one of them: what nfp can. */
static bool esw_tcp_subset(u16 flags)
{
	const u16 basic = 0x07, helped = 0x28;

	if (flags & ~(basic | helped))
		return false;
	return !(flags & helped) || (flags & basic);
}

static int esw_match_l4(struct esw_pf *pf, const struct flow_rule *rule,
			const struct esw_key *key, const struct esw_key *mask,
			struct netlink_ext_ack *extack)
{
	u8 proto = mask->basic.ip_proto ? key->basic.ip_proto : 0;
	u32 flags = pf->profile->flags;

	if (flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_PORTS) &&
	    mask->l4.ports) {
		if ((flags & ESW_P_L4_PROTO) && !proto)
			return esw_refuse(pf, extack, ESW_L4_NO_PROTO);
		if (!(flags & ESW_P_L4_PROTO) && proto != IPPROTO_TCP &&
		    proto != IPPROTO_UDP)
			return esw_refuse(pf, extack, ESW_L4_PROTO);
	}
	if (mask->tcp.flags && (flags & ESW_P_TCP_SUBSET) &&
	    !esw_tcp_subset(ntohs(key->tcp.flags)))
		return esw_refuse(pf, extack, ESW_TCP_FLAGS);
	if (flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_ICMP) &&
	    !READ_ONCE(pf->caps.icmp))
		return esw_refuse(pf, extack, ESW_NO_ICMP);
	if (flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_MPLS) &&
	    !(flags & ESW_P_MPLS))
		return esw_refuse(pf, extack, ESW_NO_MPLS);
	return 0;
}

#define ESW_CT_BIT(name) TCA_FLOWER_KEY_CT_FLAGS_##name

/* Conntrack is not built in yet, but what mlx5 never takes it refuses so. */
static int esw_match_ct(struct esw_pf *pf, const struct flow_rule *rule,
			struct netlink_ext_ack *extack)
{
	struct flow_match_ct match;
	u16 on;

	if (!flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_CT))
		return 0;
	flow_rule_match_ct(rule, &match);
	on = match.key->ct_state & match.mask->ct_state;
	if (match.mask->ct_state & ESW_CT_BIT(NEW))
		return esw_refuse(pf, extack, ESW_CT_NEW);
	if (on & ESW_CT_BIT(RELATED))
		return esw_refuse(pf, extack, ESW_CT_REL);
	if (on & ESW_CT_BIT(INVALID))
		return esw_refuse(pf, extack, ESW_CT_INV);
	if (!memchr_inv(match.mask, 0, sizeof(*match.mask)))
		return 0;
	return esw_refuse(pf, extack, ESW_NO_CT);
}

static int esw_match_tunnel(struct esw_pf *pf, const struct flow_rule *rule,
			    struct netlink_ext_ack *extack)
{
	const u32 tunnel = BIT(FLOW_DISSECTOR_KEY_ENC_KEYID) |
			   BIT(FLOW_DISSECTOR_KEY_ENC_IPV4_ADDRS) |
			   BIT(FLOW_DISSECTOR_KEY_ENC_IPV6_ADDRS) |
			   BIT(FLOW_DISSECTOR_KEY_ENC_PORTS) |
			   BIT(FLOW_DISSECTOR_KEY_ENC_OPTS);

	if (!(rule->match.dissector->used_keys & tunnel))
		return 0;
	if (!(pf->profile->flags & ESW_P_TUN_DEVICE) &&
	    !flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_ENC_PORTS))
		return esw_refuse(pf, extack, ESW_TUN_NO_DPORT);
	return esw_refuse(pf, extack, ESW_NO_TUN);
}

/*
 * The key and mask of the filter @f on @port, or the errno and the words with
 * which the profile refuses it.
 */
int esw_match_parse(struct esw_port *port, struct flow_cls_offload *f,
		    struct esw_key *key, struct esw_key *mask)
{
	struct flow_rule *rule = flow_cls_offload_flow_rule(f);
	struct netlink_ext_ack *extack = f->common.extack;
	struct esw_pf *pf = port->pf;
	int err;

	if (rule->match.dissector->used_keys & ~pf->profile->keys)
		return esw_refuse(pf, extack, ESW_NO_KEY);
	err = esw_match_tunnel(pf, rule, extack);
	if (!err)
		err = esw_match_ingress(port, rule, extack);
	if (!err)
		err = esw_match_ct(pf, rule, extack);
	if (err)
		return err;
	esw_match_copy(&rule->match, key, mask);
	err = esw_match_vlan(pf, rule, key, mask, extack);
	if (!err)
		err = esw_match_l3(pf, key, mask, extack);
	if (!err)
		err = esw_match_l4(pf, rule, key, mask, extack);
	key->port = port->num;
	mask->port = U32_MAX;
	return err;
}
