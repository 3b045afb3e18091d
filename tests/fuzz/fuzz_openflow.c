// SPDX-License-Identifier: Apache-2.0
// Any bytes as OpenFlow: framing and every decoder stay inside; what was decoded can be said in every version; and what is said in the version it came in
// means the same again.
#include <config.h>
#include <stdlib.h>

#include "lib/of/body.h"
#include "lib/of/oxm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ofact_limits limits = {.max_ports = OFP10_PORT_MAX, .table_id = OFPTT_ALL, .n_tables = 255};

static void
require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void
say_actions(const struct buf *list, enum of_version version, struct buf *wire)
{
    if (version == OF10) {
        ofact_encode_actions(list->data, list->len, version, wire);
    } else {
        ofact_encode_instructions(list->data, list->len, version, wire);
    }
}

/* The same text after a way over the wire. What grew beyond a message on it is never sent. */
static void
check_actions(const struct buf *list, enum of_version version)
{
    struct buf wire = BUF_EMPTY, again = BUF_EMPTY, text = BUF_EMPTY, text_again = BUF_EMPTY;
    struct slice s;

    for (int v = OF10; v <= OF15; v++) {
        buf_clear(&wire);
        say_actions(list, (enum of_version) v, &wire);
    }
    buf_clear(&wire);
    say_actions(list, version, &wire);
    ofact_format(list->data, list->len, NULL, &text);
    s = slice_of(wire.data, wire.len);
    if (wire.len < 16384
        && !(version == OF10 ? ofact_decode_actions(s, version, &again) : ofact_decode_instructions(s, version, &again))) {
        ofact_format(again.data, again.len, NULL, &text_again);
        require(!strcmp(buf_text(&text), buf_text(&text_again)));
    }
    buf_free(&wire);
    buf_free(&again);
    buf_free(&text);
    buf_free(&text_again);
}

static void
check_match(const struct match *m)
{
    struct buf wire = BUF_EMPTY;
    struct match again;

    for (int v = OF10; v <= OF15; v++) {
        struct slice s;

        buf_clear(&wire);
        of_match_put(m, (enum of_version) v, &wire);
        s = slice_of(wire.data, wire.len);
        require(!of_match_pull(&s, (enum of_version) v, true, &again) && !s.len);
    }
    buf_free(&wire);
}

static void
try_flow_mod(const struct of_msg *m)
{
    struct flow_mod fm;

    for (int table_id = 0; table_id < 2; table_id++) {
        if (flow_mod_decode(m, table_id, &fm)) {
            continue;
        }
        check_match(&fm.match);
        if (!ofact_check(fm.actions.data, fm.actions.len, &fm.match, &limits)) {
            check_actions(&fm.actions, m->version);
        }
        flow_mod_clear(&fm);
    }
}

static void
try_packet_out(const struct of_msg *m)
{
    struct packet_out po;

    if (!packet_out_decode(m, &po)) {
        require(!po.data.len || po.data.data + po.data.len == m->whole.data + m->whole.len);
        packet_out_clear(&po);
    }
}

static void
try_flow_request(const struct of_msg *m)
{
    struct flow_stats_request r;

    if (!flow_stats_request_decode(m, &r)) {
        check_match(&r.match);
    }
}

static void
try_monitor(const struct of_msg *m)
{
    struct flow_monitor_request r;
    struct slice s = m->body;

    while (s.len && !flow_monitor_decode(m, &s, &r)) {
        check_match(&r.select.match);
    }
}

static void
try_rest(const struct of_msg *m)
{
    struct of_port_mod pm;
    struct of_switch_config config;
    struct of_role_request role;
    struct of_async async = {{0, 0}, {0, 0}, {0, 0}};
    uint32_t port;

    switch (m->op) {
    case OP_PORT_MOD:
        (void) port_mod_decode(m, &pm);
        break;
    case OP_SET_CONFIG:
        (void) switch_config_decode(m, &config);
        break;
    case OP_ROLE:
        (void) role_request_decode(m, &role);
        break;
    case OP_SET_ASYNC:
        (void) async_decode(m, &async);
        break;
    case OP_PORT_STATS:
    case OP_QUEUE_STATS:
        (void) port_number_decode(m, &port);
        break;
    case OP_HELLO:
        (void) hello_decode(m->whole);
        break;
    default:
        break;
    }
}

static void
try_message(struct slice whole)
{
    struct buf reply = BUF_EMPTY;
    struct of_msg m;
    enum of_error error = of_msg_parse(whole, &m);

    if (error) {
        error_encode(error, m.version >= OF10 && m.version <= OF15 ? m.version : OF10, m.xid, whole, &reply);
        require(reply.len <= OF_MSG_MAX);
        buf_free(&reply);
        return;
    }
    switch (m.op) {
    case OP_FLOW_MOD:
        try_flow_mod(&m);
        break;
    case OP_PACKET_OUT:
        try_packet_out(&m);
        break;
    case OP_FLOW_STATS:
    case OP_AGGREGATE:
        try_flow_request(&m);
        break;
    case OP_FLOW_MONITOR:
        try_monitor(&m);
        break;
    default:
        try_rest(&m);
        break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice s = slice_of(data, size);
    int length;

    while ((length = of_msg_length(s)) > 0 && (size_t) length <= s.len) {
        try_message(slice_of(slice_pull(&s, (size_t) length), (size_t) length));
    }
    return 0;
}
