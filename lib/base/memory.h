// SPDX-License-Identifier: Apache-2.0
// memory/show: rooms say how much they hold, in things that an operator knows ("rules", "ports").
#ifndef LIB_BASE_MEMORY_H
#define LIB_BASE_MEMORY_H 1

#include "lib/base/loop.h"

struct memory_usage;

/* Called in the main thread: says what there is by memory_usage_add(). */
typedef void memory_fn(struct memory_usage *, void *aux);

/* Process-wide, as appctl_register(). */
void memory_register(memory_fn *, void *aux);
/* Adds 'n' things called 'name' (not copied); those of one name are summed, zeros not shown. */
void memory_usage_add(struct memory_usage *, const char *name, uint64_t n);

/* Registers memory/show, and logs the usage after 10 s and whenever the peak resident size has grown by half since. */
void memory_start(struct loop *);
void memory_stop(void); /* Forgets all that was registered. */

#endif
