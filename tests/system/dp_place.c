// SPDX-License-Identifier: Apache-2.0
// Placement of flows on the running kernel's datapath and TC. Wants root and a network namespace to itself:
// run it in utilities/lab.
//
//     wire a0 <-> a1 [port a] datapath "sl-place" [port b] b1 <-> b0 wire
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>
#include "lib/base/loop.h"
#include "lib/base/rcu.h"
#include "lib/dp/place.h"
#include "tests/system/wire.h"

#define N_FLOWS 2000

struct lab {
    struct loop *loop;
    struct dp *dp;
    struct place *place;
    uint32_t a, b;
    int ifindex_a, ifindex_b;
    int wire_a, wire_b;
    size_t frame_len; /* Of the last frame sent. */
};

static void
place_begin(struct lab *lab, bool on, enum place_policy policy)
{
    lab->place = place_create(lab->dp, lab->loop);
    place_configure(lab->place, on, policy);
    place_port_set(lab->place, lab->a, lab->ifindex_a, false, false);
    place_port_set(lab->place, lab->b, lab->ifindex_b, false, false);
}

static int
set_up(void **state)
{
    struct lab *lab = xzalloc(sizeof *lab);

    rcu_thread_register();
    wires_make();
    lab->loop = loop_create();
    assert_int_equal(dp_types[0]->open("sl-place", &(struct dp_settings){.n_handlers = 1}, lab->loop, &lab->dp, NULL), 0);
    lab->a = lab->b = DP_PORT_NONE;
    assert_int_equal(lab->dp->ops->port_add(lab->dp, "a1", "system", &lab->a, NULL), 0);
    assert_int_equal(lab->dp->ops->port_add(lab->dp, "b1", "system", &lab->b, NULL), 0);
    lab->ifindex_a = (int) if_nametoindex("a1");
    lab->ifindex_b = (int) if_nametoindex("b1");
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

static struct dp_stats
put(struct lab *lab, uint16_t port, const struct buf *actions, bool modify, int expected)
{
    struct flow_key key, mask;
    struct dp_flow_put f = {
        .key = &key, .mask = &mask, .actions = actions->data, .actions_len = actions->len, .modify = modify};

    udp_key(lab->a, port, &key, &mask);
    f.ufid = dp_ufid_of(&key, &mask);
    place_flow_put(lab->place, &f, 1);
    assert_int_equal(f.error, expected);
    return f.stats;
}

static struct dp_stats
del(struct lab *lab, uint16_t port)
{
    struct flow_key key, mask;
    struct dp_flow_del f = {.key = &key};

    udp_key(lab->a, port, &key, &mask);
    f.ufid = dp_ufid_of(&key, &mask);
    place_flow_del(lab->place, &f, 1);
    assert_int_equal(f.error, 0);
    return f.stats;
}

static void
send_udp(struct lab *lab, uint16_t port)
{
    lab->frame_len = wire_send_udp(lab->wire_a, port, 200);
}

/* Waits until no flow is on its way. */
static struct place_counts
settle(struct lab *lab, uint64_t decided)
{
    int64_t end = now_ms() + 30000;
    struct place_counts c;

    do {
        place_counts(lab->place, &c);
        if (!c.queued && c.promoted + c.refused >= decided) {
            return c;
        }
        poll(NULL, 0, 2);
    } while (now_ms() < end);
    fail_msg("flows are not settled: %lu queued, %lu promoted, %lu refused", (unsigned long) c.queued,
             (unsigned long) c.promoted, (unsigned long) c.refused);
    return c;
}

struct seen {
    size_t n;
    struct dp_stats stats;
    struct place_state state;
    dp_ufid ufid;
    struct flow_key key, mask;
    uint32_t output;
};

static bool
on_flow(const struct dp_flow_dumped *f, const struct place_state *state, void *arg)
{
    struct seen *s = arg;

    s->n++;
    s->stats = f->stats;
    s->state = *state;
    s->ufid = f->ufid;
    if (f->key) {
        s->key = *f->key;
        s->mask = *f->mask;
        s->output = f->actions_len ? ((const struct action_output *) f->actions)->port : UINT32_MAX;
    }
    return true;
}

static struct seen
dump(struct lab *lab, bool terse)
{
    struct seen s = {.n = 0};

    assert_int_equal(place_flow_dump(lab->place, terse, on_flow, &s), 0);
    return s;
}

static bool
count_flow(const struct dp_flow_dumped *f, void *arg)
{
    ++*(size_t *) arg;
    return true;
}

static void
a_flow_lives_in_tc(void **state)
{
    struct lab *lab = *state;
    struct buf actions = BUF_EMPTY;
    uint8_t frame[2000];
    struct seen s;
    size_t in_dp = 0;
    struct dp_stats stats;

    place_begin(lab, true, PLACE_POLICY_SKIP_HW);
    action_put_output(&actions, lab->b);
    put(lab, 9, &actions, false, 0);
    assert_int_equal(settle(lab, 1).flows[PLACE_TC], 1);
    put(lab, 9, &actions, false, -EEXIST);
    run("tc -s filter show dev a1 ingress | grep -q 'cookie [0-9a-f]\\{32\\}'");
    assert_int_equal(lab->dp->ops->flow_dump(lab->dp, true, count_flow, &in_dp), 0);
    assert_int_equal(in_dp, 0);
    for (int i = 0; i < 3; i++) {
        send_udp(lab, 9);
        assert_int_equal(wire_catch(lab->wire_b, frame, sizeof frame, 2000), lab->frame_len);
    }
    s = dump(lab, false);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.stats.packets, 3);
    assert_int_equal(s.stats.bytes, 3 * lab->frame_len);
    assert_int_equal(s.state.tier, PLACE_TC);
    assert_string_equal(s.state.why, "");
    assert_true(s.stats.used_ms > now_ms() - 3000);
    assert_string_equal(place_tier_name(lab->place, s.state.tier), "tc");

    buf_clear(&actions);
    stats = put(lab, 9, &actions, true, 0);
    assert_int_equal(stats.packets, 3);
    assert_int_equal(settle(lab, 2).flows[PLACE_TC], 1);
    send_udp(lab, 9);
    assert_int_equal(wire_catch(lab->wire_b, frame, sizeof frame, 200), 0);
    stats = del(lab, 9);
    assert_int_equal(stats.packets, 4);
    assert_int_equal(stats.bytes, 4 * lab->frame_len);
    assert_int_equal(dump(lab, true).n, 0);
    run("! tc filter show dev a1 ingress | grep -q flower");
    place_destroy(lab->place, false);
    run("! tc qdisc show dev a1 | grep -q ingress");
    buf_free(&actions);
}

