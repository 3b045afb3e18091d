// SPDX-License-Identifier: GPL-2.0
/*
 * An SR-IOV adapter with an eSwitch, in software.
 *
 * A card (struct esw_card) has one or two PFs (struct esw_pf); a PF has an
 * eSwitch with one port (struct esw_port) for the cable and one for each VF it
 * may ever have. A port has two sides: its function side (the VF's netdev, or
 * the far end of the cable) and its host side (the representor, or the PF's
 * netdev). Cards, PFs and ports live until the card is deleted, present or not,
 * so that forwarding rules may point at ports without counting references.
 *
 * Locks, outermost first: device_lock, devl_lock, RTNL, the tc block's cb_lock,
 * fdb->lock. Packets cross under RCU with bottom halves off.
 */
#ifndef ESWEMU_H
#define ESWEMU_H

#include <linux/device.h>
#include <linux/etherdevice.h>
#include <linux/hrtimer.h>
#include <linux/if_vlan.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/ptr_ring.h>
#include <linux/rhashtable.h>
#include <linux/semaphore.h>
#include <linux/u64_stats_sync.h>
#include <linux/workqueue.h>
#include <net/devlink.h>
#include <net/flow_offload.h>

#include "profile.h"

#define ESW_MAX_PFS		2
#define ESW_MAX_VFS		126
#define ESW_MAX_OUTPUTS		32	/* of one rule, as mlx5 */
#define ESW_MAX_CHAIN		1000000
#define ESW_RING_SIZE		2048
#define ESW_LINK_MBIT		100000
#define ESW_UPLINK_INDEX	0xffff	/* devlink port index of the uplink */

struct esw_card;
struct esw_pf;
struct esw_port;

/* Packets and bytes both ways, one copy a CPU. */
struct esw_counters {
	u64 rx_packets, rx_bytes, rx_dropped;
	u64 tx_packets, tx_bytes, tx_dropped;
	struct u64_stats_sync syncp;
};

/* What the administrator says about a VF through its PF. */
struct esw_vf_cfg {
	u8 mac[ETH_ALEN];
	u16 vlan;
	u8 qos;
	__be16 vlan_proto;
	bool spoofchk;
	bool trusted;
	int link_state;
};

/* A shaper: the VF's own, or its group's. Rates in bytes a second, 0 = none. */
struct esw_bucket {
	u64 rate;
	u64 next_ns;		/* when the next byte may leave */
};

/* Who may send next among the leaves of a group. */
struct esw_node {
	struct esw_pf *pf;
	struct esw_bucket max;
	struct list_head active;	/* leaves with packets, in their order */
	struct hrtimer timer;
};

struct esw_leaf {
	struct esw_bucket max;
	u64 share;
	struct esw_node *group;		/* or NULL */
	struct esw_node own;		/* serves the leaf when in no group */
	struct sk_buff_head queue;
	unsigned int bytes;		/* in the queue */
	struct list_head active;	/* in the node's round */
	s64 deficit;
};

struct esw_port {
	struct esw_pf *pf;
	u16 num;			/* 0 the uplink, else VF number + 1 */
	u16 gen;			/* grows with each VF that takes the port */
	struct net_device __rcu *nic;	/* function side: VF or cable */
	struct net_device __rcu *rep;	/* host side: representor or PF */
	struct esw_counters __percpu *cnt; /* as the function sees it */
	struct esw_vf_cfg cfg;
	struct devlink_port dl_port;
	bool dl_registered;
	bool lag_idle;			/* an uplink its bond does not send by */
	struct esw_leaf leaf;
	struct esw_meter __rcu *police;	/* matchall on the representor */
	unsigned long police_cookie;
};

static inline bool esw_port_is_uplink(const struct esw_port *port)
{
	return port->num == 0;
}

/*
 * What a packet looks like and, with the same shape, what of it a rule looks
 * at. The port comes first and is always looked at; what follows is ordered so
 * that the common rules end early, because only the words up to the last one
 * looked at are hashed and compared.
 */
