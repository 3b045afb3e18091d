# SPDX-License-Identifier: Apache-2.0
"""OpenFlow sessions: the installed ovs-ofctl and controllers are the judge."""
import re
import signal
import socket
import subprocess

import pytest
from harness.command import attempt
from harness.wait import equals, until
from test_forwarding import datagram

# What these tests are about does not depend on where flows run.
pytestmark = pytest.mark.tiers("kernel", "ebpf")

# Version, type, length, transaction id.
HELLO_10 = bytes([1, 0, 0, 8, 0, 0, 0, 1])
FEATURES_REQUEST_10 = bytes([1, 5, 0, 8, 0, 0, 0, 2])
OPENFLOW = ["OpenFlow10", "OpenFlow13"]


def free_port():
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Monitor:
    """ovs-ofctl monitor or snoop, and what it has printed."""

    def __init__(self, switch, *arguments):
        self.path = f"{switch.base}/monitor{len(arguments)}"
        with open(self.path, "w") as output:
            self.process = subprocess.Popen(["ovs-ofctl", *arguments], env=switch.environment(), stdin=subprocess.DEVNULL,
                                            stdout=output, stderr=output)

    def text(self):
        with open(self.path) as output:
            return output.read()

    def saw(self, pattern):
        """Waits until the output matches PATTERN."""
        return until(lambda: re.search(pattern, self.text()), f"{pattern} in what the monitor prints")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


@pytest.mark.parametrize("version", OPENFLOW)
def test_every_dump(switch, lan, version):
    """Each request of ovs-ofctl that only looks is answered, in each version."""
    bridge, first, second = lan
    bridge.set_flows("priority=5,ip,nw_dst=10.0.0.0/8,actions=output:2", "priority=0,actions=NORMAL", version=version)
    for request in ("show", "dump-desc", "dump-tables", "dump-ports", "dump-ports-desc", "dump-flows", "dump-aggregate", "get-frags",
                    "queue-stats"):
        assert switch.ofctl("-O", version, request, bridge.name)
    for request in ("dump-groups", "dump-meters", "dump-table-features") if version != "OpenFlow10" else ():
        assert switch.ofctl("-O", version, request, bridge.name)
    assert "flow_count=2" in switch.ofctl("-O", version, "dump-aggregate", bridge.name)
    assert f"({first.port})" in switch.ofctl("-O", version, "show", bridge.name)


@pytest.mark.parametrize("version", OPENFLOW)
def test_flow_commands(switch, bridge, version):
    def flows():
        text = switch.ofctl("-O", version, "--no-stats", "--sort=priority", "dump-flows", bridge.name)
        return [line.strip() for line in text.splitlines() if "actions=" in line]

    def command(*words, **options):
        return switch.ofctl("-O", version, *words, **options)

    command("del-flows", bridge.name)
    command("add-flow", bridge.name, "cookie=0x11,priority=10,tcp,tp_dst=80,actions=output:1")
    command("add-flow", bridge.name, "cookie=0x12,priority=20,udp,actions=drop")
    assert flows() == ["cookie=0x11, priority=10,tcp,tp_dst=80 actions=output:1", "cookie=0x12, priority=20,udp actions=drop"]
    command("mod-flows", bridge.name, "tcp,actions=output:2")
    assert "actions=output:2" in flows()[0]
    # Only in OpenFlow 1.0 and 1.1 does a modification of what is not there add it.
    command("--strict", "mod-flows", bridge.name, "priority=11,udp,actions=output:3")
    assert len(flows()) == (3 if version == "OpenFlow10" else 2)
    command("del-flows", bridge.name, "cookie=0x12/-1")
    command("--strict", "del-flows", bridge.name, "priority=11,udp")
    assert [line.split("priority=")[1] for line in flows()] == ["10,tcp,tp_dst=80 actions=output:2"]
    command("--strict", "del-flows", bridge.name, "priority=10,tcp,tp_dst=80")
    assert flows() == []
    command("--bundle", "replace-flows", bridge.name, "-", stdin="priority=1,arp,actions=NORMAL\n")
    assert [line.split("priority=")[1] for line in flows()] == ["1,arp actions=NORMAL"]


