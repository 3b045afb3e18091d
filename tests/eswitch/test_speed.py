# SPDX-License-Identifier: GPL-2.0
"""Fast enough to stand for hardware in tests of speed: ratios against the kernel's own ways, measured in the same run."""
import time

import pytest
from emu import read, sh, write

PACKETS = 20000


def pktgen(dev, dst_mac):
    """Packets a second that leave DEV."""
    write("/proc/net/pktgen/kpktgend_0", "rem_device_all")
    write("/proc/net/pktgen/kpktgend_0", f"add_device {dev}")
    for setting in (f"count {PACKETS}", "clone_skb 0", "pkt_size 60", "delay 0", "dst 10.0.0.9", f"dst_mac {dst_mac}"):
        write(f"/proc/net/pktgen/{dev}", setting)
    start = time.monotonic()
    write("/proc/net/pktgen/pgctrl", "start\n")
    took = time.monotonic() - start
    write("/proc/net/pktgen/kpktgend_0", "rem_device_all")
    return PACKETS / took


@pytest.fixture
def veths():
    """a0 -- a1, whose ingress redirects to b0 -- b1: what VF to VF would be in software."""
    for pair in "ab":
        sh(f"ip link add esw{pair}0 type veth peer name esw{pair}1")
        for end in "01":
            write(f"/proc/sys/net/ipv6/conf/esw{pair}{end}/disable_ipv6", 1)
            sh(f"ip link set esw{pair}{end} up")
    sh("tc qdisc add dev eswa1 ingress && tc filter add dev eswa1 ingress matchall action mirred egress redirect dev eswb0")
    yield "eswa0", "eswb1"
    sh("ip link del eswa0 && ip link del eswb0")


def test_packets(make_card, veths):
    """VF to VF at least as many packets a second as from veth to veth by a bare redirect."""
    card = make_card()
    card.numvfs(2)
    card.mode("switchdev")
    for dev in (*card.ports(2), card.vf(0), card.vf(1)):
        write(f"/proc/sys/net/ipv6/conf/{dev}/disable_ipv6", 1)
        sh(f"ip link set {dev} up")
    for vf in (0, 1):
        sh(f"tc qdisc add dev {card.rep(vf)} ingress")
    card.connect(card.rep(0), card.rep(1))
    counter = f"/sys/class/net/{card.vf(1)}/statistics/rx_packets"
    ratios = []
    for _ in range(5):
        before = int(read(counter))
        ours = pktgen(card.vf(0), "02:00:00:00:00:07")
        assert int(read(counter)) - before >= PACKETS * 0.99
        ratios.append(ours / pktgen(veths[0], "02:00:00:00:00:07"))
        if ratios[-1] >= 1:
            return
    raise AssertionError(ratios)


def insert_seconds(dev, count, flags):
    write("/tmp/batch", "".join(f"filter add dev {dev} ingress prio 1 handle {i} protocol ip flower {flags} "
                                f"dst_ip 10.1.{i >> 8}.{i & 255} action drop\n" for i in range(1, count + 1)))
    start = time.monotonic()
    sh("tc -batch /tmp/batch")
    took = time.monotonic() - start
    sh(f"tc filter del dev {dev} ingress")
    return took


def test_inserts(make_card):
    """Without latency an insertion into the adapter costs no more than the software filter beside it."""
    card = make_card(flows=5000).switchdev(1)
    ratios = []
    for _ in range(5):
        software, hardware = (insert_seconds(card.rep(0), 2000, flags) for flags in ("skip_hw", "skip_sw"))
        ratios.append(hardware / software)
        if ratios[-1] <= 2:
            return
    raise AssertionError(ratios)
