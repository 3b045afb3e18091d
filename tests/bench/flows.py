# SPDX-License-Identifier: Apache-2.0
"""Natively: packets of which each is a new megaflow, through the installed daemon's userspace datapath and ours on the eBPF one; and what a megaflow takes of memory.

The next packet is sent when no more than WINDOW are on their way, so that none is lost on the way to either daemon and none meets a flow that is there.
"""
import os
import re
import socket
import struct
import time

from harness import netns
from harness.command import attempt, run
from harness.switch import Switch, Tier
from harness.vm import open_raw

WINDOW = 128
N_FLOWS = 131072  # What the maps of the eBPF datapath are for, where nothing else is configured: their memory is taken at once.
DATAPATHS = {"oracle": "netdev", "ours": "ebpf"}
ETHERNET = bytes.fromhex("020000000002020000000001") + b"\x08\x00"
# IPv4 and UDP, 64 bytes of frame; no checksum of UDP.
DATAGRAM = bytes.fromhex("4500002e000000004011") + b"\x00\x00" + socket.inet_aton("10.9.0.1") + socket.inet_aton("10.9.0.2") + struct.pack("!HHHH", 0, 0, 26, 0) + bytes(18)


def with_sum(header):
    total = sum(struct.unpack("!10H", header[:20]))
    total = (total & 0xffff) + (total >> 16)
    return header[:10] + struct.pack("!H", ~((total & 0xffff) + (total >> 16)) & 0xffff) + header[12:]


class Wires:
    """Two veth pairs; the ends named .ports are for the switch."""

    def __init__(self):
        self.namespace = netns.unique("f")
        self.ports = [netns.unique("f") for _ in range(2)]
        netns.add(self.namespace)
        for port in self.ports:
            run("ip", "link", "add", port, "type", "veth", "peer", "name", port, "netns", self.namespace)
            for namespace in ([], ["-n", self.namespace]):
                run("ip", *namespace, "link", "set", port, "addrgenmode", "none", "up")
        self.raw = open_raw(self.namespace, self.ports[0])
        self.counter = os.open(f"/sys/class/net/{self.ports[1]}/statistics/tx_packets", os.O_RDONLY)

    def close(self):
        os.close(self.counter)
        self.raw.close()
        for port in self.ports:
            attempt("ip", "link", "del", port)
        netns.delete(self.namespace)

    def n_arrived(self):
        """How many packets the switch has sent out of the second port."""
        return int(os.pread(self.counter, 24, 0))


def send_new(wires, first, count):
    """Packets number FIRST to FIRST + COUNT - 1, each of its own ports. Those that are lost are waited for in vain for a while."""
    frame = bytearray(ETHERNET + with_sum(DATAGRAM))
    base, progress = wires.n_arrived(), time.monotonic()
    sent = arrived = 0
    while arrived < count and time.monotonic() - progress < 2:
        now = wires.n_arrived() - base
        if now > arrived:
            arrived, progress = now, time.monotonic()
        for _ in range(min(WINDOW - (sent - arrived), count - sent)):
            struct.pack_into("!HH", frame, 34, 1 + (first + sent) % 50000, 1000 + (first + sent) // 50000)
            wires.raw.send(frame)
            sent += 1
    return arrived


def bench_new_flows(results, daemon, cpu_seconds, resident_bytes, count=50000):
    wires = Wires()
    switch = Switch(daemon, Tier("new flows", datapath=DATAPATHS[daemon], **{"flow-limit": "1000000", "max-idle": "600000"}))
    try:
        switch.start_database()
        switch.start()
        switch.vsctl("add-br", "fb0", "--", "set", "bridge", "fb0", f"datapath_type={DATAPATHS[daemon]}", "fail_mode=secure", "--",
                     "add-port", "fb0", wires.ports[0], "--", "set", "interface", wires.ports[0], "ofport_request=1", "--",
                     "add-port", "fb0", wires.ports[1], "--", "set", "interface", wires.ports[1], "ofport_request=2")
        # What an action reads is part of the megaflow.
        switch.ofctl("add-flow", "fb0", "in_port=1,udp,actions=move:NXM_OF_UDP_SRC[]->NXM_NX_REG0[0..15],move:NXM_OF_UDP_DST[]->NXM_NX_REG1[0..15],output:2")
        memory = resident_bytes(switch.vswitchd)
        cpu, clock = cpu_seconds(switch.vswitchd), time.monotonic()
        arrived = send_new(wires, 0, count)
        elapsed, used = time.monotonic() - clock, cpu_seconds(switch.vswitchd) - cpu
        results.add("native, each packet a new megaflow: a second", daemon, arrived / elapsed, "1/s")
        results.add("native, each packet a new megaflow: daemon CPU for one", daemon, used / max(arrived, 1) * 1e6, "us")
        if daemon == "ours":
            arrived += send_new(wires, count, N_FLOWS - count)
        n = int(re.search(r"current (\d+)", switch.appctl("upcall/show"))[1]) if daemon == "ours" else arrived
        kernel = re.search(r"datapath-kB:(\d+)", switch.appctl("memory/show"))
        resident = (resident_bytes(switch.vswitchd) - memory) / max(n, 1)
        results.add("native: resident memory of the daemon a megaflow", daemon, resident, "B")
        if kernel:
            maps = int(kernel[1]) * 1024 / N_FLOWS
            results.add(f"native: memory of the maps a megaflow, of {N_FLOWS}", daemon, maps, "B")
            results.add("native: both together", daemon, resident + maps, "B")
    finally:
        if switch.vswitchd:
            switch.stop("--cleanup")
        switch.close()
        wires.close()
