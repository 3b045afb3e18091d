// SPDX-License-Identifier: Apache-2.0
// Commands that show megaflows as text: dpctl/dump-flows, dpif/dump-flows.
#include <config.h>
#include <stdlib.h>

#include "lib/base/appctl.h"
#include "ofproto/commands.h"
#include "ofproto/private.h"

/* type=... of dpctl/dump-flows, ovs-dpctl(8): which tiers are shown. */
static const struct {
    const char *name;
    unsigned tiers; /* Bits by enum place_tier. */
} dump_types[] = {
    {"all", ~0u},
    {"ovs", 1u << PLACE_DP},
    {"tc", 1u << PLACE_TC | 1u << PLACE_HW},
    {"offloaded", 1u << PLACE_HW},
    {"non-offloaded", 1u << PLACE_DP | 1u << PLACE_TC},
    {"partially-offloaded", 0},
    {"dpdk", 0},
};

struct dump {
    struct buf text;
    struct datapath *d;
    const struct bridge *bridge; /* Only flows of packets that came in there; NULL: all. */
    struct dp_port_names names;
    unsigned tiers;
    struct match filter;
    bool verbose, use_names;
};

/* The letters by which ovs-dpctl(8) shows TCP flags; a dot is ACK. */
static void
format_tcp_flags(uint16_t flags, struct buf *text)
{
    static const char letters[] = "FSRP.UECN";

    for (size_t i = 0; i < sizeof letters - 1; i++) {
        if (flags & 1u << i) {
            buf_putc(text, letters[i]);
        }
    }
}

static void
format_stats(const struct dp_stats *s, struct buf *text)
{
    buf_putf(text, ", packets:%llu, bytes:%llu, used:", (unsigned long long) s->packets, (unsigned long long) s->bytes);
    if (s->used_ms) {
        buf_putf(text, "%.3fs", (double) dp_stats_idle_ms(s) / 1000.0);
    } else {
        buf_puts(text, "never");
    }
    if (s->tcp_flags) {
        buf_puts(text, ", flags:");
        format_tcp_flags(s->tcp_flags, text);
    }
}

/* Does the filter let through some packet of the flow? */
static bool
passes_filter(const struct match *filter, const struct dp_flow_dumped *f)
{
    const uint64_t *key = flow_key_cwords(f->key), *mask = flow_key_cwords(f->mask);
    const uint64_t *wanted = flow_key_cwords(&filter->key), *care = flow_key_cwords(&filter->mask);

    for (size_t i = 0; i < FLOW_KEY_WORDS; i++) {
        if ((key[i] ^ wanted[i]) & care[i] & mask[i]) {
            return false;
        }
    }
    return true;
}

static bool
is_wanted(const struct dump *dump, const struct dp_flow_dumped *f, const struct place_state *state)
{
    const struct port *in;

    if (!(dump->tiers & 1u << state->tier) || !passes_filter(&dump->filter, f)) {
        return false;
    }
    if (!dump->bridge) {
        return true;
    }
    in = datapath_port(dump->d, f->key->in_port);
    return in && in->bridge == dump->bridge;
}

static bool
dump_one(const struct dp_flow_dumped *f, const struct place_state *state, void *dump_)
{
    struct dump *dump = dump_;
    const struct dp_port_names *names = dump->use_names ? &dump->names : NULL;

    if (!is_wanted(dump, f, state)) {
        return true;
    }
    if (dump->verbose && f->has_ufid) {
        buf_putf(&dump->text, DP_UFID_FMT "%s ", DP_UFID_ARGS(f->ufid), dump->bridge ? "" : ",");
    }
    dp_match_format(f->key, f->mask, names, dump->verbose, &dump->text);
    format_stats(&f->stats, &dump->text);
    if (state->tier == PLACE_HW && !dump->bridge) {
        buf_puts(&dump->text, ", offloaded:yes");
    }
    if (dump->verbose && !dump->bridge) {
        buf_putf(&dump->text, ", dp:%s", state->tier >= PLACE_TC ? "tc" : "ovs");
    }
    buf_puts(&dump->text, ", actions:");
    action_format(f->actions, f->actions_len, names, &dump->text);
    if (dump->verbose && !dump->bridge && state->tier == PLACE_DP && f->extack) {
        buf_putf(&dump->text, ", dp-extra-info:%s", f->extack);
    }
    buf_putc(&dump->text, '\n');
    return true;
}

