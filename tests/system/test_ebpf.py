# SPDX-License-Identifier: Apache-2.0
"""What is the eBPF datapath's own: its hooks, its pins, its maps, and what it says where a host cannot have it."""
import os
import re

import pytest
from harness import bpf, netns
from harness.command import attempt, run
from harness.switch import Bridge, Switch
from harness.wait import PATIENCE, equals, until
from test_database import get
from test_forwarding import datagram
from test_offload import flows_from
from test_restart import lost_while

pytestmark = [pytest.mark.ours, pytest.mark.tiers("ebpf")]

BPFFS = "/sys/fs/bpf"
PREFERENCE = "45056"  # Of the filter that holds the program where clsact is the hook.


def pins(switch):
    """The folder of the switch's pins."""
    return f"{BPFFS}/sluice{re.sub('[/.]', '_', switch.rundir)}_{switch.tier.dp}"


def use_clsact(switch, clsact=True):
    """With offload filters of TC come first, so that the programs are attached by clsact on every kernel."""
    switch.vsctl("set", "Open_vSwitch", ".", f"other_config:hw-offload={'true' if clsact else 'false'}")


@pytest.fixture
def clsact(switch):
    use_clsact(switch)
    yield
    use_clsact(switch, False)


def at_clsact(vm):
    return "sluice_port" in run("tc", "filter", "show", "dev", vm.port, "ingress")


# Hooks.

def test_programs_of_others_are_chained(switch, lan):
    """A program that was there before decides first; one that comes later does not take our packets."""
    bridge, first, second = lan
    assert first.ping(second) == 3
    if not bpf.has_tcx():
        return  # Clsact, as below.
    bridge.unplug(first)
    fd = bpf.program(bpf.NEXT)
    bpf.attach_tcx(fd, first.port)
    bridge.plug(first)
    assert len(bpf.programs(first.port)) == 2
    assert first.ping(second) == 3
    drop = bpf.program(bpf.SHOT)
    bpf.attach_tcx(drop, second.port)
    assert first.ping(second) == 3
    bridge.unplug(first)
    assert len(bpf.programs(first.port)) == 1
    os.close(fd)
    os.close(drop)


def test_hook_moves_while_packets_pass(switch, lan):
    """From tcx to clsact and back, when offload is turned on and off. The kernel may drop what a device is to send while it is given a queueing
    discipline (dev_deactivate() in net/sched/sch_api.c), so that a few packets are lost, but the programs see all that come in."""
    bridge, first, second = lan
    assert first.ping(second) == 3

    def move():
        use_clsact(switch)
        assert at_clsact(first) and at_clsact(second)
        use_clsact(switch, False)

    lost, sent = lost_while(first, second, move)
    assert lost <= 5 * PATIENCE < sent
    if bpf.has_tcx():
        assert not at_clsact(first) and len(bpf.programs(first.port)) == 1
        assert "qdisc ingress" not in run("tc", "qdisc", "show", "dev", first.port)


def test_filters_before_ours_see_packets_first(switch, clsact, lan):
    bridge, first, second = lan
    assert first.ping(second) == 3
    path = f"{BPFFS}/{netns.unique('t')}"
    fd = bpf.program(bpf.SHOT)
    bpf.pin(fd, path)
    run("tc", "filter", "add", "dev", first.port, "ingress", "pref", "10", "bpf", "da", "object-pinned", path)
    os.unlink(path)
    os.close(fd)
    assert first.ping(second, count=2) == 0
    run("tc", "filter", "del", "dev", first.port, "ingress", "pref", "10")
    assert first.ping(second) == 3


@pytest.mark.unhealthy
def test_filter_in_our_place_is_refused_by_name(switch, clsact, bridge, make_vms):
    vm, = make_vms(1)
    run("tc", "qdisc", "add", "dev", vm.port, "clsact")
    run("tc", "filter", "add", "dev", vm.port, "ingress", "pref", PREFERENCE, "protocol", "ip", "u32", "match", "u32", "0", "0", "flowid", "1:1")
    switch.vsctl("add-port", bridge.name, vm.port)
    error = get(switch, "interface", vm.port, "error")
    assert "u32 filter of somebody else" in error and PREFERENCE in error
    run("tc", "filter", "del", "dev", vm.port, "ingress", "pref", PREFERENCE)
    switch.vsctl("set", "interface", vm.port, "ofport_request=9")
    assert get(switch, "interface", vm.port, "error") == "[]"
    switch.vsctl("del-port", vm.port)
    assert "clsact" in run("tc", "qdisc", "show", "dev", vm.port), "what others made stays"


