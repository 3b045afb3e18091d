// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "ofproto/bridge.h"

#include <stdlib.h>

#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "lib/base/refs.h"
#include "ofproto/l2.h"
#include "ofproto/ofconn.h"
#include "ofproto/private.h"

#define MISS_SEND_LEN_DEFAULT 128 /* OpenFlow 1.0.2, section 5.3.2. */

static void
bridge_set_texts(struct bridge *br, const struct bridge_config *c)
{
    const struct {
        char **to;
        const char *from;
    } texts[] = {{&br->mfr_desc, c->mfr_desc},
                 {&br->hw_desc, c->hw_desc},
                 {&br->sw_desc, c->sw_desc},
                 {&br->serial_desc, c->serial_desc},
                 {&br->dp_desc, c->dp_desc}};

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        free(*texts[i].to);
        *texts[i].to = texts[i].from ? xstrdup(texts[i].from) : NULL;
    }
}

static void
bridge_take_config(struct bridge *br, const struct bridge_config *c)
{
    bool changed = br->forward_bpdu != c->forward_bpdu || br->fail_secure != c->fail_secure;

    br->datapath_id = c->datapath_id;
    br->hwaddr = c->hwaddr;
    br->fail_secure = c->fail_secure;
    br->disable_in_band = c->disable_in_band;
    br->versions = c->versions;
    __atomic_store_n(&br->forward_bpdu, c->forward_bpdu, __ATOMIC_RELAXED);
    bridge_set_texts(br, c);
    l2_configure(br->l2, c->mac_aging_s, c->mac_table_size);
    tables_configure(br, c->tables, c->n_tables);
    if (changed) {
        bridge_changed(br);
    }
}

int
bridge_create(struct ofproto *o, const struct bridge_config *c, struct bridge **brp, char **why)
{
    struct datapath *d;
    struct bridge *br;
    char *text = NULL;
    int error = datapath_get(o, c->datapath_type, &d, &text);

    if (error) {
        *why = text;
        return error;
    }
    br = xzalloc(sizeof *br);
    br->ofproto = o;
    br->refs = 1;
    br->datapath = d;
    br->id = o->next_bridge_id++;
    br->name = xstrdup(c->name);
    br->datapath_type = xstrdup(c->datapath_type);
    br->remark = text;
    br->miss_send_len = MISS_SEND_LEN_DEFAULT;
    br->next_ofp = 1;
    br->ports = xzalloc(sizeof *br->ports);
    br->l2 = l2_create(br);
    br->conns = ofconns_create(br, o->loop);
    tables_init(br);
    cds_list_add_tail(&br->node, &o->bridges);
    cds_lfht_node_init(&br->id_node);
    cds_lfht_add(o->bridges_by_id, hash_u64(br->id, 0), &br->id_node);
    bridge_take_config(br, c);
    ofconns_configure(br->conns, c);
    *brp = br;
    return 0;
}

static void
bridge_free(void *bridge)
{
    struct bridge *br = bridge;

    free(br->datapath_type);
    free(br->remark);
    free(br->name);
    free(br);
}

bool
bridge_ref(struct bridge *br)
{
    return refs_get(&br->refs);
}

void
bridge_unref(struct bridge *br)
{
    if (refs_put(&br->refs)) {
        rcu_postpone(bridge_free, br);
    }
}

void
bridge_destroy(struct bridge *br, bool delete_ports)
{
    struct datapath *d = br->datapath;

    while (br->ports->n) {
        port_del(br->ports->ports[br->ports->n - 1], delete_ports);
    }
    __atomic_store_n(&br->removed, true, __ATOMIC_RELEASE);
    cds_lfht_del(br->ofproto->bridges_by_id, &br->id_node);
    cds_list_del(&br->node);
    tables_destroy(br); /* Waits for readers, those of the MAC table too. */
    ofconns_destroy(br->conns);
    l2_destroy(br->l2);
    free(br->ports);
    bridge_set_texts(br, &(struct bridge_config){0});
    datapath_put(d, delete_ports);
    bridge_unref(br);
}

bool
bridge_reconfigure(struct bridge *br, const struct bridge_config *c)
{
    if (strcmp(br->datapath_type, c->datapath_type)) {
        return false;
    }
    bridge_take_config(br, c);
    ofconns_configure(br->conns, c);
    return true;
}

const char *
bridge_remark(const struct bridge *br)
{
    return br->remark;
}

const char *
bridge_name(const struct bridge *br)
{
    return br->name;
}

void
bridge_changed(struct bridge *br)
{
    datapath_changed(br->datapath);
}

struct port *
bridge_port(const struct bridge *br, uint32_t ofp)
{
    const struct bridge_ports *ports = rcu_dereference(br->ports);
    size_t low = 0, high = ports->n;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (ports->ports[middle]->ofp < ofp) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < ports->n && ports->ports[low]->ofp == ofp ? ports->ports[low] : NULL;
}

void
bridge_datapath_version(const struct bridge *br, char *text, size_t size)
{
    dp_version(br->datapath->dp->ops, text, size);
}

bool
bridge_has_ofport(const struct bridge *br, uint32_t number)
{
    return bridge_port(br, number) != NULL;
}

struct port *
bridge_port_by_name(const struct bridge *br, const char *name)
{
    struct port *p = ofproto_port_by_name(br->ofproto, name);

    return p && p->bridge == br ? p : NULL;
}

void
bridge_set_ports(struct bridge *br, struct bridge_ports *ports)
{
    struct bridge_ports *old = br->ports;

    rcu_assign_pointer(br->ports, ports);
    rcu_postpone_free(old);
    bridge_changed(br);
}

static const char *
name_of_port(uint32_t ofp, const void *br)
{
    const struct port *p = bridge_port(br, ofp);

    return p ? p->name : NULL;
}

static bool
number_of_port(const char *name, uint32_t *ofp, const void *br)
{
    const struct port *p = bridge_port_by_name(br, name);

    if (p) {
        *ofp = p->ofp;
    }
    return p != NULL;
}

struct port_names
bridge_port_names(const struct bridge *br)
{
    return (struct port_names){name_of_port, number_of_port, br};
}

void
bridge_controller_status(const struct bridge *br, void (*fn)(const struct controller_status *, void *arg), void *arg)
{
    ofconns_status(br->conns, fn, arg);
}
