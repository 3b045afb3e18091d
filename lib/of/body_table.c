// SPDX-License-Identifier: Apache-2.0
// Tables on the wire, and the features of what there is not: groups and meters.
#include <config.h>
#include "lib/of/body.h"
#include "lib/of/oxm.h"

#define NAME_LEN 32
#define OF10_WILDCARDS 0x3fffff /* Every field of 1.0's match can be wild. */

static void
put_name(const char *name, struct buf *b)
{
    size_t n = MIN(strlen(name), (size_t) NAME_LEN - 1);

    buf_put(b, name, n);
    buf_put_zeros(b, NAME_LEN - n);
}

/* Statistics of 1.1 and 1.2 also tell what a table can do. */
#define INSTRUCTION_GOTO 0x02
#define INSTRUCTIONS_ALL 0x3e /* Goto, write metadata, write, apply and clear actions: bits by type. */
#define OF11_ACTIONS_ALL 0x01bfe7ff /* Without copies of TTLs and without groups; bits by type. */
#define OF11_FIELDS_ALL 0xfbff

static uint32_t
instructions(const struct of_table_stats *ts)
{
    return ts->is_last ? INSTRUCTIONS_ALL & ~INSTRUCTION_GOTO : INSTRUCTIONS_ALL;
}

static void
put_abilities11(const struct of_table_stats *ts, struct buf *b)
{
    buf_put_be32(b, OF11_FIELDS_ALL);
    buf_put_be32(b, OF11_FIELDS_ALL);
    buf_put_be32(b, instructions(ts));
    buf_put_be32(b, OF11_ACTIONS_ALL);
    buf_put_be32(b, OF11_ACTIONS_ALL);
    buf_put_be32(b, ts->config);
}

/* Bits by OXM field number: those of the fields that the predicate holds for. */
static uint64_t
oxm_bits(bool writable_only)
{
    uint64_t bits = 0;

    for (const struct field *f = field_table; f < &field_table[FIELD_N_IDS]; f++) {
        uint64_t header = field_header(f, OF12, false);

        if (header >> 48 == 0x8000 && (header >> 41 & 0x7f) < 64 && (f->writable || !writable_only)) {
            bits |= UINT64_C(1) << (header >> 41 & 0x7f);
        }
    }
    return bits;
}

#define OF12_ACTIONS_ALL 0x03bf8001 /* Output, TTLs, tags, queue, set_field. */

static void
put_abilities12(const struct of_table_stats *ts, struct buf *b)
{
    buf_put_be64(b, oxm_bits(false));
    buf_put_be64(b, oxm_bits(false));
    buf_put_be32(b, OF12_ACTIONS_ALL);
    buf_put_be32(b, OF12_ACTIONS_ALL);
    buf_put_be64(b, oxm_bits(true));
    buf_put_be64(b, oxm_bits(true));
    buf_put_be64(b, UINT64_MAX);
    buf_put_be64(b, UINT64_MAX);
    buf_put_be32(b, instructions(ts));
    buf_put_be32(b, ts->config);
}

void
table_stats_encode(const struct of_table_stats *ts, enum of_version version, struct buf *b)
{
    buf_put_u8(b, ts->table_id);
    buf_put_zeros(b, version == OF11 || version == OF12 ? 7 : 3);
    if (version <= OF12) {
        put_name(ts->name, b);
        if (version == OF10) {
            buf_put_be32(b, OF10_WILDCARDS);
        } else if (version == OF11) {
            put_abilities11(ts, b);
        } else {
            put_abilities12(ts, b);
        }
        buf_put_be32(b, ts->max_entries);
    }
    buf_put_be32(b, ts->active);
    buf_put_be64(b, ts->lookups);
    buf_put_be64(b, ts->matched);
}

/* Properties of table features, 1.3.5 section A.3.5.5.2. The form for misses is one more; both say the same here. */
enum { PROP_INSTRUCTIONS = 0, PROP_NEXT_TABLES = 2, PROP_WRITE_ACTIONS = 4, PROP_APPLY_ACTIONS = 6, PROP_MATCH = 8, PROP_WILDCARDS = 10,
       PROP_WRITE_SETFIELD = 12, PROP_APPLY_SETFIELD = 14 };

static size_t
begin_prop(struct buf *b, uint16_t type)
{
    size_t start = b->len;

    buf_put_be16(b, type);
    buf_put_be16(b, 0);
    return start;
}

