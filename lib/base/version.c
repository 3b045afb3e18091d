// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "lib/base/dirs.h"
#include "lib/base/util.h"
#include "lib/base/version.h"

char *
version_text(void)
{
    return xasprintf("%s (Open vSwitch) %s\n", program_name(), OVS_COMPATIBLE_VERSION);
}
