// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "vswitchd/running.h"

#include <stdlib.h>

#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "vswitchd/vswitch.h"

struct running_bridge *
running_bridge_find(const struct vswitch *vs, const char *name)
{
    for (struct hnode *n = htable_first_with_hash(&vs->bridges, hash_string(name, 0)); n; n = htable_next_with_hash(n)) {
        struct running_bridge *b = CONTAINER_OF(n, struct running_bridge, node);

        if (!strcmp(b->name, name)) {
            return b;
        }
    }
    return NULL;
}

struct running_bridge *
running_bridge_next(const struct vswitch *vs, struct running_bridge *b)
{
    struct hnode *n = htable_next(&vs->bridges, b ? &b->node : NULL);

    return n ? CONTAINER_OF(n, struct running_bridge, node) : NULL;
}

struct running_bridge *
running_bridge_create(struct vswitch *vs, const char *name)
{
    struct running_bridge *b = xzalloc(sizeof *b);

    b->vs = vs;
    b->name = xstrdup(name);
    b->default_hwaddr = eth_addr_random();
    b->status_dirty = true;
    CDS_INIT_LIST_HEAD(&b->ports);
    CDS_INIT_LIST_HEAD(&b->internal_ports);
    htable_insert(&vs->bridges, &b->node, hash_string(name, 0));
    return b;
}

void
running_bridge_destroy(struct running_bridge *b, bool delete_ports)
{
    struct running_port *p, *next;

    cds_list_for_each_entry_safe (p, next, &b->ports, in_bridge) {
        if (!delete_ports) {
            p->port = NULL; /* bridge_destroy() lets go of it and leaves the device plugged in. */
        }
        running_port_destroy(p, delete_ports);
    }
    if (b->bridge) {
        bridge_destroy(b->bridge, delete_ports);
    }
    heap_destroy(&b->macs);
    heap_destroy(&b->mtus);
    htable_remove(&b->vs->bridges, &b->node);
    free(b->name);
    free(b->error);
    free(b);
}

void
running_bridge_refuse(struct running_bridge *b, char *why)
{
    if (why && (!b->error || strcmp(b->error, why))) {
        log_err(LOG_bridge, "bridge %s: %s", b->name, why);
        b->status_dirty = true;
    }
    b->status_dirty |= !why != !b->error;
    free(b->error);
    b->error = why;
}

struct running_port *
running_port_find(const struct vswitch *vs, const char *name)
{
    for (struct hnode *n = htable_first_with_hash(&vs->ports, hash_string(name, 0)); n; n = htable_next_with_hash(n)) {
        struct running_port *p = CONTAINER_OF(n, struct running_port, node);

        if (!strcmp(p->name, name)) {
            return p;
        }
    }
    return NULL;
}

struct running_port *
running_port_create(struct running_bridge *b, const char *name)
{
    struct running_port *p = xzalloc(sizeof *p);

    p->bridge = b;
    p->name = xstrdup(name);
    p->type = xstrdup("");
    CDS_INIT_LIST_HEAD(&p->internal);
    CDS_INIT_LIST_HEAD(&p->dirty);
    CDS_INIT_LIST_HEAD(&p->uncounted);
    CDS_INIT_LIST_HEAD(&p->again);
    cds_list_add_tail(&p->in_bridge, &b->ports);
    htable_insert(&b->vs->ports, &p->node, hash_string(name, 0));
    return p;
}

bool
running_port_is_internal(const struct running_port *p)
{
    return !strcmp(p->type, "internal");
}

void
running_port_set_type(struct running_port *p, const char *type)
{
    char *copy = xstrdup(type);

    free(p->type);
    p->type = copy;
    cds_list_del_init(&p->internal);
    if (running_port_is_internal(p)) {
        cds_list_add_tail(&p->internal, &p->bridge->internal_ports);
    }
}

void
running_port_unplug(struct running_port *p, bool delete_device)
{
    if (p->port) {
        log_info(LOG_bridge, "bridge %s: deleted interface %s on port %u", p->bridge->name, p->name, port_ofport(p->port) & 0xffff);
        port_del(p->port, delete_device);
        p->port = NULL;
        follow_port(p);
    }
}

void
running_port_destroy(struct running_port *p, bool delete_device)
{
    running_port_unplug(p, delete_device);
    heap_remove(&p->bridge->macs, &p->mac);
    heap_remove(&p->bridge->mtus, &p->mtu);
    cds_list_del(&p->internal);
    cds_list_del(&p->dirty);
    cds_list_del(&p->uncounted);
    cds_list_del(&p->again);
    cds_list_del(&p->in_bridge);
    htable_remove(&p->bridge->vs->ports, &p->node);
    free(p->name);
    free(p->type);
    free(p->error);
    free(p);
}

void
running_port_refuse(struct running_port *p, enum log_level level, char *why)
{
    if (!p->error || strcmp(p->error, why)) {
        log_write(LOG_bridge, level, "%s", why);
    }
    free(p->error);
    p->error = why;
    running_port_changed(p);
}

void
running_port_changed(struct running_port *p)
{
    if (cds_list_empty(&p->dirty)) {
        cds_list_add_tail(&p->dirty, &p->bridge->vs->dirty_ports);
    }
}

void
running_port_uncounted(struct running_port *p)
{
    p->told_stats = false;
    if (cds_list_empty(&p->uncounted)) {
        cds_list_add_tail(&p->uncounted, &p->bridge->vs->uncounted_ports);
    }
}

void
running_port_look_again(struct running_port *p)
{
    p->port_seq = 0;
    p->bridge->vs->look_again = true;
    if (cds_list_empty(&p->again)) {
        cds_list_add_tail(&p->again, &p->bridge->vs->ports_again);
    }
}

void
running_all_changed(struct vswitch *vs)
{
    for (struct running_bridge *b = running_bridge_next(vs, NULL); b; b = running_bridge_next(vs, b)) {
        struct running_port *p;

        b->status_dirty = true;
        cds_list_for_each_entry (p, &b->ports, in_bridge) {
            running_port_uncounted(p);
            running_port_changed(p);
        }
    }
}
