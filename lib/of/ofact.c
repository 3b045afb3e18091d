// SPDX-License-Identifier: Apache-2.0
// Lists of actions: building and walking, apart from any wire.
#include <config.h>
#include "lib/of/ofact.h"

void *
ofact_put(struct buf *b, enum ofact_kind kind, size_t size)
{
    struct ofact *a = buf_put_zeros(b, ROUND_UP(size, 8));

    a->kind = (uint16_t) kind;
    a->size = (uint32_t) ROUND_UP(size, 8);
    return a;
}

const struct ofact *
ofact_nested(const struct ofact *a, size_t *size)
{
    size_t header = a->kind == OFACT_CT ? sizeof(struct ofact_ct) : sizeof(struct ofact_nest);

    *size = a->size - header;
    return (const struct ofact *) (const void *) ((const uint8_t *) a + header);
}

bool
ofact_has_nested(const struct ofact *a)
{
    return a->kind == OFACT_CT || a->kind == OFACT_CLONE || a->kind == OFACT_WRITE_ACTIONS;
}

unsigned
ofact_set_position(const struct ofact *a)
{
    static const uint8_t position[] = {
#define OFACT(KIND, STRUCT, SET, CHECK) [OFACT_##KIND] = SET,
#include "lib/of/ofact.def"
    };

    return position[a->kind];
}

bool
ofact_list_equal(const void *a, size_t a_size, const void *b, size_t b_size)
{
    /* Records are zeroed before they are filled, so padding compares too. */
    return a_size == b_size && (!a_size || !memcmp(a, b, a_size));
}

bool
ofact_outputs_to_port(const void *list, size_t size, uint32_t port)
{
    const struct ofact *a;

    OFACT_FOR_EACH (a, list, size) {
        size_t n;

        if ((a->kind == OFACT_OUTPUT && ((const struct ofact_output *) a)->port == port)
            || (a->kind == OFACT_OUTPUT_TRUNC && ((const struct ofact_output_trunc *) a)->port == port)
            || (a->kind == OFACT_ENQUEUE && ((const struct ofact_enqueue *) a)->port == port)
            || (a->kind == OFACT_CONTROLLER && port == OFPP_CONTROLLER)) {
            return true;
        }
        if (ofact_has_nested(a)) {
            const struct ofact *nested = ofact_nested(a, &n);

            if (ofact_outputs_to_port(nested, n, port)) {
                return true;
            }
        }
    }
    return false;
}

bool
ofact_outputs_to_group(const void *list, size_t size, uint32_t group)
{
    const struct ofact *a;

    OFACT_FOR_EACH (a, list, size) {
        size_t n;

        if (a->kind == OFACT_GROUP && ((const struct ofact_group *) a)->group_id == group) {
            return true;
        }
        if (ofact_has_nested(a)) {
            const struct ofact *nested = ofact_nested(a, &n);

            if (ofact_outputs_to_group(nested, n, group)) {
                return true;
            }
        }
    }
    return false;
}
