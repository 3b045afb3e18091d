// SPDX-License-Identifier: Apache-2.0
// The tables and columns of vswitch.ovsschema that the daemon reads.
#ifndef VSWITCHD_TABLES_H
#define VSWITCHD_TABLES_H 1

#include "lib/ovsdb/replica.h"

extern const struct ovsdb_table_spec vswitch_tables[];
extern const size_t n_vswitch_tables;

#endif
