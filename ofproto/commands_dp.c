// SPDX-License-Identifier: Apache-2.0
// Commands about datapaths and their megaflows.
#include <config.h>
#include <inttypes.h>
#include <stdlib.h>

#include "lib/base/appctl.h"
#include "ofproto/commands.h"
#include "ofproto/megaflow.h"
#include "ofproto/private.h"
#include "ofproto/revalidate.h"
#include "ofproto/upcall.h"

struct datapath *
datapath_of_args(struct ofproto *o, struct appctl_request *request, const char *name)
{
    struct datapath *d = NULL;

    if (name) {
        d = datapath_by_name(o, name);
    } else if (!cds_list_empty(&o->datapaths) && o->datapaths.next == o->datapaths.prev) {
        d = cds_list_first_entry(&o->datapaths, struct datapath, node);
    }
    if (!d) {
        struct buf text = BUF_EMPTY;

        if (name) {
            buf_putf(&text, "ovs-vswitchd: opening datapath %s failed (No such device)", name);
        } else {
            buf_puts(&text, cds_list_empty(&o->datapaths) ? "no datapaths exist" : "multiple datapaths, specify one");
        }
        appctl_error(request, buf_text(&text));
        buf_free(&text);
    }
    return d;
}

/* NULL, and answered. */
static struct datapath *
refuse_option(struct appctl_request *request, const char *option)
{
    char *text = xasprintf("Unrecognized option %s", option);

    appctl_error(request, text);
    free(text);
    return NULL;
}

static void
reply_and_free(struct appctl_request *request, struct buf *text)
{
    appctl_reply(request, buf_text(text));
    buf_free(text);
}

static const char *
type_of_port(const struct port *p)
{
    return *p->type ? p->type : "system";
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp((*(struct port *const *) a)->name, (*(struct port *const *) b)->name);
}

static void
show_bridge_port(const struct port *p, struct buf *text)
{
    buf_putf(text, "    %s %u/", p->name, p->ofp & 0xffff);
    if (p->dp_port == DP_PORT_NONE) {
        buf_puts(text, "none");
    } else {
        buf_putf(text, "%u", p->dp_port);
    }
    buf_putf(text, ": (%s", type_of_port(p));
    for (char **o = p->options; *o; o += 2) {
        buf_putf(text, "%s %s=%s", o == p->options ? ":" : ",", o[0], o[1]);
    }
    buf_puts(text, ")\n");
}

static void
show_bridge(const struct bridge *br, struct buf *text)
{
    const struct bridge_ports *ports = br->ports;

    buf_putf(text, "  %s:\n", br->name);
    /* By name, as the installed daemon. */
    struct port **sorted = xmemdup(ports->ports, (ports->n ? ports->n : 1) * sizeof *sorted);

    qsort(sorted, ports->n, sizeof *sorted, compare_names);
    for (size_t i = 0; i < ports->n; i++) {
        show_bridge_port(sorted[i], text);
    }
    free(sorted);
}

static void
cmd_dpif_show(struct appctl_request *request, int argc, const char *argv[], void *o_)
{
    struct ofproto *o = o_;
    struct buf text = BUF_EMPTY;
    struct datapath *d;
    struct bridge *br;

    cds_list_for_each_entry (d, &o->datapaths, node) {
        uint64_t hit = 0, missed = 0, lost = 0, flows = 0, mask_hits = 0;
        uint32_t masks = 0;

        d->dp->ops->lookup_stats(d->dp, &hit, &missed, &lost, &flows, &mask_hits, &masks);
        buf_putf(&text, "%s@%s: hit:%llu missed:%llu\n", d->dp->ops->type, d->dp->name, (unsigned long long) hit, (unsigned long long) missed);
        cds_list_for_each_entry (br, &o->bridges, node) {
            if (br->datapath == d) {
                show_bridge(br, &text);
            }
        }
    }
    reply_and_free(request, &text);
}

static void
cmd_dump_dps(struct appctl_request *request, int argc, const char *argv[], void *o_)
{
    struct ofproto *o = o_;
    struct buf text = BUF_EMPTY;
    struct datapath *d;

    cds_list_for_each_entry (d, &o->datapaths, node) {
        buf_putf(&text, "%s@%s\n", d->dp->ops->type, d->dp->name);
    }
    reply_and_free(request, &text);
}

/* dpif/dump-dps: what bridges call their datapath. */
static void
cmd_dump_bridges(struct appctl_request *request, int argc, const char *argv[], void *o_)
{
    struct ofproto *o = o_;
    struct buf text = BUF_EMPTY;
    struct bridge *br;

    cds_list_for_each_entry (br, &o->bridges, node) {
        buf_putf(&text, "%s@%s\n", br->datapath->dp->ops->type, br->name);
    }
    reply_and_free(request, &text);
}

