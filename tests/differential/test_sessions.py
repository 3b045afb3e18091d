# SPDX-License-Identifier: Apache-2.0
"""Sessions with controllers: roles, what is told without being asked, monitors, bundles, peers that do not read. The installed daemon and ours must say the same."""
import re
import socket
import struct
import time

import pytest
from wire import (ERROR, NICIRA, OF10, OF13, OF14, ONF, VENDOR, Session, flow_mod, instruction, message, multipart, nicira, read_error, tlv,
                  with_actions)
from world import Pair

SETUP = [["add-br", "br", "--", "set", "bridge", "br", "datapath_type=dummy", "fail_mode=secure",
          "protocols=OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15", "other_config:datapath-id=00000000000000aa"],
         *[["add-port", "br", f"p{i}", "--", "set", "interface", f"p{i}", "type=dummy", f"ofport_request={i}"] for i in (1, 2)]]
PACKET_IN, FLOW_REMOVED, PORT_STATUS, ROLE_REQUEST, GET_ASYNC, SET_ASYNC = 10, 11, 12, 24, 26, 28
BUNDLE_CONTROL, BUNDLE_ADD = 33, 34
NOCHANGE, EQUAL, MASTER, SLAVE = range(4)
PACKET = "in_port(1),eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x1234)"


NOBODY = "tcp:127.0.0.1:1"


@pytest.fixture(scope="module")
def pair():
    with Pair(SETUP) as both:
        for switch in both.switches:
            switch.vsctl("set-controller", "br", NOBODY)
            switch.controllers = [NOBODY]
        yield both