static void
end_prop(struct buf *b, size_t start)
{
    size_t len = b->len - start;

    of_patch16(b, start + 2, (uint16_t) len);
    buf_put_zeros(b, ROUND_UP(len, 8) - len);
}

static void
put_ids(struct buf *b, uint16_t type, const uint16_t *ids, size_t n)
{
    size_t start = begin_prop(b, type);

    for (size_t i = 0; i < n; i++) {
        buf_put_be16(b, ids[i]);
        buf_put_be16(b, 4);
    }
    end_prop(b, start);
}

/* 'masks': headers say whether the field may be masked. */
static void
put_fields(struct buf *b, uint16_t type, enum of_version version, bool (*wanted)(const struct field *), bool masks)
{
    size_t start = begin_prop(b, type);

    for (const struct field *f = field_table; f < &field_table[FIELD_N_IDS]; f++) {
        uint64_t header = field_header(f, version, false);

        if (header && wanted(f)) {
            oxm_put_header(f, version, masks && f->maskable, b);
        }
    }
    end_prop(b, start);
}

static bool
is_any(const struct field *f)
{
    (void) f;
    return true;
}

static bool
is_writable(const struct field *f)
{
    return f->writable;
}

static void
put_next_tables(struct buf *b, uint16_t type, uint8_t table_id, uint8_t n_tables)
{
    size_t start = begin_prop(b, type);

    for (unsigned i = table_id + 1u; i < n_tables; i++) {
        buf_put_u8(b, (uint8_t) i);
    }
    end_prop(b, start);
}

/* 1.3: goto, write metadata, write, apply and clear actions; then the actions of the specification that lib/of knows. */
static const uint16_t instruction_ids[] = {1, 2, 3, 4, 5};
static const uint16_t action_ids[] = {0, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25};

void
table_features_encode(const struct of_table_stats *ts, uint8_t n_tables, enum of_version version, struct buf *b)
{
    size_t start = b->len;

    buf_put_be16(b, 0);
    buf_put_u8(b, ts->table_id);
    buf_put_zeros(b, 5);
    put_name(ts->name, b);
    buf_put_be64(b, UINT64_MAX);
    buf_put_be64(b, UINT64_MAX);
    buf_put_be32(b, version == OF13 ? 3 : 0); /* 1.3: deprecated bits, all set. */
    buf_put_be32(b, ts->max_entries);
    for (uint16_t miss = 0; miss < 2; miss++) {
        put_ids(b, PROP_INSTRUCTIONS + miss, instruction_ids + ts->is_last, ARRAY_SIZE(instruction_ids) - ts->is_last);
        put_next_tables(b, PROP_NEXT_TABLES + miss, ts->table_id, n_tables);
        put_ids(b, PROP_WRITE_ACTIONS + miss, action_ids, ARRAY_SIZE(action_ids));
        put_ids(b, PROP_APPLY_ACTIONS + miss, action_ids, ARRAY_SIZE(action_ids));
        put_fields(b, PROP_WRITE_SETFIELD + miss, version, is_writable, false);
        put_fields(b, PROP_APPLY_SETFIELD + miss, version, is_writable, false);
    }
    put_fields(b, PROP_MATCH, version, is_any, true);
    put_fields(b, PROP_WILDCARDS, version, is_any, false);
    of_patch16(b, start, (uint16_t) (b->len - start));
}

#define TABLE_PROP_EVICTION 2

void
table_desc_encode(uint8_t table_id, struct buf *b)
{
    buf_put_be16(b, 16);
    buf_put_u8(b, table_id);
    buf_put_zeros(b, 5);
    /* Were there evictions: by importance, by lifetime, by whatever else. */
    buf_put_be16(b, TABLE_PROP_EVICTION);
    buf_put_be16(b, 8);
    buf_put_be32(b, 7);
}

void
group_features_encode(const struct of_msg *request, struct buf *b)
{
    size_t start = of_msg_begin(b, request->row == MSG_NX_GROUP_FEATURES_REQUEST ? MSG_NX_GROUP_FEATURES_REPLY : MSG_GROUP_FEATURES_REPLY, request->version, request->xid);

    buf_put_zeros(b, 40);
    of_msg_end(b, start);
}

void
meter_features_encode(const struct of_msg *request, struct buf *b)
{
    size_t start = of_msg_begin(b, MSG_METER_FEATURES_REPLY, request->version, request->xid);

    buf_put_zeros(b, 16);
    of_msg_end(b, start);
}
