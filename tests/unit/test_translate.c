// SPDX-License-Identifier: Apache-2.0
// Translation of packets through pipelines built by hand: actions, masks, effects; and the proof of the masks of random pipelines.
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib/base/rcu.h"
#include "ofproto/l2.h"
#include "ofproto/private.h"
#include "ofproto/trace_tree.h"
#include "ofproto/translate.h"

/* A bridge without a datapath or sessions: what translation looks at. */
struct world {
    struct ofproto ofproto;
    struct bridge bridge;
    struct bridge_ports *ports;
    struct rule *rules[256];
    size_t n_rules;
    struct translate_out out;
    struct buf ofacts;
};

#define N_PORTS 6

static struct port *
port_create(struct bridge *bridge, uint32_t number)
{
    struct port *port = xzalloc(sizeof *port);

    port->bridge = bridge;
    port->refs = 1;
    port->name = xasprintf("p%u", number);
    port->type = xstrdup("dummy");
    port->ofp = port->dp_port = number;
    port->settings = xzalloc(sizeof *port->settings);
    port->settings->vlan_mode = VLAN_TRUNK;
    port->settings->vlan_tag = -1;
    port->settings->all_trunks = port->settings->all_cvlans = true;
    return port;
}

static struct world *
world_create(void)
{
    struct world *w = xzalloc(sizeof *w);

    w->bridge.ofproto = &w->ofproto;
    w->bridge.name = xstrdup("br0");
    w->bridge.datapath_type = xstrdup("dummy");
    w->bridge.id = 1;
    w->bridge.refs = 1;
    w->ports = xzalloc(sizeof *w->ports + N_PORTS * sizeof *w->ports->ports);
    for (uint32_t i = 1; i <= N_PORTS; i++) {
        w->ports->ports[w->ports->n++] = port_create(&w->bridge, i);
    }
    w->bridge.ports = w->ports;
    w->bridge.l2 = l2_create(&w->bridge);
    for (size_t i = 0; i < N_TABLES; i++) {
        w->bridge.tables[i].cls = classifier_create();
    }
    translate_out_init(&w->out);
    return w;
}

static void
clear_rules(struct world *w)
{
    for (size_t i = 0; i < w->n_rules; i++) {
        struct rule *r = w->rules[i];

        classifier_remove(w->bridge.tables[r->table_id].cls, &r->cr);
        rcu_drain();
        free(r->cr.match);
        free(r->actions);
        free(r);
    }
    w->n_rules = 0;
}

static void
world_destroy(struct world *w)
{
    clear_rules(w);
    l2_destroy(w->bridge.l2);
    for (size_t i = 0; i < N_TABLES; i++) {
        classifier_destroy(w->bridge.tables[i].cls);
    }
    for (size_t i = 0; i < w->ports->n; i++) {
        free(w->ports->ports[i]->settings);
        free(w->ports->ports[i]->name);
        free(w->ports->ports[i]->type);
        free(w->ports->ports[i]);
    }
    rcu_drain();
    free(w->ports);
    free(w->bridge.name);
    free(w->bridge.datapath_type);
    translate_out_destroy(&w->out);
    buf_free(&w->ofacts);
    free(w);
}

/* A rule with the actions collected in w->ofacts, which is empty after it. */
static void
add_rule(struct world *w, uint8_t table, unsigned priority, const char *text)
{
    struct rule *r = xzalloc(sizeof *r);
    struct match match;
    char *error = match_parse(text, NULL, &match, NULL);

    assert_null(error);
    r->refs = 1;
    r->cr.match = match_pack(&match);
    r->cr.priority = (int32_t) priority;
    r->table_id = table;
    r->actions = xzalloc(sizeof *r->actions + w->ofacts.len);
    r->actions->size = (uint32_t) w->ofacts.len;
    if (w->ofacts.len) {
        memcpy(r->actions->list, w->ofacts.data, w->ofacts.len);
    }
    buf_clear(&w->ofacts);
    if (classifier_insert(w->bridge.tables[table].cls, &r->cr, 0)) {
        fail_msg("the same rule twice");
    }
    w->rules[w->n_rules++] = r;
}

static void
output(struct world *w, uint32_t port)
{
    ((struct ofact_output *) ofact_put(&w->ofacts, OFACT_OUTPUT, sizeof(struct ofact_output)))->port = port;
}

static void
resubmit(struct world *w, uint8_t table)
{
    struct ofact_resubmit *r = ofact_put(&w->ofacts, OFACT_RESUBMIT, sizeof *r);

    r->in_port = OFPP_IN_PORT;
    r->table_id = table;
}

