# SPDX-License-Identifier: Apache-2.0
"""What ovs-vsctl asks for, and what the daemon writes back."""
import json
import os
import re

import pytest
from harness import netns
from harness.command import attempt, run
from harness.switch import Bridge, program
from harness.wait import equals, until

# What these tests are about does not depend on where flows run.
pytestmark = pytest.mark.tiers("kernel", "ebpf")


def get(switch, table, row, column):
    """The column, without the quotes that ovs-vsctl puts round strings."""
    return switch.vsctl("get", table, row, column).strip().strip('"')


def link(name):
    """What the kernel says of the interface."""
    return json.loads(run("ip", "-j", "-d", "link", "show", "dev", name))[0]


@pytest.fixture
def device():
    """The name of an interface that does not exist, and will be gone afterwards."""
    name = netns.unique("d")
    yield name
    attempt("ip", "link", "del", name)


def test_open_vswitch_row(switch):
    assert get(switch, "Open_vSwitch", ".", "dpdk_initialized") == "false"
    types = switch.vsctl("get", "Open_vSwitch", ".", "datapath_types", "iface_types")
    for name in ("system", "internal", "patch", "tap"):
        assert name in types
    switch.vsctl("set", "Open_vSwitch", ".", "external_ids:bumped=true")
    assert get(switch, "Open_vSwitch", ".", "cur_cfg") == get(switch, "Open_vSwitch", ".", "next_cfg")


def test_bridge_has_a_local_port(switch, bridge):
    assert get(switch, "interface", bridge.name, "type") == "internal"
    assert get(switch, "interface", bridge.name, "ofport") == "65534"
    mac = get(switch, "interface", bridge.name, "mac_in_use")
    assert link(bridge.name)["address"] == mac
    assert get(switch, "bridge", bridge.name, "datapath_id") == "0000" + mac.replace(":", "")
    bridge.close()
    assert bridge.name not in netns.links()


def test_datapath_id_and_hwaddr(switch, bridge):
    switch.vsctl("set", "bridge", bridge.name, "other_config:datapath-id=00000000deadbeef", "other_config:hwaddr=02:11:22:33:44:55")
    equals(lambda: get(switch, "bridge", bridge.name, "datapath_id"), "00000000deadbeef", "the datapath id")
    assert "dpid:00000000deadbeef" in switch.ofctl("show", bridge.name)
    equals(lambda: link(bridge.name)["address"], "02:11:22:33:44:55", "the bridge's address")


def test_interface_row(switch, bridge, make_vms):
    vm, = make_vms(1)
    bridge.plug(vm)
    seen = link(vm.port)
    assert get(switch, "interface", vm.port, "ofport") == "1"
    assert get(switch, "interface", vm.port, "ifindex") == str(seen["ifindex"])
    assert get(switch, "interface", vm.port, "mac_in_use") == seen["address"]
    assert get(switch, "interface", vm.port, "admin_state") == "up"
    assert get(switch, "interface", vm.port, "link_state") == "up"
    assert get(switch, "interface", vm.port, "mtu") == "1500"
    assert get(switch, "interface", vm.port, "duplex") == "full"
    assert get(switch, "interface", vm.port, "error") == "[]"
    run("ip", "link", "set", vm.port, "down")
    equals(lambda: get(switch, "interface", vm.port, "admin_state"), "down", "the link's state follows")
    run("ip", "link", "set", vm.port, "up", "mtu", "1400")
    equals(lambda: get(switch, "interface", vm.port, "mtu"), "1400", "the MTU follows")


def test_interface_statistics(switch, lan):
    bridge, first, second = lan
    assert first.ping(second, count=5) == 5
    switch.vsctl("set", "Open_vSwitch", ".", "other_config:stats-update-interval=1000")
    try:
        until(lambda: int(switch.vsctl("get", "interface", first.port, "statistics:rx_packets")) >= 5, "statistics are written")
    finally:
        switch.vsctl("remove", "Open_vSwitch", ".", "other_config", "stats-update-interval")