def accept(switch, version):
    """Has the switch connect to a controller more; the session with it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        switch.controllers.append(f"tcp:127.0.0.1:{server.getsockname()[1]}")
        switch.vsctl("set-controller", "br", *switch.controllers)
        return Session(server.accept()[0], version)


@pytest.fixture
def connect(pair):
    """Makes a session with each daemon, as a controller or as a management program; all are closed in the end, and there are no flows."""
    opened = []

    def make(version, service=False):
        sessions = [Session(switch.path("br.mgmt"), version) if service else accept(switch, version) for switch in pair.switches]
        opened.extend(sessions)
        return sessions
    yield make
    for session in opened:
        session.close()
    for switch in pair.switches:
        switch.controllers = [NOBODY]
        switch.vsctl("set-controller", "br", NOBODY)
    pair.ofctl("del-flows", "br")


def told(session):
    """All that has come until now: types and bodies, errors as wire.read_error() has them."""
    barrier = 18 if session.version == OF10 else 20
    session.socket.sendall(message(session.version, barrier, xid=0x7fffffff))
    messages = []
    while True:
        _, kind, xid, body = session.receive()
        if kind == barrier + 1 and xid == 0x7fffffff:
            return messages
        messages.append(read_error(body) if kind == ERROR else (kind, body))


def same(sessions, forget=lambda messages: messages):
    """What the two daemons have told is the same, and it is returned."""
    oracle, ours = (forget(told(session)) for session in sessions)
    assert oracle == ours
    return ours


def tell(sessions, *messages):
    for session in sessions:
        session.socket.sendall(b"".join(messages))


def role(version, wanted, generation=None):
    if version == OF10:
        return nicira(version, 10, struct.pack("!I", wanted))
    return message(version, ROLE_REQUEST, struct.pack("!I4xQ", wanted, generation or 0))


def wait_told(sessions, forget=lambda messages: messages, seconds=10):
    """As same(), once both have told something."""
    results = [[], []]
    deadline = time.monotonic() + seconds
    while not all(results) and time.monotonic() < deadline:
        for i, session in enumerate(sessions):
            results[i] += forget(told(session))
    assert results[0] == results[1] and results[0]
    return results[1]


@pytest.mark.parametrize("version", [OF13, OF14])
def test_roles_and_generations(connect, version):
    first, second = connect(version), connect(version)
    for wanted, generation, who in [(NOCHANGE, 5, first), (EQUAL, 7, first), (MASTER, 100, first), (NOCHANGE, 0, second), (MASTER, 99, second), (SLAVE, 99, second),
                                    (SLAVE, 100, second), (MASTER, 101, second), (NOCHANGE, 0, first), (MASTER, 100, first), (7, 102, first),
                                    (MASTER, 1 << 63 | 200, first), (MASTER, 0, second), (EQUAL, 0, first), (NOCHANGE, 0, second)]:
        tell(who, role(version, wanted, generation))
        same(who)
    same(first)  # From 1.4 on a master is told that it is one no more.


def test_roles_of_nicira(connect):
    first, second = connect(OF10), connect(OF10)
    for who, wanted in [(first, 1), (second, 1), (first, 0), (second, 2), (first, 2), (first, 3), (first, 1)]:
        tell(who, nicira(OF10, 10, struct.pack("!I", wanted)))
        same(who)


@pytest.mark.parametrize("version", [OF10, OF13])
def test_a_slave_changes_nothing(connect, pair, version):
    slave = connect(version)
    tell(slave, role(version, 2 if version == OF10 else SLAVE, 1 << 62))
    same(slave)
    tell(slave, flow_mod(version), message(version, 15 if version == OF10 else 16, bytes(24 if version == OF10 else 32)), multipart(version, 3),
         message(version, 13, bytes(8 if version == OF10 else 16)), message(version, 5), message(version, 7))
    assert any(entry[0] == "error" for entry in same(slave, lambda messages: [m if m[0] == "error" else m[0] for m in messages]))
    assert not any("actions" in text for text in pair.ofctl("dump-flows", "br"))


@pytest.mark.parametrize("version", [OF13, OF14])
def test_asynchronous_configuration(connect, version):
    sessions = connect(version)
    ask = message(version, GET_ASYNC)
    tell(sessions, ask)
    same(sessions)
    if version == OF13:
        tell(sessions, message(version, SET_ASYNC, struct.pack("!6I", 1, 2, 3, 4, 5, 6)), ask)
        same(sessions)
        tell(sessions, message(version, SET_ASYNC, struct.pack("!6I", *[0xffffffff] * 6)), ask)
    else:
        tell(sessions, message(version, SET_ASYNC, struct.pack("!HHI", 0, 8, 1) + struct.pack("!HHI", 5, 8, 2)), ask)
        same(sessions)
        tell(sessions, message(version, SET_ASYNC, struct.pack("!HHI", 77, 8, 1)), ask)
    same(sessions)


def receive(pair, packet=PACKET):
    for switch in pair.switches:
        switch.appctl("revalidator/purge")  # What an earlier test had the datapath do.
        switch.appctl("netdev-dummy/receive", "p1", packet)


OUTPUT = {OF10: struct.pack("!HHHH", 0, 8, 0xfffd, 0xffff), OF13: struct.pack("!HHIH6x", 0, 16, 0xfffffffd, 0xffff)}
OUTPUT[OF14] = OUTPUT[OF13]
CONTROLLER = struct.pack("!HHIHHHBx", 0xffff, 16, NICIRA, 20, 12, 0, 1)        # Reason action, 12 bytes.
CONTROLLER_OTHER = struct.pack("!HHIHHHBx", 0xffff, 16, NICIRA, 20, 64, 7, 1)  # For controller 7.
USERDATA = struct.pack("!HHIH6x", 0xffff, 24, NICIRA, 37) + struct.pack("!HH4s", 3, 8, b"abcd")
LOAD = struct.pack("!HHIHHIQ", 0xffff, 24, NICIRA, 7, 31, 0x00010004, 5)     # reg0 = 5.


@pytest.mark.parametrize("version", [OF10, OF13, OF14])
@pytest.mark.parametrize("form", [0, 1, 2])
@pytest.mark.parametrize("actions", ["output", "controller", "userdata", "registers"])
def test_packets(connect, pair, version, form, actions):
    """The three forms of a packet_in."""
    sessions = connect(version)
    wire = {"output": OUTPUT[version], "controller": CONTROLLER, "userdata": USERDATA, "registers": LOAD + OUTPUT[version]}[actions]
    tell(sessions, nicira(version, 16, struct.pack("!I", form)), with_actions(version, wire, cookie=0x1234))
    assert same(sessions) == []
    receive(pair)
    assert len(wait_told(sessions)) == 1


def test_packets_for_another_controller(connect, pair):
    first, second = connect(OF13), connect(OF13)
    tell(second, nicira(OF13, 20, struct.pack("!6xH", 7)))
    tell(first, with_actions(OF13, CONTROLLER_OTHER))
    same(first)
    same(second)
    receive(pair)
    assert len(wait_told(second)) == 1
    assert same(first) == []


@pytest.mark.parametrize("version", [OF10, OF13])
def test_packets_that_match_no_rule(connect, pair, version):
    """1.0 tells them; 1.3 has rules for them."""
    sessions = connect(version)
    same(sessions)
    receive(pair)
    time.sleep(1)
    assert len(same(sessions)) == (1 if version == OF10 else 0)


def test_a_service_connection_gets_nothing_unasked(connect, pair):
    sessions = connect(OF13, service=True)
    tell(sessions, with_actions(OF13, OUTPUT[OF13]))
    same(sessions)
    receive(pair)
    time.sleep(0.5)
    assert same(sessions) == []
    tell(sessions, message(OF13, 9, struct.pack("!HH", 0, 0xffff)))
    same(sessions)
    receive(pair)
    assert len(wait_told(sessions)) == 1


def without_duration(messages):
    """Of flow_removed: the duration differs. Offsets: 1.0.2 section 5.4.3, 1.3.5 section 7.4.2, 1.5.1 section 7.4.2, Nicira's as of 1.0."""
    return [(kind, body[:12 if kind == FLOW_REMOVED else 16], len(body)) if kind in (FLOW_REMOVED, VENDOR) else (kind, body) for kind, body in messages]


