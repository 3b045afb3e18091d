# SPDX-License-Identifier: Apache-2.0
"""Packets in, packets out, and what the counters say of them."""
import struct

import pytest
from harness.wait import equals, until
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw


def datagram(source, target, port=4000, size=100):
    """A UDP datagram, SIZE bytes of frame."""
    head = Ether(src=source.mac, dst=target.mac) / IP(src=source.ip, dst=target.ip) / UDP(sport=port, dport=port)
    return bytes(head / Raw(bytes(size - len(head))))


def tagged(frame, vlan):
    """FRAME with an 802.1Q tag."""
    return frame[:12] + struct.pack("!HH", 0x8100, vlan) + frame[12:]


def test_normal_ping(bridge, make_vms):
    first, second = make_vms(2)
    bridge.plug(first, second)
    assert first.ping(second, count=5) == 5
    assert second.ping(first, count=5, size=1400) == 5


def test_normal_learns(switch, bridge, make_vms):
    """An unknown address is flooded; once it has spoken, the third VM no longer sees what is for it."""
    first, second, third = make_vms(3)
    bridge.plug(first, second, third)
    to_second, to_first = datagram(first, second), datagram(second, first)
    for vm in (first, second, third):
        vm.drain()
    first.send(to_second)
    assert second.receive(wanted=to_second.__eq__) and third.receive(wanted=to_second.__eq__)
    second.send(to_first)
    assert first.receive(wanted=to_first.__eq__)
    until(lambda: second.mac in switch.appctl("fdb/show", bridge.name), "the second VM's address is learned")
    first.send(to_second)
    assert second.receive(wanted=to_second.__eq__)
    broadcast = bytes(Ether(src=first.mac, dst="ff:ff:ff:ff:ff:ff", type=0x88b5) / Raw(bytes(50)))
    first.send(broadcast)
    assert third.receive(wanted=lambda frame: frame in (broadcast, to_second)) == broadcast


def test_access_vlans_part(bridge, make_vms):
    first, second, third = make_vms(3)
    bridge.plug(first, third, settings=["tag=10"])
    bridge.plug(second, settings=["tag=20"])
    assert first.ping(third) == 3
    assert first.ping(second, count=2) == 0


def test_trunk_sees_tags(bridge, make_vms):
    access, trunk = make_vms(2)
    bridge.plug(access, settings=["tag=10"])
    bridge.plug(trunk, settings=["trunks=10,30"])
    plain = datagram(access, trunk)
    trunk.drain()
    access.send(plain)
    assert trunk.receive(wanted=lambda frame: frame[:12] == plain[:12]) == tagged(plain, 10)
    back = datagram(trunk, access)
    access.drain()
    trunk.send(tagged(back, 10))
    assert access.receive(wanted=lambda frame: frame[:12] == back[:12]) == back


def test_rules_answer_arp(lan):
    """No datapath writes ARP: the daemon does, for each packet."""
    bridge, first, second = lan
    bridge.set_flows("priority=10,arp,arp_op=1 actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],set_field:02:00:00:00:00:09->eth_src,set_field:2->arp_op,"
                     "move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],set_field:02:00:00:00:00:09->arp_sha,push:NXM_OF_ARP_TPA[],"
                     "move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],pop:NXM_OF_ARP_SPA[],output:2,in_port", "priority=0 actions=drop")
    asked = Ether(src=first.mac, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=first.mac, psrc=first.ip, pdst="10.1.0.99")
    answer = bytes(Ether(src="02:00:00:00:00:09", dst=first.mac)
                   / ARP(op=2, hwsrc="02:00:00:00:00:09", psrc="10.1.0.99", hwdst=first.mac, pdst=first.ip))
    for _ in range(2):
        first.send(asked)
        assert second.receive(wanted=lambda frame: frame[12:14] == answer[12:14]) == answer
        assert first.receive(wanted=lambda frame: frame[12:14] == answer[12:14]) == answer
    equals(lambda: bridge.flow("arp,arp_op=1").packets, 2, "requests that the rule has seen")


