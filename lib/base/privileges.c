// SPDX-License-Identifier: Apache-2.0
// --user: another user's identity, with the few capabilities that a switch needs kept across the change.
#include <config.h>
#include <cap-ng.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/base/daemon.h"
#include "lib/base/log.h"

/* Takes "[USER][:GROUP]" apart. What is not given stays as it is; "USER:" means the user's own group. */
static void
find_ids(const char *spec, uid_t *uid, gid_t *gid)
{
    const char *colon = strchr(spec, ':');
    char *user = xstrndup(spec, colon ? (size_t) (colon - spec) : strlen(spec));
    const char *group = colon ? colon + 1 : "";

    *uid = getuid();
    *gid = getgid();
    if (user[0]) {
        struct passwd *pw = getpwnam(user);

        if (!pw) {
            fatal(EXIT_FAILURE, 0, "user %s not found, aborting.", user);
        }
        *uid = pw->pw_uid;
        *gid = colon ? pw->pw_gid : *gid;
    }
    if (group[0]) {
        struct group *gr = getgrnam(group);

        if (!gr) {
            fatal(EXIT_FAILURE, 0, "group %s not found, aborting.", group);
        }
        *gid = gr->gr_gid;
    }
    free(user);
}

void
daemon_drop_privileges(const char *spec)
{
    uid_t uid;
    gid_t gid;
    int error;

    find_ids(spec, &uid, &gid);
    if (getuid()) {
        fatal(EXIT_FAILURE, 0, "only root can use --user option");
    }
    log_chown_file(uid, gid);
    capng_clear(CAPNG_SELECT_BOTH);
    error = capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN, CAP_NET_RAW,
                          CAP_NET_BROADCAST, CAP_NET_BIND_SERVICE, CAP_IPC_LOCK, CAP_BPF, CAP_PERFMON, -1);
    if (!error && uid) {
        error = capng_change_id((int) uid, (int) gid, CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
    } else if (!error) {
        error = setgid(gid) || capng_apply(CAPNG_SELECT_BOTH) ? -1 : 0;
    }
    if (error) {
        fatal(EXIT_FAILURE, 0, "cannot change to user %s with its capabilities (%d), aborting.", spec, error);
    }
}
