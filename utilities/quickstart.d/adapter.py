# SPDX-License-Identifier: Apache-2.0
"""The last act of the quick start's show: the same three VMs, with virtual functions of an adapter, which the switch teaches to forward.

The adapter is the eSwitch emulator of tests/eswitch. Who may talk is decided by rules of ovs-ofctl this time.
"""
import itertools
import json

from harness.card import Card, VfVm
from harness.switch import Bridge
from harness.wait import equals, until

NETWORK = "10.2.0"
DRIVER = "eswemu: "


class Adapter:
    def __init__(self, show):
        self.show = show
        self.switch = show.switch
        self.card = None
        self.bridge = None
        self.vms = {}

    def close(self):
        if self.bridge:
            self.bridge.close()
        for vm in self.vms.values():
            vm.close()
        if self.card:
            self.card.close()

    def pairs(self):
        """Each pair of names once, and whether it may talk."""
        return [(pair, pair in self.show.may_talk) for pair in itertools.combinations(self.vms, 2)]

    def set_up(self, names):
        self.show.heading("An adapter with virtual functions, emulated: its eSwitch is in switchdev mode")
        self.card = Card(vfs=len(names))
        self.bridge = Bridge(self.switch, "fail_mode=secure")
        for number, name in enumerate(names, 1):
            self.vms[name] = VfVm(number, self.card, network=NETWORK)
        self.bridge.plug(*self.vms.values())
        for name, vm in self.vms.items():
            print(f"    {name:6} {vm.ip}  has VF {vm.vf}; its representor is port {vm.port}")
        rules = [f"priority=10,arp,arp_tpa={vm.ip},actions=output:{vm.number}" for vm in self.vms.values()]
        for (first, second), may in self.pairs():
            for source, target in ((first, second), (second, first)):
                rules.append(self.match(source, target) + f",priority=20,actions={f'output:{self.vms[target].number}' if may else 'drop'}")
        self.bridge.set_flows(*rules, "priority=0,actions=drop")

    def match(self, source, target):
        return f"ip,nw_src={self.vms[source].ip},nw_dst={self.vms[target].ip}"

    def offloaded(self, source, target):
        """Whether the packets from SOURCE to TARGET have a megaflow in the adapter."""
        text = self.switch.appctl("dpctl/dump-flows", "--names", "type=offloaded")
        return f"ipv4(src={self.vms[source].ip},dst={self.vms[target].ip}" in text

    def talk(self, count):
        """First the switch learns who talks; what it then taught the adapter crosses without the host."""
        self.show.heading("Who can talk to whom, and who forwards it")
        for (first, second), may in self.pairs():
            one, other = self.vms[first], self.vms[second]
            if may:
                one.ping(other, count=1)
            one.learn(other)
            other.learn(one)
            ways = [(first, second)] + [(second, first)] * may
            until(lambda a=one, b=other, w=ways: a.ping(b, count=1) in (0, 1) and all(self.offloaded(*way) for way in w),
                  f"the adapter has {first} -> {second}")
            before = self.card.slow_packets(one, other)
            counted = self.counted(ways)
            answered = one.ping(other, count=count)
            by_host = self.card.slow_packets(one, other) - before
            self.show.check(answered == (count if may else 0) and by_host == 0,
                            f"{first} -> {second}: {answered} of {count} pings answered, {'allowed' if may else 'refused'}; "
                            f"the host saw {by_host} packets of it")
            self.count(ways, counted, count)

    def counted(self, ways):
        return [self.bridge.flow(self.match(*way)).packets for way in ways]

    def count(self, ways, before, count):
        """The adapter tells late what it has forwarded. What it had not told of before this round came in the meantime."""
        equals(lambda: all(now - old >= count for now, old in zip(self.counted(ways), before)), True, "OpenFlow's counters know of it")

    def megaflows(self):
        self.show.heading("Which megaflows are in the adapter, and which are not and why")
        if self.switch.daemon == "oracle":
            print(self.switch.appctl("dpctl/dump-flows", "--names", "-m"))
            return
        flows = [flow for flow in json.loads(self.show.sluicectl("flows", "--json"))
                 if any(f"in_port({vm.port})" in flow["match"] for vm in self.vms.values())]
        for flow in sorted(flows, key=lambda flow: flow["tier"] != "hw"):
            print(f"    {flow['tier']:4} {flow['match']}\n         actions:{flow['actions']}")
            if flow["why"]:
                print(f"         not lower: {flow['why']}")
        for (first, second), may in self.pairs():
            there = [flow for flow in flows if f"ipv4(src={self.vms[first].ip},dst={self.vms[second].ip}" in flow["match"]]
            self.show.check([(flow["tier"], flow["actions"] == "drop") for flow in there] == [("hw", not may)],
                            f"{first} -> {second}: the adapter {'forwards' if may else 'drops'}")
        arp = [flow for flow in flows if "eth_type(0x0806)" in flow["match"]]
        self.show.check(arp and all(flow["tier"] == "ovs" and DRIVER in flow["why"] for flow in arp),
                        f"{len(arp)} megaflows look into ARP, which this adapter cannot: its driver says so")
        in_table = len(self.card.rules())
        self.show.check(in_table == sum(flow["tier"] == "hw" for flow in flows), f"the adapter itself counts {in_table} rules")
