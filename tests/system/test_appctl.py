# SPDX-License-Identifier: Apache-2.0
"""The commands of ovs-appctl that people and scripts use, with the text that they parse."""
import os
import re

import pytest
from harness.command import attempt
from harness.wait import until
from test_forwarding import datagram

# What these tests are about does not depend on where flows run.
pytestmark = pytest.mark.tiers("kernel", "ebpf")

COMMANDS = """
version list-commands exit vlog/list vlog/set vlog/reopen fdb/show fdb/flush fdb/stats-show ofproto/list ofproto/trace
bridge/dump-flows dpif/show dpctl/show dpctl/dump-flows dpctl/del-flows upcall/show revalidator/wait revalidator/purge revalidator/pause revalidator/resume
memory/show coverage/show coverage/read-counter dpctl/flush-conntrack qos/show-types
""".split()


def test_every_command_is_listed(switch):
    listed = [line.split()[0] for line in switch.appctl("list-commands").splitlines()[1:]]
    assert [command for command in COMMANDS if command not in listed] == []


def test_version(switch):
    """ovs-ctl takes the last word of the first line as the version, and acts on it."""
    assert re.match(r"ovs-vswitchd \(Open vSwitch\) \d+\.\d+\.\d+\n", switch.appctl("version"))


def test_unknown_command(switch):
    result = attempt("ovs-appctl", "no/such-command", env=switch.env)
    assert result.returncode == 2
    assert '"no/such-command" is not a valid command' in result.stderr


def test_fdb(switch, lan):
    bridge, first, second = lan
    assert first.ping(second) == 3
    text = switch.appctl("fdb/show", bridge.name)
    assert text.splitlines()[0].split() == ["port", "VLAN", "MAC", "Age"]
    assert re.search(rf"^ +1 +0  {first.mac} +\d+$", text, re.M) and re.search(rf"^ +2 +0  {second.mac} +\d+$", text, re.M)
    assert f'Statistics for bridge "{bridge.name}":' in switch.appctl("fdb/stats-show", bridge.name)
    switch.appctl("revalidator/wait")  # A packet that is credited after the flush is learned from again.
    assert "successfully flushed" in switch.appctl("fdb/flush", bridge.name)
    assert first.mac not in switch.appctl("fdb/show", bridge.name)


def test_trace(switch, lan):
    bridge, first, second = lan
    bridge.set_flows("table=0,priority=5,udp,actions=resubmit(,3)", "table=0,priority=0,actions=NORMAL", "table=3,tp_dst=53,udp,actions=output:2")
    text = switch.appctl("ofproto/trace", bridge.name, f"in_port=1,udp,dl_src={first.mac},dl_dst={second.mac},udp_dst=53")
    assert re.match(r"Flow: udp,in_port=1,", text)
    assert f'bridge("{bridge.name}")' in text
    assert re.search(r"^ ?0\. udp, priority 5$", text, re.M)
    assert re.search(r"^ +3\. udp,tp_dst=53, priority 32768$", text, re.M)
    assert re.search(r"^Final flow: unchanged$", text, re.M)
    assert re.search(r"^Megaflow: recirc_id=0,eth,udp,in_port=1,.*tp_dst=53", text, re.M)
    assert re.search(r"^Datapath actions: \d+$", text, re.M)
    drop = switch.appctl("ofproto/trace", bridge.name, "in_port=1,udp,udp_dst=54")
    assert re.search(r"^Datapath actions: drop$", drop, re.M)


def test_trace_agrees_with_the_packet(switch, lan):
    """What a trace says is what is done, and a trace of a datapath flow is taken too."""
    bridge, first, second = lan
    bridge.set_flows("priority=5,udp,tp_dst=4006,actions=drop", "priority=0,actions=output:2")
    text = switch.appctl("ofproto/trace", bridge.name, "in_port=1", datagram(first, second, 4006).hex())
    assert "Datapath actions: drop" in text
    dump = switch.appctl("ofproto/trace", switch.tier.dp, f"in_port({first.port}),eth(src={first.mac},dst={second.mac}),"
                         "eth_type(0x0800),ipv4(proto=17,frag=no),udp(src=1,dst=4007)")
    assert re.search(r"^Datapath actions: \d+$", dump, re.M)


