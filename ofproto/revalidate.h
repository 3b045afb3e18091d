// SPDX-License-Identifier: Apache-2.0
// Revalidators: threads that own the life of megaflows. A cycle reads the counters of all flows in the datapath, credits them, then decides for each megaflow: keep, change,
// remove. Cycles run when something changed (soon, coalesced) and at least every other_config:max-revalidator milliseconds.
#ifndef OFPROTO_REVALIDATE_H
#define OFPROTO_REVALIDATE_H 1

#include "ofproto/ofproto.h"

struct datapath;
struct revalidators;

struct revalidators *revalidators_create(struct datapath *); /* Starts the leader. */
void revalidators_destroy(struct revalidators *);            /* Stops the threads; what was counted is credited. */
void revalidators_configure(struct revalidators *, const struct ofproto_config *);
void revalidators_wake(struct revalidators *);               /* Any thread; 'rv' may be NULL. */
/* Calls done(arg) in the main thread after a cycle that began after this call. */
void revalidators_after_cycle(struct revalidators *, void (*done)(void *arg), void *arg);
/* Removes every megaflow in a cycle of its own, and calls done(arg) in the main thread after it; also while the threads rest. */
void revalidators_purge(struct revalidators *, void (*done)(void *arg), void *arg);
/* The threads rest until they are told to go on: no megaflow is changed or removed and nothing credited, but by a purge. done(arg) is called in the main thread once
 * they rest, or go on. */
void revalidators_pause(struct revalidators *, void (*done)(void *arg), void *arg);
void revalidators_resume(struct revalidators *, void (*done)(void *arg), void *arg);
unsigned revalidators_n(const struct revalidators *);
uint32_t revalidators_flow_limit(const struct revalidators *);
void revalidators_set_flow_limit(struct revalidators *, uint32_t); /* Until revalidators_configure(). */
int64_t revalidators_dump_ms(const struct revalidators *);   /* How long the last cycle took. */

#endif
