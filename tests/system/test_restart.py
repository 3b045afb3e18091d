# SPDX-License-Identifier: Apache-2.0
"""The daemon goes and comes back; traffic should not care."""
import re

import pytest
from harness import netns
from harness.switch import Bridge
from harness.wait import until

INTERVAL = 0.01


def lost_while(first, second, action, after=100):
    """Pings every 10 ms, lets ACTION happen meanwhile, and returns how many of how many echo requests went unanswered: of those up to the
    last that was answered, for one may be on its way when it ends."""
    pinger = first.start("ping", "-n", "-i", str(INTERVAL), "-W", "1", second.ip)
    answered = set()

    def answer(line):
        if number := re.search(r"bytes from .* icmp_seq=(\d+)", line):
            answered.add(int(number[1]))

    def answers(wanted):
        while len(answered) < wanted:
            line = pinger.stdout.readline()
            assert line, "ping ended: " + pinger.stderr.read()
            answer(line)

    try:
        answers(50)
        action()
        answers(len(answered) + after)
    finally:
        pinger.send_signal(2)
        rest = pinger.communicate(timeout=30)[0]
    for line in rest.splitlines():
        answer(line)
    return max(answered) - len(answered), max(answered)


@pytest.fixture
def running_lan(own_switch, make_vms):
    own_switch.start()
    bridge = Bridge(own_switch)
    first, second = make_vms(2)
    first.learn(second)
    second.learn(first)
    bridge.plug(first, second)
    assert first.ping(second) == 3
    yield own_switch, bridge, first, second
    if own_switch.vswitchd:
        bridge.close()


def test_restart_loses_nothing(running_lan):
    switch, _, first, second = running_lan

    def restart():
        switch.stop()
        switch.start()

    lost, sent = lost_while(first, second, restart)
    print(f"{switch.daemon}: {lost} of {sent} packets lost over a restart")
    # The installed daemon loses some while its new process learns where the VMs are, the more the busier the machine.
    assert lost <= (0 if switch.daemon == "ours" else sent // 3)


@pytest.mark.unhealthy
def test_kill_leaves_traffic_and_no_wreck(running_lan):
    switch, bridge, first, second = running_lan
    lost, _ = lost_while(first, second, switch.kill, after=50)
    assert lost <= 1
    switch.start()
    until(lambda: first.ping(second, count=1) == 1, "pings pass with the new daemon")
    bridge.close()
    assert bridge.name not in netns.links()


@pytest.mark.unhealthy
def test_database_goes_and_comes_back(running_lan):
    switch, bridge, first, second = running_lan
    switch.stop_database()
    assert first.ping(second, count=5) == 5
    switch.start_database()
    switch.vsctl("set", "bridge", bridge.name, "external_ids:again=true")
    assert first.ping(second) == 3


def test_exit_cleanup_leaves_nothing(own_switch, make_vms):
    before = netns.links()
    own_switch.start()
    bridge = Bridge(own_switch)
    bridge.plug(*make_vms(2))
    own_switch.stop("--cleanup")
    assert bridge.name not in netns.links()
    assert {name for name in netns.links() - before if not name.startswith("v")} == set()
