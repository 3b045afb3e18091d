// SPDX-License-Identifier: Apache-2.0
// Flow_mods that packets see all of or none: a bundle.
//
// Each rule knows in which versions of the tables it is there (lib/flow/classifier.h), a translation is of one version throughout. What a transaction does is done
// for the version after the current one: rules are added for it and hidden from it, none is changed in place. Then the version is made current, or all of it is
// taken back. Rules that were hidden leave their tables once no reader of an earlier version is left.
//
// Main thread, but where said. At most one is open, and nothing else changes a table meanwhile.
#ifndef OFPROTO_TRANSACTION_H
#define OFPROTO_TRANSACTION_H 1

#include "ofproto/rule.h"

struct transaction;

struct transaction *transaction_begin(struct bridge *); /* To be named in the table_origin of what belongs to it. */
void transaction_commit(struct transaction *);          /* Then who wants to know is told. Frees it, in time. */
void transaction_abort(struct transaction *);           /* The tables are as they were. Frees it. */

/* For table.c: the version for which changes are made, and a change that was made for it. */
uint32_t transaction_version(const struct transaction *);
void transaction_note(struct transaction *, const struct rule_change *, const struct table_origin *);

/* The version that a translation shall be of. RCU read section, any thread; good until its end. */
uint32_t transaction_current_version(const struct bridge *);
/* Carries out what committed transactions left to be done, as far as readers let it. */
void transactions_settle(struct ofproto *);

#endif