struct esw_key {
	u32 port;
	struct flow_dissector_key_basic basic;
	struct flow_dissector_key_num_of_vlans vlans;
	u8 pad[3];
	struct flow_dissector_key_eth_addrs eth;
	struct flow_dissector_key_vlan vlan;
	struct flow_dissector_key_ipv4_addrs ipv4;
	struct flow_dissector_key_ports l4;
	struct flow_dissector_key_ip ip;
	struct flow_dissector_key_tcp tcp;
	struct flow_dissector_key_control control;
	struct flow_dissector_key_icmp icmp;
	struct flow_dissector_key_vlan cvlan;
	struct flow_dissector_key_ipv6_addrs ipv6;
	struct flow_dissector_key_mpls mpls;
} __aligned(8);

enum esw_act_kind {
	ESW_ACT_OUTPUT,
	ESW_ACT_LAG,		/* out of one of the uplinks under a bond */
	ESW_ACT_HOST,		/* to the representor: trap and accept */
	ESW_ACT_VLAN_PUSH,
	ESW_ACT_VLAN_POP,
	ESW_ACT_VLAN_SET,
	ESW_ACT_SET,		/* rewrite bits of a header */
	ESW_ACT_ADD,		/* add to a byte of a header */
	ESW_ACT_METER,
	ESW_ACT_SAMPLE,
	ESW_ACT_GOTO,
};

struct esw_act {
	enum esw_act_kind kind;
	union {
		struct {
			struct esw_port *port;
			u16 gen;
		} out;
		struct {
			struct esw_port *ports[ESW_MAX_PFS];
			unsigned int n;
		} lag;
		struct {
			u16 tci;
			__be16 proto;
		} vlan;
		struct {
			enum flow_action_mangle_base htype;
			u32 offset;
			u32 keep;	/* bits that stay */
			u32 val;
		} set;
		struct {
			struct psample_group *group;
			u32 rate;
			u32 size;
		} sample;
		struct esw_meter *meter;
		u32 chain;
	};
};

struct esw_rule_counter {
	u64 packets;
	u64 bytes;
	struct u64_stats_sync syncp;
};

struct esw_group;

struct esw_rule {
	struct rhlist_head node;	/* in its group, by key */
	struct rhash_head cookie_node;	/* in the FDB, by cookie and port */
	struct list_head list;		/* all rules of the FDB */
	struct {
		unsigned long cookie;
		struct esw_port *port;
	} id;
	struct esw_group *group;
	u32 chain;
	u32 prio;
	struct esw_key key;
	struct esw_rule_counter __percpu *cnt;
	/* What the firmware last published, and what tc has been told. */
	u64 packets, bytes, told_packets, told_bytes;
	unsigned long lastused;
	bool forgotten;			/* a fault: tc still says in_hw */
	struct rcu_work free_work;
	unsigned int n_acts;
	struct esw_act acts[];
};

struct esw_resource {
	u64 size;
	atomic_t used;
};

enum esw_resource_id {
	ESW_RES_FLOWS = 1,
	ESW_RES_CT,
	ESW_RES_COUNTERS,
	ESW_RES_ENCAPS,
	ESW_RES_METERS,
	ESW_RES_MAX,
};

enum esw_command {
	ESW_CMD_INSERT,
	ESW_CMD_REMOVE,
	ESW_CMD_STATS,
	ESW_N_CMDS,
};

#define ESW_COST_BUCKETS 24

/* What commands of one kind took: by powers of two, from 1024 ns down. */
struct esw_cost {
	atomic64_t n, ns;
	atomic_t below[ESW_COST_BUCKETS];
};

/* The time that one command takes so far, but for what its latency is. */
struct esw_watch {
	u64 since, ns;
};

/* Faults on request, all through debugfs. */
struct esw_faults {
	atomic_t fail_nth;	/* the n-th insertion from now fails ... */
	u32 fail_errno;		/* ... with this errno */
	bool freeze_stats;
};

/* What the firmware can: capabilities that adapters of one kind differ in. */
struct esw_caps {
	bool cvlan, pcp, ttl, icmp, hairpin;
};

struct esw_fdb {
	struct mutex lock;	/* serialises what changes the table */
	bool blocked;		/* the mode is changing, or the firmware is dead */
	struct rhashtable chains;
	struct rhashtable by_cookie;
	struct list_head rules;
	struct delayed_work snapshot;
	struct semaphore slots;	/* commands the firmware takes at a time */
	u32 n_slots;
	u32 latency_us;
	u32 period_ms;
};

