// SPDX-License-Identifier: Apache-2.0
// What the eBPF datapath decides before a program is asked: which fields its keys have, how actions become records, and which numbers are lent. What the programs
// do with it needs root and a kernel: tests/system/dp_ebpf.c.
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib/dp/ebpf.h"
#include "lib/flow/field.h"
#include "lib/flow/wire.h"

/* Fields that no packet of a device has when it comes in: translation, conntrack and tunnels make them. */
static bool
is_not_of_packets(const struct field *f)
{
    return f->ofs < offsetof(struct flow_key, skb_priority)
           || (f->ofs >= offsetof(struct flow_key, ct_state) && f->ofs < offsetof(struct flow_key, eth_dst));
}

static void
test_every_field_of_packets_is_in_the_key(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(field_table); i++) {
        const struct field *f = &field_table[i];
        struct flow_key key, mask = {.tun_id = 0};
        uint64_t words[EBPF_KEY_WORDS], bits = 0;
        struct ebpf_mask m;
        bool possible;

        memset(&key, 0xff, sizeof key);
        field_unwildcard(f, &mask);
        possible = ebpf_encode_key(&key, &mask, words, &m);
        for (size_t w = 0; w < EBPF_KEY_WORDS; w++) {
            bits |= words[w];
            assert_int_equal(words[w], m.words[w]);
            assert_int_equal(words[w], w < m.n ? flow_key_words(&mask)[m.at[w]] : 0);
        }
        if (possible != !is_not_of_packets(f) && f->ofs / 8 != offsetof(struct flow_key, ct_state) / 8) {
            fail_msg("%s", f->name);
        }
        assert_true(!possible || bits);
    }
}

static const char *
encode(const char *text, struct ebpf_act *acts, uint32_t *n)
{
    struct buf b = BUF_EMPTY;
    char *error = action_parse(text, NULL, &b);
    const char *why;

    if (error) {
        fail_msg("%s: %s", text, error);
    }
    why = ebpf_encode(b.data, b.len, acts, n);
    buf_free(&b);
    return why;
}

static void
test_actions_become_records(void **state)
{
    struct ebpf_act a[EBPF_MAX_ACTS];
    uint32_t n;

    assert_null(encode("drop", a, &n));
    assert_int_equal(n, 0);
    assert_null(encode("3,push_vlan(vid=5,pcp=3),trunc(100),2", a, &n));
    assert_int_equal(n, 3);
    assert_true(a[0].kind == EBPF_ACT_OUTPUT && a[0].arg == 3 && !a[0].last && !a[0].max_len);
    assert_true(a[1].kind == EBPF_ACT_PUSH_VLAN && a[1].arg == 0x81006005);
    assert_true(a[2].kind == EBPF_ACT_OUTPUT && a[2].arg == 2 && a[2].last && a[2].max_len == 100);
    assert_null(encode("set(ipv4(src=1.2.3.4,ttl=64)),2", a, &n));
    assert_int_equal(n, 3);
    assert_true(a[0].kind == EBPF_ACT_WRITE && a[0].layer == EBPF_IPV4 && a[0].at == IP4_SRC && a[0].len == 8);
    assert_int_equal(a[0].sums, EBPF_SUM_IP | EBPF_SUM_PSEUDO);
    assert_memory_equal(a[0].value, "\x01\x02\x03\x04\0\0\0\0", 8);
    assert_memory_equal(a[0].mask, "\xff\xff\xff\xff\0\0\0\0", 8);
    assert_true(a[1].at == IP4_TTL && a[1].value[0] == 64 && a[1].mask[0] == 0xff && a[1].mask[1] == 0 && a[1].sums == EBPF_SUM_IP);
    assert_null(encode("clone(3,clone(2)),recirc(0x7)", a, &n));
    assert_int_equal(n, 3);
    assert_true(a[2].kind == EBPF_ACT_RECIRC && a[2].arg == 7);
}

