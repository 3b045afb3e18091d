# SPDX-License-Identifier: Apache-2.0
"""The adapter as the lowest step: VFs as VMs, their representors as ports, and an eSwitch that forwards, refuses, lags and fills up."""
import json
import re
from collections import Counter

import pytest
from harness.card import FarVm, write
from harness.command import run
from harness.switch import Bridge
from harness.wait import equals, until
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw
from test_forwarding import datagram, tagged
from test_offload import filters, flows_from, sluicectl
from test_restart import lost_while

pytestmark = pytest.mark.tiers("hw")


def offloaded(switch, vm):
    """The megaflows of packets from VM that are in the adapter, in the words of ovs-appctl."""
    text = switch.appctl("dpctl/dump-flows", "--names", "type=offloaded")
    return [line for line in text.splitlines() if f"in_port({vm.port})" in line]


def until_offloaded(switch, *vms, send=lambda: None):
    """SENDs until packets from each of VMS have a megaflow in the adapter."""
    until(lambda: send() or all(offloaded(switch, vm) for vm in vms), "the flows are in the adapter")


def honest(switch, *cards):
    """Whether what sluicectl says of where flows are, and why, agrees with itself and with the adapters."""
    flows = json.loads(sluicectl(switch, "flows", "--json"))
    told = next(one for one in json.loads(sluicectl(switch, "offload", "--json")) if sum(one["flows"].values()))
    tiers = Counter(flow["tier"] for flow in flows)
    # What has not been looked at yet has no reason of its own.
    reasons = Counter(flow["why"] for flow in flows if flow["why"] not in ("", "waits for promotion"))
    return tiers["hw"] == sum(len(card.rules()) for card in cards) and told["reasons"] == reasons and \
        {tier: n for tier, n in told["flows"].items() if n} == tiers and \
        all((flow["why"] == "") == (flow["tier"] == "hw") for flow in flows)


@pytest.fixture(params=["none", pytest.param("skip_sw", marks=pytest.mark.ours)])
def policy(request, switch):
    """other_config:tc-policy, each of those that mean the adapter. The installed daemon reads it but once."""
    switch.vsctl("set", "Open_vSwitch", ".", f"other_config:tc-policy={request.param}")
    yield request.param
    switch.vsctl("remove", "Open_vSwitch", ".", "other_config", "tc-policy")


def test_vf_to_vf_without_the_host(switch, policy, card, lan):
    """Ping and TCP cross between VFs, and no packet of them is seen at a representor."""
    _, first, second = lan
    until_offloaded(switch, first, second, send=lambda: first.ping(second))
    before = card.slow_packets(first, second)
    assert first.ping(second, count=5) == 5
    assert first.transfer(second, 1 << 20) == 1 << 20
    assert card.slow_packets(first, second) == before
    text = filters(first)
    assert "in_hw" in text and ("skip_sw" in text) == (policy == "skip_sw")
    if switch.daemon == "ours":
        until(lambda: any(flow["tier"] == "hw" and flow["packets"] > 100 and not flow["why"] for flow in flows_from(switch, first)),
              "sluicectl says so")
        assert re.search(r"\bhw\b", sluicectl(switch, "flows"))
        until(lambda: honest(switch, card), "all that sluicectl says is true")


def counts(bridge, switch, first, second, match):
    """What OpenFlow and the database say was forwarded: rule, ports, rows."""
    flow, sent, received = bridge.flow(match), bridge.port_counters(first), bridge.port_counters(second)
    return {"rule": (flow.packets, flow.bytes), "first": (sent["rx pkts"], sent["rx bytes"]),
            "second": (received["tx pkts"], received["tx bytes"])}


def rows(switch, first, second):
    """What the rows of Interface have of it."""
    def statistic(vm, name):
        return int(switch.vsctl("get", "Interface", vm.port, f"statistics:{name}"))
    return [statistic(first, "rx_packets"), statistic(second, "tx_packets")]


def test_counters_are_exact_though_late(switch, card, lan):
    """The adapter tells of packets long after they have passed; in the end each has counted once, for rule and ports."""
    bridge, first, second = lan
    card.set_param("stats_period_ms", 2000)
    bridge.set_flows("priority=10,udp,tp_dst=4100 actions=output:2", "priority=0 actions=NORMAL")
    before = counts(bridge, switch, first, second, "udp,tp_dst=4100")
    before_rows = rows(switch, first, second)
    frame = datagram(first, second, 4100, size=200)
    sent = 0

    def send(count=1):
        nonlocal sent
        for _ in range(count):
            first.send(frame)
        sent += count

    until_offloaded(switch, first, send=send)
    slow = card.slow_packets(first)
    write(card.debug("freeze_stats"), 1)
    send(300)
    assert bridge.flow("udp,tp_dst=4100").packets <= sent
    assert card.slow_packets(first) == slow
    write(card.debug("freeze_stats"), 0)

    def grown(now):
        return {name: tuple(new - old for new, old in zip(now[name], before[name])) for name in now}

    wanted = {name: (sent, sent * 200) for name in before}
    if switch.daemon == "oracle":
        # Its bytes lack the Ethernet header of what TC forwarded in software.
        before["rule"] = before["rule"][:1]
        wanted["rule"] = (sent,)
    equals(lambda: grown(counts(bridge, switch, first, second, "udp,tp_dst=4100")), wanted, "what was counted")
    equals(lambda: [now - old for now, old in zip(rows(switch, first, second), before_rows)], [sent, sent], "the rows' statistics")


