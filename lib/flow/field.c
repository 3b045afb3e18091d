// SPDX-License-Identifier: Apache-2.0
// The table made from field.def, and access to values in keys and masks. A value is handled as an integer of
// up to 128 bits, so that every place (enum field_place) has one load and one store.
#include <config.h>
#include "lib/flow/wide.h"

#define HEADER(CLASS, NUMBER) ((uint64_t) (CLASS) << 48 | (uint64_t) (NUMBER) << 41)
#define ONF_EXPERIMENTER 0x4f4e4600
enum of_version { OF12 = 3, OF13 = 4, OF15 = 6 };

#define NXM_OF(NAME, NUMBER)                                                                                 \
    {                                                                                                        \
        "NXM_OF_" #NAME, HEADER(0, NUMBER), 0                                                                \
    }
#define NXM_NX(NAME, NUMBER)                                                                                 \
    {                                                                                                        \
        "NXM_NX_" #NAME, HEADER(1, NUMBER), 0                                                                \
    }
#define OXM_OF(NAME, NUMBER, VERSION)                                                                        \
    {                                                                                                        \
        "OXM_OF_" #NAME, HEADER(0x8000, NUMBER), VERSION                                                     \
    }
#define PKT_REG(NUMBER)                                                                                      \
    {                                                                                                        \
        "OXM_OF_PKT_REG" #NUMBER, HEADER(0x8001, NUMBER), OF13                                               \
    }
#define ONFOXM_ET(NAME, NUMBER, VERSION)                                                                     \
    {                                                                                                        \
        "ONFOXM_ET_" #NAME, HEADER(0xffff, NUMBER) | ONF_EXPERIMENTER, VERSION                               \
    }
#define ERICOXM_OF(NAME, NUMBER)                                                                             \
    {                                                                                                        \
        "ERICOXM_OF_" #NAME, HEADER(0x1000, NUMBER), 0                                                       \
    }
#define NO_HEADER                                                                                            \
    {                                                                                                        \
        NULL, 0, 0                                                                                           \
    }
#define RW true
#define RO false
#define ANY true
#define NO false

/* What struct field says of a field's bits in a member. */
#define MEMBER_BITS(ID, PLACE, SIZE, SHIFT, BITS)                                                            \
    (FIELD_##PLACE == FIELD_PORT16        ? UINT32_MAX                                                       \
     : FIELD_##PLACE == FIELD_TOS         ? 0xfc                                                             \
     : FIELD_##ID == FIELD_VLAN_VID       ? 0x1fff                                                           \
     : (BITS) >= 8 * (SIZE) || (SIZE) > 8 ? UINT64_MAX >> (64 - 8 * ((SIZE) > 8 ? 8 : (SIZE)))               \
                                          : ((UINT64_C(1) << ((BITS) % 64)) - 1) << (SHIFT))

const struct field field_table[FIELD_N_IDS] = {
#define FIELD(ID, NAME, ALIAS, PLACE, MEMBER, SHIFT, BYTES, BITS, MASKABLE, FORMAT, PREREQ, WRITABLE, ...)   \
    {FIELD_##ID,                                                                                             \
     NAME,                                                                                                   \
     ALIAS,                                                                                                  \
     FIELD_##PLACE,                                                                                          \
     offsetof(struct flow_key, MEMBER),                                                                      \
     sizeof(((struct flow_key *) 0)->MEMBER),                                                                \
     SHIFT,                                                                                                  \
     BYTES,                                                                                                  \
     BITS,                                                                                                   \
     MASKABLE,                                                                                               \
     WRITABLE,                                                                                               \
     FF_##FORMAT,                                                                                            \
     FP_##PREREQ,                                                                                            \
     MEMBER_BITS(ID, PLACE, sizeof(((struct flow_key *) 0)->MEMBER), SHIFT, BITS),                           \
     {__VA_ARGS__}},
#include "lib/flow/field.def"
#undef FIELD
};

/* Two indexes of the table, filled before main() and constant from then on: field IDs plus one by class and
 * number, for the classes in which nearly all fields are; and by word of a key, a bitmap of the fields that
 * lie in it. */
static uint8_t header_index[4][128];
static u128 word_fields[FLOW_KEY_WORDS];
_Static_assert(FIELD_N_IDS <= 128, "a bitmap of fields is one integer");

static int
header_class_slot(uint64_t header)
{
    unsigned class = (unsigned) (header >> 48);

    return class <= 1 ? (int) class : class == 0x8000 || class == 0x8001 ? (int) (class & 1) + 2 : -1;
}

