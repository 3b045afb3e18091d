// SPDX-License-Identifier: GPL-2.0
/*
 * Rates of VFs and of groups of VFs. A VF that is limited queues its packets
 * here; when the queue is long its netdev stops, so nothing is lost. A node
 * sends for its leaves in deficit round robin, weighted by their shares, when
 * its own rate and theirs allow, and sleeps on a timer when they do not.
 *
 * A bucket is a point in time: that at which the next byte may leave. It may
 * lag behind the clock by a burst, which makes up for late timers; a virtual
 * machine may well be stopped for that long.
 */
#include "eswemu.h"

#define ESW_BURST_NS	(100 * NSEC_PER_MSEC)
#define ESW_QUEUE_STOP	(256 * 1024)	/* bytes */
#define ESW_QUEUE_WAKE	(128 * 1024)
#define ESW_QUANTUM	3000		/* bytes a round and unit of weight */
#define ESW_MBIT	125000		/* bytes a second */

struct esw_skb_cb {
	struct esw_port *port;
};

static struct esw_skb_cb *esw_cb(struct sk_buff *skb)
{
	return (struct esw_skb_cb *)skb->cb;
}

static struct esw_port *esw_leaf_port(struct esw_leaf *leaf)
{
	return container_of(leaf, struct esw_port, leaf);
}

static struct esw_node *esw_leaf_node(struct esw_leaf *leaf)
{
	return leaf->group ?: &leaf->own;
}

static bool esw_bucket_ready(const struct esw_bucket *b, u64 now)
{
	return !b->rate || b->next_ns <= now;
}

static void esw_bucket_charge(struct esw_bucket *b, u64 now, unsigned int bytes)
{
	if (!b->rate)
		return;
	b->next_ns = max(b->next_ns, now - ESW_BURST_NS);
	b->next_ns += mul_u64_u64_div_u64(bytes, NSEC_PER_SEC, b->rate);
}

static s64 esw_quantum(const struct esw_leaf *leaf)
{
	return ESW_QUANTUM * clamp_t(s64, div_u64(leaf->share, ESW_MBIT), 1,
				     ESW_LINK_MBIT);
}

static void esw_nic_queue(struct esw_leaf *leaf, bool stop)
{
	struct net_device *nic;

	nic = rcu_dereference(esw_leaf_port(leaf)->nic);
	if (!nic)
		return;
	if (stop)
		netif_stop_queue(nic);
	else if (netif_queue_stopped(nic))
		netif_wake_queue(nic);
}

/*
 * The leaf that is to send: the first in the round whose rate allows, once its
 * deficit does too. NULL: none may before *@when.
 */
static struct esw_leaf *esw_node_pick(struct esw_node *node, u64 now, u64 *when)
{
	struct esw_leaf *leaf, *tmp;
	bool again;

	do {
		again = false;
		*when = U64_MAX;
		list_for_each_entry_safe(leaf, tmp, &node->active, active) {
			struct sk_buff *skb = skb_peek(&leaf->queue);

			if (!esw_bucket_ready(&leaf->max, now)) {
				*when = min(*when, leaf->max.next_ns);
				continue;
			}
			if (leaf->deficit >= esw_skb_bytes(skb))
				return leaf;
			leaf->deficit += esw_quantum(leaf);
			list_move_tail(&leaf->active, &node->active);
			again = true;
			break;
		}
	} while (again);
	return NULL;
}

static void esw_leaf_send(struct esw_node *node, struct esw_leaf *leaf, u64 now,
			  struct sk_buff_head *out)
{
	struct sk_buff *skb = __skb_dequeue(&leaf->queue);
	unsigned int bytes = esw_skb_bytes(skb);

	leaf->bytes -= skb->len;
	leaf->deficit -= bytes;
	esw_bucket_charge(&leaf->max, now, bytes);
	esw_bucket_charge(&node->max, now, bytes);
	__skb_queue_tail(out, skb);
	if (skb_queue_empty(&leaf->queue)) {
		list_del_init(&leaf->active);
		leaf->deficit = 0;
	}
	if (leaf->bytes < ESW_QUEUE_WAKE)
		esw_nic_queue(leaf, false);
}

/* Send what may be sent now and set the timer for the rest. */
static void esw_node_run(struct esw_node *node, struct sk_buff_head *out)
{
	u64 now = ktime_get_ns(), when = U64_MAX;
	struct esw_leaf *leaf;

	lockdep_assert_held(&node->pf->qos_lock);
	for (;;) {
		if (list_empty(&node->active))
			return;
		if (!esw_bucket_ready(&node->max, now)) {
			when = node->max.next_ns;
			break;
		}
		leaf = esw_node_pick(node, now, &when);
		if (!leaf)
			break;
		esw_leaf_send(node, leaf, now, out);
	}
	if (when != U64_MAX)
		hrtimer_start(&node->timer, ns_to_ktime(when),
			      HRTIMER_MODE_ABS_SOFT);
}

static void esw_qos_forward(struct sk_buff_head *out)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(out)))
		esw_ingress(esw_cb(skb)->port, skb);
}

static enum hrtimer_restart esw_node_timer(struct hrtimer *timer)
{
	struct esw_node *node = container_of(timer, struct esw_node, timer);
	struct sk_buff_head out;

	__skb_queue_head_init(&out);
	rcu_read_lock();
	spin_lock(&node->pf->qos_lock);
	esw_node_run(node, &out);
	spin_unlock(&node->pf->qos_lock);
	esw_qos_forward(&out);
	rcu_read_unlock();
	return HRTIMER_NORESTART;
}

