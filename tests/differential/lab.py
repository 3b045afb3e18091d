# SPDX-License-Identifier: Apache-2.0
"""Both daemons, in the lab or on this host, as seen from without: cases in, outcomes out."""
import json
import os
import subprocess
import sys

from openflow import recorded

HERE = os.path.dirname(os.path.abspath(__file__))
DATAPATHS = os.environ.get("DIFFERENTIAL_DATAPATHS", "kernel")  # See agent.py.


def as_json(case):
    """What the agent needs to run the case, one line."""
    messages = {bridge: recorded(case.version, flows).hex() for bridge, flows in case.flows.items()}
    return json.dumps({"bridge": case.bridge, "version": case.version, "rows": case.rows, "messages": messages,
                       "frames": [(port, frame.hex()) for port, frame in case.frames]})


def agent_command(*options):
    """The agent; in the lab where the datapaths want it. That has one processor, since the order of upcalls matters."""
    lab = [os.path.realpath(os.path.join(HERE, "..", "..", "utilities", "lab")), "--strict", "--cpus", "1", "--"]
    return [*(lab if DATAPATHS != "ebpf" else []), "/usr/bin/python3", os.path.join(HERE, "agent.py"), *options, DATAPATHS]


class Lab:
    """It starts with the first case, and again after it died of one."""

    def __init__(self):
        self.process = None

    def close(self):
        """Ends the lab; it fails if the daemons did."""
        if self.process:
            self.process.stdin.close()
            assert self._wait() == 0, f"the agent ended with status {self.process.returncode}"

    def _start(self):
        self.process = subprocess.Popen(agent_command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._answer() == "ready"

    def _wait(self):
        for line in self.process.stdout:
            print(line, end="", file=sys.stderr)
        return self.process.wait()

    def _answer(self):
        """What the agent says next. Anything else that is said there is passed on."""
        for line in self.process.stdout:
            try:
                return json.loads(line)
            except ValueError:
                print(line, end="", file=sys.stderr)
        status, self.process = self._wait(), None
        raise AssertionError(f"the agent ended with status {status}")

    def outcome(self, line):
        """What the case LINE does: with the installed daemon, with ours."""
        if not self.process:
            self._start()
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self._answer()
