// SPDX-License-Identifier: Apache-2.0
// The command line of ovs-vswitchd(8).
#ifndef VSWITCHD_OPTIONS_H
#define VSWITCHD_OPTIONS_H 1

#include "lib/base/daemon.h"
#include "lib/base/stream.h"

enum options_dummy { DUMMY_OFF, DUMMY_ON, DUMMY_OVERRIDE_SYSTEM, DUMMY_OVERRIDE_ALL };

/* All text is owned. */
struct options {
    char *database; /* Never NULL. */
    char *unixctl;  /* NULL: the default. */
    char *log_file; /* NULL: none. */
    bool mlockall;
    bool disable_system; /* For tests: no datapath of type "system". */
    enum options_dummy dummy; /* For tests: the userspace datapath as type "dummy", or also in place of others. */
    struct daemon_options daemon;
    struct stream_tls tls;
};

/* Parses; takes effect at once: logging options. Does not return for --help, --version and errors (exit status 1 and a message). */
void options_parse(struct options *, int argc, char *argv[]);
void options_free(struct options *);

#endif