def test_what_is_active_in_the_adapter_alone_stays(switch, card, lan):
    """Flows that no packet comes by the host for do not age while the adapter forwards for them; later they do, and are counted."""
    bridge, first, second = lan
    bridge.set_flows("priority=10,udp,tp_dst=4200 actions=output:2", "priority=0 actions=NORMAL")
    frame = datagram(first, second, 4200)
    sent = 0

    def send():
        nonlocal sent
        first.send(frame)
        sent += 1

    switch.vsctl("set", "Open_vSwitch", ".", "other_config:max-idle=1500")
    try:
        until_offloaded(switch, first, send=send)
        slow = card.slow_packets(first)
        deadline = sent + 40
        until(lambda: send() or sent >= deadline, "traffic has gone on for longer than flows may idle")
        # The installed daemon makes no allowance for the lag, and may have put it anew.
        assert offloaded(switch, first) and (card.slow_packets(first) == slow or switch.daemon == "oracle")
        until(lambda: not offloaded(switch, first), "the flow has aged", limit=20)
        equals(lambda: bridge.flow("udp,tp_dst=4200").packets, sent, "what was counted")
    finally:
        switch.vsctl("remove", "Open_vSwitch", ".", "other_config", "max-idle")


def test_what_the_adapter_refuses_runs_in_the_kernel(switch, policy, card, lan):
    """The driver's words are the reason."""
    bridge, first, second = lan
    bridge.set_flows(f"priority=5,arp,arp_tpa={second.ip},actions=output:2", "priority=0,actions=drop")
    request = bytes(Ether(src=first.mac, dst=second.mac) / ARP(psrc=first.ip, pdst=second.ip, hwsrc=first.mac))
    second.drain()
    sent = 0

    def refused():
        return [flow for flow in flows_from(switch, first) if "arp" in flow["match"] and flow["why"] and flow["tier"] == "ovs"
                and "eswemu: Unsupported key" in flow["why"]]

    for _ in range(20):
        first.send(request)
        sent += 1
        assert second.receive(wanted=request.__eq__)
    if switch.daemon == "ours":
        until(refused, "the flow is in the kernel with the driver's reason")
        reasons = json.loads(sluicectl(switch, "offload", "--json"))
        assert "eswemu: Unsupported key" in json.dumps(reasons)
        until(lambda: honest(switch, card), "all that sluicectl says is true")
    equals(lambda: bridge.flow("arp").packets, sent, "what was counted")
    assert not any("arp" in line for line in offloaded(switch, first))


def test_vlans_to_the_wire(switch, card, bridge, make_vms):
    """The adapter puts tags on and takes them off between a VF in a VLAN and the wire."""
    (access,) = make_vms(1)
    far = FarVm(2, card)
    try:
        bridge.plug(access, settings=["tag=10"])
        bridge.plug(far, settings=["trunks=10"])
        # Nobody answers to this Ethertype.
        out = bytes(Ether(src=access.mac, dst=far.mac, type=0x88b5) / Raw(bytes(50)))
        back = bytes(Ether(src=far.mac, dst=access.mac, type=0x88b5) / Raw(bytes(50)))

        def both_ways():
            far.drain()
            access.send(out)
            assert far.receive(wanted=lambda frame: frame[:12] == out[:12]) == tagged(out, 10)
            access.drain()
            far.send(tagged(back, 10))
            assert access.receive(wanted=lambda frame: frame[:12] == back[:12]) == back

        until_offloaded(switch, access, far, send=both_ways)
        before = card.slow_packets(access, far)
        for _ in range(5):
            both_ways()
        assert card.slow_packets(access, far) == before
    finally:
        far.close()


@pytest.mark.ours
def test_rules_that_the_adapter_forgets(switch, policy, card, lan):
    """After a reset of its firmware, say: traffic goes on, by the kernel, and nobody says that it is in the adapter."""
    _, first, second = lan
    until_offloaded(switch, first, second, send=lambda: first.ping(second))
    until(lambda: honest(switch, card), "all that sluicectl says is true")
    for number in range(len(card.rules())):
        write(card.debug("forget"), number)
    assert first.ping(second, count=5) == 5

    def flows():
        return flows_from(switch, first) + flows_from(switch, second)

    until(lambda: first.ping(second) and {(flow["tier"], flow["why"]) for flow in flows()} == {("ovs", "its filter was lost")},
          "the flows are back")
    assert not card.rules() and honest(switch, card)