static void
set_field(struct world *w, enum field_id id, const char *text)
{
    struct ofact_set_field *s = ofact_put(&w->ofacts, OFACT_SET_FIELD, sizeof *s);
    union field_value value, mask;

    assert_null(field_parse(&field_table[id], text, NULL, &value, &mask));
    s->field = &field_table[id];
    s->value = value;
    s->mask = mask;
    s->a.raw = WIRE_SET_FIELD;
}

static void
put(struct world *w, enum ofact_kind kind)
{
    ofact_put(&w->ofacts, kind, sizeof(struct ofact_dec_ttl));
}

static struct flow_key
packet(const char *text)
{
    struct flow_key key;
    char *error = flow_key_parse(text, NULL, &key);

    assert_null(error);
    return key;
}

static void
run(struct world *w, const char *text)
{
    struct translate_in in = {.bridge = &w->bridge, .key = packet(text)};

    in.in_port = bridge_port(&w->bridge, in.key.in_port);
    translate(&in, &w->out);
    assert_true(w->out.error || translate_check_mask(&in, &w->out, 8));
}

static void
expect(struct world *w, const char *flow, const char *megaflow, const char *actions)
{
    struct buf text = BUF_EMPTY;
    struct match m;

    run(w, flow);
    m.mask = w->out.mask;
    m.key = packet(flow);
    flow_key_and(&m.key, &m.key, &m.mask);
    match_format(&m, -1, NULL, &text);
    assert_string_equal(buf_text(&text), megaflow);
    buf_clear(&text);
    action_format(w->out.actions.data, w->out.actions.len, NULL, &text);
    assert_string_equal(buf_text(&text), actions);
    buf_free(&text);
}

#define TCP "tcp,in_port=1,dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02,nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64,tcp_src=1000,tcp_dst=80"
#define VLAN_TCP TCP ",dl_vlan=10,dl_vlan_pcp=3"

static void
test_output(void **state)
{
    struct world *w = *state;

    output(w, 2);
    output(w, 1);
    output(w, OFPP_IN_PORT);
    output(w, 77);
    add_rule(w, 0, 1, "");
    expect(w, TCP, "recirc_id=0,eth,ip,in_port=1,nw_frag=no", "2,1");
}

static void
test_sets_are_committed_before_output(void **state)
{
    struct world *w = *state;

    set_field(w, FIELD_ETH_SRC, "00:00:00:00:00:09");
    output(w, 2);
    put(w, OFACT_DEC_TTL);
    output(w, 3);
    add_rule(w, 0, 100, "ip,in_port=1");
    expect(w, TCP, "recirc_id=0,eth,tcp,in_port=1,dl_src=00:00:00:00:00:01,nw_ttl=64,nw_frag=no",
           "set(eth(src=00:00:00:00:00:09)),2,set(ipv4(ttl=63)),3");
}

static void
test_vlan(void **state)
{
    struct world *w = *state;

    ((struct ofact_push_vlan *) ofact_put(&w->ofacts, OFACT_PUSH_VLAN, sizeof(struct ofact_push_vlan)))->ethertype = htons(0x8100);
    set_field(w, FIELD_VLAN_VID, "4105");
    output(w, 3);
    put(w, OFACT_STRIP_VLAN);
    output(w, 4);
    add_rule(w, 0, 1, "");
    expect(w, TCP, "recirc_id=0,eth,ip,in_port=1,nw_frag=no", "push_vlan(vid=9,pcp=0),3,pop_vlan,4");
    expect(w, VLAN_TCP, "recirc_id=0,eth,ip,in_port=1,dl_vlan=10,dl_vlan_pcp=3,nw_frag=no", "push_vlan(vid=9,pcp=0),3,pop_vlan,4");
}

static void
test_tables(void **state)
{
    struct world *w = *state;

    set_field(w, FIELD_REG0, "5");
    resubmit(w, 1);
    output(w, 3);
    add_rule(w, 0, 1, "");
    output(w, 2);
    add_rule(w, 1, 1, "reg0=5,tcp");
    expect(w, TCP, "recirc_id=0,eth,tcp,in_port=1,nw_frag=no", "2,3");
    assert_int_equal(w->out.n_deps, 6); /* The bridge, ports 1, 2 and 3, two tables. */
}

static void
test_recursion_is_bounded(void **state)
{
    struct world *w = *state;

    output(w, 2);
    resubmit(w, 0);
    add_rule(w, 0, 1, "");
    run(w, TCP);
    assert_int_equal(w->out.error, TRANSLATE_TOO_DEEP);
    assert_int_equal(w->out.actions.len, 0);
}

