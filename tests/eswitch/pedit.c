// SPDX-License-Identifier: GPL-2.0
/*
 * Rewriting headers. The adapter knows fields, tc knows words and masks: a
 * table of the fields says which bits of which word may change. Checksums
 * follow what is rewritten, as hardware does it.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "eswemu.h"

#define H(type) FLOW_ACT_MANGLE_HDR_TYPE_##type

static const struct esw_pedit_field {
	enum flow_action_mangle_base htype;
	u16 from, to;		/* byte offsets of the words, both included */
	u32 bits;		/* of the word, in network order */
} esw_pedit_fields[] = {
	{ H(ETH), 0, 0, 0xffffffff },	/* destination */
	{ H(ETH), 4, 4, 0xffff0000 },
	{ H(ETH), 4, 4, 0x0000ffff },	/* source */
	{ H(ETH), 8, 8, 0xffffffff },
	{ H(ETH), 12, 12, 0xffff0000 },	/* type */
	{ H(IP4), 0, 0, 0x00ff0000 },	/* ToS */
	{ H(IP4), 8, 8, 0xff000000 },	/* TTL */
	{ H(IP4), 12, 16, 0xffffffff },	/* addresses */
	{ H(IP6), 0, 0, 0x0ff00000 },	/* traffic class */
	{ H(IP6), 4, 4, 0x000000ff },	/* hop limit */
	{ H(IP6), 8, 36, 0xffffffff },	/* addresses */
	{ H(TCP), 0, 0, 0xffff0000 },	/* ports */
	{ H(TCP), 0, 0, 0x0000ffff },
	{ H(TCP), 12, 12, 0x00ff0000 },	/* flags */
	{ H(UDP), 0, 0, 0xffff0000 },
	{ H(UDP), 0, 0, 0x0000ffff },
};

static bool esw_contiguous(u32 bits)
{
	u32 low = bits & -bits;

	return !bits || !((bits + low) & bits);
}

static int esw_pedit_known(struct esw_pf *pf,
			   const struct flow_action_entry *act,
			   struct netlink_ext_ack *extack)
{
	u32 left = ntohl((__force __be32)~act->mangle.mask), bits;
	unsigned int i;

	if (act->mangle.htype == FLOW_ACT_MANGLE_UNSPEC)
		return esw_refuse(pf, extack, ESW_PEDIT_LEGACY);
	for (i = 0; i < ARRAY_SIZE(esw_pedit_fields); i++) {
		const struct esw_pedit_field *f = &esw_pedit_fields[i];

		if (f->htype != act->mangle.htype ||
		    act->mangle.offset < f->from || act->mangle.offset > f->to)
			continue;
		bits = left & f->bits;
		if (!esw_contiguous(bits))
			return esw_refuse(pf, extack, ESW_PEDIT_MASK);
		left &= ~f->bits;
	}
	if (left || act->mangle.offset % 4)
		return esw_refuse(pf, extack, ESW_PEDIT_FIELD);
	return 0;
}

static bool esw_only_ttl(const struct flow_action_entry *act)
{
	u32 bits = ntohl((__force __be32)~act->mangle.mask);

	if (act->mangle.htype == H(IP4))
		return act->mangle.offset == 8 && !(bits & 0x00ffffff);
	return act->mangle.offset == 4 && !(bits & 0xffffff00);
}

int esw_pedit_check(struct esw_pf *pf, const struct flow_action_entry *act,
		    struct esw_pedit_seen *seen, struct netlink_ext_ack *extack)
{
	u32 mask = ~act->mangle.mask;
	unsigned int i;
	int err;

	err = esw_pedit_known(pf, act, extack);
	if (err)
		return err;
	for (i = 0; i < seen->n; i++)
		if (seen->at[i].htype == act->mangle.htype &&
		    seen->at[i].offset == act->mangle.offset &&
		    (seen->at[i].mask & mask))
			return esw_refuse(pf, extack, ESW_PEDIT_TWICE);
	if (seen->n == ARRAY_SIZE(seen->at)) {
		NL_SET_ERR_MSG_MOD(extack, "too many pedit actions, can't offload");
		return -EOPNOTSUPP;
	}
	seen->at[seen->n].htype = act->mangle.htype;
	seen->at[seen->n].offset = act->mangle.offset;
	seen->at[seen->n++].mask = mask;
	if (act->mangle.htype == H(IP4) || act->mangle.htype == H(IP6))
		seen->ip_header |= !esw_only_ttl(act);
	return 0;
}

/* Where the headers of a packet are; 0 for one that is not there. */
struct esw_headers {
	unsigned int l3, l4;
	bool ip6;
	u8 proto;
};

static bool esw_find_l3(struct sk_buff *skb, struct esw_headers *h)
{
	__be16 proto = eth_hdr(skb)->h_proto;
	unsigned int off = ETH_HLEN;

	while (eth_type_vlan(proto) && pskb_may_pull(skb, off + VLAN_HLEN)) {
		proto = *(__be16 *)(skb->data + off + 2);
		off += VLAN_HLEN;
	}
	h->l3 = off;
	h->ip6 = proto == htons(ETH_P_IPV6);
	return h->ip6 || proto == htons(ETH_P_IP);
}

