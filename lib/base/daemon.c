// SPDX-License-Identifier: Apache-2.0
// The processes: parent (--detach) -> monitor (--monitor) -> daemon. Each forked one has a pipe to the one
// that waits for it and writes one byte when its start-up is complete; a pipe that closes without it tells
// that start-up failed, and the exit status is passed on.
#include <config.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/daemon.h"
#include "lib/base/daemon_private.h"
#include "lib/base/dirs.h"
#include "lib/base/log.h"
#include "lib/base/loop.h"

#define RESTART_SECONDS 10 /* At least so long between two starts by the monitor. */

static struct {
    bool detach, chdir, unconfined;
    int ready_fd; /* The pipe to who waits for daemon_ready(); -1: nobody. */
    char *pidfile;
    int pidfile_fd; /* Of the locked 'pidfile'. */
    int died_of; /* The signal that stops us; 0: none. */
} self = {.ready_fd = -1};

/* "exit status 1", "killed (Segmentation fault), core dumped" */
static void
describe_status(int status, char *text, size_t size)
{
    if (WIFEXITED(status)) {
        snprintf(text, size, "exit status %d", WEXITSTATUS(status));
    } else {
        snprintf(text, size, "killed (%s)%s", strsignal(WTERMSIG(status)),
                 WCOREDUMP(status) ? ", core dumped" : "");
    }
}

static pid_t
wait_for(pid_t pid, int *status)
{
    pid_t done;

    do {
        done = waitpid(pid, status, 0);
    } while (done < 0 && errno == EINTR);
    return done;
}

/* Forks. The child returns 0, with the pipe in self.ready_fd; the parent waits for the child's start-up and
 * returns its pid. '*dead': it died before, with '*status'. */
static pid_t
fork_and_wait(bool *dead, int *status)
{
    ssize_t n;
    int fds[2];
    pid_t pid;
    char c;

    fflush(stdout);
    fflush(stderr);
    if (pipe2(fds, O_CLOEXEC) || (pid = fork()) < 0) {
        fatal(EXIT_FAILURE, errno, "fork failed");
    }
    if (!pid) {
        close(fds[0]);
        self.ready_fd = fds[1];
        return 0;
    }
    close(fds[1]);
    do {
        n = read(fds[0], &c, 1);
    } while (n < 0 && errno == EINTR);
    close(fds[0]);
    *dead = n != 1;
    if (*dead) {
        wait_for(pid, status);
    }
    return pid;
}

static void
stdio_to_null(void)
{
    int fd = open("/dev/null", O_RDWR);

    for (int i = 0; fd >= 0 && i < 3; i++) {
        dup2(fd, i);
    }
    if (fd > 2) {
        close(fd);
    }
}

static void
console_off(void)
{
    char *error;

    if (log_set("ANY:console:off", &error)) {
        free(error); /* It is right by construction. */
    }
}

/* What waits for this process may go on; a detached one gives up its terminal. */
static void
now_detached(void)
{
    if (self.ready_fd >= 0) {
        while (write(self.ready_fd, "", 1) < 0 && errno == EINTR) {
        }
        close(self.ready_fd);
        self.ready_fd = -1;
    }
    if (self.detach) {
        self.detach = false;
        if (self.chdir && chdir("/")) {
            log_warn(LOG_daemon_unix, "cannot change to /: %s", errno_text(errno));
        }
        stdio_to_null();
        console_off();
    }
}

/* Tells systemd, if it started us as a service of Type=notify: sd_notify(3) describes the protocol. */
static void
notify_systemd(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;
    char text[64];
    int fd, n;

    if (!len || len >= sizeof address.sun_path || !strchr("/@", path[0])) {
        return;
    }
    memcpy(address.sun_path, path, len);
    if (path[0] == '@') {
        address.sun_path[0] = '\0'; /* An abstract name. */
    }
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) {
        n = snprintf(text, sizeof text, "MAINPID=%ld\nREADY=1\n", (long) getpid());
        sendto(fd, text, (size_t) n, MSG_NOSIGNAL, (struct sockaddr *) &address,
               (socklen_t) (offsetof(struct sockaddr_un, sun_path) + len));
        close(fd);
    }
}

void
daemon_ready(void)
{
    notify_systemd();
    now_detached();
}

/* Whether a daemon that died so had a bug, so that the monitor starts it again. */
static bool
is_crash(int status)
{
    static const int crashes[] = {SIGABRT, SIGALRM, SIGBUS,  SIGFPE, SIGILL,
                                  SIGPIPE, SIGSEGV, SIGXCPU, SIGXFSZ};

    for (size_t i = 0; i < ARRAY_SIZE(crashes); i++) {
        if (WIFSIGNALED(status) && WTERMSIG(status) == crashes[i]) {
            return true;
        }
    }
    return false;
}

