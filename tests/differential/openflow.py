# SPDX-License-Identifier: Apache-2.0
"""Just enough of OpenFlow to give switches what ovs-ofctl made of flows, without starting it once for each: in the lab that takes long.

recorded() lets ovs-ofctl talk to us in place of a switch and keeps what it sends; a Session plays that to a switch.
Numbers: OpenFlow Switch Specification 1.3.5, sections 7.1 to 7.3.
"""
import os
import socket
import struct
import subprocess
import tempfile
import threading

VERSIONS = {"OpenFlow10": 1, "OpenFlow13": 4}
HEADER = struct.Struct("!BBHI")
HELLO, ERROR, ECHO_REQUEST, ECHO_REPLY, FLOW_MOD = 0, 1, 2, 3, 14
# The number of a request: its reply's is one more.
BARRIER = {1: 18, 4: 20}
MULTIPART = {1: 16, 4: 18}
PORT_STATS, ANY = 4, 0xffffffff
PORT = struct.Struct("!I4x4Q")
PORT_LENGTH = 112
ALL_TABLES, DELETE = 0xff, 3


def message(version, kind, xid, body=b""):
    return HEADER.pack(version, kind, HEADER.size + len(body), xid) + body


class Stream:
    """Messages of a stream socket."""

    def __init__(self, sock):
        self.socket = sock
        self.received = b""

    def get(self):
        """The next message, or b"" at the end."""
        while True:
            if len(self.received) >= HEADER.size:
                length = HEADER.unpack_from(self.received)[2]
                if len(self.received) >= length:
                    whole, self.received = self.received[:length], self.received[length:]
                    return whole
            data = self.socket.recv(1 << 16)
            if not data:
                return b""
            self.received += data


def recorded(version, flows):
    """The messages that ovs-ofctl add-flows sends a switch of this OpenFlow version."""
    number, kept = VERSIONS[version], []

    def serve(listener):
        try:
            sock = listener.accept()[0]
        except OSError:
            return  # ovs-ofctl did not come.
        with sock:
            stream = Stream(sock)
            sock.sendall(message(number, HELLO, 0))
            while whole := stream.get():
                _, kind, _, xid = HEADER.unpack_from(whole)
                if kind == BARRIER[number]:
                    sock.sendall(message(number, kind + 1, xid))
                elif kind != HELLO:
                    kept.append(whole)

    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        path = os.path.join(folder, "switch")
        listener.bind(path)
        listener.listen()
        thread = threading.Thread(target=serve, args=[listener], daemon=True)
        thread.start()
        # Without names, it does not ask for those of tables and ports. If it does not take a flow, it says so and sends none.
        subprocess.run(["ovs-ofctl", "--timeout=30", "--no-names", "-O", version, "add-flows", "unix:" + path, "-"], input="\n".join(flows), text=True, check=False, stderr=subprocess.DEVNULL)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    return b"".join(kept)


class Session:
    """A connection to a bridge."""

    def __init__(self, path, version):
        self.version = VERSIONS[version]
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.stream = Stream(self.socket)
        self.socket.sendall(message(self.version, HELLO, 0))
        self.xid = 1 << 31 # Beyond what ovs-ofctl uses.

    def close(self):
        self.socket.close()

    def send(self, messages):
        """Sends, and waits until the switch has done it all. Its errors: (xid, type, code), and what else it said."""
        self.xid += 1
        self.socket.sendall(messages + message(self.version, BARRIER[self.version], self.xid))
        errors, others = [], []
        while whole := self.stream.get():
            _, kind, _, xid = HEADER.unpack_from(whole)
            if (kind, xid) == (BARRIER[self.version] + 1, self.xid):
                return errors, others
            if kind == ERROR:
                errors.append((xid, *struct.unpack_from("!HH", whole, HEADER.size)))
            elif kind == ECHO_REQUEST:
                self.socket.sendall(message(self.version, ECHO_REPLY, xid, whole[HEADER.size:]))
            else:
                others.append(whole)
        raise EOFError("the switch closed the connection")

    def delete_flows(self):
        body = struct.pack("!QQBBHHHIIIHH", 0, 0, ALL_TABLES, DELETE, 0, 0, 0, ANY, ANY, ANY, 0, 0) + struct.pack("!HH4x", 1, 4)
        errors, _ = self.send(message(self.version, FLOW_MOD, 1, body))
        assert not errors, errors

    def port_counters(self):
        """{number: (packets received, sent, bytes received, sent)}"""
        _, answers = self.send(message(self.version, MULTIPART[self.version], 1, struct.pack("!HH4xI4x", PORT_STATS, 0, ANY)))
        counters = {}
        for whole in answers:
            if HEADER.unpack_from(whole)[1] == MULTIPART[self.version] + 1:
                for offset in range(HEADER.size + 8, len(whole), PORT_LENGTH):
                    port, *numbers = PORT.unpack_from(whole, offset)
                    counters[port] = numbers
        return counters