static void
test_records_are_left_out(void **state)
{
    struct ebpf_act a[EBPF_MAX_ACTS];
    uint32_t n;

    assert_null(encode("sample(sample=50%,actions(3)),2", a, &n));
    assert_int_equal(n, 3);
    assert_true(a[0].kind == EBPF_ACT_SAMPLE && a[0].skip == 1 && a[0].arg > UINT32_MAX / 5 * 2 && a[0].arg < UINT32_MAX / 5 * 3);
    assert_true(a[1].arg == 3 && !a[1].last && a[2].arg == 2 && a[2].last);
    assert_null(encode("check_pkt_len(size=200,gt(push_vlan(vid=5,pcp=3),2),le(3))", a, &n));
    assert_int_equal(n, 5);
    assert_true(a[0].kind == EBPF_ACT_IF_LONGER && a[0].arg == 200 && a[0].skip == 3);
    assert_true(a[2].arg == 2 && a[2].last && a[3].kind == EBPF_ACT_SKIP && a[3].skip == 1 && a[4].arg == 3 && a[4].last);
    /* A meter ends the list that it stands in. */
    assert_null(encode("clone(3,meter(7),3),meter(8),2", a, &n));
    assert_int_equal(n, 5);
    assert_true(a[1].kind == EBPF_ACT_METER && a[1].arg == 7 && a[1].skip == 1);
    assert_true(a[3].kind == EBPF_ACT_METER && a[3].arg == 8 && a[3].skip == 1);
    assert_null(encode("clone(meter(7)),2", a, &n));
    assert_true(n == 2 && a[0].skip == 0);
    /* Outputs of a part come last. */
    assert_null(encode("meter(1),trunc(100),2,3,4", a, &n));
    assert_true(n == 4 && a[0].skip == 3 && a[1].arg == 3 && !a[1].last && a[3].arg == 2 && a[3].max_len == 100 && a[3].last);
    assert_null(encode("clone(trunc(100),2),3", a, &n));
    assert_true(n == 2 && a[0].arg == 3 && !a[0].max_len && a[1].max_len == 100);
}

#define LABEL "push_mpls(label=5,tc=1,ttl=4,bos=1,eth_type=0x8847),"

/* What is done to a copy is between these two; what of the packet has to be put back is said with both. */
static void
test_copies_are_marked(void **state)
{
    struct ebpf_act a[EBPF_MAX_ACTS];
    uint32_t n;

    assert_null(encode("clone(push_vlan(vid=5,pcp=3),3),2", a, &n));
    assert_true(n == 5 && a[0].kind == EBPF_ACT_SAVE && a[0].arg == EBPF_SAVE_TAGS && a[2].arg == 3 && !a[2].last);
    assert_true(a[3].kind == EBPF_ACT_RESTORE && a[3].arg == EBPF_SAVE_TAGS && a[4].arg == 2 && a[4].last);
    assert_null(encode("sample(sample=50%,actions(meter(1),set(eth(src=00:01:02:03:04:05)),3)),2", a, &n));
    assert_true(n == 7 && a[0].skip == 5 && a[1].kind == EBPF_ACT_SAVE && a[1].arg == EBPF_SAVE_BYTES);
    assert_true(a[2].kind == EBPF_ACT_METER && a[2].skip == 2 && a[5].kind == EBPF_ACT_RESTORE); /* Which the meter does not leave out. */
    assert_null(encode("clone(" LABEL "3),set(ipv4(ttl=3)),2", a, &n)); /* Below the labels of the copy alone. */
    assert_true(n == 6 && a[0].kind == EBPF_ACT_SAVE && a[0].arg == (EBPF_SAVE_TAGS | EBPF_SAVE_BYTES | EBPF_SAVE_LABELS) && a[3].kind == EBPF_ACT_RESTORE);
    assert_null(encode("recirc(0x1),3", a, &n));
    assert_true(n == 4 && a[0].kind == EBPF_ACT_SAVE && a[0].arg & EBPF_SAVE_KEY && !a[1].last && a[2].kind == EBPF_ACT_RESTORE && a[3].last);
    assert_null(encode("3,recirc(0x1)", a, &n));
    assert_true(n == 2 && a[1].last);
    /* What a part is sent of is changed no more. */
    assert_null(encode("trunc(100),2,push_vlan(vid=5,pcp=3),3", a, &n));
    assert_true(n == 5 && a[0].kind == EBPF_ACT_SAVE && a[2].arg == 3 && !a[2].last && a[4].arg == 2 && a[4].max_len == 100 && a[4].last);
    assert_null(encode("trunc(100),2,trunc(50),3", a, &n));
    assert_true(n == 2 && a[0].arg == 3 && a[0].max_len == 50 && !a[0].last && a[1].arg == 2 && a[1].max_len == 100 && a[1].last);
}

