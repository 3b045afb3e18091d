// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "lib/dp/dp.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/hash.h"
#include "lib/base/log.h"
#ifdef HAVE_EBPF
#include "lib/dp/ebpf.h"
#endif
#include "lib/dp/kernel.h"
#include "lib/dp/user.h"

const struct dp_ops *const dp_types[] = {
    &dp_kernel_ops,
#ifdef HAVE_EBPF
    &dp_ebpf_ops,
#endif
    &dp_dummy_ops,
    &dp_netdev_ops,
    NULL,
};

/* The userspace datapath is of no use to a host and hides from one that was not asked to know it. */
static bool dummy_enabled, dummy_for_all, system_disabled;

void
dp_enable_dummy(bool for_all)
{
    dummy_enabled = true;
    dummy_for_all = for_all;
}

bool
dp_dummy_is_enabled(void)
{
    return dummy_enabled;
}

bool
dp_dummy_is_for_all(void)
{
    return dummy_for_all;
}

void
dp_disable_system(void)
{
    system_disabled = true;
}

/* In the place of openvswitch.ko, where the kernel lacks it. '*why' says what was the matter with that and gets what is the matter with this, too. */
static int
select_ebpf(const struct dp_ops **ops, char **why)
{
#ifdef HAVE_EBPF
    char *first = *why, *second = NULL;
    int error = dp_ebpf_ops.probe(&second);

    if (!error) {
        *ops = &dp_ebpf_ops;
    }
    *why = error ? xasprintf("%s, and %s", first, second) : xasprintf("%s: its datapath is made of eBPF programs", first);
    free(first);
    free(second);
    return error;
#else
    return -EOPNOTSUPP;
#endif
}

int
dp_select(const char *type, const struct dp_ops **ops, char **why)
{
    const char *wanted = dummy_for_all ? "dummy" : *type ? type : "system";

    for (size_t i = 0; dp_types[i]; i++) {
        if (!strcmp(dp_types[i]->type, wanted) && !(system_disabled && !strcmp(wanted, "system"))) {
            int error = dp_types[i]->probe(why);

            if (!error) {
                *ops = dp_types[i];
            } else if (dp_types[i] == &dp_kernel_ops) {
                error = select_ebpf(ops, why);
            }
            return error;
        }
    }
    *why = xasprintf("%s: unknown datapath type", wanted);
    return -EAFNOSUPPORT;
}

dp_ufid
dp_ufid_of(const struct flow_key *key, const struct flow_key *mask)
{
    /* Which words are looked at, and of each its bits and its mask: the masked key is what a flow is; the mask tells flows apart whose masked keys are the same. */
    uint64_t what[1 + 2 * FLOW_KEY_WORDS] = {0};
    const uint64_t *k = flow_key_cwords(key), *m = flow_key_cwords(mask);
    size_t n = 1;
    XXH128_hash_t h;

    for (unsigned i = 0; i < FLOW_KEY_WORDS; i++) {
        if (m[i]) {
            what[0] |= UINT64_C(1) << i;
            what[n++] = k[i] & m[i];
            what[n++] = m[i];
        }
    }
    h = XXH3_128bits(what, n * sizeof *what);
    return (dp_ufid){h.high64, h.low64};
}

struct feature_text {
    const char *yes, *no;
    size_t offset;
};

/* In the order and the words in which people know them from the log. */
static const struct feature_text feature_texts[] = {
#define FEATURE(MEMBER, YES, NO) {YES, NO, offsetof(struct dp_features, MEMBER)}
    FEATURE(trunc, "Datapath supports truncate action", "Datapath does not support truncate action"),
    FEATURE(ufid, "Datapath supports unique flow ids", "Datapath does not support unique flow ids"),
    FEATURE(clone, "Datapath supports clone action", "Datapath does not support clone action"),
    FEATURE(ct_eventmask, "Datapath supports eventmask in conntrack action",
            "Datapath does not support eventmask in conntrack action"),
    FEATURE(ct_clear, "Datapath supports ct_clear action", "Datapath does not support ct_clear action"),
    FEATURE(check_pkt_len, "Datapath supports check_pkt_len action", "Datapath does not support check_pkt_len action"),
    FEATURE(ct_timeout, "Datapath supports timeout policy in conntrack action",
            "Datapath does not support timeout policy in conntrack action"),
    FEATURE(ct_zero_snat, "Datapath supports ct_zero_snat", "Datapath does not support ct_zero_snat"),
    FEATURE(add_mpls, "Datapath supports add_mpls action", "Datapath does not support add_mpls action"),
    FEATURE(ct_state, "Datapath supports ct_state", "Datapath does not support ct_state"),
    FEATURE(ct_zone, "Datapath supports ct_zone", "Datapath does not support ct_zone"),
    FEATURE(ct_mark, "Datapath supports ct_mark", "Datapath does not support ct_mark"),
    FEATURE(ct_label, "Datapath supports ct_label", "Datapath does not support ct_label"),
    FEATURE(ct_state_nat, "Datapath supports ct_state_nat", "Datapath does not support ct_state_nat"),
    FEATURE(ct_orig_tuple, "Datapath supports ct_orig_tuple", "Datapath does not support ct_orig_tuple"),
    FEATURE(ct_orig_tuple6, "Datapath supports ct_orig_tuple6", "Datapath does not support ct_orig_tuple6"),
    FEATURE(nd_extensions, "Datapath supports IPv6 ND Extensions", "Datapath does not support IPv6 ND Extensions"),
#undef FEATURE
};