@pytest.mark.tiers("kernel", "ebpf")
def test_vlan_limit(switch, lan):
    """What is behind the first tag is payload, unless other_config:vlan-limit says otherwise; either way the second packet finds the first one's flow."""
    bridge, first, second = lan
    bridge.set_flows("priority=10,udp,tp_dst=4000 actions=output:2", "priority=5,dl_type=0x8100 actions=output:2", "priority=0 actions=drop")
    frame = tagged(tagged(datagram(first, second, 4000), 20), 10)
    for limit, rule in ((1, "dl_type=0x8100"), (2, "udp,tp_dst=4000")):
        switch.vsctl("set", "Open_vSwitch", ".", f"other_config:vlan-limit={limit}")
        switch.appctl("revalidator/wait")
        try:
            for _ in range(2):
                first.send(frame)
                assert second.receive(wanted=frame.__eq__)
            equals(lambda: bridge.flow(rule).packets, 2, f"packets with limit {limit}")
            assert "vlan(" in switch.appctl("dpctl/dump-flows")
        finally:
            switch.vsctl("remove", "Open_vSwitch", ".", "other_config", "vlan-limit")


def test_rule_drops_what_it_matches(lan):
    bridge, first, second = lan
    bridge.set_flows("priority=10,udp,tp_dst=4000 actions=drop", "priority=0 actions=NORMAL")
    refused, allowed = datagram(first, second, 4000), datagram(first, second, 4001)
    second.drain()
    first.send(refused)
    equals(lambda: bridge.flow("udp,tp_dst=4000").packets, 1, "the dropping rule has seen the datagram")
    first.send(allowed)
    assert second.receive(wanted=lambda frame: frame in (refused, allowed)) == allowed


def test_flow_change_takes_effect_on_running_traffic(lan):
    bridge, first, second = lan
    assert first.ping(second) == 3
    bridge.set_flows("priority=10,icmp actions=drop", "priority=0 actions=NORMAL")
    until(lambda: first.ping(second, count=1) == 0, "pings are dropped", limit=3)
    bridge.set_flows("priority=0 actions=NORMAL")
    until(lambda: first.ping(second, count=1) == 1, "pings pass again", limit=3)


def test_statistics_are_exact(switch, lan):
    """Every packet counts once, whether it went by the daemon or not: for the rule, the table and both ports."""
    bridge, first, second = lan
    bridge.set_flows("priority=10,udp,tp_dst=4000 actions=output:2", "priority=0 actions=NORMAL")
    before = {vm: bridge.port_counters(vm) for vm in (first, second)}
    frame = datagram(first, second, 4000, size=200)
    for _ in range(500):
        first.send(frame)
    equals(lambda: bridge.flow("udp,tp_dst=4000").packets, 500, "the rule's packets")
    # The installed daemon takes TC's bytes as they are, 14 less than the frame for each packet that TC's software forwarded.
    if switch.daemon != "oracle" or switch.tier.name not in ("tc", "hw"):
        equals(lambda: bridge.flow("udp,tp_dst=4000").bytes, 500 * 200, "the rule's bytes")
    # A packet counts when it is decided on, which may be before it arrives.
    arrived = 0
    while arrived < 500 and second.receive(wanted=frame.__eq__):
        arrived += 1
    assert arrived == 500 and frame not in second.drain()
    equals(lambda: [bridge.port_counters(first)[name] - before[first][name] for name in ("rx pkts", "rx bytes")],
           [500, 500 * 200], "what the first port received")
    equals(lambda: [bridge.port_counters(second)[name] - before[second][name] for name in ("tx pkts", "tx bytes")],
           [500, 500 * 200], "what the second port sent")


def test_statistics_survive_ageing(switch, lan):
    """What a flow counted is not lost when it leaves the datapath for lack of traffic."""
    bridge, first, second = lan
    bridge.set_flows("priority=10,udp,tp_dst=4000 actions=output:2", "priority=0 actions=NORMAL")
    # The installed daemon makes no allowance for an adapter that tells a second late.
    max_idle = 3000 if (switch.daemon, switch.tier.name) == ("oracle", "hw") else 500
    switch.vsctl("set", "Open_vSwitch", ".", f"other_config:max-idle={max_idle}")
    try:
        for _ in range(20):
            first.send(datagram(first, second, 4000))
        until(lambda: "dst=4000" not in switch.appctl("dpctl/dump-flows"), "the flow is gone", limit=20)
        equals(lambda: bridge.flow("udp,tp_dst=4000").packets, 20, "what it counted")
        first.send(datagram(first, second, 4000))
        equals(lambda: bridge.flow("udp,tp_dst=4000").packets, 21, "one more is counted")
    finally:
        switch.vsctl("remove", "Open_vSwitch", ".", "other_config", "max-idle")


def test_secure_bridge_forwards_nothing(bridge, make_vms):
    first, second = make_vms(2)
    bridge.switch.vsctl("set-fail-mode", bridge.name, "secure")
    bridge.plug(first, second)
    bridge.set_flows("priority=1,arp actions=drop")
    assert first.ping(second, count=2) == 0
