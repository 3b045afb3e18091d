// SPDX-License-Identifier: Apache-2.0
// The tree of lines that a translation tells, and its text.
#include <config.h>
#include <stdlib.h>
#include "ofproto/trace_tree.h"

struct trace_node {
    enum trace_kind kind;
    char *text;
    struct cds_list_head node;
    struct cds_list_head below;
};

struct trace_sink {
    struct cds_list_head roots;
    struct cds_list_head *at; /* Where the next line goes. */
    uint32_t fork_id;
    struct flow_key fork_key;
};

struct trace_sink *
trace_sink_create(void)
{
    struct trace_sink *t = xzalloc(sizeof *t);

    CDS_INIT_LIST_HEAD(&t->roots);
    t->at = &t->roots;
    return t;
}

static void
free_nodes(struct cds_list_head *list)
{
    struct trace_node *n, *next;

    cds_list_for_each_entry_safe (n, next, list, node) {
        free_nodes(&n->below);
        free(n->text);
        free(n);
    }
}

void
trace_sink_destroy(struct trace_sink *t)
{
    free_nodes(&t->roots);
    free(t);
}

static struct trace_node *PRINTF_LIKE(3, 0)
add(struct trace_sink *t, enum trace_kind kind, const char *fmt, va_list args)
{
    struct trace_node *n = xzalloc(sizeof *n);
    struct buf text = BUF_EMPTY;

    buf_putv(&text, fmt, args);
    n->kind = kind;
    n->text = buf_steal_text(&text);
    CDS_INIT_LIST_HEAD(&n->below);
    cds_list_add_tail(&n->node, t->at);
    return n;
}

void
trace_add(struct trace_sink *t, enum trace_kind kind, const char *fmt, ...)
{
    va_list args;

    if (t) {
        va_start(args, fmt);
        add(t, kind, fmt, args);
        va_end(args);
    }
}

void *
trace_enter(struct trace_sink *t, enum trace_kind kind, const char *fmt, ...)
{
    struct cds_list_head *was;
    va_list args;

    if (!t) {
        return NULL;
    }
    was = t->at;
    va_start(args, fmt);
    t->at = &add(t, kind, fmt, args)->below;
    va_end(args);
    return was;
}

void
trace_leave(struct trace_sink *t, void *was)
{
    if (t) {
        t->at = was;
    }
}

void
trace_fork(struct trace_sink *t, uint32_t recirc_id, const struct flow_key *key)
{
    if (t) {
        t->fork_id = recirc_id;
        t->fork_key = *key;
    }
}

uint32_t
trace_sink_fork(const struct trace_sink *t, struct flow_key *key)
{
    if (t->fork_id) {
        *key = t->fork_key;
    }
    return t->fork_id;
}

static bool
is_terminal(enum trace_kind kind)
{
    return kind == TRACE_ACTION || kind == TRACE_DETAIL || kind == TRACE_WARN || kind == TRACE_ERROR;
}

static void
put_text(const struct trace_node *n, unsigned indent, struct buf *b)
{
    buf_putf(b, "%*s", (int) indent, "");
    switch (n->kind) {
    case TRACE_DETAIL:
        buf_putf(b, " -> %s\n", n->text);
        break;
    case TRACE_WARN:
        buf_putf(b, " >> %s\n", n->text);
        break;
    case TRACE_ERROR:
        buf_putf(b, " >>>> %s <<<<\n", n->text);
        break;
    case TRACE_BRIDGE:
        buf_putf(b, "%s\n%*s", n->text, (int) indent, "");
        for (size_t i = strlen(n->text); i; i--) {
            buf_putc(b, '-');
        }
        buf_putc(b, '\n');
        break;
    case TRACE_TABLE:
    case TRACE_THAW:
    case TRACE_ACTION:
        buf_putf(b, "%s\n", n->text);
        break;
    }
}

/* A list's last line that has lines below it keeps the indentation of the line above: so tables that follow each other do not wander to the right. */
static void
put_nodes(const struct cds_list_head *list, unsigned level, struct buf *b)
{
    const struct trace_node *n;

    cds_list_for_each_entry (n, list, node) {
        bool more = n->node.next != list || is_terminal(n->kind);

        if (n->kind == TRACE_BRIDGE) {
            buf_putc(b, '\n');
        }
        put_text(n, (level + more) * 4, b);
        put_nodes(&n->below, level + more + more, b);
    }
}

void
trace_sink_format(const struct trace_sink *t, struct buf *b)
{
    put_nodes(&t->roots, 0, b);
}
