# SPDX-License-Identifier: GPL-2.0
"""Switchdev mode: the slow path by representors, filters that forward in the adapter, and what they cost."""
from emu import TcpFlow, read, sh, status, udp4, wait_for, write


def hw_packets(filters):
    return [f["options"]["actions"][0]["stats"].get("hw_packets", 0) for f in filters]


def test_slow_path(card):
    """Without filters what a VF or the cable sends comes to the host, and what the host sends the VF or the cable gets."""
    vf, far = card.wire(0), card.wire(None)
    rep, uplink = card.listen(card.rep(0)), card.listen(card.pf())
    frame = udp4("02:00:00:00:00:99", card.vf_mac(0), b"from the VF")
    vf.send(frame)
    assert rep.expect(b"from the VF") == frame
    rep.send(udp4(card.vf_mac(0), "02:00:00:00:00:99", b"to the VF"))
    vf.expect(b"to the VF")
    far.send(udp4("02:00:00:00:00:99", card.far_mac(), b"from the cable"))
    uplink.expect(b"from the cable")
    uplink.send(udp4(card.far_mac(), "02:00:00:00:00:99", b"to the cable"))
    far.expect(b"to the cable")


def test_vf_to_vf_in_hardware(card):
    """One skip_sw filter each way: ping and TCP pass, and no packet shows at a representor."""
    one, other = card.rep(0), card.rep(1)
    card.connect(one, other)
    before = card.cpu_hit(one), card.cpu_hit(other)
    assert card.ping(0, card.address(1)) is True
    flow = TcpFlow(card.vm(0), card.vm(1), card.address(1))
    wait_for(lambda: flow.received > 1 << 20)
    flow.stop()
    assert (card.cpu_hit(one), card.cpu_hit(other)) == before
    filters = card.filters(one)
    assert filters[0]["options"]["in_hw"] and filters[0]["options"]["in_hw_count"] == 1
    wait_for(lambda: hw_packets(card.filters(one))[0] > (1 << 20) / 1500)
    card.no_filters()
    card.ping(0, card.address(1), patience=0)
    assert card.cpu_hit(one) != before[0]


def test_counters_exact_and_late(card):
    """The adapter's counters come by the period, and come to exactly what crossed."""
    card.filter(card.rep(0), "protocol ip flower skip_sw ip_proto udp dst_port 2000 action mirred egress redirect "
                             f"dev {card.rep(1)}")
    card.param("stats_period_ms", 60000)
    vf, peer = card.wire(0), card.wire(1)
    frames = [udp4(card.vf_mac(1), card.vf_mac(0), b"frame %3d" % i) for i in range(50)]
    for frame in frames:
        vf.send(frame)
    peer.expect(b"frame  49")
    assert hw_packets(card.filters(card.rep(0))) == [0]
    card.param("stats_period_ms", 100)
    wait_for(lambda: hw_packets(card.filters(card.rep(0))) != [0])
    stats = card.filters(card.rep(0))[0]["options"]["actions"][0]["stats"]
    assert (stats["hw_packets"], stats["hw_bytes"]) == (50, sum(map(len, frames)))
    assert stats["packets"] == 50 and stats.get("drops", 0) == 0


def test_representor_statistics(card):
    """The usual statistics are the VF's turned round; the slow path has counters of its own."""
    card.connect(card.rep(0), card.rep(1))
    path = f"/sys/class/net/{card.rep(0)}/statistics/"
    before = int(read(path + "rx_packets")), card.cpu_hit(card.rep(0))
    vf, peer = card.wire(0), card.wire(1)
    vf.send(udp4(card.vf_mac(1), card.vf_mac(0), b"counted"))
    peer.expect(b"counted")
    assert (int(read(path + "rx_packets")), card.cpu_hit(card.rep(0))) == (before[0] + 1, before[1])


def test_vf_to_wire(card):
    card.connect(card.rep(0), card.pf())
    before = card.cpu_hit(card.rep(0)), card.cpu_hit(card.pf())
    assert card.ping(0, card.far_address()) is True
    assert (card.cpu_hit(card.rep(0)), card.cpu_hit(card.pf())) == before
    for dev in (card.rep(0), card.pf()):
        wait_for(lambda: sum(hw_packets(card.filters(dev))) >= 3)


def test_priority_and_masks(card):
    """Of several filters that match, the lowest priority number wins, whatever was added first."""
    rep, to = card.rep(0), "action mirred egress redirect dev"
    card.filter(rep, f"protocol ip flower skip_sw {to} {card.rep(1)}", prio=5)
    card.filter(rep, f"protocol ip flower skip_sw dst_ip 10.9.0.0/16 ip_proto udp dst_port 53 {to} {card.rep(2)}", prio=4)
    card.filter(rep, "protocol ip flower skip_sw dst_ip 10.9.0.7 action drop", prio=3)
    vf, first, second = card.wire(0), card.wire(1), card.wire(2)
    vf.send(udp4(card.vf_mac(1), card.vf_mac(0), b"port 54", dport=54))
    vf.send(udp4(card.vf_mac(1), card.vf_mac(0), b"port 53", dport=53))
    vf.send(udp4(card.vf_mac(1), card.vf_mac(0), b"to 7", dst="10.9.0.7", dport=53))
    first.expect(b"port 54")
    second.expect(b"port 53")
    first.expect_none(b"to 7")
    second.expect_none(b"to 7")


