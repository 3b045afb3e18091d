# SPDX-License-Identifier: Apache-2.0
"""Random pipelines and packets. Values are few, so that rules and packets meet; actions suit what the rule matches, so that switches take them."""
from hypothesis import strategies as st

from frames import frame, parse
from world import PATCHES, PORTS

N_TABLES = 4
MACS = ["00:00:00:00:00:01", "00:00:00:00:00:02", "00:00:00:00:00:03", "02:00:00:00:00:04", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:05",
        "01:80:c2:00:00:00", "33:33:00:00:00:01"]
IPS = ["10.0.0.1", "10.0.0.2", "10.0.1.1", "192.168.0.1"]
IP6S = ["fe80::1", "fe80::2", "2001:db8::1"]
L4PORTS = [0, 7, 8, 80, 443, 1000]
VIDS = [0, 7, 10, 20, 30]
ETHERNET, ARP, IPV4, IPV6, TCP, UDP, SCTP, ICMP, TCP6, UDP6, ICMP6, ND, MPLS = range(13)
NAMES = {ETHERNET: "", ARP: "arp", IPV4: "ip", IPV6: "ipv6", TCP: "tcp", UDP: "udp", SCTP: "sctp", ICMP: "icmp", TCP6: "tcp6", UDP6: "udp6",
         ICMP6: "icmp6", ND: "icmp6,icmpv6_type=135,icmpv6_code=0", MPLS: "mpls"}
OVER_IPV4, OVER_IPV6 = (IPV4, TCP, UDP, SCTP, ICMP), (IPV6, TCP6, UDP6, ICMP6, ND)
WITH_PORTS = {TCP: "tcp", TCP6: "tcp", UDP: "udp", UDP6: "udp", SCTP: "sctp"}

# Ports that may refuse what is given to them, being protected or told not to forward: after an output(max_len=...) to one of these the installed daemon would
# cut short whatever is sent next.
REFUSING = ("v1", "v7", "b3")
TRUNCATING = {bridge: sorted(number for port, number in PORTS[bridge].items() if port not in REFUSING) for bridge in PORTS}

pick = st.sampled_from
mac = pick(MACS)


def ports_of(bridge):
    return st.one_of(pick(sorted(PORTS[bridge].values())), pick(["LOCAL", 5, 99]))


def masked(values, masks):
    return st.one_of(pick(values), st.builds("{}/{}".format, pick(values), pick(masks)))


def some(draw, *choices, most=3):
    """Up to MOST of the (name, strategy) pairs, drawn."""
    chosen = draw(st.lists(pick(range(len(choices))), max_size=most, unique=True)) if choices else []
    return [f"{choices[i][0]}={draw(choices[i][1])}" for i in chosen]


def fields_of(kind):
    """What a match on packets of this kind may look at besides."""
    fields = []
    if kind in OVER_IPV4:
        fields += [("nw_src", masked(IPS, ["24", "16", "255.255.255.0", "0.0.0.1"])), ("nw_dst", masked(IPS, ["24", "8"]))]
    elif kind in OVER_IPV6:
        fields += [("ipv6_src", masked(IP6S, ["64", "10"])), ("ipv6_dst", masked(IP6S, ["64", "127"])), ("ipv6_label", pick(["0x1", "0x2/0x2"]))]
    elif kind == ARP:
        fields += [("arp_op", pick([1, 2])), ("arp_spa", masked(IPS, ["24"])), ("arp_tpa", pick(IPS)), ("arp_sha", mac)]
    if kind in OVER_IPV4 + OVER_IPV6:
        fields += [("nw_tos", pick([0, 8, 252])), ("nw_ecn", pick([0, 1])), ("nw_ttl", pick([1, 2, 64])),
                   ("nw_frag", pick(["no", "first", "not_later"] + ["later", "yes"] * (kind in (IPV4, IPV6))))]
    if kind in (IPV4, IPV6):
        fields += [("nw_proto", pick([0, 6, 17, 47]))]
    if kind in WITH_PORTS:
        name = WITH_PORTS[kind]
        fields += [(f"{name}_src", masked(L4PORTS, ["0xfff8", "0x1"])), (f"{name}_dst", masked(L4PORTS, ["0xff00"]))]
    if kind in (TCP, TCP6):
        fields += [("tcp_flags", pick(["+syn-ack", "+ack", "0x12/0x12"]))]
    if kind == ND:
        fields += [("nd_target", pick(IP6S)), ("nd_sll", mac)]
    if kind == MPLS:
        fields += [("mpls_label", pick([3, 5])), ("mpls_tc", pick([0, 2])), ("mpls_bos", pick([0, 1]))]
    if kind == ICMP:
        fields += [("icmp_type", pick([0, 8])), ("icmp_code", pick([0, 1]))]
    return fields


