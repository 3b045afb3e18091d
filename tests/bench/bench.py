#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Benchmarks: ours and the installed ovs-vswitchd, measured in one run, side by side with ratios. Nothing here asserts.

    bench.py native      rules, dumps and idling, on this host (userspace datapath of --enable-dummy), and new flows and TCP in bulk of the eBPF datapath
    bench.py lab         what wants openvswitch in the kernel: run it in utilities/lab

`make bench` runs both. SLUICE_BUILD is the folder of our daemon.

A row "bare limit" is what the tools or the kernel take without a switch: no switch is faster. What ovs-ofctl needs to print flows is two thirds
of the installed daemon's dump-flows, what ovs-vsctl and ovsdb-server need for ports a third or more of its time: compare CPU there.
On a machine that others use wall times say little: give qemu and the daemons priority (each is a session of its own: /proc/PID/autogroup).
"""
import argparse
import os
import random
import subprocess
import sys
import tempfile
import time

from replay import Replay

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
from harness import netns                                        # noqa: E402
from harness.command import attempt, run                         # noqa: E402
from harness.switch import TIERS, Bridge, Switch, Tier           # noqa: E402
from harness.vm import Vm                                        # noqa: E402
from harness.wait import until                                   # noqa: E402
from bulk import bench_bulk                                      # noqa: E402
from flows import bench_new_flows                                # noqa: E402

DAEMONS = ("oracle", "ours")
TICKS = os.sysconf("SC_CLK_TCK")


class Results:
    """Figures by name and daemon; printed as a table with the ratio of ours to the installed daemon's."""

    def __init__(self):
        self.rows = {}

    def add(self, name, daemon, value, unit):
        self.rows.setdefault((name, unit), {})[daemon] = value
        print(f"  {daemon:8} {name}: {value:.4g} {unit}", flush=True)

    def show(self):
        print(f"\n| {'what':58} | {'installed':>10} | {'ours':>10} | {'ratio':>6} |")
        print(f"|{'-' * 60}|{'-' * 12}|{'-' * 12}|{'-' * 8}|")
        for (name, unit), values in self.rows.items():
            installed, ours = values.get("oracle"), values.get("ours")
            ratio = f"{ours / installed:.2f}" if ours is not None and installed else "-"
            print("| {:58} | {:>10} | {:>10} | {:>6} |".format(f"{name} [{unit}]", *(
                "-" if value is None else f"{value:.4g}" for value in (installed, ours)), ratio))