static void
reasons_are_told(void **state)
{
    struct lab *lab = *state;
    struct buf actions = BUF_EMPTY;
    struct seen s;

    place_begin(lab, true, PLACE_POLICY_NONE);
    action_put_output(&actions, lab->b);
    put(lab, 9, &actions, false, 0);
    assert_int_equal(settle(lab, 1).flows[PLACE_DP], 1);
    s = dump(lab, false);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.state.tier, PLACE_DP);
    assert_string_equal(s.state.why, "not in hardware: no device offloads");
    run("! tc filter show dev a1 ingress | grep -q flower");
    del(lab, 9);
    place_configure(lab->place, true, PLACE_POLICY_SKIP_SW);
    put(lab, 10, &actions, false, 0);
    settle(lab, 2);
    s = dump(lab, true);
    assert_int_equal(s.state.tier, PLACE_DP);
    printf("skip_sw on veth: %s\n", s.state.why);
    assert_true(s.state.why[0] != '\0');
    del(lab, 10);
    action_put_userspace(&actions, 1, &(struct upcall_cookie){.reason = UPCALL_SLOW});
    put(lab, 11, &actions, false, 0);
    settle(lab, 3);
    assert_string_equal(dump(lab, true).state.why, "action userspace");
    del(lab, 11);
    place_destroy(lab->place, false);
    buf_free(&actions);
}

static void
note_output(const struct dp_flow_dumped *f, void *output)
{
    assert_non_null(f->key);
    assert_int_equal(f->actions_len, sizeof(struct action_output));
    *(uint32_t *) output = ((const struct action_output *) f->actions)->port;
}

static void
filters_are_adopted_or_swept(void **state)
{
    struct lab *lab = *state;
    struct buf actions = BUF_EMPTY;
    struct flow_key key, mask;
    struct seen s;
    uint8_t frame[2000];
    uint32_t output = 0;

    place_begin(lab, true, PLACE_POLICY_SKIP_HW);
    action_put_output(&actions, lab->b);
    put(lab, 12, &actions, false, 0);
    settle(lab, 1);
    send_udp(lab, 12);
    assert_true(wire_catch(lab->wire_b, frame, sizeof frame, 2000) > 0);
    place_destroy(lab->place, true);
    run("tc filter show dev a1 ingress | grep -q flower");

    place_begin(lab, true, PLACE_POLICY_SKIP_HW);
    s = dump(lab, false);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.state.tier, PLACE_TC);
    assert_int_equal(s.stats.packets, 1);
    assert_int_equal(s.output, lab->b);
    udp_key(lab->a, 12, &key, &mask);
    assert_true(dp_ufid_equal(s.ufid, dp_ufid_of(&key, &mask)));
    flow_key_and(&key, &key, &s.mask);
    flow_key_and(&s.key, &s.key, &s.mask);
    assert_memory_equal(&s.key, &key, sizeof key);
    assert_int_equal(s.mask.tp_src, htons(0xffff));
    assert_int_equal(s.mask.nw_src, 0);
    assert_int_equal(place_flow_get(lab->place, &s.ufid, note_output, &output), 0);
    assert_int_equal(output, lab->b);
    /* A flow beside the adopted one finds a place of its own. */
    put(lab, 13, &actions, false, 0);
    assert_int_equal(settle(lab, 1).flows[PLACE_TC], 2);
    place_destroy(lab->place, true);

    run("tc filter add dev a1 ingress prio 60000 protocol ip flower ip_proto tcp action pass");
    place_begin(lab, false, PLACE_POLICY_NONE);
    assert_int_equal(dump(lab, true).n, 0);
    run("[ $(tc filter show dev a1 ingress | grep -c 'flower.*handle') = 1 ]");
    place_destroy(lab->place, false);
    run("tc qdisc del dev a1 ingress");
    buf_free(&actions);
}

