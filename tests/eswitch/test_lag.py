# SPDX-License-Identifier: GPL-2.0
"""Both uplinks of a card under one bond: a rule to the bond leaves by the uplink that the bond would use."""
import pytest
from emu import read, sh, status, udp4, wait_for, write

BOND = "eswbond"


@pytest.fixture
def card(make_card):
    card = make_card(pfs=2, vfs=2)
    sh(f"ip link add {BOND} type bond mode active-backup")
    write(f"/sys/class/net/{BOND}/bonding/miimon", 50)
    for pf in (0, 1):
        card.numvfs(1, pf)
        card.mode("switchdev", pf)
        for dev in (card.cable(pf), card.rep(0, pf), card.vf(0, pf)):
            sh(f"ip link set {dev} up")
        sh(f"ip link set {card.pf(pf)} master {BOND}")
        sh(f"tc qdisc add dev {card.rep(0, pf)} ingress")
        sh(f"tc qdisc add dev {card.pf(pf)} ingress_block 9 ingress")
    sh(f"ip link set {BOND} up")
    yield card
    sh(f"ip link del {BOND}", check=False)


def active(uplink):
    sh(f"ip link set {BOND} type bond active_slave {uplink}")
    wait_for(lambda: read(f"/sys/class/net/{BOND}/bonding/active_slave") == uplink)


def test_out_of_the_bond(card):
    """Whichever PF's VF sends, the active uplink's cable gets it; after a change the other's."""
    for pf in (0, 1):
        card.filter(card.rep(0, pf), f"flower skip_sw action mirred egress redirect dev {BOND}")
    cables = [card.listen(card.cable(pf)) for pf in (0, 1)]
    vfs = [card.listen(card.vf(0, pf)) for pf in (0, 1)]
    for now in (0, 1, 0):
        active(card.pf(now))
        for pf in (0, 1):
            marker = b"active %d from %d" % (now, pf)
            vfs[pf].send(udp4("02:00:00:00:00:01", "02:00:00:00:00:02", marker))
            cables[now].expect(marker)
            cables[1 - now].expect_none(marker, 0.1)


def test_into_the_bond(card):
    """A filter of the bond's block is a rule of both uplinks."""
    sh(f"tc filter add block 9 prio 1 flower skip_sw action mirred egress redirect dev {card.rep(0, 1)}")
    assert len(card.rules(0)) == 1 and len(card.rules(1)) == 1
    vf = card.listen(card.vf(0, 1))
    for pf in (0, 1):
        card.listen(card.cable(pf)).send(udp4("02:00:00:00:00:01", "02:00:00:00:00:02", b"by cable %d" % pf))
        vf.expect(b"by cable %d" % pf)


def test_a_bond_of_others_is_refused(card):
    """A bond without the card's uplinks is no port of the switch."""
    sh("ip link add eswother type bond")
    done, said = card.filter(card.rep(0), "flower skip_sw action mirred egress redirect dev eswother", check=False)
    sh("ip link del eswother")
    assert not done and "not on same switch HW" in said
    assert status("ip link show eswother")[0] != 0
