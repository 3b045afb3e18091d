# SPDX-License-Identifier: Apache-2.0
"""Natively: packets of which each is a new megaflow, through the installed daemon's userspace datapath and ours on the eBPF one; and what a megaflow takes of memory.

tests/bench/new_flows sends them, at most WINDOW on their way at a time. The installed daemon begins with a limit of 10,000 megaflows, whatever flow-limit says, raises it by 1,000 each
time it looks at many, and forwards what is beyond it without a megaflow: it is made to look until its limit is that of a round. Through a single megaflow the same packets show the
bare limit.
"""
import os
import re
import statistics
import time

from harness import netns
from harness.command import attempt, run
from harness.switch import Switch, Tier
from harness.wait import until

GENERATOR = os.path.join(os.environ.get("SLUICE_BUILD", "_build"), "tests/bench/new_flows")
WINDOW = 128
A_ROUND, N_ROUNDS = 40000, 9
FIRST_LIMIT = 9000
N_FLOWS = 131072  # What the maps of the eBPF datapath are for, where nothing else is configured: their memory is taken at once.
DATAPATHS = {"oracle": "netdev", "ours": "ebpf"}


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

    def close(self):
        for port in self.ports:
            attempt("ip", "link", "del", port)
        netns.delete(self.namespace)


def send_new(wires, first, count):
    """Packets number FIRST to FIRST + COUNT - 1, each of its own ports: how many arrived, and in how many seconds."""
    arrived, us = map(int, run(GENERATOR, wires.namespace, *wires.ports, *map(str, (first, count, WINDOW)), limit=120).split())
    return arrived, us / 1e6


def n_flows(switch):
    return sum(map(int, re.findall(r"current (\d+)", switch.appctl("upcall/show"))))


def n_settled(switch, expected):
    """How many there are, as soon as there are as many as expected, or after a second: the installed daemon counts them ten times a second."""
    end = time.monotonic() + 1
    while n_flows(switch) < expected and time.monotonic() < end:
        time.sleep(0.02)
    return n_flows(switch)


def raise_limit(switch, wires):
    send_new(wires, 0, FIRST_LIMIT)

    def is_high_enough():
        switch.appctl("revalidator/wait")
        return min(map(int, re.findall(r"limit (\d+)", switch.appctl("upcall/show")))) > A_ROUND
    until(is_high_enough, "the limit of megaflows", limit=60)


def cpu_of_threads(process):
    """In seconds, exactly: a round is a few ticks."""
    total = 0
    for thread in os.listdir(f"/proc/{process.pid}/task"):
        with open(f"/proc/{process.pid}/task/{thread}/schedstat") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def is_idle(process):
    used = cpu_of_threads(process)
    time.sleep(0.05)
    return cpu_of_threads(process) - used < 0.001


def bench_rounds(results, daemon, switch, wires):
    """All megaflows leave before a round, and their memory is given back; they are counted after it. Of the rounds the median, since other machines on this host disturb some of them."""
    rates, costs = [], []
    for n in range(N_ROUNDS):
        switch.appctl("revalidator/purge")
        until(lambda: n_flows(switch) < 10, "megaflows leave")
        until(lambda: is_idle(switch.vswitchd), "the daemon has nothing to do")
        used = cpu_of_threads(switch.vswitchd)
        arrived, seconds = send_new(wires, n * A_ROUND, A_ROUND)
        used = cpu_of_threads(switch.vswitchd) - used
        flows = n_settled(switch, arrived)
        rates.append(flows / seconds)
        costs.append(used / flows * 1e6)
    results.add("native, each packet a new megaflow: a second", daemon, statistics.median(rates), "1/s")
    results.add("native, each packet a new megaflow: daemon CPU for one", daemon, statistics.median(costs), "us")


def bench_memory(results, daemon, switch, wires, resident_bytes):
    """Ours when its maps are full; the installed daemon before memory of others that have left is used again."""
    n_before, memory = n_flows(switch), resident_bytes(switch.vswitchd)
    arrived, _ = send_new(wires, N_ROUNDS * A_ROUND, N_FLOWS - n_before if daemon == "ours" else FIRST_LIMIT)
    resident = (resident_bytes(switch.vswitchd) - memory) / (n_settled(switch, n_before + arrived) - n_before)
    results.add("native: resident memory of the daemon a megaflow", daemon, resident, "B")
    kernel = re.search(r"datapath-kB:(\d+)", switch.appctl("memory/show"))
    if kernel:
        maps = int(kernel[1]) * 1024 / N_FLOWS
        results.add(f"native: memory of the maps a megaflow, of {N_FLOWS}", daemon, maps, "B")
        results.add("native: both together", daemon, resident + maps, "B")


def bench_new_flows(results, daemon, resident_bytes):
    wires = Wires()
    switch = Switch(daemon, Tier("new flows", datapath=DATAPATHS[daemon], **{"flow-limit": "1000000", "max-idle": "600000"}))
    try:
        switch.start_database()
        switch.start()
        switch.vsctl("add-br", "fb0", "--", "set", "bridge", "fb0", f"datapath_type={DATAPATHS[daemon]}", "fail_mode=secure", "--",
                     "add-port", "fb0", wires.ports[0], "--", "set", "interface", wires.ports[0], "ofport_request=1", "--",
                     "add-port", "fb0", wires.ports[1], "--", "set", "interface", wires.ports[1], "ofport_request=2")
        switch.ofctl("add-flow", "fb0", "in_port=1,udp,actions=output:2")
        n_bare, elapsed = send_new(wires, 0, 2 * A_ROUND)
        results.add("bare limit: native, through one megaflow: a second", daemon, n_bare / elapsed, "1/s")
        # What an action reads is part of the megaflow.
        switch.ofctl("mod-flows", "fb0", "in_port=1,udp,actions=move:NXM_OF_UDP_SRC[]->NXM_NX_REG0[0..15],move:NXM_OF_UDP_DST[]->NXM_NX_REG1[0..15],output:2")
        switch.appctl("revalidator/wait")
        bench_memory(results, daemon, switch, wires, resident_bytes)
        raise_limit(switch, wires)
        bench_rounds(results, daemon, switch, wires)
    finally:
        if switch.vswitchd:
            switch.stop("--cleanup")
        switch.close()
        wires.close()
