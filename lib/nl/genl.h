// SPDX-License-Identifier: Apache-2.0
// Generic netlink families by name: include/uapi/linux/genetlink.h, CTRL_CMD_GETFAMILY.
#ifndef LIB_NL_GENL_H
#define LIB_NL_GENL_H 1

#include <linux/genetlink.h>
#include "lib/nl/sock.h"

/* 0 and '*id'; -ENOENT: this kernel has no such family (or its module cannot be loaded). */
int genl_family(struct nl_pool *, const char *name, uint16_t *id);
/* The multicast group 'group' of family 'name'. */
int genl_group(struct nl_pool *, const char *name, const char *group, uint32_t *id);

#endif
