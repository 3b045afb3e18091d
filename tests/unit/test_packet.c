// SPDX-License-Identifier: Apache-2.0
// Packets: extraction of every kind of header, its limits, edits and composition. Composition and edits check each other.
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib/flow/packet.h"
#include "lib/flow/wire.h"

/* A linear congruential generator: the cases are the same in every run. */
static uint32_t
next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t) (*state >> 32);
}

static void
random_bytes(uint64_t *state, void *p, size_t n)
{
    for (uint8_t *b = p; n--; b++) {
        *b = (uint8_t) next_random(state);
    }
}

enum kind { KIND_TCP, KIND_UDP, KIND_SCTP, KIND_ICMP, KIND_IGMP, KIND_ND_SOLICIT, KIND_ND_ADVERT, KIND_LATER_FRAGMENT, KIND_OTHER, KIND_ARP,
            KIND_MPLS, KIND_LLC, KIND_UNKNOWN, N_KINDS };

static void
random_transport(uint64_t *state, enum kind kind, bool is_ipv6, struct flow_key *k)
{
    static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMP, IPPROTO_IGMP, IPPROTO_ICMPV6, IPPROTO_ICMPV6,
                                     IPPROTO_UDP, 200};

    k->nw_proto = protos[kind];
    if (kind == KIND_ICMP && is_ipv6) {
        k->nw_proto = IPPROTO_ICMPV6;
    }
    if (kind <= KIND_SCTP) {
        random_bytes(state, &k->tp_src, 4);
        k->nw_frag = next_random(state) & 1;
    }
    if (kind == KIND_TCP) {
        k->tcp_flags = htons(next_random(state) & 0xfff);
    } else if (kind == KIND_ICMP) {
        k->tp_src = htons(next_random(state) & 0x7f);
        k->tp_dst = htons(next_random(state) & 0xff);
    } else if (kind == KIND_IGMP) {
        k->tp_src = htons(0x16);
        random_bytes(state, &k->igmp_group, 4);
    } else if (kind == KIND_ND_SOLICIT || kind == KIND_ND_ADVERT) {
        k->tp_src = htons(kind == KIND_ND_SOLICIT ? WIRE_ND_SOLICIT : WIRE_ND_ADVERT);
        random_bytes(state, &k->nd_target, 16);
        random_bytes(state, &k->nd_reserved, 4);
        k->nd_options_type = kind == KIND_ND_SOLICIT ? WIRE_ND_OPT_SLL : WIRE_ND_OPT_TLL;
        random_bytes(state, kind == KIND_ND_SOLICIT ? &k->arp_sha : &k->arp_tha, 6);
    } else if (kind == KIND_LATER_FRAGMENT) {
        k->nw_frag = FLOW_FRAG_ANY | FLOW_FRAG_LATER;
        k->nw_proto = is_ipv6 ? IPPROTO_FRAGMENT : IPPROTO_UDP;
    }
}

static void
random_ip(uint64_t *state, enum kind kind, struct flow_key *k)
{
    bool is_ipv6 = kind == KIND_ND_SOLICIT || kind == KIND_ND_ADVERT || (kind != KIND_IGMP && next_random(state) & 1);

    if (is_ipv6) {
        k->eth_type = htons(WIRE_ETH_IPV6);
        random_bytes(state, &k->ipv6_src, 32);
        k->ipv6_label = htonl(next_random(state) & 0xfffff);
    } else {
        k->eth_type = htons(WIRE_ETH_IPV4);
        random_bytes(state, &k->nw_src, 8);
    }
    random_bytes(state, &k->nw_tos, 2);
    random_transport(state, kind, is_ipv6, k);
}