void
dp_features_log(const struct dp *dp)
{
    const struct dp_features *f = dp->ops->features(dp);
    char *name = xasprintf("%s@%s", dp->ops->type, dp->name);

    log_info(LOG_ofproto_dp, "%s: Datapath %s recirculation", name, f->recirc ? "supports" : "does not support");
    log_info(LOG_ofproto_dp, "%s: VLAN header stack length probed as %u", name, f->max_vlan_headers);
    log_info(LOG_ofproto_dp, "%s: MPLS label stack length probed as %u", name, f->max_mpls_depth);
    for (size_t i = 0; i < ARRAY_SIZE(feature_texts); i++) {
        const struct feature_text *t = &feature_texts[i];
        bool on = *(const bool *) ((const char *) f + t->offset);

        log_info(LOG_ofproto_dp, "%s: %s", name, on ? t->yes : t->no);
        if (t->offset == offsetof(struct dp_features, clone)) {
            log_info(LOG_ofproto_dp, "%s: Max sample nesting level probed as %u", name, f->max_sample_nesting);
        } else if (t->offset == offsetof(struct dp_features, ct_clear)) {
            log_info(LOG_ofproto_dp, "%s: Max dp_hash algorithm probed to be %u", name, f->max_hash_alg);
        }
    }
    free(name);
}

/* In the installed daemon's order. */
static const struct {
    const char *text;
    size_t offset;
    bool is_number;
} shown_features[] = {
    {"Masked set action", offsetof(struct dp_features, masked_set), false},
    {"Ufid", offsetof(struct dp_features, ufid), false},
    {"Truncate action", offsetof(struct dp_features, trunc), false},
    {"Clone action", offsetof(struct dp_features, clone), false},
    {"Sample nesting", offsetof(struct dp_features, max_sample_nesting), true},
    {"Conntrack eventmask", offsetof(struct dp_features, ct_eventmask), false},
    {"Conntrack clear", offsetof(struct dp_features, ct_clear), false},
    {"Max dp_hash algorithm", offsetof(struct dp_features, max_hash_alg), true},
    {"Check pkt length action", offsetof(struct dp_features, check_pkt_len), false},
    {"Conntrack timeout policy", offsetof(struct dp_features, ct_timeout), false},
    {"Explicit Drop action", offsetof(struct dp_features, drop_action), false},
    {"Optimized Balance TCP mode", offsetof(struct dp_features, lb_output), false},
    {"Conntrack all-zero IP SNAT", offsetof(struct dp_features, ct_zero_snat), false},
    {"MPLS Label add", offsetof(struct dp_features, add_mpls), false},
    {"Max VLAN headers", offsetof(struct dp_features, max_vlan_headers), true},
    {"Max MPLS depth", offsetof(struct dp_features, max_mpls_depth), true},
    {"Recirc", offsetof(struct dp_features, recirc), false},
    {"CT state", offsetof(struct dp_features, ct_state), false},
    {"CT zone", offsetof(struct dp_features, ct_zone), false},
    {"CT mark", offsetof(struct dp_features, ct_mark), false},
    {"CT label", offsetof(struct dp_features, ct_label), false},
    {"CT state NAT", offsetof(struct dp_features, ct_state_nat), false},
    {"CT orig tuple", offsetof(struct dp_features, ct_orig_tuple), false},
    {"CT orig tuple for IPv6", offsetof(struct dp_features, ct_orig_tuple6), false},
    {"IPv6 ND Extension", offsetof(struct dp_features, nd_extensions), false},
};

void
dp_features_format(const struct dp_features *f, struct buf *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(shown_features); i++) {
        const void *value = (const char *) f + shown_features[i].offset;

        buf_putf(text, "%s: ", shown_features[i].text);
        if (shown_features[i].is_number) {
            buf_putf(text, "%u\n", *(const unsigned *) value);
        } else {
            buf_puts(text, *(const bool *) value ? "Yes\n" : "No\n");
        }
        if (!i) {
            buf_puts(text, "Tunnel push pop: No\n"); /* Tunnels are the datapath's, never the daemon's. */
        }
    }
}

void
dp_version(const struct dp_ops *ops, char *text, size_t size)
{
    FILE *file = ops->version_file ? fopen(ops->version_file, "re") : NULL;

    snprintf(text, size, "%s", ops->version_file ? "<unknown>" : "<built-in>");
    if (file && fgets(text, (int) size, file)) {
        text[strcspn(text, "\n")] = '\0';
    }
    if (file) {
        fclose(file);
    }
}
