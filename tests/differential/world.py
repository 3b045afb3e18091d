# SPDX-License-Identifier: Apache-2.0
"""Both daemons with the same bridges of dummy ports.

    plain    p1 .. p6, no VLAN configuration; p6 does not take part in floods
    vlan     v1 access 10, v2 trunk 10 and 20, v3 native-untagged 20, v4 native-tagged 10, v5 dot1q-tunnel 30 for 7 and 10,
             v6 and v8 trunks of all with priority tags if not zero, and always, v7 access 20; v1 and v7 are protected
    left     a1, a2, a3 -- patch -- right: b1, b2, b3 (b3 is told not to forward)
"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "system"))
from harness.switch import Switch, Tier  # noqa: E402

from control import Control  # noqa: E402

BRIDGES = {"plain": 0, "vlan": 10, "left": 20, "right": 30}
PORTS = {"plain": {f"p{i}": i for i in range(1, 7)},
         "vlan": {f"v{i}": 10 + i for i in range(1, 9)},
         "left": {"a1": 21, "a2": 22, "a3": 23, "toright": 29},
         "right": {"b1": 31, "b2": 32, "b3": 33, "toleft": 39}}
PATCHES = {"toright": "toleft", "toleft": "toright"}
SETTINGS = {"v1": ["tag=10", "protected=true"], "v2": ["trunks=10,20"], "v3": ["tag=20", "vlan_mode=native-untagged"],
            "v4": ["tag=10", "vlan_mode=native-tagged"], "v5": ["tag=30", "vlan_mode=dot1q-tunnel", "cvlans=7,10"],
            "v6": ["other_config:priority-tags=if-nonzero"], "v8": ["other_config:priority-tags=always"], "v7": ["tag=20", "protected=true"]}
# In the lab: what is sent into the first port of this bridge comes out of the second.
MARKER, MARKER_PORTS = "marker", ["m1", "m2"]
PORT_CONFIG = {"p6": ["plain", "no-flood"], "b3": ["right", "no-forward"]}


class Died(Exception):
    """The daemon called name ended of what it was asked."""

    def __init__(self, name, packet, error):
        super().__init__(f"{name} died of {packet}: {error}")
        self.name = name


class Daemon:
    def __init__(self, name):
        self.name = name
        self.start()

    def start(self):
        self.switch = Switch(self.name, Tier("dummy"))
        self.switch.start_database()
        self.switch.start("--enable-dummy")
        self._configure()
        pid = self.switch.vswitchd.pid
        self.control = Control(self.switch.path(f"ovs-vswitchd.{pid}.ctl"))
        self.dp_ports = dict((number, name) for name, number in
                             re.findall(r"^ +(\S+) \d+/(\d+):", self.control.call("dpif/show"), re.MULTILINE))

    def close(self):
        self.control.close()
        self.switch.close()

    def _configure(self):
        for arguments in configuration():
            self.switch.vsctl(*arguments)
        for port, arguments in PORT_CONFIG.items():
            self.switch.ofctl("mod-port", arguments[0], port, arguments[1])

    def set_flows(self, bridge, version, flows):
        """Adds flows. What the daemon says if it refuses one."""
        result = subprocess.run(["ovs-ofctl", "-O", version, "add-flows", bridge, "-"], env={**os.environ, **self.switch.env},
                                input="\n".join(flows), text=True, capture_output=True, timeout=60)
        return re.sub(r"\(xid=0x[0-9a-f]+\)", "", result.stderr.partition("\n")[0])

    def forget(self, bridges):
        """Deletes what a case left. The installed daemon takes a moment to forget rules: until then they still show in its masks."""
        self.control.call("fdb/flush")
        for bridge in bridges:
            self.set_flows(bridge, "OpenFlow13", ["delete"])

    def restart(self):
        self.close()
        self.start()

    def trace(self, bridge, packet, generate):
        try:
            return self.control.call("ofproto/trace", bridge, packet, *(["-generate"] if generate else []))
        except (OSError, EOFError) as error:
            raise Died(self.name, packet, error) from None


def configuration(kind="dummy", marker=False, datapath=None):
    """ovs-vsctl's arguments, call by call, for bridges and ports of this kind: dummy or system. DATAPATH: the bridges' where it is called otherwise."""
    datapath = datapath or kind
    for bridge in BRIDGES:
        yield ["add-br", bridge, "--", "set", "bridge", bridge, f"datapath_type={datapath}", "fail_mode=secure",
               "protocols=OpenFlow10,OpenFlow13"]
        for port, number in PORTS[bridge].items():
            interface = ["type=patch", f"options:peer={PATCHES[port]}"] if port in PATCHES else [f"type={kind}"]
            yield ["add-port", bridge, port, *SETTINGS.get(port, []), "--", "set", "interface", port, *interface,
                   f"ofport_request={number}"]
    if marker:
        yield ["add-br", MARKER, "--", "set", "bridge", MARKER, f"datapath_type={datapath}", "fail_mode=secure"]
        for number, port in enumerate(MARKER_PORTS, 1):
            yield ["add-port", MARKER, port, "--", "set", "interface", port, f"ofport_request={number}"]


class Pair:
    """The installed daemon and ours, configured by the same calls of ovs-vsctl."""

    def __init__(self, setup):
        self.switches = []
        try:
            for name in ("oracle", "ours"):
                switch = Switch(name, Tier("dummy"))
                self.switches.append(switch)
                switch.start_database()
                switch.start("--enable-dummy")
                for arguments in setup:
                    switch.vsctl(*arguments)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for switch in self.switches:
            switch.close()

    def ofctl(self, *arguments, **options):
        """What ovs-ofctl prints of each; it must succeed."""
        return [switch.ofctl(*arguments, **options) for switch in self.switches]
