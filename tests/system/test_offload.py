# SPDX-License-Identifier: Apache-2.0
"""One step lower: flows in TC, and what sluicectl tells of where each flow runs."""
import json
import os
import re
import struct

import pytest
from harness.command import run
from harness.wait import until
from test_forwarding import datagram

pytestmark = pytest.mark.ours


def sluicectl(switch, *arguments):
    return run(os.path.join(os.environ.get("SLUICE_BUILD", "_build"), "sluicectl"), *arguments, env=switch.env)


def flows_from(switch, vm):
    """The megaflows of packets from VM, as sluicectl flows --json has them."""
    return [flow for flow in json.loads(sluicectl(switch, "flows", "--json")) if vm.port in flow["match"]]


def capabilities(switch):
    return json.loads(sluicectl(switch, "capabilities", "--json"))


def filters(vm):
    """The TC filters on a VM's port, the way tc -s shows them."""
    return run("tc", "-s", "filter", "show", "dev", vm.port, "ingress")


@pytest.mark.tiers("tc")
def test_flow_goes_to_tc_and_forwards_there(switch, lan):
    bridge, first, second = lan
    frame = datagram(first, second, 4010)
    second.drain()
    first.send(frame)
    assert second.receive(wanted=frame.__eq__)
    until(lambda: any(flow["tier"] == "tc" for flow in flows_from(switch, first)), "the flow is in TC")
    for _ in range(50):
        first.send(frame)
    until(lambda: len([got for got in second.drain() if got == frame]) > 0, "TC forwards")
    text = filters(first)
    assert "flower" in text and "skip_hw" in text and re.search(r"cookie [0-9a-f]{32}", text)
    listed = switch.appctl("dpctl/dump-flows", "-m", "type=tc")
    # Text has a ufid as four numbers, the cookie has them as they lie in memory.
    cookie = bytes.fromhex(re.search(r"cookie ([0-9a-f]{32})", text).group(1))
    ufid = "".join(f"{number:08x}" for number in struct.unpack("=4I", cookie))
    assert "dp:tc" in listed and ufid in listed.replace("-", "")
    assert "tc" in sluicectl(switch, "offload")


@pytest.mark.tiers("tc")
def test_counters_beside_filters_of_others(switch, lan):
    """Filters that are not flower's, which TC does not tell in short, do not hide the counters of ours: neither somebody's nor a policer."""
    bridge, first, second = lan
    run("tc", "filter", "add", "dev", first.port, "ingress", "protocol", "all", "prio", "60000", "matchall", "action", "ok")
    switch.vsctl("set", "interface", second.port, "ingress_policing_rate=100000", "ingress_policing_burst=10000")
    frames = {first: datagram(first, second, 4015), second: datagram(second, first, 4015)}

    def flow_of(vm):
        return [flow for flow in flows_from(switch, vm) if flow["tier"] == "tc" and f"in_port({vm.port})" in flow["match"] and "ipv4" in flow["match"]]
    for vm, frame in frames.items():
        vm.send(frame)
    until(lambda: all(len(flow_of(vm)) == 1 for vm in frames), "the flows are in TC")
    before = {vm: flow_of(vm)[0]["packets"] for vm in frames}
    for vm, frame in frames.items():
        for _ in range(10):
            vm.send(frame)
    until(lambda: all(flow and flow[0]["packets"] >= before[vm] + 10 for vm, flow in ((vm, flow_of(vm)) for vm in frames)), "TC counts")


@pytest.mark.tiers("tc")
def test_filters_leave_with_their_port(switch, lan):
    bridge, first, second = lan
    first.send(datagram(first, second, 4011))
    until(lambda: "flower" in filters(first), "the flow is in TC")
    bridge.unplug(first)
    assert "flower" not in run("tc", "filter", "show", "dev", first.port, "ingress")


@pytest.mark.tiers("tc")
def test_what_tc_does_not_take_stays_with_a_reason(switch, lan):
    """A change that the thin slice of TC has no action for runs in the kernel datapath, and says why."""
    bridge, first, second = lan
    said = capabilities(switch)["tiers"]["tc"]["actions"]["set(ipv4(src=1.2.3.4)),2"]
    bridge.set_flows("priority=5,udp,actions=mod_nw_src:10.9.9.9,output:2", "priority=0,actions=NORMAL")
    until(lambda: first.send(datagram(first, second, 4012)) or
          [flow for flow in flows_from(switch, first) if "ipv4" in flow["actions"] and flow["tier"] != "tc" and flow["why"] == said],
          "the flow is in the kernel with the reason that is said beforehand")


@pytest.mark.tiers("tc")
def test_flows_that_another_tool_deletes_are_counted_no_more(switch, lan):
    bridge, first, second = lan
    bridge.set_flows("priority=5,udp,actions=mod_nw_src:10.9.9.9,output:2", "priority=0,actions=NORMAL")
    until(lambda: first.send(datagram(first, second, 4014)) or
          [flow for flow in flows_from(switch, first) if "ipv4" in flow["actions"]], "the kernel has a flow that TC does not take")
    run("ovs-dpctl", "del-flows", "system@ovs-system")

    def agree():
        told = next(one for one in json.loads(sluicectl(switch, "offload", "--json")) if one["datapath"] == "system@ovs-system")
        return sum(told["flows"].values()) == len(json.loads(sluicectl(switch, "flows", "--json")))
    until(agree, "no more flows are counted than there are")


@pytest.mark.tiers("kernel", "ebpf", "tc")
def test_capabilities(switch, bridge):
    """What differs between the tiers of this host is as it is known to be."""
    tiers = capabilities(switch)["tiers"]
    kernel = tiers["kernel"]
    if switch.tier.datapath == "system":
        assert not kernel["missing"] and kernel["matches"]["ip_src"] is None
        assert kernel["matches"]["nd_reserved"] == "openvswitch.ko has no key attribute for it"
        assert kernel["actions"]["set(ipv4(src=1.2.3.4)),2"] is None and kernel["actions"]["set(arp(sip=1.1.1.1)),2"]
    else:
        assert kernel["matches"]["ip_src"] == "not known: no bridge uses it"
    assert tiers["ebpf"]["matches"]["ct_state"] and tiers["ebpf"]["matches"]["nd_target"] is None and not tiers["ebpf"]["missing"]
    assert tiers["tc"]["matches"]["dp_hash"] == "match on dp_hash" and tiers["tc"]["matches"]["tcp_dst"] is None
    assert tiers["daemon"]["actions"]["ct(commit),2"] and tiers["daemon"]["actions"]["meter(1),2"] is None
    text = sluicectl(switch, "capabilities")
    assert max(map(len, text.splitlines())) < 200 and "hw: no port is an adapter's" in text
    assert not [flow for flow in json.loads(sluicectl(switch, "flows", "--json")) if "recirc_id(0xfff" in flow["match"]], "asking leaves nothing"


@pytest.mark.tiers("kernel", "ebpf")
def test_without_offload_every_flow_says_so(switch, lan):
    bridge, first, second = lan
    first.send(datagram(first, second, 4013))
    flows = until(lambda: flows_from(switch, first), "the flow is there")
    assert all(flow["tier"] != "tc" and flow["why"] for flow in flows)
    assert "flower" not in filters(first)
    text = sluicectl(switch, "flows")
    assert "not lower:" in text and first.port in text
