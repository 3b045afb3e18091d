// SPDX-License-Identifier: Apache-2.0
// struct dp_ops against the openvswitch module of the running kernel. Wants root and a network namespace to
// itself: run it in utilities/lab.
//
//     wire a0 <-> a1 [port a] datapath "sl-test" [port b] b1 <-> b0 wire
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>
#include "lib/base/loop.h"
#include "lib/base/rcu.h"
#include "lib/dp/dp.h"
#include "tests/system/wire.h"

#define DP_NAME "sl-test"
#define N_FLOWS 1000

struct lab {
    struct loop *loop;
    struct dp *dp;
    uint32_t a, b;
    int wire_a, wire_b; /* Packet sockets on a0 and b0. */
};

static void
dp_open_again(struct lab *lab)
{
    assert_int_equal(dp_select("", &(const struct dp_ops *){NULL}, &(char *){NULL}), 0);
    assert_int_equal(dp_types[0]->open(DP_NAME, &(struct dp_settings){.n_handlers = 1}, lab->loop, &lab->dp, NULL), 0);
}

static int
set_up(void **state)
{
    struct lab *lab = xzalloc(sizeof *lab);

    rcu_thread_register();
    wires_make();
    lab->loop = loop_create();
    dp_open_again(lab);
    lab->a = lab->b = DP_PORT_NONE;
    assert_int_equal(lab->dp->ops->port_add(lab->dp, "a1", "system", &lab->a, NULL), 0);
    assert_int_equal(lab->dp->ops->port_add(lab->dp, "b1", "system", &lab->b, NULL), 0);
    lab->wire_a = wire_open("a0");
    lab->wire_b = wire_open("b0");
    *state = lab;
    return 0;
}

static int
tear_down(void **state)
{
    struct lab *lab = *state;

    close(lab->wire_a);
    close(lab->wire_b);
    lab->dp->ops->close(lab->dp, true);
    loop_destroy(lab->loop);
    free(lab);
    wires_remove();
    return 0;
}

static void
put(struct lab *lab, uint16_t port, const struct buf *actions, bool modify, int expected)
{
    struct flow_key key, mask;
    struct dp_flow_put f = {
        .key = &key, .mask = &mask, .actions = actions->data, .actions_len = actions->len, .modify = modify};

    udp_key(lab->a, port, &key, &mask);
    f.ufid = dp_ufid_of(&key, &mask);
    lab->dp->ops->flow_put(lab->dp, &f, 1);
    assert_int_equal(f.error, expected);
}

static bool
count_flow(const struct dp_flow_dumped *f, void *arg)
{
    size_t *n = arg;

    assert_true(f->has_ufid);
    *n += f->stats.packets ? 0x10001 : 1;
    return true;
}

static void
features_of_this_kernel(void **state)
{
    struct lab *lab = *state;
    const struct dp_features *f = lab->dp->ops->features(lab->dp);

    dp_features_log(lab->dp);
    assert_true(f->ufid && f->recirc && f->masked_set && f->trunc && f->clone && f->sample &&
                f->check_pkt_len && f->ct_clear);
    assert_true(f->ct_state && f->ct_zone && f->ct_mark && f->ct_label && f->ct_orig_tuple &&
                f->ct_orig_tuple6 && f->ct_state_nat);
    assert_true(f->per_cpu_dispatch && f->add_mpls);
    assert_true(f->ct_eventmask && f->ct_timeout && f->ct_zero_snat);
    assert_int_equal(f->max_vlan_headers, 2);
    assert_int_equal(f->max_mpls_depth, 3);
    assert_int_equal(f->max_sample_nesting, 10);
}

static void
probes_leave_nothing(void **state)
{
    struct lab *lab = *state;
    size_t n = 0;

    assert_int_equal(lab->dp->ops->flow_dump(lab->dp, true, count_flow, &n), 0);
    assert_int_equal(n, 0);
}

static void
count_port(const struct dp_port *port, void *arg)
{
    struct lab *lab = ((void **) arg)[0];
    unsigned *seen = ((void **) arg)[1];

    *seen |= port->number == DP_PORT_LOCAL && !strcmp(port->type, "internal") ? 1 : 0;
    *seen |= port->number == lab->a && !strcmp(port->name, "a1") && !strcmp(port->type, "system") ? 2 : 0;
    *seen |= port->number == lab->b && !strcmp(port->name, "b1") ? 4 : 0;
}

static void
ports_are_listed(void **state)
{
    struct lab *lab = *state;
    unsigned seen = 0;
    uint32_t number = 77;
    struct dp_port_stats stats;

    assert_int_equal(lab->dp->ops->port_dump(lab->dp, count_port, (void *[]){lab, &seen}), 0);
    assert_int_equal(seen, 7);
    assert_int_equal(lab->dp->ops->port_add(lab->dp, "sl-int", "internal", &number, NULL), 0);
    assert_int_equal(number, 77);
    assert_int_equal(lab->dp->ops->port_stats(lab->dp, number, &stats), 0);
    assert_int_equal(lab->dp->ops->port_del(lab->dp, number), 0);
    assert_int_equal(lab->dp->ops->port_stats(lab->dp, number, &stats), -ENODEV);
    number = DP_PORT_NONE;
    assert_int_equal(lab->dp->ops->port_add(lab->dp, "nosuchdev", "system", &number, NULL), -ENODEV);
    assert_int_equal(lab->dp->ops->port_add(lab->dp, "x", "strange", &number, NULL), -EPFNOSUPPORT);
}

