# SPDX-License-Identifier: GPL-2.0
"""Faults on request: what a vswitch has to survive."""
import errno
import time

import pytest
from emu import read, sh, udp4, wait_for, write

DROP = "protocol ip flower skip_sw ip_proto udp dst_port %d action drop"


def test_nth_insertion_fails(card):
    write(card.debug("fail_errno"), 12)
    write(card.debug("fail_nth"), 2)
    results = [card.filter(card.rep(0), DROP % port, prio=port, check=False) for port in (1, 2, 3)]
    assert [done for done, _ in results] == [True, False, True]
    assert "Cannot allocate memory" in results[1][1]


def test_forgotten_rule(card):
    """The adapter lost a rule: tc says in_hw, the counter stands still, the representor sees the packets."""
    card.filter(card.rep(0), f"flower skip_sw action mirred egress redirect dev {card.rep(1)}")
    write(card.debug("forget"), 0)
    before = card.cpu_hit(card.rep(0))
    card.wire(0).send(udp4(card.vf_mac(1), card.vf_mac(0), b"lost"))
    wait_for(lambda: card.cpu_hit(card.rep(0))[0] == before[0] + 1)
    options = card.filters(card.rep(0))[0]["options"]
    assert options["in_hw"] and options["actions"][0]["stats"].get("hw_packets", 0) == 0


def test_frozen_statistics(card):
    card.filter(card.rep(0), f"flower skip_sw action mirred egress redirect dev {card.rep(1)}")
    write(card.debug("freeze_stats"), "Y")
    card.wire(0).send(udp4(card.vf_mac(1), card.vf_mac(0), b"uncounted"))
    time.sleep(0.3)
    stats = card.filters(card.rep(0))[0]["options"]["actions"][0]["stats"]
    write(card.debug("freeze_stats"), "N")
    assert stats.get("hw_packets", 0) == 0
    wait_for(lambda: card.filters(card.rep(0))[0]["options"]["actions"][0]["stats"].get("hw_packets", 0) > 0)


def test_latency(card):
    """An insertion takes as long as the firmware wants."""
    card.param("insert_latency_us", 50000)
    start = time.monotonic()
    for port in range(1, 6):
        card.filter(card.rep(0), DROP % port, prio=port)
    took = time.monotonic() - start
    card.param("insert_latency_us", 0)
    assert took >= 0.25


def test_crash_and_recovery(make_card):
    """Dead firmware forwards nothing and takes no rule; recovered, it is as after a reload."""
    card = make_card().switchdev(2)
    card.connect(card.rep(0), card.rep(1))
    assert card.ping(0, card.address(1)) is True
    sh(f"devlink health set {card.handle} reporter fw auto_recover false")
    write(card.debug("crash"), 1)
    assert "state error" in sh(f"devlink health show {card.handle} reporter fw")
    assert "crashed" in sh(f"devlink health diagnose {card.handle} reporter fw")
    assert card.ping(0, card.address(1), patience=0) is not True
    done, said = card.filter(card.rep(0), DROP % 5, prio=5, check=False)
    assert not done and "Input/output error" in said
    sh(f"devlink health recover {card.handle} reporter fw")
    assert "state healthy" in sh(f"devlink health show {card.handle} reporter fw")
    assert card.rules() == [] and "mode legacy" in sh(f"devlink dev eswitch show {card.handle}")
    sh(f"ip link set {card.pf()} up")
    assert card.ping(0, card.address(1)) is True


def test_automatic_recovery(make_card):
    card = make_card().switchdev(1)
    write(card.debug("crash"), 1)
    shown = sh(f"devlink health show {card.handle} reporter fw")
    assert "state healthy error 1 recover 1" in shown


def test_one_representor_goes(make_card):
    """A devlink port goes with its representor and the rules on it; the VF stays, and so does all that is of others."""
    card = make_card().switchdev(3)
    card.connect(card.rep(0), card.rep(1))
    card.filter(card.rep(2), f"flower skip_sw action mirred egress redirect dev {card.rep(0)}")
    lone = card.wire(2)
    frame = udp4(card.vf_mac(0), card.vf_mac(2), b"nobody asks for me")
    before = card.cpu_hit(card.rep(0)), card.cpu_hit(card.rep(1))
    lone.send(frame)
    card.lose_rep(2)
    lone.send(frame)
    assert card.rep(2) not in sh("ip link") and f"{card.handle}/3" not in sh("devlink port")
    assert len(card.rules()) == card.occupied() == 2
    assert card.ping(0, card.address(1)) is True
    assert (card.cpu_hit(card.rep(0)), card.cpu_hit(card.rep(1))) == before
    assert "LOWER_UP" not in sh(f"ip -n {card.vm(2)} link show {card.vf(2)}")
    for name, vf, number in (("lose_rep", 2, errno.ENOENT), ("lose_rep", 3, errno.ENOENT), ("find_rep", 3, errno.ENOENT),
                             ("find_rep", 1, errno.EEXIST)):
        with pytest.raises(OSError) as raised:
            write(card.debug(name), vf)
        assert raised.value.errno == number
    card.find_rep(2)
    assert f"{card.handle}/3" in sh("devlink port")
    sh(f"ip link set {card.rep(2)} up && tc qdisc add dev {card.rep(2)} ingress")
    card.filter(card.rep(2), f"flower skip_sw action mirred egress redirect dev {card.rep(0)}")
    got = card.wire(0)
    wait_for(lambda: "LOWER_UP" in sh(f"ip -n {card.vm(2)} link show {card.vf(2)}"))
    lone.send(frame)
    assert got.expect(b"nobody asks for me") == frame
    # Whatever is lost, the rest can go.
    card.lose_rep(0)
    card.numvfs(0)


def test_costs(card):
    """What the emulator takes for itself does not count its firmware's latency."""
    write(card.debug("costs"), 0)
    assert read(card.debug("costs")).splitlines()[0] == "insert count 0 ns 0 below"
    card.param("insert_latency_us", 500000)
    card.filter(card.rep(0), DROP % 5)
    card.param("insert_latency_us", 0)
    line = read(card.debug("costs")).splitlines()[0].split()
    assert line[:3] == ["insert", "count", "1"] and 0 < int(line[4]) < 500e6
    bound, count = map(int, line[6].split(":"))
    assert count == 1 and int(line[4]) < bound <= max(2 * int(line[4]), 1024)


def test_table_and_refusals(card):
    card.filter(card.rep(0), "protocol ip flower skip_sw action vlan push id 3 pipe "
                             f"action mirred egress redirect dev {card.rep(1)}")
    assert card.rules() == ["port 1 chain 0 prio 1 packets 0 bytes 0 actions vlan_push output:2"]
    card.filter(card.rep(0), "protocol arp flower skip_sw arp_tip 10.0.0.1 action drop", prio=2, check=False)
    assert "95 eswemu: Unsupported key" in read(card.debug("refused"))