def test_refusals_have_their_codes(switch, bridge):
    """What cannot be is refused with the error that OpenFlow has for it."""
    def refused(*words):
        result = attempt("ovs-ofctl", *words, env=switch.env)
        assert result.returncode != 0
        return result.stderr

    switch.ofctl("add-flow", bridge.name, "priority=5,ip,actions=drop")
    assert "OVERLAP" in refused("add-flow", bridge.name, "check_overlap,priority=5,tcp,actions=drop")
    assert "OFPBAC_BAD_OUT_GROUP" in refused("-O", "OpenFlow13", "add-flow", bridge.name, "actions=group:99")


def test_mod_port(switch, lan):
    bridge, first, second = lan
    assert first.ping(second) == 3
    switch.ofctl("mod-port", bridge.name, second.port, "down")
    until(lambda: first.ping(second, count=1) == 0, "a port that is down gets nothing")
    switch.ofctl("mod-port", bridge.name, second.port, "up")
    until(lambda: first.ping(second, count=1) == 1, "it is up again")
    switch.ofctl("mod-port", bridge.name, second.port, "no-forward")
    until(lambda: first.ping(second, count=1) == 0, "NO_FWD: nothing is sent to it")


@pytest.mark.parametrize("version", OPENFLOW)
def test_packet_out(switch, lan, version):
    bridge, first, second = lan
    frame = datagram(first, second, 4002)
    second.drain()
    switch.ofctl("-O", version, "packet-out", bridge.name, f"in_port=1,packet={frame.hex()},actions=output:2")
    assert second.receive(wanted=frame.__eq__)


@pytest.mark.parametrize("options", [["-O", "OpenFlow10"], ["-O", "OpenFlow13"], ["-P", "nxt_packet_in2"]])
def test_monitor_sees_packets_sent_to_the_controller(switch, lan, options):
    bridge, first, second = lan
    bridge.set_flows("priority=10,udp,tp_dst=4003,cookie=0x77,actions=controller", "priority=0,actions=NORMAL")
    with Monitor(switch, *options, "monitor", bridge.name, "65534") as monitor:
        until(lambda: first.send(datagram(first, second, 4003)) or "PACKET_IN" in monitor.text(), "a packet has come", limit=20)
        text = monitor.saw(r"PACKET_IN.*\n.*udp.*tp_dst=4003").group(0)
    assert "in_port=1" in text and "cookie=0x77" in text or options[-1] == "OpenFlow10"
    assert f"total_len={len(datagram(first, second))}" in text


def test_flow_monitor(switch, bridge):
    with Monitor(switch, "monitor", bridge.name, "watch:!initial") as monitor:
        monitor.saw("FLOW_MONITOR")
        until(lambda: switch.ofctl("add-flow", bridge.name, "priority=9,arp,cookie=0x5,actions=drop") or "event=ADDED" in monitor.text(),
              "the addition is told")
        switch.ofctl("del-flows", bridge.name, "arp")
        monitor.saw("event=DELETED reason=delete.*cookie=0x5.*arp")


