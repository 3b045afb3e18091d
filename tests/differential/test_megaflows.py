# SPDX-License-Identifier: Apache-2.0
"""Megaflows and what is counted: packets through dummy ports of the installed daemon and of ours."""
import re
import time

import pytest
from world import Pair

SETUP = [["add-br", "br", "--", "set", "bridge", "br", "datapath_type=dummy", "fail_mode=secure"],
         *[["add-port", "br", f"p{i}", "--", "set", "interface", f"p{i}", "type=dummy", f"ofport_request={i}"] for i in (1, 2, 3)]]
N_FLOWS = 20


@pytest.fixture(scope="module")
def pair():
    with Pair(SETUP) as both:
        yield both


@pytest.fixture(autouse=True)
def fresh(pair):
    for switch in pair.switches:
        switch.vsctl("clear", "Open_vSwitch", ".", "other_config")
        switch.appctl("revalidator/purge")
    pair.ofctl("del-flows", "br")


def packet(i, port=1):
    return f"in_port({port}),eth(src=00:00:00:00:01:{i:02x},dst=00:00:00:00:00:02),eth_type(0x1234)"


def send(pair, *packets, port="p1"):
    for switch in pair.switches:
        for i in range(0, len(packets), 50):
            switch.appctl("netdev-dummy/receive", port, *packets[i:i + 50])


def megaflows(switch):
    """The lines of dpctl/dump-flows that are flows."""
    return [line for line in switch.appctl("dpctl/dump-flows").splitlines() if "actions:" in line]


def wait(pair, condition, seconds=15):
    """Waits until CONDITION is true of both; for how long each took."""
    start, took = time.monotonic(), [None, None]
    while None in took:
        for i, switch in enumerate(pair.switches):
            if took[i] is None and condition(switch):
                took[i] = time.monotonic() - start
        assert time.monotonic() - start < seconds, took
    return took


def counters(switch):
    """What rules, ports and tables have counted."""
    flows = sorted(re.sub(r" cookie=0x0, duration=[0-9.]+s,|(hard|idle)_age=\d+, ", "", line) for line in switch.ofctl("dump-flows", "br").splitlines()[1:])
    ports = [re.search(r"rx pkts=\d+, bytes=\d+.*?tx pkts=\d+, bytes=\d+", switch.ofctl("dump-ports", "br", f"p{i}"), re.DOTALL).group(0) for i in (1, 2, 3)]
    return flows, ports, re.search(r"packet_count=\d+ byte_count=\d+", switch.ofctl("dump-aggregate", "br")).group(0)


FLOWS = ["priority=9,dl_src=00:00:00:00:01:03,actions=drop", "priority=8,dl_src=00:00:00:00:01:00/ff:ff:ff:ff:ff:f8,actions=resubmit(,1)",
         "priority=1,actions=output:3", "table=1,priority=5,dl_dst=00:00:00:00:00:02,actions=output:2,output:3", "table=1,actions=IN_PORT"]


def test_statistics_are_exact(pair):
    """Before megaflows have left and after, and for packets that come with a length of their own."""
    pair.ofctl("add-flows", "br", "-", stdin="\n".join(FLOWS))
    for switch in pair.switches:
        switch.vsctl("set", "Open_vSwitch", ".", "other_config:max-idle=700")
    for round_ in range(5):
        send(pair, *[packet(i) for i in range(N_FLOWS)])
        send(pair, *["0000000000020000000001%02x12345678" % i + "00" * round_ for i in range(N_FLOWS)])
        time.sleep(0.5)
    wait(pair, lambda switch: not megaflows(switch))
    total = f"packet_count={5 * 2 * (N_FLOWS + 7)} "
    wait(pair, lambda switch: total in switch.ofctl("dump-aggregate", "br"))
    oracle, ours = (counters(switch) for switch in pair.switches)
    assert oracle == ours
    assert total in ours[2]


def test_a_change_keeps_the_statistics(pair):
    pair.ofctl("add-flow", "br", "priority=5,actions=output:2")
    send(pair, *[packet(i) for i in range(10)])
    pair.ofctl("mod-flows", "br", "actions=output:3")
    send(pair, *[packet(i) for i in range(10)])
    for switch in pair.switches:
        switch.appctl("revalidator/wait")
    oracle, ours = (counters(switch) for switch in pair.switches)
    assert oracle == ours and "n_packets=20" in ours[0][0]


def test_idle_megaflows_leave(pair):
    pair.ofctl("add-flow", "br", "priority=5,dl_src=00:00:00:00:01:00/ff:ff:ff:ff:ff:f0,actions=output:2")
    for switch in pair.switches:
        switch.vsctl("set", "Open_vSwitch", ".", "other_config:max-idle=2000")
    send(pair, packet(1))
    assert all(len(megaflows(switch)) == 1 for switch in pair.switches)
    for seconds in wait(pair, lambda switch: not megaflows(switch)):
        assert 1.3 < seconds < 4.5


def test_flow_limit_holds(pair):
    """Above flow-limit packets are still forwarded, but no megaflow is added."""
    limit = 30
    pair.ofctl("add-flows", "br", "-", stdin="\n".join(f"dl_src=00:00:00:00:01:{i:02x},actions=output:2" for i in range(200)))
    for switch in pair.switches:
        switch.vsctl("set", "Open_vSwitch", ".", f"other_config:flow-limit={limit}", "other_config:max-idle=60000")
    for _ in range(3):
        send(pair, *[packet(i) for i in range(200)])
        time.sleep(0.6)
    for switch in pair.switches:
        assert len(megaflows(switch)) <= limit
        switch.appctl("revalidator/wait")
        assert "packet_count=600 " in switch.ofctl("dump-aggregate", "br")


@pytest.mark.parametrize("change", [["mod-flows", "br", "actions=output:3"], ["del-flows", "br"], ["add-flow", "br", "priority=9,actions=output:3"],
                                    ["mod-port", "br", "p2", "no-forward"]])
def test_a_change_is_in_force_after_one_revalidation(pair, change):
    pair.ofctl("add-flow", "br", "priority=5,actions=output:2")
    send(pair, packet(1), packet(1))
    before = [megaflows(switch)[0].partition("actions:")[2] for switch in pair.switches]
    pair.ofctl(*change)
    for switch in pair.switches:
        switch.appctl("revalidator/wait")
    after = [[line.partition("actions:")[2] for line in megaflows(switch)] for switch in pair.switches]
    pair.ofctl("mod-port", "br", "p2", "forward")
    assert all(old not in new for old, new in zip(before, after))
