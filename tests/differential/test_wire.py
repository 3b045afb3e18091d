# SPDX-License-Identifier: Apache-2.0
"""What the installed daemon and ours answer to the same bytes: each way to say each match field, each action and instruction, right and wrong, of several lengths;
messages of every type. Errors must have the same type and code, and what was taken must be dumped alike."""
import socket
import struct

import pytest
from fields import NXM_VLAN_TCI, PREREQUISITES, fields, ip
from wire import NICIRA, OF10, OF13, OF15, ONF, VENDOR, Closed, Session, flow_mod, instruction, message, multipart, nicira, pad8, tlv, with_actions
from world import Pair

SETUP = [["add-br", "br", "--", "set", "bridge", "br", "datapath_type=dummy", "fail_mode=secure",
          "protocols=OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15"],
         *[["add-port", "br", f"p{i}", "--", "set", "interface", f"p{i}", "type=dummy", f"ofport_request={i}"] for i in range(1, 4)]]


@pytest.fixture(scope="module")
def pair():
    with Pair(SETUP) as both:
        yield both


def compare(pair, version, cases, same=()):
    """CASES are names and messages. SAME: beginnings of names whose answers may differ, each for a reason that is told where it is named."""
    answers = []
    for switch in pair.switches:
        session = Session(switch.path("br.mgmt"), version)
        answers.append(session.ask([request for _, request in cases]))
        session.close()
    assert len(answers[0]) == len(cases) and len(answers[1]) == len(cases), "a session was closed"
    wrong = [f"{name}: installed {oracle}, ours {ours}" for (name, _), oracle, ours in zip(cases, *answers)
             if oracle != ours and not name.startswith(tuple(same))]
    assert not wrong, f"{len(wrong)} of {len(cases)} differ:\n" + "\n".join(wrong[:40])


def compare_flows(pair):
    """Both tell the same flows, in NXM, which can say all of them. Afterwards there are none. The installed daemon keeps apart masks that differ in bits that mean
    nothing, so that a line may stand there twice, and does not tell ct_nw_proto=0."""
    oracle, ours = (set(text.replace("ct_nw_proto=0,", "").splitlines()) for text in pair.ofctl("-O", "OpenFlow10", "--no-stats", "dump-flows", "br"))
    assert not oracle ^ ours
    pair.ofctl("del-flows", "br")


def match_cases(version):
    for field in fields():
        ones = (1 << field.n_bits) - 1

        def one(value, mask=None, header=field.header, entry=field, **rest):
            return tlv(header, entry.value(value), None if mask is None else entry.value(mask), **rest)

        for before in dict.fromkeys([*PREREQUISITES[field.prerequisite], b""]):
            short = tlv(field.header, field.value(1)[1:])
            for name, match in {
                    "1": one(1), "ones": one(ones), "one bit more": one(ones + 1), "all bits": one(-1), "0": one(0),
                    "mask of bytes": one(1, -1), "mask of bits": one(1, ones), "one bit": one(1, 1), "all but one": one(ones & ~1, ones & ~1),
                    "mask of 0": one(0, 0), "value outside mask": one(3, 1), "mask above": one(ones + 1, ones + 1), "all": one(-1, -1),
                    "twice": one(1) + one(1), "twice, masked": one(0, 1) + one(1), "short": short, "long": tlv(field.header, b"\0" + field.value(1)),
                    "cut": one(1, length=field.n_bytes + 9), "half a mask": tlv(field.header, field.value(1), field.value(1)[1:])}.items():
                yield f"{field.name} {name} after {before.hex() or 'nothing'}", flow_mod(version, before + match)
            yield f"{field.name} before its prerequisite {before.hex()}", flow_mod(version, one(1) + before)
    for oxm_class in (2, 3, 0x7fff, 0x8000, 0x8002, 0xfffe, 0xffff):
        for number in (100, 127):
            yield f"unknown {oxm_class:x}:{number}", flow_mod(version, tlv((oxm_class, number, ONF), b"\0\0\0\1"))


