// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "ofproto/datapath.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "ofproto/megaflow.h"
#include "ofproto/private.h"
#include "ofproto/revalidate.h"
#include "ofproto/upcall.h"

static unsigned
n_handlers(const struct ofproto *o)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    return o->config.n_handler_threads ? o->config.n_handler_threads : (unsigned) MAX(cores, 1);
}

/* A device of the datapath that we did not change ourselves. */
static void
port_event(enum dp_port_event_type type, const struct dp_port *port, void *datapath)
{
    struct datapath *d = datapath;
    struct port *p;

    p = datapath_port(d, port->number);
    if (p && type == DP_PORT_CHANGED) {
        port_device_changed(p);
    }
}

static struct datapath *
datapath_open(struct ofproto *o, const struct dp_ops *ops, char **why)
{
    char *name = xasprintf("ovs-%s", ops->type), *detail = NULL;
    struct datapath *d = xzalloc(sizeof *d);
    struct dp_settings settings = o->config.datapath;
    int error;

    d->ofproto = o;
    settings.n_handlers = n_handlers(o);
    error = ops->open(name, &settings, o->loop, &d->dp, &detail);
    if (error) {
        *why = xasprintf("datapath %s could not be opened (%s)", name, detail ? detail : errno_text(error));
        free(detail);
        errno = -error;
        free(name);
        free(d);
        return NULL;
    }
    free(name);
    d->ports = cds_lfht_new_flavor(64, 64, 0, CDS_LFHT_AUTO_RESIZE, &urcu_qsbr_flavor, NULL);
    d->place = place_create(d->dp, o->loop);
    d->megaflows = megaflows_create();
    d->upcalls = upcalls_create(d, n_handlers(o));
    d->revalidators = revalidators_create(d);
    ops->port_watch(d->dp, port_event, d);
    cds_list_add_tail(&d->node, &o->datapaths);
    datapath_configure(d);
    dp_features_log(d->dp);
    if (o->forwarding) {
        datapath_start_forwarding(d);
    }
    return d;
}

struct datapath *
datapath_by_ops(const struct ofproto *o, const struct dp_ops *ops)
{
    struct datapath *d;

    cds_list_for_each_entry (d, &o->datapaths, node) {
        if (d->dp->ops == ops) {
            return d;
        }
    }
    return NULL;
}

int
datapath_get(struct ofproto *o, const char *type, struct datapath **dp, char **why)
{
    char *instead = NULL, *failure = NULL;
    struct buf remark = BUF_EMPTY;
    const struct dp_ops *ops;
    struct datapath *d;
    int error = dp_select(type, &ops, &instead);

    if (error) {
        *why = instead;
        return error;
    }
    d = datapath_by_ops(o, ops);
    d = d ? d : datapath_open(o, ops, &failure);
    if (!d) {
        error = errno ? -errno : -EIO;
        *why = instead ? xasprintf("%s, but %s", instead, failure) : xstrdup(failure);
    } else {
        d->n_bridges++;
        *dp = d;
        buf_puts(&remark, instead ? instead : "");
        if (ops->remark) {
            ops->remark(d->dp, &remark);
        }
        *why = remark.len ? xstrdup(buf_text(&remark)) : NULL;
    }
    buf_free(&remark);
    free(failure);
    free(instead);
    return error;
}

void
datapath_stop(struct datapath *d)
{
    if (d->upcalls) {
        upcalls_destroy(d->upcalls);
        revalidators_destroy(d->revalidators);
        d->upcalls = NULL;
        d->revalidators = NULL;
    }
}

void
datapath_put(struct datapath *d, bool destroy)
{
    if (--d->n_bridges) {
        return;
    }
    cds_list_del(&d->node);
    datapath_stop(d);
    megaflows_destroy(d->megaflows);
    place_destroy(d->place, !destroy);
    rcu_drain();
    d->dp->ops->close(d->dp, destroy);
    cds_lfht_destroy(d->ports, NULL);
    free(d);
}

struct datapath *
datapath_by_name(struct ofproto *o, const char *name)
{
    const char *at = strchr(name, '@');
    size_t type_len = at ? (size_t) (at - name) : 0;
    struct datapath *d;

    cds_list_for_each_entry (d, &o->datapaths, node) {
        if (!strcmp(d->dp->name, at ? at + 1 : name)
            && (!at || (strlen(d->dp->ops->type) == type_len && !strncmp(d->dp->ops->type, name, type_len)))) {
            return d;
        }
    }
    return NULL;
}

