// SPDX-License-Identifier: Apache-2.0
// Matches on the wire: every field there and back in every version, and what is refused.
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "lib/of/oxm.h"

/* A match on 'f' with all that its prerequisites ask for. */
static void
match_on(const struct field *f, struct match *m)
{
    static const struct {
        enum field_prereq prereq;
        uint16_t eth_type;
        uint8_t proto, icmp;
    } needs[] = {
        {FP_ARP, 0x0806, 0, 0},   {FP_IPV4, 0x0800, 0, 0},  {FP_IPV6, 0x86dd, 0, 0},    {FP_IP_ANY, 0x0800, 0, 0},
        {FP_MPLS, 0x8847, 0, 0},  {FP_TCP, 0x0800, 6, 0},   {FP_UDP, 0x86dd, 17, 0},    {FP_SCTP, 0x0800, 132, 0},
        {FP_ICMPV4, 0x0800, 1, 0}, {FP_ICMPV6, 0x86dd, 58, 0}, {FP_ND, 0x86dd, 58, 135}, {FP_ND_SOLICIT, 0x86dd, 58, 135},
        {FP_ND_ADVERT, 0x86dd, 58, 136},
    };

    match_init_any(m);
    for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
        if (needs[i].prereq == f->prereq) {
            m->key.eth_type = htons(needs[i].eth_type);
            m->mask.eth_type = UINT16_MAX;
            m->key.nw_proto = needs[i].proto;
            m->mask.nw_proto = needs[i].proto ? UINT8_MAX : 0;
            if (needs[i].icmp) {
                m->key.tp_src = htons(needs[i].icmp);
                m->mask.tp_src = m->mask.tp_dst = UINT16_MAX;
            }
        }
    }
    if (f->prereq == FP_VLAN_VID) {
        m->key.vlan[0].tci = m->mask.vlan[0].tci = htons(FLOW_VLAN_PRESENT);
    }
    if (f->prereq == FP_CT_VALID) {
        m->key.ct_state = m->mask.ct_state = CT_TRK | CT_EST;
    }
}

static void
test_every_field(void **state)
{
    (void) state;
    for (const struct field *f = field_table; f < &field_table[FIELD_N_IDS]; f++) {
        union field_value value = {{0}};
        struct match m, again;

        match_on(f, &m);
        if (!f->headers[0].name || f->id == FIELD_ETH_TYPE || f->id == FIELD_NW_PROTO || f->id == FIELD_PACKET_TYPE
            || (f->prereq == FP_ND && f->id != FIELD_ND_TARGET)) {
            continue;
        }
        value.b[f->n_bytes - 1] = f->id == FIELD_NW_TOS ? 4 : 1;
        if (f->id == FIELD_VLAN_VID || f->id == FIELD_VLAN_TCI) {
            value.be16 = htons(FLOW_VLAN_PRESENT | 1);
        }
        field_match(f, &value, NULL, &m);
        for (unsigned version = 0; version <= OF15; version = version ? version + 1 : OF12) {
            struct buf b = BUF_EMPTY;

            oxm_encode(&m, version, &b);
            assert_int_equal(oxm_decode(slice_of(b.data, b.len), true, &again, NULL), OFERR_OK);
            if (!match_equal(&m, &again)) {
                fail_msg("%s, version %u", f->name, version);
            }
            buf_free(&b);
        }
    }
}

static enum of_error
decode_hex(const char *hex, bool strict)
{
    uint8_t bytes[64];
    size_t n = 0;
    struct match m;

    for (; hex[0] && hex[1]; hex += 2) {
        char digits[3] = {hex[0], hex[1], 0};

        bytes[n++] = (uint8_t) strtoul(digits, NULL, 16);
    }
    return oxm_decode(slice_of(bytes, n), strict, &m, NULL);
}