__attribute__((constructor)) static void
index_fields(void)
{
    for (const struct field *f = field_table; f < &field_table[FIELD_N_IDS]; f++) {
        unsigned span = f->place == FIELD_REGS ? f->n_bytes : f->size;

        word_fields[f->ofs / 8] |= (u128) 1 << f->id;
        word_fields[(f->ofs + span - 1) / 8] |= (u128) 1 << f->id;
        for (int i = 0; i < FIELD_N_HEADERS && f->headers[i].name; i++) {
            int slot = header_class_slot(f->headers[i].header);

            if (slot >= 0) {
                header_index[slot][f->headers[i].header >> 41 & 0x7f] = (uint8_t) (f->id + 1);
            }
        }
    }
}

const struct field *
field_by_header(uint64_t header)
{
    int slot = header_class_slot(header);

    if (slot >= 0) {
        unsigned id = header_index[slot][header >> 41 & 0x7f];

        return id ? &field_table[id - 1] : NULL;
    }
    header &= ~HEADER(0, 0) & ~(UINT64_C(0x1ff) << 32);
    for (const struct field *f = field_table; f < &field_table[FIELD_N_IDS]; f++) {
        for (int i = 0; i < FIELD_N_HEADERS && f->headers[i].name; i++) {
            if (f->headers[i].header == header) {
                return f;
            }
        }
    }
    return NULL;
}

uint64_t
field_header(const struct field *f, unsigned of_version, bool masked)
{
    const struct field_header *best = &f->headers[0];
    uint64_t header;

    if (!best->name) {
        return 0;
    }
    for (int i = 1; i < FIELD_N_HEADERS && f->headers[i].name; i++) {
        if (f->headers[i].version <= of_version) {
            best = &f->headers[i];
        }
    }
    header = best->header | (uint64_t) masked << 40;
    return header | (uint64_t) field_wire_length(f, header) << 32;
}

static bool
name_is(const char *name, const char *s, size_t len)
{
    return name && !strncmp(name, s, len) && !name[len];
}

const struct field *
field_by_name(const char *name, size_t len)
{
    for (const struct field *f = field_table; f < &field_table[FIELD_N_IDS]; f++) {
        if (name_is(f->name, name, len) || name_is(f->alias, name, len)) {
            return f;
        }
    }
    return NULL;
}

const struct field *
field_by_nxm_name(const char *name, size_t len)
{
    for (const struct field *f = field_table; f < &field_table[FIELD_N_IDS]; f++) {
        for (int i = 0; i < FIELD_N_HEADERS; i++) {
            if (name_is(f->headers[i].name, name, len)) {
                return f;
            }
        }
    }
    return NULL;
}

const char *
field_nxm_name(const struct field *f)
{
    return f->headers[0].name ? f->headers[0].name : f->name;
}

/* The significant bits of a value on the wire. */
static u128
field_full(const struct field *f)
{
    return f->id == FIELD_VLAN_VID ? 0x1fff : f->place == FIELD_TOS ? 0xfc : low_bits128(f->n_bits);
}

static uint64_t
member_load(const struct field *f, const struct flow_key *key)
{
    const uint8_t *p = (const uint8_t *) key + f->ofs;
    bool host = f->place == FIELD_HOST || f->place == FIELD_PORT16;
    uint16_t x16;
    uint32_t x32;
    uint64_t x64;

    switch (f->size) {
    case 1:
        return *p;
    case 2:
        memcpy(&x16, p, sizeof x16);
        return host ? x16 : ntohs(x16);
    case 4:
        memcpy(&x32, p, sizeof x32);
        return host ? x32 : ntohl(x32);
    default:
        memcpy(&x64, p, sizeof x64);
        return host ? x64 : ntohll(x64);
    }
}

static void
member_store(const struct field *f, uint64_t x, struct flow_key *key)
{
    uint8_t *p = (uint8_t *) key + f->ofs;
    bool host = f->place == FIELD_HOST || f->place == FIELD_PORT16;
    uint16_t x16 = host ? (uint16_t) x : htons((uint16_t) x);
    uint32_t x32 = host ? (uint32_t) x : htonl((uint32_t) x);
    uint64_t x64 = host ? x : htonll(x);

    switch (f->size) {
    case 1:
        *p = (uint8_t) x;
        break;
    case 2:
        memcpy(p, &x16, sizeof x16);
        break;
    case 4:
        memcpy(p, &x32, sizeof x32);
        break;
    default:
        memcpy(p, &x64, sizeof x64);
        break;
    }
}

static u128
regs_load(const struct field *f, const struct flow_key *key)
{
    const uint32_t *r = (const uint32_t *) (const void *) ((const uint8_t *) key + f->ofs);
    u128 x = 0;

    for (unsigned i = 0; i < f->n_bytes / 4u; i++) {
        x = x << 32 | r[i];
    }
    return x;
}