/* Where does the last action go? */
static uint32_t
last_output(const struct world *w)
{
    const struct action *a, *last = NULL;

    ACTION_FOR_EACH (a, w->out.actions.data, w->out.actions.len) {
        last = a;
    }
    assert_true(last && last->kind == ACTION_OUTPUT);
    return ((const struct action_output *) last)->port;
}

/* The collected actions and then table 1, which outputs to port 3. */
static void
run_with_table_1(struct world *w)
{
    resubmit(w, 1);
    add_rule(w, 0, 1, "");
    output(w, 3);
    add_rule(w, 1, 1, "");
    run(w, TCP);
}

/* What counts is the length of the attributes. Sets, whose records are long, do not end a pipeline before its time; outputs beyond 64 kB do, and only the daemon can
 * execute them. */
static void
test_long_lists(void **state)
{
    struct world *w = *state;

    for (unsigned i = 0; i < 200; i++) {
        set_field(w, FIELD_ETH_SRC, i % 2 ? "00:00:00:00:00:08" : "00:00:00:00:00:09");
        output(w, 2);
    }
    run_with_table_1(w);
    assert_true(w->out.actions.len > UINT16_MAX);
    assert_int_equal(w->out.slow, 0);
    assert_int_equal(last_output(w), 3);

    clear_rules(w);
    for (unsigned i = 0; i < 8192; i++) { /* Of eight bytes each. */
        output(w, 2);
    }
    run_with_table_1(w);
    assert_int_equal(w->out.slow, SLOW_ACTION);
    assert_int_equal(last_output(w), 2);
}

static void
test_normal_floods_and_learns(void **state)
{
    struct world *w = *state;

    w->ports->ports[2]->settings->of_config = OFPPC_NO_FLOOD;
    output(w, OFPP_NORMAL);
    add_rule(w, 0, 1, "");
    expect(w, TCP, "recirc_id=0,eth,ip,in_port=1,dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02,nw_frag=no", "2,4,5,6");
    translate_apply(&w->out, 1, 64, now_ms());
    assert_ptr_equal(l2_lookup(w->bridge.l2, (struct eth_addr){{0, 0, 0, 0, 0, 1}}, 0), w->ports->ports[0]);
    expect(w, "tcp,in_port=2,dl_src=00:00:00:00:00:02,dl_dst=00:00:00:00:00:01",
           "recirc_id=0,eth,ip,in_port=2,dl_src=00:00:00:00:00:02,dl_dst=00:00:00:00:00:01,nw_frag=no", "1");
    w->ports->ports[2]->settings->of_config = 0;
}

/* A port whose last owner has let go of it is still found by who reads just now. Nobody can keep it any more. */
static void
test_effects_of_a_port_that_goes(void **state)
{
    struct world *w = *state;
    struct port *port = w->ports->ports[0];
    size_t n_of_port = 0;

    output(w, OFPP_NORMAL);
    add_rule(w, 0, 1, "");
    run(w, TCP);
    for (size_t i = 0; i < w->out.n_effects; i++) {
        assert_true(effect_ref(&w->out.effects[i]));
        effect_unref(&w->out.effects[i]);
    }
    port->refs = 0;
    for (size_t i = 0; i < w->out.n_effects; i++) {
        const struct effect *e = &w->out.effects[i];

        if ((e->kind == EFFECT_PORT_RX && e->port == port) || (e->kind == EFFECT_L2_LEARN && e->learn.port == port)) {
            assert_false(effect_ref(e));
            n_of_port++;
        }
    }
    assert_true(n_of_port > 0);
    assert_int_equal(port->refs, 0);
    assert_int_equal(w->bridge.refs, 1);
    port->refs = 1;
}

static void
test_normal_vlans(void **state)
{
    struct world *w = *state;
    struct port_settings *access = w->ports->ports[0]->settings, *native = w->ports->ports[2]->settings;

    access->vlan_mode = VLAN_ACCESS;
    access->vlan_tag = 10;
    native->vlan_mode = VLAN_NATIVE_UNTAGGED;
    native->vlan_tag = 10;
    output(w, OFPP_NORMAL);
    add_rule(w, 0, 1, "");
    expect(w, TCP, "recirc_id=0,eth,ip,in_port=1,dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02,nw_frag=no",
           "push_vlan(vid=10,pcp=0),2,pop_vlan,3,push_vlan(vid=10,pcp=0),4,5,6");
    expect(w, VLAN_TCP, "recirc_id=0,eth,ip,in_port=1,dl_vlan=10,dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02,nw_frag=no", "drop");
    access->vlan_mode = native->vlan_mode = VLAN_TRUNK;
    access->vlan_tag = native->vlan_tag = -1;
}

