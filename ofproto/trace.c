// SPDX-License-Identifier: Apache-2.0
// ofproto/trace of ovs-vswitchd(8): one translation, told. Options may stand anywhere.
#include <config.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "lib/base/appctl.h"
#include "ofproto/private.h"
#include "ofproto/trace_tree.h"
#include "ofproto/translate.h"

#define MAX_ARGS 16
#define L7_LEN 64

/* What is to be traced. */
struct request {
    struct bridge *bridge;
    struct flow_key key;        /* With OpenFlow's in_port. */
    struct packet *packet;      /* NULL: none was given. */
    bool generate;
    bool names;                 /* Of ports instead of their numbers. */
    uint32_t l7_len;
    uint8_t ct_next[MAX_ARGS];  /* --ct-next, in order. */
    size_t n_ct_next;
    const char *args[MAX_ARGS]; /* What is not an option. */
    size_t n_args;
};

static char *
parse_ct_state(const char *text, uint8_t *state)
{
    char *copy = xstrdup(text), *save = NULL, *error = NULL;

    *state = 0;
    for (char *s = strtok_r(copy, ", ", &save); s && !error; s = strtok_r(NULL, ", ", &save)) {
        uint8_t bit = ct_state_by_name(s);

        if (!bit) {
            error = xasprintf("%s: unknown connection tracking state flag", s);
        }
        *state |= bit;
    }
    if (!error && !(*state & CT_TRK)) {
        *state |= CT_TRK;
    }
    free(copy);
    return error;
}

/* One option at argv[*i]; '*i' moves over its value. NULL, or an error. */
static char *
parse_option(struct request *r, int argc, const char *argv[], int *i)
{
    const char *name = argv[*i] + strspn(argv[*i], "-");
    const char *value = *i + 1 < argc ? argv[*i + 1] : NULL;

    if (!strcmp(name, "generate")) {
        r->generate = true;
    } else if (!strcmp(name, "names") || !strcmp(name, "no-names")) {
        r->names = name[1] == 'a';
    } else if (!strcmp(name, "ct-next") || !strcmp(name, "l7-len") || !strcmp(name, "l7")) {
        if (!value) {
            return xasprintf("Missing argument for option %s", argv[*i]);
        }
        ++*i;
        if (!strcmp(name, "ct-next") && r->n_ct_next < MAX_ARGS) {
            return parse_ct_state(value, &r->ct_next[r->n_ct_next++]);
        }
        if (!strcmp(name, "l7-len") && (parse_u32(value, &r->l7_len) || r->l7_len > 64000)) {
            return xasprintf("%s: bad value for l7-len", value);
        }
        if (!strcmp(name, "l7")) {
            r->l7_len = (uint32_t) strlen(value) / 2;
        }
    } else {
        return xasprintf("%s: unknown option", argv[*i]);
    }
    return NULL;
}

static char *
parse_args(struct request *r, int argc, const char *argv[])
{
    r->l7_len = L7_LEN;
    for (int i = 1; i < argc; i++) {
        char *error;

        if (argv[i][0] == '-') {
            error = parse_option(r, argc, argv, &i);
            if (error) {
                return error;
            }
        } else if (r->n_args < MAX_ARGS) {
            r->args[r->n_args++] = argv[i];
        }
    }
    return NULL;
}

static char *
parse_packet(struct ofproto *o, struct request *r, const char *hex)
{
    struct buf bytes = BUF_EMPTY;
    char *error = NULL;
    struct flow_key key = {0};

    for (; hex[0] && !error; hex += 2) {
        unsigned byte;
        int n = 0;

        if (sscanf(hex, "%2x%n", &byte, &n) != 1 || n != 2) {
            error = xstrdup("Trailing garbage in packet data");
            break;
        }
        buf_put_u8(&bytes, (uint8_t) byte);
    }
    if (!error && bytes.len < 14) {
        error = xstrdup("Packet data too short for Ethernet");
    }
    if (!error) {
        key = r->key;
        memset(&key.eth_dst, 0, sizeof key - offsetof(struct flow_key, eth_dst));
        r->packet = packet_new(bytes.data, bytes.len);
        packet_extract(r->packet, &key);
        packet_key_limit_vlans(&key, o->config.vlan_limit);
        r->key = key;
    }
    buf_free(&bytes);
    return error;
}

