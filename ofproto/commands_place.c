// SPDX-License-Identifier: Apache-2.0
// What sluicectl(8) shows: where each megaflow runs, and why it is not lower.
#include <config.h>
#include <jansson.h>
#include <stdlib.h>

#include "lib/base/appctl.h"
#include "ofproto/commands.h"
#include "ofproto/private.h"

struct listing {
    struct datapath *d;
    struct dp_port_names names;
    struct buf text;   /* One of both. */
    json_t *array;     /* NULL: text. */
};

static void
texts_of(const struct listing *l, const struct dp_flow_dumped *f, struct buf *match, struct buf *actions)
{
    dp_match_format(f->key, f->mask, &l->names, false, match);
    action_format(f->actions, f->actions_len, &l->names, actions);
}

static void
add_text(struct listing *l, const struct dp_flow_dumped *f, const struct place_state *state, const char *match, const char *actions)
{
    buf_putf(&l->text, "  %-4s %s\n", place_tier_name(l->d->place, state->tier), match);
    buf_putf(&l->text, "       actions:%s packets:%llu bytes:%llu", actions, (unsigned long long) f->stats.packets, (unsigned long long) f->stats.bytes);
    if (f->stats.used_ms) {
        buf_putf(&l->text, " used:%.1fs\n", (double) dp_stats_idle_ms(&f->stats) / 1000.0);
    } else {
        buf_puts(&l->text, " used:never\n");
    }
    if (state->why[0]) {
        buf_putf(&l->text, "       not lower: %s\n", state->why);
    }
}

static void
add_json(struct listing *l, const struct dp_flow_dumped *f, const struct place_state *state, const char *match, const char *actions)
{
    char ufid[48];
    json_t *used = f->stats.used_ms ? json_integer(dp_stats_idle_ms(&f->stats)) : json_null();

    snprintf(ufid, sizeof ufid, DP_UFID_FMT, DP_UFID_ARGS(f->ufid));
    json_array_append_new(l->array, json_pack("{s:s++, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:o}", "datapath", l->d->dp->ops->type, "@", l->d->dp->name,
                                              "ufid", ufid, "tier", place_tier_name(l->d->place, state->tier), "why", state->why, "match",
                                              match, "actions", actions, "packets", (json_int_t) f->stats.packets, "bytes",
                                              (json_int_t) f->stats.bytes, "idle_ms", used));
}

static bool
list_flow(const struct dp_flow_dumped *f, const struct place_state *state, void *listing)
{
    struct listing *l = listing;
    struct buf match = BUF_EMPTY, actions = BUF_EMPTY;

    texts_of(l, f, &match, &actions);
    if (l->array) {
        add_json(l, f, state, buf_text(&match), buf_text(&actions));
    } else {
        add_text(l, f, state, buf_text(&match), buf_text(&actions));
    }
    buf_free(&match);
    buf_free(&actions);
    return true;
}

bool
commands_want_json(int argc, const char *argv[])
{
    return argc > 1 && !strcmp(argv[1], "--json");
}

void
commands_reply_json(struct appctl_request *request, json_t *value)
{
    char *text = json_dumps(value, JSON_INDENT(2));
    struct buf b = BUF_EMPTY;

    buf_putf(&b, "%s\n", text);
    appctl_reply(request, buf_text(&b));
    buf_free(&b);
    free(text);
    json_decref(value);
}

void
commands_reply(struct appctl_request *request, int argc, const char *argv[], json_t *value, void (*format)(json_t *, struct buf *))
{
    struct buf text = BUF_EMPTY;

    if (commands_want_json(argc, argv)) {
        commands_reply_json(request, value);
        return;
    }
    format(value, &text);
    appctl_reply(request, buf_text(&text));
    buf_free(&text);
    json_decref(value);
}

static void
cmd_flows(struct appctl_request *request, int argc, const char *argv[], void *o_)
{
    struct ofproto *o = o_;
    struct listing l = {.array = commands_want_json(argc, argv) ? json_array() : NULL};

    cds_list_for_each_entry (l.d, &o->datapaths, node) {
        l.names = datapath_port_names(l.d);
        if (!l.array) {
            buf_putf(&l.text, "%s@%s:\n", l.d->dp->ops->type, l.d->dp->name);
        }
        place_flow_dump(l.d->place, false, list_flow, &l);
    }
    if (l.array) {
        commands_reply_json(request, l.array);
    } else {
        appctl_reply(request, buf_text(&l.text));
        buf_free(&l.text);
    }
}

static void
add_reason(const char *why, uint64_t n_flows, void *reasons)
{
    json_object_set_new(reasons, why, json_integer((json_int_t) n_flows));
}

/* What is known of one datapath's tiers. */
static json_t *
offload_of(struct datapath *d)
{
    json_t *tiers = json_object(), *reasons = json_object();
    struct place_counts c;

    place_counts(d->place, &c);
    for (int tier = PLACE_DP; tier <= PLACE_HW; tier++) {
        json_object_set_new(tiers, place_tier_name(d->place, tier), json_integer((json_int_t) c.flows[tier]));
    }
    place_reasons(d->place, add_reason, reasons);
    return json_pack("{s:s++, s:o, s:I, s:I, s:I, s:I, s:o}", "datapath", d->dp->ops->type, "@", d->dp->name, "flows", tiers, "promoted",
                     (json_int_t) c.promoted, "refused", (json_int_t) c.refused, "demoted", (json_int_t) c.demoted, "queued",
                     (json_int_t) c.queued, "reasons", reasons);
}

static void
format_offload(json_t *one, struct buf *text)
{
    static const char *const totals[] = {"promoted", "refused", "demoted", "queued"};
    const char *key;
    json_t *value;

    buf_putf(text, "%s:\n  flows:", json_string_value(json_object_get(one, "datapath")));
    json_object_foreach (json_object_get(one, "flows"), key, value) {
        buf_putf(text, " %s:%lld", key, (long long) json_integer_value(value));
    }
    buf_puts(text, "\n  since start:");
    for (size_t i = 0; i < ARRAY_SIZE(totals); i++) {
        buf_putf(text, " %s:%lld", totals[i], (long long) json_integer_value(json_object_get(one, totals[i])));
    }
    buf_putc(text, '\n');
    json_object_foreach (json_object_get(one, "reasons"), key, value) {
        buf_putf(text, "  %6lld not lower: %s\n", (long long) json_integer_value(value), key);
    }
}

static void
format_offloads(json_t *all, struct buf *text)
{
    for (size_t i = 0; i < json_array_size(all); i++) {
        format_offload(json_array_get(all, i), text);
    }
}

static void
cmd_offload(struct appctl_request *request, int argc, const char *argv[], void *o_)
{
    struct ofproto *o = o_;
    json_t *all = json_array();
    struct datapath *d;

    cds_list_for_each_entry (d, &o->datapaths, node) {
        json_array_append_new(all, offload_of(d));
    }
    commands_reply(request, argc, argv, all, format_offloads);
}

void
commands_register_place(struct ofproto *o)
{
    appctl_register("sluice/flows", "[--json]", 0, 1, cmd_flows, o);
    appctl_register("sluice/offload", "[--json]", 0, 1, cmd_offload, o);
}
