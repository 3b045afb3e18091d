// SPDX-License-Identifier: Apache-2.0
// Directories and names that Open vSwitch's tools expect: OVS_RUNDIR, OVS_LOGDIR, OVS_DBDIR, OVS_SYSCONFDIR, OVS_PKGDATADIR, or the
// configured defaults. The returned text is static.
#ifndef LIB_BASE_DIRS_H
#define LIB_BASE_DIRS_H 1

const char *dirs_run(void);
const char *dirs_log(void);
const char *dirs_db(void);
const char *dirs_sysconf(void);
const char *dirs_pkgdata(void);
/* 'name' if it is absolute, else DIR/name; the caller frees. */
char *dirs_file_in(const char *dir, const char *name);
const char *program_name(void);     /* "ovs-vswitchd" in the daemon, whatever argv[0]. */
void program_set_name(const char *name);

#endif