@pytest.mark.parametrize("version, nxm", [(OF10, False), (OF10, True), (OF13, False), (OF14, False)])  # Nicira's form is of 1.0 only.
@pytest.mark.parametrize("timeouts", [(0, 0), (1, 0), (0, 1)])
def test_flow_removed(connect, pair, version, timeouts, nxm):
    sessions = connect(version)
    idle, hard = timeouts
    if nxm:
        tell(sessions, nicira(version, 12, struct.pack("!I", 2)))
    pair.ofctl("-O", f"OpenFlow1{version - 1}", "add-flow", "br",
               f"send_flow_rem,cookie=0x99,priority=7,idle_timeout={idle},hard_timeout={hard},in_port=1,actions=output:2")
    pair.ofctl("add-flow", "br", "priority=3,idle_timeout=1,actions=drop")  # Nobody is told.
    receive(pair)
    same(sessions)
    if timeouts == (0, 0):
        pair.ofctl("del-flows", "br")
    messages = wait_told(sessions, without_duration)
    assert len(messages) == 1 and messages[0][0] == (VENDOR if nxm else FLOW_REMOVED)



@pytest.mark.parametrize("version", [OF10, OF13, OF14])
def test_port_status(connect, pair, version):
    """A port comes, changes (of which 1.3 and later cannot tell that it is left out of floods) and goes. Links that come up on the way are passed over."""
    sessions = connect(version)
    same(sessions)
    reasons = []
    for change in (lambda: [switch.vsctl("add-port", "br", "p9", "--", "set", "interface", "p9", "type=dummy", "ofport_request=9") for switch in pair.switches],
                   lambda: pair.ofctl("mod-port", "br", "p9", "no-flood"), lambda: pair.ofctl("mod-port", "br", "p9", "no-packet-in"),
                   lambda: [switch.vsctl("del-port", "p9") for switch in pair.switches]):
        change()
        time.sleep(0.3)
        reasons += same(sessions, lambda messages: [body[0] for kind, body in messages if kind == PORT_STATUS][:1 + bool(reasons)])
    assert reasons == ([0, 2, 2, 1] if version == OF10 else [0, 2, 1])


