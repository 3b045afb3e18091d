// SPDX-License-Identifier: Apache-2.0
// Where log lines go: standard error, a file, the system's log. One lock over all of it keeps lines whole.
#include <config.h>
#include <event2/util.h>
#include <fcntl.h>
#include <paths.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>
#include "lib/base/dirs.h"
#include "lib/base/log_private.h"

enum syslog_method { SYSLOG_LIBC, SYSLOG_NULL, SYSLOG_SOCKET };

#define FACILITY_UNSET (-1)
#define FACILITY_DAEMON 3 /* RFC 5424 section 6.2.1. */
#define FACILITY_LOCAL0 16

static struct {
    pthread_mutex_t lock;
    char *patterns[LOG_N_SINKS]; /* NULL: the default. */
    enum log_level console_max;  /* Whatever the levels say, no more than this goes to standard error. */
    int file_fd;                 /* -1: none. */
    char *file_name;
    enum syslog_method method;
    int syslog_fd; /* Of SYSLOG_SOCKET; -1 while it cannot be reached. */
    int target_fd; /* --syslog-target; -1: none. */
    int facility;  /* RFC 5424's number, or FACILITY_UNSET. */
    int64_t looked_ms; /* When libc_has_syslog() looked last; 0: never. */
    bool somebody_listens;
} sinks = {.lock = PTHREAD_MUTEX_INITIALIZER,
           .console_max = LOG_LEVEL_DBG,
           .file_fd = -1,
           .syslog_fd = -1,
           .target_fd = -1,
           .facility = FACILITY_UNSET};

static const char *const default_patterns[LOG_N_SINKS] = {
#define LOG_SINK(ID, NAME, PATTERN) PATTERN,
    LOG_SINKS
#undef LOG_SINK
};

/* RFC 3164 section 4.1, for methods that write the whole datagram themselves. */
static const char rfc3164_head[] = "<%B> %D{%h %e %T} %E %A: ";
/* RFC 5424 section 6, for --syslog-target. */
static const char rfc5424_pattern[] = "<%B>1 %D{%Y-%m-%dT%H:%M:%S.###Z} %E %A %P %c - \xef\xbb\xbf%m";

const char *
log_syslog_head(void)
{
    return rfc3164_head;
}

static const char *
pattern_of(enum log_sink sink)
{
    return sinks.patterns[sink] ? sinks.patterns[sink] : default_patterns[sink];
}

void
log_sink_set_pattern(enum log_sink sink, const char *pattern)
{
    pthread_mutex_lock(&sinks.lock);
    free(sinks.patterns[sink]);
    sinks.patterns[sink] = xstrdup(pattern);
    pthread_mutex_unlock(&sinks.lock);
}

char *
log_sink_pattern(enum log_sink sink)
{
    char *copy;

    pthread_mutex_lock(&sinks.lock);
    copy = xstrdup(pattern_of(sink));
    pthread_mutex_unlock(&sinks.lock);
    return copy;
}

bool
log_sink_active(enum log_sink sink)
{
    bool active = true;

    pthread_mutex_lock(&sinks.lock);
    if (sink == LOG_SINK_CONSOLE) {
        active = sinks.console_max > LOG_LEVEL_OFF;
    } else if (sink == LOG_SINK_FILE) {
        active = sinks.file_fd >= 0;
    } else if (sink == LOG_SINK_SYSLOG) {
        active = sinks.method != SYSLOG_NULL || sinks.target_fd >= 0;
    }
    pthread_mutex_unlock(&sinks.lock);
    return active;
}

static void
write_line(int fd, struct buf *line)
{
    size_t done = 0;

    buf_putc(line, '\n');
    while (done < line->len) {
        ssize_t n = write(fd, line->data + done, line->len - done);

        if (n > 0) {
            done += (size_t) n;
        } else if (errno != EINTR) {
            break; /* A full disk loses lines; there is nowhere to say so. */
        }
    }
}

/* While nobody listens, syslog(3) tries to connect for each line. A look a second will do. */
static bool
libc_has_syslog(void)
{
    int64_t now = now_ms();

    if (!sinks.looked_ms || now - sinks.looked_ms >= 1000) {
        sinks.looked_ms = now;
        sinks.somebody_listens = !access(_PATH_LOG, F_OK);
    }
    return sinks.somebody_listens;
}