static void
misses_come_up_and_are_executed(void **state)
{
    struct lab *lab = *state;
    struct dp_upcall u[4];
    uint8_t frame[2000];
    struct buf actions = BUF_EMPTY;
    struct dp_execute e = {.probe = false};
    size_t n;

    wire_send_udp(lab->wire_a, 7, 20);
    assert_int_equal(lab->dp->ops->recv(lab->dp, 0, u, 4, 2000), 1);
    assert_false(u[0].action);
    assert_int_equal(u[0].key.in_port, lab->a);
    assert_int_equal(u[0].key.tp_src, htons(7));
    assert_int_equal(u[0].key.nw_dst, htonl(0x0a000002));

    action_put_output(&actions, lab->b);
    e.packet = u[0].packet;
    e.key = &u[0].key;
    e.actions = actions.data;
    e.actions_len = actions.len;
    lab->dp->ops->execute(lab->dp, &e, 1);
    assert_int_equal(e.error, 0);
    n = wire_catch(lab->wire_b, frame, sizeof frame, 1000);
    assert_int_equal(n, u[0].packet->len);
    assert_memory_equal(frame, u[0].packet->data, n);
    packet_free(u[0].packet);
    assert_int_equal(lab->dp->ops->recv(lab->dp, 0, u, 4, 0), 0);
    lab->dp->ops->wake(lab->dp);
    assert_int_equal(lab->dp->ops->recv(lab->dp, 0, u, 4, 10000), 0);
    buf_free(&actions);
}

static void
userspace_action_brings_its_cookie(void **state)
{
    struct lab *lab = *state;
    struct upcall_cookie cookie = {.reason = UPCALL_CONTROLLER, .rule_cookie = 0x1234, .max_len = 99};
    struct flow_key key, mask;
    struct buf actions = BUF_EMPTY;
    struct dp_flow_del del = {.key = NULL};
    struct dp_upcall u[4];

    action_put_userspace(&actions, UPCALL_PID_AUTO, &cookie);
    put(lab, 8, &actions, false, 0);
    wire_send_udp(lab->wire_a, 8, 20);
    assert_int_equal(lab->dp->ops->recv(lab->dp, 0, u, 4, 2000), 1);
    assert_true(u[0].action);
    assert_memory_equal(&u[0].cookie, &cookie, sizeof cookie);
    packet_free(u[0].packet);
    udp_key(lab->a, 8, &key, &mask);
    del.ufid = dp_ufid_of(&key, &mask);
    lab->dp->ops->flow_del(lab->dp, &del, 1);
    assert_int_equal(del.error, 0);
    assert_int_equal(del.stats.packets, 1);
    lab->dp->ops->flow_del(lab->dp, &del, 1);
    assert_int_equal(del.error, -ENOENT);
    buf_free(&actions);
}

static void
flow_is_as_it_was_put(const struct dp_flow_dumped *f, void *arg)
{
    struct lab *lab = arg;
    struct flow_key key, mask, masked;
    const struct action_output *o = f->actions;

    udp_key(lab->a, 9, &key, &mask);
    flow_key_and(&key, &key, &mask);
    flow_key_and(&masked, f->key, f->mask);
    assert_memory_equal(&masked, &key, sizeof key);
    assert_int_equal(f->actions_len, sizeof *o);
    assert_int_equal(o->port, lab->b);
    assert_int_equal(f->stats.packets, 1);
    assert_true(f->stats.used_ms > now_ms() - 5000 && f->stats.used_ms <= now_ms() + 50);
}

static void
flows_forward_and_survive(void **state)
{
    struct lab *lab = *state;
    struct buf actions = BUF_EMPTY;
    struct flow_key key, mask;
    uint8_t frame[2000];
    struct dp_upcall u[1];
    dp_ufid ufid;

    put(lab, 9, &actions, false, 0); /* Drops. */
    put(lab, 9, &actions, false, -EEXIST);
    action_put_output(&actions, lab->b);
    put(lab, 9, &actions, true, 0);
    put(lab, 10, &actions, true, -ENOENT);
    wire_send_udp(lab->wire_a, 9, 20);
    assert_true(wire_catch(lab->wire_b, frame, sizeof frame, 1000) > 0);
    udp_key(lab->a, 9, &key, &mask);
    ufid = dp_ufid_of(&key, &mask);
    assert_int_equal(lab->dp->ops->flow_get(lab->dp, &ufid, flow_is_as_it_was_put, lab), 0);

    lab->dp->ops->close(lab->dp, false);
    wire_send_udp(lab->wire_a, 9, 20);
    assert_true(wire_catch(lab->wire_b, frame, sizeof frame, 1000) > 0);
    dp_open_again(lab);
    wire_send_udp(lab->wire_a, 11, 20);
    assert_int_equal(lab->dp->ops->recv(lab->dp, 0, u, 1, 2000), 1);
    packet_free(u[0].packet);
    assert_int_equal(lab->dp->ops->flow_flush(lab->dp), 0);
    assert_int_equal(lab->dp->ops->flow_get(lab->dp, &ufid, flow_is_as_it_was_put, lab), -ENOENT);
    buf_free(&actions);
}