def at_xdp(vm):
    return "prog/xdp id" in run("ip", "link", "show", "dev", vm.port)


@pytest.mark.unhealthy
def test_xdp_comes_and_goes(own_switch, make_vms):
    """As Interface.options:xdp says, also where the daemon was not there when that was changed, and only where filters of TC do not come first."""
    own_switch.start()
    bridge = Bridge(own_switch)
    first, second = make_vms(2)
    bridge.plug(first, second)

    def ask(how, *options):
        own_switch.vsctl(*options, "set", "interface", first.port, f"options:xdp={how}")

    ask("native")
    assert at_xdp(first) and not at_xdp(second)
    assert first.ping(second) == 3
    for how in ("none", "native"):
        ask(how)
        assert at_xdp(first) == (how == "native")
        assert first.mac in own_switch.appctl("fdb/show", bridge.name), "the port stayed while its options changed"
        assert first.ping(second) == 3
    own_switch.vsctl("remove", "interface", first.port, "options", "xdp")
    assert not at_xdp(first), "what is not asked for any more goes"
    ask("native")
    assert first.ping(second) == 3
    own_switch.kill()
    assert at_xdp(first)
    assert first.ping(second) == 3
    ask("none", "--no-wait")
    own_switch.start()
    until(lambda: not at_xdp(first), "what the earlier daemon was asked for has gone")
    ask("native")
    assert at_xdp(first)
    use_clsact(own_switch)
    assert not at_xdp(first) and "hw-offload" in error_of(own_switch, first)
    assert first.ping(second) == 3
    use_clsact(own_switch, False)
    assert at_xdp(first) and error_of(own_switch, first) == "[]"
    bridge.close()


def error_of(switch, vm):
    return get(switch, "interface", vm.port, "error")


@pytest.mark.unhealthy
def test_other_config_asks_for_xdp_too(switch, lan):
    _, first, second = lan
    switch.vsctl("set", "interface", first.port, "other_config:xdp=native")
    assert at_xdp(first) and error_of(switch, first) == "[]"
    assert first.ping(second) == 3
    switch.vsctl("set", "interface", first.port, "options:xdp=none")
    assert not at_xdp(first), "options come first"
    switch.vsctl("remove", "interface", first.port, "options", "xdp", "--", "set", "interface", first.port, "other_config:xdp=offload")
    assert not at_xdp(first) and "xdp=offload" in error_of(switch, first)
    switch.vsctl("remove", "interface", first.port, "other_config", "xdp")
    assert error_of(switch, first) == "[]"


def refused_xdp(switch, vm, *words):
    """Asks for what cannot be had: Interface.error says it in WORDS, and the port forwards."""
    switch.vsctl("set", "interface", vm.port, "options:xdp=native")
    error = error_of(switch, vm)
    assert all(word in error for word in ("no XDP hook", "TC hook", *words)), error
    assert int(get(switch, "interface", vm.port, "ofport")) > 0
    assert any(word in line for line in switch.complaints() for word in words)


@pytest.mark.unhealthy
def test_program_of_others_at_xdp_is_named(switch, lan):
    _, first, second = lan
    path = f"{BPFFS}/{netns.unique('x')}"
    fd = bpf.program(bpf.PASS, bpf.XDP)
    bpf.pin(fd, path)
    run("ip", "link", "set", "dev", first.port, "xdp", "pinned", path)
    os.unlink(path)
    os.close(fd)
    refused_xdp(switch, first, "foreign", "of somebody else")
    assert first.ping(second) == 3
    switch.vsctl("remove", "interface", first.port, "options", "xdp")
    assert at_xdp(first) and error_of(switch, first) == "[]", "it is not ours to take off"
    refused_xdp(switch, first, "foreign")
    run("ip", "link", "set", "dev", first.port, "xdp", "off")
    until(lambda: at_xdp(first) and error_of(switch, first) == "[]", "the hook is free, and taken")
    assert first.ping(second) == 3


@pytest.mark.unhealthy
def test_packets_too_large_for_xdp(switch, lan):
    _, first, second = lan
    run("ip", "link", "set", "dev", first.port, "mtu", "9000")
    first.run("ip", "link", "set", "dev", "eth0", "mtu", "9000")
    refused_xdp(switch, first, "MTU")
    assert first.ping(second) == 3
    first.run("ip", "link", "set", "dev", "eth0", "mtu", "1500")
    until(lambda: at_xdp(first) and error_of(switch, first) == "[]", "the packets are small enough")


