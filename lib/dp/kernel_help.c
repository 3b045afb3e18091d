// SPDX-License-Identifier: Apache-2.0
// Lists of actions that openvswitch.ko cannot do as a whole: it writes no ARP, no ICMP and no neighbour discovery, and a netlink attribute holds no more than 64 kB. The packet is
// changed here, and what is sent on the way is handed to the kernel one by one.
#include <config.h>

#include "lib/base/counter.h"
#include "lib/dp/execute.h"
#include "lib/dp/kernel.h"

COUNTER(dp_execute_helped, "A packet's actions were executed by the daemon for the kernel datapath.");

struct helped {
    struct dp *dp;
    int error; /* The first one. */
};

/* Has the kernel do what 'list' says with the packet as it is now. */
static void
hand_over(struct helped *h, struct packet *packet, const struct flow_key *key, struct buf *list)
{
    struct dp_execute e = {.packet = packet, .key = key, .actions = list->data, .actions_len = list->len};

    kernel_execute(h->dp, &e, 1);
    if (e.error && !h->error) {
        h->error = e.error;
    }
    buf_free(list);
}

static void
help_output(uint32_t port, struct packet *packet, const struct flow_key *key, bool last, void *helped)
{
    struct buf list = BUF_EMPTY;

    action_put_output(&list, port);
    hand_over(helped, packet, key, &list);
}

static void
help_userspace(const struct action_userspace *a, struct packet *packet, const struct flow_key *key, void *helped)
{
    struct buf list = BUF_EMPTY;

    action_put_userspace(&list, a->pid, &a->cookie);
    hand_over(helped, packet, key, &list);
}

static void
help_recirc(uint32_t recirc_id, struct packet *packet, const struct flow_key *key, void *helped)
{
    struct buf list = BUF_EMPTY;
    struct action_recirc *a = action_put(&list, ACTION_RECIRC, sizeof *a);

    a->id = recirc_id;
    hand_over(helped, packet, key, &list);
}

int
kernel_execute_helped(struct dp *dp, const struct dp_execute *e)
{
    static const struct execute_ops ops = {.keyed_output = true, .output = help_output, .userspace = help_userspace, .recirc = help_recirc};
    struct helped h = {.dp = dp};
    int error = execute_actions(e->packet, e->key, e->actions, e->actions_len, &ops, &h);

    COUNTER_INC(dp_execute_helped);
    return error ? error : h.error;
}
