// SPDX-License-Identifier: Apache-2.0
// Meters of openvswitch.ko, and flushing of connection tracking
// (include/uapi/linux/netfilter/nfnetlink_conntrack.h).
#include <config.h>
#include "lib/dp/kernel.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

int
kernel_meter_set(struct dp *dp, const struct dp_meter *m)
{
    struct kernel *k = kernel_cast(dp);
    struct buf b = BUF_EMPTY;
    size_t at, bands;
    int error;

    if (!k->meter_family) {
        return -EOPNOTSUPP;
    }
    if (m->n_bands > ARRAY_SIZE(m->bands)) {
        return -EINVAL;
    }
    at = kernel_begin(k, &b, k->meter_family, OVS_METER_CMD_SET, 0);
    nl_put_u32(&b, OVS_METER_ATTR_ID, m->id);
    if (!m->pktps) {
        nl_put_flag(&b, OVS_METER_ATTR_KBPS);
    }
    if (!m->keep_stats) {
        nl_put_flag(&b, OVS_METER_ATTR_CLEAR);
    }
    bands = nl_nest_begin(&b, OVS_METER_ATTR_BANDS);
    for (unsigned i = 0; i < m->n_bands; i++) {
        size_t band = nl_nest_begin(&b, OVS_BAND_ATTR_UNSPEC);

        nl_put_u32(&b, OVS_BAND_ATTR_TYPE, OVS_METER_BAND_TYPE_DROP);
        nl_put_u32(&b, OVS_BAND_ATTR_RATE, m->bands[i].rate);
        nl_put_u32(&b, OVS_BAND_ATTR_BURST, m->bands[i].burst ? m->bands[i].burst : m->bands[i].rate);
        nl_nest_end(&b, band);
    }
    nl_nest_end(&b, bands);
    nl_msg_end(&b, at);
    error = nl_pool_transact(k->pool, &b, NULL, NULL);
    buf_free(&b);
    return error;
}

/* 'cmd' of meter 'id'; the answer, which the caller frees, unless 'reply' is NULL. */
static int
meter_transact(struct kernel *k, uint8_t cmd, uint32_t id, struct buf *reply)
{
    struct buf b = BUF_EMPTY;
    size_t at;
    int error;

    if (!k->meter_family) {
        return -EOPNOTSUPP;
    }
    at = kernel_begin(k, &b, k->meter_family, cmd, 0);
    nl_put_u32(&b, OVS_METER_ATTR_ID, id);
    nl_msg_end(&b, at);
    error = nl_pool_transact(k->pool, &b, reply, NULL);
    buf_free(&b);
    return error;
}

int
kernel_meter_del(struct dp *dp, uint32_t id)
{
    return meter_transact(kernel_cast(dp), OVS_METER_CMD_DEL, id, NULL);
}

static void
counter_read(struct nl_attr a, struct dp_meter_counter *c)
{
    struct ovs_flow_stats s;

    if (a.len >= sizeof s) {
        memcpy(&s, a.data, sizeof s);
        *c = (struct dp_meter_counter){s.n_packets, s.n_bytes};
    }
}

/* include/uapi/linux/openvswitch.h: the reply has the meter's counters, and nested ones of each band. */
static void
stats_decode(const struct nl_attr *tb, struct dp_meter_stats *stats)
{
    struct slice bands = nl_attr_slice(tb[OVS_METER_ATTR_BANDS]);
    struct nl_attr band;

    *stats = (struct dp_meter_stats){.met = {0, 0}};
    counter_read(tb[OVS_METER_ATTR_STATS], &stats->met);
    for (unsigned i = 0; i < ARRAY_SIZE(stats->dropped) && nl_attr_next(&bands, &band) > 0; i++) {
        struct nl_attr nested[OVS_BAND_ATTR_MAX + 1];

        if (!nl_attrs_parse(nl_attr_slice(band), nested, ARRAY_SIZE(nested), NULL)) {
            counter_read(nested[OVS_BAND_ATTR_STATS], &stats->dropped[i]);
        }
    }
}

int
kernel_meter_get(struct dp *dp, uint32_t id, struct dp_meter_stats *stats)
{
    struct kernel *k = kernel_cast(dp);
    struct buf reply = BUF_EMPTY;
    struct nl_attr tb[OVS_METER_ATTR_MAX + 1];
    int error = meter_transact(k, OVS_METER_CMD_GET, id, &reply);

    if (!error && (!reply.len || kernel_parse(k, nl_msg_at(&reply, 0), tb, ARRAY_SIZE(tb)))) {
        error = -EPROTO;
    }
    if (!error) {
        stats_decode(tb, stats);
    }
    buf_free(&reply);
    return error;
}