@pytest.mark.unhealthy
def test_device_without_xdp(switch, bridge):
    name = netns.unique("d")
    run("ip", "link", "add", name, "type", "bridge")
    try:
        switch.vsctl("add-port", bridge.name, name, "--", "set", "interface", name, "options:xdp=native")
        error = get(switch, "interface", name, "error")
        assert "no XDP hook" in error and "not support XDP" in error, error
        switch.vsctl("del-port", name)
    finally:
        run("ip", "link", "del", name)


def test_device_vanishes_and_returns(bridge, make_vms):
    first, second = make_vms(2)
    bridge.plug(first, second)
    assert first.ping(second) == 3
    run("ip", "link", "del", second.port)
    until(lambda: get(bridge.switch, "interface", second.port, "ofport") == "-1", "the port is gone")
    assert first.ping(second, count=1) == 0
    second.return_device()
    until(lambda: first.ping(second, count=1) == 1, "the device is plugged in again")


# Maps.

@pytest.fixture
def small_switch(own_switch):
    """A switch whose maps have room for 32 flows."""
    for setting in ("ebpf-max-flows=32", "ebpf-ring-kb=256", "ebpf-queue-kb=128"):
        own_switch.vsctl("--no-wait", "set", "Open_vSwitch", ".", f"other_config:{setting}")
    own_switch.start()
    return own_switch


def counter(switch, name):
    return int(switch.appctl("coverage/read-counter", name))


def test_full_map(small_switch, make_vms):
    """What does not fit is executed by the daemon, counted, and goes to the programs once there is room."""
    bridge = Bridge(small_switch)
    first, second = make_vms(2)
    bridge.plug(first, second)
    bridge.set_flows(*(f"udp,tp_dst={port},actions=output:2" for port in range(5000, 5064)))
    frames = [datagram(first, second, port) for port in range(5000, 5064)]
    second.drain()
    for frame in frames:
        first.send(frame)
    for frame in frames:
        assert second.receive(wanted=frame.__eq__), "every flow's packet is forwarded"
    assert counter(small_switch, "ebpf_map_full") > 0

    def waiting():
        """Keeps the last flows alive, and counts those of them that wait for room."""
        for frame in frames[-10:]:
            first.send(frame)
        return [flow for flow in flows_from(small_switch, first) if "5" in flow["match"] and "is full" in flow["why"]]

    assert len(waiting()) >= 10
    small_switch.vsctl("set", "Open_vSwitch", ".", "other_config:max-idle=500")
    until(lambda: not waiting(), "those that went on have room after the others left")
    assert counter(small_switch, "ebpf_map_room") >= 10
    second.drain()
    bridge.close()


def kernel_memory(switch):
    """What the kernel holds for the daemon's maps, each counted once: proc(5), fdinfo."""
    folder = f"/proc/{switch.vswitchd.pid}/fdinfo"
    sizes = {}
    for name in os.listdir(folder):
        try:
            with open(f"{folder}/{name}") as file:
                info = dict(line.split(":", 1) for line in file.read().splitlines() if ":" in line)
        except FileNotFoundError:
            continue  # Closed meanwhile: it was none of the maps.
        if "map_id" in info:
            sizes[info["map_id"].strip()] = int(info["memlock"])
    return sum(sizes.values()) // 1024


def memory_shown(switch):
    return int(re.search(r"datapath-kB:(\d+)", switch.appctl("memory/show"))[1])


def test_memory_is_told_as_the_kernel_counts_it(own_switch, small_switch):
    bridge = Bridge(small_switch)
    assert abs(memory_shown(small_switch) - kernel_memory(small_switch)) <= 64, (memory_shown(small_switch), kernel_memory(small_switch))
    small = memory_shown(small_switch)
    bridge.close()
    for setting in ("ebpf-max-flows=100000", "ebpf-ring-kb=8192"):
        small_switch.vsctl("set", "Open_vSwitch", ".", f"other_config:{setting}")
    bridge = Bridge(small_switch)  # Opens the datapath anew.
    assert abs(memory_shown(small_switch) - kernel_memory(small_switch)) <= 64
    assert memory_shown(small_switch) > small + 4096
    bridge.close()


@pytest.mark.unhealthy
def test_sizes_out_of_range_are_named(switch):
    switch.vsctl("set", "Open_vSwitch", ".", "other_config:ebpf-max-flows=3")
    assert any("ebpf-max-flows=3 is not a number from" in line for line in switch.complaints())
    switch.vsctl("remove", "Open_vSwitch", ".", "other_config", "ebpf-max-flows")


