# SPDX-License-Identifier: Apache-2.0
"""An SR-IOV adapter in switchdev mode, emulated by tests/eswitch, and VMs that have its VFs.

    namespace "s<random>"                    own namespace
        eth0  (VF number N) <--- eSwitch ---> representor of VF number N  (vm.port)
"""
import json
import os

from . import netns
from .command import run
from .vm import Vm
from .wait import until

BUS = "/sys/bus/eswemu"
N_VFS = 6
FLOWS = 1000
STATS_PERIOD_MS = 1000


def module():
    """The module that tests/eswitch/build has built."""
    return os.path.abspath(os.path.join(os.environ.get("SLUICE_BUILD", "_build"), "eswitch-plain", "eswemu.ko"))


def write(path, text):
    with open(path, "w") as file:
        file.write(str(text))


class Card:
    """One card with one PF. FLOWS: how many rules its table takes. VFS: how many VMs it is for."""

    def __init__(self, flows=FLOWS, vfs=N_VFS):
        if not os.path.exists(BUS):
            run("insmod", module())
        self.number = next(n for n in range(100) if not os.path.exists(f"{BUS}/devices/card{n}.0"))
        self.handle = f"eswemu/card{self.number}.0"
        self.vfs = vfs
        write(f"{BUS}/new_device", f"{self.number} 1 {vfs} {flows}")
        run("devlink", "dev", "eswitch", "set", self.handle, "mode", "switchdev")
        self.free = []
        self.create_vfs()

    def close(self):
        write(f"{BUS}/del_device", self.number)

    def create_vfs(self):
        """Makes the VFs, and their representors ready to be ports."""
        self.set_numvfs(self.vfs)
        self.free = list(range(self.vfs))
        devices = [self.uplink()] + [self.representor(vf) for vf in self.free]
        run("ip", "-batch", "-", stdin="".join(f"link set {device} addrgenmode none up\n" for device in devices))

    def set_numvfs(self, count):
        write(f"{BUS}/devices/card{self.number}.0/sriov_numvfs", count)

    def uplink(self):
        """The representor of the wire."""
        return f"card{self.number}pf0"

    def cable(self):
        """The far end of the wire."""
        return f"card{self.number}cable0"

    def representor(self, vf):
        return f"card{self.number}pf0rep{vf}"

    def vf(self, vf):
        return f"card{self.number}pf0vf{vf}"

    def set_param(self, name, value):
        run("devlink", "dev", "param", "set", self.handle, "name", name, "value", str(value), "cmode", "runtime")

    def debug(self, name):
        return f"/sys/kernel/debug/eswemu/card{self.number}.0/{name}"

    def rules(self):
        """The rules in the adapter, one line each."""
        with open(self.debug("table")) as table:
            return table.read().splitlines()

    def reset(self):
        """Counters come as they do by default."""
        write(self.debug("freeze_stats"), 0)
        self.set_param("stats_period_ms", STATS_PERIOD_MS)

    def slow_packets(self, *vms):
        """How many packets from VMS the host saw at their representors: those that no rule in the adapter forwarded."""
        total = 0
        for vm in vms:
            stats = json.loads(run("ip", "-j", "stats", "show", "dev", vm.port, "group", "offload", "subgroup", "cpu_hit"))
            total += stats[0]["stats64"]["rx"]["packets"]
        return total


class FarVm(Vm):
    """Another host, at the far end of CARD's wire."""

    def __init__(self, number, card, **options):
        self.card = card
        super().__init__(number, **options)

    def _make_devices(self):
        run("ip", "link", "set", self.card.cable(), "name", "eth0", "address", self.mac, "netns", self.namespace)
        return self.card.uplink()

    def _delete_devices(self):
        run("ip", "-n", self.namespace, "link", "set", "eth0", "down", check=False)
        run("ip", "-n", self.namespace, "link", "set", "eth0", "name", self.card.cable(), "netns", "1", check=False)


class VfVm(Vm):
    """A VM with a VF of CARD."""

    def __init__(self, number, card, **options):
        self.card = card
        self.vf = card.free.pop(0)
        super().__init__(number, **options)

    def _make_devices(self):
        run("ip", "link", "set", self.card.vf(self.vf), "name", "eth0", "address", self.mac, "netns", self.namespace)
        return self.card.representor(self.vf)

    def _delete_devices(self):
        """The VF goes back to the host, unless it has gone for good."""
        run("ip", "-n", self.namespace, "link", "set", "eth0", "down", check=False)
        run("ip", "-n", self.namespace, "link", "set", "eth0", "name", self.card.vf(self.vf), "netns", "1", check=False)
        if self.vf not in self.card.free:
            self.card.free.append(self.vf)

    def replug(self):
        """The VM has its VF again after the adapter lost it."""
        self.card.free.remove(self.vf)
        self._raw.close()
        self._make_devices()
        self._start()
