# SPDX-License-Identifier: Apache-2.0
"""When rules go: the installed daemon and ours, given the same packets, lose the same rules at about the same time."""
import re
import time

import pytest
from world import Pair

SETUP = [["add-br", "br", "--", "set", "bridge", "br", "datapath_type=dummy", "fail_mode=secure"],
         *[["add-port", "br", f"p{i}", "--", "set", "interface", f"p{i}", "type=dummy", f"ofport_request={i}"] for i in (1, 2)]]
ETHERNET = "in_port(1),eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x1234)"
TCP = ("in_port(1),eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),"
       "tcp(src=1,dst=2),tcp_flags({})")
LEARN = "actions=learn(table=1,{},NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),output:2"


@pytest.fixture(scope="module")
def pair():
    with Pair(SETUP) as both:
        yield both


def send(pair, packet, *more):
    for switch in pair.switches:
        switch.appctl("netdev-dummy/receive", "p1", packet, *more)


def life(pair, seconds, during=lambda: None, which="table=1"):
    """For how long each daemon still has a rule of WHICH, tenths of a second; DURING is called all the time."""
    start = time.monotonic()
    last = [0.0, 0.0]
    while time.monotonic() < start + seconds:
        during()
        for i, switch in enumerate(pair.switches):
            if "actions" in switch.ofctl("dump-flows", "br", which):
                last[i] = time.monotonic() - start
    return last


def start(pair, *flows):
    pair.ofctl("del-flows", "br")
    pair.ofctl("add-flows", "br", "-", stdin="\n".join(flows))


@pytest.mark.parametrize("timeout, expected", [("idle_timeout=1", 1), ("hard_timeout=1", 1), ("idle_timeout=1,hard_timeout=2", 1), ("idle_timeout=2,hard_timeout=1", 1)])
def test_nobody_comes(pair, timeout, expected):
    start(pair, f"table=1,{timeout},actions=drop")
    for seconds in life(pair, expected + 2):
        assert expected - 0.5 < seconds < expected + 1.3


@pytest.mark.parametrize("timeout, expected", [("idle_timeout=1", None), ("hard_timeout=2", 2), ("idle_timeout=1,hard_timeout=2", 2)])
def test_somebody_comes(pair, timeout, expected):
    start(pair, "actions=resubmit(,1)", f"table=1,{timeout},actions=output:2")
    for seconds in life(pair, 4, during=lambda: send(pair, ETHERNET)):
        assert seconds > 3.5 if expected is None else expected - 0.5 < seconds < expected + 1.3


def test_a_change_begins_the_hard_timeout_again(pair):
    start(pair, "table=1,hard_timeout=2,actions=drop")
    life(pair, 1)
    pair.ofctl("mod-flows", "br", "table=1,actions=output:1")
    for seconds in life(pair, 4):
        assert 1.5 < seconds < 3.3


def test_a_learned_rule_stays_while_packets_learn_it(pair):
    """Packets of a megaflow do not come up; what they learn must not time out while they pass."""
    start(pair, "in_port=1," + LEARN.format("hard_timeout=2"))
    for seconds in life(pair, 5, during=lambda: send(pair, ETHERNET)):
        assert seconds > 4.5
    for seconds in life(pair, 5):
        assert 0.5 < seconds < 3.3


def test_a_learned_rule_comes_again(pair):
    start(pair, "in_port=1," + LEARN.format("hard_timeout=0"))
    for seconds in life(pair, 1.5, during=lambda: send(pair, ETHERNET)):
        assert seconds > 1
    pair.ofctl("del-flows", "br", "table=1")
    for seconds in life(pair, 2.5, during=lambda: send(pair, ETHERNET)):
        assert seconds > 2


@pytest.mark.parametrize("flags, gone", [("0x010", False), ("0x011", True), ("0x014", True)])
def test_the_end_of_a_connection_shortens(pair, flags, gone):
    start(pair, "actions=resubmit(,1)", "table=1,tcp,actions=fin_timeout(idle_timeout=1),output:2")
    send(pair, TCP.format(flags))
    for seconds in life(pair, 3):
        assert seconds < 2.6 if gone else seconds > 2.6


def test_durations_and_ages(pair):
    """What is told of a rule's age is what has passed."""
    start(pair, "table=1,idle_timeout=100,hard_timeout=100,actions=drop")
    life(pair, 1.5)
    for text in pair.ofctl("dump-flows", "br", "table=1"):
        assert 1.2 < float(re.search(r"duration=([0-9.]+)s", text).group(1)) < 4
        assert 1 <= int(re.search(r"idle_age=(\d+)", text).group(1)) <= 3
