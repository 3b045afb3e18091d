// SPDX-License-Identifier: Apache-2.0
// What log.c (levels), log_pattern.c (line format) and log_sink.c (console, file, syslog) share. Nobody else includes it.
#ifndef LIB_BASE_LOG_PRIVATE_H
#define LIB_BASE_LOG_PRIVATE_H 1

#include "lib/base/buf.h"
#include "lib/base/log.h"

/* The sinks in the order of vlog/list: identifier, name, default pattern (syslog's RFC 5424 or RFC 3164 head comes from the method). */
#define LOG_SINKS \
    LOG_SINK(CONSOLE, "console", "%D{%Y-%m-%dT%H:%M:%SZ}|%05N|%c%T|%p|%m") \
    LOG_SINK(SYSLOG, "syslog", "ovs|%05N|%c%T|%p|%m") \
    LOG_SINK(FILE, "file", "%D{%Y-%m-%dT%H:%M:%S.###Z}|%05N|%c%T|%p|%m")

enum log_sink {
#define LOG_SINK(ID, NAME, PATTERN) LOG_SINK_##ID,
    LOG_SINKS
#undef LOG_SINK
    LOG_N_SINKS
};

/* One message on its way out. */
struct log_record {
    enum log_module module;
    enum log_level level;
    unsigned serial;
    int64_t wall_ms;
    const char *text;
};

const char *log_module_name(enum log_module);
const char *log_level_name(enum log_level); /* In capitals. */
const char *log_sink_name(enum log_sink);

enum log_level log_level_of(enum log_module, enum log_sink);
void log_set_level(enum log_module, enum log_sink, enum log_level); /* Then log_update_enabled(). */
void log_set_rate_limited(enum log_module, bool);

/* Appends 'r' as 'pattern' says. 'facility' is RFC 5424's number, for %B. */
void log_format(struct buf *, const char *pattern, int facility, const struct log_record *r);
int log_severity(enum log_level); /* RFC 5424 section 6.2.1. */
int64_t log_uptime_ms(void); /* Since log_init(). */

/* Sinks. All of these take the sinks' own lock. */
void log_sinks_init(void);
bool log_sink_active(enum log_sink); /* Whether anything sent to it would be seen: file open, console not off. */
void log_sink_write(enum log_sink, const struct log_record *);
void log_sink_set_pattern(enum log_sink, const char *pattern);
char *log_sink_pattern(enum log_sink); /* The caller frees. */
const char *log_syslog_head(void);     /* The pattern in front of syslog's, where we write the whole datagram. */
bool log_syslog_set_facility(const char *name); /* False: no such facility. */
bool log_has_file_name(void);

/* Recomputes log_enabled()'s answer after a level or a sink changed. */
void log_update_enabled(void);

#endif