struct esw_pf {
	struct esw_card *card;
	u8 index;
	u16 mode;		/* DEVLINK_ESWITCH_MODE_*; changes under devl_lock */
	u16 bridge_mode;	/* BRIDGE_MODE_VEB or _VEPA, legacy only */
	bool dead;		/* the firmware crashed: nothing is forwarded */
	u32 num_vfs;
	bool autoprobe;
	struct devlink *devlink;
	struct net_device *netdev;
	const struct esw_profile *profile;
	struct esw_fdb fdb;
	struct esw_resource res[ESW_RES_MAX];
	struct esw_faults faults;
	struct esw_caps caps;
	atomic_t refused[ESW_N_REASONS];
	struct esw_cost costs[ESW_N_CMDS];
	struct devlink_health_reporter *reporter;
	struct dentry *ddir;
	struct mutex meters_lock;
	struct list_head meters;
	spinlock_t qos_lock;	/* shapers of the whole PF */
	struct esw_port *ports;	/* 1 + total_vfs */
	struct esw_fn *fn;
	struct esw_fn **vfs;	/* total_vfs; those present are not NULL */
};

struct esw_card {
	struct list_head node;
	unsigned int id;
	unsigned int n_pfs;
	u32 total_vfs;
	u32 capacity;
	struct netdev_phys_item_id switch_id;
	struct device *root;
	struct esw_pf pfs[ESW_MAX_PFS];
};

/* A function on the bus: what would be a PCI device. */
struct esw_fn {
	struct device dev;
	struct esw_pf *pf;
	int vf;			/* -1: the PF itself */
	const char *driver_override;
};

static inline struct esw_fn *to_esw_fn(struct device *dev)
{
	return container_of(dev, struct esw_fn, dev);
}

/* netdev_priv() of every netdev here. */
struct esw_netdev {
	struct net_device *dev;
	struct esw_port *port;
	struct napi_struct napi;
	struct ptr_ring ring;
	struct esw_counters __percpu *cnt; /* the port's, or the slow path's own */
	bool own_cnt;
	struct devlink_port *dl_port;
};

static inline bool esw_switchdev(const struct esw_pf *pf)
{
	return READ_ONCE(pf->mode) == DEVLINK_ESWITCH_MODE_SWITCHDEV;
}

/* main.c */
extern struct workqueue_struct *esw_wq;

/* bus.c */
extern struct bus_type esw_bus;
int esw_bus_init(void);
void esw_bus_exit(void);
struct esw_fn *esw_fn_add(struct esw_pf *pf, int vf);
void esw_fn_del(struct esw_fn *fn);

/* sriov.c */
extern const struct attribute_group *esw_pf_attr_groups[];
extern const struct attribute_group *esw_vf_attr_groups[];
void esw_sriov_disable(struct esw_pf *pf);

/* card.c */
struct esw_card *esw_card_new(unsigned int id, unsigned int n_pfs, u32 vfs,
			      u32 capacity);
void esw_card_free(struct esw_card *card);
struct esw_port *esw_port_by_netdev(const struct net_device *dev);

/* pf.c */
int esw_pf_probe(struct esw_fn *fn);
void esw_pf_remove(struct esw_fn *fn);
int esw_pf_load(struct esw_pf *pf);
void esw_pf_unload(struct esw_pf *pf);
int esw_pf_set_mode(struct esw_pf *pf, u16 mode);
int esw_pf_load_vf_ports(struct esw_pf *pf, u32 n);
int esw_pf_lose_vf_port(struct esw_pf *pf, u64 vf);
int esw_pf_find_vf_port(struct esw_pf *pf, u64 vf);
void esw_pf_unload_vf_ports(struct esw_pf *pf, u32 n);

/* vf.c */
int esw_vf_probe(struct esw_fn *fn);
void esw_vf_remove(struct esw_fn *fn);
void esw_vf_reset(struct esw_fn *fn);

/* devlink.c */
extern const struct devlink_ops esw_pf_devlink_ops;
extern const struct devlink_ops esw_vf_devlink_ops;

static inline struct esw_pf *esw_pf_of_devlink(struct devlink *devlink)
{
	return *(struct esw_pf **)devlink_priv(devlink);
}

/* knobs.c: params and resources */
int esw_resources_register(struct esw_pf *pf);
void esw_resources_reload(struct esw_pf *pf);
int esw_params_register(struct esw_pf *pf);
void esw_params_unregister(struct esw_pf *pf);
bool esw_resource_take(struct esw_pf *pf, enum esw_resource_id id);
void esw_resource_give(struct esw_pf *pf, enum esw_resource_id id);

