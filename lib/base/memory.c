// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include <stdlib.h>
#include <sys/resource.h>
#include "lib/base/appctl.h"
#include "lib/base/buf.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"

#define CHECK_MS 10000

struct item {
    const char *name;
    uint64_t n;
};

struct memory_usage {
    struct item *items;
    size_t n, allocated;
};

static struct {
    struct {
        memory_fn *fn;
        void *aux;
    } * reporters;
    size_t n, allocated;
    struct loop_timer *timer;
    int64_t started_ms;
    long logged_kb; /* The peak when it was logged last. */
} memory;

void
memory_register(memory_fn *fn, void *aux)
{
    if (memory.n == memory.allocated) {
        array_grow(&memory.reporters, &memory.allocated, sizeof *memory.reporters);
    }
    memory.reporters[memory.n].fn = fn;
    memory.reporters[memory.n++].aux = aux;
}

void
memory_usage_add(struct memory_usage *u, const char *name, uint64_t n)
{
    for (size_t i = 0; i < u->n; i++) {
        if (!strcmp(u->items[i].name, name)) {
            u->items[i].n += n;
            return;
        }
    }
    if (u->n == u->allocated) {
        array_grow(&u->items, &u->allocated, sizeof *u->items);
    }
    u->items[u->n++] = (struct item){name, n};
}

static int
compare_items(const void *a, const void *b)
{
    return strcmp(((const struct item *) a)->name, ((const struct item *) b)->name);
}

/* "ports:3 rules:8", by name; "" if there is nothing. The caller frees. */
static char *
usage_text(void)
{
    struct memory_usage u = {0};
    struct buf b = BUF_EMPTY;

    for (size_t i = 0; i < memory.n; i++) {
        memory.reporters[i].fn(&u, memory.reporters[i].aux);
    }
    if (u.n) {
        qsort(u.items, u.n, sizeof *u.items, compare_items);
    }
    for (size_t i = 0; i < u.n; i++) {
        if (u.items[i].n) {
            buf_putf(&b, "%s:%llu ", u.items[i].name, (unsigned long long) u.items[i].n);
        }
    }
    buf_chomp(&b, ' ');
    free(u.items);
    return buf_steal_text(&b);
}

static void
cmd_show(struct appctl_request *request, int argc, const char *argv[], void *aux)
{
    char *text = usage_text();

    appctl_reply(request, text);
    free(text);
}

static void
check_due(void *loop)
{
    struct rusage usage;

    if (!getrusage(RUSAGE_SELF, &usage) && usage.ru_maxrss > memory.logged_kb + memory.logged_kb / 2) {
        double seconds = (double) (now_ms() - memory.started_ms) / 1000.0;
        char *text = usage_text();

        if (!memory.logged_kb) {
            log_info(LOG_memory, "%ld kB peak resident set size after %.1f seconds", usage.ru_maxrss,
                     seconds);
        } else {
            log_info(LOG_memory,
                     "peak resident set size grew %.0f%% in last %.1f seconds, from %ld kB to %ld kB",
                     (double) (usage.ru_maxrss - memory.logged_kb) * 100.0 / (double) memory.logged_kb,
                     seconds, memory.logged_kb, usage.ru_maxrss);
        }
        if (text[0]) {
            log_info(LOG_memory, "%s", text);
        }
        free(text);
        memory.logged_kb = usage.ru_maxrss;
        memory.started_ms = now_ms();
    }
    loop_timer_set(memory.timer, CHECK_MS);
}

void
memory_start(struct loop *loop)
{
    memory.started_ms = now_ms();
    memory.timer = loop_timer_add(loop, check_due, loop);
    loop_timer_set(memory.timer, CHECK_MS);
    appctl_register("memory/show", "", 0, 0, cmd_show, NULL);
}

void
memory_stop(void)
{
    loop_timer_del(memory.timer);
    free(memory.reporters);
    memset(&memory, 0, sizeof memory);
}
