// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include <stdlib.h>
#include "lib/base/appctl.h"
#include "lib/base/counter.h"
#include "lib/base/buf.h"
#include "lib/base/hash.h"

COUNTER(counter_ticks, "Five-second slots of the averages in coverage/show that were closed.");

/* The section's bounds, by the linker. */
extern struct counter __start_sluice_counters[], __stop_sluice_counters[];

#define SLOT_SECONDS 5
#define SLOTS_A_MINUTE 12

uint64_t
counter_read(const struct counter *c)
{
    return __atomic_load_n(&c->total, __ATOMIC_RELAXED);
}

const struct counter *
counter_next(const struct counter *c)
{
    c = c ? c + 1 : __start_sluice_counters;
    return c < __stop_sluice_counters ? c : NULL;
}

const struct counter *
counter_find(const char *name)
{
    for (const struct counter *c = NULL; (c = counter_next(c));) {
        if (!strcmp(c->name, name)) {
            return c;
        }
    }
    return NULL;
}

void
counter_tick(void)
{
    uint64_t slot = counter_read(&counter_counter_ticks); /* How many were closed before. */
    unsigned minute = slot / SLOTS_A_MINUTE % 60;

    for (struct counter *c = __start_sluice_counters; c < __stop_sluice_counters; c++) {
        uint64_t total = counter_read(c);
        uint32_t n = (uint32_t) MIN(total - c->last_total, (uint64_t) UINT32_MAX);

        c->last_total = total;
        c->seconds[slot % SLOTS_A_MINUTE] = n;
        if (slot % SLOTS_A_MINUTE == 0) {
            c->minutes[minute] = 0;
        }
        c->minutes[minute] += n;
    }
    COUNTER_INC(counter_ticks);
}

static uint64_t
sum(const uint32_t *values, size_t n)
{
    uint64_t total = 0;

    for (size_t i = 0; i < n; i++) {
        total += values[i];
    }
    return total;
}

static int
compare_names(const void *a, const void *b)
{
    const struct counter *const *ca = a, *const *cb = b;

    return strcmp((*ca)->name, (*cb)->name);
}

/* A number that is the same when the same events happened: which counters moved, and to which power of two.
 */
static uint32_t
hash_of(const struct counter *const *sorted, size_t n)
{
    uint32_t hash = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t total = counter_read(sorted[i]);

        if (total) {
            hash = hash_u64(63 - __builtin_clzll(total), hash_string(sorted[i]->name, hash));
        }
    }
    return hash;
}

static void
cmd_show(struct appctl_request *request, int argc, const char *argv[], void *aux)
{
    size_t n = (size_t) (__stop_sluice_counters - __start_sluice_counters), n_never = 0;
    uint64_t last_slot = (counter_read(&counter_counter_ticks) + SLOTS_A_MINUTE - 1) % SLOTS_A_MINUTE;
    const struct counter **sorted = xmalloc(n * sizeof *sorted);
    struct buf b = BUF_EMPTY;

    for (size_t i = 0; i < n; i++) {
        sorted[i] = &__start_sluice_counters[i];
    }
    qsort(sorted, n, sizeof *sorted, compare_names);
    buf_putf(&b, "Event coverage, avg rate over last: %d seconds, last minute, last hour,  hash=%08x:\n",
             SLOT_SECONDS, hash_of(sorted, n));
    for (size_t i = 0; i < n; i++) {
        const struct counter *c = sorted[i];
        uint64_t total = counter_read(c);

        if (!total) {
            n_never++;
            continue;
        }
        buf_putf(&b, "%-24s %5.1f/sec %9.3f/sec %13.4f/sec   total: %llu\n", c->name,
                 c->seconds[last_slot] / (double) SLOT_SECONDS,
                 (double) sum(c->seconds, ARRAY_SIZE(c->seconds)) / 60.0,
                 (double) sum(c->minutes, ARRAY_SIZE(c->minutes)) / 3600.0, (unsigned long long) total);
    }
    buf_putf(&b, "%zu events never hit\n", n_never);
    free(sorted);
    appctl_reply(request, buf_text(&b));
    buf_free(&b);
}

/* Whether Open vSwitch counts something called so. */
static bool
is_foreign(const char *name)
{
    static const char *const names[] = {
#define COUNTER_NAME(NAME) #NAME,
#include "lib/base/counter_names.def"
#undef COUNTER_NAME
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (!strcmp(names[i], name)) {
            return true;
        }
    }
    return false;
}

static void
cmd_read(struct appctl_request *request, int argc, const char *argv[], void *aux)
{
    const struct counter *c = counter_find(argv[1]);
    char *text;

    if (!c && !is_foreign(argv[1])) {
        appctl_error(request, "No such counter");
        return;
    }
    text = xasprintf("%llu\n", c ? (unsigned long long) counter_read(c) : 0);
    appctl_reply(request, text);
    free(text);
}

/* For sluicectl: all counters with their sentences. */
static void
cmd_sluice_counters(struct appctl_request *request, int argc, const char *argv[], void *aux)
{
    struct buf text = BUF_EMPTY;

    for (const struct counter *c = counter_next(NULL); c; c = counter_next(c)) {
        buf_putf(&text, "%12llu  %-28s %s\n", (unsigned long long) counter_read(c), c->name, c->help);
    }
    appctl_reply(request, buf_text(&text));
    buf_free(&text);
}

void
counter_register_commands(void)
{
    appctl_register("sluice/counters", "", 0, 0, cmd_sluice_counters, NULL);
    appctl_register("coverage/show", "", 0, 0, cmd_show, NULL);
    appctl_register("coverage/read-counter", "COUNTER", 1, 1, cmd_read, NULL);
}
