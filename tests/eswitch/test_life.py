# SPDX-License-Identifier: GPL-2.0
"""Coming and going under traffic, again and again: nothing complains, nothing leaks, nothing stays."""
import os

import pytest
from emu import BUS, TcpFlow, in_netns, read, sh, udp4, wait_for, write


@pytest.fixture
def rounds(request):
    return range(request.config.getoption("--rounds"))


class Noise:
    """Frames sent from a VF's raw socket while something else happens."""

    def __init__(self, card, vf=0, to=1):
        self.card, self.frame = card, udp4(card.vf_mac(to), card.vf_mac(vf), bytes(500))
        self.wire = card.wire(vf)

    def burst(self, frames=50):
        for _ in range(frames):
            try:
                self.wire.send(self.frame)
            except OSError:
                return


def test_namespace_dies(make_card, rounds):
    """The VF's netdev comes back to the first namespace."""
    card = make_card().switchdev(2)
    card.connect(card.rep(0), card.rep(1))
    for _ in rounds:
        noise = Noise(card)
        noise.burst()
        sh(f"ip netns del {card.vm(1)}")
        card.vms.remove(card.vm(1))
        noise.burst()
        wait_for(lambda: card.vf(1) in sh("ip -br link"))
        card.guests(2)
        assert card.ping(0, card.address(1)) is True
        noise.wire.close()


def test_reload_under_traffic(make_card, rounds):
    card = make_card()
    card.numvfs(2)
    card.guests(2)
    for _ in rounds:
        noise = Noise(card)
        card.mode("switchdev")
        card.ports_up(card.ports(2))
        card.connect(card.rep(0), card.rep(1))
        noise.burst()
        card.reload()
        noise.burst()
        assert card.rules() == []
        noise.wire.close()


def test_numvfs_under_traffic(make_card, rounds):
    card = make_card().switchdev(2)
    for _ in rounds:
        card.connect(card.rep(0), card.rep(1))
        noise = Noise(card)
        noise.burst()
        card.numvfs(0)
        noise.burst()
        assert card.rules() == [] and card.occupied("counters") == 0
        noise.wire.close()
        card.numvfs(2)
        card.ports_up(card.ports(2)[1:])
        card.guests(2)


def test_rule_to_a_vf_that_was(make_card):
    """A rule towards a VF that went is void, even when another VF takes its number."""
    card = make_card().switchdev(2)
    card.filter(card.pf(), f"flower skip_sw action mirred egress redirect dev {card.rep(1)}")
    card.numvfs(0)
    card.numvfs(2)
    for dev in card.ports(2)[1:]:
        sh(f"ip link set {dev} up")
    card.guests(2)
    far, vf = card.wire(None), card.wire(1)
    far.send(udp4(card.vf_mac(1), card.far_mac(), b"not for you"))
    vf.expect_none(b"not for you")


def test_module_unloads_under_traffic(module, make_card, rounds):
    for _ in rounds:
        card = make_card(pfs=2).switchdev(2)
        card.connect(card.rep(0), card.rep(1))
        flow = TcpFlow(card.vm(0), card.vm(1), card.address(1))
        wait_for(lambda: flow.received)
        sh("rmmod eswemu")
        flow.stop()
        assert not os.path.exists(BUS) and not os.path.exists("/sys/kernel/debug/eswemu")
        assert "card" not in sh("ip -br link") and "eswemu" not in sh("devlink dev")
        sh(f"insmod {module}")


def test_no_memory_is_left(make_card, rounds):
    """The slabs of rules and sockets buffers do not grow with what came and went."""
    def kilobytes(what):
        return int(next(line for line in read("/proc/meminfo").splitlines() if line.startswith(what)).split()[1])

    # What was freed last KASAN keeps for a while, up to a thirty-second of the memory.
    slack = kilobytes("MemTotal") // 32 if " kasan_report\n" in read("/proc/kallsyms") else 1000
    card = make_card(flows=3000).switchdev(2)
    batch = "".join(f"filter add dev {card.rep(0)} ingress prio 1 handle {i} protocol ip flower skip_sw dst_ip 10.1.{i // 250}.{i % 250} "
                    "action drop\n" for i in range(1, 1501))
    write("/tmp/batch", batch)
    sizes = []
    for _ in range(3):
        sh("tc -batch /tmp/batch")
        assert len(card.rules()) == 1500
        sh(f"tc filter del dev {card.rep(0)} ingress")
        wait_for(lambda: card.occupied() == 0)
        in_netns(card.vm(0), lambda: None)
        write("/proc/sys/vm/drop_caches", 3)
        sizes.append(kilobytes("SUnreclaim"))
    assert sizes[2] - sizes[1] < slack, sizes
