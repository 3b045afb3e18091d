// SPDX-License-Identifier: Apache-2.0
// The field table: generated round trips over every row, prerequisites, TLV headers, subfields.
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "lib/flow/wide.h"

/* Deterministic pseudo-random numbers (xorshift64*), so that a failure can be run again. */
static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t
rnd(void)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return seed * UINT64_C(0x2545f4914f6cdd1d);
}

/* A value that the field can have. */
static void
random_value(const struct field *f, union field_value *v)
{
    u128 x = ((u128) rnd() << 64 | rnd()) & low_bits128(f->n_bits);

    if (f->place == FIELD_TOS) {
        x &= 0xfc;
    } else if (f->id == FIELD_ARP_OP || f->id == FIELD_CT_STATE) {
        x &= 0xff;
    }
    value_store(x, f->n_bytes, v);
    assert_true(field_value_valid(f, v));
}

static void
test_set_then_get(void **state)
{
    for (int i = 0; i < FIELD_N_IDS; i++) {
        for (int round = 0; round < 100; round++) {
            const struct field *f = &field_table[i];
            union field_value v, got;
            struct flow_key key;

            memset(&key, round & 1 ? 0xff : 0, sizeof key);
            random_value(f, &v);
            field_set(f, &v, &key);
            field_get(f, &key, &got);
            assert_memory_equal(&v, &got, sizeof v);
        }
    }
}

/* A set touches no other bit than those that unwildcard names. */
static void
test_set_stays_in_its_bits(void **state)
{
    for (int i = 0; i < FIELD_N_IDS; i++) {
        const struct field *f = &field_table[i];
        struct flow_key mask = {0}, a = {0}, b;
        union field_value v;

        field_unwildcard(f, &mask);
        random_value(f, &v);
        field_set(f, &v, &a);
        a.vlan[0].tpid = 0; /* A tag gets a TPID. */
        flow_key_and(&b, &a, &mask);
        assert_memory_equal(&a, &b, sizeof a);
    }
}

static void
test_match_and_masks(void **state)
{
    for (int i = 0; i < FIELD_N_IDS; i++) {
        const struct field *f = &field_table[i];
        union field_value v, mask, got;
        struct match m;
        struct flow_key all = {0};

        random_value(f, &v);
        match_init_any(&m);
        field_match(f, &v, NULL, &m);
        field_get_mask(f, &m.mask, &got);
        assert_true(field_mask_is_exact(f, &got) || f->id == FIELD_CT_STATE);
        field_unwildcard(f, &all);
        assert_memory_equal(&all, &m.mask, sizeof all);
        field_get(f, &m.key, &got);
        assert_memory_equal(&v, &got, sizeof v);

        if (f->maskable) {
            random_value(f, &mask);
            field_match(f, &v, &mask, &m);
            field_get_mask(f, &m.mask, &got);
            assert_memory_equal(&mask, &got, sizeof mask);
            field_get(f, &m.key, &got);
            for (size_t j = 0; j < sizeof got.b; j++) {
                assert_int_equal(got.b[j], v.b[j] & mask.b[j]);
            }
            assert_true(match_covers(&m, &m.key));
        }
    }
}

static void
test_headers(void **state)
{
    for (int i = 0; i < FIELD_N_IDS; i++) {
        const struct field *f = &field_table[i];

        assert_ptr_equal(field_by_name(f->name, strlen(f->name)), f);
        if (f->alias) {
            assert_ptr_equal(field_by_name(f->alias, strlen(f->alias)), f);
        }
        for (unsigned version = 0; version <= 6; version++) {
            uint64_t h = field_header(f, version, version & 1);

            if (!h) {
                assert_null(f->headers[0].name);
                continue;
            }
            assert_ptr_equal(field_by_header(h), f);
            assert_int_equal(field_header_is_masked(h), version & 1);
            assert_int_equal(field_header_length(h), field_wire_length(f, h));
        }
        for (int j = 0; j < FIELD_N_HEADERS && f->headers[j].name; j++) {
            assert_ptr_equal(field_by_nxm_name(f->headers[j].name, strlen(f->headers[j].name)), f);
        }
    }
    assert_int_equal(field_header(&field_table[FIELD_IN_PORT], 0, false), UINT64_C(0x0000000200000000));
    assert_int_equal(field_header(&field_table[FIELD_ETH_DST], 4, true), UINT64_C(0x8000070c00000000));
    assert_int_equal(field_header(&field_table[FIELD_TCP_FLAGS], 0, false), UINT64_C(0x0001440200000000));
    assert_int_equal(field_header(&field_table[FIELD_TCP_FLAGS], 4, false), UINT64_C(0xffff54064f4e4600));
    assert_int_equal(field_header(&field_table[FIELD_TCP_FLAGS], 6, false), UINT64_C(0x8000540200000000));
    assert_null(field_by_header(UINT64_C(0x0001fe0400000000)));
    assert_null(field_by_header(UINT64_C(0xffff540612345678)));
    assert_null(field_by_name("eth_sr", 6));
}