/* 0, or the text of an error that the caller frees. */
static char *
parse_dump_type(const char *text, unsigned *tiers)
{
    for (size_t i = 0; i < ARRAY_SIZE(dump_types); i++) {
        if (!strcmp(text, dump_types[i].name)) {
            *tiers |= dump_types[i].tiers;
            return NULL;
        }
    }
    return xasprintf("Failed to parse type (%s)", text);
}

/* Takes argv[i] if it is an option that both commands know. */
static bool
take_option(struct dump *dump, const char *arg)
{
    if (!strcmp(arg, "-m") || !strcmp(arg, "--more")) {
        dump->verbose = dump->use_names = true;
    } else if (!strcmp(arg, "--names") || !strcmp(arg, "--no-names")) {
        dump->use_names = !strcmp(arg, "--names");
    } else {
        return false;
    }
    return true;
}

/* Answers with what the dump, all prepared but for names, yields. */
static void
dump_and_reply(struct dump *dump, struct appctl_request *request)
{
    dump->names = datapath_port_names(dump->d);
    place_flow_dump(dump->d->place, false, dump_one, dump);
    appctl_reply(request, buf_text(&dump->text));
    buf_free(&dump->text);
}

/* NULL, or an error that the caller frees. */
static char *
parse_filter(struct dump *dump, const char *text)
{
    struct dp_port_names names = datapath_port_names(dump->d);
    struct port_names of_names = {names.name, names.number, names.aux};
    char *why = match_parse(text, &of_names, &dump->filter, NULL), *error = NULL;

    if (why) {
        error = xasprintf("ovs-vswitchd: Failed to parse filter (%s)", why);
        free(why);
    }
    return error;
}

static void
cmd_dump_flows(struct appctl_request *request, int argc, const char *argv[], void *o)
{
    struct dump dump = {.tiers = 0};
    const char *name = NULL, *filter = NULL;
    char *error = NULL;

    for (int i = 1; i < argc && !error; i++) {
        if (!strncmp(argv[i], "type=", 5)) {
            error = parse_dump_type(argv[i] + 5, &dump.tiers);
        } else if (!strncmp(argv[i], "filter=", 7)) {
            filter = argv[i] + 7;
        } else if (!take_option(&dump, argv[i]) && argv[i][0] == '-') {
            error = xasprintf("Unrecognized option %s", argv[i]);
        } else if (argv[i][0] != '-' && strncmp(argv[i], "pmd=", 4)) {
            name = argv[i];
        }
    }
    dump.d = error ? NULL : datapath_of_args(o, request, name);
    dump.tiers = dump.tiers ? dump.tiers : ~0u;
    match_init_any(&dump.filter);
    if (dump.d && filter) {
        error = parse_filter(&dump, filter);
    }
    if (error) {
        appctl_error(request, error);
        free(error);
    } else if (dump.d) {
        dump_and_reply(&dump, request);
    }
}

/* dpif/dump-flows: the flows of one bridge. */
static void
cmd_dump_bridge(struct appctl_request *request, int argc, const char *argv[], void *o)
{
    struct dump dump = {.tiers = ~0u, .bridge = bridge_by_name(o, argv[argc - 1])};

    for (int i = 1; i + 1 < argc; i++) {
        if (!take_option(&dump, argv[i])) {
            appctl_error(request, "unknown option");
            return;
        }
    }
    if (!dump.bridge) {
        appctl_error(request, "no such bridge");
        return;
    }
    dump.d = dump.bridge->datapath;
    match_init_any(&dump.filter);
    dump_and_reply(&dump, request);
}

void
commands_register_dumps(struct ofproto *o)
{
    appctl_register("dpctl/dump-flows", "[-m] [--names] [dp] [filter=..] [type=..] [pmd=..]", 0, 6, cmd_dump_flows, o);
    appctl_register("dpif/dump-flows", "[-m] [--names | --no-names] bridge", 1, INT32_MAX, cmd_dump_bridge, o);
}