static void
cmd_show_features(struct appctl_request *request, int argc, const char *argv[], void *o)
{
    struct bridge *br = bridge_by_name(o, argv[1]);
    struct buf text = BUF_EMPTY;

    if (!br) {
        appctl_error(request, "no such bridge");
        return;
    }
    dp_features_format(br->datapath->dp->ops->features(br->datapath->dp), &text);
    reply_and_free(request, &text);
}

struct show {
    struct datapath *d;
    struct buf *text;
    bool stats;
};

/* What a datapath does not count is "?". */
static void
show_port_stats(const struct dp_port_stats *s, struct buf *text)
{
    buf_putf(text, "    RX packets:%" PRIu64 " errors:%" PRIu64 " dropped:%" PRIu64 " overruns:? frame:?\n", s->rx_packets, s->rx_errors,
             s->rx_dropped);
    buf_putf(text, "    TX packets:%" PRIu64 " errors:%" PRIu64 " dropped:%" PRIu64 " aborted:? carrier:?\n", s->tx_packets, s->tx_errors,
             s->tx_dropped);
    buf_putf(text, "    collisions:?\n    RX bytes:%" PRIu64 "  TX bytes:%" PRIu64 "\n", s->rx_bytes, s->tx_bytes);
}

static void
show_port(const struct dp_port *port, void *show_)
{
    struct show *show = show_;
    struct dp *dp = show->d->dp;
    struct dp_port_stats stats = {0};

    buf_putf(show->text, "  port %u: %s", port->number, port->name);
    if (strcmp(port->type, "system")) {
        buf_putf(show->text, " (%s)", port->type);
    }
    buf_putc(show->text, '\n');
    if (show->stats && !dp->ops->port_stats(dp, port->number, &stats)) {
        show_port_stats(&stats, show->text);
    }
}

static void
show_datapath(struct datapath *d, bool stats, struct buf *text)
{
    struct show show = {d, text, stats};

    uint64_t hit = 0, missed = 0, lost = 0, flows = 0, mask_hits = 0;
    uint32_t masks = 0;

    d->dp->ops->lookup_stats(d->dp, &hit, &missed, &lost, &flows, &mask_hits, &masks);
    buf_putf(text, "%s@%s:\n", d->dp->ops->type, d->dp->name);
    buf_putf(text, "  lookups: hit:%llu missed:%llu lost:%llu\n", (unsigned long long) hit, (unsigned long long) missed, (unsigned long long) lost);
    buf_putf(text, "  flows: %llu\n", (unsigned long long) flows);
    buf_putf(text, "  masks: hit:%llu total:%u hit/pkt:%.2f\n", (unsigned long long) mask_hits, masks,
             hit + missed ? (double) mask_hits / (double) (hit + missed) : 0.0);
    d->dp->ops->port_dump(d->dp, show_port, &show);
}

static void
cmd_dpctl_show(struct appctl_request *request, int argc, const char *argv[], void *o_)
{
    struct ofproto *o = o_;
    struct buf text = BUF_EMPTY;
    struct datapath *d;
    bool named = false, stats = false;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-s") || !strcmp(argv[i], "--statistics")) {
            stats = true;
            continue;
        }
        d = argv[i][0] == '-' ? refuse_option(request, argv[i]) : datapath_of_args(o, request, argv[i]);
        if (!d) {
            buf_free(&text);
            return;
        }
        named = true;
        show_datapath(d, stats, &text);
    }
    if (!named) {
        cds_list_for_each_entry (d, &o->datapaths, node) {
            show_datapath(d, stats, &text);
        }
    }
    reply_and_free(request, &text);
}

static void
reply_done(void *request)
{
    appctl_reply(request, NULL);
}

/* Done when a cycle of the revalidators has ended: they own what there is to delete, and credit it. */
static void
purge_and_reply(struct datapath *d, struct appctl_request *request)
{
    revalidators_purge(d->revalidators, reply_done, request);
}

static void
cmd_del_flows(struct appctl_request *request, int argc, const char *argv[], void *o_)
{
    struct datapath *d = datapath_of_args(o_, request, argc > 1 ? argv[argc - 1] : NULL);

    if (d) {
        purge_and_reply(d, request);
    }
}

static void
cmd_flush_conntrack(struct appctl_request *request, int argc, const char *argv[], void *o_)
{
    const char *name = argc > 1 && strncmp(argv[1], "zone=", 5) ? argv[1] : NULL;
    const char *zone_text = argc > 1 && !strncmp(argv[argc - 1], "zone=", 5) ? argv[argc - 1] + 5 : NULL;
    struct datapath *d = datapath_of_args(o_, request, name);
    uint64_t zone = 0;
    uint16_t zone16;
    int error;

    if (!d) {
        return;
    }
    if (zone_text && parse_u64(zone_text, UINT16_MAX, &zone)) {
        appctl_error(request, "failed to parse zone");
        return;
    }
    zone16 = (uint16_t) zone;
    error = d->dp->ops->ct_flush(d->dp, zone_text ? &zone16 : NULL);
    if (error) {
        struct buf text = BUF_EMPTY;

        buf_putf(&text, "failed to flush conntrack (%s)", errno_text(error));
        appctl_error(request, buf_text(&text));
        buf_free(&text);
    } else {
        appctl_reply(request, NULL);
    }
}

