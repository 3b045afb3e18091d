// SPDX-License-Identifier: Apache-2.0
// Levels and the way of a message; the line format is log_pattern.c's, where it goes log_sink.c's, what an
// operator says about it log_commands.c's.
#include <config.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "lib/base/log_private.h"

static const char *const module_names[LOG_N_MODULES] = {
#define LOG_MODULE(ID, NAME) NAME,
#include "lib/base/log.def"
#undef LOG_MODULE
};

static const char *const level_names[] = {"OFF", "EMER", "ERR", "WARN", "INFO", "DBG"};

static const char *const sink_names[LOG_N_SINKS] = {
#define LOG_SINK(ID, NAME, PATTERN) NAME,
    LOG_SINKS
#undef LOG_SINK
};

static struct {
    uint8_t levels[LOG_N_MODULES][LOG_N_SINKS]; /* Relaxed atomics, as the next. */
    uint8_t enabled[LOG_N_MODULES];             /* The highest level that some sink would show. */
    bool no_rate_limit[LOG_N_MODULES];
    pthread_mutex_t limit_lock; /* Over every struct log_limit. */
    int64_t started_ms;
} state = {.limit_lock = PTHREAD_MUTEX_INITIALIZER};

static __thread char thread_name[16];
static __thread unsigned serial; /* Of the last message of this thread. */

const char *
log_module_name(enum log_module module)
{
    return module_names[module];
}

const char *
log_level_name(enum log_level level)
{
    return level_names[level];
}

const char *
log_sink_name(enum log_sink sink)
{
    return sink_names[sink];
}

const char *
log_thread_name(void)
{
    return thread_name;
}

void
log_set_thread_name(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(thread_name, sizeof thread_name, fmt, args);
    va_end(args);
    pthread_setname_np(pthread_self(), thread_name);
}

int64_t
log_uptime_ms(void)
{
    return now_ms() - state.started_ms;
}

enum log_level
log_level_of(enum log_module module, enum log_sink sink)
{
    return __atomic_load_n(&state.levels[module][sink], __ATOMIC_RELAXED);
}

void
log_update_enabled(void)
{
    bool active[LOG_N_SINKS];

    for (unsigned sink = 0; sink < LOG_N_SINKS; sink++) {
        active[sink] = log_sink_active(sink);
    }
    for (unsigned module = 0; module < LOG_N_MODULES; module++) {
        uint8_t max = LOG_LEVEL_OFF;

        for (unsigned sink = 0; sink < LOG_N_SINKS; sink++) {
            max = MAX(max, active[sink] ? (uint8_t) log_level_of(module, sink) : (uint8_t) LOG_LEVEL_OFF);
        }
        __atomic_store_n(&state.enabled[module], max, __ATOMIC_RELAXED);
    }
}

void
log_set_level(enum log_module module, enum log_sink sink, enum log_level level)
{
    __atomic_store_n(&state.levels[module][sink], (uint8_t) level, __ATOMIC_RELAXED);
}

void
log_set_rate_limited(enum log_module module, bool limited)
{
    __atomic_store_n(&state.no_rate_limit[module], !limited, __ATOMIC_RELAXED);
}

void
log_init(void)
{
    memset(state.levels, LOG_LEVEL_INFO, sizeof state.levels);
    state.started_ms = now_ms();
    log_sinks_init();
}

bool
log_enabled(enum log_module module, enum log_level level)
{
    return __atomic_load_n(&state.enabled[module], __ATOMIC_RELAXED) >= level;
}

static void PRINTF_LIKE(3, 0)
    write_message(enum log_module module, enum log_level level, const char *fmt, va_list args)
{
    struct buf text = BUF_EMPTY;
    struct log_record record = {module, level, ++serial, wall_ms(), NULL};
    int saved_errno = errno;

    buf_putv(&text, fmt, args);
    buf_chomp(&text, '\n');
    record.text = buf_text(&text);
    for (unsigned sink = 0; sink < LOG_N_SINKS; sink++) {
        if (log_level_of(module, sink) >= level) {
            log_sink_write(sink, &record);
        }
    }
    buf_free(&text);
    errno = saved_errno;
}

void
log_fatal(enum log_module module, int error, const char *fmt, ...)
{
    struct buf text = BUF_EMPTY;
    va_list args;

    va_start(args, fmt);
    buf_putv(&text, fmt, args);
    va_end(args);
    if (error) {
        buf_putf(&text, " (%s)", errno_text(error));
    }
    log_console_limit(LOG_LEVEL_OFF); /* The console gets it without a time. */
    log_write(module, LOG_LEVEL_EMER, "%s", buf_text(&text));
    fatal(EXIT_FAILURE, 0, "%s", buf_text(&text));
}

void
log_write(enum log_module module, enum log_level level, const char *fmt, ...)
{
    va_list args;

    if (log_enabled(module, level)) {
        va_start(args, fmt);
        write_message(module, level, fmt, args);
        va_end(args);
    }
}

/* Takes a token. If it is the first after messages were held back, '*suppressed' says how many, the others
 * when. */
static bool
take_token(struct log_limit *limit, uint64_t *suppressed, int64_t *first_ms, int64_t *last_ms)
{
    int64_t now = now_ms(), earned;
    bool taken;

    pthread_mutex_lock(&state.limit_lock);
    if (!limit->last_ms) {
        limit->last_ms = now;
    }
    earned = MIN(now - limit->last_ms, (int64_t) 3600000) * limit->rate / 60;
    if (earned) { /* Else the fraction that a short time earned would be lost, again and again. */
        limit->tokens_milli = MIN(limit->tokens_milli + earned, (int64_t) limit->burst * 1000);
        limit->last_ms = now;
    }
    taken = limit->tokens_milli >= 1000;
    if (taken) {
        limit->tokens_milli -= 1000;
        *suppressed = limit->suppressed;
        *first_ms = limit->first_suppressed_ms;
        *last_ms = limit->last_suppressed_ms;
        limit->suppressed = 0;
    } else {
        limit->first_suppressed_ms = limit->suppressed ? limit->first_suppressed_ms : now;
        limit->last_suppressed_ms = now;
        limit->suppressed++;
    }
    pthread_mutex_unlock(&state.limit_lock);
    return taken;
}

void
log_write_limited(enum log_module module, enum log_level level, struct log_limit *limit, const char *fmt, ...)
{
    uint64_t suppressed = 0;
    int64_t first_ms, last_ms;
    va_list args;

    if (!log_enabled(module, level)) {
        return;
    }
    if (!__atomic_load_n(&state.no_rate_limit[module], __ATOMIC_RELAXED)) {
        if (!take_token(limit, &suppressed, &first_ms, &last_ms)) {
            return;
        }
        if (suppressed) {
            int64_t now = now_ms();

            log_write(module, level,
                      "Dropped %llu log messages in last %lld seconds (most recently, %lld seconds ago) due "
                      "to excessive rate",
                      (unsigned long long) suppressed, (long long) (now - first_ms) / 1000,
                      (long long) (now - last_ms) / 1000);
        }
    }
    va_start(args, fmt);
    write_message(module, level, fmt, args);
    va_end(args);
}
