# SPDX-License-Identifier: Apache-2.0
"""System tests. The same test runs against our daemon and the installed one, and on several tiers:

    pytest --daemon=ours|oracle --tier=kernel|tc|ebpf|hw tests/system

The tests want root, and openvswitch in the kernel: run them in utilities/lab. Those of tier ebpf run on any kernel from 6.1 on;
those of tier hw also want the eSwitch emulator's module where tests/eswitch/build puts it.
"""
import os

import pytest
from harness import netns
from harness.card import Card, VfVm
from harness.switch import TIERS, Bridge, Switch
from harness.vm import Vm


def pytest_addoption(parser):
    parser.addoption("--daemon", choices=["ours", "oracle"], default=os.environ.get("SLUICE_DAEMON", "ours"),
                     help="which ovs-vswitchd is tested")
    parser.addoption("--tier", choices=sorted(TIERS), default=os.environ.get("SLUICE_TIER", "kernel"),
                     help="where its flows run")


def pytest_configure(config):
    config.addinivalue_line("markers", "unhealthy: the test gives the daemon reasons to warn")
    config.addinivalue_line("markers", "tiers(*names): the tiers the test makes sense on")
    config.addinivalue_line("markers", "ours: the test is about what the installed daemon does not have")


def pytest_collection_modifyitems(config, items):
    """Leaves out what is not meant for this daemon and tier, so that nothing is skipped."""
    tier, daemon = config.getoption("tier"), config.getoption("daemon")

    def wanted(item):
        marker = item.get_closest_marker("tiers")
        return (not marker or tier in marker.args) and (daemon == "ours" or not item.get_closest_marker("ours"))

    left_out = [item for item in items if not wanted(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if wanted(item)]


@pytest.fixture(scope="session")
def tier(request):
    return TIERS[request.config.getoption("tier")]


@pytest.fixture(scope="session")
def daemon(request):
    return request.config.getoption("daemon")


@pytest.fixture(scope="session")
def shared_card(tier):
    """The adapter whose VFs the VMs have, or None."""
    card = Card() if tier.needs_card else None
    yield card
    if card:
        card.close()


@pytest.fixture
def card(shared_card):
    """The adapter, which after the test is as it was before."""
    yield shared_card
    shared_card.reset()


@pytest.fixture(scope="session")
def shared_switch(daemon, tier, shared_card):
    """One switch for all the tests that leave it as they found it. At the end it is told to clean up, and has to."""
    links = netns.links()
    switch = Switch(daemon, tier)
    try:
        switch.start_database()
        switch.start()
        yield switch
        if switch.vswitchd:
            switch.stop("--cleanup")
    finally:
        switch.close()
    assert netns.links() <= links, "interfaces are left behind"


@pytest.fixture
def switch(request, shared_switch):
    """A running switch without bridges. After the test it has none again, and nothing to complain of."""
    seen = len(shared_switch.complaints())
    yield shared_switch
    for bridge in shared_switch.vsctl("list-br").split():
        shared_switch.vsctl("del-br", bridge)
    assert shared_switch.vswitchd.poll() is None, shared_switch.output()[-4000:]
    if shared_switch.daemon == "ours" and not request.node.get_closest_marker("unhealthy"):
        assert shared_switch.complaints()[seen:] == []


@pytest.fixture
def own_switch(request, daemon, tier):
    """A switch for one test, with its database and without its daemon started, which may stop and kill it."""
    switch = Switch(daemon, tier)
    try:
        switch.start_database()
        yield switch
        if switch.vswitchd:
            switch.stop("--cleanup")
        if daemon == "ours" and not request.node.get_closest_marker("unhealthy"):
            assert switch.complaints() == []
    finally:
        switch.close()


@pytest.fixture
def make_card():
    """A function that makes an adapter for one test."""
    cards = []

    def make(**options):
        cards.append(Card(**options))
        return cards[-1]

    yield make
    for card in cards:
        card.close()


@pytest.fixture
def make_vms(shared_card, make_card):
    """A function that makes N VMs, numbered from 1, with VFs of the adapter if the tier has one."""
    vms = []

    def make(count, card=shared_card):
        for number in range(len(vms) + 1, len(vms) + count + 1):
            vms.append(VfVm(number, card) if card else Vm(number))
        return vms[-count:]

    yield make
    for vm in vms:
        vm.close()


@pytest.fixture
def bridge(switch, make_vms):
    """A bridge without flows but NORMAL. It goes before the VMs: a port whose device vanishes is worth a warning."""
    bridge = Bridge(switch)
    yield bridge
    if switch.vswitchd:
        bridge.close()


@pytest.fixture
def lan(bridge, make_vms):
    """Two VMs on a bridge that know each other's MAC address."""
    first, second = make_vms(2)
    first.learn(second)
    second.learn(first)
    bridge.plug(first, second)
    return bridge, first, second
