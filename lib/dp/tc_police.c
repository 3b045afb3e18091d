// SPDX-License-Identifier: Apache-2.0
// Interface.ingress_policing_*: a matchall filter with a police action, before the filters of flows, which it
// hands packets on to.
#include <config.h>
#include "lib/dp/tc.h"

#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/if_ether.h>

/* The unit of time of the packet scheduler: net/sch_generic.h, PSCHED_SHIFT. */
#define NS_PER_TICK 64
#define POLICE_MTU 65535
#define CELL_LOG 8 /* 65536 >> 8 cells of the table. */

static uint32_t
ticks_of(uint64_t amount, uint64_t per_s)
{
    uint64_t ticks = per_s ? amount * (UINT64_C(1000000000) / NS_PER_TICK) / per_s : 0;

    return (uint32_t) MIN(ticks, UINT32_MAX);
}

static void
put_police(struct buf *b, const struct tc_police_rate *r, int conforming)
{
    struct tc_police p = {.action = TC_POLICE_SHOT, .mtu = POLICE_MTU};
    size_t options = nl_nest_begin(b, TCA_ACT_OPTIONS);
    uint32_t table[256];

    if (r->bytes) {
        p.rate.rate = (uint32_t) MIN(r->bytes, UINT32_MAX);
        p.rate.mpu = 0;
        p.rate.cell_log = CELL_LOG;
        p.rate.linklayer =
            1; /* Ethernet: TC_LINKLAYER_ETHERNET, which the kernel would else guess from the table. */
        p.burst = ticks_of(r->bytes_burst, r->bytes);
        for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
            table[i] = ticks_of((uint64_t) (i + 1) << CELL_LOG, r->bytes);
        }
        nl_put(b, TCA_POLICE_RATE, table, sizeof table);
        if (r->bytes > UINT32_MAX) {
            nl_put_u64(b, TCA_POLICE_RATE64, r->bytes);
        }
    }
    if (r->packets) {
        nl_put_u64(b, TCA_POLICE_PKTRATE64, r->packets);
        nl_put_u64(b, TCA_POLICE_PKTBURST64, ticks_of(r->packets_burst, r->packets)); /* As time, too. */
    }
    nl_put(b, TCA_POLICE_TBF, &p, sizeof p);
    nl_put_u32(b, TCA_POLICE_RESULT, (uint32_t) conforming);
    nl_nest_end(b, options);
}

/* One action a limit: one police action has either bytes or packets. What conforms to all goes on to the next
 * filter. */
static void
put_actions(struct buf *b, const struct tc_police_rate *r)
{
    struct tc_police_rate limits[2] = {{.bytes = r->bytes, .bytes_burst = r->bytes_burst},
                                       {.packets = r->packets, .packets_burst = r->packets_burst}};
    size_t actions = nl_nest_begin(b, TCA_MATCHALL_ACT);
    uint16_t n = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(limits); i++) {
        if (limits[i].bytes || limits[i].packets) {
            size_t action = nl_nest_begin(b, ++n);

            nl_put_string(b, TCA_ACT_KIND, "police");
            put_police(b, &limits[i], !i && r->packets ? TC_ACT_PIPE : TC_ACT_UNSPEC);
            nl_nest_end(b, action);
        }
    }
    nl_nest_end(b, actions);
}

int
tc_police_set(struct nl_pool *pool, int ifindex, const struct tc_police_rate *rate)
{
    struct buf b = BUF_EMPTY;
    size_t at, options;
    int error = tc_police_delete(pool, ifindex);

    if (error && error != -ENOENT) {
        return error;
    }
    at = tc_filter_begin(&b, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, ifindex, TC_PRIO_POLICE,
                         htons(ETH_P_ALL), 1);
    nl_put_string(&b, TCA_KIND, "matchall");
    options = nl_nest_begin(&b, TCA_OPTIONS);
    put_actions(&b, rate);
    nl_nest_end(&b, options);
    nl_msg_end(&b, at);
    error = nl_pool_transact(pool, &b, NULL, NULL);
    buf_free(&b);
    return error;
}

int
tc_police_delete(struct nl_pool *pool, int ifindex)
{
    struct buf b = BUF_EMPTY;
    size_t at = tc_filter_begin(&b, RTM_DELTFILTER, 0, ifindex, TC_PRIO_POLICE, htons(ETH_P_ALL), 1);
    int error;

    nl_put_string(&b, TCA_KIND, "matchall");
    nl_msg_end(&b, at);
    error = nl_pool_transact(pool, &b, NULL, NULL);
    buf_free(&b);
    /* No such filter, no such qdisc: nothing to delete. */
    return error == -EINVAL ? -ENOENT : error;
}
