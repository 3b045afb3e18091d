// SPDX-License-Identifier: Apache-2.0
// A pidfile is alive as long as somebody holds an fcntl() lock on it: that is what Open vSwitch's tools look
// at. It is written under another name, locked, and renamed, so that nobody sees one that is empty or not
// locked.
#include <config.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/daemon_private.h"
#include "lib/base/log.h"

/* The holder of the lock of the file, 0 if there is none. */
static pid_t
lock_holder(const char *path)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDWR | O_CLOEXEC);
    int error;

    if (fd < 0) {
        if (errno != ENOENT) {
            log_warn(LOG_daemon_unix, "%s: open: %s", path, errno_text(errno));
        }
        return 0;
    }
    error = fcntl(fd, F_GETLK, &lock);
    close(fd);
    return error || lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}

void
pidfile_check(const char *path)
{
    pid_t pid = lock_holder(path);

    if (pid) {
        log_fatal(LOG_daemon_unix, 0, "%s: already running as pid %ld, aborting", path, (long) pid);
    }
}

int
pidfile_create(const char *path, bool overwrite)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char *tmp = xasprintf("%s.tmp", path);
    int fd = open(tmp, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0666);
    char text[32];
    int n;

    if (fd < 0) {
        log_fatal(LOG_daemon_unix, errno, "%s: create failed", tmp);
    }
    if (fcntl(fd, F_SETLK, &lock)) {
        log_fatal(LOG_daemon_unix, errno, "%s: fcntl failed", tmp);
    }
    if (!overwrite) {
        pidfile_check(path); /* Another one may have come while we forked. */
    }
    n = snprintf(text, sizeof text, "%ld\n", (long) getpid());
    if (write(fd, text, (size_t) n) != n) {
        log_fatal(LOG_daemon_unix, errno, "%s: write failed", tmp);
    }
    if (rename(tmp, path)) {
        log_fatal(LOG_daemon_unix, errno, "%s: rename failed", path);
    }
    free(tmp);
    /* 'fd' stays open: closing it, or any other descriptor of the file in this process, would lose the lock
     * (fcntl(2)). */
    return fd;
}

void
pidfile_remove(const char *path, int fd)
{
    struct stat ours, there;

    /* A daemon that was started while this one took its time to end has put its own in the place. */
    if (!fstat(fd, &ours) && !stat(path, &there) && ours.st_dev == there.st_dev && ours.st_ino == there.st_ino) {
        unlink(path);
    }
}