/* Says that the daemon crashed, and sleeps if it was started a short time ago. */
static void
note_crash(pid_t pid, int status, unsigned n_crashes, int64_t *started_ms)
{
    int64_t wait_ms = *started_ms + RESTART_SECONDS * 1000 - now_ms();
    struct rlimit no_core = {0, 0};
    char what[64];

    describe_status(status, what, sizeof what);
    if (*started_ms && wait_ms > 0) {
        log_warn(LOG_daemon_unix, "%u crashes: pid %ld died, %s, waiting until %d seconds since last restart",
                 n_crashes, (long) pid, what, RESTART_SECONDS);
        usleep((useconds_t) wait_ms * 1000);
    }
    log_err(LOG_daemon_unix, "%u crashes: pid %ld died, %s, restarting", n_crashes, (long) pid, what);
    if (WCOREDUMP(status)) {
        setrlimit(RLIMIT_CORE, &no_core); /* One core is enough to learn from; more fill the disk. */
    }
    *started_ms = now_ms();
}

/* Watches the daemon 'pid', which may be dead with 'status', and starts it again after a crash. Returns in
 * each new daemon; the monitor exits inside. */
static void
monitor(pid_t pid, bool dead, int status)
{
    unsigned n_crashes = 0;
    int64_t started_ms = 0;
    bool was_up = false;

    log_set_thread_name("monitor");
    prctl(PR_SET_NAME, program_name());
    for (;;) {
        if (!dead) {
            if (!was_up) {
                was_up = true;
                now_detached();
            }
            log_close_file(); /* Whoever rotates the log talks to the daemon only. */
            wait_for(pid, &status);
            log_reopen_file();
        }
        if (!is_crash(status)) {
            char what[64];

            describe_status(status, what, sizeof what);
            log_info(LOG_daemon_unix, "pid %ld died, %s, exiting", (long) pid, what);
            exit(WIFEXITED(status) && !was_up ? WEXITSTATUS(status) : 0);
        }
        note_crash(pid, status, ++n_crashes, &started_ms);
        pid = fork_and_wait(&dead, &status);
        if (!pid) {
            log_set_thread_name("%s", program_name());
            return;
        }
    }
}

/* The parent of --detach: gone when the other side is up, or with its exit status. */
static void
detach(void)
{
    bool dead;
    int status;
    pid_t pid = fork_and_wait(&dead, &status);

    if (pid && !dead) {
        exit(EXIT_SUCCESS);
    } else if (pid) {
        char what[64];

        if (WIFEXITED(status) && WEXITSTATUS(status)) {
            exit(WEXITSTATUS(status)); /* It said why. */
        }
        describe_status(status, what, sizeof what);
        fatal(EXIT_FAILURE, 0, "fork child died before signaling startup (%s)", what);
    }
    setsid();
}

void
daemon_start(const struct daemon_options *options)
{
    if (options->pidfile) {
        char *name = xasprintf("%s.pid", program_name());

        self.pidfile = dirs_file_in(dirs_run(), options->pidfile[0] ? options->pidfile : name);
        free(name);
        if (!options->overwrite_pidfile) {
            pidfile_check(self.pidfile);
        }
    }
    self.chdir = !options->no_chdir;
    self.unconfined = options->no_confinement;
    if (options->detach) {
        detach();
        self.detach = true;
    }
    if (options->monitor) {
        int outer_fd = self.ready_fd, status = 0;
        bool dead;
        pid_t pid = fork_and_wait(&dead, &status);

        if (pid) {
            self.ready_fd = outer_fd;
            monitor(pid, dead, status);
        } else if (outer_fd >= 0) {
            close(outer_fd);
        }
    }
    if (options->user) {
        daemon_drop_privileges(options->user);
    }
    if (self.pidfile) {
        self.pidfile_fd = pidfile_create(self.pidfile, options->overwrite_pidfile);
        atexit(daemon_exit_cleanup); /* Start-up may still fail, anywhere. */
    }
}

bool
daemon_confined(void)
{
    return !self.unconfined;
}

void
daemon_exit_cleanup(void)
{
    if (self.pidfile) {
        pidfile_remove(self.pidfile, self.pidfile_fd);
        free(self.pidfile);
        self.pidfile = NULL;
    }
}

/* What a fatal signal does; one for each of them, since loop_signal() passes no number. */
struct fatal_signal {
    int signo;
    struct loop *loop;
};

static void
fatal_signal_caught(void *f_)
{
    const struct fatal_signal *f = f_;

    log_warn(LOG_fatal_signal, "terminating with signal %d (%s)", f->signo, strsignal(f->signo));
    self.died_of = f->signo;
    loop_stop(f->loop, EXIT_FAILURE);
}

void
daemon_catch_signals(struct loop *loop)
{
    static struct fatal_signal fatal_signals[] = {
        {SIGTERM, NULL}, {SIGINT, NULL}, {SIGHUP, NULL}, {SIGALRM, NULL}};

    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < ARRAY_SIZE(fatal_signals); i++) {
        fatal_signals[i].loop = loop;
        loop_signal(loop, fatal_signals[i].signo, fatal_signal_caught, &fatal_signals[i]);
    }
}

void
daemon_die_of_signal(void)
{
    if (self.died_of) {
        signal(self.died_of, SIG_DFL);
        raise(self.died_of);
    }
}