# Pins.

def test_cleanup_removes_pins_and_programs(own_switch, make_vms):
    own_switch.start()
    bridge = Bridge(own_switch)
    first, second = make_vms(2)
    bridge.plug(first, second)
    assert os.path.isdir(pins(own_switch))
    own_switch.stop("--cleanup")
    assert not os.path.exists(pins(own_switch))
    for vm in (first, second):
        assert not at_clsact(vm) and not (bpf.has_tcx() and bpf.programs(vm.port))


@pytest.mark.unhealthy
def test_two_daemons_do_not_disturb_each_other(own_switch, daemon, tier, make_vms):
    other = Switch(daemon, tier)
    try:
        own_switch.start()
        other.start_database()
        other.start()
        first, second, third, fourth = make_vms(4)
        bridges = [Bridge(own_switch), Bridge(other)]
        bridges[0].plug(first, second)
        bridges[1].plug(third, fourth)
        assert first.ping(second) == third.ping(fourth) == 3
        other.vsctl("add-port", bridges[1].name, first.port)
        assert pins(own_switch) in get(other, "interface", first.port, "error")
        other.vsctl("del-port", first.port)
        own_switch.kill()
        assert first.ping(second) == third.ping(fourth) == 3
        other.stop("--cleanup")
        assert not os.path.exists(pins(other)) and os.path.isdir(pins(own_switch))
        assert first.ping(second) == 3
        own_switch.start()
        until(lambda: "adopted" in own_switch.output(), "the next daemon takes over what runs")
        assert first.ping(second) == 3
        bridges[0].close()
    finally:
        other.close()


# Hosts that cannot have it.

def refusal(switch, *wrapper):
    """What Bridge.status says of a bridge of a daemon that is started by WRAPPER."""
    switch.start(wrapper=wrapper)
    name = netns.unique("b")
    switch.vsctl("add-br", name, "--", "set", "bridge", name, f"datapath_type={switch.tier.datapath}")
    assert switch.appctl("version")
    error = re.search(r'error="([^"]*)"', get(switch, "bridge", name, "status"))[1]
    assert error in switch.output()
    switch.vsctl("del-br", name)
    assert not os.path.exists(pins(switch)) and name not in netns.links()
    return error


def without(capabilities):
    return ("capsh", f"--drop={capabilities}", "--", "-c", 'exec "$@"', "sh")


@pytest.mark.unhealthy
def test_without_capabilities(own_switch):
    assert "CAP_BPF" in refusal(own_switch, *without("cap_bpf,cap_sys_admin"))


@pytest.mark.unhealthy
def test_without_net_admin(own_switch):
    assert "CAP_NET_ADMIN" in refusal(own_switch, *without("cap_net_admin,cap_sys_admin"))


@pytest.mark.unhealthy
def test_without_bpffs(own_switch):
    script = f'while umount {BPFFS} 2> /dev/null; do :; done; exec capsh --drop=cap_sys_admin -- -c \'exec "$@"\' sh "$@"'
    assert "there is no bpffs" in refusal(own_switch, "unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh")


def tells_frames():
    """Has the kernel the netlink family that tells which devices take frames from XDP?"""
    return "Name: netdev\n" in run("genl", "ctrl", "list")


def test_next_best_is_told_in_the_row(switch):
    """A kernel without openvswitch has bridges of type "system" by eBPF, and the row says so."""
    for kind in ('""', "system"):
        name = netns.unique("b")
        switch.vsctl("add-br", name, "--", "set", "bridge", name, f"datapath_type={kind}")
        has_module = os.path.exists("/sys/module/openvswitch") or "SLUICE_LAB" in os.environ  # There it is built in.
        assert ("system@ovs-system" if has_module else "ebpf@ovs-ebpf") in switch.appctl("dpif/show")
        status = get(switch, "bridge", name, "status")
        assert ("no openvswitch module" in status) == (not has_module)
        assert ("no tcx" in status) == (not has_module and not bpf.has_tcx())
        assert ("take frames from XDP" in status) == (not has_module and not tells_frames())
        switch.vsctl("del-br", name)


# On kernels with openvswitch.ko and with all of TC, both in the lab.

@pytest.fixture
def loaded(switch):
    """The eBPF datapath is open. The verifier takes its time over the programs in the lab, more than ovs-vsctl waits."""
    name = netns.unique("b")
    switch.vsctl("--no-wait", "add-br", name, "--", "set", "bridge", name, "datapath_type=ebpf")
    until(lambda: "ebpf@ovs-ebpf" in attempt("ovs-appctl", "dpif/show", env=switch.env, limit=60).stdout, "the programs are loaded", limit=60)