/* A flow as the datapath has it; 'name' of the datapath, or NULL if there is but one. */
static char *
parse_dp_flow(struct ofproto *o, struct request *r, const char *name, const char *text, bool *is_dp_flow)
{
    struct datapath *d = name ? datapath_by_name(o, name) : NULL;
    struct dp_port_names names = {0};
    struct flow_key mask;
    struct port *port;
    char *error;

    if (!name && !cds_list_empty(&o->datapaths) && o->datapaths.next->next == &o->datapaths) {
        d = cds_list_first_entry(&o->datapaths, struct datapath, node);
    }
    if (d) {
        names = datapath_port_names(d);
    }
    error = dp_match_parse(text, d ? &names : NULL, &r->key, &mask);
    *is_dp_flow = !error;
    if (error) {
        free(error);
        return NULL;
    }
    if (!d) {
        return xstrdup("Cannot find the datapath");
    }
    port = datapath_port(d, r->key.in_port);
    if (!port) {
        return xasprintf("no OpenFlow port for datapath port %" PRIu32, r->key.in_port);
    }
    r->bridge = port->bridge;
    r->key.in_port = port->ofp;
    return NULL;
}

static char *
parse_bridge_flow(struct ofproto *o, struct request *r, const char *bridge, const char *text)
{
    struct port_names names;
    char *error, *whole;

    r->bridge = bridge_by_name(o, bridge);
    if (!r->bridge) {
        return xasprintf("%s: unknown bridge", bridge);
    }
    names = bridge_port_names(r->bridge);
    error = flow_key_parse(text, &names, &r->key);
    if (!error) {
        return NULL;
    }
    whole = xasprintf("Bad openflow flow syntax: %s: %s", text, error);
    free(error);
    return whole;
}

/* [dp] odp_flow [packet], or bridge br_flow [packet]. */
static char *
parse_flow(struct ofproto *o, struct request *r)
{
    size_t n = r->n_args, n_flow;
    bool is_dp_flow;
    char *error;

    if (n > 3) {
        return xstrdup("too many arguments");
    }
    if (!n) {
        return xstrdup("Must specify a flow");
    }
    if (r->generate && n == 3) {
        return xstrdup("Syntax error");
    }
    n_flow = MIN(n, 2u);
    error = parse_dp_flow(o, r, n_flow == 2 ? r->args[0] : NULL, r->args[n_flow - 1], &is_dp_flow);
    if (error || is_dp_flow) {
        return error;
    }
    if (n_flow == 1) {
        return xasprintf("syntax error at %s (or the bridge name was omitted)", r->args[0]);
    }
    error = parse_bridge_flow(o, r, r->args[0], r->args[1]);
    if (!error && n == 3) {
        error = parse_packet(o, r, r->args[2]);
    }
    if (!error && r->generate) {
        r->packet = packet_compose(&r->key, r->l7_len);
    }
    return error;
}

static void
put_slow_reasons(uint32_t slow, struct buf *b)
{
    static const struct {
        uint32_t bit;
        const char *text;
    } reasons[] = {
        {SLOW_CFM, "Consists of CFM packets."},
        {SLOW_BFD, "Consists of BFD packets."},
        {SLOW_LACP, "Consists of LACP packets."},
        {SLOW_STP, "Consists of STP packets."},
        {SLOW_CONTROLLER, "Sends \"packet-in\" messages to the OpenFlow controller."},
        {SLOW_ACTION, "Uses action(s) not supported by datapath."},
        {SLOW_MATCH, "Needs more specific matching than the datapath supports."},
    };

    buf_puts(b, "This flow is handled by the userspace slow path because it:\n");
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        if (slow & reasons[i].bit) {
            buf_putf(b, "  - %s\n", reasons[i].text);
        }
    }
}

static void
put_megaflow(const struct flow_key *key, const struct translate_out *out, const struct port_names *names, struct buf *b)
{
    struct match m;

    flow_key_and(&m.key, key, &out->mask);
    m.mask = out->mask;
    buf_puts(b, "Megaflow: ");
    match_format(&m, -1, names, b);
    buf_putc(b, '\n');
}

static void
put_final_flow(const struct flow_key *first, const struct flow_key *last, const struct port_names *names, struct buf *b)
{
    struct flow_key final = *last;

    final.actset_output = first->actset_output;
    buf_puts(b, "\nFinal flow: ");
    if (!memcmp(first, &final, sizeof final)) {
        buf_puts(b, "unchanged");
    } else {
        flow_key_format(&final, names, b);
    }
    buf_putc(b, '\n');
}