@st.composite
def matches(draw, bridge, kinds):
    """(kind, has a tag, text)"""
    kind = draw(pick([ETHERNET, *kinds, *kinds]))
    vlan = draw(pick(["", "", "", "dl_vlan=10", "dl_vlan=20,dl_vlan_pcp=3", "vlan_tci=0x1000/0x1000", "vlan_tci=0", "dl_vlan_pcp=5"]))
    items = some(draw, ("in_port", ports_of(bridge)), ("dl_src", masked(MACS, ["01:00:00:00:00:00", "ff:ff:ff:ff:ff:fe"])), ("dl_dst", mac),
                 ("reg0", masked([0, 1, 5], ["0x1", "0xff"])), ("metadata", masked([0, 7], ["0x3"])), ("reg9", pick([0, 2])),
                 ("pkt_mark", masked([0, 3], ["0x1"])), most=2)
    items += some(draw, *fields_of(kind))
    has_tag = vlan.startswith("dl_vlan") or vlan == "vlan_tci=0x1000/0x1000"
    return kind, has_tag, ",".join(item for item in [NAMES[kind], vlan, *items] if item)


def outputs(bridge):
    return st.one_of(st.builds("output:{}".format, pick(sorted(PORTS[bridge].values()))),
                     pick(["NORMAL", "NORMAL", "FLOOD", "ALL", "LOCAL", "IN_PORT", "CONTROLLER:100", "output:99", "drop_marker"]),
                     st.builds("output(port={},max_len=100)".format, pick(TRUNCATING[bridge])),
                     pick(["output:NXM_NX_REG0[]", "output:NXM_OF_IN_PORT[]", "enqueue:21:3", "enqueue:2:5"]))


