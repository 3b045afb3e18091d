# SPDX-License-Identifier: Apache-2.0
"""The eBPF datapath between its programs and the daemon behind them: what goes up, why, and how it comes back."""
import socket
import struct

import pytest
from harness import netns
from harness.command import run
from harness.vm import AUXDATA, PACKET_AUXDATA, SOL_PACKET
from harness.wait import equals, until
from test_forwarding import datagram, tagged
from test_offload import flows_from

pytestmark = [pytest.mark.ours, pytest.mark.tiers("ebpf")]

TP_STATUS_CSUMNOTREADY = 1 << 3
MTU_FRAME = 1514
# Sends large UDP datagrams of which no two have the same ports, until it is killed.
FLOOD = """
import socket, struct, sys
frame = bytearray(bytes.fromhex(sys.argv[1]))
frame += bytes(1514 - len(frame))
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("eth0", 0))
number = 0
while True:
    number += 1
    struct.pack_into("!HH", frame, 34, number & 0xffff, number >> 16)
    raw.send(frame)
"""


def without_udp_sum(frame):
    """FRAME whose UDP checksum says that there is none: its ports may be changed."""
    return frame[:40] + bytes(2) + frame[42:]


def test_what_programs_cannot_do_says_why(switch, lan):
    """A flow that the daemon executes forwards all the same, counts, and says what kept it from the programs."""
    bridge, first, second = lan
    vids = range(1, 101)
    rewrites = ",".join(f"mod_vlan_vid:{vid},output:2" for vid in vids)
    bridge.set_flows(f"priority=5,udp,tp_dst=4020 actions={rewrites}", "priority=0 actions=NORMAL")
    frame = datagram(first, second, 4020)
    for _ in range(20):
        first.send(frame)
        got = [second.receive(wanted=lambda got: got[12:14] == b"\x81\x00") for _ in vids]
        assert got == [tagged(frame, vid) for vid in vids]
    slow = [flow for flow in flows_from(switch, first) if "push_vlan(vid=100" in flow["actions"]]
    assert [flow["why"] for flow in slow] == ["the daemon executes it: it has too many actions"]
    assert "dp-extra-info:it has too many actions" in switch.appctl("dpctl/dump-flows", "-m")
    equals(lambda: bridge.flow("udp,tp_dst=4020").packets, 20, "packets of the rule")


def test_labels_of_a_copy(switch, lan):
    """Copies with other labels, and the packet as it was, by the programs alone."""
    bridge, first, second = lan
    copies = ",".join(f"clone(output(port=9,max_len=60),push_mpls:0x8847,set_field:{label}->mpls_label,output:2)" for label in (9, 10))
    bridge.set_flows(f"priority=5,udp,tp_dst=4020 actions={copies},output:2", "priority=0 actions=NORMAL")
    frame = datagram(first, second, 4020)
    expected = {frame} | {frame[:12] + struct.pack("!HI", 0x8847, label << 12 | 1 << 8 | 64) + frame[14:] for label in (9, 10)}
    for _ in range(20):
        first.send(frame)
        assert {second.receive(wanted=expected.__contains__) for _ in range(3)} == expected
    assert [flow["why"] for flow in flows_from(switch, first) if "clone(push_mpls" in flow["actions"]] == ["offload is off"]
    equals(lambda: bridge.flow("udp,tp_dst=4020").packets, 20, "packets of the rule")


def test_flood_of_one_port_leaves_room(switch, bridge, make_vms):
    """While one VM sends nothing but new flows, all new flows of another get through."""
    first, second, third = make_vms(3)
    bridge.plug(first, second, third)
    # What an action reads is part of the megaflow: each pair of ports is one.
    read = "move:NXM_OF_UDP_SRC[]->NXM_NX_REG0[0..15],move:NXM_OF_UDP_DST[]->NXM_NX_REG1[0..15]"
    bridge.set_flows(f"priority=5,in_port=3,udp actions={read},output:2", f"priority=5,in_port=1,udp actions={read}", "priority=0 actions=drop")
    frame = without_udp_sum(datagram(third, second))
    before = lost(switch)
    flood = first.start("/usr/bin/python3", "-c", FLOOD, without_udp_sum(datagram(first, second)).hex())
    try:
        until(lambda: lost(switch) > before, "more comes up than the daemon takes", limit=30)
        for port in range(1, 101):
            third.send(frame[:34] + struct.pack("!H", port) + frame[36:])
        arrived = [second.receive(limit=20, wanted=lambda got: got[12:14] == b"\x08\x00") for _ in range(100)]
        assert None not in arrived
        assert sorted(struct.unpack_from("!H", got, 34)[0] for got in arrived) == list(range(1, 101))
    finally:
        flood.kill()
        flood.communicate()


def lost(switch):
    return int(switch.appctl("dpctl/show").split(" lost:")[1].split()[0])