/* A packet a second, three at once; three kilobits at once. */
static void
test_meter_has_its_buckets(void **state)
{
    const int64_t second = 1000000000;
    struct meter packets = {.unit = METER_PKTPS, .n_bands = 1, .bands = {{.rate = 1, .full_ns = 3 * second}}};
    struct meter bits = {.unit = METER_KBPS, .n_bands = 2, .bands = {{.rate = 1, .full_ns = 3 * second}, {.rate = 100, .full_ns = second}}};
    struct meter none = {.unit = METER_NONE};
    int64_t now = 100 * second;

    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(meter_pass(&packets, 1500, now), i < 3);
        assert_int_equal(meter_pass(&bits, 125, now), i < 3);
        assert_true(meter_pass(&none, 125, now));
    }
    assert_false(meter_pass(&packets, 1500, now + second / 2));
    assert_true(meter_pass(&packets, 1500, now + second));
    assert_false(meter_pass(&packets, 1500, now + second));
    assert_true(meter_pass(&packets, 1500, now + second * 2));
    assert_false(meter_pass(&bits, 376, now + 1000 * second)); /* More than it ever has. */
    assert_true(meter_pass(&bits, 375, now + 1000 * second));
    assert_int_equal(packets.met.packets, 9);
    assert_int_equal(packets.bands[0].dropped.packets, 4);
    assert_int_equal(packets.bands[0].dropped.bytes, 4 * 1500);
    assert_int_equal(bits.bands[0].dropped.packets, 3);
    assert_int_equal(bits.bands[1].dropped.packets, 0);
    assert_int_equal(none.met.packets, 0);
}

static void
test_what_programs_cannot_do_has_a_reason(void **state)
{
    static const struct {
        const char *actions, *why;
    } refused[] = {
        {"ct,recirc(0x1)", "tracks connections"},
        {"recirc(1),recirc(1),recirc(1),recirc(1),recirc(1),recirc(1),recirc(1),recirc(1),recirc(1)", "too often"},
        {"clone(" LABEL LABEL LABEL LABEL LABEL LABEL LABEL LABEL LABEL "3),2", "labels of a copy"},
        {"pop_mpls(eth_type=0x800),set(ipv4(ttl=3)),2", "below them"},
        {"set(tunnel(tun_id=0x5,dst=2.2.2.2,ttl=64,flags(key))),2", "tunnel"},
    };
    struct ebpf_act acts[EBPF_MAX_ACTS];
    struct buf many = BUF_EMPTY;
    uint32_t n;

    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        const char *why = encode(refused[i].actions, acts, &n);

        if (!why || !strstr(why, refused[i].why)) {
            fail_msg("%s: %s", refused[i].actions, why ? why : "not refused");
        }
        assert_int_equal(n, 0);
    }
    for (unsigned i = 0; i <= EBPF_MAX_ACTS; i++) {
        action_put_output(&many, i);
    }
    assert_non_null(ebpf_encode(many.data, many.len, acts, &n));
    assert_null(ebpf_encode(many.data, many.len - sizeof(struct action_output), acts, &n));
    assert_int_equal(n, EBPF_MAX_ACTS);
    buf_free(&many);
}