static void
put(struct match *m, enum field_id id, uint64_t x)
{
    union field_value v;

    value_store(x, field_table[id].n_bytes, &v);
    field_match(&field_table[id], &v, NULL, m);
}

static bool
has(const struct match *m, enum field_id id)
{
    return field_match_prereqs_ok(&field_table[id], m);
}

static void
test_prerequisites(void **state)
{
    struct match m;

    match_init_any(&m);
    assert_false(has(&m, FIELD_IP_SRC));
    put(&m, FIELD_ETH_TYPE, 0x0800);
    assert_true(has(&m, FIELD_IP_SRC));
    assert_false(has(&m, FIELD_TCP_SRC));
    put(&m, FIELD_NW_PROTO, 6);
    assert_true(has(&m, FIELD_TCP_SRC));
    assert_false(has(&m, FIELD_UDP_SRC));
    put(&m, FIELD_IP_FRAG, 3);
    assert_false(has(&m, FIELD_TCP_SRC));

    match_init_any(&m);
    put(&m, FIELD_ETH_TYPE, 0x86dd);
    put(&m, FIELD_NW_PROTO, 58);
    put(&m, FIELD_ICMPV6_TYPE, 135);
    put(&m, FIELD_ICMPV6_CODE, 0);
    assert_true(has(&m, FIELD_ND_TARGET));
    assert_true(has(&m, FIELD_ND_SLL));
    assert_false(has(&m, FIELD_ND_TLL));
    assert_false(has(&m, FIELD_VLAN_PCP));
    put(&m, FIELD_VLAN_VID, 0x1005);
    assert_true(has(&m, FIELD_VLAN_PCP));

    assert_false(has(&m, FIELD_CT_NW_SRC));
    put(&m, FIELD_CT_STATE, CT_TRK);
    assert_true(has(&m, FIELD_CT_NW_SRC));
    m.mask.ct_state = CT_TRK;
    assert_false(has(&m, FIELD_CT_NW_SRC));
    put(&m, FIELD_CT_STATE, CT_NEW);
    assert_true(has(&m, FIELD_CT_NW_SRC));
}

/* What was looked at to know a packet's layout is in the mask, and nothing more. */
static void
test_prerequisite_mask(void **state)
{
    struct flow_key key = {.eth_type = htons(0x0800), .nw_proto = 17}, mask = {0};

    assert_false(field_prereqs_ok(&field_table[FIELD_ARP_OP], &key, &mask));
    assert_int_equal(mask.eth_type, 0xffff);
    assert_int_equal(mask.nw_proto, 0);
    assert_false(field_prereqs_ok(&field_table[FIELD_TCP_SRC], &key, &mask));
    assert_int_equal(mask.nw_proto, 0xff);
    assert_int_equal(mask.nw_frag, 0);
    assert_true(field_prereqs_ok(&field_table[FIELD_UDP_SRC], &key, &mask));
    assert_int_equal(mask.nw_frag, 3);
}

static void
check_list(const struct match *m, unsigned version, const char *expected)
{
    struct field_match list[FIELD_N_IDS];
    size_t n = field_match_list(m, version, list);
    struct buf b = BUF_EMPTY;

    for (size_t i = 0; i < n; i++) {
        uint64_t h = field_header(list[i].field, version, !list[i].exact);

        buf_putf(&b, "%s%s%s", i ? "," : "", field_by_header(h)->name, list[i].exact ? "" : "/m");
    }
    assert_string_equal(buf_text(&b), expected);
    buf_free(&b);
}