static void
cmd_upcall_show(struct appctl_request *request, int argc, const char *argv[], void *o_)
{
    struct ofproto *o = o_;
    struct buf text = BUF_EMPTY;
    struct datapath *d;

    cds_list_for_each_entry (d, &o->datapaths, node) {
        size_t n = megaflows_n(d->megaflows);

        buf_putf(&text, "%s@%s:\n", d->dp->ops->type, d->dp->name);
        buf_putf(&text, "  flows         : (current %zu) (avg %zu) (max %zu) (limit %u)\n", n, megaflows_average(d->megaflows),
                 megaflows_max(d->megaflows), revalidators_flow_limit(d->revalidators));
        buf_putf(&text, "  dump duration : %lldms\n", (long long) revalidators_dump_ms(d->revalidators));
        buf_putf(&text, "  ufid enabled : %s\n\n", d->dp->ops->features(d->dp)->ufid ? "true" : "false");
        for (unsigned i = 0; i < revalidators_n(d->revalidators); i++) {
            buf_putf(&text, "  %u: (keys %zu)\n", upcalls_n_handlers(d->upcalls) + i + 1, n / revalidators_n(d->revalidators));
        }
    }
    reply_and_free(request, &text);
}

/* Until the configuration says otherwise. */
static void
cmd_set_flow_limit(struct appctl_request *request, int argc, const char *argv[], void *o_)
{
    struct ofproto *o = o_;
    uint32_t limit;
    struct buf text = BUF_EMPTY;
    struct datapath *d;

    if (parse_u32(argv[1], &limit)) {
        appctl_error(request, "invalid flow limit");
        return;
    }
    cds_list_for_each_entry (d, &o->datapaths, node) {
        revalidators_set_flow_limit(d->revalidators, limit);
    }
    buf_putf(&text, "set flow_limit to %u\n", limit);
    reply_and_free(request, &text);
}

struct revalidator_wait {
    struct appctl_request *request;
    size_t n_datapaths;
};

static void
one_datapath_done(void *wait)
{
    struct revalidator_wait *w = wait;

    if (!--w->n_datapaths) {
        appctl_reply(w->request, NULL);
        free(w);
    }
}

/* Asks the revalidators of every datapath, and answers when all have done it. */
static void
ask_all(struct ofproto *o, struct appctl_request *request,
        void (*ask)(struct revalidators *, void (*done)(void *arg), void *arg))
{
    struct revalidator_wait *w = xzalloc(sizeof *w);
    struct datapath *d;

    w->request = request;
    w->n_datapaths = 1;
    cds_list_for_each_entry (d, &o->datapaths, node) {
        w->n_datapaths++;
        ask(d->revalidators, one_datapath_done, w);
    }
    one_datapath_done(w);
}

static void
cmd_revalidator_wait(struct appctl_request *request, int argc, const char *argv[], void *o)
{
    ask_all(o, request, revalidators_after_cycle);
}

static void
cmd_revalidator_purge(struct appctl_request *request, int argc, const char *argv[], void *o)
{
    ask_all(o, request, revalidators_purge);
}

static void
cmd_revalidator_pause(struct appctl_request *request, int argc, const char *argv[], void *o)
{
    ask_all(o, request, revalidators_pause);
}

static void
cmd_revalidator_resume(struct appctl_request *request, int argc, const char *argv[], void *o)
{
    ask_all(o, request, revalidators_resume);
}

void
commands_register_datapath(struct ofproto *o)
{
    appctl_register("dpif/dump-dps", "", 0, 0, cmd_dump_bridges, o);
    appctl_register("dpif/show-dp-features", "bridge", 1, 1, cmd_show_features, o);
    appctl_register("dpif/show", "", 0, 0, cmd_dpif_show, o);
    appctl_register("dpctl/dump-dps", "", 0, 0, cmd_dump_dps, o);
    appctl_register("dpctl/show", "[-s] [dp...]", 0, INT32_MAX, cmd_dpctl_show, o);
    appctl_register("dpctl/del-flows", "[dp]", 0, 2, cmd_del_flows, o);
    appctl_register("dpctl/flush-conntrack", "[dp] [zone=N]", 0, 2, cmd_flush_conntrack, o);
    appctl_register("upcall/set-flow-limit", "flow-limit-number", 1, 1, cmd_set_flow_limit, o);
    appctl_register("upcall/show", "", 0, 0, cmd_upcall_show, o);
    appctl_register("revalidator/wait", "", 0, 0, cmd_revalidator_wait, o);
    appctl_register("revalidator/purge", "", 0, 0, cmd_revalidator_purge, o);
    appctl_register("revalidator/pause", "", 0, 0, cmd_revalidator_pause, o);
    appctl_register("revalidator/resume", "", 0, 0, cmd_revalidator_resume, o);
}