/* netdev.c */
struct net_device *esw_netdev_alloc(struct esw_port *port,
				    const struct net_device_ops *ops,
				    struct device *parent, bool own_counters,
				    const char *name);
int esw_netdev_register(struct net_device *dev);
void esw_netdev_free(struct net_device *dev);
int esw_netdev_open(struct net_device *dev);
int esw_netdev_stop(struct net_device *dev);
struct devlink_port *esw_netdev_devlink_port(struct net_device *dev);
void esw_netdev_receive(struct net_device *dev, struct sk_buff *skb, u32 chain);
void esw_count_rx(struct esw_counters __percpu *cnt, struct sk_buff *skb);
void esw_count_tx(struct esw_counters __percpu *cnt, struct sk_buff *skb);
void esw_count_rx_drop(struct esw_counters __percpu *cnt);
void esw_count_tx_drop(struct esw_counters __percpu *cnt);
void esw_stats_fold(struct esw_counters __percpu *cnt,
		    struct rtnl_link_stats64 *stats, bool turned);
unsigned int esw_skb_packets(const struct sk_buff *skb);
unsigned int esw_skb_bytes(const struct sk_buff *skb);
struct net_device *esw_cable_create(struct esw_port *port);
void esw_cable_destroy(struct esw_port *port);
struct net_device *esw_vf_netdev_create(struct esw_port *port,
					struct device *parent,
					struct devlink_port *dl_port);
void esw_link_update(struct esw_port *port);

/* ethtool.c */
extern const struct ethtool_ops esw_ethtool_ops;

/* rep.c */
int esw_rep_create(struct esw_port *port);
void esw_rep_destroy(struct esw_port *port);
int esw_rep_set_features(struct net_device *dev, netdev_features_t features);
bool esw_has_offload_stats(const struct net_device *dev, int id);
int esw_get_offload_stats(int id, const struct net_device *dev, void *sp);
bool esw_is_rep(const struct net_device *dev);

/* uplink.c */
int esw_uplink_create(struct esw_pf *pf);
void esw_uplink_destroy(struct esw_pf *pf);
void esw_uplink_mode_changed(struct esw_pf *pf);
bool esw_is_uplink(const struct net_device *dev);

/* vfcfg.c */
int esw_set_vf_mac(struct net_device *dev, int vf, u8 *mac);
int esw_set_vf_vlan(struct net_device *dev, int vf, u16 vlan, u8 qos,
		    __be16 proto);
int esw_set_vf_rate(struct net_device *dev, int vf, int min, int max);
int esw_set_vf_spoofchk(struct net_device *dev, int vf, bool on);
int esw_set_vf_trust(struct net_device *dev, int vf, bool on);
int esw_set_vf_link_state(struct net_device *dev, int vf, int state);
int esw_get_vf_config(struct net_device *dev, int vf, struct ifla_vf_info *ivi);
int esw_get_vf_stats(struct net_device *dev, int vf, struct ifla_vf_stats *st);

/* legacy.c: RCU held, BH off */
void esw_legacy_from_vf(struct esw_port *port, struct sk_buff *skb);
void esw_legacy_from_wire(struct esw_port *port, struct sk_buff *skb);
void esw_legacy_from_pf(struct esw_pf *pf, struct sk_buff *skb);

/* path.c: RCU held, BH off; they all eat the packet */
void esw_ingress(struct esw_port *port, struct sk_buff *skb);
void esw_to_function(struct esw_port *port, struct sk_buff *skb);
void esw_to_host(struct esw_port *port, struct sk_buff *skb, u32 chain);

/* lag.c */
int esw_lag_init(void);
void esw_lag_exit(void);
unsigned int esw_lag_ports(struct esw_card *card, struct net_device *bond,
			   struct esw_port **ports);
struct esw_port *esw_lag_pick(const struct esw_act *act, struct sk_buff *skb);

/* exec.c: RCU held, BH off */
bool esw_exec(const struct esw_rule *rule, struct esw_port *in,
	      struct sk_buff *skb, u32 *chain);

/* match.c */
void esw_match_init(void);
void esw_key_extract(struct sk_buff *skb, struct esw_key *key);
int esw_match_parse(struct esw_port *port, struct flow_cls_offload *f,
		    struct esw_key *key, struct esw_key *mask);

