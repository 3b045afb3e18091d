# SPDX-License-Identifier: Apache-2.0
"""Both daemons, each in a network namespace of its own, with the same bridges, ports and packets: agent.py [--show] DATAPATHS.

kernel: both on openvswitch.ko, in the lab. ebpf: the installed daemon on its userspace datapath and ours on the eBPF one, on this host;
module-ebpf: the installed one on openvswitch.ko and ours on eBPF, in the lab.

Cases come in on standard input and what came of them goes out, one line of JSON each; --show: one case, and what came of it for people to read. Each port of the bridges has its other end in a second namespace,
where frames are sent and received. After a packet MARKERS are sent through a bridge of their own: each is new to the datapath, so that the daemon, which takes
what the datapath does not know in the order of its coming, has done with the packet once the marker is out. That takes one handler.
"""
import json
import os
import re
import select
import socket
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import world  # noqa: E402
from control import Control  # noqa: E402
from harness import netns  # noqa: E402
from harness.command import run  # noqa: E402
from harness.switch import Switch, Tier  # noqa: E402
from harness.vm import open_raw, receive_frame  # noqa: E402
from harness.wait import PATIENCE  # noqa: E402
from openflow import Session  # noqa: E402
from outcome import difference  # noqa: E402

MARKER_TYPE = struct.pack("!H", 0x88b6)
# A packet visits the daemon again for each recirculation.
ROUNDS = 3
DURATION = re.compile(r"duration=[^,]*, ")
COUNTERS = re.compile(r"n_packets=(\d+), n_bytes=(\d+), ")
LOCAL = 0xfffffffe
DATAPATHS = {"kernel": {"oracle": "system", "ours": "system"}, "ebpf": {"oracle": "netdev", "ours": "ebpf"},
             "module-ebpf": {"oracle": "system", "ours": "ebpf"}}