def header_actions(kind, has_tag, version):
    """Actions that change headers of packets of this kind."""
    actions = [f"mod_dl_src:{m}" for m in MACS[:4]] + ["mod_dl_dst:00:00:00:00:00:02", "load:0x5->NXM_OF_ETH_DST[0..15]", "mod_vlan_vid:9",
               "mod_vlan_vid:10", "mod_vlan_pcp:4", "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]",
               "move:NXM_NX_REG0[0..15]->NXM_OF_ETH_SRC[0..15]", "load:0x1007->NXM_OF_VLAN_TCI[]", "load:0->NXM_OF_VLAN_TCI[]"]
    if version == "OpenFlow10" or has_tag:
        actions.append("strip_vlan")
    if version != "OpenFlow10":
        actions += ["push_vlan:0x8100,set_field:4106->vlan_vid", "push_vlan:0x88a8", "set_field:00:00:00:00:00:0a/00:00:00:00:00:0f->eth_src"]
    if kind in OVER_IPV4:
        actions += ["mod_nw_src:1.2.3.4", "mod_nw_dst:10.0.0.2", "load:0x7->NXM_OF_IP_SRC[0..7]"]
    # The installed daemon leaves headers of packets with nw_proto=0 alone without having matched nw_proto for these: we write them.
    if kind in OVER_IPV4 and kind != IPV4:
        actions.append("move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[]")
    if kind not in (IPV4, IPV6) and kind in OVER_IPV4 + OVER_IPV6 and version != "OpenFlow10":
        actions.append("set_field:9->ip_dscp")
    if kind in OVER_IPV6:
        actions += ["set_field:fe80::9->ipv6_src", "set_field:::7/::f->ipv6_dst", "set_field:0x5->ipv6_label"]
    if kind in OVER_IPV4 + OVER_IPV6:
        actions += ["mod_nw_tos:8", "dec_ttl", "dec_ttl", "load:1->NXM_NX_IP_ECN[]", "load:9->NXM_NX_IP_TTL[]", "dec_ttl(1,2)",
                    "load:2->NXM_NX_IP_TTL[]", "move:NXM_NX_IP_TTL[]->NXM_NX_REG1[0..7]"]
        if version != "OpenFlow10":
            actions.append("set_field:3->nw_ttl")
    if kind == ND:
        actions += ["load:0x1->NXM_NX_ND_TARGET[0..7]", "move:NXM_OF_ETH_SRC[]->NXM_NX_ND_SLL[]", "set_field:fe80::9->nd_target"]
    if kind == MPLS:
        actions += ["dec_mpls_ttl", "pop_mpls:0x0800", "push_mpls:0x8847", "pop_mpls:0x8847"]
        if version != "OpenFlow10":
            actions += ["set_field:7->mpls_label", "set_field:3->mpls_tc"]
    if kind in OVER_IPV4 and version != "OpenFlow10":
        actions += ["push_mpls:0x8847,set_field:9->mpls_label"]
    if kind == SCTP and version != "OpenFlow10":
        actions += ["set_field:443->sctp_dst", "set_field:8->sctp_src"]
    if kind in WITH_PORTS and kind != SCTP:
        name = WITH_PORTS[kind].upper()
        actions += ["mod_tp_src:8", "mod_tp_dst:443", f"load:0x5->NXM_OF_{name}_SRC[0..3]", f"move:NXM_OF_{name}_SRC[]->NXM_OF_{name}_DST[]",
                    f"move:NXM_OF_{name}_DST[]->NXM_NX_REG0[0..15]"]
    if kind == ARP:
        actions += ["load:2->NXM_OF_ARP_OP[]", "load:0x0a000009->NXM_OF_ARP_SPA[]", "move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[]",
                    "move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[]"]
    if kind == ICMP and version != "OpenFlow10":
        actions += ["set_field:1->icmp_type", "set_field:2->icmp_code"]
    return actions


METADATA = ["load:0x5->NXM_NX_REG0[]", "load:1->NXM_NX_REG0[0..3]", "load:2->NXM_NX_REG9[]", "move:NXM_OF_IN_PORT[]->NXM_NX_REG0[0..15]",
            "load:0x3->NXM_NX_PKT_MARK[]", "load:0x1->NXM_NX_PKT_MARK[0..3]", "set_queue:3", "pop_queue", "push:NXM_NX_REG0[]",
            "pop:NXM_NX_REG9[]", "push:NXM_OF_ETH_SRC[0..31]", "pop:NXM_NX_REG0[]", "load:0x7->OXM_OF_METADATA[]", "load:0x2->NXM_OF_IN_PORT[]",
            "load:0x15->NXM_OF_IN_PORT[]", "note:01.02.03", "load:0x5->NXM_NX_TUN_ID[]"]


def going_on(table):
    """Actions that visit other tables."""
    actions = [f"resubmit(,{t})" for t in range(table + 1, N_TABLES)] + [f"resubmit(2,{t})" for t in range(table + 1, N_TABLES)]
    return actions or ["note:04"]


