// SPDX-License-Identifier: Apache-2.0
// Which rule of a table does a packet match, and which bits of the packet had to be looked at to know it?
//
// Tuple-space search: rules with the same mask share a subtable, a hash table on the masked key. Subtables are visited by descending highest
// priority, so that a hit ends the search early; staged hashes (metadata, L2, L3, L4) leave a subtable before the later stages are looked at; a trie of
// address prefixes skips subtables that cannot match and tells the shortest prefix that proves it. The mask that a lookup yields is minimal in that sense.
//
// One writer (the main thread), any number of readers in RCU read sections. A rule that was removed may be seen by readers until a grace period has
// passed: release it by rcu_postpone().
//
// A lookup is of a version: a number that the owner of one or more classifiers counts up. Changes that readers must see all at once or not at all are made for the
// version after the one that readers use; then that becomes theirs. A rule that later versions do not see stays until no reader of an earlier one is left.
#ifndef LIB_FLOW_CLASSIFIER_H
#define LIB_FLOW_CLASSIFIER_H 1

#include "lib/flow/field.h"
#include "lib/flow/match.h"

/* Embedded in what is classified. 'match' is owned by the embedding object. */
struct cls_rule {
    struct match_sparse *match;
    int32_t priority;      /* Higher wins. 0 .. 65535 for OpenFlow; others for internal rules. */
    uint32_t hash;         /* The classifier's. */
    struct cls_rule *next; /* RCU: rules of lower priority, or of the same and older, with the same match. The classifier's. */
    uint32_t since, until; /* Atomic: lookups of versions from 'since' on and before 'until' see it; 0: no such bound. The classifier's. */
};

struct classifier;

struct classifier *classifier_create(void);
void classifier_destroy(struct classifier *); /* Empty or not; the rules are the caller's. Readers must be gone. */
/* Which fields' prefixes are tracked, and in which order they are asked (Flow_Table.prefixes): any of tun_id, tun_src, tun_dst, tun_ipv6_src,
 * tun_ipv6_dst, ip_src, ip_dst, ipv6_src, ipv6_dst; at most 3. At first ip_dst, ip_src. -EINVAL for others. Main thread; costs a walk over the rules. */
bool classifier_can_track_prefix(enum field_id);
int classifier_set_prefix_fields(struct classifier *, const enum field_id *, size_t n);
size_t classifier_n_rules(const struct classifier *); /* Without hidden ones. */
size_t classifier_n_subtables(const struct classifier *);

/* The memory that an insert of such a rule will want is asked for: it is elsewhere each time. Main thread. */
void classifier_prefetch(const struct classifier *, const struct match_sparse *, int32_t priority);
/* Main thread, as what follows: it sees the rules as they will be, without those that are hidden from some version on.
 * Lookups see the rule from 'version' on, or at once if that is 0. A rule with the same match and priority is returned: unlinked, to be released after a grace
 * period, if 'version' is 0, else hidden from that version on. */
struct cls_rule *classifier_insert(struct classifier *, struct cls_rule *, uint32_t version) WARN_UNUSED;
/* Part of the work of inserting can wait: until then lookups take a little longer, but find the same. */
bool classifier_is_behind(const struct classifier *);
void classifier_catch_up(struct classifier *);
void classifier_hide(struct classifier *, struct cls_rule *, uint32_t version); /* Lookups do not see it from 'version', not 0, on. */
void classifier_unhide(struct classifier *, struct cls_rule *); /* No lookup has been of that version yet. */
void classifier_settle(struct cls_rule *); /* No lookup is of a version before the one since which it is there. */
void classifier_remove(struct classifier *, struct cls_rule *); /* Hidden or not. */
struct cls_rule *classifier_find_exactly(const struct classifier *, const struct match_sparse *, int32_t priority);
bool classifier_overlaps(const struct classifier *, const struct match *, int32_t priority); /* Some rule of this priority overlaps. */

/* RCU read section. The rule of highest priority that 'key' matches, or NULL. The bits looked at are or-ed into 'wild' if it is not NULL. */
struct cls_rule *classifier_lookup(const struct classifier *, uint32_t version, const struct flow_key *key, struct flow_key *wild);

struct cls_rule *classifier_lookup_exactly(const struct classifier *, uint32_t version, const struct match_sparse *, int32_t priority); /* Likewise. */

/* Main thread. Visits the rules, in no order, whose match is 'loose' or narrower (NULL: all). The callback may remove or hide the rule it is given, no other.
 * false from it ends the visit. */
void classifier_for_each(struct classifier *, const struct match *loose, bool (*fn)(struct cls_rule *, void *arg), void *arg);

#endif
