# SPDX-License-Identifier: GPL-2.0
"""What the adapter does to frames: tags, rewrites with their checksums, copies, chains, meters."""
import time

import pytest
from emu import Samples, TcpFlow, checksum, ether, ipv4, ipv6, mac, sh, sums_are_right, tcp, udp, udp4, wait_for

TO_1 = "action mirred egress redirect dev {rep1}"


@pytest.fixture
def through(card):
    """through(filter's match and actions, frame): the frame that VF 1 gets of what VF 0 sends."""
    vf, peer = card.wire(0), card.wire(1)

    def send(rest, frame, marker=b"payload", prio=1):
        rest = rest.format(rep0=card.rep(0), rep1=card.rep(1), rep2=card.rep(2)).replace("flower", "flower skip_sw")
        card.filter(card.rep(0), rest, prio=prio)
        vf.send(frame)
        return peer.expect(marker)
    return send


def plain(card, **kwargs):
    return udp4(card.vf_mac(1), card.vf_mac(0), b"payload", **kwargs)


def test_vlan_push(card, through):
    got = through(f"flower action vlan push id 5 priority 3 pipe {TO_1}", plain(card))
    assert got == udp4(card.vf_mac(1), card.vf_mac(0), b"payload", vlan=3 << 13 | 5)


def test_vlan_push_twice(card, through):
    got = through(f"flower action vlan push id 5 pipe action vlan push id 6 protocol 802.1ad pipe {TO_1}", plain(card))
    assert got[12:20] == bytes.fromhex("88a8000681000005")


def test_vlan_pop(card, through):
    got = through(f"protocol 802.1Q flower vlan_id 5 action vlan pop pipe {TO_1}", plain(card, vlan=2 << 13 | 5))
    assert got == plain(card)


def test_vlan_modify_keeps_the_priority(card, through):
    got = through(f"protocol 802.1Q flower vlan_id 5 action vlan modify id 9 pipe {TO_1}", plain(card, vlan=2 << 13 | 5))
    assert got == plain(card, vlan=2 << 13 | 9)


def test_pop_and_push_is_a_rewrite(card, through):
    got = through(f"protocol 802.1Q flower vlan_id 5 action vlan pop pipe action vlan push id 7 pipe {TO_1}", plain(card, vlan=5))
    assert got == plain(card, vlan=7)


def test_inner_vlan(card, through):
    frame = plain(card, vlan=6)
    frame = frame[:12] + bytes.fromhex("88a80005") + frame[12:]
    got = through(f"protocol 802.1ad flower vlan_id 5 vlan_ethtype 802.1q cvlan_id 6 action vlan pop pipe {TO_1}", frame)
    assert got == plain(card, vlan=6)


def test_rewrite_macs(card, through):
    got = through(f"flower action pedit ex munge eth dst set 02:11:22:33:44:55 munge eth src set 02:aa:bb:cc:dd:ee pipe {TO_1}",
                  plain(card))
    assert got[:12] == mac("02:11:22:33:44:55") + mac("02:aa:bb:cc:dd:ee") and got[12:] == plain(card)[12:]


def test_decrement_ttl(card, through):
    got = through(f"protocol ip flower action pedit ex munge ip ttl add 0xff pipe {TO_1}", plain(card, ttl=64))
    assert got == plain(card, ttl=63)


def test_rewrite_ipv4(card, through):
    got = through("protocol ip flower ip_proto udp action pedit ex munge ip src set 10.7.0.1 munge ip dst set 10.7.0.2 "
                  f"munge ip tos set 0x20 pipe action csum ip udp pipe {TO_1}", plain(card))
    assert got == plain(card, src="10.7.0.1", dst="10.7.0.2", tos=0x20)


@pytest.mark.parametrize("vlan", [None, 5])
def test_rewrite_udp_ports(card, through, vlan):
    protocol = "protocol 802.1Q flower vlan_ethtype ip" if vlan else "protocol ip flower"
    got = through(f"{protocol} ip_proto udp action pedit ex munge udp sport set 7 munge udp dport set 8 pipe {TO_1}",
                  plain(card, vlan=vlan))
    assert got == plain(card, sport=7, dport=8, vlan=vlan) and sums_are_right(got)


def test_a_udp_sum_of_zero_stays(card, through):
    """No checksum in UDP over IPv4 is none after a rewrite too."""
    body = udp("10.9.0.1", "10.9.0.2", 1, 2, b"payload")
    frame = ether(card.vf_mac(1), card.vf_mac(0), 0x0800, ipv4("10.9.0.1", "10.9.0.2", 17, body[:6] + b"\0\0" + body[8:]))
    got = through(f"protocol ip flower ip_proto udp action pedit ex munge ip dst set 10.7.0.2 pipe {TO_1}", frame)
    assert got[40:42] == b"\0\0" and checksum(got[14:34]) == 0


