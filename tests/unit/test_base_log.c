// SPDX-License-Identifier: Apache-2.0
// The log's file, its patterns and levels, and counters, as an operator sees them.
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/base/appctl.h"
#include "lib/base/buf.h"
#include "lib/base/counter.h"
#include "lib/base/log.h"

COUNTER(test_event, "The test counted.");
COUNTER(test_never, "The test did not count.");

static char path[] = "/tmp/test_base_log.XXXXXX";

/* What the file holds, from 'offset' on. The caller frees. */
static char *
file_text(const char *name, long offset)
{
    FILE *stream = fopen(name, "r");
    struct buf b = BUF_EMPTY;
    int c;

    fseek(stream, offset, SEEK_SET);
    while ((c = getc(stream)) != EOF) {
        buf_putc(&b, (char) c);
    }
    fclose(stream);
    return buf_steal_text(&b);
}

static long
file_size(void)
{
    char *text = file_text(path, 0);
    long size = (long) strlen(text);

    free(text);
    return size;
}

static void
assert_matches(const char *text, const char *pattern)
{
    regex_t regex;

    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    if (regexec(&regex, text, 0, NULL, 0)) {
        fail_msg("\"%s\" does not match %s", text, pattern);
    }
    regfree(&regex);
}

/* Runs a command of one to three words: its text; the caller frees. */
static char *
run(const char *a, const char *b, const char *c, bool *failed)
{
    const char *argv[] = {a, b, c};

    return appctl_run(c ? 3 : b ? 2 : 1, argv, failed);
}

static void
set(const char *spec)
{
    char *error = NULL;

    if (log_set(spec, &error)) {
        fail_msg("%s: %s", spec, error);
    }
}

/* What 'message' becomes in the file with 'pattern', without the new line. */
static char *
formatted(const char *pattern, const char *message)
{
    long before = file_size();
    char *spec = xasprintf("PATTERN:file:%s", pattern);
    char *text;

    set(spec);
    free(spec);
    log_warn(LOG_bridge, "%s", message);
    set("PATTERN:file:%D{%Y-%m-%dT%H:%M:%S.###Z}|%05N|%c%T|%p|%m");
    text = file_text(path, before);
    assert_true(text[0] && text[strlen(text) - 1] == '\n');
    text[strlen(text) - 1] = '\0';
    return text;
}

static void
test_line(void **state)
{
    char *text = file_text(path, 0);

    assert_matches(text, "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z\\|00001\\|"
                         "vlog\\|INFO\\|opened log file ");
    free(text);
}

static void
test_patterns(void **state)
{
    static const struct {
        const char *pattern, *expected;
    } rows[] = {
        {"%m", "^hi$"},
        {"%p %c%%", "^WARN bridge%$"},
        {"[%8c][%-8c][%08c]", "^\\[  bridge\\]\\[bridge  \\]\\[00bridge\\]$"},
        {"%A|%t|%T|", "^ovs-vswitchd\\|main\\|\\|$"},
        {"<%B>", "^<28>$"},
        {"%d{%H%%}%D{#####}", "^[0-9][0-9]%[0-9]{3}00$"},
        {"%D", "^[0-9-]{10} [0-9:]{8}$"},
        {"%P %r %05N", "^[0-9]+ [0-9]+ [0-9]{5}$"},
        {"%m%n%m", "^hi\nhi$"},
        {"%q%", "^q%$"},
        {"%D{open", "^[0-9-]{10} [0-9:]{8}\\{open$"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char *text = formatted(rows[i].pattern, "hi");

        assert_matches(text, rows[i].expected);
        free(text);
    }
}

static void
test_levels(void **state)
{
    char *text;
    bool failed;

    assert_true(log_enabled(LOG_bridge, LOG_LEVEL_INFO));
    assert_false(log_enabled(LOG_bridge, LOG_LEVEL_DBG));
    set("bridge:file:dbg");
    assert_true(log_enabled(LOG_bridge, LOG_LEVEL_DBG));
    assert_false(log_enabled(LOG_dp, LOG_LEVEL_DBG));
    text = run("vlog/list", NULL, NULL, &failed);
    assert_non_null(strstr(text, "\nbridge             OFF       INFO        DBG\n"));
    free(text);
    set("Any,FILE err");
    assert_false(log_enabled(LOG_bridge, LOG_LEVEL_WARN));
    set("file:info");

    /* Modules that only Open vSwitch has. */
    set("netdev_linux:file:dbg");
    assert_true(log_enabled(LOG_netdev, LOG_LEVEL_DBG));
    set("lldp:dbg");
    assert_false(log_enabled(LOG_dp, LOG_LEVEL_DBG));
    set("file:info");

    static const char *const bad[] = {"nosuch",      "dbg:info",          "file:console",
                                      "bridge:dpif", "PATTERN:nosuch:%m", "FACILITY:nosuch"};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        text = run("vlog/set", bad[i], NULL, &failed);
        assert_true(failed);
        assert_true(text[0]);
        free(text);
    }
}