def cpu_seconds(process):
    """User and system time of the process and its threads."""
    with open(f"/proc/{process.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_bytes(process):
    with open(f"/proc/{process.pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))


def started(daemon, tier, *options):
    switch = Switch(daemon, tier)
    switch.start_database()
    switch.start(*options)
    return switch


# On this host.

def write_rules(path, count):
    """Rules of tcp, two addresses and a port, with random priorities: all different."""
    chance = random.Random(1)
    with open(path, "w") as file:
        for i in range(count):
            source = f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}"
            target = f"11.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(256)}"
            file.write(f"priority={chance.randrange(1, 65536)},tcp,nw_src={source},nw_dst={target},"
                       f"tp_dst={chance.randrange(1, 65536)},actions=output:1\n")


def bench_rules(results, daemon, count):
    switch = started(daemon, Tier("dummy"), "--enable-dummy")
    try:
        with tempfile.NamedTemporaryFile("w", prefix="rules-", dir=switch.base) as file:
            write_rules(file.name, count)
            switch.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy", "fail_mode=secure")
            cpu, memory, clock = cpu_seconds(switch.vswitchd), resident_bytes(switch.vswitchd), time.monotonic()
            run("ovs-ofctl", "add-flows", "br0", file.name, env=switch.env, limit=600)
            label = f"{count} rules by add-flows"
            results.add(label + ": time", daemon, time.monotonic() - clock, "s")
            results.add(label + ": daemon CPU a rule", daemon, (cpu_seconds(switch.vswitchd) - cpu) / count * 1e6, "us")
            results.add(label + ": resident memory a rule", daemon, (resident_bytes(switch.vswitchd) - memory) / count, "B")
        bench_dump(results, daemon, switch, f"dump-flows of {count} rules")
        bench_delete(results, daemon, switch, count)
    finally:
        switch.close()


def timed(function, *arguments, times=3):
    """The least wall time of some calls: what others do on the machine only adds to it."""
    best = None
    for _ in range(times):
        clock = time.monotonic()
        function(*arguments)
        elapsed = time.monotonic() - clock
        best = elapsed if best is None else min(best, elapsed)
    return best


def bench_dump(results, daemon, switch, label, times=3):
    """The dump, and beside it the same bytes from memory: what ovs-ofctl takes to parse and print them is nobody's to save."""
    dump = ("ovs-ofctl", "-vpoll_loop:off", "-vtimeval:off", "-vcoverage:off", "dump-flows")
    cpu = cpu_seconds(switch.vswitchd)
    results.add(f"{label}: time", daemon, timed(lambda: subprocess.run([*dump, "br0"], env=switch.environment(), check=True,
                                                                       stdout=subprocess.DEVNULL), times=times), "s")
    results.add(f"{label}: daemon CPU", daemon, (cpu_seconds(switch.vswitchd) - cpu) / times, "s")
    replay = Replay(switch.path("br0.mgmt"), switch.base)
    try:
        replay.record(*dump, replay.target)
        results.add(f"bare limit: {label} from memory: time", daemon, timed(replay.play, *dump, replay.target, times=times), "s")
        results.add(f"bare limit: {label} from memory: tool's CPU", daemon, replay.tool_cpu, "s")
    finally:
        replay.close()


def bench_delete(results, daemon, switch, count, settle=5):
    """All at once. The installed daemon answers first and takes most of them apart later."""
    cpu, clock = cpu_seconds(switch.vswitchd), time.monotonic()
    run("ovs-ofctl", "del-flows", "br0", env=switch.env, limit=600)
    results.add(f"del-flows of {count} rules: time", daemon, time.monotonic() - clock, "s")
    time.sleep(settle)
    results.add(f"del-flows of {count} rules: daemon CPU a rule", daemon, (cpu_seconds(switch.vswitchd) - cpu) / count * 1e6, "us")


def bench_idle(results, daemon, count=100000, seconds=20):
    switch = started(daemon, Tier("dummy"), "--enable-dummy")
    try:
        with tempfile.NamedTemporaryFile("w", prefix="rules-", dir=switch.base) as file:
            write_rules(file.name, count)
            switch.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy", "fail_mode=secure")
            run("ovs-ofctl", "add-flows", "br0", file.name, env=switch.env, limit=600)
        time.sleep(3)
        cpu = cpu_seconds(switch.vswitchd)
        time.sleep(seconds)
        results.add(f"idle with {count} rules: share of a core", daemon, (cpu_seconds(switch.vswitchd) - cpu) / seconds * 100, "%")
    finally:
        switch.close()


# In the lab.

class Generator:
    """The kernel's pktgen on the VM side of a port: UDP packets, each with the next source port."""

    def __init__(self, device, vm, target_mac):
        self.device = device
        self.control("/proc/net/pktgen/kpktgend_0", "rem_device_all", f"add_device {device}")
        self.control(f"/proc/net/pktgen/{device}", "count 0", "clone_skb 0", "pkt_size 64", f"dst_mac {target_mac}",
                     "dst 10.9.0.2", "src_min 10.9.0.1", "src_max 10.9.0.1", "udp_src_min 1", "udp_src_max 20000",
                     "udp_dst_min 5000", "udp_dst_max 5000", "ratep 6000")

    @staticmethod
    def control(path, *lines):
        for line in lines:
            with open(path, "w") as file:
                file.write(line + "\n")

    def start(self):
        return subprocess.Popen(["sh", "-c", "echo start > /proc/net/pktgen/pgctrl"])

    def stop(self, process):
        self.control("/proc/net/pktgen/pgctrl", "stop")
        process.wait()
        self.control("/proc/net/pktgen/kpktgend_0", "rem_device_all")


def count_flows(switch, kind):
    text = switch.appctl("dpctl/dump-flows", f"type={kind}") if kind != "ovs" else switch.appctl("upcall/show")
    if kind == "ovs":
        return int(text.split("(current ")[1].split(")")[0])
    return sum(line.count("5000") > 0 or "actions" in line for line in text.splitlines())


def bench_misses(results, daemon, tier, kind, label, count=20000):
    """Every packet a new megaflow, until there are COUNT or half a minute is over."""
    switch = started(daemon, tier)
    name = netns.unique("g")
    run("ip", "link", "add", name, "type", "veth", "peer", "name", name + "p")
    try:
        switch.vsctl("set", "Open_vSwitch", ".", "other_config:flow-limit=1000000", "other_config:max-idle=600000")
        switch.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "fail_mode=secure", "--", "add-port", "br0", name + "p", "--",
                     "set", "interface", name + "p", "ofport_request=1")
        run("ip", "link", "set", name, "up")
        run("ip", "link", "set", name + "p", "up")
        rules = "\n".join(f"udp,udp_src={port},actions=LOCAL" for port in range(1, count + 1))
        run("ovs-ofctl", "add-flows", "br0", "-", stdin=rules + "\n", env=switch.env, limit=120)
        generator = Generator(name, None, "02:00:00:00:09:02")
        cpu, clock = cpu_seconds(switch.vswitchd), time.monotonic()
        process = generator.start()
        flows = 0
        while flows < count * 0.98 and time.monotonic() - clock < 30:
            time.sleep(0.5)
            flows = count_flows(switch, kind)
        elapsed, used = time.monotonic() - clock, cpu_seconds(switch.vswitchd) - cpu
        generator.stop(process)
        results.add(f"{label}: new megaflows a second", daemon, flows / elapsed, "1/s")
        results.add(f"{label}: daemon CPU a megaflow", daemon, used / max(flows, 1) * 1e6, "us")
    finally:
        attempt("ip", "link", "del", name)
        switch.stop("--cleanup")
        switch.close()


