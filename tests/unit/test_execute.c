// SPDX-License-Identifier: Apache-2.0
// Execution of datapath actions: what goes out where, with which bytes, in which order.
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib/dp/execute.h"

/* What an execution did, as text: "1:60" is 60 bytes to port 1, "up:60" an upcall, "recirc(3):60". */
struct trace {
    struct buf text;
    struct flow_key last;
    uint32_t random;
    bool meter_passes;
};

static void
on_output(uint32_t port, struct packet *p, const struct flow_key *key, bool last, void *trace_)
{
    struct trace *t = trace_;

    buf_putf(&t->text, "%u:%u ", port, p->len);
    t->last = *key;
    packet_extract(p, &t->last);
    assert_true(p->len < 100 || !memcmp(&t->last, key, sizeof *key)); /* Unless truncated. */
}

static void
on_userspace(const struct action_userspace *a, struct packet *p, const struct flow_key *key, void *trace_)
{
    struct trace *t = trace_;

    buf_putf(&t->text, "up(%u):%u ", a->cookie.controller_id, p->len);
    t->last = *key;
}

static void
on_recirc(uint32_t id, struct packet *p, const struct flow_key *key, void *trace_)
{
    struct trace *t = trace_;

    assert_int_equal(key->recirc_id, id);
    buf_putf(&t->text, "recirc(%u):%u ", id, p->len);
    t->last = *key;
    packet_push_vlan(p, htons(0x8100), htons(9)); /* Must not be seen by what follows. */
}

static bool
on_meter(uint32_t id, struct packet *p, void *trace_)
{
    struct trace *t = trace_;

    buf_putf(&t->text, "meter(%u) ", id);
    return t->meter_passes;
}

static uint32_t
on_random(void *trace_)
{
    return ((struct trace *) trace_)->random;
}

static const struct execute_ops ops = {
    .keyed_output = true, .output = on_output, .userspace = on_userspace, .recirc = on_recirc, .meter = on_meter, .random = on_random,
};

static struct packet *
a_packet(struct flow_key *key)
{
    *key = (struct flow_key){.in_port = 5, .eth_type = htons(0x0800), .nw_proto = 17, .nw_ttl = 64, .nw_src = htonl(0x0a000001), .tp_dst = htons(53)};
    return packet_compose(key, 58); /* 100 bytes. */
}

static void
check_after(struct buf *list, struct trace *t, int error, const char *expected)
{
    struct flow_key key;
    struct packet *p = a_packet(&key);

    buf_clear(&t->text);
    assert_int_equal(execute_actions(p, &key, list->data, list->len, &ops, t), error);
    assert_string_equal(buf_text(&t->text), expected);
    packet_free(p);
    buf_free(list);
}

static void
test_outputs_and_edits_in_order(void **unused)
{
    struct buf list = BUF_EMPTY;
    struct trace t = {.text = BUF_EMPTY};
    struct action_push_vlan *vlan;
    struct action_set *set;

    action_put_output(&list, 1);
    vlan = action_put(&list, ACTION_PUSH_VLAN, sizeof *vlan);
    vlan->tpid = htons(0x8100);
    vlan->tci = htons(0x1007);
    action_put_output(&list, 2);
    set = action_put(&list, ACTION_SET, sizeof *set);
    set->group = SET_IPV4;
    set->masked = 1;
    set->key.nw_ttl = 63;
    set->mask.nw_ttl = 0xff;
    action_put(&list, ACTION_POP_VLAN, sizeof(struct action_empty));
    set = action_put(&list, ACTION_SET, sizeof *set);
    set->group = SET_SKB_PRIORITY;
    set->key.skb_priority = 77;
    set->mask.skb_priority = UINT32_MAX;
    action_put_output(&list, 3);
    check_after(&list, &t, 0, "1:100 2:104 3:100 ");
    assert_int_equal(t.last.nw_ttl, 63);
    assert_int_equal(t.last.skb_priority, 77);
    assert_int_equal(t.last.vlan[0].tci, 0);
    assert_int_equal(t.last.in_port, 5);

    check_after(&list, &t, 0, "");
    action_put(&list, ACTION_DROP, sizeof(struct action_empty));
    action_put_output(&list, 3);
    check_after(&list, &t, 0, "");
    buf_free(&t.text);
}

static void
test_truncation_is_for_one_output(void **unused)
{
    struct buf list = BUF_EMPTY;
    struct trace t = {.text = BUF_EMPTY};

    ((struct action_trunc *) action_put(&list, ACTION_TRUNC, sizeof(struct action_trunc)))->max_len = 60;
    action_put_output(&list, 1);
    action_put_output(&list, 2);
    ((struct action_trunc *) action_put(&list, ACTION_TRUNC, sizeof(struct action_trunc)))->max_len = 200;
    action_put_output(&list, 3);
    check_after(&list, &t, 0, "1:60 2:100 3:100 ");
    buf_free(&t.text);
}