static void
turning_off_takes_flows_back(void **state)
{
    struct lab *lab = *state;
    struct buf actions = BUF_EMPTY;
    uint8_t frame[2000];
    struct seen s;

    place_begin(lab, true, PLACE_POLICY_SKIP_HW);
    action_put_output(&actions, lab->b);
    put(lab, 14, &actions, false, 0);
    settle(lab, 1);
    send_udp(lab, 14);
    assert_true(wire_catch(lab->wire_b, frame, sizeof frame, 2000) > 0);
    place_configure(lab->place, false, PLACE_POLICY_NONE);
    run("! tc filter show dev a1 ingress | grep -q flower");
    send_udp(lab, 14);
    assert_true(wire_catch(lab->wire_b, frame, sizeof frame, 2000) > 0);
    s = dump(lab, true);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.state.tier, PLACE_DP);
    assert_int_equal(s.stats.packets, 2);
    assert_int_equal(s.stats.bytes, 2 * lab->frame_len);
    assert_int_equal(del(lab, 14).packets, 2);
    place_destroy(lab->place, false);
    buf_free(&actions);
}

static void
a_lost_filter_comes_back(void **state)
{
    struct lab *lab = *state;
    struct buf actions = BUF_EMPTY;
    uint8_t frame[2000];

    place_begin(lab, true, PLACE_POLICY_SKIP_HW);
    action_put_output(&actions, lab->b);
    put(lab, 15, &actions, false, 0);
    settle(lab, 1);
    run("tc filter del dev a1 ingress");
    dump(lab, true);
    settle(lab, 1);
    send_udp(lab, 15);
    assert_true(wire_catch(lab->wire_b, frame, sizeof frame, 2000) > 0);
    assert_int_equal(dump(lab, true).n, 1);
    del(lab, 15);
    place_destroy(lab->place, false);
    buf_free(&actions);
}

static void
many_flows(void **state)
{
    struct lab *lab = *state;
    struct flow_key *keys = xcalloc(N_FLOWS, sizeof *keys), mask;
    struct dp_flow_put *puts = xcalloc(N_FLOWS, sizeof *puts);
    struct buf actions = BUF_EMPTY;
    int64_t t0, t1, t2, t3, t4;

    place_begin(lab, true, PLACE_POLICY_SKIP_HW);
    action_put_output(&actions, lab->b);
    for (size_t i = 0; i < N_FLOWS; i++) {
        udp_key(lab->a, (uint16_t) (1000 + i), &keys[i], &mask);
        puts[i] = (struct dp_flow_put){
            .key = &keys[i], .mask = &mask, .actions = actions.data, .actions_len = actions.len};
        puts[i].ufid = dp_ufid_of(&keys[i], &mask);
    }
    t0 = now_us();
    place_flow_put(lab->place, puts, N_FLOWS);
    t1 = now_us();
    assert_int_equal(settle(lab, N_FLOWS).flows[PLACE_TC], N_FLOWS);
    t2 = now_us();
    assert_int_equal(dump(lab, true).n, N_FLOWS);
    t3 = now_us();
    assert_int_equal(place_flow_flush(lab->place), 0);
    t4 = now_us();
    assert_int_equal(dump(lab, true).n, 0);
    printf("us a flow: put %.1f promoted %.1f dump %.1f flush %.1f\n", (double) (t1 - t0) / N_FLOWS,
           (double) (t2 - t0) / N_FLOWS, (double) (t3 - t2) / N_FLOWS, (double) (t4 - t3) / N_FLOWS);
    place_destroy(lab->place, false);
    buf_free(&actions);
    free(keys);
    free(puts);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flow_lives_in_tc),           cmocka_unit_test(reasons_are_told),
        cmocka_unit_test(filters_are_adopted_or_swept), cmocka_unit_test(turning_off_takes_flows_back),
        cmocka_unit_test(a_lost_filter_comes_back),     cmocka_unit_test(many_flows),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
