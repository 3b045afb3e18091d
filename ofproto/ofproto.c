// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "ofproto/ofproto.h"

#include <stdlib.h>

#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "ofproto/commands.h"
#include "ofproto/freeze.h"
#include "ofproto/l2.h"
#include "ofproto/private.h"

#define AGE_INTERVAL_MS 1000
#define FROZEN_IDLE_MS 60000 /* States that translations froze are kept so long without use, and longer than megaflows are. */

static void
age_due(void *ofproto)
{
    struct ofproto *o = ofproto;
    struct bridge *br;

    cds_list_for_each_entry (br, &o->bridges, node) {
        tables_expire(br);
        if (l2_age(br->l2)) {
            bridge_changed(br);
        }
    }
    if (freeze_count()) {
        freeze_sweep(now_ms(), MAX(FROZEN_IDLE_MS, 3 * (int64_t) o->config.max_idle_ms));
    }
    loop_timer_set(o->second_timer, AGE_INTERVAL_MS);
}

struct ofproto *
ofproto_create(struct loop *loop, struct netdevs *netdevs)
{
    struct ofproto *o = xzalloc(sizeof *o);

    o->loop = loop;
    o->netdevs = netdevs;
    CDS_INIT_LIST_HEAD(&o->bridges);
    CDS_INIT_LIST_HEAD(&o->datapaths);
    htable_init(&o->ports_by_name);
    CDS_INIT_LIST_HEAD(&o->transactions);
    o->version = 1;
    o->bridges_by_id = cds_lfht_new_flavor(16, 16, 0, CDS_LFHT_AUTO_RESIZE, &urcu_qsbr_flavor, NULL);
    o->next_bridge_id = 1;
    o->second_timer = loop_timer_add(loop, age_due, o);
    loop_timer_set(o->second_timer, AGE_INTERVAL_MS);
    return o;
}

void
ofproto_destroy(struct ofproto *o, bool delete_datapath)
{
    struct bridge *br, *next;

    cds_list_for_each_entry_safe (br, next, &o->bridges, node) {
        bridge_destroy(br, delete_datapath);
    }
    loop_timer_del(o->second_timer);
    freeze_sweep(INT64_MAX, 0); /* Nobody is left to go on with one. */
    rcu_drain();
    cds_lfht_destroy(o->bridges_by_id, NULL);
    htable_destroy(&o->ports_by_name);
    free(o);
}

void
ofproto_let_go(struct ofproto *o)
{
    struct datapath *d;

    cds_list_for_each_entry (d, &o->datapaths, node) {
        datapath_stop(d);
    }
}

/* Field by field: between them may lie anything. */
static bool
config_equal(const struct ofproto_config *a, const struct ofproto_config *b)
{
    return a->flow_limit == b->flow_limit && a->max_idle_ms == b->max_idle_ms && a->max_revalidator_ms == b->max_revalidator_ms
           && a->min_revalidate_pps == b->min_revalidate_pps && a->n_handler_threads == b->n_handler_threads
           && a->n_revalidator_threads == b->n_revalidator_threads && a->vlan_limit == b->vlan_limit && a->hw_offload == b->hw_offload
           && a->tc_policy == b->tc_policy;
}

void
ofproto_configure(struct ofproto *o, const struct ofproto_config *config)
{
    struct datapath *d;

    if (!cds_list_empty(&o->datapaths) && memcmp(&o->config.datapath, &config->datapath, sizeof config->datapath)) {
        log_info(LOG_ofproto, "the sizes of the eBPF datapath's maps change when it is opened next");
    }
    if (config_equal(&o->config, config)) {
        o->config.datapath = config->datapath;
        return;
    }
    o->config = *config;
    cds_list_for_each_entry (d, &o->datapaths, node) {
        datapath_configure(d);
    }
}

void
ofproto_start_forwarding(struct ofproto *o)
{
    struct datapath *d;

    o->forwarding = true;
    cds_list_for_each_entry (d, &o->datapaths, node) {
        datapath_start_forwarding(d);
    }
}

static int
bridge_id_matches(struct cds_lfht_node *node, const void *id)
{
    return caa_container_of(node, struct bridge, id_node)->id == *(const uint32_t *) id;
}

struct bridge *
bridge_by_id(const struct ofproto *o, uint32_t id)
{
    struct cds_lfht_iter iter;
    struct cds_lfht_node *node;

    cds_lfht_lookup(o->bridges_by_id, hash_u64(id, 0), bridge_id_matches, &id, &iter);
    node = cds_lfht_iter_get_node(&iter);
    return node ? caa_container_of(node, struct bridge, id_node) : NULL;
}

struct bridge *
bridge_by_name(const struct ofproto *o, const char *name)
{
    struct bridge *br;

    cds_list_for_each_entry (br, &o->bridges, node) {
        if (!strcmp(br->name, name)) {
            return br;
        }
    }
    return NULL;
}

void
ofproto_register_commands(struct ofproto *o)
{
    commands_register(o);
}

void
ofproto_types(void (*datapath)(const char *type, void *), void (*iface)(const char *type, void *), void *datapath_arg, void *iface_arg)
{
    static const char *const interfaces[] = {"internal", "patch", "system", "tap"};
    char *why;

    for (size_t i = 0; dp_types[i]; i++) {
        const struct dp_ops *ops;

        why = NULL;
        if (!dp_select(dp_types[i]->type, &ops, &why)) {
            datapath(dp_types[i]->type, datapath_arg);
        }
        free(why);
    }
    for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++) {
        iface(interfaces[i], iface_arg);
    }
}
