// SPDX-License-Identifier: Apache-2.0
// The table of commands. The socket that brings them is appctl_server.c's.
#include <config.h>
#include <assert.h>
#include <stdlib.h>
#include "lib/base/appctl_private.h"
#include "lib/base/buf.h"
#include "lib/base/version.h"

struct command {
    const char *name, *usage;
    int min, max;
    appctl_fn *fn;
    void *aux;
};

/* Sorted by name. Main thread. */
static struct {
    struct command *rows;
    size_t n, allocated;
} commands;

/* Where 'name' is, or would have to be put. */
static size_t
position_of(const char *name)
{
    size_t low = 0, high = commands.n;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (strcmp(commands.rows[middle].name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void
appctl_register(const char *name, const char *usage, int min, int max, appctl_fn *fn, void *aux)
{
    size_t at = position_of(name);

    assert(at == commands.n || strcmp(commands.rows[at].name, name));
    if (commands.n == commands.allocated) {
        array_grow(&commands.rows, &commands.allocated, sizeof *commands.rows);
    }
    memmove(&commands.rows[at + 1], &commands.rows[at], (commands.n - at) * sizeof *commands.rows);
    commands.rows[at] = (struct command){name, usage, min, max, fn, aux};
    commands.n++;
}

void
appctl_unregister_all(void)
{
    free(commands.rows);
    commands.rows = NULL;
    commands.n = commands.allocated = 0;
}

void
appctl_reply(struct appctl_request *request, const char *text)
{
    request->answer(request, false, text ? text : "");
}

void
appctl_error(struct appctl_request *request, const char *text)
{
    request->answer(request, true, text ? text : "");
}

static void
cmd_list_commands(struct appctl_request *request, int argc, const char *argv[], void *aux)
{
    struct buf b = BUF_EMPTY;

    buf_puts(&b, "The available commands are:\n");
    for (size_t i = 0; i < commands.n; i++) {
        buf_putf(&b, "  %-23s %s\n", commands.rows[i].name, commands.rows[i].usage);
    }
    appctl_reply(request, buf_text(&b));
    buf_free(&b);
}

static void
cmd_version(struct appctl_request *request, int argc, const char *argv[], void *aux)
{
    char *text = version_text();

    appctl_reply(request, text);
    free(text);
}

void
appctl_register_commands(void)
{
    appctl_register("list-commands", "", 0, 0, cmd_list_commands, NULL);
    appctl_register("version", "", 0, 0, cmd_version, NULL);
}

void
appctl_dispatch(struct appctl_request *request, int argc, const char *argv[])
{
    size_t at = position_of(argv[0]);
    const struct command *c =
        at < commands.n && !strcmp(commands.rows[at].name, argv[0]) ? &commands.rows[at] : NULL;
    char *refusal = NULL;

    if (!c) {
        refusal = xasprintf(
            "\"%s\" is not a valid command (use \"list-commands\" to see a list of valid commands)", argv[0]);
    } else if (argc - 1 < c->min) {
        refusal = xasprintf("\"%s\" command requires at least %d arguments", argv[0], c->min);
    } else if (argc - 1 > c->max) {
        refusal = xasprintf("\"%s\" command takes at most %d arguments", argv[0], c->max);
    }
    if (refusal) {
        appctl_error(request, refusal);
        free(refusal);
    } else {
        c->fn(request, argc, argv, c->aux);
    }
}

/* A command without a socket. If it is not answered before dispatch returns, whoever answers later frees it.
 */
struct local_request {
    struct appctl_request up;
    bool answered, failed, abandoned;
    char *text;
};

static void
answer_locally(struct appctl_request *request, bool failed, const char *text)
{
    struct local_request *local = CONTAINER_OF(request, struct local_request, up);

    if (local->abandoned) {
        free(local);
        return;
    }
    local->answered = true;
    local->failed = failed;
    local->text = xstrdup(text);
}

char *
appctl_run(int argc, const char *argv[], bool *failed)
{
    struct local_request *local = xzalloc(sizeof *local);
    char *text;

    local->up.answer = answer_locally;
    appctl_dispatch(&local->up, argc, argv);
    if (!local->answered) {
        local->abandoned = true;
        return NULL;
    }
    *failed = local->failed;
    text = local->text;
    free(local);
    return text;
}
