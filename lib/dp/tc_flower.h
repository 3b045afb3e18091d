// SPDX-License-Identifier: Apache-2.0
// The rows of lib/nl/flower.def, for the compiler and the decoder.
#ifndef LIB_DP_TC_FLOWER_H
#define LIB_DP_TC_FLOWER_H 1

#include "lib/flow/key.h"

enum flower_layer {
    LAYER_ANY,
    LAYER_IP,
    LAYER_IPV4,
    LAYER_IPV6,
    LAYER_ARP,
    LAYER_TCP,
    LAYER_UDP,
    LAYER_SCTP,
    LAYER_ICMP,
    LAYER_ICMPV6
};
enum flower_conv { FLOWER_SAME, FLOWER_LOW8 };

struct flower_row {
    uint16_t attr, mask_attr;
    uint8_t layer, bytes, conv;
    uint16_t member; /* Offset in struct flow_key. */
};
extern const struct flower_row flower_rows[];
extern const unsigned flower_n_rows;

bool flower_has_layer(const struct flow_key *, enum flower_layer);

#endif
