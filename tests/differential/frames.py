# SPDX-License-Identifier: Apache-2.0
"""The bytes of a packet described as ovs-ofctl describes flows: what ofproto/trace takes as text becomes a frame for a socket.

Byte layouts are those of IEEE 802.3 and 802.1Q, RFC 791, 8200, 9293, 768, 9260, 792, 4443, 4861, 826 and 3032.
"""
import ipaddress
import re
import struct

ETH_P_8021Q, ETH_P_ARP, ETH_P_IP, ETH_P_IPV6, ETH_P_MPLS = 0x8100, 0x0806, 0x0800, 0x86dd, 0x8847
ICMP, TCP, UDP, ICMPV6, SCTP, FRAGMENT = 1, 6, 17, 58, 132, 44
PROTOCOLS = {"tcp": (ETH_P_IP, TCP), "udp": (ETH_P_IP, UDP), "sctp": (ETH_P_IP, SCTP), "icmp": (ETH_P_IP, ICMP), "ip": (ETH_P_IP, None),
             "tcp6": (ETH_P_IPV6, TCP), "udp6": (ETH_P_IPV6, UDP), "icmp6": (ETH_P_IPV6, ICMPV6), "ipv6": (ETH_P_IPV6, None),
             "arp": (ETH_P_ARP, None), "mpls": (ETH_P_MPLS, None)}
MORE_FRAGMENTS, SECOND_FRAGMENT = 0x2000, 185
MINIMUM = 60


def parse(text):
    """The fields of a packet: {"tcp": "", "nw_ttl": "64", ...}."""
    return {name: value for name, _, value in (item.partition("=") for item in text.split(","))}


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def put_checksum(data, offset, pseudo=b""):
    """DATA with the Internet checksum of it and of the pseudo-header at OFFSET."""
    return data[:offset] + struct.pack("!H", checksum(pseudo + data) or 0xffff) + data[offset + 2:]


def transport(fields, protocol, pseudo, payload):
    """What follows the IP header. PSEUDO: the addresses, as they stand in the pseudo-header."""
    def port(end):
        return next((int(fields[name]) for name in fields if re.fullmatch(f"(tcp|udp|sctp)_{end}", name)), 0)

    full = pseudo + struct.pack("!IHH", 0, 0, protocol)
    if protocol == TCP:
        segment = struct.pack("!HHIIHHHH", port("src"), port("dst"), 1, 2, 5 << 12 | int(fields.get("tcp_flags", "0"), 0), 3, 0, 0) + payload
        return put_checksum(segment, 16, full + struct.pack("!I", len(segment)))
    if protocol == UDP:
        datagram = struct.pack("!HHHH", port("src"), port("dst"), 8 + len(payload), 0) + payload
        return put_checksum(datagram, 6, full + struct.pack("!I", len(datagram)))
    if protocol == SCTP:
        return struct.pack("!HHII", port("src"), port("dst"), 1, 0) + payload
    if protocol == ICMP:
        kind, code = (int(fields.get(name, 0)) for name in ("icmp_type", "icmp_code"))
        return put_checksum(struct.pack("!BBHI", kind, code, 0, 5) + payload, 2)
    if protocol == ICMPV6:
        kind, code = (int(fields.get(name, 128)) for name in ("icmpv6_type", "icmpv6_code"))
        message = struct.pack("!BBHI", kind, code & 0x7f, 0, 0)
        if "nd_target" in fields:
            message += ipaddress.ip_address(fields["nd_target"]).packed + b"\x01\x01" + mac(fields["nd_sll"])
        else:
            message += payload
        return put_checksum(message, 2, full + struct.pack("!I", len(message)))
    return payload


def ipv4(fields, protocol, payload):
    source, target = (ipaddress.ip_address(fields[name]).packed for name in ("nw_src", "nw_dst"))
    fragment = {"first": MORE_FRAGMENTS, "later": SECOND_FRAGMENT}.get(fields.get("nw_frag"), 0)
    if fields.get("nw_frag") != "later":
        payload = transport(fields, protocol, source + target, payload)
    tos = int(fields["nw_tos"]) | int(fields["nw_ecn"])
    header = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(payload), 7, fragment, int(fields["nw_ttl"]), protocol, 0) + source + target
    return put_checksum(header, 10) + payload


def ipv6(fields, protocol, payload):
    source, target = (ipaddress.ip_address(fields[name]).packed for name in ("ipv6_src", "ipv6_dst"))
    fragment = {"first": 1, "later": SECOND_FRAGMENT << 3}.get(fields.get("nw_frag"))
    if fields.get("nw_frag") != "later":
        payload = transport(fields, protocol, source + target, payload)
    if fragment is not None:
        payload = struct.pack("!BBHI", protocol, 0, fragment, 7) + payload
        protocol = FRAGMENT
    first = 6 << 28 | (int(fields["nw_tos"]) | int(fields["nw_ecn"])) << 20 | int(fields["ipv6_label"])
    return struct.pack("!IHBB", first, len(payload), protocol, int(fields["nw_ttl"])) + source + target + payload


def arp(fields):
    spa, tpa = (ipaddress.ip_address(fields[name]).packed for name in ("arp_spa", "arp_tpa"))
    return struct.pack("!HHBBH", 1, ETH_P_IP, 6, 4, int(fields["arp_op"])) + mac(fields["arp_sha"]) + spa + bytes(6) + tpa


def mpls(fields, payload):
    label, tc, bos, ttl = (int(fields[f"mpls_{name}"]) for name in ("label", "tc", "bos", "ttl"))
    entries = struct.pack("!I", label << 12 | tc << 9 | bos << 8 | ttl)
    return entries + (b"" if bos else struct.pack("!I", 11 << 12 | 1 << 8 | 9)) + payload


def network(fields, payload):
    """(Ethertype, what follows it)"""
    name = next((name for name in PROTOCOLS if name in fields), None)
    if name is None:
        return int(fields.get("dl_type", "0x88b5"), 0), payload
    ethertype, protocol = PROTOCOLS[name]
    if protocol is None:
        protocol = int(fields.get("nw_proto", 253))
    if ethertype == ETH_P_IP:
        return ethertype, ipv4(fields, protocol, payload)
    if ethertype == ETH_P_IPV6:
        return ethertype, ipv6(fields, protocol, payload)
    return ethertype, arp(fields) if ethertype == ETH_P_ARP else mpls(fields, payload)


def frame(text, mark, inner_vlan=None, cut=None):
    """The frame of the packet TEXT. MARK: bytes to know it by, part of its payload. INNER_VLAN: a second tag within; CUT: bytes that are left behind the Ethertype."""
    fields = parse(text)
    ethertype, rest = network(fields, mark)
    rest = rest[:cut]
    tags = b""
    if "dl_vlan" in fields:
        tags = struct.pack("!HH", ETH_P_8021Q, int(fields.get("dl_vlan_pcp", 0)) << 13 | int(fields["dl_vlan"]))
    if inner_vlan is not None:
        tags += struct.pack("!HH", ETH_P_8021Q, inner_vlan)
    whole = mac(fields["dl_dst"]) + mac(fields["dl_src"]) + tags + struct.pack("!H", ethertype) + rest
    return whole + bytes(max(0, MINIMUM - len(whole)) if cut is None else 0)
