// SPDX-License-Identifier: Apache-2.0
// What printing and parsing of datapath actions have in common: for lib/flow's own use.
#ifndef LIB_FLOW_ACTION_TEXT_H
#define LIB_FLOW_ACTION_TEXT_H 1

#include "lib/flow/dp_text.h"

extern const struct flag_name slow_reason_names[], nat_flag_names[];

/* The attribute that a group of set writes is called 'name'; 'attr' is DP_N_ATTRS for those with a form of
 * their own. */
extern const struct set_name {
    const char *name;
    enum dp_attr_id attr;
} set_names[SET_N_GROUPS];

#endif