@pytest.mark.tiers("kernel")
def test_beside_the_module(switch, loaded, make_vms):
    """The kernel that has openvswitch.ko takes the programs, too, and says what it lacks for them."""
    first, second = make_vms(2)
    bridge = Bridge(switch, "datapath_type=ebpf")
    bridge.plug(first, second)
    assert first.ping(second) == 3
    status = get(switch, "bridge", bridge.name, "status")
    assert ("no tcx" in status) == (not bpf.has_tcx()) == at_clsact(first)
    assert ("take frames from XDP" in status) == (not tells_frames()) and ("take frames from XDP" in switch.output()) == (not tells_frames())
    bridge.close()


@pytest.mark.tiers("kernel")
def test_vlan_device_as_a_port(switch, loaded, make_vms):
    """Programs see packets without the tag that the device takes, and it puts it into those that they send."""
    first, second = make_vms(2)
    device = f"{second.port}.7"
    run("ip", "link", "add", "link", second.port, "name", device, "type", "vlan", "id", "7")
    run("ip", "link", "set", device, "up")
    second.run("ip", "link", "add", "link", "eth0", "name", "eth0.7", "type", "vlan", "id", "7")
    second.run("ip", "addr", "add", "10.1.0.77/24", "dev", "eth0.7")
    second.run("ip", "addr", "del", f"{second.ip}/24", "dev", "eth0")
    second.run("ip", "link", "set", "eth0.7", "up")
    bridge = Bridge(switch, "datapath_type=ebpf")
    bridge.plug(first)
    switch.vsctl("add-port", bridge.name, device)
    assert get(switch, "interface", device, "error") == "[]"
    assert first.ping("10.1.0.77") == 3
    switch.vsctl("del-port", device)
    bridge.close()


@pytest.mark.tiers("hw")
def test_representors_as_ports(switch, loaded, make_vms):
    first, second = make_vms(2)
    bridge = Bridge(switch, "datapath_type=ebpf")
    bridge.plug(first, second)
    assert [get(switch, "interface", vm.port, "error") for vm in (first, second)] == ["[]", "[]"]
    assert first.ping(second) == 3
    assert first.transfer(second, 1 << 20) == 1 << 20
    bridge.close()


@pytest.mark.tiers("kernel")
def test_default_is_the_module_where_it_is(switch):
    for kind in ('""', "system"):
        name = netns.unique("b")
        switch.vsctl("add-br", name, "--", "set", "bridge", name, f"datapath_type={kind}")
        assert "system@ovs-system" in switch.appctl("dpif/show") and "ebpf@" not in switch.appctl("dpif/show")
        assert get(switch, "bridge", name, "status") == "{}"
        switch.vsctl("del-br", name)


@pytest.mark.tiers("tc")
def test_flows_of_programs_go_to_tc(switch, loaded, make_vms):
    """TC is the tier below the programs, too: its filters come before them."""
    first, second = make_vms(2)
    first.learn(second)
    bridge = Bridge(switch, "datapath_type=ebpf")
    bridge.plug(first, second)
    frame = datagram(first, second, 4010)
    second.drain()
    first.send(frame)
    assert second.receive(wanted=frame.__eq__)
    flow = until(lambda: [f for f in flows_from(switch, first) if f["tier"] == "tc" and "ipv4" in f["match"]], "the flow is in TC")[0]
    assert "flower" in run("tc", "filter", "show", "dev", first.port, "ingress")
    first.send(frame)
    assert second.receive(wanted=frame.__eq__)
    equals(lambda: [f["packets"] for f in flows_from(switch, first) if f["ufid"] == flow["ufid"]], [1], "TC counts")
    run("ip", "addr", "add", "10.1.0.99/24", "dev", bridge.name)
    run("ip", "link", "set", bridge.name, "up")
    assert first.ping("10.1.0.99") == 3
    with open(f"/sys/class/net/{bridge.name}/address") as file:
        to_host = f"dst={file.read().strip()}"
    until(lambda: [f for f in flows_from(switch, first) if f["tier"] == "tc" and to_host in f["match"]], "the local port's flows, too")
    assert first.ping("10.1.0.99") == 3
    switch.vsctl("set", "interface", first.port, "ingress_policing_rate=100", "ingress_policing_burst=10")
    assert "police" in run("tc", "filter", "show", "dev", first.port, "ingress")
    assert first.ping(second, count=50, interval=0.002, size=1400) < 25
    bridge.close()