def test_datapath_commands(switch, lan):
    bridge, first, second = lan
    assert first.ping(second) == 3
    show = switch.appctl("dpif/show")
    assert re.search(rf"^{switch.tier.datapath}@{switch.tier.dp}: hit:\d+ missed:\d+$", show, re.M)
    assert f"  {bridge.name}:" in show and re.search(rf"^    {first.port} 1/\d+: \(system\)$", show, re.M)
    assert re.search(rf"port \d+: {bridge.name} \(internal\)", switch.appctl("dpctl/show"))
    names = switch.appctl("dpctl/dump-flows", "--names")
    assert f"in_port({first.port})" in names and f"actions:{second.port}" in names
    more = switch.appctl("dpctl/dump-flows", "-m")
    assert re.search(r"^ufid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}, ", more, re.M)
    assert "packets:" in more and "bytes:" in more and "used:" in more
    switch.appctl("revalidator/wait")
    switch.appctl("dpctl/del-flows")
    assert first.ping(second) == 3
    switch.appctl("revalidator/purge")
    until(lambda: first.port not in switch.appctl("dpctl/dump-flows", "--names"), "no flow is left", limit=5)
    assert "flows" in switch.appctl("upcall/show")
    assert bridge.name in switch.appctl("ofproto/list")
    assert "priority=0" in switch.appctl("bridge/dump-flows", bridge.name)


def test_resting_revalidators(switch, lan):
    """While they rest nothing is credited, until a purge does it."""
    bridge, first, second = lan
    bridge.set_flows("actions=output:2")
    switch.appctl("revalidator/wait")
    switch.appctl("revalidator/pause")
    try:
        frame = bytes.fromhex("020000000002" "020000000001" "88b5") + bytes(50)
        for _ in range(5):
            first.send(frame)
            assert second.receive(wanted=frame.__eq__)
        until(lambda: re.search(r"packets:[1-9]", switch.appctl("dpctl/dump-flows")), "the flow has taken packets", limit=5)
        switch.appctl("revalidator/purge")
        assert bridge.flow("").packets == 5
        assert first.port not in switch.appctl("dpctl/dump-flows", "--names")
    finally:
        switch.appctl("revalidator/resume")


def test_logs(switch):
    assert re.search(r"^bridge +\S+ +\S+ +\S+", switch.appctl("vlog/list"), re.M)
    switch.appctl("vlog/set", "bridge:file:dbg")
    assert re.search(r"^bridge +\S+ +\S+ +DBG", switch.appctl("vlog/list"), re.M)
    switch.appctl("vlog/set", "bridge:file:info")
    log = os.path.join(switch.logdir, "ovs-vswitchd.log")
    os.rename(log, log + ".1")
    switch.appctl("vlog/reopen")
    assert os.path.exists(log)


def test_log_lines_have_their_form(switch):
    with open(os.path.join(switch.logdir, "ovs-vswitchd.log")) as log:
        lines = log.read().splitlines()
    assert lines
    form = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\|\d{5}\|\w+(\([^)]*\))?\|(EMER|ERR|WARN|INFO|DBG)\|")
    assert [line for line in lines if not form.match(line)][:3] == []


def test_counters(switch, bridge):
    assert switch.appctl("coverage/read-counter", "upcall_ukey_contention").strip().isdigit()
    assert attempt("ovs-appctl", "coverage/read-counter", "no_such_counter_at_all", env=switch.env).returncode != 0
    assert "Event coverage" in switch.appctl("coverage/show")
    assert re.search(r"\w+:\d+", switch.appctl("memory/show"))
    switch.appctl("dpctl/flush-conntrack")
