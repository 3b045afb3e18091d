# SPDX-License-Identifier: Apache-2.0
"""What is in the database after the same calls of ovs-vsctl to the installed daemon and to ours: every column of every table."""
import pytest
from world import Pair, configuration

from harness.rows import differences, rows  # By the path that world.py adds.
from harness.wait import equals


def port(name, *interface, bridge="b", port=()):
    return ["--no-wait", "add-port", bridge, name, *port, "--", "set", "interface", name, *(interface or ["type=dummy"])]


def bridge(name, *settings):
    return ["add-br", name, "--", "set", "bridge", name, "datapath_type=dummy", *settings]


SETUPS = {
    "many kinds of ports": list(configuration()),
    "refused ports": [bridge("b"), port("nodev", "ofport_request=9"), port("p", "type=patch"), port("q", "type=patch", "options:peer=q"),
                      port("r", "type=patch", "options:peer=nowhere")],
    "numbers": [bridge("b"), port("p1", "type=dummy", "ofport_request=7"), port("p2", "type=dummy", "ofport_request=7"), port("p3"),
                port("p4", "type=dummy", "ofport_request=65279"), ["set", "interface", "p3", "ofport_request=12"]],
    "MTU": [bridge("b"), port("p1", "type=dummy", "mtu_request=1400"), port("i1", "type=internal"), port("i2", "type=internal", "mtu_request=9000"),
            ["set", "interface", "p1", "mtu_request=1300"], port("p2", "type=dummy", "mtu_request=5")],
    "addresses": [bridge("b", "other_config:hwaddr=00:11:22:33:44:55"), bridge("c", "other_config:datapath-id=00000000000000ab"),
                  bridge("d", "other_config:hwaddr=01:11:22:33:44:55", "other_config:datapath-id=xyz"),
                  port("i", "type=internal", 'mac="00:11:22:33:44:66"')],
    "bridges": [bridge("b", "fail_mode=secure", "other_config:mac-aging-time=5", "other_config:mac-table-size=7"),
                bridge("c", "protocols=OpenFlow13", "other_config:forward-bpdu=true", "other_config:disable-in-band=true"),
                ["add-br", "fake", "b", "5"]],
    "policing": [bridge("b"), port("p", "type=dummy", "ingress_policing_rate=100", "ingress_policing_burst=10")],
    "a port that goes": [bridge("b"), port("p1"), port("p2"), ["del-port", "p1"], port("p3"), ["set", "port", "p2", "tag=7"]],
    "controllers": [bridge("b"), ["set-controller", "b", "unix:nobody", "ptcp:0:127.0.0.1"]],
}
# ovs-ctl writes the first three for the installed daemon. It has tunnels, of which ours has none, and no eBPF.
OURS = {("Open_vSwitch", column) for column in ("ovs_version", "system_type", "system_version", "datapath_types", "iface_types")}
# Kinds of statistics that dummy devices of the installed daemon have and no others.
EXTRA = ("_q0_", "_custom_")


def comparable(tables):
    for name, table in tables.items():
        for row in table.values():
            for column in [column for column in row if (name, column) in OURS]:
                del row[column]
            if "statistics" in row and isinstance(row["statistics"], list):
                row["statistics"] = [key for key in row["statistics"] if not any(part in key for part in EXTRA)]
            for key in [key for key in row.get("status", {}) if key.startswith("sec_since")]:
                del row["status"][key]
    return tables


@pytest.mark.parametrize("setup", list(SETUPS))
def test_rows(setup):
    with Pair(SETUPS[setup]) as pair:
        for switch in pair.switches:
            switch.vsctl("--timeout=10", "set", "Open_vSwitch", ".", "external_ids:done=true")
        equals(lambda: differences(*(comparable(rows(switch)) for switch in pair.switches)), [], f"rows after {setup}")
