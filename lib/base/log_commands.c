// SPDX-License-Identifier: Apache-2.0
// What an operator says to the log: -v and vlog/ commands, ovs-appctl(8) "Logging Commands".
#include <config.h>
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include "lib/base/appctl.h"
#include "lib/base/log_private.h"

/* Answers of find_module() beside modules. LOG_N_MODULES stands for all of them elsewhere. */
enum { MODULE_WITHOUT_EFFECT = LOG_N_MODULES + 1, MODULE_UNKNOWN };

/* The module called 's' in any case. */
static unsigned
find_module(const char *s)
{
    static const struct {
        const char *name;
        unsigned module;
    } aliases[] = {
#define LOG_ALIAS(NAME, ID)                                                                                  \
    {#NAME, LOG_##ID == LOG_N_MODULES ? (unsigned) MODULE_WITHOUT_EFFECT : (unsigned) LOG_##ID},
#include "lib/base/log_alias.def"
#undef LOG_ALIAS
    };

    for (unsigned i = 0; i < LOG_N_MODULES; i++) {
        if (!strcasecmp(log_module_name(i), s)) {
            return i;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(aliases); i++) {
        if (!strcasecmp(aliases[i].name, s)) {
            return aliases[i].module;
        }
    }
    return MODULE_UNKNOWN;
}

/* LOG_N_SINKS if there is none called so. */
static unsigned
find_sink(const char *s)
{
    unsigned i = 0;

    while (i < LOG_N_SINKS && strcasecmp(log_sink_name(i), s)) {
        i++;
    }
    return i;
}

static int
find_level(const char *s)
{
    for (int i = LOG_LEVEL_OFF; i <= LOG_LEVEL_DBG; i++) {
        if (!strcasecmp(log_level_name(i), s)) {
            return i;
        }
    }
    return -1;
}

/* Levels of 'module' (LOG_N_MODULES: all; MODULE_WITHOUT_EFFECT: none) for 'sink' (LOG_N_SINKS: all). */
static void
set_levels(unsigned module, unsigned sink, enum log_level level)
{
    for (unsigned m = 0; m < LOG_N_MODULES; m++) {
        for (unsigned s = 0; s < LOG_N_SINKS; s++) {
            if ((module == LOG_N_MODULES || module == m) && (sink == LOG_N_SINKS || sink == s)) {
                log_set_level(m, s, level);
            }
        }
    }
    log_update_enabled();
}

/* "file:%m" */
static char *
set_pattern(char *spec)
{
    char *pattern = strchr(spec, ':');
    unsigned sink;

    if (pattern) {
        *pattern = '\0';
    }
    sink = find_sink(spec);
    if (sink == LOG_N_SINKS) {
        return xasprintf("unknown destination \"%s\"", spec);
    }
    log_sink_set_pattern(sink, pattern ? pattern + 1 : "");
    return NULL;
}

static char *
set_words(char *words)
{
    unsigned module = LOG_N_MODULES, sink = LOG_N_SINKS;
    char *rest = NULL;
    int level = -1;

    for (char *word = strtok_r(words, " ,:", &rest); word; word = strtok_r(NULL, " ,:", &rest)) {
        if (find_level(word) >= 0) {
            if (level >= 0) {
                return xstrdup("cannot specify multiple levels");
            }
            level = find_level(word);
        } else if (find_sink(word) < LOG_N_SINKS) {
            if (sink < LOG_N_SINKS) {
                return xstrdup("cannot specify multiple destinations");
            }
            sink = find_sink(word);
        } else if (find_module(word) != MODULE_UNKNOWN) {
            if (module != LOG_N_MODULES) {
                return xstrdup("cannot specify multiple modules");
            }
            module = find_module(word);
        } else if (strcasecmp(word, "any")) {
            return xasprintf("no destination, level, or module \"%s\"", word);
        }
    }
    set_levels(module, sink, level >= 0 ? (enum log_level) level : LOG_LEVEL_DBG);
    return NULL;
}

int
log_set(const char *spec, char **errorp)
{
    char *copy = xstrdup(spec);
    char *error;

    if (!strncasecmp(copy, "PATTERN:", 8)) {
        error = set_pattern(copy + 8);
    } else if (!strncasecmp(copy, "FACILITY:", 9)) {
        error = log_syslog_set_facility(copy + 9) ? NULL : xasprintf("invalid facility");
    } else {
        error = set_words(copy);
    }
    free(copy);
    if (error) {
        *errorp = error;
        return -EINVAL;
    }
    return 0;
}

static int
compare_modules(const void *a, const void *b)
{
    return strcmp(log_module_name(*(const unsigned *) a), log_module_name(*(const unsigned *) b));
}

char *
log_levels_text(void)
{
    struct buf b = BUF_EMPTY;
    unsigned sorted[LOG_N_MODULES];

    for (unsigned i = 0; i < LOG_N_MODULES; i++) {
        sorted[i] = i;
    }
    qsort(sorted, LOG_N_MODULES, sizeof sorted[0], compare_modules);
    buf_puts(&b, "                 console    syslog    file\n"
                 "                 -------    ------    ------\n");
    for (unsigned i = 0; i < LOG_N_MODULES; i++) {
        unsigned m = sorted[i];

        buf_putf(&b, "%-16s  %4s       %4s       %4s\n", log_module_name(m),
                 log_level_name(log_level_of(m, LOG_SINK_CONSOLE)),
                 log_level_name(log_level_of(m, LOG_SINK_SYSLOG)),
                 log_level_name(log_level_of(m, LOG_SINK_FILE)));
    }
    return buf_steal_text(&b);
}

static void
reply_and_free(struct appctl_request *request, char *text)
{
    appctl_reply(request, text);
    free(text);
}

static void
cmd_list(struct appctl_request *request, int argc, const char *argv[], void *aux)
{
    reply_and_free(request, log_levels_text());
}

static void
cmd_set(struct appctl_request *request, int argc, const char *argv[], void *aux)
{
    char *error;

    if (argc == 1) {
        set_levels(LOG_N_MODULES, LOG_N_SINKS, LOG_LEVEL_DBG);
    }
    for (int i = 1; i < argc; i++) {
        if (log_set(argv[i], &error)) {
            appctl_error(request, error);
            free(error);
            return;
        }
    }
    appctl_reply(request, NULL);
}

static void
cmd_reopen(struct appctl_request *request, int argc, const char *argv[], void *aux)
{
    if (!log_has_file_name()) {
        appctl_error(request, "Logging to file not configured");
        return;
    }

    int error = log_reopen_file();

    if (error) {
        appctl_error(request, errno_text(error));
    } else {
        appctl_reply(request, NULL);
    }
}

static void
cmd_close(struct appctl_request *request, int argc, const char *argv[], void *aux)
{
    log_close_file();
    appctl_reply(request, NULL);
}

static void
cmd_list_pattern(struct appctl_request *request, int argc, const char *argv[], void *aux)
{
    static const struct {
        const char *name;
        enum log_sink sink;
    } rows[] = {{"SYSLOG", LOG_SINK_SYSLOG}, {"CONSOLE", LOG_SINK_CONSOLE}, {"FILE", LOG_SINK_FILE}};
    struct buf b = BUF_EMPTY;

    buf_puts(&b, "         prefix                            format\n"
                 "         ------                            ------\n");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char *pattern = log_sink_pattern(rows[i].sink);

        buf_putf(&b, "%-8s %-32s  %s\n", rows[i].name,
                 rows[i].sink == LOG_SINK_SYSLOG ? log_syslog_head() : "none", pattern);
        free(pattern);
    }
    reply_and_free(request, buf_steal_text(&b));
}

/* 'aux' non-null: limited again. */
static void
cmd_rate_limit(struct appctl_request *request, int argc, const char *argv[], void *aux)
{
    for (int i = 1; i < argc; i++) {
        if (find_module(argv[i]) == MODULE_UNKNOWN && strcasecmp(argv[i], "ANY")) {
            appctl_error(request, "unknown module");
            return;
        }
    }
    for (unsigned m = 0; m < LOG_N_MODULES; m++) {
        bool named = argc == 1;

        for (int i = 1; i < argc; i++) {
            named |= !strcasecmp(argv[i], "ANY") || find_module(argv[i]) == m;
        }
        if (named) {
            log_set_rate_limited(m, aux != NULL);
        }
    }
    appctl_reply(request, NULL);
}

void
log_register_commands(void)
{
    static const char yes[] = "limited";

    appctl_register("vlog/set", "{spec | PATTERN:destination:pattern}", 0, INT_MAX, cmd_set, NULL);
    appctl_register("vlog/list", "", 0, 0, cmd_list, NULL);
    appctl_register("vlog/list-pattern", "", 0, 0, cmd_list_pattern, NULL);
    appctl_register("vlog/enable-rate-limit", "[module]...", 0, INT_MAX, cmd_rate_limit, (void *) yes);
    appctl_register("vlog/disable-rate-limit", "[module]...", 0, INT_MAX, cmd_rate_limit, NULL);
    appctl_register("vlog/close", "", 0, 0, cmd_close, NULL);
    appctl_register("vlog/reopen", "", 0, 0, cmd_reopen, NULL);
}
