# SPDX-License-Identifier: GPL-2.0
"""Legacy mode: VEB and VEPA, and what the administrator may ask of a VF."""
import re

import pytest
from emu import Card, sh, status, udp4, wait_for


@pytest.fixture(scope="module")
def legacy(module):
    card = Card(101)
    card.numvfs(3)
    sh(f"ip link set {card.pf()} up")
    yield card.guests(3)
    card.remove()


@pytest.fixture
def card(legacy):
    """A card in legacy mode, three VFs and the cable's far end in namespaces, the PF up. Shared; VFs as they came."""
    yield legacy
    for wire in legacy.wires:
        wire.close()
    legacy.wires.clear()
    for vf in range(3):
        sh(f"ip link set {legacy.pf()} vf {vf} vlan 0 && ip link set {legacy.pf()} vf {vf} spoofchk off && "
           f"ip link set {legacy.pf()} vf {vf} trust off && ip link set {legacy.pf()} vf {vf} max_tx_rate 0 && "
           f"ip link set {legacy.pf()} vf {vf} mac 00:00:00:00:00:00")


def frame(card, dst, src, marker, vlan=None):
    return udp4(dst, src, marker, vlan=vlan)


def test_veb(card):
    """VF to VF by MAC without the cable seeing it; the rest and broadcasts leave by the cable too."""
    zero, one, far = card.wire(0), card.wire(1), card.wire(None)
    assert card.ping(0, card.address(1)) is True
    assert card.ping(0, card.far_address()) is True
    zero.send(frame(card, card.vf_mac(1), card.vf_mac(0), b"to VF 1"))
    one.expect(b"to VF 1")
    far.expect_none(b"to VF 1")
    zero.send(frame(card, "02:77:00:00:00:01", card.vf_mac(0), b"to a stranger"))
    far.expect(b"to a stranger")
    one.expect_none(b"to a stranger")
    zero.send(frame(card, "ff:ff:ff:ff:ff:ff", card.vf_mac(0), b"to all"))
    one.expect(b"to all")
    far.expect(b"to all")
    zero.expect_none(b"to all")


def test_veb_by_vlan(card):
    """VFs in different VLANs do not hear each other; the tag shows on the cable and never in the VF."""
    zero, one, two, far = (card.wire(i) for i in (0, 1, 2, None))
    for vf, vlan in ((0, 10), (1, 10), (2, 20)):
        sh(f"ip link set {card.pf()} vf {vf} vlan {vlan}")
    zero.send(frame(card, "ff:ff:ff:ff:ff:ff", card.vf_mac(0), b"in ten"))
    assert one.expect(b"in ten") == frame(card, "ff:ff:ff:ff:ff:ff", card.vf_mac(0), b"in ten")
    assert far.expect(b"in ten") == frame(card, "ff:ff:ff:ff:ff:ff", card.vf_mac(0), b"in ten", vlan=10)
    two.expect_none(b"in ten")
    zero.send(frame(card, card.vf_mac(2), card.vf_mac(0), b"to twenty"))
    two.expect_none(b"to twenty")
    far.send(frame(card, card.vf_mac(2), card.far_mac(), b"from outside", vlan=20))
    assert two.expect(b"from outside") == frame(card, card.vf_mac(2), card.far_mac(), b"from outside")
    two.send(frame(card, card.far_mac(), card.vf_mac(2), b"own tag", vlan=10))
    far.expect_none(b"own tag")


def test_vepa(card):
    """Everything leaves by the cable, and what comes back is delivered, though never to its sender."""
    sh(f"bridge link set dev {card.pf()} hwmode vepa")
    assert "hwmode VEPA" in sh(f"bridge link show dev {card.pf()}")
    zero, one, far = card.wire(0), card.wire(1), card.wire(None)
    zero.send(frame(card, card.vf_mac(1), card.vf_mac(0), b"outwards"))
    reflected = far.expect(b"outwards")
    one.expect_none(b"outwards")
    far.send(reflected)
    one.expect(b"outwards")
    zero.send(frame(card, "ff:ff:ff:ff:ff:ff", card.vf_mac(0), b"to all"))
    far.send(far.expect(b"to all"))
    one.expect(b"to all")
    zero.expect_none(b"to all")
    sh(f"bridge link set dev {card.pf()} hwmode veb")
    assert "hwmode VEB" in sh(f"bridge link show dev {card.pf()}")


def test_spoofchk(card):
    zero, one = card.wire(0), card.wire(1)
    sh(f"ip link set {card.pf()} vf 0 spoofchk on")
    zero.send(frame(card, card.vf_mac(1), "02:66:00:00:00:01", b"spoofed"))
    zero.send(frame(card, card.vf_mac(1), card.vf_mac(0), b"honest"))
    one.expect(b"honest")
    zero.send(frame(card, card.vf_mac(1), "02:66:00:00:00:01", b"spoofed"))
    one.expect_none(b"spoofed")
    sh(f"ip link set {card.pf()} vf 0 spoofchk off")
    zero.send(frame(card, card.vf_mac(1), "02:66:00:00:00:01", b"spoofed"))
    one.expect(b"spoofed")


def test_trusted_promiscuity(card):
    """A VF sees what is not its own only when it is trusted."""
    zero, one = card.wire(0), card.wire(1)
    sh(f"ip -n {card.vm(1)} link set {card.vf(1)} promisc on")
    zero.send(frame(card, "02:77:00:00:00:01", card.vf_mac(0), b"curious"))
    one.expect_none(b"curious")
    sh(f"ip link set {card.pf()} vf 1 trust on")
    zero.send(frame(card, "02:77:00:00:00:01", card.vf_mac(0), b"curious"))
    one.expect(b"curious")


def test_link_state(card):
    show = f"ip -n {card.vm(0)} link show {card.vf(0)}"
    assert "LOWER_UP" in sh(show)
    sh(f"ip link set {card.pf()} vf 0 state disable")
    wait_for(lambda: "LOWER_UP" not in sh(show))
    sh(f"ip link set {card.pf()} vf 0 state auto")
    wait_for(lambda: "LOWER_UP" in sh(show))


def test_what_ip_link_shows(card):
    pf = card.pf()
    sh(f"ip link set {pf} vf 1 mac 02:00:00:00:00:51 && ip link set {pf} vf 1 vlan 7 qos 2 && ip link set {pf} vf 1 max_tx_rate 50")
    sh(f"ip link set {pf} vf 1 spoofchk on && ip link set {pf} vf 1 trust on")
    shown = re.search(r"vf 1 .*", sh(f"ip link show {pf}")).group()
    for word in ("02:00:00:00:00:51", "vlan 7", "qos 2", "max_tx_rate 50Mbps", "spoof checking on", "trust on"):
        assert word in shown, shown
    for wrong in ("vf 3 vlan 5", "vf 0 max_tx_rate 100001"):
        assert status(f"ip link set {pf} {wrong}")[0] != 0


def test_refused_in_switchdev_mode(card):
    """There the representors decide; MAC and rate are still taken."""
    card.mode("switchdev")
    for word in ("trust on", "spoofchk on", "state disable", "vlan 5"):
        code, said = status(f"ip link set {card.pf()} vf 0 {word}")
        assert code != 0 and "not supported" in said, (word, said)
    sh(f"ip link set {card.pf()} vf 0 vlan 0")
    sh(f"ip link set {card.pf()} vf 0 mac 02:00:00:00:00:61")
    sh(f"ip link set {card.pf()} vf 0 max_tx_rate 0")
    assert status(f"bridge link set dev {card.pf()} hwmode vepa")[0] != 0
    card.mode("legacy")