static void
test_space_is_lent_once(void **state)
{
    static const uint32_t sizes[] = {1, 64, 3, 2, 33, 5};
    struct ebpf_space s;
    bool in_use[1024] = {false};
    uint32_t first[64], lent = 0;
    unsigned n = 0;

    ebpf_space_init(&s, ARRAY_SIZE(in_use));
    for (; n < ARRAY_SIZE(first) && !ebpf_space_get(&s, sizes[n % 6], &first[n]); n++) {
        for (uint32_t i = 0; i < ebpf_space_block(sizes[n % 6]); i++) {
            assert_false(in_use[first[n] + i]);
            in_use[first[n] + i] = true;
            lent++;
        }
    }
    assert_true(n < ARRAY_SIZE(first) && lent > 800);
    memset(&in_use[first[1]], false, 64);
    ebpf_space_put(&s, first[1], 64);
    assert_int_equal(ebpf_space_get(&s, 40, &first[2]), 0); /* After a grace period. */
    assert_int_equal(first[2], first[1]);
    ebpf_space_destroy(&s);

    /* What waits rests when there is enough of it, and is not lent before the end of that. */
    uint32_t number;

    ebpf_space_init(&s, 1024);
    for (uint32_t i = 0; i < 129; i++) {
        assert_int_equal(ebpf_space_get(&s, 1, &number), 0);
        assert_int_equal(number, i);
    }
    for (uint32_t i = 1; i < 128; i++) {
        ebpf_space_put(&s, i * 37 % 128, 1); /* In an order of their own. */
    }
    assert_false(ebpf_space_rest(&s));
    ebpf_space_put(&s, 0, 1);
    assert_true(ebpf_space_rest(&s));
    ebpf_space_put(&s, 128, 1);
    assert_false(ebpf_space_rest(&s)); /* Others do. */
    assert_int_equal(ebpf_space_get(&s, 1, &number), 0);
    assert_int_equal(number, 129);
    ebpf_space_rested(&s);
    for (uint32_t i = 0; i < 128; i++) {
        assert_int_equal(ebpf_space_get(&s, 1, &number), 0);
        assert_int_equal(number, i); /* The lowest first. */
    }
    assert_int_equal(ebpf_space_get(&s, 1, &number), 0);
    assert_int_equal(number, 130);
    ebpf_space_destroy(&s);

    /* Who finds nothing else takes what rests, too, after a grace period of its own; nobody begins another rest before the end of that one. */
    ebpf_space_init(&s, 128);
    for (uint32_t i = 0; i < 128; i++) {
        assert_int_equal(ebpf_space_get(&s, 1, &number), 0);
    }
    for (uint32_t i = 0; i < 64; i++) {
        ebpf_space_put(&s, i, 1);
    }
    assert_true(ebpf_space_rest(&s));
    assert_int_equal(ebpf_space_get(&s, 1, &number), 0);
    for (uint32_t i = 64; i < 128; i++) {
        ebpf_space_put(&s, i, 1);
    }
    assert_false(ebpf_space_rest(&s));
    ebpf_space_rested(&s);
    assert_true(ebpf_space_rest(&s));
    ebpf_space_destroy(&s);

    /* Another daemon finds the room between what is in use. */
    ebpf_space_init(&s, ARRAY_SIZE(in_use));
    ebpf_space_adopt(&s, in_use);
    assert_int_equal(ebpf_space_get(&s, 64, &first[0]), 0);
    assert_int_equal(first[0], first[1]);
    ebpf_space_destroy(&s);
}

/* As if the kernel had the maps. */
static void
table_init(struct ebpf *e, uint32_t n_slots)
{
    e->n_cpus = 2;
    e->config = xzalloc(sizeof *e->config);
    e->table = (struct ebpf_table){
        .n_slots = n_slots,
        .n_heads = EBPF_HEADS,
        .flows = aligned_alloc(64, n_slots * sizeof(struct ebpf_flow_value)),
        .states = xcalloc(n_slots, sizeof(union ebpf_state)),
        .counters = xcalloc((size_t) n_slots * e->n_cpus, sizeof(struct ebpf_counter)),
        .heads = xzalloc(sizeof(struct ebpf_heads)),
        .masks = xcalloc(EBPF_MAX_MASKS, sizeof(struct ebpf_mask)),
    };
    memset(e->table.flows, 0, n_slots * sizeof(struct ebpf_flow_value));
    for (unsigned i = 0; i <= EBPF_KEY_WORDS; i++) {
        e->config->secrets[i] = UINT64_C(0x9e3779b97f4a7c15) * (i + 1);
    }
    e->table.masks[0].n = 1;
}

static void
table_destroy(struct ebpf *e)
{
    free(e->config);
    free(e->table.flows);
    free(e->table.states);
    free(e->table.counters);
    free(e->table.heads);
    free(e->table.masks);
}

