# SPDX-License-Identifier: Apache-2.0
"""lib/dp on the kernel of the lab, without a daemon: C programs with assertions of their own, which know nothing of tiers and daemons."""
import os

import pytest
from harness.command import run


@pytest.mark.ours
@pytest.mark.tiers("kernel")
@pytest.mark.parametrize("program", ["dp_kernel", "dp_netdev", "dp_place"])
def test_program(program):
    run(os.path.join(os.environ.get("SLUICE_BUILD", "_build"), "tests/system", program), limit=60)