class Plant:
    """A daemon with its database, bridges and ports; sockets at the other end of each port."""

    def __init__(self, daemon, datapath, among):
        """AMONG: the datapaths of all plants."""
        self.inner, self.outer = netns.unique("d"), netns.unique("w")
        self.switch = Switch(daemon, Tier(datapath, datapath, **{"max-idle": "3600000", "n-handler-threads": "1"}), namespace=self.inner)
        self.counts_tags = "ebpf" not in among
        self.sockets, self.sessions, self.control, self.database, self.n_markers = {}, {}, None, None, 0

    def start(self):
        netns.add(self.inner)
        netns.add(self.outer)
        for namespace in (self.inner, self.outer):
            run("ip", "netns", "exec", namespace, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        ports = [port for bridge in world.PORTS.values() for port in bridge if port not in world.PATCHES] + world.MARKER_PORTS
        run("ip", "-n", self.inner, "-batch", "-", stdin="".join(
            f"link add {port} type veth peer name {port} netns {self.outer}\nlink set {port} up\n" for port in ports))
        run("ip", "-n", self.outer, "-batch", "-", stdin="".join(f"link set {port} up\n" for port in ports))
        self.switch.start_database()
        self.switch.start()
        self.switch.vsctl(*[word for arguments in world.configuration("system", marker=True, datapath=self.switch.tier.datapath) for word in ["--", *arguments]][1:])
        for port, arguments in world.PORT_CONFIG.items():
            self.switch.ofctl("mod-port", arguments[0], port, arguments[1])
        self.switch.ofctl("add-flow", world.MARKER, "in_port=1,actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],output:2")
        run("ip", "-n", self.inner, "-batch", "-", stdin="".join(f"link set {bridge} up\n" for bridge in world.BRIDGES))
        self.control = Control(self.switch.path(f"ovs-vswitchd.{self.switch.vswitchd.pid}.ctl"))
        self.database = Control(self.switch.path("db.sock"))
        self.sockets[None] = open_raw(self.outer)
        for bridge in world.BRIDGES:
            self.sockets[bridge] = open_raw(self.inner, bridge)

    def close(self):
        for thing in [*self.sockets.values(), *self.sessions.values(), self.control, self.database, self.switch]:
            if thing:
                thing.close()
        for namespace in (self.inner, self.outer):
            netns.delete(namespace)

    # Configuration.

    def session(self, bridge, version="OpenFlow13"):
        if (bridge, version) not in self.sessions:
            self.sessions[bridge, version] = Session(self.switch.path(bridge + ".mgmt"), version)
        return self.sessions[bridge, version]

    def configure(self, rows):
        """Brings ports and bridges to what the case wants, and waits for it. ROWS: [[table, name, columns], ...]"""
        updates = [{"op": "update", "table": table, "where": [["name", "==", name]], "row": columns} for table, name, columns in rows]
        count = [{"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [["next_cfg", "+=", 1]]},
                 {"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["next_cfg"]}]
        answer = self.database.call("transact", "Open_vSwitch", *updates, *count)
        assert not any("error" in result for result in answer if result), answer
        number = answer[-1]["rows"][0]["next_cfg"]
        answer = self.database.call("transact", "Open_vSwitch", {
            "op": "wait", "timeout": int(20000 * PATIENCE), "table": "Open_vSwitch", "where": [], "columns": ["cur_cfg"], "until": "==",
            "rows": [{"cur_cfg": number}]})
        assert "error" not in answer[0], answer

    def prepare(self, case):
        """Database and flows as the case wants them; the errors that flows met with."""
        self.configure(case["rows"])
        self.control.call("fdb/flush")
        return [self.session(bridge, case["version"]).send(bytes.fromhex(flows))[0] for bridge, flows in case["messages"].items()]

    def forget(self, case):
        """Leaves nothing of the case but the database. Connections end with it: one that rests for long is probed, and then closed."""
        for bridge in case["messages"]:
            self.session(bridge).delete_flows()
        for session in self.sessions.values():
            session.close()
        self.sessions = {}

    # Packets.

    def send(self, bridge, port, frame):
        if port == "LOCAL":
            self.sockets[bridge].send(frame)
        else:
            self.sockets[None].sendto(frame, (port, 0))

    def mark(self):
        self.n_markers += 1
        self.marker = struct.pack("!HI", 0x0200, self.n_markers)
        self.sockets[None].sendto(bytes(6) + self.marker + MARKER_TYPE + bytes(46), (world.MARKER_PORTS[0], 0))

    def received(self):
        """What has come out when the last marker is: [(port, frame)]."""
        frames, over = [], False
        while not over:
            readable = select.select(list(self.sockets.values()), [], [], 10 * PATIENCE)[0]
            if not readable:
                raise AssertionError(f"{self.switch.daemon}: the marker is lost\n{self.switch.output()[-3000:]}")
            for name, sock in self.sockets.items():
                if sock not in readable:
                    continue
                device, frame = receive_frame(sock)
                if device == world.MARKER_PORTS[1]:
                    over = frame[6:12] == self.marker
                elif device != world.MARKER_PORTS[0]:
                    frames.append((f"{name} LOCAL" if name else device, frame.hex()))
        return frames

    # What it counts.

    def rules(self, bridge):
        """{rule as text: [packets, bytes]}, of rules that are the same the sum."""
        counted = {}
        for line in self.control.call("bridge/dump-flows", bridge).splitlines():
            rule = DURATION.sub("", line)
            if "table_id=254" not in rule and (numbers := COUNTERS.search(rule)):
                packets, length = counted.get(COUNTERS.sub("", rule), [0, 0])
                counted[COUNTERS.sub("", rule)] = [packets + int(numbers[1]), length + int(numbers[2])]
        return counted

    def port_counters(self, bridge):
        """{number: (packets received, sent, bytes received, sent)}

        Those of LOCAL the userspace datapath counts the other way round than openvswitch.ko and eBPF. Where it is compared with eBPF the bytes that go out are left out: a device
        counts a tag in the packet, but not one beside it, where the kernel has it."""
        counters = self.session(bridge).port_counters()
        if self.switch.tier.datapath == "netdev":
            received, sent, received_bytes, sent_bytes = counters[LOCAL]
            counters[LOCAL] = [sent, received, sent_bytes, received_bytes]
        if not self.counts_tags:
            for port, numbers in counters.items():
                numbers[2 if port == LOCAL else 3] = 0
        return counters

    def megaflows(self):
        lines = self.control.call("dpctl/dump-flows", "--names").splitlines()
        return [line for line in lines if "actions:" in line and f"in_port({world.MARKER_PORTS[0]})" not in line]

    def learned(self, bridge):
        """The MAC table without ages."""
        return sorted(line.split()[:3] for line in self.control.call("fdb/show", bridge).splitlines()[1:])


def together(plants, frames, case, number):
    """Sends a packet to all plants; what came out of each, in no order."""
    for plant in plants:
        plant.send(case["bridge"], *frames[number])
    out = [[] for _ in plants]
    for _ in range(ROUNDS):
        for plant in plants:
            plant.mark()
        for i, plant in enumerate(plants):
            out[i] += plant.received()
    return [sorted(frames) for frames in out]


def each(plants, *command):
    for plant in plants:
        answer = plant.control.call(*command)
        assert not str(answer).startswith("error"), f"{plant.switch.daemon}: {command}: {answer}"


def outcome(plants, case):
    """What the case does, for each plant. Each packet first meets a datapath without flows; then all of them again, while revalidators rest, so that
    which flow takes which packet does not depend on the time."""
    frames = [(port, bytes.fromhex(frame)) for port, frame in case["frames"]]
    each(plants, "revalidator/purge")
    result = [{"refused": plant.prepare(case)} for plant in plants]
    before = [{bridge: plant.port_counters(bridge) for bridge in case["messages"]} for plant in plants]
    first, second = [], []
    for number in range(len(frames)):
        each(plants, "revalidator/purge")
        first.append(together(plants, frames, case, number))
    each(plants, "revalidator/purge")
    each(plants, "revalidator/pause")
    for number in range(len(frames)):
        second.append(together(plants, frames, case, number))
    for i, plant in enumerate(plants):
        result[i].update(first=[out[i] for out in first], second=[out[i] for out in second], megaflows=plant.megaflows(),
                         learned={bridge: plant.learned(bridge) for bridge in case["messages"]})
    each(plants, "revalidator/purge")
    each(plants, "revalidator/resume")
    for i, plant in enumerate(plants):
        result[i]["rules"] = {bridge: plant.rules(bridge) for bridge in case["messages"]}
        result[i]["ports"] = {bridge: {str(port): [new - old for new, old in zip(numbers, before[i][bridge][port])]
                                       for port, numbers in plant.port_counters(bridge).items()} for bridge in case["messages"]}
        plant.forget(case)
    return result


def show(plants, case):
    """Runs the case and prints it all."""
    results = outcome(plants, case)
    for plant, result in zip(plants, results):
        print(plant.switch.daemon, json.dumps(result, indent=1))
    print(difference(*results) or "nothing differs")


def main():
    datapaths = DATAPATHS[sys.argv[-1]]
    plants = [Plant(daemon, datapath, datapaths.values()) for daemon, datapath in datapaths.items()]
    try:
        for plant in plants:
            plant.start()
        if "--show" in sys.argv:
            show(plants, json.load(sys.stdin))
        else:
            print(json.dumps("ready"), flush=True)
            for line in sys.stdin:
                print(json.dumps(outcome(plants, json.loads(line))), flush=True)
        for plant in plants:
            plant.switch.stop("--cleanup")
    finally:
        for plant in plants:
            plant.close()


if __name__ == "__main__":
    main()