static void
test_errors(void **state)
{
    (void) state;
    assert_int_equal(decode_hex("80000a020800", true), OFERR_OK);
    assert_int_equal(decode_hex("80000a02080080000a020800", true), OFERR_OFPBMC_DUP_FIELD);
    assert_int_equal(decode_hex("8000160401020304", true), OFERR_OFPBMC_BAD_PREREQ);
    assert_int_equal(decode_hex("80000a0208008000170801020304ffff0000", true), OFERR_OFPBMC_BAD_WILDCARDS);
    assert_int_equal(decode_hex("80000a0208008000170801020000ffff0000", true), OFERR_OK);
    /* What takes no mask takes one of all bits or of none. */
    assert_int_equal(decode_hex("80000b040800ff00", true), OFERR_OFPBMC_BAD_MASK);
    assert_int_equal(decode_hex("80000b040800ffff", true), OFERR_OK);
    assert_int_equal(decode_hex("80000b0400000000", true), OFERR_OK);
    assert_int_equal(decode_hex("80000a0308000000", true), OFERR_OFPBMC_BAD_FIELD);
    assert_int_equal(decode_hex("80000a0208", true), OFERR_OFPBMC_BAD_LEN);
    assert_int_equal(decode_hex("8000", true), OFERR_OFPBMC_BAD_LEN);
    assert_int_equal(decode_hex("8000fe0208000000", true), OFERR_OFPBMC_BAD_FIELD);
    assert_int_equal(decode_hex("8000fe020800", false), OFERR_OK);
    assert_int_equal(decode_hex("8000fe200800", false), OFERR_OFPBMC_BAD_LEN);
    assert_int_equal(decode_hex("80000a02080080001001ff", true), OFERR_OFPBMC_BAD_VALUE); /* DSCP has 6 bits. */
    assert_int_equal(decode_hex("80000004ffffff05", true), OFERR_OK);
    assert_int_equal(decode_hex("8000000400ffff05", true), OFERR_OFPBMC_BAD_VALUE);
}

static void
test_cookie(void **state)
{
    struct oxm_cookie cookie = {0x1200, 0xff00}, got;
    struct buf b = BUF_EMPTY;
    struct match m;

    (void) state;
    oxm_encode_cookie(&cookie, &b);
    assert_int_not_equal(oxm_decode(slice_of(b.data, b.len), true, &m, NULL), OFERR_OK);
    assert_int_equal(oxm_decode(slice_of(b.data, b.len), true, &m, &got), OFERR_OK);
    assert_true(got.value == cookie.value && got.mask == cookie.mask);
    oxm_encode_cookie(&cookie, &b);
    assert_int_equal(oxm_decode(slice_of(b.data, b.len), true, &m, &got), OFERR_OFPBMC_DUP_FIELD);
    buf_free(&b);
}

/* What both fixed structures can say comes back as it was. */
static void
test_fixed(void **state)
{
    struct match m, again;
    struct buf b = BUF_EMPTY;

    (void) state;
    match_init_any(&m);
    m.key.in_port = 3;
    m.mask.in_port = UINT32_MAX;
    m.key.eth_src = (struct eth_addr){{2, 0, 0, 0, 0, 1}};
    memset(&m.mask.eth_src, 0xff, sizeof m.mask.eth_src);
    m.key.eth_type = htons(0x0800);
    m.mask.eth_type = UINT16_MAX;
    m.key.nw_src = htonl(0x0a010000);
    m.mask.nw_src = htonl(0xffff0000);
    m.key.nw_proto = 6;
    m.mask.nw_proto = 0xff;
    m.key.tp_dst = htons(80);
    m.mask.tp_dst = UINT16_MAX;
    m.key.vlan[0].tci = htons(FLOW_VLAN_PRESENT | 7);
    m.mask.vlan[0].tci = htons(FLOW_VLAN_PRESENT | 0xfff);
    for (int version = OF10; version <= OF15; version++) {
        struct slice s;

        buf_clear(&b);
        of_match_put(&m, (enum of_version) version, &b);
        s = slice_of(b.data, b.len);
        assert_int_equal(of_match_pull(&s, (enum of_version) version, true, &again), OFERR_OK);
        assert_int_equal(s.len, 0);
        assert_true(match_equal(&m, &again));
    }
    buf_free(&b);
}

/* 1.0 leaves out what prerequisites do not allow: a port without a protocol. */
static void
test_of10_normal(void **state)
{
    uint8_t wire[OF10_MATCH_LEN] = {0};
    struct match m;

    (void) state;
    wire[1] = 0x30, wire[2] = 0xff, wire[3] = 0x7f; /* All wild but the destination port. */
    wire[39] = 80;
    of10_match_decode(wire, &m);
    assert_int_equal(m.mask.tp_dst, 0);
    of10_match_encode(&m, wire);
    assert_int_equal(wire[39], 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field), cmocka_unit_test(test_errors),      cmocka_unit_test(test_cookie),
        cmocka_unit_test(test_fixed),       cmocka_unit_test(test_of10_normal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
