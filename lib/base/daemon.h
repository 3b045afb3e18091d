// SPDX-License-Identifier: Apache-2.0
// Becoming a daemon, ovs-vswitchd(8) "Daemon Options": --pidfile, --overwrite-pidfile, --detach, --monitor, --no-chdir, --no-self-confinement,
// --user. A started daemon's parent waits until daemon_ready(), so that its exit status tells whether start-up worked.
#ifndef LIB_BASE_DAEMON_H
#define LIB_BASE_DAEMON_H 1

#include <stdbool.h>

struct loop;

struct daemon_options {
    const char *pidfile; /* NULL: none. "" : the default path. */
    bool overwrite_pidfile, detach, monitor, no_chdir, no_confinement;
    const char *user; /* [USER][:GROUP], or NULL. */
};

/* Forks as asked, drops privileges, writes and locks the pidfile. In the parent it never returns; in the monitor it returns only in the
 * child that is to run. Errors are fatal with a message. Before any thread or loop is created. */
void daemon_start(const struct daemon_options *);
/* Whether files and sockets that the database names must lie in well-known places: whoever may write the database need not be allowed to
 * write here. True unless --no-self-confinement. */
bool daemon_confined(void);
void daemon_ready(void); /* Start-up is complete: parent exits 0, stdio goes to /dev/null if detached, chdir / unless told not to. Once. */
void daemon_exit_cleanup(void); /* Removes the pidfile. exit() calls it too. */

/* SIGTERM, SIGINT, SIGHUP and SIGALRM stop 'loop' from now on (and are logged); SIGPIPE is ignored. */
void daemon_catch_signals(struct loop *);
/* The end of main(): dies of the signal that stopped the loop, as whoever waits for us expects; returns if there was none. */
void daemon_die_of_signal(void);

/* Checks 'user' (daemon_options) and changes to it, keeping the capabilities that a virtual switch needs: CAP_NET_ADMIN, CAP_NET_RAW,
 * CAP_NET_BROADCAST, CAP_NET_BIND_SERVICE, CAP_IPC_LOCK. daemon_start() calls it. Errors are fatal. */
void daemon_drop_privileges(const char *user);

#endif