@st.composite
def apply_actions(draw, bridge, version, table, kind, has_tag, most=6):
    headers = pick(header_actions(kind, has_tag, version))
    action = st.one_of(outputs(bridge), outputs(bridge), headers, headers, headers, pick(METADATA),
                       pick(going_on(table)))
    chosen = [a for a in draw(st.lists(action, min_size=1, max_size=most)) if a != "drop_marker"]
    if version == "OpenFlow10":
        chosen = [a for a in chosen if not a.startswith("push_vlan")]
    else:
        chosen = [a for a in chosen if not a.startswith("enqueue")]
    if draw(pick([False] * 15 + [True])):
        chosen.append("exit")
    if chosen and draw(pick([False] * 9 + [True])):
        chosen = ["clone(" + ",".join(chosen) + ")", draw(outputs(bridge).filter(lambda a: a != "drop_marker" and not a.startswith("enqueue")))]
    return chosen


SET_ACTIONS = ["output:{port}", "set_field:00:00:00:00:00:07->eth_src", "pop_vlan", "push_vlan:0x8100", "set_queue:4", "group_marker"]


@st.composite
def instructions(draw, bridge, table, kind):
    """What OpenFlow 1.3 has after the actions: the action set, metadata, the next table."""
    rest = []
    if draw(pick([True] + [False] * 9)):
        rest.append("clear_actions")
    if draw(pick([True, False, False])):
        actions = [f"output:{draw(pick(sorted(PORTS[bridge].values())))}"] if draw(st.booleans()) else []
        actions += draw(st.lists(pick(["set_field:00:00:00:00:00:07->eth_src", "set_queue:4", "push_vlan:0x8100"]
                                      + (["dec_ttl", "set_field:9->nw_ttl"] if kind in OVER_IPV4 + OVER_IPV6 else [])), max_size=2, unique=True))
        if actions:
            rest.append("write_actions(" + ",".join(actions) + ")")
    if draw(pick([True, False, False])):
        rest.append(f"write_metadata:{draw(pick(['0x7', '0x1/0x3']))}")
    if table < N_TABLES - 1 and draw(st.booleans()):
        rest.append(f"goto_table:{draw(st.integers(table + 1, N_TABLES - 1))}")
    return rest


@st.composite
def rules(draw, bridge, version, table, kinds):
    kind, has_tag, match = draw(matches(bridge, kinds))
    actions = draw(apply_actions(bridge, version, table, kind, has_tag))
    if version != "OpenFlow10":
        actions += draw(instructions(bridge, table, kind))
    priority = draw(pick([0, 1, 10, 100, 1000]))
    return f"table={table},priority={priority}{',' + match if match else ''} actions={','.join(actions) or 'drop'}"


@st.composite
def pipelines(draw, bridge, version, kinds):
    """Rules of all tables. In the first two a rule for each kind takes what the others leave."""
    flows = []
    for table in range(N_TABLES):
        flows += draw(st.lists(rules(bridge, version, table, kinds), max_size=4))
        for kind in kinds if table < 2 else []:
            actions = draw(apply_actions(bridge, version, table, kind, False))
            flows.append(f"table={table},priority=2{',' * bool(NAMES[kind])}{NAMES[kind]} actions={','.join(actions) or 'drop'}")
    return flows