@pytest.mark.parametrize("version", range(OF10, OF15 + 1))
def test_match_fields(pair, version):
    # A packet's type is taken by itself only: what Ethernet bridges make of other types is not told in the same way.
    compare(pair, version, [case for case in match_cases(version) if "PACKET_TYPE" not in case[0]])
    compare_flows(pair)


def action(kind, body=b"", length=None):
    return struct.pack("!HH", kind, 4 + len(body) if length is None else length) + body


def extension(subtype, body=b"", vendor=NICIRA):
    return action(0xffff, pad8(bytes(4) + struct.pack("!IH", vendor, subtype) + body)[4:])


MATCHES = {"": b"", "ip": ip(0x800, 6), "vlan": tlv(NXM_VLAN_TCI, b"\x10\x05")}


def form_cases(version):
    """Every type, in lengths that are right for some and wrong for others, of zeros."""
    for match_name, match in MATCHES.items():
        for n in (0, 4, 8, 12, 20, 28):
            for kind in [*range(34), 100, 0xfffe]:
                yield f"type {kind} of {4 + n} bytes, {match_name}", with_actions(version, action(kind, bytes(n)), match)
        for n in (0, 6, 14, 22, 30, 38, 62):
            for subtype in range(50):
                yield f"subtype {subtype} of {10 + n} bytes, {match_name}", with_actions(version, extension(subtype, bytes(n)), match)
    for length in (0, 1, 3, 4, 7, 9, 16, 64):
        yield f"length {length}", with_actions(version, action(0, b"\0\0\0\1" + bytes(8), length))
    yield "unknown vendor", with_actions(version, extension(1, bytes(6), 0x1234))


def port_cases(version):
    for port in (0, 1, 2, 0xfeff, 0xff00, 0xff01, *range(0xfff7, 0x10000)):
        wide = port if port < 0xff00 else 0xffff0000 | port
        output = struct.pack("!HH", port, 64) if version == OF10 else struct.pack("!IH6x", wide, 64)
        yield f"output to {port:x}", with_actions(version, action(0, output))
        yield f"resubmit to {port:x}", with_actions(version, extension(1, struct.pack("!HBB2x", port, 0, 0)))
        yield f"enqueue to {port:x}", with_actions(version, action(11, struct.pack("!H6xI", port, 1)))


REG0 = b"\0\1\0\4"


def write_cases(version):
    """Every field as what is written, read, pushed and popped, whole and in part, with and without what it needs."""
    for field in fields():
        header = tlv(field.header, b"", length=field.n_bytes)
        for before in dict.fromkeys([*PREREQUISITES[field.prerequisite], b""]):
            def case(name, actions, before=before, field=field):
                return f"{name} {field.name} after {before.hex() or 'nothing'}", with_actions(version, actions, before)

            for name, entry in {"1": tlv(field.header, field.value(1)), "masked": tlv(field.header, field.value(1), field.value(1)),
                                "mask of 0": tlv(field.header, field.value(0), field.value(0)),
                                "value outside mask of": tlv(field.header, field.value(3), field.value(1)),
                                "too short": tlv(field.header, field.value(1)[1:]), "too long": tlv(field.header, field.value(1) + b"\0")}.items():
                yield case(f"set_field {name}", action(25, pad8(bytes(4) + entry)[4:]))
                yield case(f"load {name}", extension(33, entry))
            if field.header[0] == 0xffff:
                continue
            for first in (0, 1):
                for n in sorted({1, field.n_bits, field.n_bits + 1}):
                    bits = f"{n} bits from {first} of"
                    if n <= 64:
                        yield case(f"load {bits}", extension(7, struct.pack("!H", first << 6 | n - 1) + header + struct.pack("!Q", 1)))
                    yield case(f"move from {bits}", extension(6, struct.pack("!HHH", n, first, 0) + header + REG0))
                    yield case(f"move to {bits}", extension(6, struct.pack("!HHH", n, 0, first) + REG0 + header))
                    yield case(f"push {bits}", extension(27, struct.pack("!H", first) + header + struct.pack("!H6x", n)))
                    yield case(f"pop {bits}", extension(28, struct.pack("!H", first) + header + struct.pack("!H6x", n)))


