// SPDX-License-Identifier: Apache-2.0
// Becoming a daemon, ovs-vswitchd(8) "Daemon Options": --pidfile, --overwrite-pidfile, --detach, --monitor, --no-chdir, --no-self-confinement,
// --user. A started daemon's parent waits until daemon_ready(), so that its exit status tells whether start-up worked.
#ifndef LIB_BASE_DAEMON_H
#define LIB_BASE_DAEMON_H 1

#include <stdbool.h>

struct daemon_options {
    const char *pidfile; /* NULL: none. "" : the default path. */
    bool overwrite_pidfile, detach, monitor, no_chdir;
    const char *user;    /* USER[:GROUP], or NULL. */
};

/* Forks as asked. In the parent it never returns. In the monitor it returns only in the child that is to run. Errors are fatal with a message.
 * Before any thread or loop is created. */
void daemon_start(const struct daemon_options *);
void daemon_ready(void);       /* Start-up is complete: parent exits 0, stdio goes to /dev/null if detached, chdir / unless told not to. */
void daemon_drop_privileges(const struct daemon_options *); /* libcap-ng: keeps CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BROADCAST, CAP_SYS_ADMIN where needed. */
void daemon_exit_cleanup(void); /* Removes the pidfile. Also called at fatal signals. */

#endif
