// SPDX-License-Identifier: Apache-2.0
// What appctl.c (the commands) and appctl_server.c (the socket) share. Nobody else includes it.
#ifndef LIB_BASE_APPCTL_PRIVATE_H
#define LIB_BASE_APPCTL_PRIVATE_H 1

#include "lib/base/appctl.h"

/* Embedded by whoever asks. appctl_reply() and appctl_error() hand 'text' (never NULL) to answer(), which may free the request. */
struct appctl_request {
    void (*answer)(struct appctl_request *, bool failed, const char *text);
};

/* Finds the command of argv[0], checks the number of arguments and calls it; what is wrong with the line is answered as an error. */
void appctl_dispatch(struct appctl_request *, int argc, const char *argv[]);

#endif
