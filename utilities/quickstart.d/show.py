#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The quick start's show: a switch, three VMs, a controller, and proof of what was said. Run by ./quickstart.

    web  10.1.0.1 --\\                          may talk:  web - db, web - guest
    db   10.1.0.2 ---- bridge --- controller     may not:  db - guest
    guest 10.1.0.3 -/

The last act (adapter.py) gives three such VMs virtual functions of an adapter.
"""
import argparse
import itertools
import json
import os
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tests", "system"))

from adapter import Adapter  # noqa: E402
from harness.command import attempt, run  # noqa: E402
from harness.switch import Bridge, Switch, Tier  # noqa: E402
from harness.vm import Vm  # noqa: E402
from harness.wait import until  # noqa: E402

ADDRESSES = {"web": "10.1.0.1", "db": "10.1.0.2", "guest": "10.1.0.3"}
NAMES = list(ADDRESSES)
MAY_TALK = [("web", "db"), ("web", "guest")]
PINGS = 3
ACTS = ["vms", "adapter"]


def heading(text):
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def free_port():
    """A TCP port of this host that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_controller(policy, port, log):
    """Starts the controller, which takes a while to listen. Returns its subprocess.Popen."""
    command = ["/usr/bin/python3", "-m", "os_ken.cmd.manager", "--ofp-listen-host", "127.0.0.1", "--ofp-tcp-listen-port", str(port),
               os.path.join(HERE, "controller.py")]
    with open(log, "w") as output:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                env={**os.environ, "SLUICE_POLICY": json.dumps(policy), "PYTHONDONTWRITEBYTECODE": "1"})