static void
regs_store(const struct field *f, u128 x, struct flow_key *key)
{
    uint32_t *r = (uint32_t *) (void *) ((uint8_t *) key + f->ofs);

    for (unsigned i = f->n_bytes / 4u; i-- > 0; x >>= 32) {
        r[i] = (uint32_t) x;
    }
}

/* 16-bit OpenFlow 1.0 ports from OFPP_MAX up are the same names with the upper bits set in 32 bits
 * (OpenFlow 1.1, appendix A.2.1). */
#define OFPP10_MAX 0xff00

static u128
field_load(const struct field *f, const struct flow_key *key)
{
    union field_value v;

    switch (f->place) {
    case FIELD_BYTES:
        memset(&v, 0, sizeof v);
        memcpy(v.b, (const uint8_t *) key + f->ofs, f->n_bytes);
        return value_load(&v, f->n_bytes);
    case FIELD_REGS:
        return regs_load(f, key);
    case FIELD_PORT16:
        return member_load(f, key) & UINT16_MAX;
    default:
        return (member_load(f, key) & f->bits) >> f->shift;
    }
}

/* Stores 'x' without any side effect on other members. */
static void
field_store(const struct field *f, u128 x, struct flow_key *key)
{
    uint64_t bits;
    union field_value v;

    switch (f->place) {
    case FIELD_BYTES:
        value_store(x, f->n_bytes, &v);
        memcpy((uint8_t *) key + f->ofs, v.b, f->n_bytes);
        break;
    case FIELD_REGS:
        regs_store(f, x, key);
        break;
    case FIELD_PORT16:
        member_store(f, (uint64_t) x >= OFPP10_MAX ? (uint64_t) x | 0xffff0000 : (uint64_t) x, key);
        break;
    default:
        bits = f->bits;
        member_store(f, (member_load(f, key) & ~bits) | ((uint64_t) x << f->shift & bits), key);
        break;
    }
}

static bool
is_vlan_field(const struct field *f)
{
    return f->ofs == offsetof(struct flow_key, vlan[0].tci);
}

/* The forms that name a VID or PCP imply that there is a tag; OXM's vlan_vid says so itself in its own
 * bit 12. */
static bool
implies_vlan_present(const struct field *f)
{
    return f->place == FIELD_VLAN && f->id != FIELD_VLAN_VID;
}

#define DL_VLAN_NONE 0xffff /* OpenFlow 1.0 OFP_VLAN_NONE. */

void
field_get(const struct field *f, const struct flow_key *key, union field_value *v)
{
    if (f->place == FIELD_BYTES) {
        memset(v, 0, sizeof *v);
        memcpy(v->b, (const uint8_t *) key + f->ofs, f->n_bytes);
    } else {
        value_store(field_load(f, key), f->n_bytes, v);
    }
}

void
field_set(const struct field *f, const union field_value *v, struct flow_key *key)
{
    u128 x = value_load(v, f->n_bytes);

    if (!is_vlan_field(f)) {
        field_store(f, x, key);
        return;
    }
    if (f->id == FIELD_DL_VLAN && x == DL_VLAN_NONE) {
        key->vlan[0].tci = 0;
    } else {
        field_store(f, x, key);
        key->vlan[0].tci |= implies_vlan_present(f) ? htons(FLOW_VLAN_PRESENT) : 0;
    }
    if (!(key->vlan[0].tci & htons(FLOW_VLAN_PRESENT))) {
        key->vlan[0].tpid = 0;
    } else if (!key->vlan[0].tpid) {
        key->vlan[0].tpid = htons(0x8100);
    }
}

void
field_get_mask(const struct field *f, const struct flow_key *mask, union field_value *v)
{
    u128 x = field_load(f, mask);

    /* arp_op is 16 bits on the wire and 8 in the key. */
    if (!f->maskable && x && x == f->bits >> f->shift) {
        x = field_full(f);
    }
    value_store(x, f->n_bytes, v);
}

void
field_or_mask(const struct field *f, u128 x, struct flow_key *mask)
{
    if (f->place == FIELD_PORT16) {
        mask->in_port |= x ? UINT32_MAX : 0;
        return;
    }
    field_store(f, field_load(f, mask) | x, mask);
    if (implies_vlan_present(f) && x) {
        mask->vlan[0].tci |= htons(FLOW_VLAN_PRESENT);
    }
}

void
field_set_mask(const struct field *f, const union field_value *v, struct flow_key *mask)
{
    field_or_mask(f, value_load(v, f->n_bytes), mask);
}

/* A match on an ICMP type or code has all 16 bits of the port in its mask, so that it shares the classifier's subtable, and what is learnt there of
 * ports, with matches on ports: as in the installed daemon. The upper 8 bits are always zero. */