class Inspector:
    """Looks at what arrives at a VM: each packet whose checksum nobody is to complete any more has to be right already."""

    def __init__(self, vm):
        with netns.inside(vm.namespace):
            self.raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.raw.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)
        self.raw.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.raw.setsockopt(SOL_PACKET, 23, 1)
        self.raw.bind(("eth0", 0))
        self.raw.setblocking(False)

    def look(self):
        """(how many were looked at, how many of them had left their checksum to the device, what is wrong with some)"""
        seen, partial, wrong = 0, 0, []
        while True:
            try:
                frame, extra, _, _ = self.raw.recvmsg(65535 + 18, socket.CMSG_SPACE(AUXDATA.size))
            except BlockingIOError:
                self.raw.close()
                return seen, partial, wrong
            status = next(AUXDATA.unpack(data)[0] for level, kind, data in extra if (level, kind) == (SOL_PACKET, PACKET_AUXDATA))
            left = bool(status & TP_STATUS_CSUMNOTREADY)
            seen += 1
            partial += left
            if problem := self.problem(frame, left):
                wrong.append((problem, frame[:70].hex(), len(frame)))

    def problem(self, frame, left):
        if frame[12:14] == b"\x08\x00":
            length, header = struct.unpack_from("!H", frame, 16)[0], 20
            pseudo, proto = frame[26:34], frame[23]
            if internet_sum(frame[14:34]) != 0xffff:
                return "IPv4's checksum"
        elif frame[12:14] == b"\x86\xdd":
            length, header = struct.unpack_from("!H", frame, 18)[0] + 40, 40
            pseudo, proto = frame[22:54], frame[20]
        else:
            return None
        if length + 14 != len(frame):
            return "length"
        if proto != 6 or left:
            return None
        if len(frame) > MTU_FRAME:
            return "a packet that is too large and that nobody is to cut"
        segment = frame[14 + header:]
        return "TCP's checksum" if internet_sum(pseudo + struct.pack("!HH", proto, len(segment)) + segment) != 0xffff else None


def internet_sum(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def tcp_errors(vm):
    """What the kernel of the VM threw away: (checksums that were wrong, other errors)"""
    text = vm.run("cat", "/proc/net/snmp")
    names, values = [line.split()[1:] for line in text.splitlines() if line.startswith("Tcp:")]
    counters = dict(zip(names, map(int, values)))
    return counters["InCsumErrors"], counters["InErrs"]


@pytest.mark.parametrize("settings", [[], ["tag=10"]], ids=["untagged", "tagged"])
def test_what_comes_back_is_well_formed(switch, bridge, make_vms, settings):
    """A transfer whose senders leave segmentation and checksums to the device, of which time and again packets go by the daemon: none is malformed."""
    first, second = make_vms(2)
    first.learn(second)
    second.learn(first)
    bridge.plug(first, second, settings=settings)
    inspector, size, rounds = Inspector(second), 4 << 20, 8
    for _ in range(rounds):
        purged(switch)
        assert first.transfer(second, size, begun=lambda: purged(switch)) == size
    seen, partial, wrong = inspector.look()
    assert wrong == []
    assert partial > 0, "nobody left a checksum to the device"
    # The daemon completes what it forwards: the first packet of each connection, and the next one after data had begun to come.
    assert seen - partial >= 2 * rounds, "not all that was new came by the daemon"
    assert tcp_errors(first) == tcp_errors(second) == (0, 0)


def purged(switch):
    """The next packet is new to the datapath."""
    switch.appctl("revalidator/purge")


def test_large_frames_go_up_whole(switch, lan):
    """Up to what a device may have: such a frame comes by the daemon unharmed, and no larger."""
    bridge, first, second = lan
    for vm in (first, second):
        run("ip", "link", "set", "dev", vm.port, "mtu", "65535")
        vm.run("ip", "link", "set", "dev", "eth0", "mtu", "65535")
    for size in (1400, 9000, 30000, 65000):
        purged(switch)
        assert first.ping(second, size=size) == 3, size


def test_datagrams_cut_by_the_device(switch, lan):
    """UDP whose sender leaves segmentation to the device (udp(7), UDP_SEGMENT): by the daemon and by the programs the receiver has the same datagrams."""
    bridge, first, second = lan
    with netns.inside(second.namespace):
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        receiver.bind((second.ip, 0))
    receiver.settimeout(5)
    with netns.inside(first.namespace):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.connect(receiver.getsockname())
    sender.setsockopt(socket.IPPROTO_UDP, 103, 1000)  # UDP_SEGMENT
    data = bytes(range(256)) * 39
    for _ in range(2):
        purged(switch)
        for _ in range(2):
            sender.send(data)
            assert b"".join(receiver.recv(65535) for _ in range(10)) == data
    sender.close()
    receiver.close()
