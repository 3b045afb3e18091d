# SPDX-License-Identifier: Apache-2.0
"""What a trace says, in a form in which two daemons can be compared.

Numbers of datapath ports become names, numbers of recirculations go. In which order a flood visits ports is nobody's promise: where a pipeline floods,
the actions are reduced to what leaves by each port, in which state: the multiset of (port, headers).
"""
import ipaddress
import re

FLOODS = re.compile(r"^\s*(NORMAL|FLOOD|ALL)\b", re.MULTILINE)
NAMES = {"eth.src": "dl_src", "eth.dst": "dl_dst", "ipv4.src": "nw_src", "ipv4.dst": "nw_dst", "ipv4.ttl": "nw_ttl", "ipv6.src": "ipv6_src",
         "ipv6.dst": "ipv6_dst", "ipv6.hlimit": "nw_ttl", "ipv6.label": "ipv6_label", "tcp.src": "tp_src", "tcp.dst": "tp_dst",
         "udp.src": "tp_src", "udp.dst": "tp_dst", "sctp.src": "tp_src", "sctp.dst": "tp_dst", "arp.sip": "arp_spa", "arp.tip": "arp_tpa",
         "arp.op": "arp_op", "arp.sha": "arp_sha", "arp.tha": "arp_tha", "icmp.type": "icmp_type", "icmp.code": "icmp_code"}


def split(text):
    """The actions of a list, nested ones whole."""
    depth, start, parts = 0, 0, []
    for i, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and not depth:
            parts.append(text[start:i])
            start = i + 1
    return parts + [text[start:]]


def number(text):
    """The value of a field as a number, whatever its form; text that is no number stays."""
    if re.fullmatch(r"(\w\w:){5}\w\w", text):
        return int(text.replace(":", ""), 16)
    if re.fullmatch(r"\d+\.\d+\.\d+\.\d+", text):
        return sum(int(part) << shift for part, shift in zip(text.split("."), (24, 16, 8, 0)))
    if text.count(":") > 1:
        return int(ipaddress.IPv6Address(text))
    try:
        return int(text, 0)
    except ValueError:
        return text


class State:
    """The headers of the packet on its way through a list of actions."""

    def __init__(self, flow):
        self.fields = {"skb_priority": 0, "skb_mark": 0}
        for name, value in re.findall(r"(\w+)=([^,\s]+)", flow):
            self.fields["skb_mark" if name == "pkt_mark" else name] = number(value)
        tos = self.fields.get("nw_tos", 0) | self.fields.get("nw_ecn", 0)
        self.fields["tos"] = tos
        self.tags = []
        if "dl_vlan" in self.fields:
            self.tags.append((0x8100, self.fields["dl_vlan"], self.fields["dl_vlan_pcp"]))
        self.mpls = []

    def copy(self):
        other = State("")
        other.fields, other.tags, other.mpls = dict(self.fields), list(self.tags), list(self.mpls)
        return other

    def frozen(self):
        return (tuple(sorted((k, str(v)) for k, v in self.fields.items())), tuple(self.tags), tuple(self.mpls))

    def set(self, name, text):
        value, _, mask = text.partition("/")
        value = number(value)
        if mask and isinstance(value, int) and isinstance(self.fields.get(name, 0), int):
            bits = number(mask)
            value = self.fields.get(name, 0) & ~bits | value & bits
        self.fields[name] = value

    def apply(self, action):
        """Does what the action does to the packet; True if it is one that does."""
        match = re.fullmatch(r"(\w+)(?:\((.*)\))?", action)
        name, body = match.groups() if match else (action, None)
        if name == "set":
            group, inner = re.fullmatch(r"(\w+)\((.*)\)", body).groups()
            for field, _, value in [item.partition("=") for item in split(inner)]:
                if value:
                    self.set(NAMES.get(f"{group}.{field}", "tos" if field in ("tos", "tclass") else f"{group}.{field}"), value)
                else:
                    self.set(group, field)
        elif name == "push_vlan":
            tag = dict(item.split("=") for item in split(body))
            self.tags.insert(0, (number(tag.get("tpid", "0x8100")), int(tag["vid"]), int(tag["pcp"])))
        elif name == "pop_vlan":
            self.tags[:1] = []
        elif name in ("push_mpls", "pop_mpls"):
            self.mpls.append(action)
        else:
            return False
        return True


def leaves(actions, state, trunc=""):
    """(what it does, state of the packet) for each action that sends a copy somewhere."""
    found = []
    for action in split(actions):
        if state.apply(action):
            continue
        nested = re.fullmatch(r"clone\((.*)\)", action)
        if nested:
            found += leaves(nested.group(1), state.copy())
        elif action.startswith("trunc("):
            trunc = action
        else:
            found.append((trunc + action, state.frozen()))
            trunc = ""
    return found


def with_port_names(actions, names):
    """The list with names of ports for their numbers."""
    parts = []
    for action in split(actions):
        nested = re.fullmatch(r"clone\((.*)\)", action)
        if nested:
            action = f"clone({with_port_names(nested.group(1), names)})"
        parts.append(names.get(action, action))
    return ",".join(parts)


class Result:
    """The lines of a trace that are compared."""

    def __init__(self, text, dp_ports):
        self.text = text
        # The installed daemon has 32 bits for the label's 20, and shows when not all are set.
        self.megaflow = self._line(text, "Megaflow: ").replace("/0xfffff,", ",")
        actions = self._line(text, "Datapath actions: ")
        actions = re.sub(r"recirc_id=\d+", "recirc_id=N", actions)
        actions = re.sub(r"recirc\(0x[0-9a-f]+\)", "recirc(N)", actions)
        self.actions = with_port_names(actions, dp_ports)
        if "set(mpls(" in actions:
            # An entry is written as a whole. The installed daemon looks only at the part that changes, and would write this packet's label into others; ours looks at all.
            self.megaflow = re.sub(r",mpls_(label|tc|ttl|bos)=[^,]*", "", self.megaflow)
        self.rest = [line for line in text.splitlines() if line.startswith(("Translation failed", "This flow is", "  - ", "error:"))]
        self.floods = bool(FLOODS.search(text))
        self.flow = self._line(text, "Flow: ")

    @staticmethod
    def _line(text, start):
        match = re.search(f"^{start}(.*)$", text, re.MULTILINE)
        return re.sub(r"recirc_id=0x[0-9a-f]+", "recirc_id=N", match.group(1)) if match else ""

    def comparable(self):
        actions = self.actions
        if self.floods:
            actions = sorted(leaves(actions, State(self.flow)))
        return self.megaflow, actions, self.rest