class Show:
    may_talk = MAY_TALK
    heading = staticmethod(heading)

    def __init__(self, options):
        self.options = options
        self.adapter = None
        self.bridge = None
        self.vms = {}
        self.controller = None
        self.wrong = []
        self.switch = Switch(options.daemon, Tier("quickstart", **{"hw-offload": "true", "max-idle": "60000"}))
        self.controller_log = os.path.join(self.switch.base, "controller.log")

    def close(self):
        if self.adapter:
            self.adapter.close()
        if self.controller:
            self.controller.terminate()
            self.controller.wait()
        if self.switch.vswitchd:
            attempt("ovs-appctl", "exit", "--cleanup", env=self.switch.env)
        self.switch.close()
        for vm in self.vms.values():
            vm.close()

    def check(self, true, text):
        """Says TEXT and whether it is true."""
        print(f"    {'ok   ' if true else 'WRONG'} {text}", flush=True)
        if not true:
            self.wrong.append(text)

    def start(self):
        heading("A switch: ovsdb-server, " + os.path.basename(self.switch_program()))
        self.switch.start_database()
        self.switch.start()
        print("    " + self.switch.appctl("version").splitlines()[0])

    def act_vms(self):
        port = free_port()
        policy = [[ADDRESSES[a], ADDRESSES[b]] for a, b in MAY_TALK]
        self.controller = start_controller(policy, port, self.controller_log)
        self.set_up(port)
        self.talk()
        self.megaflows()
        self.count()

    def act_adapter(self):
        self.adapter = Adapter(self)
        self.adapter.set_up(NAMES)
        self.adapter.talk(PINGS)
        self.adapter.megaflows()

    def set_up(self, port):
        heading("Three virtual machines, plugged in with ovs-vsctl")
        self.bridge = Bridge(self.switch, "fail_mode=secure", "other_config:disable-in-band=true")
        for number, name in enumerate(NAMES, 1):
            self.vms[name] = Vm(number)
            assert self.vms[name].ip == ADDRESSES[name]
        self.bridge.plug(*self.vms.values())
        for name, vm in self.vms.items():
            print(f"    {name:6} {vm.ip}  port {vm.port}")
        remark = self.switch.vsctl("--if-exists", "get", "bridge", self.bridge.name, "status:datapath").strip().strip('"')
        if remark:
            print("    " + remark)
        heading("A controller, which decides who may talk to whom: " + ", ".join(f"{a} - {b}" for a, b in MAY_TALK))
        until(lambda: self.controller_listens(port), "the controller listens", limit=30)
        self.switch.vsctl("set-controller", self.bridge.name, f"tcp:127.0.0.1:{port}")
        self.switch.vsctl("wait-until", "controller", self.bridge.name, "is_connected=true")
        until(lambda: len(self.bridge.flows()) == 2, "the controller's first rules are in the switch")
        self.check(True, "the controller is connected")

    def controller_listens(self, port):
        if self.controller.poll() is not None:
            with open(self.controller_log) as log:
                raise AssertionError("the controller ended:\n" + log.read())
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def switch_program(self):
        return "ovs-vswitchd, the installed one" if self.options.daemon == "oracle" else "sluice-vswitchd"

    def talk(self):
        heading("Who can talk to whom")
        for first, second in itertools.combinations(NAMES, 2):
            may = (first, second) in MAY_TALK
            answered = self.vms[first].ping(self.vms[second], count=PINGS)
            self.check(answered == (PINGS if may else 0),
                       f"{first} -> {second}: {answered} of {PINGS} pings answered, {'allowed' if may else 'refused'}")
            if may:
                self.use_rule(self.vms[first], self.vms[second])

    def use_rule(self, source, target):
        """On a slow machine all those pings may have gone by the controller, before its rule came."""
        match = f"ip,nw_src={source.ip},nw_dst={target.ip}"
        until(lambda: source.ping(target, count=1) and any(flow.packets for flow in self.bridge.flows(match)),
              f"{source.ip} talks to {target.ip} by its rule")

    def count(self):
        """Each ping went by the controller or by the rule that it made. One on its way while the rule came may count for both."""
        heading("What the controller decided, and what its rules have seen")
        with open(self.controller_log) as log:
            decisions = [line.strip() for line in log if "->" in line]
        for first, second in itertools.combinations(NAMES, 2):
            may = (first, second) in MAY_TALK
            source, target = self.vms[first].ip, self.vms[second].ip
            answer = f"{source} -> {target}: {'allowed' if may else 'refused'}"
            asked = decisions.count(answer)
            match = f"ip,nw_src={source},nw_dst={target}"
            until(lambda m=match, least=PINGS - asked: self.bridge.flow(m).packets >= least, f"the rule {match} has counted")
            flow = self.bridge.flow(match)
            actions = flow.text.split("actions=")[1]
            self.check(asked > 0 and (actions == "drop") != may,
                       f"{answer}; {asked} asked the controller, {flow.packets} met its rule: {actions}")

    def megaflows(self):
        heading("Each megaflow: where it runs, and why not lower")
        if self.options.daemon == "oracle":
            print(self.switch.appctl("dpctl/dump-flows", "-m"))
            return
        print("".join("    " + line + "\n" for line in self.sluicectl("flows").splitlines()), end="")
        flows = json.loads(self.sluicectl("flows", "--json"))
        self.check(all(flow["tier"] and flow["why"] for flow in flows), f"each of {len(flows)} megaflows has its place and a reason")
        for first, second in itertools.combinations(NAMES, 2):
            pair = f"ipv4(src={self.vms[first].ip},dst={self.vms[second].ip}"
            there = {"drop" if flow["actions"] == "drop" else "forward" for flow in flows if pair in flow["match"]}
            wanted = "forward" if (first, second) in MAY_TALK else "drop"
            self.check(there == {wanted}, f"{first} -> {second}: the megaflow's actions {wanted}")

    def sluicectl(self, *arguments):
        return run(os.path.join(os.environ["SLUICE_BUILD"], "sluicectl"), *arguments, env=self.switch.env)

    def shell(self):
        heading("A shell beside it all; leave it with exit")
        print("    ovs-vsctl show; sluicectl flows; sluicectl offload")
        for vms in [self.vms, self.adapter.vms if self.adapter else {}]:
            for name, vm in vms.items():
                print(f"    ip netns exec {vm.namespace} ping {vms['web'].ip}    # from {name}")
        build = os.environ.get("SLUICE_BUILD", "")
        subprocess.run(["bash", "--norc", "-i"], check=False,
                       env={**os.environ, **self.switch.env, "PATH": f"{build}:{os.environ['PATH']}", "PS1": "quickstart# "})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--acts", nargs="+", choices=ACTS, default=ACTS)
    parser.add_argument("--daemon", choices=["ours", "oracle"], default=os.environ.get("SLUICE_DAEMON", "ours"))
    show = Show(parser.parse_args())
    try:
        show.start()
        for act in show.options.acts:
            getattr(show, "act_" + act)()
        if show.options.keep:
            show.shell()
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        show.check(False, str(error))
        print(show.switch.output()[-3000:])
    finally:
        show.close()
    heading("All of it was true." if not show.wrong else f"{len(show.wrong)} of it was wrong:")
    for text in show.wrong:
        print("    " + text)
    return 1 if show.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