def watch(version, flags, number=1):
    """A flow monitor of everything: Nicira's of 1.0, the ONF's of 1.3, that of 1.4."""
    if version == OF10:
        return multipart(version, 0xffff, struct.pack("!II4xIHHHBx4x", NICIRA, 2, number, flags, 0xffff, 0, 0xff)[:-4] + bytes(4))
    body = struct.pack("!IIIHBBHH4x", number, 0xffffffff, 0xffffffff, flags, 0xff, 0, 1, 4)
    return multipart(version, 16, body)


def updates(messages):
    """What monitors say, one event after the other, however many came in a message. What one command did may be told in any order."""
    events = []
    for entry in messages:
        if entry[0] == "error" or entry[0] == VENDOR:
            events.append(repr(entry))
            continue
        rest = entry[1][16:]
        while rest:
            length = struct.unpack("!H", rest[:2])[0]
            # An abbreviation names the transaction, of which each session has its own.
            events.append(rest[:length if length > 8 else 4].hex())
            rest = rest[length:]
    return sorted(events)


FLOWS_TO_WATCH = ["priority=5,ip,actions=drop", "priority=6,tcp,idle_timeout=9,actions=output:1,output:2", "table=3,priority=7,in_port=2,cookie=5,actions=drop"]


@pytest.mark.parametrize("flags", [1 | 2 | 4 | 8 | 16, 2 | 4 | 8, 1 | 2 | 4 | 8 | 16 | 32, 16 | 2])
def test_monitors(connect, pair, flags):
    """Initial, added, modified, deleted, with and without actions, one's own changes."""
    sessions = connect(OF10)
    pair.ofctl("add-flow", "br", FLOWS_TO_WATCH[0])
    tell(sessions, watch(OF10, flags))
    same(sessions, updates)
    for command in (["add-flows", "br", "-"], ["mod-flows", "br", "tcp,actions=output:2"], ["--strict", "mod-flows", "br", "priority=5,ip,actions=2"],
                    ["del-flows", "br", "table=3"]):
        pair.ofctl(*command, stdin="\n".join(FLOWS_TO_WATCH[1:]))
        same(sessions, updates)
    tell(sessions, *[request[:4] + struct.pack("!I", 100 + i) + request[8:] for i, request in enumerate([flow_mod(OF10), flow_mod(OF10, command=3)])])
    same(sessions, updates)
    tell(sessions, watch(OF10, flags), nicira(OF10, 21, struct.pack("!I", 9)), nicira(OF10, 21, struct.pack("!I", 1)))
    same(sessions, updates)
    pair.ofctl("del-flows", "br")
    assert same(sessions, updates) == []


def bundle_control(version, bundle, kind, flags=0):
    body = struct.pack("!IHH", bundle, kind, flags)
    return message(version, BUNDLE_CONTROL, body) if version >= OF14 else message(version, VENDOR, struct.pack("!II", ONF, 2300) + body)


def bundle_add(version, bundle, inner, flags=0):
    body = struct.pack("!I2xH", bundle, flags) + inner
    return message(version, BUNDLE_ADD, body) if version >= OF14 else message(version, VENDOR, struct.pack("!II", ONF, 2301) + body)


OPEN, CLOSE, COMMIT, DISCARD = 0, 2, 4, 6


