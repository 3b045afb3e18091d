// SPDX-License-Identifier: Apache-2.0
// The log: modules, facilities, levels and line format of ovs-appctl(8) "LOGGING COMMANDS" and ovs-vswitchd(8).
// Any thread may log. Levels are read with relaxed atomics and changed by the main thread (vlog/set).
#ifndef LIB_BASE_LOG_H
#define LIB_BASE_LOG_H 1

#include <stdarg.h>
#include <sys/types.h>
#include "lib/base/util.h"

enum log_module {
#define LOG_MODULE(ID, NAME) LOG_##ID,
#include "lib/base/log.def"
#undef LOG_MODULE
    LOG_N_MODULES
};

enum log_level { LOG_LEVEL_OFF, LOG_LEVEL_EMER, LOG_LEVEL_ERR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DBG };

/* A token bucket for messages that a peer can provoke: 'rate' messages a minute, bursts of 'burst'. Static, any thread. */
struct log_limit {
    unsigned rate, burst;
    int64_t tokens_milli; /* Thousandths of a token; 0 at rest. */
    int64_t last_ms;
    int64_t first_suppressed_ms, last_suppressed_ms;
    uint64_t suppressed;
};

#define LOG_LIMIT(RATE, BURST) {.rate = (RATE), .burst = (BURST), .tokens_milli = (BURST) * 1000}

bool log_enabled(enum log_module, enum log_level);
void log_write(enum log_module, enum log_level, const char *fmt, ...) PRINTF_LIKE(3, 4);
void log_write_limited(enum log_module, enum log_level, struct log_limit *, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Logs at EMER, prints the same on stderr after the program's name, and exits with EXIT_FAILURE. 'error' as fatal()'s. */
void log_fatal(enum log_module, int error, const char *fmt, ...) PRINTF_LIKE(3, 4) NO_RETURN;

#define log_err(MODULE, ...) log_write(MODULE, LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warn(MODULE, ...) log_write(MODULE, LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(MODULE, ...) log_write(MODULE, LOG_LEVEL_INFO, __VA_ARGS__)
#define log_dbg(MODULE, ...) (log_enabled(MODULE, LOG_LEVEL_DBG) ? log_write(MODULE, LOG_LEVEL_DBG, __VA_ARGS__) : (void) 0)
#define log_err_rl(MODULE, LIMIT, ...) log_write_limited(MODULE, LOG_LEVEL_ERR, LIMIT, __VA_ARGS__)
#define log_warn_rl(MODULE, LIMIT, ...) log_write_limited(MODULE, LOG_LEVEL_WARN, LIMIT, __VA_ARGS__)
#define log_info_rl(MODULE, LIMIT, ...) log_write_limited(MODULE, LOG_LEVEL_INFO, LIMIT, __VA_ARGS__)
#define log_dbg_rl(MODULE, LIMIT, ...) (log_enabled(MODULE, LOG_LEVEL_DBG) ? log_write_limited(MODULE, LOG_LEVEL_DBG, LIMIT, __VA_ARGS__) : (void) 0)

void log_init(void);                        /* Defaults: console as ovs-vswitchd, syslog INFO, file INFO once a file is open. */
int log_open_file(const char *path);        /* 0 or -errno. Appends. */
int log_reopen_file(void);                  /* The same name again, after rotation or log_close_file(). 0 or -errno. */
void log_close_file(void);                  /* Until log_reopen_file(). */
void log_chown_file(uid_t, gid_t);          /* Before privileges are dropped. */
int log_set(const char *spec, char **error); /* One argument of vlog/set or -v: "[module|facility|level:]..." "PATTERN:facility:pat" "FACILITY:name". */
char *log_levels_text(void);                /* What vlog/list prints; the caller frees. */
void log_set_syslog_method(const char *method); /* --syslog-method: libc, null, unix:file, udp:ip:port. */
void log_set_syslog_target(const char *host_port); /* --syslog-target. */
void log_console_limit(enum log_level max); /* Above what levels say: OFF after detaching, WARN while a detached start-up goes well. */
void log_register_commands(void);           /* vlog/list, vlog/set, vlog/reopen, vlog/close, vlog/list-pattern, vlog/disable-rate-limit, ... */

/* Name shown as (name) for other threads than the main one; at most 15 characters are kept. Also sets the kernel's thread name. */
void log_set_thread_name(const char *fmt, ...) PRINTF_LIKE(1, 2);
const char *log_thread_name(void);          /* "" in the main thread. */

#endif
