// SPDX-License-Identifier: Apache-2.0
// Connection tracking: ct, and nat inside it. Layouts as ovs-ofctl(8) sends and takes them; meanings: ovs-actions(7).
#include <config.h>
#include "lib/of/ofact_private.h"

/* Which parts of a range follow, in this order. */
enum { RANGE_IPV4_MIN = 1, RANGE_IPV4_MAX = 2, RANGE_IPV6_MIN = 4, RANGE_IPV6_MAX = 8, RANGE_PORT_MIN = 16, RANGE_PORT_MAX = 32, RANGE_ALL = 63 };
#define NAT_FLAGS_ALL 0x1f

/* Only NAT and writes of mark and label may stand inside. */
static enum of_error
check_inside(const void *list, size_t size)
{
    const struct ofact *a;

    OFACT_FOR_EACH (a, list, size) {
        const struct ofact_set_field *set = (const void *) a;

        if (a->kind == OFACT_NAT) {
            continue;
        }
        if (a->kind != OFACT_SET_FIELD) {
            return OFERR_OFPBAC_BAD_ARGUMENT;
        }
        if (set->field->id != FIELD_CT_MARK && set->field->id != FIELD_CT_LABEL) {
            return OFERR_OFPBAC_BAD_SET_ARGUMENT;
        }
    }
    return OFERR_OK;
}

/* The zone is a number, or 16 bits of a field. */
static enum of_error
decode_zone(struct ofact_decoder *d, struct ofact_ct *ct)
{
    struct slice peek = d->body;
    uint32_t src = 0;
    uint16_t zone = 0;
    enum of_error error;

    slice_get_be32(&peek, &src);
    if (src) {
        error = ofact_pull_subfield(&d->body, 0, 16, &ct->zone_src);
        if (error) {
            return error;
        }
        slice_get_be16(&d->body, &zone);
        ct->zone_src.ofs = zone >> 6;
        ct->zone_src.n_bits = (zone & 63) + 1u;
        return ct->zone_src.n_bits != 16 ? OFERR_OFPBAC_BAD_SET_LEN : subfield_check_src(&ct->zone_src, NULL);
    }
    slice_pull(&d->body, 4);
    slice_get_be16(&d->body, &ct->zone_imm);
    return OFERR_OK;
}

enum of_error
ofact_decode_CT(struct ofact_decoder *d)
{
    size_t start = d->out->len;
    struct ofact_ct ct = {.flags = 0}, *a = ofact_decoder_put(d, sizeof *a);
    struct ofact header = a->a;
    enum of_error error;
    const struct ofact *nested;
    size_t size;

    slice_get_be16(&d->body, &ct.flags);
    error = decode_zone(d, &ct);
    if (error) {
        return error;
    }
    slice_get_u8(&d->body, &ct.recirc_table);
    slice_pull(&d->body, 3);
    slice_get_be16(&d->body, &ct.alg);
    *a = ct;
    a->a = header;
    error = ofact_decode_nested(d, d->body, start);
    if (error) {
        return error;
    }
    a = (struct ofact_ct *) (void *) (d->out->data + start);
    nested = ofact_nested(&a->a, &size);
    if (size && !(a->flags & 1) && nested->kind == OFACT_SET_FIELD) {
        return OFERR_OFPBAC_BAD_ARGUMENT;
    }
    return check_inside(nested, size);
}

void
ofact_encode_CT(const struct ofact_ct *a, struct ofact_encoder *e)
{
    size_t size, start = ofact_encode_begin(e, WIRE_CT);
    const struct ofact *nested = ofact_nested(&a->a, &size);

    buf_put_be16(e->out, a->flags);
    if (a->zone_src.field) {
        oxm_put_header(a->zone_src.field, 0, false, e->out);
        buf_put_be16(e->out, ofs_nbits_encode(&a->zone_src));
    } else {
        buf_put_be32(e->out, 0);
        buf_put_be16(e->out, a->zone_imm);
    }
    buf_put_u8(e->out, a->recirc_table);
    buf_put_zeros(e->out, 3);
    buf_put_be16(e->out, a->alg);
    ofact_encode_list(nested, size, e);
    ofact_encode_end(e, start);
}

