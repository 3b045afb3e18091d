# SPDX-License-Identifier: Apache-2.0
"""Differential test: random pipelines and packets through ofproto/trace of the installed daemon and of ours. Datapath actions and megaflow must be the same.

A failing case is shrunk, and written as a shell script that replays it: differential-failure.sh in the current folder.
"""
import difflib
import os
import shlex

import pytest
from actions import Result
from cases import cases
from hypothesis import Phase, given
from search import CASES, Search, searching
from world import PORT_CONFIG, Daemon, Died, configuration

PACKETS = 8


@pytest.fixture(scope="module")
def daemons():
    running = []
    try:
        for name in ("oracle", "ours"):
            running.append(Daemon(name))
        yield running
    finally:
        for daemon in running:
            daemon.close()


def outcome(daemon, case):
    """What the daemon says of the flows, and of each packet."""
    refused = [daemon.set_flows(bridge, case.version, flows) for bridge, flows in case.flows.items()]
    results = [Result(daemon.trace(case.bridge, *trace), daemon.dp_ports) for trace in case.traces]
    daemon.forget(case.flows)
    return refused, results


def describe(case, i, oracle, ours):
    packet, generate = case.traces[i]
    lines = difflib.unified_diff(oracle.text.splitlines(), ours.text.splitlines(), "oracle", "ours", n=30, lineterm="")
    return "\n".join([f"differs: {packet}{' -generate' if generate else ''}", *lines])


def write_replay(case, path="differential-failure.sh"):
    """A script that asks the daemon given as its argument (or the installed one) for the traces of the case."""
    with open(path, "w") as file:
        file.write("#!/bin/bash\n# usage: differential-failure.sh [PATH-OF-OVS-VSWITCHD]\n"
                   "set -e\nexport OVS_RUNDIR=$(mktemp -d)\nexport OVS_LOGDIR=$OVS_RUNDIR OVS_DBDIR=$OVS_RUNDIR OVS_SYSCONFDIR=$OVS_RUNDIR\n"
                   "trap 'kill $(cat $OVS_RUNDIR/*.pid); rm -r $OVS_RUNDIR' EXIT\n"
                   "daemon=$(realpath ${1:-/usr/sbin/ovs-vswitchd})\ncd $OVS_RUNDIR\n"
                   "ovsdb-tool create conf.db /usr/share/openvswitch/vswitch.ovsschema\n"
                   "ovsdb-server --detach --pidfile --log-file --remote=punix:db.sock conf.db 2> /dev/null\novs-vsctl --no-wait init\n"
                   "$daemon --detach --pidfile --log-file --enable-dummy unix:db.sock 2> /dev/null\n")
        for arguments in configuration():
            file.write(shlex.join(["ovs-vsctl", *arguments]) + "\n")
        for port, arguments in PORT_CONFIG.items():
            file.write(shlex.join(["ovs-ofctl", "mod-port", arguments[0], port, arguments[1]]) + "\n")
        for bridge, flows in case.flows.items():
            file.write(f"ovs-ofctl -O {case.version} add-flows {bridge} - << 'END'\n" + "\n".join(flows) + "\nEND\n")
        for packet, generate in case.traces:
            file.write(shlex.join(["ovs-appctl", "ofproto/trace", case.bridge, packet] + (["-generate"] if generate else [])) + "\n")
    os.chmod(path, 0o755)


@pytest.fixture(scope="module")
def search(daemons):
    def compare(case):
        try:
            (oracle_refused, expected), (our_refused, got) = (outcome(daemon, case) for daemon in daemons)
        except Died as error:
            for daemon in daemons:
                daemon.restart()
            # Of some the installed daemon dies; then there is nothing to compare with.
            return None if error.name == "oracle" else str(error)
        if oracle_refused != our_refused:
            return f"refused by the installed daemon: {oracle_refused}\nby ours: {our_refused}"
        return next((describe(case, i, oracle, ours) for i, (oracle, ours) in enumerate(zip(expected, got))
                     if oracle.comparable() != ours.comparable()), None)

    return Search(compare, write_replay, seconds=120)


@searching(CASES // PACKETS, Phase.shrink)
@given(case=cases(PACKETS))
def test_same_as_the_installed_daemon(search, case):
    search.try_case(case)
