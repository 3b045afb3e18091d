# SPDX-License-Identifier: Apache-2.0
"""lib/dp on the running kernel, without a daemon: C programs with assertions of their own, which know nothing of tiers and daemons."""
import os

import pytest
from harness.command import run


@pytest.mark.ours
@pytest.mark.tiers("kernel")
@pytest.mark.parametrize("program", ["dp_kernel", "dp_netdev", "dp_place"])
def test_program(program):
    run(os.path.join(os.environ.get("SLUICE_BUILD", "_build"), "tests/system", program), limit=60)


@pytest.mark.ours
@pytest.mark.tiers("kernel", "ebpf")
@pytest.mark.parametrize("program", ["dp_ebpf", "dp_ebpf_front"])
def test_ebpf_program(program):
    """The programs please the verifier of this kernel, whether the tier uses them or not."""
    run(os.path.join(os.environ.get("SLUICE_BUILD", "_build"), "tests/system", program), limit=60)
