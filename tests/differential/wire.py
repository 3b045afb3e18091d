# SPDX-License-Identifier: Apache-2.0
"""OpenFlow as bytes: a session with a bridge, for what ovs-ofctl would not send. Numbers: OpenFlow Switch Specification, Nicira's from lib/of/*.def."""
import socket
import struct

OF10, OF11, OF12, OF13, OF14, OF15 = range(1, 7)
NICIRA, ONF = 0x00002320, 0x4f4e4600
HELLO, ERROR, VENDOR, FLOW_MOD = 0, 1, 4, 14
NX_FLOW_MOD = 13
NO_BUFFER = 0xffffffff
# Errors of these types go on with who defined them, and theirs.
VENDOR_ERRORS = (0xb0c2, 0xffff)
BATCH = 64  # Requests sent before answers are read.


def message(version, kind, body=b"", xid=0, length=None):
    """A message; LENGTH if its header is to tell a lie."""
    return struct.pack("!BBHI", version, kind, 8 + len(body) if length is None else length, xid) + body


def nicira(version, subtype, body=b""):
    return message(version, VENDOR, struct.pack("!II", NICIRA, subtype) + body)


def multipart(version, kind, body=b"", flags=0):
    padding = b"" if version == OF10 else bytes(4)
    return message(version, 16 if version == OF10 else 18, struct.pack("!HH", kind, flags) + padding + body)


def pad8(data):
    return data + bytes(-len(data) % 8)


def tlv(header, value, mask=None, length=None):
    """A match TLV. HEADER: class, number and, where the class is one for experimenters, who."""
    oxm_class, number, experimenter = header
    payload = (struct.pack("!I", experimenter) if oxm_class == 0xffff else b"") + value + (mask or b"")
    return struct.pack("!HBB", oxm_class, number << 1 | (mask is not None), len(payload) if length is None else length) + payload


def flow_mod(version, match=b"", instructions=b"", command=0, table=0, priority=100, cookie=0):
    """NXT_FLOW_MOD with actions in 1.0, else FLOW_MOD with instructions."""
    if version == OF10:
        return nicira(version, NX_FLOW_MOD, struct.pack("!QHHHHIHHH6x", cookie, table << 8 | command, 0, 0, priority, NO_BUFFER, 0xffff, 0, len(match))
                      + pad8(match) + instructions)
    return message(version, FLOW_MOD, struct.pack("!QQBBHHHIIIHH", cookie, 0, table, command, 0, 0, priority, NO_BUFFER, 0xffffffff, 0xffffffff, 0, 0)
                   + pad8(struct.pack("!HH", 1, 4 + len(match)) + match) + instructions)


def instruction(kind, body=b"", length=None):
    return struct.pack("!HH", kind, 4 + len(body) if length is None else length) + body


def with_actions(version, actions, match=b"", **rest):
    """A flow_mod that carries out ACTIONS at once."""
    return flow_mod(version, match, actions if version == OF10 else instruction(4, bytes(4) + actions), **rest)


class Closed(Exception):
    """The switch ended the session."""


class Session:
    def __init__(self, where, version):
        """WHERE: the path of a socket, or one that is connected."""
        self.version = version
        if isinstance(where, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(where)
        else:
            self.socket = where
        self.socket.settimeout(30)
        self.received = b""
        self.next_xid = 1  # Never used twice: a switch that waits for the rest of a message may take the next of that number for it.
        bitmap = struct.pack("!HHI", 1, 8, 1 << version)
        self.socket.sendall(message(version, HELLO, bitmap))
        assert self.receive()[1] == HELLO

    def close(self):
        self.socket.close()

    def receive(self):
        """The next message: version, type, transaction id, body."""
        while len(self.received) < 4 or len(self.received) < struct.unpack("!H", self.received[2:4])[0]:
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionError:
                data = b""
            if not data:
                raise Closed
            self.received += data
        version, kind, length, xid = struct.unpack("!BBHI", self.received[:8])
        body, self.received = self.received[8:length], self.received[length:]
        return version, kind, xid, body

    def ask(self, requests):
        """Sends requests; for each, what was answered: a list of types, an error as ("error", type, code ...). At a closed session the list ends with "closed"."""
        answers = []
        while len(answers) < len(requests):
            batch = self._ask_batch(requests[len(answers):][:BATCH])
            answers += batch
            if batch[-1] == "closed":
                break
        return answers

    def _ask_batch(self, requests):
        answers = [[] for _ in requests]
        barrier = 18 if self.version == OF10 else 20
        first, end = self.next_xid, self.next_xid + len(requests)
        self.next_xid = end + 1
        data = b"".join(request[:4] + struct.pack("!I", first + i) + request[8:] for i, request in enumerate(requests))
        try:
            self.socket.sendall(data + message(self.version, barrier, xid=end))
            while True:
                _, kind, xid, body = self.receive()
                if xid == end and kind == barrier + 1:
                    return answers
                if first <= xid < end:
                    answers[xid - first].append(read_error(body) if kind == ERROR else kind)
        except (Closed, ConnectionError):
            return answers + ["closed"]


def read_error(body):
    kind, code = struct.unpack("!HH", body[:4])
    if kind not in VENDOR_ERRORS:
        return "error", kind, code
    return ("error", kind, code, *struct.unpack("!IHH" if kind == 0xb0c2 else "!I", body[4:12 if kind == 0xb0c2 else 8]))
