// SPDX-License-Identifier: Apache-2.0
// What printing and parsing of matches have in common: for lib/flow's own use.
#ifndef LIB_FLOW_MATCH_TEXT_H
#define LIB_FLOW_MATCH_TEXT_H 1

#include "lib/flow/text.h"

#define MATCH_DEFAULT_PRIORITY 32768

/* A word that stands for an Ethertype and, if 'nw_proto' is not 0, an IP protocol. */
struct protocol {
    const char *name;
    uint16_t eth_type;
    uint8_t nw_proto;
};
const struct protocol *protocol_by_name(const char *);

#endif