def test_full_table(switch, policy, make_card, make_vms):
    """What the adapter has no room for runs in the kernel. It is not asked for each packet, and when there is room it takes more."""
    card = make_card(flows=6)
    first, second = make_vms(2, card)
    first.learn(second)
    bridge = Bridge(switch)
    bridge.plug(first, second)
    ports = range(5000, 5012)
    bridge.set_flows(*(f"priority=10,udp,tp_dst={port},actions=output:2" for port in ports), "priority=0,actions=drop")
    frames = [datagram(first, second, port) for port in ports]
    second.drain()
    sent = 0

    def send(some):
        nonlocal sent
        for frame in some:
            first.send(frame)
        sent += len(some)

    def refusals():
        with open(card.debug("refused")) as lines:
            return sum(int(line.split()[0]) for line in lines if "full" in line)

    def offloaded_ports():
        return {int(port) for line in offloaded(switch, first) for port in re.findall(r"udp\(dst=(\d+)\)", line)}

    until(lambda: send(frames) or len(card.rules()) == 6, "the table is full")
    until(refusals, "the adapter has refused one more")
    before = refusals()
    for _ in range(30):
        send(frames)
    got = 0
    while got < sent and second.receive(wanted=frames.__contains__):
        got += 1
    assert got == sent and len(card.rules()) == 6
    if switch.daemon == "ours":
        assert refusals() - before < 60
        # Those that came while promotion paused have not been tried yet.
        until(lambda: send(frames) or {flow["why"].rpartition(": ")[2] for flow in flows_from(switch, first) if flow["tier"] == "ovs"} ==
              {"The flow table is full"}, "each flow in the kernel says why")
        assert len(flows_from(switch, first)) == len(ports)
        until(lambda: honest(switch, card), "all that sluicectl says is true")
        assert "eswemu: The flow table is full" in sluicectl(switch, "offload")
    equals(lambda: sum(flow.packets for flow in bridge.flows("udp")), sent, "what was counted")
    # Three of those that are in leave; then others have their place. What the VMs' kernels answer may have one, too.
    inside = offloaded_ports()
    leaving = sorted(inside)[:3]
    bridge.set_flows(*(f"priority=10,udp,tp_dst={port},actions=output:2" for port in ports if port not in leaving),
                     "priority=0,actions=drop")
    staying = [datagram(first, second, port) for port in ports if port not in leaving]
    if switch.daemon == "ours":
        until(lambda: send(staying) or (not offloaded_ports() & set(leaving) and offloaded_ports() - inside and len(card.rules()) == 6),
              "others took the places", limit=30)
    bridge.close()


@pytest.mark.ours
def test_a_full_adapter_holds_up_no_other(switch, card, make_card, make_vms):
    """Who has no room is asked ever less often; others are asked at once."""
    small = make_card(flows=1, vfs=2)
    bridge = Bridge(switch)
    first, second = make_vms(2, small)
    third, fourth = make_vms(2)
    bridge.plug(first, second, third, fourth)
    ports = range(6000, 6004)
    bridge.set_flows(*(f"priority=10,in_port=1,udp,tp_dst={port},actions=output:2" for port in ports), "in_port=3,actions=output:4",
                     "priority=0,actions=drop")

    def pauses():
        return int(switch.appctl("coverage/read-counter", "tc_backoff"))

    def unanswered(source, target, port):
        """A datagram that the target's kernel does not look at, so that nothing of its own takes the place."""
        return bytes.fromhex("020000009901") + datagram(source, target, port)[6:]

    def send():
        for port in ports:
            first.send(unanswered(first, second, port))

    # Half a second, one, two, four.
    before = pauses()
    until(lambda: send() or pauses() - before >= 4, "the full adapter has been asked four times", limit=20)
    before = pauses()
    until_offloaded(switch, third, send=lambda: third.send(unanswered(third, fourth, 6000)))
    assert pauses() == before
    until(lambda: honest(switch, small, card), "all that sluicectl says is true")
    bridge.close()


