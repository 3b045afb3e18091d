# SPDX-License-Identifier: Apache-2.0
"""One switch: ovsdb-server with the stock schema, and a daemon (ours or the installed one), in folders of their own."""
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile

from . import netns
from .command import attempt, run
from .wait import until

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
# Debian's own, even where an alternative stands in for /usr/sbin/ovs-vswitchd.
ORACLES = ["/usr/lib/openvswitch-switch/ovs-vswitchd", "/usr/sbin/ovs-vswitchd"]
# For so long after a boot the installed daemon counts no processors and starts no handlers.
ORACLE_UPTIME = 12
# Counters in text form, in the flows that ovs-ofctl prints.
COUNTERS = re.compile(r"n_packets=(\d+), n_bytes=(\d+)")


class Tier:
    """Where flows may run: the datapath_type of bridges and the other_config of the Open_vSwitch row that say so. NEEDS_CARD: the
    VMs have VFs of an adapter."""

    def __init__(self, name, datapath="system", needs_card=False, **other_config):
        self.name = name
        self.datapath = datapath
        self.needs_card = needs_card
        self.dp = f"ovs-{datapath}"  # The datapath's name.
        self.other_config = other_config


TIERS = {tier.name: tier for tier in [
    Tier("kernel"),
    Tier("ebpf", datapath="ebpf"),
    Tier("tc", **{"hw-offload": "true", "tc-policy": "skip_hw"}),
    Tier("hw", needs_card=True, **{"hw-offload": "true"}),
]}


def program(daemon):
    """The path of the daemon called "ours" or "oracle"."""
    if daemon == "oracle":
        return next(path for path in ORACLES if os.path.exists(path))
    return os.path.abspath(os.path.join(os.environ.get("SLUICE_BUILD", "_build"), "sluice-vswitchd"))


class Flow:
    """One line of ovs-ofctl dump-flows."""

    def __init__(self, text):
        self.text = text.strip()
        self.packets, self.bytes = (int(number) for number in COUNTERS.search(text).groups())


class Switch:
    def __init__(self, daemon, tier, namespace=None):
        """NAMESPACE: the network namespace that its programs run in, where not ours."""
        self.daemon = daemon
        self.tier = tier
        self.namespace = namespace
        self.base = tempfile.mkdtemp(prefix="sluice-")
        self.rundir = os.path.join(self.base, "run")
        self.logdir = os.path.join(self.base, "log")
        self.dbdir = os.path.join(self.base, "db")
        for folder in (self.rundir, self.logdir, self.dbdir):
            os.mkdir(folder)
        self.env = {"OVS_RUNDIR": self.rundir, "OVS_LOGDIR": self.logdir, "OVS_DBDIR": self.dbdir,
                    "OVS_SYSCONFDIR": self.dbdir}
        self.database = None
        self.vswitchd = None

    # Starting and stopping.

    def start_database(self):
        path = os.path.join(self.dbdir, "conf.db")
        if not os.path.exists(path):
            run("ovsdb-tool", "create", path, SCHEMA)
        self.database = self.spawn("ovsdb-server", path, "--remote=punix:" + self.path("db.sock"), "--pidfile", "--log-file",
                                    "-vconsole:off", "--remote=db:Open_vSwitch,Open_vSwitch,manager_options")
        until(self._database_listens, "ovsdb-server listens")
        self.vsctl("--no-wait", "init")
        for key, value in self.tier.other_config.items():
            self.vsctl("--no-wait", "set", "Open_vSwitch", ".", f"other_config:{key}={value}")

    def _database_listens(self):
        """Its socket has a name a moment before that."""
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(self.path("db.sock")) == 0

    def stop_database(self):
        """Ends ovsdb-server; what it stores stays."""
        self.database.terminate()
        self.database.wait()
        self.database = None

    def start(self, *options, wrapper=()):
        """Starts the daemon and waits until it has done what the database asks for. WRAPPER: a command that starts it."""
        if self.daemon == "oracle" and os.environ.get("SLUICE_LAB"):
            until(lambda: uptime() > ORACLE_UPTIME, "the machine has run long enough for the installed daemon", ORACLE_UPTIME)
        self.vswitchd = self.spawn(program(self.daemon), "unix:" + self.path("db.sock"), "--pidfile", "--log-file",
                                    "-vconsole:off", *options, wrapper=wrapper)
        until(self._answers, f"{self.daemon} answers ovs-appctl")
        self.vsctl("set", "Open_vSwitch", ".", "external_ids:started=true")

    def stop(self, *options):
        """Asks the daemon to exit (OPTIONS: --cleanup) and waits until it has."""
        self.appctl("exit", *options)
        self.vswitchd.wait(timeout=60)
        status, self.vswitchd = self.vswitchd.returncode, None
        assert status == 0, f"{self.daemon} exited with {status}"

    def kill(self):
        """The daemon dies without a chance to clean up."""
        self.vswitchd.send_signal(signal.SIGKILL)
        self.vswitchd.wait()
        self.vswitchd = None

    def close(self):
        """Ends both programs and removes their folders, whatever state they are in."""
        for process in (self.vswitchd, self.database):
            if process and process.poll() is None:
                process.terminate()
                try:
                    process.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        shutil.rmtree(self.base, ignore_errors=True)

    def spawn(self, *command, wrapper=()):
        """Starts a program that belongs to the switch, by the command WRAPPER if there is one, its output kept in the switch's folder."""
        name = os.path.basename(command[0])
        command = (*wrapper, *command)
        if self.namespace:
            command = ("ip", "netns", "exec", self.namespace, *command)
        with open(os.path.join(self.base, name + ".out"), "a") as output:
            return subprocess.Popen(command, env=self.environment(), cwd=self.base, stdin=subprocess.DEVNULL,
                                    stdout=output, stderr=subprocess.STDOUT, start_new_session=True)

    def environment(self):
        """The variables of a program that talks to this switch."""
        return {**os.environ, **self.env}

    def _answers(self):
        if self.vswitchd.poll() is not None:
            raise AssertionError(f"{self.daemon} ended with {self.vswitchd.returncode}:\n{self.output()}")
        return attempt("ovs-appctl", "version", env=self.env).returncode == 0

    # Talking to it.

    def path(self, name):
        return os.path.join(self.rundir, name)

    def vsctl(self, *arguments, **options):
        try:
            return run("ovs-vsctl", "--timeout=30", *arguments, env=self.env, limit=40, **options)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.condition()}") from None

    def ofctl(self, *arguments, **options):
        return run("ovs-ofctl", "--timeout=30", *arguments, env=self.env, limit=40, **options)

    def appctl(self, *arguments, **options):
        return run("ovs-appctl", *arguments, env=self.env, **options)

    # What it says.

    def output(self):
        """What the daemon wrote where a terminal would be, and its log."""
        text = ""
        for path in (os.path.join(self.base, os.path.basename(program(self.daemon)) + ".out"),
                     os.path.join(self.logdir, "ovs-vswitchd.log")):
            if os.path.exists(path):
                with open(path, errors="replace") as file:
                    text += file.read()
        return text

    def condition(self):
        """For who waited for the daemon in vain: whether it lives, where its threads are, the end of its log."""
        if not self.vswitchd:
            return f"{self.daemon} does not run"
        status = self.vswitchd.poll()
        text = f"{self.daemon} runs" if status is None else f"{self.daemon} ended with {status}"
        if status is None and shutil.which("gdb"):
            text += "\n" + attempt("gdb", "-p", str(self.vswitchd.pid), "-batch", "-ex", "thread apply all backtrace", limit=60).stdout
        return text + "\n" + "\n".join(self.output().splitlines()[-40:])

    def complaints(self):
        """The lines of the log that a healthy run has none of."""
        return [line for line in self.output().splitlines() if re.search(r"\|(WARN|ERR|EMER)\|", line)
                or "Sanitizer" in line or "runtime error" in line]