/* What a packet in hand does besides: addresses are learned, learn actions add rules. Nobody is credited. */
static void
apply_side_effects(const struct translate_out *out)
{
    for (size_t i = 0; i < out->n_effects; i++) {
        if (out->effects[i].kind == EFFECT_L2_LEARN) {
            effects_apply(&out->effects[i], 1, 0, 0, now_ms());
        }
    }
    translate_apply_main(out);
}

/* Traces one pass through the pipeline. 'sink' afterwards knows the passes that follow. */
static void
trace_pass(struct request *r, const struct flow_key *key, struct trace_sink *sink, struct buf *b)
{
    struct translate_in in = {.bridge = r->bridge, .key = *key, .packet = r->packet, .trace = sink};
    struct translate_out out;
    struct port_names ports = bridge_port_names(r->bridge), *names = r->names ? &ports : NULL;
    struct dp_port_names dp_ports = datapath_port_names(r->bridge->datapath);

    in.in_port = bridge_port(r->bridge, key->in_port);
    buf_puts(b, "Flow: ");
    flow_key_format(key, names, b);
    buf_putc(b, '\n');
    translate_out_init(&out);
    translate(&in, &out);
    trace_sink_format(sink, b);
    put_final_flow(key, &out.final_key, names, b);
    put_megaflow(key, &out, names, b);
    buf_puts(b, "Datapath actions: ");
    action_format(out.actions.data, out.actions.len, r->names ? &dp_ports : NULL, b);
    buf_putc(b, '\n');
    if (out.error) {
        buf_putf(b, "Translation failed (%s), packet is dropped.\n", translate_error_text(out.error));
    } else if (out.slow) {
        put_slow_reasons(out.slow, b);
    }
    if (r->packet) {
        apply_side_effects(&out);
    }
    translate_out_destroy(&out);
}

/* The heading of a pass that a ct action forked. */
static void
put_fork_heading(uint32_t recirc_id, uint8_t state, bool is_default, struct buf *b)
{
    static const char rule[] = "===============================================================================";

    buf_putf(b, "\n%s\nrecirc(%#" PRIx32 ") - resume conntrack with %sct_state=", rule, recirc_id, is_default ? "default " : "");
    if (is_default) {
        buf_puts(b, "trk|new");
    } else {
        ct_state_format(state, b);
    }
    buf_putf(b, "%s\n%s\n\n", is_default ? " (use --ct-next to customize)" : "", rule);
}

/* Traces the request, and the passes that its ct actions fork, which see the connection as --ct-next says. */
static void
trace_all(struct request *r, struct buf *b)
{
    struct flow_key key = r->key;
    size_t n_forks = 0;

    for (;;) {
        struct trace_sink *sink = trace_sink_create();
        uint32_t recirc_id;
        uint8_t state;

        trace_pass(r, &key, sink, b);
        recirc_id = trace_sink_fork(sink, &key);
        trace_sink_destroy(sink);
        if (!recirc_id || n_forks >= MAX_ARGS) {
            return;
        }
        state = n_forks < r->n_ct_next ? r->ct_next[n_forks] : CT_TRK | CT_NEW;
        put_fork_heading(recirc_id, state, n_forks >= r->n_ct_next, b);
        n_forks++;
        key.recirc_id = recirc_id;
        key.ct_state = state;
    }
}

static void
answer(struct appctl_request *request, struct request *r, char *error)
{
    struct buf text = BUF_EMPTY;

    if (error) {
        appctl_error(request, error);
        free(error);
    } else {
        trace_all(r, &text);
        appctl_reply(request, buf_text(&text));
    }
    buf_free(&text);
    if (r->packet) {
        packet_free(r->packet);
    }
}

static void
cmd_trace(struct appctl_request *request, int argc, const char *argv[], void *o)
{
    struct request r = {0};
    char *error = parse_args(&r, argc, argv);

    if (!error) {
        error = parse_flow(o, &r);
    }
    answer(request, &r, error);
}

void
trace_register(struct ofproto *o)
{
    appctl_register("ofproto/trace", "{[dp_name] odp_flow | bridge br_flow} [OPTIONS...] [-generate|packet]", 1, MAX_ARGS - 1, cmd_trace, o);
}
