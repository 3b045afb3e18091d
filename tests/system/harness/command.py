# SPDX-License-Identifier: Apache-2.0
"""Running programs, with their output in the failure when they fail."""
import os
import subprocess

from .wait import PATIENCE


def run(*command, env=None, check=True, limit=20, stdin=None):
    """Runs COMMAND and returns its standard output. CHECK: a failure is an error that shows both outputs."""
    result = attempt(*command, env=env, limit=limit, stdin=stdin)
    if check and result.returncode:
        raise AssertionError(f"{' '.join(command)}: status {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


def attempt(*command, env=None, limit=20, stdin=None):
    """Runs COMMAND and returns the subprocess.CompletedProcess, whatever its status."""
    environment = {**os.environ, **(env or {})}
    source = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    return subprocess.run(command, env=environment, text=True, capture_output=True, timeout=limit * PATIENCE, check=False,
                          **source)
