// SPDX-License-Identifier: Apache-2.0
// Any bytes as a frame: extraction stays inside, edits of what was extracted change nothing else, pushed headers come off again.
#include <config.h>
#include <stdlib.h>

#include "lib/flow/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* Writing back what was read leaves the frame as it is. */
static void
check_rewrite(const uint8_t *data, size_t size, const struct flow_key *key)
{
    struct packet *p = packet_new(data, size);
    struct flow_key mask;

    memset(&mask, 0xff, sizeof mask);
    packet_set_fields(p, key, &mask);
    require(p->len == size && !memcmp(p->data, data, size));
    packet_free(p);
}

static void
check_inverted(const uint8_t *data, size_t size, const struct flow_key *key)
{
    struct packet *p = packet_new(data, size);
    struct flow_key mask, inverted = *key;

    memset(&mask, 0xff, sizeof mask);
    for (unsigned i = 0; i < FLOW_KEY_WORDS; i++) {
        flow_key_words(&inverted)[i] ^= UINT64_MAX;
    }
    packet_set_fields(p, &inverted, &mask);
    packet_extract(p, &inverted);
    packet_free(p);
}

static void
check_push_pop(const uint8_t *data, size_t size)
{
    struct packet *p = packet_new(data, size);
    struct flow_key key = {.in_port = 1};

    packet_extract(p, &key);
    packet_push_vlan(p, htons(0x8100), htons(7));
    packet_extract(p, &key);
    packet_pop_vlan(p);
    require(p->len == size && !memcmp(p->data, data, size));
    packet_extract(p, &key);
    packet_push_mpls(p, htons(0x8847), htonl(0x00010140));
    packet_pop_mpls(p, key.eth_type);
    packet_extract(p, &key);
    packet_pop_mpls(p, htons(0x0800));
    packet_extract(p, &key);
    require(key.in_port == 1);
    packet_free(p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct flow_key key = {.in_port = 1};
    struct packet *p = packet_new(data, size);

    packet_extract(p, &key);
    packet_free(p);
    check_rewrite(data, size, &key);
    check_inverted(data, size, &key);
    check_push_pop(data, size);
    p = packet_compose(&key, size & 0xff);
    packet_free(p);
    return 0;
}
