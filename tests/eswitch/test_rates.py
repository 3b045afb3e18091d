# SPDX-License-Identifier: GPL-2.0
"""Rates that really limit: of a VF, and of a group of VFs among whom it is shared."""
from emu import TcpFlow, rates, read, sh

MBIT = 1000 * 1000 / 8
# Of 1514 bytes on the wire 1448 are TCP's.
PAYLOAD = 1448 / 1514


def near(value, wanted, within=0.05):
    return abs(value - wanted) <= within * wanted


def until(good, carried, measure, tries=6):
    """Measures until what comes out is GOOD. False when the busy machine mostly did not CARRY what is allowed: it says nothing then."""
    seen = []
    for _ in range(tries):
        seen.append(measure())
        if good(seen[-1]):
            return True
    assert sum(carried(got) for got in seen) < tries / 2, seen
    return False


def at_some_rate(most, check):
    """CHECK(rate) at the rate MOST in Mbit/s or, if the machine cannot carry that now, at a tenth of it."""
    assert check(most) or check(most / 10), "the machine carries too little"


def test_vf_rate(card):
    """100 Mbit/s: what leaves the VF is within 5 % of it, and TCP gets its part."""
    card.connect(card.rep(0), card.rep(1))
    sent = f"/sys/class/net/{card.rep(0)}/statistics/rx_bytes"
    flow = TcpFlow(card.vm(0), card.vm(1), card.address(1))

    def measure():
        before = int(read(sent))
        goodput, = rates([flow], 2)
        return goodput / MBIT, (int(read(sent)) - before) / 2 / MBIT

    def check(rate):
        sh(f"devlink port function rate set {card.handle}/1 tx_max {rate:g}mbit")
        rates([flow], 0.5)
        return until(lambda got: near(got[0], rate * PAYLOAD) and near(got[1], rate), lambda got: got[1] > 0.95 * rate, measure)

    try:
        at_some_rate(100, check)
    finally:
        flow.stop()
        sh(f"devlink port function rate set {card.handle}/1 tx_max 0")


def test_group_rate(card):
    """A group of 200 Mbit/s over three VFs: the sum within 5 %, and each a third of it within 5 %."""
    sh(f"devlink port function rate add {card.handle}/group tx_max 200mbit")
    for vf in range(3):
        sh(f"devlink port function rate set {card.handle}/{vf + 1} parent group")
        card.filter(card.rep(vf), f"flower skip_sw action mirred egress redirect dev {card.pf()}")
        card.filter(card.pf(), f"protocol ip flower skip_sw dst_mac {card.vf_mac(vf)} action mirred egress redirect "
                               f"dev {card.rep(vf)}", prio=2 * vf + 1)
        card.filter(card.pf(), f"protocol arp flower skip_sw dst_mac {card.vf_mac(vf)} action mirred egress redirect "
                               f"dev {card.rep(vf)}", prio=2 * vf + 2)
    flows = [TcpFlow(card.vm(vf), card.far(), card.far_address()) for vf in range(3)]

    def check(rate):
        sh(f"devlink port function rate set {card.handle}/group tx_max {rate:g}mbit")
        rates(flows, 0.5)
        return until(lambda got: near(sum(got), rate * PAYLOAD) and all(near(g, sum(got) / 3) for g in got),
                     lambda got: sum(got) > 0.95 * rate * PAYLOAD, lambda: [got / MBIT for got in rates(flows, 3)])

    try:
        at_some_rate(200, check)
    finally:
        for flow in flows:
            flow.stop()
        for vf in range(3):
            sh(f"devlink port function rate set {card.handle}/{vf + 1} noparent")
        sh(f"devlink port function rate del {card.handle}/group")


def test_rate_by_ip_link(card):
    """The old way to say it."""
    card.connect(card.rep(0), card.rep(1))
    flow = TcpFlow(card.vm(0), card.vm(1), card.address(1))

    def check(rate):
        sh(f"ip link set {card.pf()} vf 0 max_tx_rate {rate:g}")
        rates([flow], 0.5)
        return until(lambda got: near(got, rate * PAYLOAD), lambda got: got > 0.95 * rate * PAYLOAD,
                     lambda: rates([flow], 2)[0] / MBIT)

    try:
        at_some_rate(50, check)
    finally:
        flow.stop()
        sh(f"ip link set {card.pf()} vf 0 max_tx_rate 0")