@st.composite
def packets(draw, bridge, kinds):
    kind = draw(pick([*kinds, *kinds, *kinds, *NAMES]))
    items = [NAMES[kind], f"in_port={draw(ports_of(bridge))}", f"dl_src={draw(mac)}", f"dl_dst={draw(mac)}"]
    items.append(draw(pick(["", "", "dl_vlan=10,dl_vlan_pcp=3", "dl_vlan=20", "dl_vlan=0,dl_vlan_pcp=5", "dl_vlan=7", "dl_vlan=30"])))
    items += some(draw, ("pkt_mark", pick([1, 3])), ("skb_priority", pick([3, 9])), most=1)
    if kind == ETHERNET:
        items.append(draw(pick(["", "dl_type=0x1234"])))
    if kind in OVER_IPV4:
        items += [f"nw_src={draw(pick(IPS))}", f"nw_dst={draw(pick(IPS))}"]
    elif kind in OVER_IPV6:
        items += [f"ipv6_src={draw(pick(IP6S))}", f"ipv6_dst={draw(pick(IP6S))}", f"ipv6_label={draw(pick([0, 1, 2]))}"]
    elif kind == ARP:
        items += [f"arp_op={draw(pick([1, 2, 3]))}", f"arp_spa={draw(pick(IPS))}", f"arp_tpa={draw(pick(IPS))}", f"arp_sha={draw(mac)}"]
    if kind in OVER_IPV4 + OVER_IPV6:
        items += [f"nw_ttl={draw(pick([0, 1, 2, 64]))}", f"nw_tos={draw(pick([0, 8]))}", f"nw_ecn={draw(pick([0, 1]))}"]
        items += draw(pick([[], [], [], ["nw_frag=first"], ["nw_frag=later"]]))
    if kind == ND and "nw_frag=later" in items:
        items.remove("nw_frag=later")
    if kind == ND:
        items += [f"nd_target={draw(pick(IP6S))}", f"nd_sll={draw(mac)}"]
    if kind == MPLS:
        items += [f"mpls_label={draw(pick([3, 5]))},mpls_tc={draw(pick([0, 2]))},mpls_ttl={draw(pick([1, 64]))},mpls_bos={draw(pick([0, 1, 1]))}"]
    if kind in (IPV4, IPV6):
        items.append(f"nw_proto={draw(pick([0, 6, 47]))}")
    if kind in WITH_PORTS and "nw_frag=later" not in items:
        name = WITH_PORTS[kind]
        items += [f"{name}_src={draw(pick(L4PORTS))}", f"{name}_dst={draw(pick(L4PORTS))}"]
    if kind in (TCP, TCP6) and "nw_frag=later" not in items:
        items.append(f"tcp_flags={draw(pick(['0x002', '0x012', '0x010']))}")
    if kind == ICMP and "nw_frag=later" not in items:
        items += [f"icmp_type={draw(pick([0, 8]))}", "icmp_code=0"]
    return ",".join(item for item in items if item)


class Case:
    """Pipelines, and packets to trace through them; some with side effects, so that addresses are learned."""

    def __init__(self, bridge, version, flows, traces):
        self.bridge, self.version, self.flows, self.traces = bridge, version, flows, traces

    def __repr__(self):
        lines = [f"{bridge}, {self.version}: {flow}" for bridge, flows in self.flows.items() for flow in flows]
        return "\n".join(lines + [f"trace {self.bridge} {packet}{' -generate' if generate else ''}" for packet, generate in self.traces])


@st.composite
def cases(draw, n_packets):
    bridge = draw(pick(["plain", "plain", "vlan", "left"]))
    version = draw(pick(["OpenFlow10", "OpenFlow13"]))
    kinds = draw(st.lists(pick(list(NAMES)), min_size=1, max_size=2, unique=True))
    flows = {bridge: draw(pipelines(bridge, version, kinds))}
    if bridge == "left":
        flows["right"] = draw(pipelines("right", version, kinds))
    traces = draw(st.lists(st.tuples(packets(bridge, kinds), pick([False, False, True])), min_size=n_packets, max_size=n_packets))
    return Case(bridge, version, flows, traces)


VLAN_SETTINGS = [{}, {}, {}, {"tag": 10}, {"tag": 20}, {"trunks": [10, 20]}, {"tag": 20, "vlan_mode": "native-untagged"},
                 {"tag": 10, "vlan_mode": "native-tagged"}, {"tag": 30, "vlan_mode": "dot1q-tunnel", "cvlans": [7, 10]},
                 {"other_config": {"priority-tags": "if-nonzero"}}, {"other_config": {"priority-tags": "always"}}]
BRIDGE_COLUMNS = {"fail_mode": "secure", "other_config": {}}
PORT_COLUMNS = {"tag": [], "trunks": [], "vlan_mode": [], "cvlans": [], "protected": False, "other_config": {}}


def column(value):
    """A value as OVSDB has it (RFC 7047, section 5.1)."""
    if isinstance(value, dict):
        return ["map", sorted(value.items())]
    return ["set", value] if isinstance(value, list) else value


