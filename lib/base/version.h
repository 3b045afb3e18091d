// SPDX-License-Identifier: Apache-2.0
// Whom we say we are: scripts (ovs-ctl, Neutron, OVN) compare the version of Open vSwitch whose place we take.
#ifndef LIB_BASE_VERSION_H
#define LIB_BASE_VERSION_H 1

/* The Open vSwitch release that this daemon stands in for: Open_vSwitch.ovs_version, --version, ovs-appctl version. */
#define OVS_COMPATIBLE_VERSION "3.1.0"

/* "ovs-vswitchd (Open vSwitch) 3.1.0\n", of program_name(). The caller frees. */
char *version_text(void);

#endif