@pytest.mark.parametrize("version", [OF13, OF14])
def test_bundles(connect, pair, version):
    """What is right and wrong about the life of a bundle, and that a failed one changes nothing."""
    sessions = connect(version)

    def control(*arguments):
        return bundle_control(version, *arguments)

    def add(bundle, inner, flags=0):
        return bundle_add(version, bundle, inner, flags)

    good, bad = flow_mod(version, priority=7), flow_mod(version, instructions=instruction(4, bytes(4) + struct.pack("!HHI", 22, 8, 99)), priority=8888)
    overlapping = flow_mod(version, tlv((0x8000, 5, 0), b"\x08\0"), priority=7)
    overlapping = overlapping[:8 + 36] + struct.pack("!H", 2) + overlapping[8 + 38:]  # OFPFF_CHECK_OVERLAP.
    itself = good[:8 + 36] + struct.pack("!H", 2) + good[8 + 38:]
    for name, messages in {
            "commit": [control(1, OPEN), add(1, good), control(1, COMMIT)],
            "close and commit": [control(1, OPEN), add(1, flow_mod(version, priority=9)), control(1, CLOSE), control(1, COMMIT)],
            "discard": [control(1, OPEN), add(1, flow_mod(version, command=3)), control(1, DISCARD)],
            "open twice": [control(1, OPEN), control(1, OPEN)],
            "not opened": [control(2, CLOSE), control(2, COMMIT), control(2, DISCARD)],
            "add after close": [control(3, OPEN), control(3, CLOSE), add(3, good), control(3, DISCARD)],
            "close twice": [control(4, OPEN), control(4, CLOSE), control(4, CLOSE)],
            "add without open": [add(5, flow_mod(version, priority=10)), control(5, COMMIT)],
            "other flags": [control(6, OPEN, 1), add(6, good, 2), control(6, COMMIT, 1)],
            "not for bundles": [control(7, OPEN), add(7, message(version, 5)), control(7, DISCARD)],
            "another version": [control(8, OPEN), add(8, flow_mod(OF14 if version == OF13 else OF13)), control(8, DISCARD)],
            "unknown kind": [control(9, 1), control(9, OPEN), control(9, 3), control(9, DISCARD)],
            "empty": [control(10, OPEN), control(10, COMMIT)],
            "overlap": [control(11, OPEN), add(11, flow_mod(version, priority=20)), add(11, overlapping), control(11, COMMIT)],
            "no overlap": [control(11, OPEN), add(11, itself), control(11, COMMIT)],
            "all or nothing": [control(12, OPEN), add(12, flow_mod(version, priority=21)), add(12, overlapping), add(12, flow_mod(version, command=3)), control(12, COMMIT)],
            "many": [control(13, OPEN), *[add(13, flow_mod(version, table=i, priority=i)) for i in range(100)], control(13, COMMIT)]}.items():
        tell(sessions, *messages)
        oracle, ours = ([entry if entry[0] == "error" else (entry[0], entry[1]) for entry in told(session)] for session in sessions)
        assert oracle == ours, name
        oracle, ours = pair.ofctl("--no-stats", "dump-flows", "br")
        assert sorted(oracle.splitlines()) == sorted(ours.splitlines()), name
    tell(sessions, control(14, OPEN), add(14, bad), control(14, COMMIT))
    for session in sessions:
        assert ("error", 2, 9) in told(session)
    assert "priority=8888" not in "".join(pair.ofctl("dump-flows", "br"))