# Where we stand by the specification, or do not have the action.
OTHERWISE = {
    OF10: ["load 1 NXM_OF NW_TOS", "load masked NXM_OF NW_TOS",  # Values that the field cannot have.
           *[f"subtype {n} " for n in (22, 29, 38, 41)],         # sample: refused. A write_metadata without room for its mask.
           "subtype 46 ", "subtype 47 ",                         # encap, decap: unknown here.
           *[f"subtype {n} " for n in (6, 10, 12, 13, 15, 33, 36, 45)]],  # Which of several errors of a body of zeros is told first.
}
OTHERWISE[OF13] = [*OTHERWISE[OF10], "subtype 48 ",              # dec_nsh_ttl: unknown here.
                   *[f"type {n} " for n in (*range(1, 12), 13, 14)],  # Types of 1.1, which 1.3 does not have.
                   "resubmit to ", "enqueue to "]


@pytest.mark.parametrize("version", [OF10, OF13])
@pytest.mark.parametrize("cases", [form_cases, port_cases, write_cases])
def test_actions(pair, version, cases):
    compare(pair, version, list(cases(version)), OTHERWISE[version])
    pair.ofctl("del-flows", "br")


def instruction_cases(version):
    for kind in [*range(8), 0xffff]:
        for n in (0, 4, 8, 12, 20, 28):
            yield f"instruction {kind} of {4 + n} bytes", flow_mod(version, instructions=instruction(kind, bytes(n)))
    each = {"goto": instruction(1, b"\3\0\0\0"), "apply": instruction(4, bytes(4)), "write": instruction(3, bytes(4)), "clear": instruction(5, bytes(4)),
            "metadata": instruction(2, bytes(4) + b"\1" * 16), "meter": instruction(6, b"\0\0\0\1")}
    for first, one in each.items():
        for second, two in each.items():
            yield f"{first}, {second}", flow_mod(version, instructions=one + two)
    for table in (0, 1, 2, 3, 5, 253, 254):
        yield f"goto {table} from 2", flow_mod(version, instructions=instruction(1, bytes([table, 0, 0, 0])), table=2)
    for kind in range(30):
        for n in (4, 12):
            yield f"write action {kind} of {4 + n} bytes", flow_mod(version, MATCHES["ip"], instruction(3, bytes(4) + action(kind, bytes(n))))


def test_instructions(pair):
    compare(pair, OF13, list(instruction_cases(OF13)), [f"write action {n} " for n in (*range(1, 12), 13, 14)])  # As in OTHERWISE.
    pair.ofctl("del-flows", "br")


@pytest.mark.parametrize("version", [OF10, OF13])
def test_flow_mods(pair, version):
    cases = [(f"table {table}, command {command}", flow_mod(version, table=table, command=command))
             for table in (0, 1, 252, 253, 254, 255) for command in range(8)]
    compare(pair, version, cases, ["table 254, command 4"])  # Ours refuses to delete there, whether there is a rule or not.
    pair.ofctl("del-flows", "br")


# What only a switch sends, an error, and what we have none of or say in another way: groups, meters, mapping of tunnel options, IPFIX. Bundles have tests of their own.
NOT_COMPARED = {
    OF10: ["type 1 ", "type 6 ", "type 10 ", "type 11 ", "type 12 ", "type 21 ", *[f"extension {n} " for n in (24, 27, 28, 30, 31, 32)],
           *[f"statistics extension {n} " for n in (2, 3, 4)]],
    OF13: ["extension 27 ", "ONF's 23", "type 1 ", "type 6 ", "type 10 ", "type 11 ", "type 12 ", "type 15 ", "type 23 ", "type 27 ", "type 29 ",
           *[f"extension {n} " for n in (24, 28, 30, 31, 32)], *[f"statistics extension {n} " for n in (3, 4)],
           "statistics 9 ", "statistics 10 ", "statistics 11 ", "statistics 12 "],
}


