// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "lib/nl/ovs_key.h"

/* Members of struct flow_key that stand in an attribute of their own: include/uapi/linux/openvswitch.h, enum
 * ovs_tunnel_key_attr. */
static const struct tunnel_row {
    uint16_t attr;
    uint8_t bytes;
    uint16_t offset;
} tunnel_rows[] = {
    {OVS_TUNNEL_KEY_ATTR_ID, 8, offsetof(struct flow_key, tun_id)},
    {OVS_TUNNEL_KEY_ATTR_IPV4_SRC, 4, offsetof(struct flow_key, tun_src)},
    {OVS_TUNNEL_KEY_ATTR_IPV4_DST, 4, offsetof(struct flow_key, tun_dst)},
    {OVS_TUNNEL_KEY_ATTR_IPV6_SRC, 16, offsetof(struct flow_key, tun_src6)},
    {OVS_TUNNEL_KEY_ATTR_IPV6_DST, 16, offsetof(struct flow_key, tun_dst6)},
    {OVS_TUNNEL_KEY_ATTR_TOS, 1, offsetof(struct flow_key, tun_tos)},
    {OVS_TUNNEL_KEY_ATTR_TTL, 1, offsetof(struct flow_key, tun_ttl)},
    {OVS_TUNNEL_KEY_ATTR_TP_SRC, 2, offsetof(struct flow_key, tun_tp_src)},
    {OVS_TUNNEL_KEY_ATTR_TP_DST, 2, offsetof(struct flow_key, tun_tp_dst)},
};

static const struct tunnel_flag {
    uint16_t attr, flag;
} tunnel_flags[] = {
    {OVS_TUNNEL_KEY_ATTR_DONT_FRAGMENT, FLOW_TNL_F_DF},
    {OVS_TUNNEL_KEY_ATTR_CSUM, FLOW_TNL_F_CSUM},
    {OVS_TUNNEL_KEY_ATTR_OAM, FLOW_TNL_F_OAM},
};

static bool
bytes_are_zero(const uint8_t *p, size_t n)
{
    return !n || (!p[0] && !memcmp(p, p + 1, n - 1));
}

bool
ovs_tunnel_present(const struct flow_key *k)
{
    size_t end = offsetof(struct flow_key, tun_erspan);

    return !bytes_are_zero((const uint8_t *) k, end);
}

void
ovs_tunnel_put(struct buf *b, const struct flow_key *key, bool is_mask)
{
    for (size_t i = 0; i < ARRAY_SIZE(tunnel_rows); i++) {
        const struct tunnel_row *r = &tunnel_rows[i];
        const uint8_t *p = (const uint8_t *) key + r->offset;
        /* A key must name its TTL, and its id when it has one, though it be 0. */
        bool needed = !is_mask && (r->attr == OVS_TUNNEL_KEY_ATTR_TTL ||
                                   (r->attr == OVS_TUNNEL_KEY_ATTR_ID && key->tun_flags & FLOW_TNL_F_KEY));

        if (needed || !bytes_are_zero(p, r->bytes)) {
            nl_put(b, r->attr, p, r->bytes);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(tunnel_flags); i++) {
        if (key->tun_flags & tunnel_flags[i].flag) {
            nl_put_flag(b, tunnel_flags[i].attr);
        }
    }
    if (key->tun_gbp_id || key->tun_gbp_flags) {
        size_t nest = nl_nest_begin(b, OVS_TUNNEL_KEY_ATTR_VXLAN_OPTS);

        nl_put_u32(b, OVS_VXLAN_EXT_GBP, (uint32_t) key->tun_gbp_flags << 16 | ntohs(key->tun_gbp_id));
        nl_nest_end(b, nest);
    }
}

static int
tunnel_get_gbp(struct slice s, struct flow_key *key)
{
    struct nl_attr a;
    int more;

    while ((more = nl_attr_next(&s, &a)) > 0) {
        if (a.type == OVS_VXLAN_EXT_GBP) {
            uint32_t gbp = nl_attr_u32(a);

            key->tun_gbp_flags = (uint8_t) (gbp >> 16);
            key->tun_gbp_id = htons((uint16_t) gbp);
        }
    }
    return more;
}

static int
tunnel_get_one(struct nl_attr a, struct flow_key *key)
{
    for (size_t i = 0; i < ARRAY_SIZE(tunnel_rows); i++) {
        if (tunnel_rows[i].attr == a.type) {
            if (a.len != tunnel_rows[i].bytes) {
                return -EINVAL;
            }
            memcpy((uint8_t *) key + tunnel_rows[i].offset, a.data, a.len);
            if (a.type == OVS_TUNNEL_KEY_ATTR_ID) {
                key->tun_flags |= FLOW_TNL_F_KEY;
            }
            return 0;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(tunnel_flags); i++) {
        if (tunnel_flags[i].attr == a.type) {
            key->tun_flags |= tunnel_flags[i].flag;
            return 0;
        }
    }
    return a.type == OVS_TUNNEL_KEY_ATTR_VXLAN_OPTS ? tunnel_get_gbp(nl_attr_slice(a), key) : 0;
}

int
ovs_tunnel_get(struct slice s, bool is_mask, struct flow_key *key)
{
    struct nl_attr a;
    int more;

    while ((more = nl_attr_next(&s, &a)) > 0) {
        int error = tunnel_get_one(a, key);

        if (error) {
            return error;
        }
    }
    return more;
}
