// SPDX-License-Identifier: Apache-2.0
// The control socket RUNDIR/ovs-vswitchd.<pid>.ctl: JSON-RPC requests of ovs-appctl(8). Commands are registered by the rooms that have
// something to show and run in the main thread.
#ifndef LIB_BASE_APPCTL_H
#define LIB_BASE_APPCTL_H 1

#include "lib/base/loop.h"

struct appctl;
struct appctl_request; /* One call; alive until answered exactly once, by appctl_reply() or appctl_error(), now or later. */

typedef void appctl_fn(struct appctl_request *, int argc, const char *argv[], void *aux); /* argv[0] is the command. */

/* 'path' NULL: the default of ovs-vswitchd(8) --unixctl; "none": no socket. 0 or -errno (logged). */
int appctl_open(struct loop *, const char *path, struct appctl **);
void appctl_close(struct appctl *); /* Unanswered requests get an error. */
const char *appctl_path(const struct appctl *);

/* 'usage' is what list-commands prints. 'min' and 'max' count arguments without argv[0]. Names are unique. Process-wide, before or after open.
 * The texts are not copied. */
void appctl_register(const char *name, const char *usage, int min, int max, appctl_fn *, void *aux);
void appctl_register_commands(void); /* list-commands and version. */
void appctl_unregister_all(void); /* At exit: releases the table. */
void appctl_reply(struct appctl_request *, const char *text); /* NULL: empty. */
void appctl_error(struct appctl_request *, const char *text);

/* For tests and for commands that run without a socket: runs the command line now; the reply's text (caller frees), '*failed' set. NULL if deferred. */
char *appctl_run(int argc, const char *argv[], bool *failed);

#endif