def test_requested_port_numbers(switch, bridge, make_vms):
    first, second = make_vms(2)
    switch.vsctl("add-port", bridge.name, first.port, "--", "set", "interface", first.port, "ofport_request=77")
    switch.vsctl("add-port", bridge.name, second.port, "--", "set", "interface", second.port, "ofport_request=78")
    assert (get(switch, "interface", first.port, "ofport"), get(switch, "interface", second.port, "ofport")) == ("77", "78")
    switch.vsctl("set", "interface", second.port, "ofport_request=79")
    equals(lambda: get(switch, "interface", second.port, "ofport"), "79", "the port has the number newly asked for")


@pytest.mark.unhealthy
def test_missing_device_is_reported_and_picked_up(switch, bridge, device):
    attempt("ovs-vsctl", "--timeout=30", "add-port", bridge.name, device, env=switch.env)
    assert get(switch, "interface", device, "ofport") == "-1"
    assert device in get(switch, "interface", device, "error")
    run("ip", "link", "add", device, "type", "veth")
    until(lambda: int(get(switch, "interface", device, "ofport")) > 0, "the device that has come is a port")
    assert get(switch, "interface", device, "error") == "[]"


@pytest.mark.unhealthy
def test_vanished_device_keeps_its_row(switch, bridge, device):
    run("ip", "link", "add", device, "type", "veth")
    switch.vsctl("add-port", bridge.name, device)
    run("ip", "link", "del", device)
    until(lambda: device in get(switch, "interface", device, "error"), "its row says that it is gone")
    assert device not in switch.ofctl("show", bridge.name)


def test_internal_port(switch, bridge, make_vms):
    """An internal port is an interface of the host, with the MTU and the address that its row asks for."""
    vm, = make_vms(1)
    name = netns.unique("i")
    bridge.plug(vm)
    switch.vsctl("add-port", bridge.name, name, "--", "set", "interface", name, "type=internal", "mtu_request=1400",
                 'mac="02:00:00:00:00:99"')
    assert link(name)["address"] == "02:00:00:00:00:99"
    equals(lambda: link(name)["mtu"], 1400, "the MTU asked for")
    run("ip", "addr", "add", "10.1.0.99/24", "dev", name)
    run("ip", "link", "set", name, "up")
    assert vm.ping("10.1.0.99") == 3
    switch.vsctl("del-port", name)
    assert name not in netns.links()


def test_internal_port_moves_to_a_namespace(switch, bridge, make_vms):
    """As network agents use them: the port goes on where its interface is now."""
    vm, = make_vms(1)
    name = netns.unique("i")
    bridge.plug(vm)
    switch.vsctl("add-port", bridge.name, name, "--", "set", "interface", name, "type=internal")
    number = get(switch, "interface", name, "ofport")
    run("ip", "netns", "add", name)
    try:
        run("ip", "link", "set", name, "netns", name)
        run("ip", "-n", name, "addr", "add", "10.1.0.99/24", "dev", name)
        run("ip", "-n", name, "link", "set", name, "up")
        until(lambda: vm.ping("10.1.0.99", count=1) == 1, "the port answers from its namespace")
        assert (get(switch, "interface", name, "ofport"), get(switch, "interface", name, "error")) == (number, "[]")
        switch.vsctl("del-port", name)
        until(lambda: name not in run("ip", "-n", name, "link", "show"), "the interface is gone")
    finally:
        run("ip", "netns", "del", name)


def test_port_numbers_survive_a_restart(switch, bridge, make_vms):
    first, second = make_vms(2)
    bridge.plug(first)
    bridge.plug(second)
    switch.vsctl("del-port", first.port)
    number = get(switch, "interface", second.port, "ofport")
    switch.stop()
    switch.start()
    assert get(switch, "interface", second.port, "ofport") == number == "2"


def test_tap_port(switch, bridge, device):
    switch.vsctl("add-port", bridge.name, device, "--", "set", "interface", device, "type=tap")
    assert get(switch, "interface", device, "error") == "[]"
    assert device in netns.links()
    switch.vsctl("del-port", device)


def test_patch_ports_join_bridges(switch, bridge, make_vms):
    first, second = make_vms(2)
    other = Bridge(switch)
    bridge.plug(first)
    other.plug(second)
    here, there = netns.unique("p"), netns.unique("p")
    switch.vsctl("add-port", bridge.name, here, "--", "set", "interface", here, "type=patch", f"options:peer={there}", "--",
                 "add-port", other.name, there, "--", "set", "interface", there, "type=patch", f"options:peer={here}")
    assert first.ping(second) == 3
    switch.vsctl("del-port", here)
    until(lambda: first.ping(second, count=1) == 0, "nothing passes without the patch")
    other.close()


