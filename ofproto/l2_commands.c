// SPDX-License-Identifier: Apache-2.0
// ovs-appctl commands about MAC tables: fdb/...
#include <config.h>
#include "lib/base/appctl.h"
#include "ofproto/l2.h"
#include "ofproto/private.h"

/* NULL: answered with an error. */
static struct bridge *
bridge_of(struct ofproto *o, struct appctl_request *request, const char *name)
{
    struct bridge *bridge = bridge_by_name(o, name);

    if (!bridge) {
        appctl_error(request, "no such bridge");
    }
    return bridge;
}

static void
reply_text(struct appctl_request *request, struct buf *text)
{
    appctl_reply(request, buf_text(text));
    buf_free(text);
}

static void
cmd_show(struct appctl_request *request, int argc, const char *argv[], void *o)
{
    struct bridge *bridge = bridge_of(o, request, argv[1]);
    struct buf text = BUF_EMPTY;

    if (bridge) {
        l2_format(bridge->l2, &text);
        reply_text(request, &text);
    }
}

static void
cmd_stats_show(struct appctl_request *request, int argc, const char *argv[], void *o)
{
    struct bridge *bridge = bridge_of(o, request, argv[1]);
    struct buf text = BUF_EMPTY;

    if (bridge) {
        l2_format_stats(bridge->l2, &text);
        reply_text(request, &text);
    }
}

static void
flush_one(struct bridge *bridge)
{
    l2_flush(bridge->l2);
    bridge_changed(bridge);
}

static void
clear_one(struct bridge *bridge)
{
    l2_clear_stats(bridge->l2);
}

/* Does 'fn' to the bridge that is named, or to all. */
static void
for_bridges(struct ofproto *o, struct appctl_request *request, int argc, const char *argv[], void (*fn)(struct bridge *), const char *done)
{
    struct bridge *bridge;

    if (argc > 1) {
        bridge = bridge_of(o, request, argv[1]);
        if (!bridge) {
            return;
        }
        fn(bridge);
    } else {
        cds_list_for_each_entry (bridge, &o->bridges, node) {
            fn(bridge);
        }
    }
    appctl_reply(request, done);
}

static void
cmd_flush(struct appctl_request *request, int argc, const char *argv[], void *o)
{
    for_bridges(o, request, argc, argv, flush_one, "table successfully flushed");
}

static void
cmd_stats_clear(struct appctl_request *request, int argc, const char *argv[], void *o)
{
    for_bridges(o, request, argc, argv, clear_one, "statistics successfully cleared");
}

void
l2_register_commands(struct ofproto *o)
{
    appctl_register("fdb/show", "bridge", 1, 1, cmd_show, o);
    appctl_register("fdb/flush", "[bridge]", 0, 1, cmd_flush, o);
    appctl_register("fdb/stats-show", "bridge", 1, 1, cmd_stats_show, o);
    appctl_register("fdb/stats-clear", "[bridge]", 0, 1, cmd_stats_clear, o);
}
