// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "lib/base/heap.h"

#include <stdlib.h>

static void
stand_at(struct heap *h, struct heap_node *node, size_t i)
{
    h->nodes[i] = node;
    node->place = i + 1;
}

/* The node, which belongs at 'i' or above, goes as high as it has to. */
static void
rise(struct heap *h, struct heap_node *node, size_t i)
{
    while (i && node->value < h->nodes[(i - 1) / 2]->value) {
        stand_at(h, h->nodes[(i - 1) / 2], i);
        i = (i - 1) / 2;
    }
    stand_at(h, node, i);
}

static void
sink(struct heap *h, struct heap_node *node, size_t i)
{
    for (size_t child; (child = 2 * i + 1) < h->n; i = child) {
        child += child + 1 < h->n && h->nodes[child + 1]->value < h->nodes[child]->value;
        if (node->value <= h->nodes[child]->value) {
            break;
        }
        stand_at(h, h->nodes[child], i);
    }
    rise(h, node, i);
}

void
heap_put(struct heap *h, struct heap_node *node, uint64_t value)
{
    if (!node->place) {
        if (h->n == h->allocated) {
            array_grow(&h->nodes, &h->allocated, sizeof *h->nodes);
        }
        stand_at(h, node, h->n++);
    }
    node->value = value;
    sink(h, node, node->place - 1);
}

void
heap_remove(struct heap *h, struct heap_node *node)
{
    struct heap_node *last;

    if (!node->place) {
        return;
    }
    last = h->nodes[--h->n];
    if (last != node) {
        sink(h, last, node->place - 1);
    }
    node->place = 0;
}

void
heap_destroy(struct heap *h)
{
    for (size_t i = 0; i < h->n; i++) {
        h->nodes[i]->place = 0;
    }
    free(h->nodes);
    *h = (struct heap){.n = 0};
}
