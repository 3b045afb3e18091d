// SPDX-License-Identifier: Apache-2.0
// The ordered list of what starts, undone in reverse.
#include <config.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include "lib/base/appctl.h"
#include "lib/base/counter.h"
#include "lib/base/dirs.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/rcu.h"
#include "lib/base/version.h"
#include "vswitchd/options.h"
#include "vswitchd/vswitch.h"

#define COUNTER_TICK_MS 5000

struct daemon {
    struct options options;
    struct loop *loop;
    struct appctl *appctl;
    struct vswitch *vswitch;
    struct loop_timer *counter_timer;
    struct appctl_request *exit_request; /* Answered when all is undone, so that ovs-appctl waits for it. */
    bool cleanup;                        /* exit --cleanup: leave no datapath behind. */
};

static void
start_loop(struct daemon *d)
{
    d->loop = loop_create();
    daemon_catch_signals(d->loop);
}

static void
stop_loop(struct daemon *d)
{
    rcu_drain();
    loop_destroy(d->loop);
}

static void
cmd_exit(struct appctl_request *request, int argc, const char *argv[], void *d_)
{
    struct daemon *d = d_;

    if (d->exit_request) {
        appctl_error(request, "already exiting");
        return;
    }
    d->exit_request = request;
    d->cleanup = argc > 1 && !strcmp(argv[1], "--cleanup");
    loop_stop(d->loop, EXIT_SUCCESS);
}

static void
start_control_socket(struct daemon *d)
{
    int error;

    appctl_register_commands();
    appctl_register("exit", "[--cleanup]", 0, 1, cmd_exit, d);
    log_register_commands();
    counter_register_commands();
    error = appctl_open(d->loop, d->options.unixctl, &d->appctl);
    if (error) {
        log_fatal(LOG_appctl, error, "%s: could not initialize control socket", d->options.unixctl ? d->options.unixctl : dirs_run());
    }
}

static void
stop_control_socket(struct daemon *d)
{
    if (d->exit_request) {
        appctl_reply(d->exit_request, NULL);
    }
    appctl_close(d->appctl);
    appctl_unregister_all();
}

static void
start_tls(struct daemon *d)
{
    char *error;

    if (stream_tls_configure(&d->options.tls, &error)) {
        log_err(LOG_stream_tls, "%s", error);
        free(error);
    }
}

static void
stop_tls(struct daemon *d)
{
    char *error;

    stream_tls_configure(&(struct stream_tls){0}, &error); /* Nothing cannot be wrong. */
}

static void
lock_memory(struct daemon *d)
{
    /* What is touched stays; the untouched part of thread stacks needs no memory. */
    if (d->options.mlockall && mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) {
        log_err(LOG_vswitchd, "mlockall failed: %s", errno_text(errno));
    }
}

static void
counters_due(void *d_)
{
    struct daemon *d = d_;

    counter_tick();
    loop_timer_set(d->counter_timer, COUNTER_TICK_MS);
}

static void
start_counters(struct daemon *d)
{
    d->counter_timer = loop_timer_add(d->loop, counters_due, d);
    loop_timer_set(d->counter_timer, COUNTER_TICK_MS);
}

static void
stop_counters(struct daemon *d)
{
    loop_timer_del(d->counter_timer);
}

static void
start_memory(struct daemon *d)
{
    memory_start(d->loop);
}

static void
stop_memory(struct daemon *d)
{
    memory_stop();
}

/* The first configuration is in force, or there is none to wait for. */
static void
vswitch_ready(void *d)
{
    char *version = version_text();

    log_info(LOG_bridge, "%s", version);
    free(version);
    daemon_ready();
}

static void
start_vswitch(struct daemon *d)
{
    char *why;

    if (d->options.dummy != DUMMY_OFF) {
        dp_enable_dummy(d->options.dummy != DUMMY_ON);
    }
    if (d->options.disable_system) {
        dp_disable_system();
    }
    if (vswitch_create(d->loop, d->options.database, vswitch_ready, d, &d->vswitch, &why)) {
        log_fatal(LOG_vswitchd, 0, "%s", why);
    }
}

static void
stop_vswitch(struct daemon *d)
{
    vswitch_destroy(d->vswitch, d->cleanup);
}

static const struct {
    void (*start)(struct daemon *);
    void (*stop)(struct daemon *); /* NULL: nothing to undo. */
} parts[] = {
    {start_loop, stop_loop},
    {start_control_socket, stop_control_socket},
    {lock_memory, NULL},
    {start_tls, stop_tls},
    {start_counters, stop_counters},
    {start_memory, stop_memory},
    {start_vswitch, stop_vswitch},
};

int
main(int argc, char *argv[])
{
    struct daemon d = {0};
    int status;

    prctl(PR_SET_NAME, program_name()); /* Scripts look for the name of the daemon whose place we take. */
    log_init();
    options_parse(&d.options, argc, argv);
    daemon_start(&d.options.daemon);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        parts[i].start(&d);
    }
    status = loop_run(d.loop);
    for (size_t i = ARRAY_SIZE(parts); i-- > 0;) {
        if (parts[i].stop) {
            parts[i].stop(&d);
        }
    }
    daemon_exit_cleanup();
    options_free(&d.options);
    daemon_die_of_signal();
    return status;
}