static void
many_flows(void **state)
{
    struct lab *lab = *state;
    struct flow_key *keys = xcalloc(N_FLOWS, sizeof *keys), mask;
    struct dp_flow_put *puts = xcalloc(N_FLOWS, sizeof *puts);
    struct dp_flow_del *dels = xcalloc(N_FLOWS, sizeof *dels);
    struct buf actions = BUF_EMPTY;
    int64_t t0, t1, t2, t3;
    size_t n = 0;

    action_put_output(&actions, lab->b);
    for (size_t i = 0; i < N_FLOWS; i++) {
        udp_key(lab->a, (uint16_t) (1000 + i), &keys[i], &mask);
        puts[i] = (struct dp_flow_put){
            .key = &keys[i], .mask = &mask, .actions = actions.data, .actions_len = actions.len};
        dels[i].ufid = puts[i].ufid = dp_ufid_of(&keys[i], &mask);
    }
    t0 = now_us();
    lab->dp->ops->flow_put(lab->dp, puts, N_FLOWS);
    t1 = now_us();
    assert_int_equal(lab->dp->ops->flow_dump(lab->dp, true, count_flow, &n), 0);
    t2 = now_us();
    assert_int_equal(n, N_FLOWS);
    lab->dp->ops->flow_del(lab->dp, dels, N_FLOWS);
    t3 = now_us();
    for (size_t i = 0; i < N_FLOWS; i++) {
        assert_int_equal(puts[i].error, 0);
        assert_int_equal(dels[i].error, 0);
    }
    printf("us a flow: put %.1f dump %.1f del %.1f\n", (double) (t1 - t0) / N_FLOWS,
           (double) (t2 - t1) / N_FLOWS, (double) (t3 - t2) / N_FLOWS);
    n = 0;
    assert_int_equal(lab->dp->ops->flow_dump(lab->dp, true, count_flow, &n), 0);
    assert_int_equal(n, 0);
    buf_free(&actions);
    free(keys);
    free(puts);
    free(dels);
}

struct port_seen {
    struct loop *loop;
    bool deleted;
};

static void
port_event(enum dp_port_event_type type, const struct dp_port *port, void *arg)
{
    struct port_seen *seen = arg;

    if (type == DP_PORT_DELETED && !strcmp(port->name, "c1")) {
        seen->deleted = true;
        loop_stop(seen->loop, 0);
    }
}

static void
give_up(void *arg)
{
    loop_stop(arg, 1);
}

static void
port_that_goes_is_noticed(void **state)
{
    struct lab *lab = *state;
    struct port_seen seen = {.loop = lab->loop};
    struct loop_timer *timer = loop_timer_add(lab->loop, give_up, lab->loop);
    uint32_t number = DP_PORT_NONE;

    run("ip link add c0 type veth peer name c1");
    lab->dp->ops->port_watch(lab->dp, port_event, &seen);
    assert_int_equal(lab->dp->ops->port_add(lab->dp, "c1", "system", &number, NULL), 0);
    run("ip link del c0");
    loop_timer_set(timer, 5000);
    assert_int_equal(loop_run(lab->loop), 0);
    assert_true(seen.deleted);
    loop_timer_del(timer);
}

static void
meters_and_connections(void **state)
{
    struct lab *lab = *state;
    struct dp_meter m = {.id = 3, .pktps = true, .n_bands = 1, .bands = {{10, 10}}};
    struct dp_meter_stats stats;
    uint16_t zone = 5;

    assert_int_equal(lab->dp->ops->meter_set(lab->dp, &m), 0);
    assert_int_equal(lab->dp->ops->meter_get(lab->dp, 3, &stats), 0);
    assert_int_equal(stats.met.packets + stats.dropped[0].packets, 0);
    assert_int_equal(lab->dp->ops->meter_del(lab->dp, 3), 0);
    assert_int_equal(lab->dp->ops->meter_get(lab->dp, 3, &stats), -ENOENT);
    assert_int_equal(lab->dp->ops->ct_flush(lab->dp, NULL), 0);
    assert_int_equal(lab->dp->ops->ct_flush(lab->dp, &zone), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features_of_this_kernel),
        cmocka_unit_test(probes_leave_nothing),
        cmocka_unit_test(ports_are_listed),
        cmocka_unit_test(misses_come_up_and_are_executed),
        cmocka_unit_test(userspace_action_brings_its_cookie),
        cmocka_unit_test(flows_forward_and_survive),
        cmocka_unit_test(many_flows),
        cmocka_unit_test(port_that_goes_is_noticed),
        cmocka_unit_test(meters_and_connections),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