static void
test_nested_lists_do_not_leak(void **unused)
{
    struct buf list = BUF_EMPTY;
    struct trace t = {.text = BUF_EMPTY, .random = 1000};
    struct action_push_vlan *vlan;
    size_t nest;

    for (uint32_t probability = 999; probability <= 1001; probability += 2) {
        nest = action_nest_begin(&list, ACTION_SAMPLE, sizeof(struct action_sample));
        ((struct action_sample *) (void *) (list.data + nest))->probability = probability;
        vlan = action_put(&list, ACTION_PUSH_VLAN, sizeof *vlan);
        vlan->tpid = htons(0x8100);
        action_put_output(&list, probability);
        action_nest_end(&list, nest);
    }
    nest = action_nest_begin(&list, ACTION_CLONE, sizeof(struct action_clone));
    vlan = action_put(&list, ACTION_PUSH_VLAN, sizeof *vlan);
    vlan->tpid = htons(0x8100);
    action_put_output(&list, 7);
    action_nest_end(&list, nest);
    action_put_output(&list, 8);
    check_after(&list, &t, 0, "1001:104 7:104 8:100 ");
    buf_free(&t.text);
}

static void
test_length_decides(void **unused)
{
    for (unsigned len = 99; len <= 100; len++) {
        struct buf list = BUF_EMPTY;
        struct trace t = {.text = BUF_EMPTY};
        struct action_check_len *c;
        size_t nest = action_nest_begin(&list, ACTION_CHECK_LEN, sizeof *c), greater;

        action_put_output(&list, 1);
        greater = list.len - nest - sizeof *c;
        action_put_output(&list, 2);
        action_nest_end(&list, nest);
        c = (struct action_check_len *) (void *) (list.data + nest);
        c->len = (uint16_t) len;
        c->greater_size = (uint32_t) greater;
        check_after(&list, &t, 0, len == 99 ? "1:100 " : "2:100 ");
        buf_free(&t.text);
    }
}

static void
test_recirculation_hash_and_meters(void **unused)
{
    struct buf list = BUF_EMPTY;
    struct trace t = {.text = BUF_EMPTY, .meter_passes = true};
    struct upcall_cookie cookie = {.reason = UPCALL_CONTROLLER, .controller_id = 4};

    action_put(&list, ACTION_HASH, sizeof(struct action_hash));
    ((struct action_recirc *) action_put(&list, ACTION_RECIRC, sizeof(struct action_recirc)))->id = 3;
    action_put_userspace(&list, UPCALL_PID_AUTO, &cookie);
    check_after(&list, &t, 0, "recirc(3):100 up(4):100 ");
    assert_int_equal(t.last.recirc_id, 0);
    assert_int_not_equal(t.last.dp_hash, 0);

    for (int passes = 0; passes < 2; passes++) {
        t.meter_passes = passes;
        ((struct action_meter *) action_put(&list, ACTION_METER, sizeof(struct action_meter)))->id = 6;
        action_put_output(&list, 1);
        check_after(&list, &t, 0, passes ? "meter(6) 1:100 " : "meter(6) ");
    }
    buf_free(&t.text);
}

static void
test_what_cannot_be_done_is_refused(void **unused)
{
    struct buf list = BUF_EMPTY;
    struct trace t = {.text = BUF_EMPTY};
    size_t nests[40];

    action_put_output(&list, 1);
    action_put(&list, ACTION_CT, sizeof(struct action_ct));
    action_put_output(&list, 2);
    check_after(&list, &t, -EOPNOTSUPP, "1:100 ");

    for (size_t i = 0; i < ARRAY_SIZE(nests); i++) {
        nests[i] = action_nest_begin(&list, ACTION_CLONE, sizeof(struct action_clone));
    }
    action_put_output(&list, 1);
    for (size_t i = ARRAY_SIZE(nests); i-- > 0;) {
        action_nest_end(&list, nests[i]);
    }
    check_after(&list, &t, -EOPNOTSUPP, "");
    buf_free(&t.text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outputs_and_edits_in_order),  cmocka_unit_test(test_truncation_is_for_one_output),
        cmocka_unit_test(test_nested_lists_do_not_leak),    cmocka_unit_test(test_length_decides),
        cmocka_unit_test(test_recirculation_hash_and_meters), cmocka_unit_test(test_what_cannot_be_done_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
