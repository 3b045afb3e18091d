// SPDX-License-Identifier: Apache-2.0
// Parts of fields: what move, load, output:REG[] and the like name.
#include <config.h>
#include "lib/flow/wide.h"

static u128
get(const struct subfield *sf, const struct flow_key *key)
{
    union field_value v;

    field_get(sf->field, key, &v);
    return value_load(&v, sf->field->n_bytes) >> sf->ofs & low_bits128(sf->n_bits);
}

static void
set(const struct subfield *sf, u128 x, struct flow_key *key)
{
    u128 mask = low_bits128(sf->n_bits) << sf->ofs;
    union field_value v;

    field_get(sf->field, key, &v);
    value_store((value_load(&v, sf->field->n_bytes) & ~mask) | (x << sf->ofs & mask), sf->field->n_bytes, &v);
    field_set(sf->field, &v, key);
}

uint64_t
subfield_get(const struct subfield *sf, const struct flow_key *key)
{
    return (uint64_t) get(sf, key);
}

void
subfield_set(const struct subfield *sf, uint64_t x, struct flow_key *key)
{
    set(sf, x, key);
}

void
subfield_get_wide(const struct subfield *sf, const struct flow_key *key, union field_value *v)
{
    value_store(get(sf, key), sizeof v->b, v);
}

void
subfield_set_wide(const struct subfield *sf, const union field_value *v, struct flow_key *key)
{
    set(sf, value_load(v, sizeof v->b), key);
}

void
subfield_move(const struct subfield *src, const struct subfield *dst, struct flow_key *key)
{
    set(dst, get(src, key), key);
}

void
subfield_unwildcard(const struct subfield *sf, struct flow_key *mask)
{
    field_or_mask(sf->field, low_bits128(sf->n_bits) << sf->ofs, mask);
}

void
subfield_format(const struct subfield *sf, struct buf *b)
{
    buf_puts(b, field_nxm_name(sf->field));
    if (!sf->ofs && sf->n_bits == sf->field->n_bits) {
        buf_puts(b, "[]");
    } else if (sf->n_bits == 1) {
        buf_putf(b, "[%u]", sf->ofs);
    } else {
        buf_putf(b, "[%u..%u]", sf->ofs, sf->ofs + sf->n_bits - 1);
    }
}