def test_rewrite_tcp(card, through):
    body = tcp("10.9.0.1", "10.9.0.2", 1000, 80, b"payload")
    frame = ether(card.vf_mac(1), card.vf_mac(0), 0x0800, ipv4("10.9.0.1", "10.9.0.2", 6, body))
    got = through("protocol ip flower ip_proto tcp action pedit ex munge tcp dport set 8080 munge ip dst set 10.7.0.2 pipe "
                  f"action csum ip tcp pipe {TO_1}", frame)
    body = tcp("10.9.0.1", "10.7.0.2", 1000, 8080, b"payload")
    assert got == ether(card.vf_mac(1), card.vf_mac(0), 0x0800, ipv4("10.9.0.1", "10.7.0.2", 6, body))


def test_rewrite_ipv6(card, through):
    frame = ether(card.vf_mac(1), card.vf_mac(0), 0x86dd, ipv6("fd00::1", "fd00::2", 17, udp("fd00::1", "fd00::2", 5, 6, b"payload")))
    got = through("protocol ipv6 flower ip_proto udp action pedit ex munge ip6 dst set fd00::77 munge ip6 hoplimit set 9 pipe "
                  f"{TO_1}", frame)
    assert got == ether(card.vf_mac(1), card.vf_mac(0), 0x86dd,
                        ipv6("fd00::1", "fd00::77", 17, udp("fd00::1", "fd00::77", 5, 6, b"payload"), ttl=9))


@pytest.mark.parametrize("checksums", ["on", "off"])
def test_nat_of_a_tcp_stream(card, checksums):
    """Rewritten both ways, a TCP stream with and without checksum offload passes: sums are right, partial ones too."""
    for vf in (0, 1):
        sh(f"ip netns exec {card.vm(vf)} ethtool -K {card.vf(vf)} tx {checksums}")
        sh(f"ip -n {card.vm(vf)} neigh replace 10.{card.number}.0.77 lladdr {card.vf_mac(1 - vf)} dev {card.vf(vf)}")
    fake, pedit = f"10.{card.number}.0.77", "action pedit ex munge ip"
    card.filter(card.rep(0), f"protocol ip flower skip_sw dst_ip {fake} ip_proto tcp {pedit} dst set {card.address(1)} "
                             f"munge ip src set {fake} pipe action csum ip tcp pipe action mirred egress redirect dev {card.rep(1)}")
    card.filter(card.rep(1), f"protocol ip flower skip_sw dst_ip {fake} ip_proto tcp {pedit} dst set {card.address(0)} "
                             f"munge ip src set {fake} pipe action csum ip tcp pipe action mirred egress redirect dev {card.rep(0)}")
    try:
        listener = TcpFlow.listen(card.vm(1), card.address(1))
        flow = TcpFlow(card.vm(0), card.vm(1), None, listener, (fake, listener.getsockname()[1]))
        wait_for(lambda: flow.received > 1 << 20, 20)
        flow.stop()
    finally:
        for vf in (0, 1):
            sh(f"ip netns exec {card.vm(vf)} ethtool -K {card.vf(vf)} tx on")


def test_mirror_then_change(card):
    """A copy leaves as the frame was at that point, and further changes do not touch it."""
    vf, one, two, far = card.wire(0), card.wire(1), card.wire(2), card.wire(None)
    card.filter(card.rep(0), f"protocol ip flower skip_sw action mirred egress mirror dev {card.rep(2)} "
                             "action pedit ex munge ip ttl set 7 pipe "
                             f"action mirred egress mirror dev {card.pf()} action vlan push id 9 pipe "
                             f"action mirred egress redirect dev {card.rep(1)}")
    vf.send(plain(card))
    assert two.expect(b"payload") == plain(card)
    assert far.expect(b"payload") == plain(card, ttl=7)
    assert one.expect(b"payload") == plain(card, ttl=7, vlan=9)


def test_drop_and_trap(card):
    vf, peer, rep = card.wire(0), card.wire(1), card.listen(card.rep(0))
    card.filter(card.rep(0), "protocol ip flower skip_sw ip_proto udp dst_port 1 action drop")
    card.filter(card.rep(0), "protocol ip flower skip_sw ip_proto udp dst_port 2 action trap", prio=2)
    card.filter(card.rep(0), f"flower skip_sw action mirred egress redirect dev {card.rep(1)}", prio=3)
    for port in (1, 2, 3):
        vf.send(udp4(card.vf_mac(1), card.vf_mac(0), b"port %d." % port, dport=port))
    peer.expect(b"port 3.")
    rep.expect(b"port 2.")
    rep.expect_none(b"port 1.")


def test_chains_in_hardware(card, through):
    card.filter(card.rep(0), "chain 7 protocol ip flower skip_sw ip_ttl 5 action pedit ex munge eth dst set 02:00:00:00:00:77 pipe "
                             f"action mirred egress redirect dev {card.rep(1)}")
    got = through("protocol ip flower action pedit ex munge ip ttl set 5 pipe action goto chain 7", plain(card))
    assert got[:6] == mac("02:00:00:00:00:77") and got[6:] == plain(card, ttl=5)[6:]