static size_t
ct_begin(struct buf *b, uint8_t cmd, uint8_t family, uint16_t flags)
{
    size_t at = nl_msg_begin(b, NFNL_SUBSYS_CTNETLINK << 8 | cmd, flags);
    struct nfgenmsg g = {.nfgen_family = family, .version = NFNETLINK_V0};

    buf_put(b, &g, sizeof g);
    return at;
}

struct zone_flush {
    uint16_t zone;
    struct nl_batch deletes;
};

/* Notes the deletion of a connection of the zone. The kernel has no flush of one zone. */
static bool
ct_dumped(const struct nlmsghdr *h, void *arg)
{
    struct zone_flush *z = arg;
    struct nl_attr tb[CTA_MAX + 1];
    struct nfgenmsg g;
    size_t at;

    if (h->nlmsg_len < NLMSG_HDRLEN + sizeof g ||
        nl_attrs_parse(nl_msg_attrs(h, sizeof g), tb, ARRAY_SIZE(tb), NULL) ||
        ntohs(nl_attr_u16(tb[CTA_ZONE])) != z->zone || !tb[CTA_TUPLE_ORIG].data) {
        return true;
    }
    memcpy(&g, (const uint8_t *) h + NLMSG_HDRLEN, sizeof g);
    nl_batch_add(&z->deletes);
    at = ct_begin(&z->deletes.msgs, IPCTNL_MSG_CT_DELETE, g.nfgen_family, 0);
    nl_put(&z->deletes.msgs, CTA_TUPLE_ORIG | NLA_F_NESTED, tb[CTA_TUPLE_ORIG].data, tb[CTA_TUPLE_ORIG].len);
    nl_put_u16(&z->deletes.msgs, CTA_ZONE, htons(z->zone));
    nl_put(&z->deletes.msgs, CTA_ID, tb[CTA_ID].data, tb[CTA_ID].len);
    nl_msg_end(&z->deletes.msgs, at);
    return z->deletes.msgs.len < 64 * NL_BATCH_BYTES;
}

static int
ct_flush_zone(struct nl_pool *pool, uint16_t zone)
{
    struct zone_flush z = {.zone = zone};
    struct buf b = BUF_EMPTY;
    size_t at = ct_begin(&b, IPCTNL_MSG_CT_GET, AF_UNSPEC, NLM_F_DUMP), n;
    int error;

    nl_msg_end(&b, at);
    do {
        nl_batch_clear(&z.deletes);
        error = nl_pool_dump(pool, &b, ct_dumped, &z);
        n = z.deletes.n;
        /* Ones that ended meanwhile are answered with -ENOENT, which is as good. */
        for (size_t i = 0; !error && i < n; i++) {
            struct buf one = {.data = z.deletes.msgs.data + z.deletes.ops[i].offset, .allocated = 0};

            one.len = nl_msg_at(&z.deletes.msgs, z.deletes.ops[i].offset)->nlmsg_len;
            nl_pool_transact(pool, &one, NULL, NULL);
        }
    } while (!error && z.deletes.msgs.len >= 64 * NL_BATCH_BYTES);
    nl_batch_free(&z.deletes);
    buf_free(&b);
    return error == -EINTR ? 0 : error;
}

static int
ct_flush_family(struct nl_pool *pool, uint8_t family)
{
    struct buf b = BUF_EMPTY;
    size_t at = ct_begin(&b, IPCTNL_MSG_CT_DELETE, family, 0);
    int error;

    nl_msg_end(&b, at);
    error = nl_pool_transact(pool, &b, NULL, NULL);
    buf_free(&b);
    return error;
}

int
kernel_ct_flush(struct dp *dp, const uint16_t *zone)
{
    struct nl_pool *pool = nl_pool_create(NETLINK_NETFILTER);
    int error;

    if (zone) {
        error = ct_flush_zone(pool, *zone);
    } else {
        error = ct_flush_family(pool, AF_INET);
        error = error ? error : ct_flush_family(pool, AF_INET6);
    }
    nl_pool_destroy(pool);
    return error;
}
