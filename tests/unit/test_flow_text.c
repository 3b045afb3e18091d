// SPDX-License-Identifier: Apache-2.0
// Text of fields, matches and packets. The strings are what ovs-ofctl(8) 3.1 and ofproto/trace print.
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "lib/flow/text.h"

static void
check_match(const char *in, const char *expected)
{
    struct buf b = BUF_EMPTY;
    struct match m;
    unsigned priority;
    char *error = match_parse(in, NULL, &m, &priority);

    if (error) {
        buf_puts(&b, error);
        free(error);
    } else {
        match_format(&m, (int) priority, NULL, &b);
    }
    assert_string_equal(buf_text(&b), expected);
    buf_free(&b);
}

static void
test_canonical_matches(void **state)
{
    static const char *const list[] = {
        "",
        ("priority=5,pkt_mark=0x1/0xf,recirc_id=0x3,dp_hash=0/0x2,conj_id=3,actset_output=2,ct_state=+new-inv,ct_zone=3,ct_mark=0x4/0xff,"
         "ct_label=0x55/0xff,ct_nw_src=1.1.1.0/24,ct_nw_dst=2.2.2.2,ct_nw_proto=6,ct_tp_src=0x10/0xfff0,ct_tp_dst=2,eth,tcp,reg0=0x1,reg3=0x5/0xff,"
         "reg8=0,reg9=0x5,tun_id=0x5,tun_src=1.1.1.1,tun_dst=2.0.2.0/255.0.255.0,tun_gbp_id=4,tun_gbp_flags=0x8,tun_flags=+oam,metadata=0x5/0xff,"
         "in_port=4,dl_vlan=4,dl_vlan_pcp=3,dl_src=00:11:22:33:44:55,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,nw_src=10.0.0.0/8,nw_dst=1.1.1.1,"
         "nw_tos=16,nw_ecn=1,nw_ttl=5,nw_frag=not_later,tp_src=5,tp_dst=0x10/0xfff0,tcp_flags=+syn-ack"),
        ("ct_state=+est,ct_ipv6_src=::/16,ct_nw_proto=1,ct_tp_src=4,udp6,tun_ipv6_src=::1,tun_ipv6_dst=fe80::/64,ipv6_src=::1,ipv6_dst=fe80::/10,"
         "ipv6_label=0x00005,tp_src=5"),
        "ipv6,ipv6_label=0x00005/0x0000f,nw_proto=200",
        "ip,nw_proto=200,nw_frag=later",
        "ip,nw_frag=no",
        "ip,nw_frag=yes",
        "ip,nw_frag=first",
        "arp,arp_spa=1.1.1.1,arp_tpa=1.1.1.0/24,arp_op=1,arp_sha=00:11:22:33:44:55,arp_tha=00:00:00:00:00:00/01:00:00:00:00:00",
        "rarp,arp_op=1",
        "icmp,icmp_type=3,icmp_code=0",
        "icmp6,icmp_type=135,icmp_code=0,nd_target=::1,nd_sll=00:11:22:33:44:55,nd_reserved=5,nd_options_type=1",
        "icmp6,icmp_type=136,icmp_code=0,nd_target=::1,nd_tll=00:11:22:33:44:55",
        "mpls,mpls_label=5,mpls_tc=2,mpls_ttl=4,mpls_bos=1",
        "mplsm,mpls_label=4",
        "dl_vlan=291,dl_vlan_pcp=0",
        "vlan_tci=0x0000",
        "vlan_tci=0x1000/0x1000",
        "vlan_tci=0x1005/0x10ff",
        "dl_vlan_pcp=4",
        "metadata=0x5,dl_type=0x0600",
        "sctp6,tp_dst=0x4/0x7",
        "udp,tp_src=0x0/0x8000",
        "in_port=LOCAL",
        "tcp,tcp_flags=syn|ack",
        "tcp,tcp_flags=-ns+[200]-[400]-[800]",
        "tcp,tcp_flags=0",
        "tun_flags=-oam",
        "ct_state=+new-est+trk",
        "ct_state=new|trk",
        "ct_label=0x123456789abcdef0123456789",
        "ip,nw_src=0.0.0.0/0.0.0.1",
        "ipv6,ipv6_src=::1/::ffff",
        "packet_type=(1,0x800)",
        "actset_output=UNSET",
    };

    for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
        check_match(list[i], list[i]);
    }
}