@pytest.mark.unhealthy
def test_one_representor_vanishes_under_traffic(switch, card, make_vms):
    """The port of one VM goes while its VF stays. What others say to each other stays in the adapter; the row tells, and recovers."""
    vms = first, second, lone = make_vms(3)
    for vm in vms:
        for other in vms:
            vm.learn(other)
    bridge = Bridge(switch)
    bridge.plug(*vms)
    until_offloaded(switch, *vms, send=lambda: (first.ping(second), lone.ping(first)))
    pinger = lone.start("ping", "-n", "-i", "0.01", first.ip)
    for _ in range(20):
        pinger.stdout.readline()
    slow = card.slow_packets(second)
    write(card.debug("lose_rep"), lone.vf)
    try:
        assert first.ping(second, count=20, interval=0.05) == 20
        # The installed daemon takes flows back to look at them again.
        assert card.slow_packets(second) == slow or switch.daemon == "oracle"
        until_offloaded(switch, first, second, send=lambda: first.ping(second))
        pinger.terminate()
        pinger.communicate()
        until(lambda: "No such device" in switch.vsctl("get", "Interface", lone.port, "error"), "the row has its error")
        assert [switch.vsctl("get", "Interface", vm.port, "error").strip() for vm in (first, second)] == ["[]"] * 2
        # Nothing is left of it in the adapter, neither from it nor towards it.
        until(lambda: not any(re.search(rf"^port {lone.vf + 1} |output:{lone.vf + 1}\b", rule) for rule in card.rules()), "no rule names it")
        if switch.daemon == "ours":
            until(lambda: honest(switch, card), "all that sluicectl says is true")
    finally:
        write(card.debug("find_rep"), lone.vf)
    run("ip", "link", "set", lone.port, "addrgenmode", "none", "up")
    until(lambda: switch.vsctl("get", "Interface", lone.port, "error").strip() == "[]", "the port is back")
    until(lambda: lone.ping(first) == 3, "they talk again")
    until_offloaded(switch, lone, send=lambda: lone.ping(first))
    bridge.close()


@pytest.mark.unhealthy
def test_adapter_vanishes_under_traffic(switch, make_card, make_vms, card):
    """All VFs of one adapter go while they talk: those of another do not notice. The rows say so, and recover with the VFs."""
    doomed = make_card()
    first, second = make_vms(2)
    victims = make_vms(2, doomed)
    for one, other in ((first, second), victims):
        one.learn(other)
        other.learn(one)
    bridge = Bridge(switch)
    bridge.plug(first, second, *victims)
    until_offloaded(switch, first, victims[0], send=lambda: (first.ping(second), victims[0].ping(victims[1])))
    pinger = victims[0].start("ping", "-n", "-i", "0.01", victims[1].ip)
    for _ in range(20):
        pinger.stdout.readline()
    slow = card.slow_packets(first, second)
    doomed.set_numvfs(0)
    assert first.ping(second, count=20, interval=0.05) == 20
    # The installed daemon takes flows back to look at them again.
    assert card.slow_packets(first, second) == slow or switch.daemon == "oracle"
    pinger.terminate()
    pinger.communicate()
    until(lambda: "No such device" in switch.vsctl("get", "Interface", victims[0].port, "error"), "the row has its error")
    assert switch.vsctl("get", "Interface", first.port, "error").strip() == "[]"
    doomed.create_vfs()
    for vm in victims:
        vm.replug()
        vm.learn(first)
    until(lambda: switch.vsctl("get", "Interface", victims[1].port, "error").strip() == "[]", "the port is back")
    until(lambda: victims[0].ping(victims[1]) == 3, "they talk again")
    until_offloaded(switch, victims[0], send=lambda: victims[0].ping(victims[1]))
    bridge.close()


def test_restart_with_flows_in_the_adapter(own_switch, card, make_vms):
    """They go on forwarding while no daemon runs, the next one knows them, and takes them back when policy changes."""
    switch = own_switch
    switch.start()
    bridge = Bridge(switch)
    first, second = make_vms(2)
    first.learn(second)
    second.learn(first)
    bridge.plug(first, second)
    switch.vsctl("set-fail-mode", bridge.name, "secure")
    rules = ["in_port=1,actions=output:2", "in_port=2,actions=output:1"]
    bridge.set_flows(*rules)
    until_offloaded(switch, first, second, send=lambda: first.ping(second))

    def restart():
        """As ovs-ctl does: nothing is judged by an empty table."""
        switch.stop()
        switch.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:flow-restore-wait=true")
        switch.start()
        bridge.set_flows(*rules)
        switch.vsctl("remove", "Open_vSwitch", ".", "other_config", "flow-restore-wait")

    slow = card.slow_packets(first, second)
    lost, _ = lost_while(first, second, restart)
    # The installed daemon loses half of them.
    if switch.daemon == "ours":
        assert (lost, card.slow_packets(first, second)) == (0, slow)
        equals(lambda: {flow["tier"] for flow in flows_from(switch, first)}, {"hw"}, "where the flows are")
    bridge.set_flows("in_port=1,actions=drop", "in_port=2,actions=drop")
    until(lambda: first.ping(second, count=1) == 0, "the adapter forwards no more")
    bridge.close()