def add_ports_command(names):
    command = []
    for name in names:
        command += ["--", "add-port", "br0", name]
    return command[1:]


def add_ports(switch, names):
    """Ports for the devices NAMES in one transaction; how long it took, and how much of the daemon."""
    cpu, clock = cpu_seconds(switch.vswitchd), time.monotonic()
    switch.vsctl(*add_ports_command(names))
    return time.monotonic() - clock, cpu_seconds(switch.vswitchd) - cpu


def add_singly(results, daemon, switch, names, what):
    """Ports one by one: the mean of each."""
    spent = [add_ports(switch, [name]) for name in names]
    results.add(f"{what}: time", daemon, sum(clock for clock, _ in spent) / len(names), "s")
    results.add(f"{what}: daemon CPU", daemon, sum(cpu for _, cpu in spent) / len(names), "s")


def all_are_counted(switch, names):
    """Do the rows of all of them have statistics?"""
    return switch.vsctl("--columns=name", "find", "interface", "statistics!={}").count("name") >= len(names)


def bench_ports(results, daemon, count=300, single=5):
    switch = started(daemon, TIERS["kernel"])
    names = [netns.unique("d") for _ in range(count + 2 * single)]
    run("ip", "-batch", "-", stdin="".join(f"link add {name} type dummy\n" for name in names))
    try:
        switch.vsctl("add-br", "br0")
        add_singly(results, daemon, switch, names[:single], "one of the first ports")
        cpu = cpu_seconds(switch.vswitchd)
        elapsed, _ = add_ports(switch, names[single:-single])
        until(lambda: all_are_counted(switch, names[single:-single]), f"the rows of {count} ports")  # They may follow what ovs-vsctl waits for.
        results.add(f"{count} ports in one transaction: time", daemon, elapsed, "s")
        results.add(f"{count} ports in one transaction: daemon CPU until their rows are complete", daemon, cpu_seconds(switch.vswitchd) - cpu, "s")
        add_singly(results, daemon, switch, names[-single:], f"one more port after {count}")
    finally:
        switch.stop("--cleanup")
        switch.close()
        run("ip", "-batch", "-", stdin="".join(f"link del {name}\n" for name in names))


def bare_ports(results, count=300, single=5):
    """What ovs-vsctl and ovsdb-server take alone, without a daemon that does what they say."""
    switch = Switch("ours", TIERS["kernel"])
    switch.start_database()
    try:
        switch.vsctl("--no-wait", "add-br", "br0")
        for label, names, times in [(f"{count} ports in one transaction", [f"p{i}" for i in range(count)], 1),
                                    (f"one more port after {count}", ["q"], single)]:
            clock = time.monotonic()
            for i in range(times):
                switch.vsctl("--no-wait", *add_ports_command([name + str(i) for name in names]))
            results.add(f"bare limit: {label} without a daemon: time", "ours", (time.monotonic() - clock) / times, "s")
    finally:
        switch.close()