/* Everything is said once, in the form of the version. */
static void
test_lists(void **state)
{
    struct match m;

    match_init_any(&m);
    check_list(&m, 0, "");
    put(&m, FIELD_IN_PORT, 0xfffe);
    assert_int_equal(m.key.in_port, 0xfffffffe);
    put(&m, FIELD_ETH_TYPE, 0x0800);
    put(&m, FIELD_DL_VLAN, 5);
    put(&m, FIELD_DL_VLAN_PCP, 3);
    put(&m, FIELD_NW_TOS, 0xf0);
    put(&m, FIELD_NW_PROTO, 6);
    put(&m, FIELD_TCP_DST, 80);
    put(&m, FIELD_REG0, 1);
    put(&m, FIELD_CT_STATE, CT_NEW);
    check_list(&m, 0, "in_port,eth_type,vlan_tci,nw_tos,nw_proto,tcp_dst,reg0,ct_state/m");
    check_list(&m, 4, "in_port_oxm,eth_type,vlan_vid,vlan_pcp,ip_dscp,nw_proto,tcp_dst,reg0,ct_state/m");
    check_list(&m, 6, "in_port_oxm,eth_type,vlan_vid,vlan_pcp,ip_dscp,nw_proto,tcp_dst,xreg0/m,ct_state/m");

    match_init_any(&m);
    put(&m, FIELD_ETH_TYPE, 0x0806);
    put(&m, FIELD_ARP_OP, 1);
    put(&m, FIELD_ARP_SPA, 1);
    put(&m, FIELD_ARP_SHA, 1);
    check_list(&m, 0, "eth_type,arp_op,arp_spa,arp_sha");
}

static void
test_vlan(void **state)
{
    struct flow_key key = {0};
    union field_value v;
    struct match m;

    value_store(5, 2, &v);
    field_set(&field_table[FIELD_DL_VLAN], &v, &key);
    assert_int_equal(ntohs(key.vlan[0].tci), 0x1005);
    assert_int_equal(ntohs(key.vlan[0].tpid), 0x8100);
    value_store(3, 1, &v);
    field_set(&field_table[FIELD_VLAN_PCP], &v, &key);
    assert_int_equal(ntohs(key.vlan[0].tci), 0x7005);
    field_get(&field_table[FIELD_VLAN_VID], &key, &v);
    assert_int_equal(ntohs(v.be16), 0x1005);
    value_store(0xffff, 2, &v);
    field_set(&field_table[FIELD_DL_VLAN], &v, &key);
    assert_int_equal(key.vlan[0].tci | key.vlan[0].tpid, 0);

    match_init_any(&m);
    field_match(&field_table[FIELD_DL_VLAN], &v, NULL, &m);
    assert_int_equal(m.key.vlan[0].tci, 0);
    assert_int_equal(m.mask.vlan[0].tci, 0xffff);
}

static void
test_subfields(void **state)
{
    struct subfield sf = {&field_table[FIELD_XXREG0], 60, 8};
    struct flow_key key = {0}, mask = {0};
    union field_value v;
    struct buf b = BUF_EMPTY;

    subfield_set(&sf, 0xa5, &key);
    assert_int_equal(key.regs[1], 0xa);
    assert_int_equal(key.regs[2], 0x50000000);
    assert_int_equal(subfield_get(&sf, &key), 0xa5);
    subfield_unwildcard(&sf, &mask);
    assert_int_equal(mask.regs[1], 0xf);
    assert_int_equal(mask.regs[2], 0xf0000000);
    subfield_get_wide(&sf, &key, &v);
    assert_int_equal(v.b[15], 0xa5);
    v.b[15] = 0x5a;
    subfield_set_wide(&sf, &v, &key);
    assert_int_equal(subfield_get(&sf, &key), 0x5a);
    subfield_format(&sf, &b);
    buf_putc(&b, ' ');
    subfield_format(&(struct subfield){&field_table[FIELD_ETH_SRC], 0, 48}, &b);
    buf_putc(&b, ' ');
    subfield_format(&(struct subfield){&field_table[FIELD_METADATA], 3, 1}, &b);
    assert_string_equal(buf_text(&b), "NXM_NX_XXREG0[60..67] NXM_OF_ETH_SRC[] OXM_OF_METADATA[3]");
    buf_free(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_then_get),    cmocka_unit_test(test_set_stays_in_its_bits),
        cmocka_unit_test(test_match_and_masks), cmocka_unit_test(test_headers),
        cmocka_unit_test(test_prerequisites),   cmocka_unit_test(test_prerequisite_mask),
        cmocka_unit_test(test_lists),           cmocka_unit_test(test_vlan),
        cmocka_unit_test(test_subfields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