static int
dp_port_matches(struct cds_lfht_node *node, const void *number)
{
    return caa_container_of(node, struct port, dp_node)->dp_port == *(const uint32_t *) number;
}

struct port *
datapath_port(const struct datapath *d, uint32_t dp_port)
{
    struct cds_lfht_iter iter;
    struct cds_lfht_node *node;

    cds_lfht_lookup(d->ports, hash_u64(dp_port, 0), dp_port_matches, &dp_port, &iter);
    node = cds_lfht_iter_get_node(&iter);
    return node ? caa_container_of(node, struct port, dp_node) : NULL;
}

struct port *
datapath_key_to_translate(const struct datapath *d, const struct flow_key *dp_key, struct flow_key *key)
{
    struct port *p = datapath_port(d, dp_key->in_port);

    *key = *dp_key;
    packet_key_limit_vlans(key, d->ofproto->config.vlan_limit);
    if (p) {
        key->in_port = p->ofp;
    }
    return p;
}

void
datapath_mask_from_translate(const struct datapath *d, const struct flow_key *dp_key, struct flow_key *mask)
{
    packet_mask_limit_vlans(dp_key, mask, d->ofproto->config.vlan_limit);
    translate_add_layout(dp_key, mask);
}

void
datapath_add_port(struct datapath *d, struct port *p)
{
    cds_lfht_node_init(&p->dp_node);
    cds_lfht_add(d->ports, hash_u64(p->dp_port, 0), &p->dp_node);
}

void
datapath_remove_port(struct datapath *d, struct port *p)
{
    cds_lfht_del(d->ports, &p->dp_node);
}

void
datapath_changed(struct datapath *d)
{
    __atomic_add_fetch(&d->generation, 1, __ATOMIC_RELEASE);
    revalidators_wake(d->revalidators);
}

void
datapath_configure(struct datapath *d)
{
    const struct ofproto_config *c = &d->ofproto->config;

    place_configure(d->place, c->hw_offload, c->tc_policy);
    revalidators_configure(d->revalidators, c);
    datapath_changed(d);
}

struct stale_ports {
    const struct datapath *d;
    struct dp_port ports[256];
    size_t n;
};

static void
note_stale_port(const struct dp_port *port, void *stale_)
{
    struct stale_ports *stale = stale_;

    if (port->number != DP_PORT_LOCAL && !datapath_port(stale->d, port->number) && stale->n < ARRAY_SIZE(stale->ports)) {
        stale->ports[stale->n++] = *port;
    }
}

/* Ports that an earlier daemon left in the datapath and that no bridge asks for any more. */
static void
remove_stale_ports(struct datapath *d)
{
    struct stale_ports stale;

    do {
        stale = (struct stale_ports){.d = d};
        d->dp->ops->port_dump(d->dp, note_stale_port, &stale);
        for (size_t i = 0; i < stale.n; i++) {
            log_info(LOG_ofproto, "%s: removing port %s, which no bridge asks for", d->dp->name, stale.ports[i].name);
            if (d->dp->ops->port_del(d->dp, stale.ports[i].number)) {
                return;
            }
        }
    } while (stale.n == ARRAY_SIZE(stale.ports));
}

void
datapath_start_forwarding(struct datapath *d)
{
    if (!__atomic_exchange_n(&d->forwarding, true, __ATOMIC_RELEASE)) {
        remove_stale_ports(d);
        datapath_changed(d);
    }
}

static const char *
dp_port_name(uint32_t dp_port, const void *d)
{
    const struct port *p = datapath_port(d, dp_port);

    return p ? p->name : NULL;
}

static bool
dp_port_number(const char *name, uint32_t *dp_port, const void *d_)
{
    const struct datapath *d = d_;
    struct cds_lfht_iter iter;
    struct port *p;

    cds_lfht_for_each_entry (d->ports, &iter, p, dp_node) {
        if (!strcmp(p->name, name)) {
            *dp_port = p->dp_port;
            return true;
        }
    }
    return false;
}

struct dp_port_names
datapath_port_names(const struct datapath *d)
{
    return (struct dp_port_names){dp_port_name, dp_port_number, d};
}