static void
test_flow_of_a_packet_is_found(void **state)
{
    static struct ebpf e;
    struct flow_key key = {.in_port = 3, .eth_type = htons(0x0800), .nw_dst = htonl(0x0a000001)}, mask = {.in_port = UINT32_MAX, .nw_dst = UINT32_MAX}, back;
    uint64_t words[EBPF_KEY_WORDS];
    uint32_t slot = 0;

    table_init(&e, 4);
    assert_true(ebpf_encode_key(&key, &mask, words, &e.table.masks[7]));
    e.config->n_masks[0] = 1;
    e.config->order[0][0] = 7;
    assert_int_equal(ebpf_table_add(&e, 2, words, 7, (union ebpf_todo){.n = 1}), 0);
    assert_true(ebpf_table_find(&e, &key, &slot));
    assert_int_equal(slot, 2);
    ebpf_decode_key(words, &e.table.masks[7], &back);
    assert_true(back.in_port == 3 && back.nw_dst == key.nw_dst && !back.eth_type);
    key.ct_mark = 1; /* No packet of the programs has one. */
    assert_false(ebpf_table_find(&e, &key, &slot));
    key.ct_mark = 0;
    key.nw_dst++;
    assert_false(ebpf_table_find(&e, &key, &slot));
    key.nw_dst--;
    ebpf_table_del(&e, 2);
    assert_false(ebpf_table_find(&e, &key, &slot));
    table_destroy(&e);
}

/* A mask of more words than a slot has room for. */
static void
test_long_flow_has_two_slots(void **state)
{
    static struct ebpf e;
    struct flow_key key = {.in_port = 3}, mask = {.in_port = UINT32_MAX};
    uint64_t words[EBPF_KEY_WORDS], there[EBPF_KEY_WORDS];
    uint32_t slot = 0;

    table_init(&e, 4);
    memset(&mask.eth_dst, 0xff, sizeof mask - offsetof(struct flow_key, eth_dst));
    for (size_t i = EBPF_LAYER_FIRST; i < FLOW_KEY_WORDS; i++) {
        flow_key_words(&key)[i] = i;
    }
    assert_true(ebpf_encode_key(&key, &mask, words, &e.table.masks[0]));
    assert_int_equal(ebpf_table_n_slots(&e.table.masks[0]), 2);
    e.config->n_masks[0] = 1;
    assert_int_equal(ebpf_table_add(&e, 1, words, 0, (union ebpf_todo){.n = 1}), 0);
    assert_false(e.table.flows[2].life & 1);
    ebpf_table_words(&e, 1, there);
    assert_memory_equal(there, words, sizeof words);
    assert_true(ebpf_table_find(&e, &key, &slot));
    assert_int_equal(slot, 1);
    flow_key_words(&key)[FLOW_KEY_WORDS - 1]++;
    assert_false(ebpf_table_find(&e, &key, &slot));
    ebpf_table_del(&e, 1);
    assert_false(ebpf_table_has(&e, 1));
    table_destroy(&e);
}

static void
test_deeds_are_shared(void **state)
{
    static struct ebpf e;
    struct buf output = BUF_EMPTY, drop = BUF_EMPTY, vlan = BUF_EMPTY;
    struct ebpf_deed *one, *two, *other;

    htable_init(&e.deeds);
    ebpf_space_init(&e.acts, 2);
    e.table.acts = xcalloc(2, sizeof *e.table.acts);
    action_put_output(&output, 3);
    assert_null(action_parse("push_vlan(vid=7,pcp=0),3", NULL, &vlan));
    one = ebpf_deed_get(&e, output.data, output.len);
    assert_ptr_equal(ebpf_deed_get(&e, output.data, output.len), one);
    assert_true(one->todo.flags & EBPF_FLOW_OUTPUT && one->todo.port == 3);
    other = ebpf_deed_get(&e, drop.data, 0);
    assert_false(other->why || other->todo.flags & EBPF_FLOW_SLOW);
    assert_int_equal(e.acts.used, 0); /* Neither needs records. */
    two = ebpf_deed_get(&e, vlan.data, vlan.len);
    assert_ptr_equal(ebpf_deed_get(&e, vlan.data, vlan.len), two);
    assert_int_equal(e.acts.used, 2);
    ebpf_deed_put(&e, other);

    action_put_output(&vlan, 4); /* Another one, for which there is no room. */
    other = ebpf_deed_get(&e, vlan.data, vlan.len);
    assert_true(other->why == ebpf_no_room && other->todo.flags & EBPF_FLOW_SLOW);
    ebpf_deed_put(&e, two);
    ebpf_deed_put(&e, two);
    ebpf_deed_put(&e, other);
    other = ebpf_deed_get(&e, vlan.data, vlan.len - sizeof(struct action_output));
    assert_null(other->why);
    ebpf_deed_put(&e, other);
    ebpf_deed_put(&e, one);
    ebpf_deed_put(&e, one);
    assert_int_equal(e.deeds.n, 0);
    htable_destroy(&e.deeds);
    ebpf_space_destroy(&e.acts);
    free(e.table.acts);
    buf_free(&output);
    buf_free(&vlan);
}