static void
widen_icmp(enum field_id id, struct flow_key *mask)
{
    if (id == FIELD_ICMP_TYPE || id == FIELD_ICMPV6_TYPE) {
        mask->tp_src = UINT16_MAX;
    } else if (id == FIELD_ICMP_CODE || id == FIELD_ICMPV6_CODE) {
        mask->tp_dst = UINT16_MAX;
    }
}

void
field_unwildcard(const struct field *f, struct flow_key *mask)
{
    field_or_mask(f, field_full(f), mask);
    widen_icmp(f->id, mask);
}

/* The field is a member of its own, in wire order: most that matches are about. */
static bool
is_member(const struct field *f)
{
    return f->place == FIELD_BE && f->n_bits == 8 * f->size;
}

static void
match_member(const struct field *f, const union field_value *value, const union field_value *mask, struct match *m)
{
    uint64_t bits = mask ? mask->be64 : UINT64_MAX, x = value->be64 & bits;

    memcpy((uint8_t *) &m->mask + f->ofs, &bits, f->size);
    memcpy((uint8_t *) &m->key + f->ofs, &x, f->size);
}

void
field_match(const struct field *f, const union field_value *value, const union field_value *mask,
            struct match *m)
{
    u128 x, bits;

    if (is_member(f)) {
        match_member(f, value, mask, m);
        return;
    }
    x = value_load(value, f->n_bytes);
    bits = mask ? value_load(mask, f->n_bytes) & field_full(f) : field_full(f);
    if (f->id == FIELD_DL_VLAN && x == DL_VLAN_NONE) {
        m->key.vlan[0].tci = 0;
        m->mask.vlan[0].tci = UINT16_MAX;
        return;
    }
    field_store(f, 0, &m->mask);
    field_or_mask(f, bits, &m->mask);
    field_store(f, x & bits, &m->key);
    if (bits == field_full(f)) {
        widen_icmp(f->id, &m->mask);
    }
    if (implies_vlan_present(f) && bits) {
        m->key.vlan[0].tci |= htons(FLOW_VLAN_PRESENT);
    }
}

bool
field_is_all_zeros(const struct field *f, const struct flow_key *key)
{
    return !field_load(f, key);
}

bool
field_mask_is_exact(const struct field *f, const union field_value *mask)
{
    u128 full = field_full(f);

    return (value_load(mask, f->n_bytes) & full) == full;
}

bool
field_value_valid(const struct field *f, const union field_value *v)
{
    u128 x = value_load(v, f->n_bytes);

    switch (f->id) {
    case FIELD_DL_VLAN:
        return x == DL_VLAN_NONE || !(x & ~field_full(f));
    case FIELD_ARP_OP:
    case FIELD_CT_STATE:
        return x <= UINT8_MAX;
    default:
        return !(x & ~field_full(f));
    }
}

/* Which of the forms of one thing a version of OpenFlow is told. */
static bool
suits_version(const struct field *f, unsigned of_version)
{
    switch (f->id) {
    case FIELD_IN_PORT:
    case FIELD_VLAN_TCI:
    case FIELD_NW_TOS:
        return of_version < OF12;
    case FIELD_IN_PORT_OXM:
    case FIELD_VLAN_VID:
    case FIELD_IP_DSCP:
        return of_version >= OF12;
    case FIELD_VLAN_PCP:
        return of_version >= OF12;
    default:
        break;
    }
    if (f->id >= FIELD_REG0 && f->id <= FIELD_REG15) {
        return of_version < OF15;
    }
    if (f->place == FIELD_REGS) {
        return f->n_bytes == 8 && of_version >= OF15;
    }
    return f->headers[0].name != NULL;
}

static int
lowest_bit(u128 x)
{
    return (uint64_t) x ? __builtin_ctzll((uint64_t) x) : 64 + __builtin_ctzll((uint64_t) (x >> 64));
}

size_t
field_match_list(const struct match *m, unsigned of_version, struct field_match *list)
{
    const uint64_t *mask = flow_key_cwords(&m->mask);
    u128 candidates = 0;
    size_t n = 0;

    /* Most fields of most matches are wild: seen by the words they lie in. */
    for (size_t i = 0; i < FLOW_KEY_WORDS; i++) {
        candidates |= mask[i] ? word_fields[i] : 0;
    }
    for (; candidates; candidates &= candidates - 1) {
        const struct field *f = &field_table[lowest_bit(candidates)];
        struct field_match *fm = &list[n];

        if (field_is_all_zeros(f, &m->mask) || !suits_version(f, of_version) ||
            !field_match_prereqs_ok(f, m)) {
            continue;
        }
        field_get_mask(f, &m->mask, &fm->mask);
        fm->field = f;
        fm->exact = !f->maskable || field_mask_is_exact(f, &fm->mask);
        field_get(f, &m->key, &fm->value);
        n++;
    }
    return n;
}