def resident(switch):
    with open(f"/proc/{switch.vswitchd.pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) * 1024


def counter(switch, name):
    return int(switch.appctl("coverage/read-counter", name))


@pytest.fixture
def ours(pair):
    yield pair.switches[1]
    pair.ofctl("del-flows", "br")


def many_flows(switch, n, actions="drop", first=0):
    flows = "\n".join(f"table=1,priority={i % 5000 + 1},reg0={i},actions={actions}" for i in range(first, first + n))
    switch.ofctl("add-flows", "br", "-", stdin=flows)


def test_who_asks_and_does_not_read(ours):
    """A peer that asks for dump after dump and reads none of them costs a bounded amount of memory; others are served meanwhile."""
    many_flows(ours, 20000)
    session = Session(ours.path("br.mgmt"), OF13)
    dump = multipart(OF13, 1, struct.pack("!BxxxII4xQQ", 0xff, 0xffffffff, 0xffffffff, 0, 0) + struct.pack("!HH4x", 1, 4))
    before = resident(ours)
    session.socket.settimeout(1)
    with pytest.raises(TimeoutError):  # Nobody takes the requests any more, once the answer to the first ones stands still.
        for _ in range(100000):
            session.socket.sendall(dump)
    assert "flow_count=20000" in ours.ofctl("dump-aggregate", "br", "table=1")
    assert resident(ours) - before < 16 << 20
    session.close()


def test_who_gets_packets_and_does_not_read(ours):
    session = accept(ours, OF13)
    ours.ofctl("add-flow", "br", "priority=9,actions=controller")
    before, dropped = resident(ours), counter(ours, "packet_in_overflow")
    for _ in range(300):
        ours.appctl("netdev-dummy/receive", "p1", *["ff" * 1400] * 60)
        if counter(ours, "packet_in_overflow") > dropped:
            break
    assert counter(ours, "packet_in_overflow") > dropped
    assert resident(ours) - before < 16 << 20
    session.close()


def test_who_sends_echoes_and_does_not_read(ours):
    session = Session(ours.path("br.mgmt"), OF13)
    before = resident(ours)
    session.socket.settimeout(1)
    with pytest.raises(TimeoutError):
        for _ in range(10000):
            session.socket.sendall(message(OF13, 2, bytes(60000)))
    assert resident(ours) - before < 16 << 20
    session.close()


def test_a_bundle_has_an_end(ours):
    """What a session's bundles hold is bounded."""
    session = Session(ours.path("br.mgmt"), OF14)
    note = struct.pack("!HHIH", 0xffff, 40000, NICIRA, 8) + bytes(40000 - 10)
    add = bundle_add(OF14, 1, with_actions(OF14, note))
    tell([session], bundle_control(OF14, 1, OPEN))
    before = resident(ours)
    answers = []
    for _ in range(200):
        tell([session], *[add] * 10)
        answers = told(session)
    assert ("error", 17, 10) in answers or any(entry[0] == "error" for entry in answers)
    assert resident(ours) - before < 100 << 20
    session.close()


def test_a_paused_monitor_catches_up(ours):
    """Who reads too slowly is told so, and afterwards what came and changed meanwhile; what went he hears of in between. In the end he knows what there is."""
    session = Session(ours.path("br.mgmt"), OF10)
    tell([session], watch(OF10, 1 | 2 | 4 | 8 | 16))
    many_flows(ours, 3000)
    known = {}
    pauses = follow(session, known)
    many_flows(ours, 20000, first=10000)                           # Not read: paused.
    ours.ofctl("del-flows", "br", "table=1,reg0=0x10/0xfffffff0")  # Some that the session has heard of, some that it has not.
    ours.ofctl("mod-flows", "br", "table=1,reg0=0/0xfffffc00,actions=output:1")
    ours.ofctl("del-flows", "br", "table=1,reg0=0x4000/0xfffff000")
    for _ in range(100):
        pauses += follow(session, known)
        if pauses.count(23) and pauses.count(22) == pauses.count(23):
            break
    assert pauses.count(22) == pauses.count(23) >= 1
    many_flows(ours, 10, first=90000)
    follow(session, known)
    text = ours.ofctl("--no-stats", "dump-flows", "br", "table=1")
    assert len(known) == text.count("actions=")
    changed = {match for match, actions in known.items() if actions}
    assert len(changed) == text.count("actions=output:1")
    session.close()


def follow(session, known):
    """Takes what a monitor tells into KNOWN, a match's bytes to its actions'. The pauses (22) and resumptions (23)."""
    pauses = []
    for kind, body in told(session):
        if kind == VENDOR:
            pauses.append(struct.unpack("!I", body[4:8])[0])
            continue
        rest = body[16:]
        while rest:
            length, event = struct.unpack("!HH", rest[:4])
            match_length = struct.unpack("!H", rest[12:14])[0] if event < 3 else 0
            match, actions = rest[24:24 + match_length], rest[24 + (match_length + 7) // 8 * 8:length]
            if event in (0, 2):
                known[rest[10:12] + match] = actions
            elif event == 1:
                known.pop(rest[10:12] + match, None)
            rest = rest[length:]
    return pauses