def bench_restart(results, daemon):
    """Stop, one second, start, under a ping every 10 ms between two ports of NORMAL."""
    switch = started(daemon, TIERS["kernel"])
    vms = [Vm(1), Vm(2)]
    try:
        bridge = Bridge(switch)
        bridge.plug(*vms)
        vms[0].learn(vms[1])
        vms[1].learn(vms[0])
        vms[0].ping(vms[1])
        pinger = vms[0].start("ping", "-n", "-q", "-i", "0.01", "-c", "1000", "-W", "1", vms[1].ip)
        time.sleep(2)
        switch.stop()
        time.sleep(1)
        switch.start()
        received = int(pinger.communicate(timeout=120)[0].split(" received")[0].split()[-1])
        results.add("stop, one second, start: packets lost of 1000", daemon, 1000 - received, "")
    finally:
        for vm in vms:
            vm.close()
        switch.stop("--cleanup")
        switch.close()


def bare_flows(results, count=5000):
    """What one process of ovs-dpctl puts into openvswitch.ko: the limit of the kernel datapath, without upcalls or a switch."""
    name = netns.unique("dp")
    run("ovs-dpctl", "add-dp", name)
    try:
        with tempfile.NamedTemporaryFile("w", prefix="flows-") as file:
            for port in range(1, count + 1):
                file.write(f"in_port(0),eth(),eth_type(0x0800),ipv4(proto=17,frag=no),udp(src={port}),actions:drop\n")
            file.flush()
            clock = time.monotonic()
            run("ovs-dpctl", "add-flows", name, file.name, limit=120)
        results.add("bare limit: flows a second by ovs-dpctl add-flows", "ours", count / (time.monotonic() - clock), "1/s")
    finally:
        run("ovs-dpctl", "del-dp", name)


def bare_tc(results, count=5000):
    """What one process of tc(8) inserts in a batch: the limit of the tier, without a switch."""
    name = netns.unique("t")
    run("ip", "link", "add", name, "type", "dummy")
    run("tc", "qdisc", "add", "dev", name, "ingress")
    batch = "".join(f"filter add dev {name} ingress protocol ip prio 1 flower skip_hw ip_proto udp src_port {port} action drop\n"
                    for port in range(1, count + 1))
    clock = time.monotonic()
    run("tc", "-batch", "-", stdin=batch, limit=120)
    results.add("bare limit: filters a second by tc -batch", "ours", count / (time.monotonic() - clock), "1/s")
    run("ip", "link", "del", name)


def succeeds(what, function, *arguments):
    """A benchmark that fails is said and leaves the others their turn."""
    try:
        function(*arguments)
        return True
    except (AssertionError, OSError, subprocess.SubprocessError, ValueError) as error:
        print(f"  {what}: failed: {error}", flush=True)
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("where", choices=["native", "lab"])
    parser.add_argument("--rules", type=int, default=1000000)
    parser.add_argument("--only", help="run only benchmarks whose name contains this", default="")
    parser.add_argument("--daemon", choices=DAEMONS, action="append")
    options = parser.parse_args()
    results = Results()
    tc = TIERS["tc"]
    benchmarks = {
        "native": {"rules": lambda daemon: bench_rules(results, daemon, options.rules),
                   "idle": lambda daemon: bench_idle(results, daemon),
                   "new flows": lambda daemon: bench_new_flows(results, daemon, resident_bytes)},
        "lab": {"ports": lambda daemon: bench_ports(results, daemon),
                "restart": lambda daemon: bench_restart(results, daemon),
                "misses": lambda daemon: bench_misses(results, daemon, TIERS["kernel"], "ovs", "misses"),
                "tc": lambda daemon: bench_misses(results, daemon, tc, "tc", "misses into TC (skip_hw)")},
    }[options.where]
    limits = {"ports": bare_ports, "misses": bare_flows, "tc": bare_tc}
    failed = False
    if options.where == "native" and options.only in "bulk":
        print("bulk:", flush=True)
        failed |= not succeeds("bulk", bench_bulk)
    for name, benchmark in benchmarks.items():
        if options.only not in name:
            continue
        print(f"{name}:", flush=True)
        for daemon in options.daemon or DAEMONS:
            failed |= not succeeds(f"{name}, {daemon}", benchmark, daemon)
        if name in limits:
            failed |= not succeeds(f"{name}, bare limit", limits[name], results)
    results.show()
    return failed


if __name__ == "__main__":
    sys.exit(main())
