// SPDX-License-Identifier: Apache-2.0
// Commands about bridges: their rules and MAC tables.
#include <config.h>
#include "ofproto/commands.h"

#include <stdlib.h>

#include "lib/base/appctl.h"
#include "lib/base/memory.h"
#include "ofproto/l2.h"
#include "ofproto/megaflow.h"
#include "ofproto/ofconn.h"
#include "ofproto/private.h"
#include "ofproto/revalidate.h"
#include "ofproto/trace.h"
#include "ofproto/upcall.h"

/* NULL: answered with an error. */
static struct bridge *
bridge_of_arg(struct ofproto *o, struct appctl_request *request, const char *name)
{
    struct bridge *br = bridge_by_name(o, name);

    if (!br) {
        appctl_error(request, "Unknown bridge");
    }
    return br;
}

static void
cmd_list(struct appctl_request *request, int argc, const char *argv[], void *o_)
{
    struct ofproto *o = o_;
    struct buf text = BUF_EMPTY;
    struct bridge *br;

    cds_list_for_each_entry (br, &o->bridges, node) {
        buf_putf(&text, "%s\n", br->name);
    }
    appctl_reply(request, buf_text(&text));
    buf_free(&text);
}

struct rule_dump {
    struct buf text;
    struct bridge *br;
    bool offload_stats;
};

static bool
dump_rule(struct cls_rule *cr, void *dump_)
{
    struct rule_dump *dump = dump_;
    const struct rule *r = CONTAINER_OF(cr, struct rule, cr);
    struct flow_stats fs;

    rule_to_stats(r, &fs);
    if (fs.table_id) {
        buf_putf(&dump->text, "table_id=%u, ", fs.table_id);
    }
    buf_putf(&dump->text, "duration=%us, n_packets=%llu, n_bytes=%llu, ", fs.duration_sec, (unsigned long long) fs.n_packets,
             (unsigned long long) fs.n_bytes);
    if (dump->offload_stats) {
        buf_puts(&dump->text, "n_offload_packets=0, n_offload_bytes=0, "); /* What hardware forwards is counted with the rest. */
    }
    match_format(&fs.match, cr->priority, NULL, &dump->text);
    buf_puts(&dump->text, ",actions=");
    ofact_format(fs.actions, fs.actions_len, NULL, &dump->text);
    buf_putc(&dump->text, '\n');
    return true;
}

static void
cmd_dump_flows(struct appctl_request *request, int argc, const char *argv[], void *o)
{
    struct rule_dump dump = {.br = bridge_of_arg(o, request, argv[argc - 1])};

    if (!dump.br) {
        return;
    }
    dump.offload_stats = argc == 3 && !strcmp(argv[1], "--offload-stats");
    for (size_t i = 0; i < N_TABLES; i++) {
        classifier_for_each(dump.br->tables[i].cls, NULL, dump_rule, &dump);
    }
    appctl_reply(request, buf_text(&dump.text));
    buf_free(&dump.text);
}

static void
cmd_reconnect(struct appctl_request *request, int argc, const char *argv[], void *o_)
{
    struct ofproto *o = o_;
    struct bridge *br = argc > 1 ? bridge_of_arg(o, request, argv[1]) : NULL;

    if (argc > 1 && !br) {
        return;
    }
    if (br) {
        ofconns_reconnect(br->conns);
    } else {
        cds_list_for_each_entry (br, &o->bridges, node) {
            ofconns_reconnect(br->conns);
        }
    }
    appctl_reply(request, NULL);
}

/* Queuing disciplines that table QoS may name on a port: none is configured by this switch. */
static void
cmd_qos_show_types(struct appctl_request *request, int argc, const char *argv[], void *o_)
{
    struct ofproto *o = o_;
    struct buf text = BUF_EMPTY;

    if (!netdev_by_name(o->netdevs, argv[1])) {
        appctl_error(request, "no such interface");
        return;
    }
    buf_puts(&text, "QoS type: linux-noop\n");
    appctl_reply(request, buf_text(&text));
    buf_free(&text);
}

static void
count_memory(struct memory_usage *usage, void *o_)
{
    struct ofproto *o = o_;
    struct bridge *br;
    struct datapath *d;

    cds_list_for_each_entry (br, &o->bridges, node) {
        memory_usage_add(usage, "ports", br->ports->n);
        memory_usage_add(usage, "rules", tables_n_rules(br));
    }
    cds_list_for_each_entry (d, &o->datapaths, node) {
        memory_usage_add(usage, "datapath-kB", d->dp->ops->kernel_memory ? d->dp->ops->kernel_memory(d->dp) / 1024 : 0);
        memory_usage_add(usage, "handlers", upcalls_n_handlers(d->upcalls));
        memory_usage_add(usage, "revalidators", revalidators_n(d->revalidators));
        memory_usage_add(usage, "udpif keys", megaflows_n(d->megaflows));
    }
}

void
commands_register_bridge(struct ofproto *o)
{
    appctl_register("ofproto/list", "", 0, 0, cmd_list, o);
    appctl_register("bridge/dump-flows", "[--offload-stats] bridge", 1, 2, cmd_dump_flows, o);
    appctl_register("bridge/reconnect", "[bridge]", 0, 1, cmd_reconnect, o);
    appctl_register("qos/show-types", "interface", 1, 1, cmd_qos_show_types, o);
}

void
commands_register(struct ofproto *o)
{
    commands_register_bridge(o);
    commands_register_datapath(o);
    commands_register_dumps(o);
    commands_register_place(o);
    commands_register_capabilities(o);
    l2_register_commands(o);
    trace_register(o);
    memory_register(count_memory, o);
}