static bool
pull_address(struct slice *s, bool v6, struct in6_addr *address)
{
    return slice_get(s, address, v6 ? 16 : 4);
}

static enum of_error
decode_range(struct slice *s, uint16_t present, struct ofact_nat *nat)
{
    bool v6 = present & (RANGE_IPV6_MIN | RANGE_IPV6_MAX), v4 = present & (RANGE_IPV4_MIN | RANGE_IPV4_MAX);
    uint16_t min = v6 ? RANGE_IPV6_MIN : RANGE_IPV4_MIN, max = v6 ? RANGE_IPV6_MAX : RANGE_IPV4_MAX;

    if ((v4 && v6) || present & ~RANGE_ALL || ((v4 || v6) && !(present & min))
        || (present & RANGE_PORT_MAX && !(present & RANGE_PORT_MIN))) {
        return OFERR_OFPBAC_BAD_ARGUMENT;
    }
    nat->range_af = v6 ? AF_INET6 : v4 ? AF_INET : AF_UNSPEC;
    if ((present & min && !pull_address(s, v6, &nat->min)) || (present & max && !pull_address(s, v6, &nat->max))
        || (present & RANGE_PORT_MIN && !slice_get_be16(s, &nat->port_min))
        || (present & RANGE_PORT_MAX && !slice_get_be16(s, &nat->port_max))) {
        return OFERR_OFPBAC_BAD_LEN;
    }
    /* A range must ascend. */
    if ((present & max && memcmp(&nat->min, &nat->max, sizeof nat->min) > 0)
        || (present & RANGE_PORT_MAX && nat->port_max < nat->port_min)) {
        return OFERR_OFPBAC_BAD_ARGUMENT;
    }
    return OFERR_OK;
}

enum of_error
ofact_decode_NAT(struct ofact_decoder *d)
{
    struct ofact_nat *a = ofact_decoder_put(d, sizeof *a);
    uint16_t present = 0;
    enum of_error error;

    slice_pull(&d->body, 2);
    slice_get_be16(&d->body, &a->flags);
    slice_get_be16(&d->body, &present);
    /* Source and destination at once, or a range for neither, make no sense. */
    if (a->flags & ~NAT_FLAGS_ALL || (a->flags & 3) == 3 || (!(a->flags & 3) && present)) {
        return OFERR_OFPBAC_BAD_ARGUMENT;
    }
    error = decode_range(&d->body, present, a);
    return error ? error : d->body.len >= 8 ? OFERR_OFPBAC_BAD_LEN : OFERR_OK;
}

static bool
address_is_zero(const struct in6_addr *address)
{
    return slice_is_zero(slice_of(address, sizeof *address));
}

void
ofact_encode_NAT(const struct ofact_nat *a, struct ofact_encoder *e)
{
    bool v6 = a->range_af == AF_INET6, has_min = a->range_af != AF_UNSPEC, has_max = has_min && !address_is_zero(&a->max);
    size_t start = ofact_encode_begin(e, WIRE_NAT);
    uint16_t present = 0;

    present |= has_min ? v6 ? RANGE_IPV6_MIN : RANGE_IPV4_MIN : 0;
    present |= has_max ? v6 ? RANGE_IPV6_MAX : RANGE_IPV4_MAX : 0;
    present |= a->port_min ? RANGE_PORT_MIN : 0;
    present |= a->port_min && a->port_max ? RANGE_PORT_MAX : 0;
    buf_put_zeros(e->out, 2);
    buf_put_be16(e->out, a->flags);
    buf_put_be16(e->out, present);
    buf_put(e->out, &a->min, !has_min ? 0 : v6 ? 16 : 4);
    buf_put(e->out, &a->max, !has_max ? 0 : v6 ? 16 : 4);
    if (present & RANGE_PORT_MIN) {
        buf_put_be16(e->out, a->port_min);
    }
    if (present & RANGE_PORT_MAX) {
        buf_put_be16(e->out, a->port_max);
    }
    ofact_encode_end(e, start);
}