def test_no_vlan_key_means_untagged(card):
    card.filter(card.rep(0), f"flower skip_sw dst_mac {card.vf_mac(1)} action mirred egress redirect dev {card.rep(1)}")
    vf, peer, rep = card.wire(0), card.wire(1), card.listen(card.rep(0))
    vf.send(udp4(card.vf_mac(1), card.vf_mac(0), b"plain"))
    vf.send(udp4(card.vf_mac(1), card.vf_mac(0), b"tagged", vlan=5))
    peer.expect(b"plain")
    rep.expect(b"tagged")


def test_replace_is_make_before_break(card):
    """tc filter replace leaves the newer rule in force and one rule in the table."""
    rep = card.rep(0)
    card.filter(rep, f"handle 1 flower skip_sw action mirred egress redirect dev {card.rep(1)}")
    assert card.occupied() == 1
    sh(f"tc filter replace dev {rep} ingress prio 1 handle 1 flower skip_sw action mirred egress redirect dev {card.rep(2)}")
    assert card.occupied() == 1
    vf, peer = card.wire(0), card.wire(2)
    vf.send(udp4(card.vf_mac(1), card.vf_mac(0), b"replaced"))
    peer.expect(b"replaced")


def test_without_skip_sw(card):
    """A filter the adapter refuses stays in software, says not_in_hw, and forwards there."""
    rep = card.rep(0)
    card.filter(rep, "protocol arp flower arp_tip 10.9.9.9 action drop")
    card.filter(rep, f"protocol ip flower action mirred egress redirect dev {card.rep(1)}", prio=2)
    arp, ip = card.filters(rep)
    assert arp["options"].get("not_in_hw") and ip["options"].get("in_hw")
    code, said = status(f"tc filter add dev {rep} ingress prio 3 protocol arp flower verbose arp_tip 10.9.9.8 action drop")
    assert code == 0 and "eswemu: Unsupported key" in said


def test_capacity(make_card):
    """A table for 1000 rules takes 1000 and says why not one more; its occupancy is right all along."""
    card = make_card(flows=1000).switchdev(2)
    rep = card.rep(0)
    batch = "".join(f"filter add dev {rep} ingress prio 1 handle {i} protocol ip flower skip_sw dst_ip 10.1.{i // 250}.{i % 250} "
                    "action drop\n" for i in range(1, 1001))
    write("/tmp/batch", batch)
    assert card.occupied() == 0
    sh("tc -batch /tmp/batch")
    assert card.occupied() == 1000
    done, said = card.filter(rep, "protocol ip flower skip_sw dst_ip 10.2.0.0 action drop", check=False)
    assert not done and "eswemu: The flow table is full" in said
    done, said = card.filter(rep, "protocol ip flower dst_ip 10.2.0.0 action drop", check=False)
    assert done and card.occupied() == 1000
    sh(f"tc filter del dev {rep} ingress prio 1 handle 7 flower")
    assert card.occupied() == 999
    card.filter(rep, "protocol ip flower skip_sw dst_ip 10.3.0.0 action drop")
    assert card.occupied() == 1000
    sh(f"tc qdisc del dev {rep} ingress")
    assert card.occupied() == 0


def test_resource_size_from_reload(make_card):
    card = make_card(flows=1000)
    sh(f"devlink resource set {card.handle} path /flows size 7")
    card.reload()
    card.switchdev(1)
    for i in range(7):
        card.filter(card.rep(0), f"protocol ip flower skip_sw dst_ip 10.1.0.{i} action drop")
    done, said = card.filter(card.rep(0), "protocol ip flower skip_sw dst_ip 10.1.0.9 action drop", check=False)
    assert not done and "full" in said


def test_what_else_can_run_out(make_card):
    """Counters and meters have a number too, and their own words."""
    card = make_card(flows=10)
    sh(f"devlink resource set {card.handle} path /counters size 3 && devlink resource set {card.handle} path /meters size 1")
    card.reload()
    card.switchdev(1)
    rep, police = card.rep(0), "action police rate 1mbit burst 10k conform-exceed drop/pipe action drop"
    card.filter(rep, f"protocol ip flower skip_sw dst_ip 10.1.0.1 {police}")
    done, said = card.filter(rep, f"protocol ip flower skip_sw dst_ip 10.1.0.2 {police}", check=False)
    assert not done and "Failed to get flow meter" in said
    assert (card.occupied(), card.occupied("counters"), card.occupied("meters")) == (1, 1, 1)
    for i in (3, 4):
        card.filter(rep, f"protocol ip flower skip_sw dst_ip 10.1.0.{i} action drop")
    done, said = card.filter(rep, "protocol ip flower skip_sw dst_ip 10.1.0.5 action drop", check=False)
    assert not done and "No counter is left" in said
    assert (card.occupied(), card.occupied("counters"), card.occupied("meters")) == (3, 3, 1)
    card.no_filters()
    assert card.occupied() == card.occupied("counters") == 0
    wait_for(lambda: card.occupied("meters") == 0)


