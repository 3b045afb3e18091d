# SPDX-License-Identifier: GPL-2.0
"""A card of the emulator and the frames it is tried with. Standard tools only: ip, tc, devlink, ethtool, ping."""
import ctypes
import json
import os
import re
import select
import socket
import struct
import subprocess
import threading
import time

BUS = "/sys/bus/eswemu"
LIBC = ctypes.CDLL(None, use_errno=True)
ETH_P_ALL = 3
MAX_WAIT = 10


class Failed(Exception):
    """A command that did not do what it was told."""


def status(command):
    """(exit status, output) of COMMAND, a list or a line. A shell is started only for what needs one: in the lab each program costs."""
    shell = isinstance(command, str) and re.search(r"[^\w\s./:=,@%+-]", command)
    done = subprocess.run(command if shell or not isinstance(command, str) else command.split(), shell=bool(shell),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout


def sh(command, check=True):
    """What COMMAND says on stdout and stderr."""
    code, said = status(command)
    if check and code:
        raise Failed(f"{command}: {said}")
    return said


def batch(program, commands):
    """COMMANDS of ip (or of another program that has -batch) one after the other, in one process."""
    done = subprocess.run([*program.split(), "-batch", "-"], input="\n".join(commands) + "\n", stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise Failed(f"{program} -batch {commands}: {done.stdout}")


def write(path, text):
    with open(path, "w") as file:
        file.write(str(text))


def read(path):
    with open(path) as file:
        return file.read().strip()


def wait_for(what, seconds=MAX_WAIT):
    """Waits until WHAT() is true, and gives its value."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value or time.monotonic() > end:
            assert value, f"waited {seconds} s in vain"
            return value
        time.sleep(0.02)


def in_netns(name, function):
    """FUNCTION() run in the network namespace NAME. Sockets it opens stay there."""
    result = []

    def enter():
        fd = os.open(f"/run/netns/{name}", os.O_RDONLY)
        if LIBC.setns(fd, 0x40000000) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        os.close(fd)
        result.append(function())

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    return result[0]


def silence(dev):
    """IPv6 says nothing on DEV, so that counters stay still."""
    write(f"/proc/sys/net/ipv6/conf/{dev}/disable_ipv6", 1)


class Tc:
    """One tc that runs command after command: starting one for each takes most of a test's time."""
    SYNC = "esw-sync"

    def __init__(self):
        self.process = None

    def start(self):
        self.process = subprocess.Popen(["tc", "-force", "-batch", "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)

    def run(self, command):
        """(whether it worked, what it said) of COMMAND, which prints nothing but errors."""
        if not self.process or self.process.poll() is not None:
            self.start()
        # A command that tc does not know is the only thing that its batch mode answers at once.
        self.process.stdin.write(f"{command}\n{self.SYNC}\n")
        self.process.stdin.flush()
        said = []
        for line in self.process.stderr:
            if self.SYNC in line:
                self.process.stderr.readline()
                break
            said.append(line)
        return not said, "".join(said)

    def stop(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()
            self.process.stderr.close()
            self.process = None


TC = Tc()


class Wire:
    """A raw socket on a netdev."""

    def __init__(self, netns, dev):
        def create():
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            # 8: PACKET_AUXDATA. Tags that the kernel took off come with it.
            sock.setsockopt(263, 8, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            sock.bind((dev, ETH_P_ALL))
            return sock
        self.sock = in_netns(netns, create) if netns else create()

    def send(self, frame):
        self.sock.send(frame)

    def next(self, seconds):
        """The next frame that came in, its VLAN tag put back, or None."""
        end = time.monotonic() + seconds
        while True:
            ready, _, _ = select.select([self.sock], [], [], max(end - time.monotonic(), 0))
            if not ready:
                return None
            frame, extra, _, address = self.sock.recvmsg(65536, 256)
            if address[2] == 4:     # PACKET_OUTGOING
                continue
            for level, kind, data in extra:
                if (level, kind) == (263, 8):
                    flags, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", data[:20])
                    if flags & 0x10:
                        frame = frame[:12] + struct.pack("!HH", tpid, tci) + frame[12:]
            return frame

    def expect(self, marker, seconds=3):
        """The next frame in which MARKER occurs; other traffic is passed over."""
        end = time.monotonic() + seconds
        while True:
            frame = self.next(end - time.monotonic())
            assert frame, f"no frame with {marker!r} came"
            if marker in frame:
                return frame

    def expect_none(self, marker, seconds=0.2):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            frame = self.next(end - time.monotonic())
            assert not frame or marker not in frame, f"{marker!r} came: {frame.hex()}"

    def close(self):
        self.sock.close()


class Samples:
    """What the kernel's psample tells of packets: the attributes of each by number (linux/psample.h)."""
    ORIGINAL_SIZE, GROUP, RATE, DATA = 2, 3, 5, 6
    SOL_NETLINK, ADD_MEMBERSHIP, NETLINK_GENERIC, HEADERS = 270, 1, 16, 20

    def __init__(self):
        group = re.search(r"ID-(0x[0-9a-f]+)\s+name: packets", sh("genl ctrl get name psample")).group(1)
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, self.NETLINK_GENERIC)
        self.socket.bind((0, 0))
        self.socket.setsockopt(self.SOL_NETLINK, self.ADD_MEMBERSHIP, int(group, 16))
        self.socket.settimeout(MAX_WAIT)

    def next(self):
        message, at, found = self.socket.recv(65536), self.HEADERS, {}
        while at + 4 <= len(message):
            length, kind = struct.unpack_from("HH", message, at)
            found[kind] = message[at + 4:at + length]
            at += (length + 3) & ~3
        return found

    def close(self):
        self.socket.close()


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def ether(dst, src, kind, payload, vlan=None):
    tag = struct.pack("!HH", 0x8100, vlan) if vlan is not None else b""
    return mac(dst) + mac(src) + tag + struct.pack("!H", kind) + payload


def ipv4(src, dst, proto, payload, ttl=64, tos=0):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, tos, 20 + len(payload), 1, 0, ttl, proto, 0,
                       socket.inet_aton(src), socket.inet_aton(dst))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ipv6(src, dst, proto, payload, ttl=64):
    return struct.pack("!IHBB", 6 << 28, len(payload), proto, ttl) + socket.inet_pton(socket.AF_INET6, src) + \
        socket.inet_pton(socket.AF_INET6, dst) + payload


def pseudo(src, dst, proto, length):
    family = socket.AF_INET6 if ":" in src else socket.AF_INET
    addresses = socket.inet_pton(family, src) + socket.inet_pton(family, dst)
    return addresses + struct.pack("!HH" if family == socket.AF_INET else "!II", *((proto, length) if family == socket.AF_INET
                                                                                   else (length, proto)))


def udp(src, dst, sport, dport, payload):
    length = 8 + len(payload)
    head = struct.pack("!HHHH", sport, dport, length, 0)
    total = checksum(pseudo(src, dst, 17, length) + head + payload) or 0xffff
    return head[:6] + struct.pack("!H", total) + payload


def tcp(src, dst, sport, dport, payload, flags=0x10):
    head = struct.pack("!HHIIBBHHH", sport, dport, 1, 1, 0x50, flags, 1024, 0, 0)
    total = checksum(pseudo(src, dst, 6, len(head) + len(payload)) + head + payload)
    return head[:16] + struct.pack("!H", total) + head[18:] + payload


def udp4(dst_mac, src_mac, marker, src="10.9.0.1", dst="10.9.0.2", sport=1000, dport=2000, vlan=None, ttl=64, tos=0):
    return ether(dst_mac, src_mac, 0x0800, ipv4(src, dst, 17, udp(src, dst, sport, dport, marker), ttl, tos), vlan)


def sums_are_right(frame):
    """Whether the IPv4 header and the UDP or TCP checksums of FRAME hold."""
    at = 18 if frame[12:14] == b"\x81\x00" else 14
    if frame[at] >> 4 == 4:
        head, proto = frame[at:at + 20], frame[at + 9]
        if checksum(head):
            return False
        src, dst = socket.inet_ntoa(head[12:16]), socket.inet_ntoa(head[16:20])
        body = frame[at + 20:at + struct.unpack("!H", head[2:4])[0]]
    else:
        proto, body = frame[at + 6], frame[at + 40:at + 40 + struct.unpack("!H", frame[at + 4:at + 6])[0]]
        src = socket.inet_ntop(socket.AF_INET6, frame[at + 8:at + 24])
        dst = socket.inet_ntop(socket.AF_INET6, frame[at + 24:at + 40])
    return checksum(pseudo(src, dst, proto, len(body)) + body) == 0


class Card:
    """A card with PF 0 unless said otherwise. VF i lives in the namespace of vm(i), the cable's far end in far()."""

    def __init__(self, number, pfs=1, vfs=8, flows=1000):
        self.number, self.vms, self.wires, self.dirty = number, [], [], set()
        write(f"{BUS}/new_device", f"{number} {pfs} {vfs} {flows}")
        self.handle = self.pf_handle(0)

    def pf_handle(self, pf):
        return f"eswemu/card{self.number}.{pf}"

    def device(self, pf=0, vf=None):
        """The folder in sysfs of a function."""
        return f"{BUS}/devices/card{self.number}.{pf}" + ("" if vf is None else f"v{vf}")

    def pf(self, pf=0):
        return f"card{self.number}pf{pf}"

    def rep(self, vf, pf=0):
        return f"card{self.number}pf{pf}rep{vf}"

    def vf(self, vf, pf=0):
        return f"card{self.number}pf{pf}vf{vf}"

    def cable(self, pf=0):
        return f"card{self.number}cable{pf}"

    def debug(self, name, pf=0):
        return f"/sys/kernel/debug/eswemu/card{self.number}.{pf}/{name}"

    def numvfs(self, count, pf=0):
        TC.stop()   # it remembers the numbers of netdevs
        write(f"{self.device(pf)}/sriov_numvfs", count)

    def mode(self, mode, pf=0):
        TC.stop()
        sh(f"devlink dev eswitch set {self.pf_handle(pf)} mode {mode}")

    def reload(self):
        TC.stop()
        sh(f"devlink dev reload {self.handle}")

    def lose_rep(self, vf):
        write(self.debug("lose_rep"), vf)

    def find_rep(self, vf):
        TC.stop()
        write(self.debug("find_rep"), vf)

    def param(self, name, value):
        sh(f"devlink dev param set {self.handle} name {name} value {value} cmode runtime")

    def occupied(self, name="flows"):
        for line in sh(f"devlink resource show {self.handle}").splitlines():
            words = line.split()
            if words[:2] == ["name", name]:
                return int(words[words.index("occ") + 1])
        raise Failed(f"no resource {name}")

    def costs(self):
        """{command: [(how often, below how many nanoseconds)]} since the last write to the file."""
        lines = (line.split() for line in read(self.debug("costs")).splitlines())
        return {words[0]: [tuple(map(int, reversed(word.split(":")))) for word in words[6:]] for words in lines}

    def rules(self, pf=0):
        """The rules in the adapter, as its debugfs has them."""
        return read(self.debug("table", pf)).splitlines()

    def vm(self, vf):
        return f"esw{self.number}vm{vf}"

    def far(self):
        return f"esw{self.number}far"

    def vf_mac(self, vf):
        return f"02:00:00:{self.number:02x}:00:{vf + 1:02x}"

    def far_mac(self):
        return f"02:00:00:{self.number:02x}:01:01"

    def address(self, vf):
        return f"10.{self.number}.0.{vf + 1}"

    def far_address(self):
        return f"10.{self.number}.0.100"

    def _guest(self, name, dev, mac_address, address):
        if not os.path.exists(f"/sys/class/net/{dev}"):
            return  # it is there already
        new = name not in self.vms
        batch("ip", [f"netns add {name}"] * new + [f"link set {dev} address {mac_address} netns {name}"])
        if new:
            self.vms.append(name)
        in_netns(name, lambda: [silence(dev) for dev in ("all", "default")])
        batch(f"ip -n {name}", [f"addr add {address}/16 dev {dev}", f"link set {dev} up", "link set lo up"])

    def guests(self, vfs):
        """Each VF in a namespace of its own with an address, and the far end of the cable in one too."""
        for vf in range(vfs):
            self._guest(self.vm(vf), self.vf(vf), self.vf_mac(vf), self.address(vf))
        self._guest(self.far(), self.cable(), self.far_mac(), self.far_address())
        return self

    def switchdev(self, vfs):
        """VFS VFs in switchdev mode, all up and silent, an ingress qdisc on each port."""
        self.numvfs(vfs)
        self.mode("switchdev")
        self.param("stats_period_ms", 100)
        for dev in self.ports(vfs):
            silence(dev)
        self.ports_up(self.ports(vfs))
        self.vfs = vfs
        return self.guests(vfs)

    def ports_up(self, devs):
        """Ports up, with an ingress qdisc each."""
        batch("ip", [f"link set {dev} up" for dev in devs])
        for dev in devs:
            done, said = TC.run(f"qdisc add dev {dev} ingress")
            assert done, said

    def ports(self, vfs):
        return [self.pf()] + [self.rep(vf) for vf in range(vfs)]

    def wire(self, vf):
        """A raw socket on VF number VF, or on the cable's far end when it is None."""
        wire = Wire(self.vm(vf), self.vf(vf)) if vf is not None else Wire(self.far(), self.cable())
        self.wires.append(wire)
        return wire

    def listen(self, dev):
        """A raw socket on a netdev of the host."""
        wire = Wire(None, dev)
        self.wires.append(wire)
        return wire

    def filter(self, dev, rest, prio=1, check=True):
        """Adds a filter at DEV's ingress. Without CHECK: (whether it worked, what tc said)."""
        done, said = TC.run(f"filter add dev {dev} ingress prio {prio} {rest}")
        chain = re.match(r"chain (\d+)", rest)
        self.dirty.add((dev, chain.group(1) if chain else "0"))
        if check and not done:
            raise Failed(f"filter add dev {dev} ingress prio {prio} {rest}: {said}")
        return done, said

    def connect(self, one, other):
        """All that comes in at one port goes out of the other, and back."""
        self.filter(one, f"flower skip_sw action mirred egress redirect dev {other}")
        self.filter(other, f"flower skip_sw action mirred egress redirect dev {one}")

    def filters(self, dev):
        """The filters of DEV's ingress as tc's JSON has them, with statistics."""
        return [f for f in json.loads(sh(f"tc -s -j filter show dev {dev} ingress")) if "options" in f and
                "handle" in f["options"]]

    def no_filters(self):
        for dev, chain in self.dirty:
            TC.run(f"filter del dev {dev} ingress chain {chain}")
        self.dirty.clear()
        for wire in self.wires:
            wire.close()
        self.wires = []

    def cpu_hit(self, dev):
        """(received, sent) packets of the slow path at DEV."""
        stats = json.loads(sh(f"ip -j stats show dev {dev} group offload subgroup cpu_hit"))[0]["stats64"]
        return stats["rx"]["packets"], stats["tx"]["packets"]

    def ping(self, vf, address, patience=MAX_WAIT):
        """True, or what ping said: three of them, again and again for PATIENCE seconds. An address that could not be resolved a
        moment ago fails at once for a while."""
        end = time.monotonic() + patience
        while True:
            code, said = status(f"ip netns exec {self.vm(vf)} ping -c 3 -i 0.05 -W 2 {address}")
            if code == 0 or time.monotonic() > end:
                return code == 0 or said

    def remove(self):
        TC.stop()
        for wire in self.wires:
            wire.close()
        self.wires = []
        batch("ip", [f"netns del {name}" for name in self.vms if os.path.exists(f"/run/netns/{name}")])
        self.vms = []
        if os.path.exists(self.device()):
            write(f"{BUS}/del_device", self.number)


class TcpFlow:
    """A TCP connection between two namespaces over which bytes are pushed until it is stopped."""

    @staticmethod
    def listen(netns, address):
        listener = in_netns(netns, socket.socket)
        listener.bind((address, 0))
        listener.listen()
        listener.settimeout(MAX_WAIT)
        return listener

    def __init__(self, sender, receiver, address, listener=None, to=None):
        """From SENDER to ADDRESS in RECEIVER; or to a LISTENER there that is known under another address, TO."""
        listener = listener or self.listen(receiver, address)
        self.out = in_netns(sender, socket.socket)
        self.out.settimeout(MAX_WAIT)
        self.out.connect(to or listener.getsockname())
        self.into, _ = listener.accept()
        listener.close()
        self.into.settimeout(1)
        self.received, self.stopping = 0, False
        self.threads = [threading.Thread(target=self._push), threading.Thread(target=self._pull)]
        for thread in self.threads:
            thread.start()

    def _push(self):
        data = bytes(1 << 16)
        self.out.settimeout(1)
        while not self.stopping:
            try:
                self.out.send(data)
            except (TimeoutError, OSError):
                continue

    def _pull(self):
        buffer = bytearray(1 << 18)
        while not self.stopping:
            try:
                self.received += self.into.recv_into(buffer)
            except (TimeoutError, OSError):
                continue

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join()
        self.out.close()
        self.into.close()


def rates(flows, seconds):
    """Bytes a second that each of FLOWS got over the next SECONDS."""
    before, start = [flow.received for flow in flows], time.monotonic()
    time.sleep(seconds)
    after, took = [flow.received for flow in flows], time.monotonic() - start
    return [(b - a) / took for a, b in zip(before, after)]