def message_cases(version):
    """Every type and subtype, of several lengths, zeros."""
    for n in (0, 1, 4, 8, 12, 16, 24, 32, 40, 56, 64, 72, 1048):
        for kind in [*range(40), 99, 255]:
            # A match of OpenFlow 1.0 and 1.1 or of no length has several errors at once in later versions.
            if version == OF10 or kind != 14 or n < 48:
                yield f"type {kind} of {8 + n} bytes", message(version, kind, bytes(n))
    for n in (0, 4, 8, 16, 24):
        for kind in [*range(21), 99]:
            yield f"statistics {kind} of {n} bytes", multipart(version, kind, bytes(n))
        for subtype in range(36):
            yield f"extension {subtype} of {n} bytes", nicira(version, subtype, bytes(n))
        for subtype in range(12):
            padding = bytes(4) if version == OF10 else b""
            yield f"statistics extension {subtype} of {n} bytes", multipart(version, 0xffff, struct.pack("!II", NICIRA, subtype) + padding + bytes(n))
        for subtype in (0, 1870, 1871, 2300, 2301):
            yield f"ONF's {subtype} of {n} bytes", message(version, VENDOR, struct.pack("!II", ONF, subtype) + bytes(n))
    yield "unknown vendor", message(version, VENDOR, struct.pack("!II", 0x1234, 1) + bytes(8))
    yield "half a vendor", message(version, VENDOR, bytes(4))
    yield "statistics of an unknown vendor", multipart(version, 0xffff, struct.pack("!II", 0x1234, 1) + bytes(8))


@pytest.mark.parametrize("version", [OF10, OF13])
def test_messages(pair, version):
    compare(pair, version, list(message_cases(version)), NOT_COMPARED[version])
    pair.ofctl("del-flows", "br")


@pytest.mark.parametrize("length", range(8))
def test_no_message_is_that_short(pair, length):
    for switch in pair.switches:
        session = Session(switch.path("br.mgmt"), OF13)
        session.socket.sendall(message(OF13, 2, length=length))
        with pytest.raises(Closed):
            session.receive()
        session.close()
        assert switch.ofctl("show", "br")


def bitmap(*versions):
    return struct.pack("!HHI", 1, 8, sum(1 << version for version in versions))


@pytest.mark.parametrize("first", [
    message(OF10, 0), message(OF13, 0), message(6, 0), message(9, 0), message(OF13, 0, bitmap(OF10)), message(6, 0, bitmap(OF10, OF13)),
    message(OF10, 0, bitmap(OF13)), message(OF13, 0, struct.pack("!HH", 1, 4)), message(OF13, 0, struct.pack("!HHI", 1, 7, 16)),
    message(OF13, 0, struct.pack("!HHI", 7, 8, 1)), message(OF13, 5), message(OF13, 1, bytes(4)), message(OF13, 2), message(OF13, 0, length=4),
    message(OF13, 0, bytes(100))])
def test_hellos(pair, first):
    """What is answered to a first message, by a bridge that speaks 1.3 only, and whether the session goes on."""
    results = []
    for switch in pair.switches:
        switch.vsctl("--may-exist", "add-br", "br13", "--", "set", "bridge", "br13", "datapath_type=dummy", "protocols=OpenFlow13")
        results.append(greet(switch.path("br13.mgmt"), first + message(OF13, 2)))
    assert results[0] == results[1]


def greet(path, data):
    """Types, versions and errors of the answers; whether there is an end."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(0.5)
        peer.connect(path)
        peer.sendall(data)
        received, ended = b"", False
        try:
            while not ended:
                more = peer.recv(1 << 16)
                received += more
                ended = not more
        except ConnectionError:
            ended = True
        except TimeoutError:
            pass
    answers = []
    while received:
        version, kind, length = struct.unpack("!BBH", received[:4])
        answers.append((version, kind, received[8:12] if kind == 1 else b""))
        received = received[length:]
    return answers, ended