static void
test_rate_limit(void **state)
{
    static struct log_limit limit = LOG_LIMIT(60, 3);
    long before = file_size();
    char *text, *line;
    unsigned n = 0;
    bool failed;

    for (int i = 0; i < 10; i++) {
        log_warn_rl(LOG_bridge, &limit, "again");
    }
    text = file_text(path, before);
    for (line = text; (line = strstr(line, "again\n")) != NULL; line++) {
        n++;
    }
    assert_int_equal(n, 3);
    free(text);

    limit.tokens_milli = 1000; /* As if a second had passed. */
    before = file_size();
    log_warn_rl(LOG_bridge, &limit, "again");
    text = file_text(path, before);
    assert_matches(text, "Dropped 7 log messages in last 0 seconds \\(most recently, 0 seconds ago\\) due to "
                         "excessive rate\n.*again\n$");
    free(text);

    free(run("vlog/disable-rate-limit", "bridge", NULL, &failed));
    before = file_size();
    log_warn_rl(LOG_bridge, &limit, "again");
    assert_true(file_size() > before);
    free(run("vlog/enable-rate-limit", NULL, NULL, &failed));
}

static void
test_reopen(void **state)
{
    char *moved = xasprintf("%s.1", path);
    long before;
    char *text;
    bool failed;

    assert_int_equal(rename(path, moved), 0);
    log_info(LOG_bridge, "to the old one");
    free(run("vlog/reopen", NULL, NULL, &failed));
    assert_false(failed);
    log_info(LOG_bridge, "to the new one");
    text = file_text(moved, 0);
    assert_non_null(strstr(text, "to the old one\n"));
    assert_null(strstr(text, "to the new one"));
    free(text);
    unlink(moved);
    free(moved);
    text = file_text(path, 0);
    assert_non_null(strstr(text, "to the new one\n"));
    free(text);

    free(run("vlog/close", NULL, NULL, &failed));
    before = file_size();
    assert_false(log_enabled(LOG_bridge, LOG_LEVEL_EMER));
    log_err(LOG_bridge, "nowhere");
    assert_int_equal(file_size(), before);
    free(run("vlog/reopen", NULL, NULL, &failed));
    assert_true(log_enabled(LOG_bridge, LOG_LEVEL_ERR));
}

static void
test_counters(void **state)
{
    char *text;
    bool failed;

    COUNTER_ADD(test_event, 50);
    counter_tick();
    COUNTER_INC(test_event);
    assert_int_equal(counter_read(counter_find("test_event")), 51);
    text = run("coverage/show", NULL, NULL, &failed);
    assert_non_null(
        strstr(text, "\ntest_event                10.0/sec     0.833/sec        0.0139/sec   total: 51\n"));
    assert_null(strstr(text, "test_never"));
    free(text);
    text = run("coverage/read-counter", "test_event", NULL, &failed);
    assert_string_equal(text, "51\n");
    free(text);
    text = run("coverage/read-counter", "xlate_actions_oversize", NULL, &failed); /* Open vSwitch's. */
    assert_string_equal(text, "0\n");
    assert_false(failed);
    free(text);
    text = run("coverage/read-counter", "nosuch", NULL, &failed);
    assert_true(failed);
    free(text);

    /* The slots of the averages are rings: after an hour nothing is left. */
    for (int i = 0; i < 61 * 12; i++) {
        counter_tick();
    }
    text = run("coverage/show", NULL, NULL, &failed);
    assert_non_null(
        strstr(text, "\ntest_event                 0.0/sec     0.000/sec        0.0000/sec   total: 51\n"));
    free(text);
}

static int
open_log(void **state)
{
    int fd = mkstemp(path);

    if (fd < 0) {
        return -1;
    }
    close(fd);
    log_init();
    log_set_syslog_method("null");
    set("console:off");
    log_register_commands();
    counter_register_commands();
    return log_open_file(path);
}

static int
remove_log(void **state)
{
    appctl_unregister_all();
    return unlink(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),       cmocka_unit_test(test_patterns), cmocka_unit_test(test_levels),
        cmocka_unit_test(test_rate_limit), cmocka_unit_test(test_reopen),   cmocka_unit_test(test_counters),
    };

    return cmocka_run_group_tests(tests, open_log, remove_log);
}