/* A key that a packet can have. */
static void
random_key(uint64_t *state, enum kind kind, struct flow_key *k)
{
    memset(k, 0, sizeof *k);
    random_bytes(state, &k->eth_dst, 12);
    for (unsigned i = 0, n = next_random(state) % 3; i < n; i++) {
        k->vlan[i].tpid = htons(i || next_random(state) & 1 ? WIRE_ETH_VLAN : WIRE_ETH_QINQ);
        k->vlan[i].tci = htons((uint16_t) (next_random(state) | FLOW_VLAN_PRESENT));
    }
    if (kind == KIND_ARP) {
        k->eth_type = htons(next_random(state) & 1 ? WIRE_ETH_ARP : WIRE_ETH_RARP);
        k->nw_proto = (uint8_t) next_random(state);
        random_bytes(state, &k->nw_src, 8);
        random_bytes(state, &k->arp_sha, 12);
    } else if (kind == KIND_MPLS) {
        k->eth_type = htons(WIRE_ETH_MPLS);
        for (unsigned i = 0, n = 1 + next_random(state) % 3; i < n; i++) {
            k->mpls[i] = htonl((next_random(state) & ~0x100u) | (i == n - 1 ? 0x100 : 0));
        }
    } else if (kind == KIND_LLC) {
        k->eth_type = htons(FLOW_ETH_TYPE_NONE);
    } else if (kind == KIND_UNKNOWN) {
        k->eth_type = htons(0x88cc);
    } else {
        random_ip(state, kind, k);
    }
}

static void
assert_key_equal(const struct flow_key *a, const struct flow_key *b)
{
    assert_memory_equal(a, b, sizeof *a);
}

static void
test_composed_packets_are_extracted_as_composed(void **unused)
{
    uint64_t state = 1;

    for (int i = 0; i < 4000; i++) {
        struct flow_key key, got;
        struct packet *p;

        random_key(&state, (enum kind) (i % N_KINDS), &key);
        p = packet_compose(&key, next_random(&state) % 100);
        memset(&got, 0, sizeof got);
        packet_extract(p, &got);
        assert_key_equal(&got, &key);
        packet_free(p);
    }
}

/* Two packets of one layout: writing the second's fields into the first makes it the second, checksums included. */
static void
test_setting_fields_makes_the_other_packet(void **unused)
{
    uint64_t state = 2;

    for (int i = 0; i < 4000; i++) {
        struct flow_key a, b, mask;
        struct packet *pa, *pb;
        size_t payload = next_random(&state) % 50;

        random_key(&state, (enum kind) (i % N_KINDS), &a);
        b = a;
        random_bytes(&state, &b.eth_dst, 12);
        if (flow_key_is_ip(&a)) {
            random_bytes(&state, &b.nw_tos, 2);
            random_bytes(&state, a.eth_type == htons(WIRE_ETH_IPV4) ? (void *) &b.nw_src : &b.ipv6_src,
                         a.eth_type == htons(WIRE_ETH_IPV4) ? 8 : 32);
        } else if (i % N_KINDS == KIND_ARP) {
            random_bytes(&state, &b.nw_src, 8);
            random_bytes(&state, &b.arp_sha, 12);
            b.nw_proto ^= 1;
        }
        if (i % N_KINDS <= KIND_SCTP) {
            random_bytes(&state, &b.tp_src, 4);
        } else if (i % N_KINDS == KIND_ICMP) {
            b.tp_dst ^= htons(0x55);
        } else if (i % N_KINDS == KIND_ND_SOLICIT) {
            random_bytes(&state, &b.nd_target, 16);
            random_bytes(&state, &b.arp_sha, 6);
            random_bytes(&state, &b.nd_reserved, 4);
        }
        pa = packet_compose(&a, payload);
        pb = packet_compose(&b, payload);
        memset(&mask, 0xff, sizeof mask);
        packet_set_fields(pa, &b, &mask);
        assert_int_equal(pa->len, pb->len);
        assert_memory_equal(pa->data, pb->data, pa->len);
        packet_free(pa);
        packet_free(pb);
    }
}

static void
test_masked_set_leaves_other_bits(void **unused)
{
    struct flow_key key = {.eth_type = htons(WIRE_ETH_IPV4), .nw_proto = IPPROTO_UDP, .nw_src = htonl(0x0a000001), .nw_ttl = 9, .tp_src = htons(7)};
    struct flow_key set = {.nw_src = htonl(0xff0000ff), .tp_src = htons(0x0100)};
    struct flow_key mask = {.nw_src = htonl(0x000000ff), .tp_src = htons(0x0100)};
    struct packet *p = packet_compose(&key, 10);

    packet_set_fields(p, &set, &mask);
    packet_extract(p, &key);
    assert_int_equal(ntohl(key.nw_src), 0x0a0000ff);
    assert_int_equal(ntohs(key.tp_src), 0x0107);
    assert_int_equal(key.nw_ttl, 9);
    packet_free(p);
}

