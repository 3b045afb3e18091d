// SPDX-License-Identifier: Apache-2.0
// Datapath actions as typed values: what translation yields and every datapath encodes. An action list is one block of variable-length
// records, each a struct action followed by what its kind needs, 8-byte aligned; nested lists stand inside their record.
#ifndef LIB_FLOW_ACTION_H
#define LIB_FLOW_ACTION_H 1

#include "lib/base/buf.h"
#include "lib/flow/key.h"

/* Kind, name in text: lib/flow/action.def has a row each: ACTION(KIND, struct name, text name). */
enum action_kind {
#define ACTION(KIND, STRUCT, NAME) ACTION_##KIND,
#include "lib/flow/action.def"
#undef ACTION
    ACTION_N_KINDS
};

struct action {
    uint16_t kind;
    uint16_t pad;
    uint32_t size; /* Of the whole record, a multiple of 8. */
};

/* Why a packet comes up by an action, and for whom. Carried in the userspace action's cookie of the kernel datapath as it is. */
enum upcall_reason { UPCALL_MISS, UPCALL_SLOW, UPCALL_CONTROLLER, UPCALL_SFLOW, UPCALL_IPFIX, UPCALL_FLOW_SAMPLE };

/* Why a megaflow's packets are executed in the daemon; bits of action_userspace.slow, text in action.c. */
enum slow_reason { SLOW_CONTROLLER = 1, SLOW_ACTION = 2, SLOW_CFM = 4, SLOW_BFD = 8, SLOW_LACP = 16, SLOW_STP = 32, SLOW_MATCH = 64 };

struct upcall_cookie {
    uint8_t reason;        /* enum upcall_reason. */
    uint8_t of_reason;     /* CONTROLLER: OFPR_*. */
    uint8_t flags;         /* UPCALL_F_*. */
    uint8_t table_id;
    uint32_t slow;         /* SLOW: enum slow_reason bits. */
    uint32_t bridge_id;    /* ofproto's number of the bridge. */
    uint32_t recirc_id;    /* CONTROLLER: state to carry on; 0 none. */
    uint64_t rule_cookie;  /* CONTROLLER: OpenFlow cookie, host order. */
    uint16_t controller_id, max_len;
    uint32_t user;         /* CONTROLLER: index of userdata kept by ofproto; 0 none. */
};
#define UPCALL_F_DONT_SEND 1
#define UPCALL_F_CONTINUATION 2
#define UPCALL_PID_AUTO 0 /* The datapath chooses by the port the packet came in on. */

struct action_output { struct action a; uint32_t port; uint32_t pad; };
struct action_userspace { struct action a; struct upcall_cookie cookie; uint32_t pid; uint32_t pad; };
struct action_push_vlan { struct action a; be16 tpid, tci; uint32_t pad; };
struct action_empty { struct action a; };                      /* pop_vlan, ct_clear, pop_eth, drop. */
struct action_push_mpls { struct action a; be32 lse; be16 eth_type; uint16_t pad; };
struct action_pop_mpls { struct action a; be16 eth_type; uint16_t pad[3]; };
/* Masked write of one protocol header's fields, or of one metadata value: the group says which, as openvswitch.ko groups them. */
enum set_group { SET_ETH, SET_VLAN /* unused by kernels */, SET_MPLS, SET_IPV4, SET_IPV6, SET_TCP, SET_UDP, SET_SCTP, SET_ARP, SET_ND, SET_ICMP, SET_TUNNEL, SET_SKB_PRIORITY, SET_SKB_MARK, SET_CT_MARK, SET_N_GROUPS };
struct action_set { struct action a; uint32_t group; uint32_t masked; struct flow_key key, mask; }; /* Bits outside 'mask' are zero. */
struct action_recirc { struct action a; uint32_t id; uint32_t pad; };
struct action_hash { struct action a; uint32_t algorithm, basis; };
struct action_trunc { struct action a; uint32_t max_len; uint32_t pad; };
struct action_meter { struct action a; uint32_t id; uint32_t pad; };
struct action_sample { struct action a; uint32_t probability; uint32_t nested_size; /* struct action nested[] */ };
struct action_clone { struct action a; uint32_t nested_size; uint32_t pad; /* struct action nested[] */ };
struct action_check_len { struct action a; uint16_t len; uint16_t pad; uint32_t greater_size; /* then: list if greater, list if less or equal */ };
enum { NAT_PERSISTENT = 1, NAT_HASH = 2, NAT_RANDOM = 4 }; /* action_ct.nat_flags */
struct action_ct {
    struct action a;
    uint8_t commit, force, nat /* 0 none, 1 nat only, 2 src, 3 dst */, nat_flags;
    uint16_t zone, helper_id;
    uint32_t mark, mark_mask;
    uint8_t label[16], label_mask[16];
    uint8_t nat_ipv6, pad[3];
    struct in6_addr nat_min, nat_max; /* IPv4 in the first 4 bytes. */
    uint16_t nat_port_min, nat_port_max;
    char helper[16], timeout[32];
};

/* The list being built is a struct buf; records are appended with these. Pointers are valid until the next append. */
void *action_put(struct buf *, enum action_kind, size_t size); /* Zeroed record. */
void action_put_output(struct buf *, uint32_t port);
void action_put_userspace(struct buf *, uint32_t pid, const struct upcall_cookie *);
/* Nested lists: 'begin' gives the offset to hand to 'end' after the nested records were appended. */
size_t action_nest_begin(struct buf *, enum action_kind, size_t header_size);
void action_nest_else(struct buf *, size_t offset); /* check_len: what is appended from here on is its second list. */
void action_nest_end(struct buf *, size_t offset); /* Sets a.size and nested_size. */

static inline const struct action *
action_next(const struct action *a)
{
    return (const struct action *) (const void *) ((const uint8_t *) a + a->size);
}
/* Walks a list of 'size' bytes. */
#define ACTION_FOR_EACH(A, LIST, SIZE) \
    for ((A) = (const struct action *) (const void *) (LIST); (uintptr_t) (A) < (uintptr_t) (LIST) + (SIZE); (A) = action_next(A))
const struct action *action_nested(const struct action *, size_t *size); /* The first nested list of sample, clone, check_len. */

/* Text as ovs-dpctl(8) dump-flows prints it ("drop" for an empty list). 'names' maps datapath ports, NULL prints numbers. */
struct dp_port_names {
    const char *(*name)(uint32_t dp_port, const void *aux);
    bool (*number)(const char *name, uint32_t *dp_port, const void *aux);
    const void *aux;
};
void action_format(const void *list, size_t size, const struct dp_port_names *, struct buf *);
/* Parses that text (for dpctl/add-flow, trace and tests). NULL, or an error text that the caller frees. */
char *action_parse(const char *text, const struct dp_port_names *, struct buf *list);

/* Text of a datapath flow's match: "recirc_id(0),in_port(2),eth_type(0x0800),ipv4(...)". 'mask' NULL prints an exact key. Without 'verbose', wild
 * fields are left out. */
void dp_match_format(const struct flow_key *key, const struct flow_key *mask, const struct dp_port_names *, bool verbose, struct buf *);
char *dp_match_parse(const char *text, const struct dp_port_names *, struct flow_key *key, struct flow_key *mask);

#endif