def test_a_miss_in_a_chain_goes_on_in_software(card):
    """What missed in chain 7 enters software in chain 7, with the changes made; chain 0 does not see it."""
    vf, peer = card.wire(0), card.wire(1)
    rep = card.rep(0)
    card.filter(rep, "chain 0 protocol ip flower skip_sw action pedit ex munge ip ttl set 5 pipe action goto chain 7")
    card.filter(rep, "chain 7 protocol ip flower skip_sw ip_proto tcp action drop")
    card.filter(rep, f"chain 7 protocol ip flower skip_hw ip_ttl 5 action mirred egress redirect dev {card.rep(1)}", prio=2)
    card.filter(rep, "chain 0 flower skip_hw action drop", prio=9)
    before = card.cpu_hit(rep), card.cpu_hit(card.rep(1))
    vf.send(plain(card))
    assert peer.expect(b"payload") == plain(card, ttl=5)
    after = card.cpu_hit(rep), card.cpu_hit(card.rep(1))
    assert after == ((before[0][0] + 1, before[0][1]), (before[1][0], before[1][1] + 1))


def burst(card, packets):
    """How many of PACKETS frames sent at once VF 1 gets."""
    vf, peer = card.wire(0), card.wire(1)
    for i in range(packets):
        vf.send(udp4(card.vf_mac(1), card.vf_mac(0), b"burst %3d" % i + bytes(900)))
    got = 0
    while peer.next(0.2):
        got += 1
    return got


def test_police(card):
    """A burst passes as far as the bucket goes."""
    card.filter(card.rep(0), "protocol ip flower skip_sw action police rate 100kbit burst 10k conform-exceed drop/pipe "
                             f"action mirred egress redirect dev {card.rep(1)}")
    assert 8 <= burst(card, 100) <= 30


def test_police_shared_by_index(card):
    """Two filters with the police of one index share one bucket; offloaded by itself it counts."""
    sh("tc actions add action police index 77 rate 100kbit burst 10k conform-exceed drop/pipe skip_sw")
    try:
        assert "in_hw" in sh("tc -s actions get action police index 77")
        for prio, port in ((1, 2000), (2, 3000)):
            card.filter(card.rep(0), f"protocol ip flower skip_sw ip_proto udp dst_port {port} action police index 77 "
                                     f"action mirred egress redirect dev {card.rep(1)}", prio=prio)
        assert card.occupied("meters") == 1
        vf, peer = card.wire(0), card.wire(1)
        for i in range(100):
            vf.send(udp4(card.vf_mac(1), card.vf_mac(0), bytes(900), dport=2000 + i % 2 * 1000))
        got = 0
        while peer.next(0.2):
            got += 1
        assert 8 <= got <= 30
    finally:
        card.no_filters()
        time.sleep(0.1)
        sh("tc actions del action police index 77")
    wait_for(lambda: card.occupied("meters") == 0)


def test_matchall_police(card):
    sh(f"tc filter add dev {card.rep(0)} ingress prio 1 matchall skip_sw "
       "action police rate 100kbit burst 10k conform-exceed drop/continue")
    card.dirty.add((card.rep(0), "0"))
    card.filter(card.rep(0), f"flower skip_sw action mirred egress redirect dev {card.rep(1)}", prio=2)
    assert 8 <= burst(card, 100) <= 30


def test_sample(card, through):
    """A sampled frame goes on as if it had not been looked at, and who listens gets its beginning."""
    samples = Samples()
    try:
        got = through(f"protocol ip flower action sample rate 1 group 5 trunc 30 pipe {TO_1}", plain(card))
        assert got == plain(card)
        sample = samples.next()
    finally:
        samples.close()
    assert int.from_bytes(sample[Samples.GROUP], "little") == 5 and int.from_bytes(sample[Samples.RATE], "little") == 1
    assert int.from_bytes(sample[Samples.ORIGINAL_SIZE], "little") == len(got)
    assert sample[Samples.DATA] == got[:30]


def test_fragments(card):
    """Fragments are matched as such; a later one has no ports to look at."""
    vf, one, two = card.wire(0), card.wire(1), card.wire(2)
    card.filter(card.rep(0), f"protocol ip flower skip_sw ip_flags frag action mirred egress redirect dev {card.rep(2)}")
    card.filter(card.rep(0), f"protocol ip flower skip_sw action mirred egress redirect dev {card.rep(1)}", prio=2)
    whole = plain(card)
    later = bytearray(whole)
    later[20:22] = b"\0\x10"
    later[24:26] = b"\0\0"
    later[24:26] = checksum(bytes(later[14:34])).to_bytes(2, "big")
    vf.send(whole)
    vf.send(bytes(later))
    one.expect(b"payload")
    two.expect(b"payload")