static void
test_udp_without_checksum_stays_without(void **unused)
{
    struct flow_key key = {.eth_type = htons(WIRE_ETH_IPV4), .nw_proto = IPPROTO_UDP, .tp_src = htons(7)};
    struct flow_key set = {.nw_src = htonl(0x0a000001), .tp_src = htons(1)}, mask = {.nw_src = UINT32_MAX, .tp_src = UINT16_MAX};
    struct packet *p = packet_compose(&key, 0);

    wire_put_be16(p->data + p->l4 + UDP_CSUM, 0);
    packet_set_fields(p, &set, &mask);
    assert_int_equal(wire_be16(p->data + p->l4 + UDP_CSUM), 0);
    assert_int_equal(wire_u16(p->data + p->l4), 1);
    packet_free(p);
}

/* A frame cut at any length gives a key that the whole frame agrees with or that has zeros. */
static void
test_cut_frames(void **unused)
{
    uint64_t state = 3;

    for (int i = 0; i < 300; i++) {
        struct flow_key key, got;
        struct packet *whole;

        random_key(&state, (enum kind) (i % N_KINDS), &key);
        whole = packet_compose(&key, 3);
        for (size_t n = 0; n < whole->len; n++) {
            struct packet *p = packet_new(whole->data, n);

            memset(&got, 0, sizeof got);
            packet_extract(p, &got);
            if (n < WIRE_ETH_LEN) {
                assert_true(eth_addr_is_zero(got.eth_dst));
            } else {
                assert_true(eth_addr_equals(got.eth_dst, key.eth_dst));
            }
            assert_true(!got.tp_src || got.tp_src == key.tp_src);
            assert_true(!got.nw_src || got.nw_src == key.nw_src);
            packet_free(p);
        }
        packet_free(whole);
    }
}

static void
test_tags_and_labels_come_off_again(void **unused)
{
    uint64_t state = 4;

    for (int i = 0; i < 200; i++) {
        struct flow_key key, got = {.in_port = 3};
        struct packet *p, *was;

        random_key(&state, KIND_TCP, &key);
        p = packet_compose(&key, 5);
        was = packet_clone(p);
        packet_push_mpls(p, htons(WIRE_ETH_MPLS), htonl(0x00064140));
        for (int n = 0; n < 40; n++) {
            packet_push_vlan(p, htons(WIRE_ETH_VLAN), htons((uint16_t) n));
        }
        packet_extract(p, &got);
        assert_int_equal(ntohs(got.vlan[0].tci), FLOW_VLAN_PRESENT | 39);
        assert_int_equal(got.in_port, 3);
        for (int n = 0; n < 40; n++) {
            packet_pop_vlan(p);
        }
        packet_extract(p, &got);
        assert_int_equal(ntohl(got.mpls[0]), 0x00064140);
        packet_pop_mpls(p, key.eth_type);
        assert_int_equal(p->len, was->len);
        assert_memory_equal(p->data, was->data, was->len);
        packet_free(p);
        packet_free(was);
    }
}

static struct flow_key
extract_hex(const char *hex)
{
    uint8_t bytes[256];
    size_t n = strlen(hex) / 2;
    struct flow_key key;
    struct packet *p;

    for (size_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t) strtoul((char[]){hex[2 * i], hex[2 * i + 1], 0}, NULL, 16);
    }
    p = packet_new(bytes, n);
    memset(&key, 0, sizeof key);
    packet_extract(p, &key);
    packet_free(p);
    return key;
}
#define MACS "020000000001020000000002"

