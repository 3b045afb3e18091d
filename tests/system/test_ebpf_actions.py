# SPDX-License-Identifier: Apache-2.0
"""Pipelines whose copies the programs of the eBPF datapath change, with what a real sender sends: segments that its device is to cut, checksums that it is to complete."""
import hashlib
import os
import socket
import threading

import pytest
from harness import netns
from harness.wait import PATIENCE
from test_offload import flows_from

pytestmark = [pytest.mark.ours, pytest.mark.tiers("ebpf")]

PORT = 4070


def stream(sender, receiver, data):
    """Sends DATA by TCP from one VM to the other; what arrived."""
    with netns.inside(receiver.namespace):
        listener = socket.create_server((receiver.ip, PORT))
    with netns.inside(sender.namespace):
        out = socket.socket()
    listener.settimeout(20 * PATIENCE)
    out.settimeout(20 * PATIENCE)
    got = bytearray()

    def receive():
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(20 * PATIENCE)
            while chunk := connection.recv(1 << 16):
                got.extend(chunk)

    with listener, out:
        thread = threading.Thread(target=receive)
        thread.start()
        out.connect((receiver.ip, PORT))
        out.sendall(data)
        out.shutdown(socket.SHUT_WR)
        thread.join()
    return bytes(got)


@pytest.mark.parametrize("actions", [
    "clone(output(port=3,max_len=100),set_field:10.9.9.9->ip_src,output:3),output:2",
    "output(port=3,max_len=64),push_vlan:0x8100,set_field:4101->vlan_vid,set_field:3->nw_ttl,output:3,pop_vlan,set_field:64->nw_ttl,output:2",
    "push_mpls:0x8847,output:3,pop_mpls:0x0800,output(port=3,max_len=64),output:2",  # Large packets by the daemon.
])
def test_stream_outlives_changed_copies(switch, bridge, make_vms, actions):
    """A TCP stream arrives as it was sent although copies of its packets are cut, changed and labelled before or after; and programs do it all."""
    first, second, third = make_vms(3)
    first.learn(second)
    second.learn(first)
    bridge.plug(first, second, third)
    bridge.set_flows(f"priority=5,in_port=1,tcp actions={actions}", "priority=5,in_port=2 actions=output:1", "priority=0 actions=drop")
    data = os.urandom(1 << 20)
    assert hashlib.sha256(stream(first, second, data)).digest() == hashlib.sha256(data).digest()
    flows = [flow for flow in flows_from(switch, first) if "trunc" in flow["actions"]]
    assert flows and not [flow for flow in flows if "the daemon executes it" in (flow["why"] or "")]
    assert third.receive(wanted=lambda frame: b"\x0a\x09\x09\x09" in frame[:34] or frame[12:16] == b"\x81\x00\x00\x05" or frame[12:14] == b"\x88\x47")