class LabCase:
    """A case for the lab: what the database says of bridges and ports, the flows, and frames with the port that each comes in by.

    PARTS, each of which may be left out: ("setting", table, name, columns), ("flow", bridge, text), ("packet", number, text, variant)."""

    def __init__(self, bridge, version, parts):
        self.bridge, self.version, self.parts = bridge, version, parts
        bridges = [bridge, "right"] if bridge == "left" else [bridge]
        self.flows = {name: [flow for _, of, flow in self._of("flow") if of == name] for name in bridges}
        settings = {(table, name): columns for _, table, name, columns in self._of("setting")}
        self.rows = []
        for table, defaults, names in [("Bridge", BRIDGE_COLUMNS, bridges), ("Port", PORT_COLUMNS, [port for name in bridges for port in PORTS[name]])]:
            for name in names:
                columns = defaults | settings.get((table, name), {})
                self.rows.append((table, name, {key: column(value) for key, value in columns.items()}))
        self.frames = [(self._port(packet), frame(packet, b"packet %03d of the case" % number, **variant))
                       for _, number, packet, variant in self._of("packet")]

    def _of(self, kind):
        return [part for part in self.parts if part[0] == kind]

    def _port(self, packet):
        """The port that the packet comes in by; the first where the bridge has no such port."""
        number = parse(packet)["in_port"]
        ports = [name for name, value in PORTS[self.bridge].items() if name not in PATCHES and str(value) == number]
        return "LOCAL" if number == "LOCAL" else (ports or sorted(PORTS[self.bridge]))[0]

    def __repr__(self):
        lines = [f"{table} {name}: {columns}" for _, table, name, columns in self._of("setting")]
        lines += [f"{bridge}, {self.version}: {flow}" for _, bridge, flow in self._of("flow")]
        lines += [f"send {packet} {variant or ''} into {port}: {data.hex()}"
                  for (_, _, packet, variant), (port, data) in zip(self._of("packet"), self.frames)]
        return "\n".join(lines)

    def reduced(self, differs):
        """The case without what can be left out while DIFFERS, a function of cases, says yes: first half of the parts at once, in the end single ones."""
        smallest, size = self, len(self.parts) // 2
        while size:
            start = 0
            while start < len(smallest.parts):
                smaller = LabCase(self.bridge, self.version, smallest.parts[:start] + smallest.parts[start + size:])
                if differs(smaller):
                    smallest = smaller
                else:
                    start += size
            size //= 2
        return smallest


@st.composite
def lab_cases(draw, n_packets):
    case = draw(cases(n_packets))
    parts = []
    for bridge, flows in case.flows.items():
        columns = {"fail_mode": draw(pick(["secure", "secure", "standalone"])), "other_config": {"forward-bpdu": draw(pick(["false", "false", "true"]))}}
        parts.append(("setting", "Bridge", bridge, columns))
        for port in PORTS[bridge]:
            columns = draw(pick(VLAN_SETTINGS))
            if port in REFUSING:
                columns = columns | {"protected": draw(st.booleans())}
            if columns:
                parts.append(("setting", "Port", port, columns))
        parts += [("flow", bridge, flow) for flow in flows]
    whole = st.one_of(st.just({}), st.just({}), st.just({}), st.fixed_dictionaries({"inner_vlan": pick(VIDS)}))
    variant = st.one_of(whole, whole, whole, st.fixed_dictionaries({"cut": pick([4, 16, 19, 24, 36])}))
    # A stack of labels that is cut short before its bottom is dropped by the installed daemon, and forwarded by ours; of ARP that is cut short the installed daemon
    # writes what fields there are, ours writes none.
    parts += [("packet", number, packet, draw(whole if packet.startswith((NAMES[MPLS], NAMES[ARP])) else variant)) for number, (packet, _) in enumerate(case.traces)]
    return LabCase(case.bridge, case.version, parts)
