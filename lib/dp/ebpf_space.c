// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/dp/ebpf.h"

#define WORTH 8            /* The part of all numbers that is worth a grace period, in blocks that wait... */
#define WORTH_MIN 64       /* ...and how many at least. */
#define GRACE_US 100000    /* Where the kernel offers no grace period, a program that runs for longer is not imagined: they are bounded. */

void
ebpf_space_init(struct ebpf_space *s, uint32_t size)
{
    memset(s, 0, sizeof *s);
    s->size = size;
}

void
ebpf_space_destroy(struct ebpf_space *s)
{
    for (unsigned i = 0; i < EBPF_SPACE_CLASSES; i++) {
        free(s->free[i].bits);
        free(s->waiting[i].at);
        free(s->resting[i].at);
    }
}

static unsigned
class_of(uint32_t n)
{
    unsigned class = 0;

    while (1u << class < n) {
        class ++;
    }
    return class;
}

static void
push(struct ebpf_space_list *l, uint32_t first)
{
    if (l->n == l->allocated) {
        array_grow(&l->at, &l->allocated, sizeof *l->at);
    }
    l->at[l->n++] = first;
}

static void
set_free(struct ebpf_space *s, unsigned class, uint32_t first)
{
    struct ebpf_space_set *set = &s->free[class];

    if (!set->bits) {
        set->bits = xcalloc((s->size + 63) / 64, sizeof *set->bits);
    }
    set->bits[first / 64] |= UINT64_C(1) << first % 64;
    set->at = MIN(set->at, first / 64);
    set->n++;
}

/* membarrier(2): the global command returns after a grace period. */
void
ebpf_space_wait(void)
{
    if (syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0)) {
        usleep(GRACE_US);
    }
}

static void
set_all_free(struct ebpf_space *s, struct ebpf_space_list *lists)
{
    for (unsigned i = 0; i < EBPF_SPACE_CLASSES; i++) {
        while (lists[i].n) {
            set_free(s, i, lists[i].at[--lists[i].n]);
        }
    }
}

bool
ebpf_space_rest(struct ebpf_space *s)
{
    if (s->rests || s->n_waiting < MAX(s->size / WORTH, WORTH_MIN)) {
        return false;
    }
    for (unsigned i = 0; i < EBPF_SPACE_CLASSES; i++) {
        while (s->waiting[i].n) {
            push(&s->resting[i], s->waiting[i].at[--s->waiting[i].n]);
        }
    }
    s->rests = true;
    s->n_waiting = 0;
    return true;
}

void
ebpf_space_rested(struct ebpf_space *s)
{
    set_all_free(s, s->resting);
    s->rests = false;
}

/* All that was given back. Who began a rest still ends it: another one that began before that end would be cut short by it. */
static void
recycle(struct ebpf_space *s)
{
    ebpf_space_wait();
    set_all_free(s, s->waiting);
    s->n_waiting = 0;
    set_all_free(s, s->resting);
}

static bool
take(struct ebpf_space *s, unsigned class, uint32_t *first)
{
    struct ebpf_space_set *set = &s->free[class];

    if (set->n) {
        while (!set->bits[set->at]) {
            set->at++;
        }
        *first = set->at * 64 + (uint32_t) __builtin_ctzll(set->bits[set->at]);
        set->bits[set->at] &= set->bits[set->at] - 1;
        set->n--;
        return true;
    }
    if (s->size - s->used >= 1u << class) {
        *first = s->used;
        s->used += 1u << class;
        return true;
    }
    return false;
}

uint32_t
ebpf_space_block(uint32_t n)
{
    return 1u << class_of(n);
}

/* What is not in use below the last that is is lent first, in blocks as large as fit. */
void
ebpf_space_adopt(struct ebpf_space *s, const bool *in_use)
{
    uint32_t free_from = 0;

    for (uint32_t i = 0; i < s->size; i++) {
        if (in_use[i]) {
            while (free_from < i) {
                unsigned class = EBPF_SPACE_CLASSES - 1;

                while (1u << class > i - free_from) {
                    class --;
                }
                set_free(s, class, free_from);
                free_from += 1u << class;
            }
            s->used = free_from = i + 1;
        }
    }
}

int
ebpf_space_get(struct ebpf_space *s, uint32_t n, uint32_t *first)
{
    unsigned class = class_of(n);

    if (take(s, class, first)) {
        return 0;
    }
    if (s->n_waiting || s->rests) {
        recycle(s);
    }
    return take(s, class, first) ? 0 : -ENOSPC;
}

void
ebpf_space_put(struct ebpf_space *s, uint32_t first, uint32_t n)
{
    push(&s->waiting[class_of(n)], first);
    s->n_waiting++;
}