static void esw_find_l4(struct sk_buff *skb, struct esw_headers *h)
{
	__be16 frag_off = 0;
	int off;

	h->l4 = 0;
	if (h->ip6) {
		if (!pskb_may_pull(skb, h->l3 + sizeof(struct ipv6hdr)))
			return;
		h->proto = ((struct ipv6hdr *)(skb->data + h->l3))->nexthdr;
		off = ipv6_skip_exthdr(skb, h->l3 + sizeof(struct ipv6hdr),
				       &h->proto, &frag_off);
		if (off > 0 && !(frag_off & htons(~0x7)))
			h->l4 = off;
	} else {
		struct iphdr *ip;

		if (!pskb_may_pull(skb, h->l3 + sizeof(*ip)))
			return;
		ip = (struct iphdr *)(skb->data + h->l3);
		h->proto = ip->protocol;
		if (!(ip->frag_off & htons(IP_OFFSET)))
			h->l4 = h->l3 + ip->ihl * 4;
	}
}

/* The checksum field of the transport header, writable, or NULL. */
static __sum16 *esw_l4_check(struct sk_buff *skb, const struct esw_headers *h)
{
	struct udphdr *udp;
	unsigned int off;

	if (!h->l4)
		return NULL;
	if (h->proto == IPPROTO_TCP)
		off = h->l4 + offsetof(struct tcphdr, check);
	else if (h->proto == IPPROTO_UDP)
		off = h->l4 + offsetof(struct udphdr, check);
	else if (h->proto == IPPROTO_ICMPV6)
		off = h->l4 + offsetof(struct icmp6hdr, icmp6_cksum);
	else
		return NULL;
	if (skb_ensure_writable(skb, off + sizeof(__sum16)))
		return NULL;
	udp = (struct udphdr *)(skb->data + h->l4);
	if (h->proto == IPPROTO_UDP && !udp->check &&
	    skb->ip_summed != CHECKSUM_PARTIAL)
		return NULL;
	return (__sum16 *)(skb->data + off);
}

static void esw_fix_l4(struct sk_buff *skb, const struct esw_headers *h,
		       __be32 old, __be32 new, bool pseudo)
{
	__sum16 *check = esw_l4_check(skb, h);

	if (!check)
		return;
	inet_proto_csum_replace4(check, skb, old, new, pseudo);
	if (h->proto == IPPROTO_UDP && !*check)
		*check = CSUM_MANGLED_0;
}

static void esw_fix_sums(const struct esw_act *act, struct sk_buff *skb,
			 const struct esw_headers *h, __be32 old, __be32 new)
{
	u32 off = act->set.offset;

	switch (act->set.htype) {
	case H(IP4):
		csum_replace4(&((struct iphdr *)(skb->data + h->l3))->check,
			      old, new);
		if (off >= offsetof(struct iphdr, saddr))
			esw_fix_l4(skb, h, old, new, true);
		break;
	case H(IP6):
		if (off >= offsetof(struct ipv6hdr, saddr))
			esw_fix_l4(skb, h, old, new, true);
		break;
	case H(TCP):
	case H(UDP):
		esw_fix_l4(skb, h, old, new, false);
		break;
	default:
		break;
	}
}

/* Offset in the frame of the word @act rewrites, or 0 if it has none. */
static unsigned int esw_pedit_where(const struct esw_act *act,
				    struct sk_buff *skb, struct esw_headers *h)
{
	if (act->set.htype == H(ETH))
		return act->set.offset;
	if (!esw_find_l3(skb, h) ||
	    (act->set.htype == H(IP4) && h->ip6) ||
	    (act->set.htype == H(IP6) && !h->ip6))
		return 0;
	esw_find_l4(skb, h);
	switch (act->set.htype) {
	case H(IP4):
	case H(IP6):
		return h->l3 + act->set.offset;
	case H(TCP):
		return h->proto == IPPROTO_TCP && h->l4 ?
		       h->l4 + act->set.offset : 0;
	default:
		return h->proto == IPPROTO_UDP && h->l4 ?
		       h->l4 + act->set.offset : 0;
	}
}

void esw_pedit_apply(const struct esw_act *act, struct sk_buff *skb)
{
	bool eth = act->set.htype == H(ETH);
	struct esw_headers h = {};
	u32 old, new, change = ~act->set.keep;
	unsigned int off;

	skb_reset_mac_header(skb);
	off = esw_pedit_where(act, skb, &h);
	if ((!off && !eth) || skb_ensure_writable(skb, off + sizeof(old)))
		return;
	skb_reset_mac_header(skb);
	memcpy(&old, skb->data + off, sizeof(old));
	new = act->kind == ESW_ACT_ADD ? old + act->set.val : act->set.val;
	new = (old & act->set.keep) | (new & change);
	memcpy(skb->data + off, &new, sizeof(new));
	if (!eth)
		esw_fix_sums(act, skb, &h, (__force __be32)old,
			     (__force __be32)new);
}
