// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include <stdlib.h>
#include "lib/base/dirs.h"
#include "lib/base/util.h"

/* The environment does not change under us: getenv() again is cheap and needs no state. */
static const char *
from_environment(const char *variable, const char *fallback)
{
    const char *value = getenv(variable);

    return value && value[0] ? value : fallback;
}

const char *
dirs_run(void)
{
    return from_environment("OVS_RUNDIR", SLUICE_RUNDIR);
}

const char *
dirs_log(void)
{
    return from_environment("OVS_LOGDIR", SLUICE_LOGDIR);
}

const char *
dirs_db(void)
{
    return from_environment("OVS_DBDIR", SLUICE_DBDIR);
}

const char *
dirs_sysconf(void)
{
    return from_environment("OVS_SYSCONFDIR", SLUICE_SYSCONFDIR);
}

const char *
dirs_pkgdata(void)
{
    return from_environment("OVS_PKGDATADIR", SLUICE_PKGDATADIR);
}

char *
dirs_file_in(const char *dir, const char *name)
{
    return name[0] == '/' ? xstrdup(name) : xasprintf("%s/%s", dir, name);
}

static const char *name_of_program = "ovs-vswitchd";

const char *
program_name(void)
{
    return name_of_program;
}

void
program_set_name(const char *name)
{
    name_of_program = name;
}
