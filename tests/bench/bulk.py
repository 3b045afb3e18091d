# SPDX-License-Identifier: Apache-2.0
"""Natively: TCP in bulk between two network namespaces, their senders' segmentation left to the devices: through the TC hook of the eBPF datapath, through the Linux bridge,
and what bounds both: a program that only redirects, and one veth pair.

All are there at once and take turns, as real-time processes, since machines are never quiet; the ratios are of medians. Sender and receiver have a processor each,
and neither copies: it would be most of what there is to measure.
"""
import os
import socket
import statistics
import time

from harness import bpf, netns
from harness.command import attempt, run
from harness.switch import TIERS, Bridge, Switch
from harness.vm import Vm

ROUNDS = 9
SECONDS = 1.0
WARM_UP = 0.2
CHUNK = 256 << 10


class Direct:
    """Two ends of one pair."""

    name = "one veth pair"

    def __init__(self):
        self.first, self.second = Vm(1), Vm(2)
        run("ip", "-n", self.second.namespace, "addr", "flush", "dev", "eth0")
        run("ip", "link", "set", self.first.port, "netns", self.second.namespace)
        run("ip", "-n", self.second.namespace, "addr", "add", f"{self.second.ip}/24", "dev", self.first.port)
        run("ip", "-n", self.second.namespace, "link", "set", self.first.port, "up")

    def close(self):
        self.first.close()
        self.second.close()


class Redirected(Direct):
    """Two pairs, and programs that send what comes in by one out by the other."""

    name = "bare tc redirect"

    def __init__(self):
        self.first, self.second = Vm(1), Vm(2)
        for vm, other in ((self.first, self.second), (self.second, self.first)):
            fd = bpf.redirector(other.port)
            bpf.attach_tcx(fd, vm.port)
            os.close(fd)


class LinuxBridge(Direct):
    name = "Linux bridge"

    def __init__(self):
        self.first, self.second = Vm(1), Vm(2)
        self.bridge = netns.unique("b")
        run("ip", "link", "add", self.bridge, "type", "bridge")
        run("ip", "link", "set", self.bridge, "addrgenmode", "none", "up")
        for vm in (self.first, self.second):
            run("ip", "link", "set", vm.port, "master", self.bridge)

    def close(self):
        attempt("ip", "link", "del", self.bridge)
        super().close()


class Ours(Direct):
    name = "TC hook"

    def __init__(self):
        self.first, self.second = Vm(1), Vm(2)
        self.switch = Switch("ours", TIERS["ebpf"])
        self.switch.start_database()
        self.switch.start()
        self.bridge = Bridge(self.switch)
        self.bridge.plug(self.first, self.second)

    def close(self):
        self.bridge.close()
        self.switch.stop("--cleanup")
        self.switch.close()
        super().close()


def send(namespace, address, processor):
    """A process that sends until nobody listens any more."""
    pages = os.memfd_create("bulk")
    os.truncate(pages, CHUNK)
    os.pwrite(pages, bytes(CHUNK), 0)
    pid = os.fork()
    if pid:
        os.close(pages)
        return pid
    try:
        os.sched_setaffinity(0, {processor})
        with netns.inside(namespace):
            out = socket.create_connection(address, timeout=10)
        out.settimeout(None)
        while True:
            os.sendfile(out.fileno(), pages, 0, CHUNK)
    except OSError:
        pass
    finally:
        os._exit(0)


def rate(path, processor):
    """Bytes a second. PROCESSOR: the sender's."""
    with netns.inside(path.second.namespace):
        listener = socket.create_server((path.second.ip, 0))
    listener.settimeout(10)
    sender = send(path.first.namespace, listener.getsockname(), processor)
    into = listener.accept()[0]
    buffer, count, start = bytearray(4 * CHUNK), 0, time.monotonic() + WARM_UP
    while time.monotonic() < start:
        into.recv_into(buffer, 0, socket.MSG_TRUNC)
    start = time.monotonic()
    while (took := time.monotonic() - start) < SECONDS:
        count += into.recv_into(buffer, 0, socket.MSG_TRUNC)
    into.close()
    listener.close()
    os.waitpid(sender, 0)
    return count / took


def bench_bulk():
    """Prints a table; the figures by name."""
    processors = os.sched_getaffinity(0)
    paths, rates = [], {}
    try:
        for kind in (Direct, Redirected, LinuxBridge, Ours):
            paths.append(kind())
            rates[kind.name] = []
        os.sched_setaffinity(0, {max(processors)})
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        for _ in range(ROUNDS):
            for path in paths:
                rates[path.name].append(rate(path, min(processors)))
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.sched_setaffinity(0, processors)
        for path in paths:
            path.close()
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, value in medians.items():
        print(f"  {name:20} {value * 8 / 1e9:6.2f} Gbit/s  {value / medians['bare tc redirect']:5.2f} of bare tc redirect  "
              f"{value / medians['Linux bridge']:5.2f} times the bridge", flush=True)
    return medians