def test_native_vlans(bridge, make_vms):
    """The native VLAN leaves a native-untagged trunk without a tag, and arrives there without one."""
    access, native = make_vms(2)
    bridge.plug(access, settings=["tag=10"])
    bridge.plug(native, settings=["vlan_mode=native-untagged", "tag=10", "trunks=20"])
    assert access.ping(native) == 3


def test_tag_change_takes_effect(switch, lan):
    bridge, first, second = lan
    assert first.ping(second) == 3
    switch.vsctl("set", "port", second.port, "tag=5")
    until(lambda: first.ping(second, count=1) == 0, "they are in different VLANs")
    switch.vsctl("set", "port", first.port, "tag=5")
    until(lambda: first.ping(second, count=1) == 1, "they are in the same VLAN again")


def test_ingress_policing(switch, lan):
    """A policed port drops what is above its rate: no more than rate and burst arrive of a fast stream. eBPF programs see to it themselves."""
    bridge, first, second = lan
    switch.vsctl("set", "interface", first.port, "ingress_policing_rate=100", "ingress_policing_burst=10")
    assert ("police" in run("tc", "-s", "filter", "show", "dev", first.port, "ingress")) == (switch.tier.datapath == "system")
    assert first.ping(second, count=50, interval=0.002, size=1400) < 25
    switch.vsctl("set", "interface", first.port, "ingress_policing_rate=0", "ingress_policing_burst=0")
    until(lambda: "police" not in run("tc", "filter", "show", "dev", first.port, "ingress"), "the filter is gone")
    assert first.ping(second, count=20, interval=0.01) == 20


def test_ingress_policing_by_packets(switch, lan):
    _, first, second = lan
    switch.vsctl("set", "interface", first.port, "ingress_policing_kpkts_rate=1", "ingress_policing_kpkts_burst=1")
    assert first.ping(second, count=20, interval=0.01) == 20
    switch.vsctl("set", "interface", first.port, "ingress_policing_kpkts_rate=0")


@pytest.mark.unhealthy
def test_unknown_datapath_type(switch, bridge):
    name = netns.unique("b")
    attempt("ovs-vsctl", "--timeout=5", "add-br", name, "--", "set", "bridge", name, "datapath_type=nonsense", env=switch.env)
    assert name not in netns.links()
    assert attempt("ovs-ofctl", "show", name, env=switch.env).returncode != 0
    switch.vsctl("--no-wait", "del-br", name)
    assert bridge.name in netns.links()


@pytest.mark.unhealthy
def test_second_daemon_waits_for_the_lock(switch, daemon, tmp_path):
    """A second daemon on the same database does nothing, and says why."""
    log, pid = tmp_path / "second.log", tmp_path / "second.pid"
    second = switch.spawn(program(daemon), "unix:" + switch.path("db.sock"), f"--pidfile={pid}", f"--log-file={log}", "-vconsole:off",
                           f"--unixctl={tmp_path}/second.ctl")
    try:
        until(lambda: log.exists() and "another ovs-vswitchd process is running" in log.read_text(), "the second says that it waits")
        switch.vsctl("set", "Open_vSwitch", ".", "external_ids:alone=true")
    finally:
        second.terminate()
        second.wait()


def test_many_ports_in_one_transaction(switch, bridge):
    names = [netns.unique("m") for _ in range(40)]
    try:
        run("ip", "-batch", "-", stdin="".join(f"link add {name} type veth\n" for name in names))
        command = [word for name in names for word in ("--", "add-port", bridge.name, name)]
        switch.vsctl(*command[1:])
        text = switch.ofctl("show", bridge.name)
        assert [name for name in names if f"({name})" not in text] == []
        switch.vsctl(*[word for name in names for word in ("--", "del-port", name)][1:])
        text = switch.ofctl("show", bridge.name)
        assert [name for name in names if f"({name})" in text] == []
    finally:
        run("ip", "-batch", "-", stdin="".join(f"link del {name}\n" for name in names))