def test_no_rules_in_legacy_mode(make_card):
    card = make_card()
    sh(f"tc qdisc add dev {card.pf()} ingress")
    done, said = card.filter(card.pf(), "flower skip_sw action drop", check=False)
    assert not done and "Offload needs switchdev mode" in said


def test_mode_is_busy_with_rules(card):
    card.filter(card.rep(0), "flower skip_sw action drop")
    code, said = status(f"devlink dev eswitch set {card.handle} mode legacy")
    assert code != 0 and "Can't change mode, E-Switch is busy" in said


def test_mode_back_and_forth(make_card):
    card = make_card()
    card.numvfs(2)
    for _ in range(3):
        card.mode("switchdev")
        assert "card0pf0rep1" in sh("ip link")
        card.mode("legacy")
        assert "card0pf0rep" not in sh("ip link")


def test_rate_nodes_pin_the_mode(card):
    sh(f"devlink port function rate add {card.handle}/group")
    assert status(f"devlink dev eswitch set {card.handle} mode legacy")[0] != 0
    sh(f"devlink port function rate del {card.handle}/group")


def test_hw_tc_offload(card):
    """Off: refused with the reason. It does not go off while rules are there."""
    rep = card.rep(2)
    card.filter(rep, "flower skip_sw action drop")
    assert status(f"ethtool -K {rep} hw-tc-offload off")[0] != 0
    sh(f"tc filter del dev {rep} ingress")
    # The core remembers what was wanted, and would see no change.
    sh(f"ethtool -K {rep} hw-tc-offload on && ethtool -K {rep} hw-tc-offload off")
    done, said = card.filter(rep, "flower skip_sw action drop", check=False)
    sh(f"ethtool -K {rep} hw-tc-offload on")
    assert not done and "TC offload is disabled on net device" in said


def test_representor_drives_the_link(card):
    carrier = f"ip -n {card.vm(2)} -j link show {card.vf(2)}"
    assert "LOWER_UP" in sh(carrier)
    sh(f"ip link set {card.rep(2)} down")
    wait_for(lambda: "LOWER_UP" not in sh(carrier))
    sh(f"ip link set {card.rep(2)} up")
    wait_for(lambda: "LOWER_UP" in sh(carrier))


def test_shared_block(card):
    """One filter in a block of two ports is two rules, and its counter their sum."""
    for vf in (0, 1):
        sh(f"tc qdisc del dev {card.rep(vf)} ingress && tc qdisc add dev {card.rep(vf)} ingress_block 7 ingress")
    try:
        sh(f"tc filter add block 7 prio 1 flower skip_sw action mirred egress redirect dev {card.rep(2)}")
        assert card.occupied() == 2
        for vf in (0, 1):
            card.wire(vf).send(udp4(card.vf_mac(2), card.vf_mac(vf), b"by the block"))
        peer = sh("tc -s filter show block 7")
        assert "in_hw_count 2" in peer
        wait_for(lambda: "Sent hardware %d bytes 2 pkt" % (2 * len(udp4(card.vf_mac(2), card.vf_mac(0), b"by the block")))
                 in sh("tc -s filter show block 7"))
    finally:
        for vf in (0, 1):
            sh(f"tc qdisc del dev {card.rep(vf)} ingress_block 7 ingress && tc qdisc add dev {card.rep(vf)} ingress")
    assert card.occupied() == 0


def test_two_pfs_are_one_switch(make_card):
    """A rule of one PF may forward to a VF of the other: they share the switch id."""
    card = make_card(pfs=2, vfs=2)
    for pf in (0, 1):
        card.numvfs(1, pf)
        card.mode("switchdev", pf)
        for dev in (card.pf(pf), card.rep(0, pf)):
            sh(f"ip link set {dev} up && tc qdisc add dev {dev} ingress")
    ids = {read(f"/sys/class/net/{dev}/phys_switch_id") for dev in
           (card.pf(0), card.pf(1), card.rep(0, 0), card.rep(0, 1))}
    assert len(ids) == 1 and len(ids.pop()) == 16
    for pf in (0, 1):
        sh(f"ip link set {card.vf(0, pf)} up")
    card.filter(card.rep(0, 0), f"flower skip_sw action mirred egress redirect dev {card.rep(0, 1)}")
    one, other = card.listen(card.vf(0, 0)), card.listen(card.vf(0, 1))
    one.send(udp4("02:00:00:00:00:01", "02:00:00:00:00:02", b"across"))
    other.expect(b"across")