def uptime():
    with open("/proc/uptime") as file:
        return float(file.read().split()[0])


class Bridge:
    """A bridge of a switch, with a name of its own."""

    def __init__(self, switch, *settings):
        self.switch = switch
        self.name = netns.unique("b")
        self.ports = []
        switch.vsctl("add-br", self.name, "--", "set", "bridge", self.name, f"datapath_type={switch.tier.datapath}", *settings)

    def close(self):
        self.switch.vsctl("--if-exists", "del-br", self.name)

    def plug(self, *vms, settings=()):
        """Plugs VMs in, in one transaction, port numbers as the VMs'. SETTINGS go to all of their Port rows. The megaflows of others know them by then: until a
        revalidation has been, what is sent to who was plugged elsewhere before may be lost."""
        command = []
        for vm in vms:
            command += ["--", "add-port", self.name, vm.port, *settings, "--", "set", "interface", vm.port,
                        f"ofport_request={vm.number}"]
        self.switch.vsctl(*command[1:])
        self.switch.appctl("revalidator/wait")

    def unplug(self, vm):
        self.switch.vsctl("del-port", self.name, vm.port)

    def set_flows(self, *flows, version="OpenFlow13"):
        """Replaces all flows by FLOWS."""
        self.switch.ofctl("-O", version, "replace-flows", self.name, "-", stdin="\n".join(flows) + "\n")

    def flows(self, match="", version="OpenFlow13"):
        """The flows that MATCH takes, as Flow."""
        text = self.switch.ofctl("-O", version, "dump-flows", self.name, *([match] if match else []))
        return [Flow(line) for line in text.splitlines() if "n_packets=" in line]

    def flow(self, match):
        """The one flow that MATCH takes."""
        found = self.flows(match)
        assert len(found) == 1, found
        return found[0]

    def port_counters(self, vm):
        """What ovs-ofctl dump-ports says of the VM's port: a dictionary such as {"rx pkts": 3}."""
        text = self.switch.ofctl("dump-ports", self.name, str(vm.number))
        counters = {}
        for direction, numbers in re.findall(r"\b(rx|tx) ([^\n]*)", text):
            counters.update({f"{direction} {name}": int(number) for name, number in re.findall(r"(\w+)=(\d+)", numbers)})
        return counters