static void
test_layouts_that_are_odd(void **unused)
{
    struct flow_key k;

    /* IPv4 with options; bytes behind the IP packet are not its own. */
    k = extract_hex(MACS "0800" "46000020000000004011000001020304050607080101010000350045000c0000" "00000000");
    assert_int_equal(ntohs(k.tp_dst), 0x45);
    k = extract_hex(MACS "0800" "4500001800000000401100000102030405060708" "0035004500040000");
    assert_int_equal(k.tp_src, 0);
    assert_int_equal(k.nw_proto, 17);
    /* An IP total length beyond the frame makes the header void. */
    k = extract_hex(MACS "0800" "4500ff1800000000401100000102030405060708" "0035004500040000");
    assert_int_equal(k.nw_src, 0);
    assert_int_equal(ntohs(k.eth_type), 0x800);
    /* IPv6: hop-by-hop options, then UDP. */
    k = extract_hex(MACS "86dd" "6012345600100040" "00000000000000000000000000000001" "00000000000000000000000000000002"
                    "1100000000000000" "0035004500080000");
    assert_int_equal(k.nw_proto, 17);
    assert_int_equal(ntohs(k.tp_src), 0x35);
    assert_int_equal(k.nw_tos, 1);
    assert_int_equal(ntohl(k.ipv6_label), 0x23456);
    /* SNAP; and LLC alone. */
    k = extract_hex(MACS "0024" "aaaa030000000800" "4500001c00000000401100000102030405060708" "0035004500080000");
    assert_int_equal(ntohs(k.tp_src), 0x35);
    k = extract_hex(MACS "0003" "424203");
    assert_int_equal(ntohs(k.eth_type), FLOW_ETH_TYPE_NONE);
    /* A tag with nothing behind it is no tag. */
    k = extract_hex(MACS "81000001");
    assert_int_equal(k.vlan[0].tci, 0);
    assert_int_equal(ntohs(k.eth_type), 0x8100);
    /* A third tag is the Ethertype of the payload. */
    k = extract_hex(MACS "8100000181000002810000030800");
    assert_int_equal(ntohs(k.eth_type), 0x8100);
    assert_int_equal(ntohs(k.vlan[1].tci), 0x1002);
}

static void
test_vlan_limit(void **unused)
{
    uint64_t state = 5;
    struct flow_key key, got;

    do {
        random_key(&state, KIND_TCP, &key);
    } while (!key.vlan[1].tpid);
    got = key;
    packet_key_limit_vlans(&got, 2);
    assert_key_equal(&got, &key);
    packet_key_limit_vlans(&got, 1);
    assert_int_equal(got.eth_type, key.vlan[1].tpid);
    assert_int_equal(got.vlan[0].tci, key.vlan[0].tci);
    assert_int_equal(got.vlan[1].tci, 0);
    assert_int_equal(got.tp_src, 0);
    assert_true(eth_addr_equals(got.eth_src, key.eth_src));

    /* What was matched of the limited key: all of it. Of the whole key that is no more than that there is a second tag. */
    memset(&got, 0xff, sizeof got);
    packet_mask_limit_vlans(&key, &got, 2);
    assert_int_equal(got.tp_src, 0xffff);
    packet_mask_limit_vlans(&key, &got, 1);
    assert_int_equal(got.vlan[0].tci, 0xffff);
    assert_int_equal(ntohs(got.vlan[1].tci), FLOW_VLAN_PRESENT);
    assert_int_equal(got.vlan[1].tpid, 0xffff);
    assert_int_equal(got.eth_type, 0xffff);
    assert_int_equal(got.nw_proto, 0);
    assert_true(eth_addr_equals(got.eth_src, eth_addr_from_u64(UINT64_C(0xffffffffffff))));
}

static void
test_checksums(void **unused)
{
    /* RFC 1071 section 3 has this sum: ddf2. */
    static const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    uint16_t sum = csum(bytes, sizeof bytes);

    assert_int_equal(ntohs(sum), 0xffff - 0xddf2);
    assert_int_equal(csum_update16(sum, htons(0x0001), htons(0x1001)), htons((uint16_t) (0xffff - 0xddf2 - 0x1000)));
    assert_int_equal(csum_update32(sum, htonl(0x0001f203), htonl(0xf2030001)), sum);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_composed_packets_are_extracted_as_composed),
        cmocka_unit_test(test_setting_fields_makes_the_other_packet),
        cmocka_unit_test(test_masked_set_leaves_other_bits),
        cmocka_unit_test(test_udp_without_checksum_stays_without),
        cmocka_unit_test(test_cut_frames),
        cmocka_unit_test(test_tags_and_labels_come_off_again),
        cmocka_unit_test(test_layouts_that_are_odd),
        cmocka_unit_test(test_vlan_limit),
        cmocka_unit_test(test_checksums),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
