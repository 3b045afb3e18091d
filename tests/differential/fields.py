# SPDX-License-Identifier: Apache-2.0
"""The match fields, read from the rows of lib/flow/field.def."""
import os
import re
import struct

from wire import tlv

TABLE = os.path.join(os.path.dirname(__file__), "..", "..", "lib", "flow", "field.def")
CLASSES = {"NXM_OF": 0, "NXM_NX": 1, "OXM_OF": 0x8000, "PKT_REG": 0x8001, "ONFOXM_ET": 0xffff, "ERICOXM_OF": 0x1000}
ONF = 0x4f4e4600
ETH_TYPE, IP_PROTO, VLAN_VID = (0x8000, 5, 0), (0x8000, 10, 0), (0x8000, 6, 0)
NXM_ETH_TYPE, NXM_IP_PROTO, NXM_VLAN_TCI, NXM_CT_STATE = (0, 3, 0), (0, 6, 0), (0, 4, 0), (1, 105, 0)
ICMPV6_TYPE = (1, 21, 0)


def ip(ethertype, proto=None):
    return tlv(NXM_ETH_TYPE, struct.pack("!H", ethertype)) + (tlv(NXM_IP_PROTO, bytes([proto])) if proto is not None else b"")


def nd(kind):
    return ip(0x86dd, 58) + tlv(ICMPV6_TYPE, bytes([kind]))


# What a match must have before it may have the field, by the column PREREQ.
PREREQUISITES = {
    "NONE": [b""], "ETHERNET": [b""], "ARP": [ip(0x806), ip(0x8035)], "VLAN_VID": [tlv(NXM_VLAN_TCI, b"\x10\x05")], "IPV4": [ip(0x800)],
    "IPV6": [ip(0x86dd)], "IP_ANY": [ip(0x800), ip(0x86dd)], "MPLS": [ip(0x8847), ip(0x8848)],
    "CT_VALID": [ip(ethertype) + tlv(NXM_CT_STATE, struct.pack("!I", 0x22), struct.pack("!I", 0x22)) for ethertype in (0x800, 0x86dd, 0x806)] + [ip(0x800, 6)],
    "TCP": [ip(0x800, 6), ip(0x86dd, 6), ip(0x800, 17)], "UDP": [ip(0x800, 17), ip(0x86dd, 6)], "SCTP": [ip(0x800, 132), ip(0x86dd, 132)],
    "ICMPV4": [ip(0x800, 1), ip(0x86dd, 1)], "ICMPV6": [ip(0x86dd, 58), ip(0x800, 58)],
    "ND": [nd(135), nd(136), nd(134)], "ND_SOLICIT": [nd(135), nd(136)], "ND_ADVERT": [nd(136), nd(135)],
}


class Field:
    """One way to say one field: its name, header (class, number, experimenter), bytes, significant bits, prerequisite."""

    def __init__(self, name, header, n_bytes, n_bits, prerequisite):
        self.name, self.header, self.n_bytes, self.n_bits, self.prerequisite = name, header, n_bytes, n_bits, prerequisite

    def value(self, number):
        return (number & (1 << 8 * self.n_bytes) - 1).to_bytes(self.n_bytes, "big")


def fields():
    with open(TABLE) as file:
        rows = re.findall(r'^FIELD\((\w+), "\w+", [^,]+, \w+, [^,]+, \d+, (\d+), (\d+), \w+, \w+, (\w+), \w+, (.*)\)$', file.read(), re.MULTILINE)
    for name, n_bytes, n_bits, prerequisite, headers in rows:
        for kind, arguments in re.findall(r"(\w+)\(([^)]*)\)", headers):
            words = arguments.split(", ")
            number = int(words[0 if kind == "PKT_REG" else 1])
            experimenter = ONF if kind == "ONFOXM_ET" else 0
            yield Field(f"{kind} {name}", (CLASSES[kind], number, experimenter), int(n_bytes), int(n_bits), prerequisite)
