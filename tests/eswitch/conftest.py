# SPDX-License-Identifier: GPL-2.0
"""Tests of the eSwitch emulator. They want root and a kernel they may break: `run` starts them in the lab."""
import os
import re
import subprocess

import pytest
from emu import Card, sh

HERE = os.path.dirname(os.path.abspath(__file__))
# How the kernel begins to complain.
SPLAT = re.compile(r"WARNING: |BUG: |Oops|KASAN|UBSAN|blocked for more than|possible (circular|recursive)|refcount_t|"
                   r"suspicious RCU|unregister_netdevice: waiting|general protection|kmemleak")


def pytest_addoption(parser):
    parser.addoption("--module", default=os.path.join(HERE, "_build", "eswemu.ko"), help="the module under test")
    parser.addoption("--rounds", type=int, default=5, help="how often the tests of coming and going go round")


@pytest.fixture(scope="session")
def module(request):
    """The path of the module, which is loaded now; a test may unload it if it loads it again."""
    path = request.config.getoption("--module")
    if not os.path.exists("/sys/kernel/debug/tracing"):
        subprocess.run(["mount", "-t", "debugfs", "none", "/sys/kernel/debug"], check=False)
    sh(f"insmod {path}")
    # Namespaces and VFs go much faster so, and nothing here depends on it.
    with open("/sys/kernel/rcu_expedited", "w") as knob:
        knob.write("1")
    yield path
    sh("rmmod eswemu")


class Kmsg:
    """What the kernel says from now on."""

    def __init__(self):
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.fd, 0, os.SEEK_END)

    def read(self):
        lines = []
        while True:
            try:
                lines.append(os.read(self.fd, 8192).decode(errors="replace").partition(";")[2])
            except BlockingIOError:
                return lines
            except BrokenPipeError:
                continue


@pytest.fixture(autouse=True)
def quiet_kernel():
    """No test may make the kernel complain."""
    kmsg = Kmsg()
    yield
    bad = [line for line in kmsg.read() if SPLAT.search(line)]
    os.close(kmsg.fd)
    assert not bad, "".join(bad)


@pytest.fixture
def make_card(module):
    """Makes cards, which go when the test ends."""
    cards = []

    def make(*args, **kwargs):
        card = Card(len(cards), *args, **kwargs)
        cards.append(card)
        return card

    yield make
    for card in cards:
        card.remove()


@pytest.fixture(scope="module")
def shared_cards(module):
    cards = {}
    yield cards
    for card in cards.values():
        card.remove()


@pytest.fixture
def card(shared_cards):
    """A card in switchdev mode with three VFs in namespaces, representors and uplink up, no filters. Shared in a file."""
    if "card" not in shared_cards:
        shared_cards["card"] = Card(100, vfs=8, flows=1000).switchdev(3)
    yield shared_cards["card"]
    shared_cards["card"].no_filters()