/* A VF sends: at once, or when its rates allow. RCU held, BH off. */
void esw_qos_xmit(struct esw_port *port, struct sk_buff *skb)
{
	struct esw_leaf *leaf = &port->leaf;
	struct esw_pf *pf = port->pf;
	struct sk_buff_head out;

	if (!READ_ONCE(leaf->max.rate) && !READ_ONCE(leaf->group) &&
	    !READ_ONCE(leaf->bytes)) {
		esw_ingress(port, skb);
		return;
	}
	__skb_queue_head_init(&out);
	spin_lock(&pf->qos_lock);
	if (leaf->bytes >= 2 * ESW_QUEUE_STOP) {
		/* Only a netdev without a queue sends on when stopped. */
		spin_unlock(&pf->qos_lock);
		esw_count_tx_drop(port->cnt);
		kfree_skb(skb);
		return;
	}
	esw_cb(skb)->port = port;
	__skb_queue_tail(&leaf->queue, skb);
	leaf->bytes += skb->len;
	if (list_empty(&leaf->active))
		list_add_tail(&leaf->active, &esw_leaf_node(leaf)->active);
	if (leaf->bytes >= ESW_QUEUE_STOP)
		esw_nic_queue(leaf, true);
	esw_node_run(esw_leaf_node(leaf), &out);
	spin_unlock(&pf->qos_lock);
	esw_qos_forward(&out);
}

/* Drop what waits, as when the VF goes away. */
void esw_qos_flush(struct esw_port *port)
{
	struct esw_leaf *leaf = &port->leaf;
	struct sk_buff_head old;

	__skb_queue_head_init(&old);
	rcu_read_lock();
	spin_lock_bh(&port->pf->qos_lock);
	skb_queue_splice_init(&leaf->queue, &old);
	list_del_init(&leaf->active);
	WRITE_ONCE(leaf->bytes, 0);
	leaf->deficit = 0;
	esw_nic_queue(leaf, false);
	spin_unlock_bh(&port->pf->qos_lock);
	rcu_read_unlock();
	__skb_queue_purge(&old);
}

/* After a change: whoever waited for the old rate looks again. */
static void esw_node_kick(struct esw_node *node)
{
	struct sk_buff_head out;

	__skb_queue_head_init(&out);
	rcu_read_lock();
	spin_lock_bh(&node->pf->qos_lock);
	esw_node_run(node, &out);
	spin_unlock_bh(&node->pf->qos_lock);
	local_bh_disable();
	esw_qos_forward(&out);
	local_bh_enable();
	rcu_read_unlock();
}

static void esw_bucket_set(struct esw_pf *pf, struct esw_bucket *b, u64 rate)
{
	spin_lock_bh(&pf->qos_lock);
	WRITE_ONCE(b->rate, rate);
	b->next_ns = 0;
	spin_unlock_bh(&pf->qos_lock);
}

void esw_qos_set_max(struct esw_port *port, u64 bytes_per_s)
{
	esw_bucket_set(port->pf, &port->leaf.max, bytes_per_s);
	esw_node_kick(esw_leaf_node(&port->leaf));
}

void esw_qos_set_share(struct esw_port *port, u64 bytes_per_s)
{
	spin_lock_bh(&port->pf->qos_lock);
	port->leaf.share = bytes_per_s;
	spin_unlock_bh(&port->pf->qos_lock);
}

static void esw_node_init(struct esw_node *node, struct esw_pf *pf)
{
	node->pf = pf;
	INIT_LIST_HEAD(&node->active);
	hrtimer_init(&node->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
	node->timer.function = esw_node_timer;
}

struct esw_node *esw_node_new(struct esw_pf *pf)
{
	struct esw_node *node = kzalloc(sizeof(*node), GFP_KERNEL);

	if (node)
		esw_node_init(node, pf);
	return node;
}

/* No leaf is in @node any more. */
void esw_node_del(struct esw_node *node)
{
	hrtimer_cancel(&node->timer);
	kfree(node);
}

void esw_node_set_max(struct esw_node *node, u64 bytes_per_s)
{
	esw_bucket_set(node->pf, &node->max, bytes_per_s);
	esw_node_kick(node);
}

/* Move the leaf of @port into group @node, or out of any when NULL. */
void esw_leaf_set_node(struct esw_port *port, struct esw_node *node)
{
	struct esw_leaf *leaf = &port->leaf;

	spin_lock_bh(&port->pf->qos_lock);
	WRITE_ONCE(leaf->group, node);
	if (!list_empty(&leaf->active))
		list_move_tail(&leaf->active, &esw_leaf_node(leaf)->active);
	spin_unlock_bh(&port->pf->qos_lock);
	esw_node_kick(esw_leaf_node(leaf));
}

void esw_qos_init(struct esw_pf *pf)
{
	u32 i;

	for (i = 0; i <= pf->card->total_vfs; i++)
		esw_node_init(&pf->ports[i].leaf.own, pf);
}

void esw_qos_exit(struct esw_pf *pf)
{
	u32 i;

	for (i = 0; i <= pf->card->total_vfs; i++) {
		esw_qos_flush(&pf->ports[i]);
		hrtimer_cancel(&pf->ports[i].leaf.own.timer);
	}
}

/* What mlx5 takes as a rate: whole megabits, not more than the link. */
int esw_rate_check(u64 rate, struct netlink_ext_ack *extack)
{
	u64 rest, mbit = div64_u64_rem(rate, ESW_MBIT, &rest);

	if (rest) {
		NL_SET_ERR_MSG_MOD(extack, "TX rate value not in link speed units of 1Mbps");
		return -EINVAL;
	}
	if (mbit > ESW_LINK_MBIT) {
		NL_SET_ERR_MSG_MOD(extack, "TX rate value exceed link maximum speed");
		return -EINVAL;
	}
	return 0;
}