static void
test_trace_text(void **state)
{
    struct world *w = *state;
    struct translate_in in = {.bridge = &w->bridge, .key = packet(TCP), .trace = trace_sink_create()};
    struct buf text = BUF_EMPTY;

    resubmit(w, 1);
    output(w, 2);
    resubmit(w, 2);
    add_rule(w, 0, 7, "tcp");
    output(w, 3);
    add_rule(w, 2, 1, "");
    in.in_port = w->ports->ports[0];
    translate(&in, &w->out);
    trace_sink_format(in.trace, &text);
    assert_string_equal(buf_text(&text), "\nbridge(\"br0\")\n-------------\n"
                                         " 0. tcp, priority 7\n"
                                         "    resubmit(,1)\n"
                                         "     1. No match.\n"
                                         "            drop\n"
                                         "    output:2\n"
                                         "    resubmit(,2)\n"
                                         " 2. priority 1\n"
                                         "    output:3\n");
    trace_sink_destroy(in.trace);
    buf_free(&text);
}

static uint32_t
next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t) (*state >> 32);
}

static void
random_actions(struct world *w, uint64_t *s, uint8_t table)
{
    static const struct {
        enum field_id id;
        const char *text;
    } fields[] = {{FIELD_ETH_SRC, "00:00:00:00:00:09"}, {FIELD_ETH_DST, "00:00:00:00:00:05/00:00:00:00:00:0f"}, {FIELD_IP_SRC, "1.2.3.4"},
                  {FIELD_NW_TTL, "9"}, {FIELD_TCP_DST, "99"}, {FIELD_UDP_SRC, "7"}, {FIELD_IP_DSCP, "9"}, {FIELD_REG0, "5"},
                  {FIELD_VLAN_VID, "4105"}, {FIELD_VLAN_TCI, "0x1005"}, {FIELD_PKT_MARK, "3/7"}, {FIELD_METADATA, "7"}};

    for (unsigned n = next_random(s) % 5 + 1; n; n--) {
        switch (next_random(s) % 8) {
        case 0:
            output(w, next_random(s) % 7);
            break;
        case 1:
            output(w, OFPP_NORMAL);
            break;
        case 2:
            put(w, OFACT_DEC_TTL);
            break;
        case 3:
            put(w, OFACT_STRIP_VLAN);
            break;
        case 4:
            if (table < 3) {
                resubmit(w, (uint8_t) (table + 1));
            }
            break;
        default: {
            size_t i = next_random(s) % ARRAY_SIZE(fields);

            set_field(w, fields[i].id, fields[i].text);
            break;
        }
        }
    }
}

static void
test_masks_are_proved(void **state)
{
    static const char *const matches[] = {"", "tcp", "udp", "ip,nw_src=10.0.0.0/24", "tcp,tcp_dst=80", "reg0=5", "dl_vlan=10", "vlan_tci=0",
                                          "dl_src=00:00:00:00:00:01", "ip,nw_ttl=64", "metadata=7,tcp", "dl_dst=00:00:00:00:00:00/00:00:00:00:00:01"};
    static const char *const packets[] = {TCP, VLAN_TCP, "udp,in_port=2,nw_src=10.0.0.9,nw_ttl=1", "arp,in_port=3,arp_op=1", "tcp6,in_port=1,nw_ttl=3"};
    struct world *w = *state;
    uint64_t s = 42;

    for (unsigned round = 0; round < 200; round++) {
        for (uint8_t table = 0; table < 4; table++) {
            for (unsigned i = 0; i < 3; i++) {
                random_actions(w, &s, table);
                add_rule(w, table, i * 10 + 1, matches[next_random(&s) % ARRAY_SIZE(matches)]);
            }
        }
        for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
            run(w, packets[i]);
        }
        clear_rules(w);
    }
}

static int
setup(void **state)
{
    *state = world_create();
    return 0;
}

static int
teardown(void **state)
{
    world_destroy(*state);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_output, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sets_are_committed_before_output, setup, teardown),
        cmocka_unit_test_setup_teardown(test_vlan, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tables, setup, teardown),
        cmocka_unit_test_setup_teardown(test_recursion_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_lists, setup, teardown),
        cmocka_unit_test_setup_teardown(test_normal_floods_and_learns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_effects_of_a_port_that_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_normal_vlans, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trace_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_masks_are_proved, setup, teardown),
    };
    int failed;

    urcu_qsbr_register_thread();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_drain();
    urcu_qsbr_unregister_thread();
    return failed;
}
