// SPDX-License-Identifier: Apache-2.0
// Ties the database client, the reconciler and the write-back together. Whatever happens (an update, a device, the lock) only marks that there is work; it is
// done once before the loop sleeps.
#include <config.h>
#include "vswitchd/vswitch.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "vswitchd/running.h"
#include "vswitchd/tables.h"

#define DATABASE "Open_vSwitch"
#define LOCK "ovs_vswitchd"
#define STATUS_INTERVAL_MS 500 /* How stale the state of a controller or a device may be in the database. */

/* Says once that another daemon has the lock, and once that it is ours. */
static bool
may_run(struct vswitch *vs)
{
    if (ovsdb_lock_contended(vs->db)) {
        if (!vs->said_contended) {
            log_err(LOG_bridge, "another ovs-vswitchd process is running, disabling this process (pid %ld) until it goes away", (long) getpid());
            vs->said_contended = true;
        }
        return false;
    }
    if (!ovsdb_has_lock(vs->db)) {
        return false;
    }
    vs->said_contended = false;
    return true;
}

static void
tell_ready(struct vswitch *vs)
{
    if (vs->ready) {
        void (*ready)(void *) = vs->ready;

        vs->ready = NULL;
        ready(vs->ready_arg);
    }
}

/* While what it says is not followed: rows that go meanwhile are not kept, so that all has to be looked at afterwards. */
static void
ignore_database(struct vswitch *vs)
{
    vs->following = false;
    if (replica_next_gone(ovsdb_replica(vs->db), NULL)) {
        vs->reconciled_seq = 0;
        ovsdb_forget_gone(vs->db);
    }
    status_forget(vs);
}

static void
vswitch_work(void *vs_)
{
    struct vswitch *vs = vs_;
    uint64_t seq = ovsdb_replica(vs->db)->seq;

    if (!ovsdb_connected(vs->db)) {
        ignore_database(vs);
        return;
    }
    if (!may_run(vs)) {
        ignore_database(vs);
        if (vs->said_contended) {
            tell_ready(vs);
        }
        return;
    }
    if (!vs->following) {
        vs->following = true;
        netdevs_distrust(vs->netdevs);
    }
    if (vs->reconciled_seq != seq || vs->look_again) {
        vs->look_again = false;
        reconcile(vs, vs->reconciled_seq);
        ovsdb_forget_gone(vs->db);
        vs->reconciled_seq = seq;
        log_dbg(LOG_bridge, "reconciled up to next_cfg=%lld", (long long) vs->next_cfg);
    }
    status_write(vs, false);
    tell_ready(vs);
}

static void
db_changed(void *vs_)
{
    struct vswitch *vs = vs_;

    loop_idle(vs->loop, vswitch_work, vs);
}

static void
device_event(const struct netdev_info *dev, bool gone, void *vs_)
{
    struct vswitch *vs = vs_;

    reconcile_device_event(vs, dev, gone);
    loop_idle(vs->loop, vswitch_work, vs);
}

static void
status_due(void *vs_)
{
    struct vswitch *vs = vs_;

    if (ovsdb_connected(vs->db) && ovsdb_has_lock(vs->db) && vs->next_cfg >= 0) {
        status_write(vs, false);
    }
    loop_timer_set(vs->status_timer, STATUS_INTERVAL_MS);
}

static void
stats_due(void *vs_)
{
    struct vswitch *vs = vs_;

    if (ovsdb_connected(vs->db) && ovsdb_has_lock(vs->db) && vs->next_cfg >= 0) {
        status_write(vs, true);
        if (vs->look_again) {
            loop_idle(vs->loop, vswitch_work, vs);
        }
    }
    loop_timer_set(vs->stats_timer, status_stats_interval_ms(vs));
}

static const struct ovsdb_ops db_ops = {db_changed};

int
vswitch_create(struct loop *loop, const char *db_remotes, void (*ready)(void *arg), void *arg, struct vswitch **vsp, char **error)
{
    struct vswitch *vs = xzalloc(sizeof *vs);
    int err;

    vs->loop = loop;
    vs->ready = ready;
    vs->ready_arg = arg;
    vs->next_cfg = vs->told_cfg = -1;
    htable_init(&vs->bridges);
    htable_init(&vs->ports);
    CDS_INIT_LIST_HEAD(&vs->dirty_ports);
    CDS_INIT_LIST_HEAD(&vs->uncounted_ports);
    CDS_INIT_LIST_HEAD(&vs->ports_again);
    vs->written = status_cache_create();
    vs->netdevs = netdevs_create(loop, error);
    if (!vs->netdevs) {
        vswitch_destroy(vs, false);
        return -EIO;
    }
    vs->ofproto = ofproto_create(loop, vs->netdevs);
    ofproto_register_commands(vs->ofproto);
    netdevs_watch(vs->netdevs, device_event, vs);
    err = ovsdb_create(loop, db_remotes, DATABASE, vswitch_tables, n_vswitch_tables, LOCK, &db_ops, vs, &vs->db, error);
    if (err) {
        vswitch_destroy(vs, false);
        return err;
    }
    vs->status_timer = loop_timer_add(loop, status_due, vs);
    vs->stats_timer = loop_timer_add(loop, stats_due, vs);
    loop_timer_set(vs->status_timer, STATUS_INTERVAL_MS);
    loop_timer_set(vs->stats_timer, status_stats_interval_ms(vs));
    *vsp = vs;
    return 0;
}

void
vswitch_destroy(struct vswitch *vs, bool delete_datapath)
{
    if (vs->stats_timer) {
        loop_timer_del(vs->stats_timer);
        loop_timer_del(vs->status_timer);
    }
    if (vs->ofproto && !delete_datapath) {
        ofproto_let_go(vs->ofproto);
    }
    reconcile_destroy_all(vs, delete_datapath);
    if (vs->ofproto) {
        ofproto_destroy(vs->ofproto, delete_datapath);
    }
    ovsdb_destroy(vs->db);
    if (vs->netdevs) {
        netdevs_destroy(vs->netdevs);
    }
    status_cache_destroy(vs->written);
    htable_destroy(&vs->bridges);
    htable_destroy(&vs->ports);
    free(vs);
}