/* action.c */
int esw_actions_count(const struct flow_action *action);
int esw_actions_parse(struct esw_port *port, struct flow_cls_offload *f,
		      const struct esw_key *key, const struct esw_key *mask,
		      struct esw_rule *rule);
void esw_actions_release(struct esw_rule *rule);

/* pedit.c */
struct esw_pedit_seen {
	struct {
		u32 offset, mask;
		enum flow_action_mangle_base htype;
	} at[16];
	unsigned int n;
	bool ip_header;		/* more than TTL or hop limit changes */
	bool tuple;
};

int esw_pedit_check(struct esw_pf *pf, const struct flow_action_entry *act,
		    struct esw_pedit_seen *seen, struct netlink_ext_ack *extack);
void esw_pedit_apply(const struct esw_act *act, struct sk_buff *skb);

/* fdb.c */
int esw_fdb_init(struct esw_pf *pf);
void esw_fdb_exit(struct esw_pf *pf);
void esw_fdb_command(struct esw_fdb *fdb);
struct esw_rule *esw_rule_alloc(unsigned int n_acts);
void esw_rule_free(struct esw_rule *rule);
int esw_fdb_insert(struct esw_pf *pf, struct esw_rule *rule,
		   const struct esw_key *mask, struct netlink_ext_ack *extack);
int esw_fdb_remove(struct esw_pf *pf, struct esw_port *port,
		   unsigned long cookie);
struct esw_rule *esw_fdb_find(struct esw_fdb *fdb, struct esw_port *port,
			      unsigned long cookie);
struct esw_rule *esw_fdb_lookup(struct esw_fdb *fdb, u32 chain,
				const struct esw_key *key);
void esw_fdb_forget_all(struct esw_pf *pf);
void esw_rule_count(struct esw_rule *rule, const struct sk_buff *skb);
bool esw_port_has_rules(struct esw_port *port);

/* tc.c */
int esw_setup_tc(struct net_device *dev, enum tc_setup_type type, void *data);
int esw_tc_register(struct esw_pf *pf);
void esw_tc_unregister(struct esw_pf *pf);

/* meter.c */
struct esw_meter *esw_meter_get(struct esw_pf *pf, u32 index,
				const struct flow_action_entry *police);
void esw_meter_put(struct esw_pf *pf, struct esw_meter *meter);
bool esw_meter_pass(struct esw_meter *meter, const struct sk_buff *skb);
int esw_police_check(struct esw_pf *pf, const struct flow_action *action,
		     const struct flow_action_entry *act,
		     struct netlink_ext_ack *extack);
void esw_meters_flush(struct esw_pf *pf);
int esw_meter_act(struct esw_pf *pf, struct flow_offload_action *fl);
int esw_matchall(struct esw_port *port, void *type_data);

/* qos.c */
void esw_qos_init(struct esw_pf *pf);
void esw_qos_exit(struct esw_pf *pf);
void esw_qos_xmit(struct esw_port *port, struct sk_buff *skb);
void esw_qos_flush(struct esw_port *port);
void esw_qos_set_max(struct esw_port *port, u64 bytes_per_s);
void esw_qos_set_share(struct esw_port *port, u64 bytes_per_s);
struct esw_node *esw_node_new(struct esw_pf *pf);
void esw_node_del(struct esw_node *node);
void esw_node_set_max(struct esw_node *node, u64 bytes_per_s);
void esw_leaf_set_node(struct esw_port *port, struct esw_node *node);
int esw_rate_check(u64 rate, struct netlink_ext_ack *extack);

/* cost.c */
void esw_watch_start(struct esw_watch *watch);
void esw_watch_stop(struct esw_watch *watch);
void esw_cost_note(struct esw_pf *pf, enum esw_command cmd,
		   const struct esw_watch *watch);
extern const struct file_operations esw_costs_fops;

/* health.c */
int esw_health_init(struct esw_pf *pf);
void esw_health_exit(struct esw_pf *pf);
int esw_health_crash(struct esw_pf *pf);

/* debugfs.c */
void esw_debugfs_init(void);
void esw_debugfs_exit(void);
void esw_debugfs_add(struct esw_pf *pf);
void esw_debugfs_del(struct esw_pf *pf);
int esw_fault_take(struct esw_pf *pf);

#endif