static void
test_flows_are_found_until_they_go(void **state)
{
    static struct ebpf e;
    uint64_t words[EBPF_KEY_WORDS] = {0};
    uint32_t n = 0, added[64] = {0};

    table_init(&e, 64);
    for (uint32_t i = 0; i < 64; i++) {
        words[0] = i;
        assert_int_equal(ebpf_table_add(&e, i, words, 0, (union ebpf_todo){.n = 1}), 0);
        assert_true(ebpf_table_has(&e, i));
        assert_true(e.table.flows[i].life & 1);
        assert_int_equal(e.table.states[i].life, e.table.flows[i].life);
    }
    for (uint32_t i = 0; i < 64; i += 2) { /* From the ends and the middle of chains. */
        ebpf_table_del(&e, i);
        assert_false(ebpf_table_has(&e, i));
        assert_false(e.table.flows[i].life & 1);
        assert_int_equal(e.table.states[i].life, e.table.flows[i].life);
    }
    for (uint32_t i = 0; i < 64; i++) {
        assert_int_equal(ebpf_table_has(&e, i), i % 2);
    }
    /* The same words again have the same digest: the programs could not tell them apart. */
    words[0] = 1;
    assert_int_equal(ebpf_table_add(&e, 0, words, 0, (union ebpf_todo){.n = 1}), -ENOSPC);
    assert_true(ebpf_table_has(&e, 1));
    for (uint32_t i = 0; i < 64; i++) {
        e.table.flows[i].next = 0;
    }
    memset(e.table.heads, 0, sizeof *e.table.heads);
    e.table.n_heads = 1; /* One chain takes so many and no more. */
    for (uint32_t i = 0; i < 64; i++) {
        words[0] = 1000 + i;
        added[i] = !ebpf_table_add(&e, i, words, 0, (union ebpf_todo){.n = 1});
        n += added[i];
    }
    assert_int_equal(n, EBPF_MAX_CHAIN);
    for (uint32_t i = 0; i < 64; i++) {
        assert_int_equal(!added[i] || ebpf_table_has(&e, i), true);
    }
    table_destroy(&e);
}

static void
test_counters_are_of_all_processors(void **state)
{
    static struct ebpf e;
    struct dp_stats stats = {.packets = 0};

    table_init(&e, 8);
    e.table.counters[3] = (struct ebpf_counter){1, 100, 5000000, 2};
    e.table.counters[8 + 3] = (struct ebpf_counter){2, 300, 3000000, 16};
    ebpf_counters_add(&e, 3, &stats);
    assert_true(stats.packets == 3 && stats.bytes == 400 && stats.used_ms == 5 && stats.tcp_flags == 18);
    ebpf_counters_clear(&e, 3);
    stats = (struct dp_stats){.packets = 0};
    ebpf_counters_add(&e, 3, &stats);
    assert_true(!stats.packets && !stats.bytes && !stats.used_ms && !stats.tcp_flags);
    table_destroy(&e);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field_of_packets_is_in_the_key),
        cmocka_unit_test(test_actions_become_records),
        cmocka_unit_test(test_records_are_left_out),
        cmocka_unit_test(test_copies_are_marked),
        cmocka_unit_test(test_meter_has_its_buckets),
        cmocka_unit_test(test_what_programs_cannot_do_has_a_reason),
        cmocka_unit_test(test_space_is_lent_once),
        cmocka_unit_test(test_flow_of_a_packet_is_found),
        cmocka_unit_test(test_long_flow_has_two_slots),
        cmocka_unit_test(test_deeds_are_shared),
        cmocka_unit_test(test_flows_are_found_until_they_go),
        cmocka_unit_test(test_counters_are_of_all_processors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
