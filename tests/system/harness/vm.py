# SPDX-License-Identifier: Apache-2.0
"""A virtual machine's stand-in: a namespace with one interface, eth0, whose other end is to be plugged into a bridge.

    namespace "s<random>"                own namespace
        eth0  <------ veth pair ------>  "v<random>"  (vm.port)
"""
import re
import select
import socket
import struct
import subprocess
import threading
import time

from . import netns
from .command import attempt, run
from .wait import PATIENCE

ETH_P_ALL = 3
SO_RCVBUFFORCE = 33
SOL_PACKET = 263
PACKET_AUXDATA = 8
PACKET_IGNORE_OUTGOING = 23
TP_STATUS_VLAN_VALID = 1 << 4
TP_STATUS_VLAN_TPID_VALID = 1 << 6
# struct tpacket_auxdata, packet(7): status, len, snaplen, mac, net, vlan_tci, vlan_tpid.
AUXDATA = struct.Struct("=IIIHHHH")
VLAN_TPID = 0x8100


def open_raw(namespace, device=None):
    """A raw socket in the namespace, on one device or on all; what arrives from now on waits in it, what is sent does not."""
    with netns.inside(namespace):
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    raw.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
    raw.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    raw.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    if device:
        raw.bind((device, 0))
    return raw


def receive_frame(raw):
    """(device, frame): the next that arrived. The kernel strips the outer VLAN tag into the auxiliary data: it is put back."""
    frame, extra, _, address = raw.recvmsg(65535 + 18, socket.CMSG_SPACE(AUXDATA.size))
    for level, kind, data in extra:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, tpid = AUXDATA.unpack(data)
            if status & TP_STATUS_VLAN_VALID:
                tpid = tpid if status & TP_STATUS_VLAN_TPID_VALID else VLAN_TPID
                frame = frame[:12] + struct.pack("!HH", tpid, tci) + frame[12:]
    return address[0], frame


class Vm:
    """number: from 1; decides the addresses 10.1.0.<number> and 02:00:00:00:00:<number>."""

    def __init__(self, number, network="10.1.0"):
        self.number = number
        self.namespace = netns.unique("s")
        self.mac = f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"
        self.ip = f"{network}.{number}"
        netns.add(self.namespace)
        self.port = self._make_devices()
        self._start()

    def close(self):
        self._raw.close()
        self._delete_devices()
        netns.delete(self.namespace)

    def _start(self):
        """Nothing is sent that no test sends: no router solicitations, no neighbour discovery."""
        script = f"link set eth0 addrgenmode none\nlink set lo up\nlink set eth0 up\naddr add {self.ip}/24 dev eth0\n"
        run("ip", "-n", self.namespace, "-batch", "-", stdin=script)
        self._raw = open_raw(self.namespace, "eth0")

    def _make_devices(self, port=None):
        """Puts eth0 into the namespace. Returns the name of the device to plug in, PORT if it is given."""
        port = port or netns.unique("v")
        script = f"""\
link add {port} type veth peer name eth0 address {self.mac} netns {self.namespace}
link set {port} addrgenmode none
link set {port} up
"""
        run("ip", "-batch", "-", stdin=script)
        return port

    def _delete_devices(self):
        attempt("ip", "link", "del", self.port)

    def return_device(self):
        """The devices have gone: those that come have the same names and addresses."""
        self._raw.close()
        self._make_devices(self.port)
        self._start()

    def command(self, *command):
        """COMMAND as it has to be written to run in the VM."""
        return ("nsenter", f"--net=/run/netns/{self.namespace}", *command)

    def run(self, *command, **options):
        return run(*self.command(*command), **options)

    def learn(self, other):
        """The VM knows the other's MAC address without asking by ARP, for exact counts."""
        self.run("ip", "neigh", "replace", other.ip, "lladdr", other.mac, "dev", "eth0", "nud", "permanent")

    def ping(self, other, count=3, interval=0.1, size=56):
        """Sends COUNT echo requests and returns how many were answered, the last of them within two seconds."""
        address = getattr(other, "ip", other)
        result = attempt(*self.command("ping", "-n", "-q", "-c", str(count), "-i", str(interval), "-s", str(size), "-W", "2",
                                       address), limit=20 + count * interval)
        answer = re.search(r"(\d+) received", result.stdout)
        assert answer, result.stdout + result.stderr
        return int(answer[1])

    def transfer(self, other, size, limit=20.0, begun=None):
        """Sends SIZE bytes to the other VM over a TCP connection. Returns how many arrived. Calls BEGUN once when the first of them
        are there; most of a large SIZE is then still to be sent, for the receiver does not read meanwhile."""
        with netns.inside(other.namespace):
            listener = socket.create_server((other.ip, 0))
        with netns.inside(self.namespace):
            out = socket.socket()
        out.settimeout(limit * PATIENCE)
        out.connect(listener.getsockname())
        into = listener.accept()[0]
        into.settimeout(limit * PATIENCE)
        sender = threading.Thread(target=lambda: (out.sendall(bytes(size)), out.close()))
        sender.start()
        arrived = 0
        while data := into.recv(1 << 16):
            if begun and not arrived:
                begun()
            arrived += len(data)
        sender.join()
        into.close()
        listener.close()
        return arrived

    def start(self, *command):
        """Starts COMMAND in the VM and returns the subprocess.Popen."""
        return subprocess.Popen(self.command(*command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def send(self, frame):
        """Sends one Ethernet frame (bytes, or a scapy packet)."""
        self._raw.send(bytes(frame))

    def receive(self, limit=5.0, wanted=None):
        """Returns the next frame that arrived (that WANTED, a function of bytes, takes), or None after LIMIT seconds."""
        end = time.monotonic() + limit * PATIENCE
        while True:
            left = end - time.monotonic()
            if not select.select([self._raw], [], [], max(0, left))[0]:
                return None
            frame = receive_frame(self._raw)[1]
            if wanted is None or wanted(frame):
                return frame

    def drain(self):
        """Returns the frames that have arrived so far."""
        frames = []
        while select.select([self._raw], [], [], 0)[0]:
            frames.append(receive_frame(self._raw)[1])
        return frames