/* One line of a message to the system's log. */
static void
write_syslog_line(const struct log_record *r)
{
    int facility = sinks.facility == FACILITY_UNSET ? FACILITY_DAEMON : sinks.facility;
    struct buf line = BUF_EMPTY;

    if (sinks.method == SYSLOG_SOCKET) {
        log_format(&line, rfc3164_head, facility, r);
    }
    log_format(&line, pattern_of(LOG_SINK_SYSLOG), facility, r);
    if (sinks.method == SYSLOG_LIBC && libc_has_syslog()) {
        syslog(log_severity(r->level) | (facility << 3), "%s", buf_text(&line));
    } else if (sinks.syslog_fd >= 0) {
        send(sinks.syslog_fd, line.data, line.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (sinks.target_fd >= 0) {
        buf_clear(&line);
        log_format(&line, rfc5424_pattern,
                   sinks.facility == FACILITY_UNSET ? FACILITY_LOCAL0 : sinks.facility, r);
        send(sinks.target_fd, line.data, line.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    buf_free(&line);
}

/* A syslog message is one line: each line of the text becomes a message. */
static void
write_syslog(const struct log_record *r)
{
    char *copy = xstrdup(r->text);
    char *rest = NULL;

    for (char *text = strtok_r(copy, "\n", &rest); text; text = strtok_r(NULL, "\n", &rest)) {
        struct log_record line = *r;

        line.text = text;
        write_syslog_line(&line);
    }
    free(copy);
}

void
log_sink_write(enum log_sink sink, const struct log_record *r)
{
    pthread_mutex_lock(&sinks.lock);
    if (sink == LOG_SINK_SYSLOG) {
        write_syslog(r);
    } else {
        int fd = sink == LOG_SINK_FILE ? sinks.file_fd : r->level <= sinks.console_max ? STDERR_FILENO : -1;

        if (fd >= 0) {
            struct buf line = BUF_EMPTY;

            log_format(&line, pattern_of(sink), FACILITY_DAEMON, r);
            write_line(fd, &line);
            buf_free(&line);
        }
    }
    pthread_mutex_unlock(&sinks.lock);
}

void
log_console_limit(enum log_level max)
{
    pthread_mutex_lock(&sinks.lock);
    sinks.console_max = max;
    pthread_mutex_unlock(&sinks.lock);
    log_update_enabled();
}

/* Opens 'path' to append to. 'path' may be the name that is kept. */
static int
open_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0660);
    int error = fd < 0 ? -errno : 0;

    if (!error) {
        char *name = xstrdup(path);

        pthread_mutex_lock(&sinks.lock);
        if (sinks.file_fd >= 0) {
            close(sinks.file_fd);
        }
        free(sinks.file_name);
        sinks.file_fd = fd;
        sinks.file_name = name;
        pthread_mutex_unlock(&sinks.lock);
        log_update_enabled();
    }
    return error;
}

int
log_open_file(const char *path)
{
    int error = open_file(path);

    if (error) {
        log_warn(LOG_log, "failed to open %s for logging: %s", path, errno_text(error));
    } else {
        log_info(LOG_log, "opened log file %s", path);
    }
    return error;
}

void
log_close_file(void)
{
    if (sinks.file_fd >= 0) {
        log_info(LOG_log, "closing log file");
    }
    pthread_mutex_lock(&sinks.lock);
    if (sinks.file_fd >= 0) {
        close(sinks.file_fd);
        sinks.file_fd = -1;
    }
    pthread_mutex_unlock(&sinks.lock);
    log_update_enabled();
}

void
log_chown_file(uid_t uid, gid_t gid)
{
    if (sinks.file_fd >= 0 && fchown(sinks.file_fd, uid, gid)) {
        log_warn(LOG_log, "cannot give %s to another user: %s", sinks.file_name, errno_text(errno));
    }
}

bool
log_has_file_name(void)
{
    return sinks.file_name != NULL;
}

int
log_reopen_file(void)
{
    struct stat open_one, named;
    char *name;
    int error = 0;

    if (!sinks.file_name) {
        return 0;
    }
    name = xstrdup(sinks.file_name);
    /* The same file still: nothing to do, and no line that says so. */
    if (sinks.file_fd < 0 || fstat(sinks.file_fd, &open_one) || stat(name, &named) ||
        open_one.st_dev != named.st_dev || open_one.st_ino != named.st_ino) {
        log_close_file();
        error = log_open_file(name);
    }
    free(name);
    return error;
}

/* Names of RFC 5424's facilities, at their numbers. */
static const char *const facilities[] = {
    "kern",   "user",   "mail",     "daemon", "auth",   "syslog", "lpr",    "news",
    "uucp",   "clock",  "authpriv", "ftp",    "ntp",    "audit",  "alert",  "clock2",
    "local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7",
};

bool
log_syslog_set_facility(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(facilities); i++) {
        if (!strcasecmp(facilities[i], name)) {
            sinks.facility = (int) i;
            return true;
        }
    }
    return false;
}

/* A datagram socket connected to numeric "HOST:PORT" ("[V6]:PORT"), or -1. */
static int
udp_socket(const char *host_port)
{
    struct sockaddr_storage address;
    int len = sizeof address, fd;

    if (evutil_parse_sockaddr_port(host_port, (struct sockaddr *) &address, &len)) {
        return -1;
    }
    fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *) &address, (socklen_t) len)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static int
unix_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof address.sun_path) {
        return -1;
    }
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *) &address, sizeof address)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

void
log_set_syslog_method(const char *method)
{
    if (!strcmp(method, "libc")) {
        openlog(program_name(), LOG_NDELAY, LOG_DAEMON);
        sinks.method = SYSLOG_LIBC;
    } else {
        sinks.method = !strcmp(method, "null") ? SYSLOG_NULL : SYSLOG_SOCKET;
        if (!strncmp(method, "unix:", 5)) {
            sinks.syslog_fd = unix_socket(method + 5);
        } else if (!strncmp(method, "udp:", 4)) {
            sinks.syslog_fd = udp_socket(method + 4);
        } else if (sinks.method == SYSLOG_SOCKET) {
            fatal(EXIT_FAILURE, 0, "unsupported syslog method '%s'", method);
        }
    }
    log_update_enabled();
}

void
log_set_syslog_target(const char *host_port)
{
    int fd = udp_socket(host_port);

    if (fd < 0) {
        log_err(LOG_log, "%s: not a numeric HOST:PORT to send syslog messages to", host_port);
        return;
    }
    if (sinks.target_fd >= 0) {
        close(sinks.target_fd);
    }
    sinks.target_fd = fd;
    log_update_enabled();
}

void
log_sinks_init(void)
{
    const char *method = getenv("OVS_SYSLOG_METHOD");

    log_set_syslog_method(method && method[0] ? method : "libc");
}