static void
test_other_ways_to_say_it(void **state)
{
    static const char *const list[][2] = {
        {"vlan_vid=0x1005", "dl_vlan=5"},
        {"vlan_vid=0", "vlan_tci=0x0000/0x1fff"},
        {"dl_vlan=0xffff", "vlan_tci=0x0000"},
        {"dl_type=0x800,nw_proto=6", "tcp"},
        {"dl_type=0x86dd nw_proto=6", "tcp6"},
        {"tp_src=4,tcp", "tcp,tp_src=4"},
        {"udp,udp_src=4", "udp,tp_src=4"},
        {"tp_src=4", ""},
        {"icmp,tp_src=4", "icmp,icmp_type=4"},
        {"arp,nw_src=1.1.1.1", "arp,arp_spa=1.1.1.1"},
        {"arp,nw_proto=2", "arp,arp_op=2"},
        {"ip_dscp=4,ip", "ip,nw_tos=16"},
        {"ip,nw_tos=255", "ip,nw_tos=252"},
        {"xxreg0=5/0xff", "reg3=0x5/0xff"},
        {"in_port=65534", "in_port=LOCAL"},
        {"in_port=controller", "in_port=CONTROLLER"},
        {"reg0=5/0", ""},
        {"ip,nw_src=1.2.3.4/0", "ip"},
        {"ct_state=0x21/0x23", "ct_state=+new-est+trk"},
        {"ip,nw_src=1.1.1.1/33", "1.1.1.1/33: invalid IP address"},
        {"ipv6,ipv6_src=1.1.1.1", "1.1.1.1: invalid IPv6 address"},
        {"dl_vlan=5/7", "5/7: invalid mask for field dl_vlan"},
        {"reg0=0x123456789", "0x123456789: value too large for 4-byte field reg0"},
        {"reg0=foo", "foo: bad syntax for reg0 value"},
        {"dl_src=00:11:22:33:44", "00:11:22:33:44: invalid Ethernet address"},
        {"ct_state=+new+foo", "+new+foo: unknown ct_state flag(s)"},
        {"priority=70000", "invalid priority \"70000\""},
        {"foo=4", "unknown keyword foo"},
        {"in_port=70000", "70000: invalid or unknown port for in_port"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
        check_match(list[i][0], list[i][1]);
    }
}

static void
check_key(const char *in, const char *expected)
{
    struct buf b = BUF_EMPTY;
    struct flow_key key;
    char *error = flow_key_parse(in, NULL, &key);

    if (error) {
        buf_puts(&b, error);
        free(error);
    } else {
        flow_key_format(&key, NULL, &b);
    }
    assert_string_equal(buf_text(&b), expected);
    buf_free(&b);
}

#define NO_MAC "dl_src=00:00:00:00:00:00,dl_dst=00:00:00:00:00:00"
#define NO_IP "nw_src=0.0.0.0,nw_dst=0.0.0.0"

static void
test_keys(void **state)
{
    static const char *const list[][2] = {
        {"in_port=1,ip,nw_dst=10.0.0.1,nw_frag=first",
         "ip,in_port=1,vlan_tci=0x0000," NO_MAC ",nw_src=0.0.0.0,nw_dst=10.0.0.1,nw_proto=0,nw_tos=0,nw_ecn=0,nw_ttl=0,nw_frag=first"},
        {"in_port=1,tcp,tcp_dst=80,tcp_flags=syn",
         "tcp,in_port=1,vlan_tci=0x0000," NO_MAC "," NO_IP ",nw_tos=0,nw_ecn=0,nw_ttl=0,nw_frag=no,tp_src=0,tp_dst=80,tcp_flags=syn"},
        {"in_port=1,arp", "arp,in_port=1,vlan_tci=0x0000," NO_MAC
                          ",arp_spa=0.0.0.0,arp_tpa=0.0.0.0,arp_op=0,arp_sha=00:00:00:00:00:00,arp_tha=00:00:00:00:00:00"},
        {"in_port=1,mpls,mpls_label=5", "mpls,in_port=1,vlan_tci=0x0000," NO_MAC
                                        ",mpls_label=5,mpls_tc=0,mpls_ttl=0,mpls_bos=0,mpls_lse1=0,mpls_lse2=0"},
        {"", "in_port=ANY,vlan_tci=0x0000," NO_MAC ",dl_type=0x0000"},
        {"in_port=1,dl_vlan=9,dl_vlan_pcp=3", "in_port=1,dl_vlan=9,dl_vlan_pcp=3,vlan_tci1=0x0000," NO_MAC ",dl_type=0x0000"},
        {"in_port=2,udp,nw_frag=later", "udp,in_port=2,vlan_tci=0x0000," NO_MAC "," NO_IP ",nw_tos=0,nw_ecn=0,nw_ttl=0,nw_frag=later"},
        {"in_port=1,icmp,icmp_type=8,icmp_code=1", "icmp,in_port=1,vlan_tci=0x0000," NO_MAC "," NO_IP
                                                   ",nw_tos=0,nw_ecn=0,nw_ttl=0,nw_frag=no,icmp_type=8,icmp_code=1"},
        {"in_port=1,icmp6,icmpv6_type=135,nd_target=::1",
         "icmp6,in_port=1,vlan_tci=0x0000," NO_MAC ",ipv6_src=::,ipv6_dst=::,ipv6_label=0x00000,nw_tos=0,nw_ecn=0,nw_ttl=0,nw_frag=no,icmp_type=135,"
         "icmp_code=0,nd_target=::1,nd_sll=00:00:00:00:00:00,nd_tll=00:00:00:00:00:00"},
        {"in_port=1,ct_state=0x21,tcp,ct_nw_proto=6",
         "ct_state=new|trk,ct_nw_src=0.0.0.0,ct_nw_dst=0.0.0.0,ct_nw_proto=6,ct_tp_src=0,ct_tp_dst=0,tcp,in_port=1,vlan_tci=0x0000," NO_MAC "," NO_IP
         ",nw_tos=0,nw_ecn=0,nw_ttl=0,nw_frag=no,tp_src=0,tp_dst=0,tcp_flags=0"},
        {"in_port=1,tun_dst=1.1.1.1,tun_tos=0x20,tun_gbp_flags=8",
         "tun_src=0.0.0.0,tun_dst=1.1.1.1,tun_ipv6_src=::,tun_ipv6_dst=::,tun_gbp_id=0,tun_gbp_flags=0x8,tun_tos=20,tun_ttl=0,tun_erspan_ver=0,"
         "gtpu_flags=0,gtpu_msgtype=0,tun_flags=0,in_port=1,vlan_tci=0x0000," NO_MAC ",dl_type=0x0000"},
        {"recirc_id=5,reg0=1,xreg2=5,reg7=0,pkt_mark=4,in_port=1",
         "pkt_mark=0x4,recirc_id=0x5,eth,reg0=0x1,reg5=0x5,in_port=1,vlan_tci=0x0000," NO_MAC ",dl_type=0x0000"},
        {"in_port=1,foo", "unknown field foo"},
        {"in_port=1,nw_src=1.1.1.1", "prerequisites not met for setting nw_src"},
        {"in_port=1,ip,nw_src=foo", "bad value for nw_src (foo: invalid IP address)"},
        {"in_port=1,ip,nw_src=1.1.1.1/24", "bad value for nw_src (1.1.1.1/24: wildcards not allowed here)"},
        {"in_port=1,in_port=2", "field in_port set multiple times"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
        check_key(list[i][0], list[i][1]);
    }
}

/* Pseudo-random values of every field, through text and back. */
static void
test_values(void **state)
{
    uint64_t x = 88172645463325252;

    for (int i = 0; i < FIELD_N_IDS; i++) {
        for (int round = 0; round < 50; round++) {
            const struct field *f = &field_table[i];
            union field_value v, mask, got, got_mask;
            struct match m = {.key = {.in_port = 0}};
            struct buf b = BUF_EMPTY;

            for (size_t j = 0; j < 16; j++) {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                v.b[j] = (uint8_t) x;
                mask.b[j] = (uint8_t) (x >> 8);
            }
            if (f->format == FF_OFP_PORT) {
                value_store(x & 0x7fff, f->n_bytes, &v); /* Between these and the reserved ports there are none. */
            }
            field_match(f, &v, f->maskable && round & 1 ? &mask : NULL, &m);
            field_get(f, &m.key, &v);
            field_get_mask(f, &m.mask, &mask);
            field_format_value(f, &v, f->maskable ? &mask : NULL, NULL, &b);
            /* "no" and "later" are each said of two masks of fragments. */
            if (value_load(&mask, f->n_bytes) && f->format != FF_FRAG) {
                char *error = field_parse(f, buf_text(&b), NULL, &got, &got_mask);

                if (error) {
                    fail_msg("%s: %s", f->name, error);
                }
                assert_true(value_load(&got, f->n_bytes) == value_load(&v, f->n_bytes));
                memset(&m, 0, sizeof m);
                field_match(f, &got, f->maskable ? &got_mask : NULL, &m);
                field_get_mask(f, &m.mask, &got_mask);
                assert_true(value_load(&got_mask, f->n_bytes) == value_load(&mask, f->n_bytes));
            }
            buf_free(&b);
        }
    }
}

static const char *
port_name(uint32_t port, const void *aux)
{
    return port == 1 ? "eth0" : port == 2 ? "1 strange" : NULL;
}

static bool
port_number(const char *name, uint32_t *port, const void *aux)
{
    *port = !strcmp(name, "eth0") ? 1 : !strcmp(name, "1 strange") ? 2 : 0;
    return *port != 0;
}

static void
test_port_names(void **state)
{
    const struct port_names names = {port_name, port_number, NULL};
    static const char *const list[] = {"eth0", "\"1 strange\"", "3", "LOCAL", "IN_PORT", "ANY"};

    for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
        struct buf b = BUF_EMPTY;
        uint32_t port;

        assert_true(ofp_port_parse(list[i], &names, &port));
        ofp_port_format(port, &names, &b);
        assert_string_equal(buf_text(&b), list[i]);
        buf_free(&b);
    }
    assert_false(ofp_port_parse("eth1", &names, &(uint32_t){0}));
    assert_false(ofp_port_parse("eth0", NULL, &(uint32_t){0}));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canonical_matches), cmocka_unit_test(test_other_ways_to_say_it), cmocka_unit_test(test_keys),
        cmocka_unit_test(test_values),            cmocka_unit_test(test_port_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