def test_snoop(switch, bridge):
    """What passes between the bridge and its controller can be watched."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        switch.vsctl("set-controller", bridge.name, f"tcp:127.0.0.1:{server.getsockname()[1]}")
        with server.accept()[0] as controller:
            controller.sendall(HELLO_10)
            equals(lambda: switch.vsctl("get", "controller", bridge.name, "is_connected").strip(), "true", "is_connected is written")
            with Monitor(switch, "snoop", bridge.name) as monitor:
                until(lambda: controller.sendall(FEATURES_REQUEST_10) or "OFPT_FEATURES_REQUEST" in monitor.text(),
                      "the snoop sees what the controller asks")
                monitor.saw("OFPT_FEATURES_REPLY")


def test_passive_controller(switch, bridge):
    port = free_port()
    switch.vsctl("set-controller", bridge.name, f"ptcp:{port}:127.0.0.1")
    for version in OPENFLOW:
        until(lambda v=version: attempt("ovs-ofctl", "-O", v, "show", f"tcp:127.0.0.1:{port}").returncode == 0, "the bridge listens")
    switch.vsctl("del-controller", bridge.name)
    until(lambda: attempt("ovs-ofctl", "show", f"tcp:127.0.0.1:{port}").returncode != 0, "it no longer listens")


@pytest.mark.unhealthy
def test_dead_controller(switch, lan):
    """Without its controller a secure bridge forwards by its flows only, a standalone one as an ordinary switch, after a while."""
    bridge, first, second = lan
    switch.vsctl("set-fail-mode", bridge.name, "secure", "--", "set-controller", bridge.name, f"tcp:127.0.0.1:{free_port()}", "--",
                 "set", "controller", bridge.name, "inactivity_probe=1000", "max_backoff=1000")
    switch.ofctl("del-flows", bridge.name)
    assert first.ping(second, count=2) == 0
    switch.vsctl("set-fail-mode", bridge.name, "standalone")
    until(lambda: first.ping(second, count=1) == 1, "the bridge switches on its own", limit=30)
    assert switch.vsctl("get", "controller", bridge.name, "is_connected").strip() == "false"


def test_timeouts_and_flow_removed(switch, bridge):
    switch.ofctl("del-flows", bridge.name)
    with Monitor(switch, "-O", "OpenFlow13", "monitor", bridge.name, "65534") as monitor:
        frame = "in_port=controller,packet=" + "ff" * 60
        until(lambda: switch.ofctl("packet-out", bridge.name, frame + ",actions=controller") or "PACKET_IN" in monitor.text(),
              "the monitor is connected")
        switch.ofctl("add-flow", bridge.name, "send_flow_rem,hard_timeout=1,priority=3,arp,cookie=0x9,actions=drop")
        monitor.saw(r"OFPT_FLOW_REMOVED \(OF1.3\).*priority=3,arp.*reason=hard")
    switch.ofctl("add-flow", bridge.name, "idle_timeout=1,priority=3,arp,actions=drop")
    equals(lambda: bridge.flows("arp"), [], "the idle flow is gone")


def test_resubmit_and_registers(lan):
    """Several tables, a register set in one and matched in the next."""
    bridge, first, second = lan
    bridge.set_flows(
        "table=0,priority=1,in_port=1,actions=load:7->NXM_NX_REG0[],resubmit(,5)", "table=0,priority=0,actions=NORMAL",
        "table=5,priority=9,reg0=7,udp,actions=output:2", "table=5,priority=1,actions=drop")
    frame = datagram(first, second, 4004)
    second.drain()
    first.send(frame)
    assert second.receive(wanted=frame.__eq__)
    equals(lambda: bridge.flow("table=5,udp,reg0=7").packets, 1, "the rule in table 5 has counted")
    assert bridge.flow("table=0,in_port=1").packets >= 1


@pytest.mark.parametrize("actions, change", [
    ("mod_dl_src:02:aa:bb:cc:dd:ee", lambda f: f[:6] + bytes.fromhex("02aabbccddee") + f[12:]),
    ("mod_dl_dst:02:aa:bb:cc:dd:ee", lambda f: bytes.fromhex("02aabbccddee") + f[6:]),
    ("mod_vlan_vid:30", lambda f: f[:12] + bytes.fromhex("8100001e") + f[12:]),
    ("push_vlan:0x8100,set_field:4126->vlan_vid", lambda f: f[:12] + bytes.fromhex("8100001e") + f[12:]),
])
def test_changes_of_the_frame(lan, actions, change):
    bridge, first, second = lan
    bridge.set_flows(f"priority=10,udp,actions={actions},output:2", "priority=0,actions=NORMAL")
    frame = datagram(first, second, 4005)
    second.drain()
    first.send(frame)
    assert second.receive(wanted=lambda got: b"\x45\x00" in got[14:20]) == change(frame)
