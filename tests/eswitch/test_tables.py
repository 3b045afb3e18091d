# SPDX-License-Identifier: GPL-2.0
"""What each profile takes and what it refuses, with which errno and words: every row of the tables, one test a row."""
import errno
import re

import pytest
from emu import Failed, read, sh, status, write

INVAL, NOTSUPP, RANGE = errno.EINVAL, errno.EOPNOTSUPP, errno.ERANGE
TO = "action mirred egress redirect dev {rep1}"
TAKEN = None

# Where a row names no device it is a representor's filter. {capability} before a row switches that capability off.
MLX5 = [
    # keys; tc reads the numbers of protocols as hexadecimal
    (f"protocol ip flower ip_proto tcp dst_port 10-20 {TO}", (NOTSUPP, "Unsupported key")),
    (f"protocol arp flower arp_tip 10.0.0.1 {TO}", (NOTSUPP, "Unsupported key")),
    (f"protocol ppp_ses flower pppoe_sid 5 {TO}", (NOTSUPP, "Unsupported key")),
    (f"flower num_of_vlans 2 {TO}", (NOTSUPP, "Unsupported key")),
    (f"protocol arp flower {TO}", TAKEN),
    (f"flower indev {{rep0}} {TO}", TAKEN),
    (f"flower indev {{rep1}} {TO}", (INVAL, "Can't match on the ingress filter port")),
    (f"flower dst_mac 02:00:00:00:00:00/ff:00:00:00:00:01 src_mac 02:00:00:00:00:01 {TO}", TAKEN),
    (f"protocol 802.1Q flower vlan_id 5 {TO}", TAKEN),
    (f"protocol 802.1Q flower vlan_prio 3 {TO}", TAKEN),
    (f"protocol 802.1Q flower vlan_id 5 vlan_ethtype ip dst_ip 10.0.0.0/8 {TO}", TAKEN),
    (f"protocol 802.1ad flower vlan_id 5 vlan_ethtype 802.1q cvlan_id 6 {TO}", TAKEN),
    (f"-cvlan protocol 802.1ad flower vlan_id 5 vlan_ethtype 802.1q cvlan_id 6 {TO}", (NOTSUPP, "CVLAN is not supported")),
    (f"protocol ip flower ip_flags frag {TO}", TAKEN),
    (f"protocol ip flower ip_flags nofrag {TO}", TAKEN),
    (f"protocol ip flower ip_flags frag/firstfrag {TO}", (NOTSUPP, "frag first/later is not supported")),
    (f"protocol ip flower ip_proto 47 src_ip 10.0.0.0/9 dst_ip 10.2.3.4 {TO}", TAKEN),
    (f"protocol ip flower ip_tos 0x10/0xfc {TO}", TAKEN),
    (f"protocol ip flower ip_ttl 64 {TO}", TAKEN),
    (f"-ttl protocol ip flower ip_ttl 64 {TO}", (NOTSUPP, "TTL is not supported")),
    (f"protocol ipv6 flower ip_ttl 64 ip_tos 0x10/0xfc {TO}", TAKEN),
    (f"-ttl protocol ipv6 flower ip_ttl 64 {TO}", (NOTSUPP, "TTL is not supported")),
    (f"protocol ipv6 flower src_ip fd00::/8 dst_ip fd00::1 {TO}", TAKEN),
    (f"protocol ipv6 flower dst_ip ::1 {TO}", TAKEN),
    (f"protocol ip flower ip_proto tcp dst_port 80 src_port 1024 {TO}", TAKEN),
    (f"protocol ipv6 flower ip_proto udp dst_port 53/0xff00 {TO}", TAKEN),
    (f"protocol ip flower ip_proto sctp dst_port 80 {TO}", (INVAL, "Only UDP and TCP")),
    (f"protocol ip flower ip_proto tcp tcp_flags 0x12/0x3f {TO}", TAKEN),
    (f"protocol ip flower ip_proto icmp type 8 {TO}", TAKEN),
    (f"protocol ipv6 flower ip_proto icmpv6 type 135 code 0 {TO}", TAKEN),
    (f"-icmp protocol ip flower ip_proto icmp type 8 {TO}", (NOTSUPP, "Flex protocols")),
    (f"protocol ip flower ct_state +trk+new {TO}", (NOTSUPP, "ct_state +new isn't supported")),
    (f"protocol ip flower ct_state +trk+rel {TO}", (NOTSUPP, "ct_state +rel isn't supported")),
    (f"protocol ip flower ct_state +trk+inv {TO}", (NOTSUPP, "ct_state +inv isn't supported")),
    # Real mlx5 takes these; the emulator has no conntrack yet and says so.
    (f"protocol ip flower ct_state +trk+est {TO}", (NOTSUPP, "Conntrack is not part of this adapter")),
    (f"protocol ip flower ct_state +trk+est+rpl-rel-inv {TO}", (NOTSUPP, "Conntrack is not part of this adapter")),
    (f"protocol ip flower ct_zone 5 {TO}", (NOTSUPP, "Conntrack is not part of this adapter")),
    (f"protocol ip flower ct_mark 5/0xff {TO}", (NOTSUPP, "Conntrack is not part of this adapter")),
    (f"protocol ip flower ct_label 05 {TO}", (NOTSUPP, "Conntrack is not part of this adapter")),
    (f"protocol ip flower action ct clear pipe {TO}", (NOTSUPP, "Not implemented offload action")),
    (f"protocol ip flower action ct zone 5 pipe {TO}", (NOTSUPP, "Not implemented offload action")),
    (f"protocol ip flower enc_key_id 7 {TO}", (NOTSUPP, "must include enc_dst_port")),
    (f"protocol ip flower enc_key_id 7 enc_dst_port 4789 {TO}", (NOTSUPP, "Match on tunnel is not supported")),
    (f"protocol ip flower enc_dst_ip 192.0.2.1 {TO}", (NOTSUPP, "must include enc_dst_port")),
    (f"protocol ip flower enc_key_id 7 enc_dst_port 6081 geneve_opts 0102:80:00112233 {TO}", (NOTSUPP, "Match on tunnel is not supported")),
    (f"protocol mpls_uc flower mpls_label 5 {TO}", (NOTSUPP, "only for MPLS over UDP")),
    # actions
    ("flower", (INVAL, "doesn't have any entries")),
    (f"protocol ip flower action tunnel_key set src_ip 192.0.2.2 dst_ip 192.0.2.1 id 7 dst_port 4789 pipe {TO}",
     (NOTSUPP, "Not implemented offload action")),
    (f"protocol ip flower action tunnel_key unset pipe {TO}", (NOTSUPP, "Not implemented offload action")),
    (f"flower action mpls push label 5 protocol mpls_uc pipe {TO}", (NOTSUPP, "Not implemented offload action")),
    (f"flower action skbedit mark 5 pipe {TO}", (NOTSUPP, "Not implemented offload action")),
    (f"flower action mirred ingress mirror dev {{rep1}} {TO}", (NOTSUPP, "Not implemented offload action")),
    (f"flower action skbedit priority 5 pipe {TO}", (NOTSUPP, "Not implemented offload action")),
    ("flower action drop", TAKEN),
    ("flower action pass", TAKEN),
    ("flower action trap", TAKEN),
    ("flower action mirred egress mirror dev {rep1} action trap", (NOTSUPP, "trap is supported as a sole action only")),
    ("protocol ip flower ip_proto udp action pedit ex munge ip ttl set 5 pipe action drop", (NOTSUPP, "Drop with modify header")),
    ("flower action mirred egress mirror dev {rep1} action drop", (NOTSUPP, "forward+drop")),
    ("flower action vlan push id 5 pipe", (NOTSUPP, "at least one forward/drop")),
    ("flower action mirred egress redirect dev lo", (NOTSUPP, "not on same switch HW")),
    (f"flower action mirred egress mirror dev {{uplink}} {TO}", TAKEN),
    (f"flower action mirred egress mirror dev {{rep1}} {TO}", (NOTSUPP, "can't duplicate output to same device")),
    ("flower action mirred egress redirect dev {rep0}", (NOTSUPP, "can't forward from a VF to itself")),
    ("@uplink flower action mirred egress redirect dev {uplink}", (NOTSUPP, "both uplink")),
    ("+hairpin @uplink flower action mirred egress redirect dev {uplink}", TAKEN),
    ("flower action mirred ingress redirect dev {rep1}", (NOTSUPP, "only for OVS internal ports")),
    (f"flower action vlan push id 5 pipe {TO}", TAKEN),
    (f"flower action vlan push id 5 pipe action vlan push id 6 pipe {TO}", TAKEN),
    (f"flower action vlan push id 5 pipe action vlan push id 6 pipe action vlan push id 7 pipe {TO}",
     (NOTSUPP, "Total vlans used is greater")),
    (f"protocol 802.1Q flower vlan_id 5 action vlan pop pipe {TO}", TAKEN),
    (f"protocol 802.1ad flower vlan_id 5 vlan_ethtype 802.1q action vlan pop pipe action vlan pop pipe {TO}", TAKEN),
    (f"protocol 802.1ad flower vlan_id 5 vlan_ethtype 802.1q action vlan pop pipe action vlan pop pipe action vlan pop pipe {TO}",
     (NOTSUPP, "Total vlans used is greater")),
    (f"protocol 802.1Q flower vlan_id 5 action vlan pop pipe action vlan push id 9 pipe {TO}", TAKEN),
    (f"protocol 802.1Q flower vlan_id 5 action vlan pop pipe action vlan push id 9 priority 3 pipe {TO}", (NOTSUPP, "Changing VLAN prio")),
    (f"protocol 802.1Q flower vlan_id 5 action vlan modify id 9 pipe {TO}", TAKEN),
    (f"flower action vlan modify id 9 pipe {TO}", (NOTSUPP, "must have VLAN protocol match")),
    (f"protocol 802.1Q flower vlan_id 5 action vlan modify id 9 priority 3 pipe {TO}", (NOTSUPP, "Changing VLAN prio")),
    (f"protocol 802.1Q flower vlan_prio 3 action vlan modify id 9 priority 3 pipe {TO}", TAKEN),
    (f"protocol ip flower action pedit ex munge offset 8 u8 set 5 pipe {TO}", (NOTSUPP, "legacy pedit isn't offloaded")),
    (f"flower action pedit ex munge eth dst set 02:00:00:00:00:05 munge eth src set 02:00:00:00:00:06 pipe {TO}", TAKEN),
    (f"protocol ip flower action pedit ex munge ip ttl add 0xff pipe {TO}", TAKEN),
    (f"protocol ip flower ip_proto udp action pedit ex munge ip dst set 10.0.0.9 munge ip tos set 8 pipe action csum ip udp pipe {TO}",
     TAKEN),
    (f"protocol ipv6 flower ip_proto tcp action pedit ex munge ip6 dst set fd00::9 pipe action csum tcp pipe {TO}", TAKEN),
    (f"protocol ip flower ip_proto tcp action pedit ex munge tcp dport set 81 munge tcp sport set 82 pipe {TO}", TAKEN),
    (f"protocol ip flower ip_proto udp action pedit ex munge udp dport set 81 pipe {TO}", TAKEN),
    (f"protocol ip flower ip_proto icmp action pedit ex munge ip dst set 10.0.0.9 pipe action csum ip pipe {TO}", TAKEN),
    (f"protocol ip flower action pedit ex munge ip ttl set 5 pipe {TO}", TAKEN),
    (f"flower action pedit ex munge eth type set 0x0800 pipe {TO}", TAKEN),
    (f"protocol ip flower ip_proto udp action pedit ex munge ip protocol set 6 pipe {TO}", (NOTSUPP, "an unsupported field")),
    (f"protocol ip flower ip_proto udp action pedit ex munge ip dst set 10.0.0.9 retain 0xff0000ff pipe {TO}",
     (NOTSUPP, "few sub-fields")),
    (f"protocol ip flower ip_proto udp action pedit ex munge ip ttl set 5 munge ip ttl set 6 pipe {TO}", (NOTSUPP, "Acting twice")),
    (f"protocol ip flower action pedit ex munge ip dst set 10.0.0.9 pipe {TO}", (NOTSUPP, "re-write of non TCP/UDP")),
    (f"protocol ip flower action csum ip pipe {TO}", (NOTSUPP, "only offloaded with pedit")),
    (f"protocol ip flower action pedit ex munge ip ttl set 5 pipe action csum sctp pipe {TO}", (NOTSUPP, "csum action for some")),
    ("flower action goto chain 5", TAKEN),
    ("chain 6 flower action goto chain 5", (NOTSUPP, "Goto lower numbered chain")),
    ("flower action goto chain 1000001", (NOTSUPP, "out of supported range")),
    (f"chain 1000001 flower {TO}", (NOTSUPP, "out of supported range")),
    ("flower action mirred egress mirror dev {rep1} action goto chain 5", (NOTSUPP, "Mirroring goto chain")),
    (f"flower action police rate 1mbit burst 10k conform-exceed drop/pipe {TO}", TAKEN),
    (f"flower action police pkts_rate 1000 pkts_burst 10 conform-exceed drop/pipe {TO}", TAKEN),
    (f"flower action police rate 1mbit burst 10k conform-exceed pass/pipe {TO}", (NOTSUPP, "exceed action is not drop")),
    ("flower action mirred egress mirror dev {rep1} action police rate 1mbit burst 10k conform-exceed drop/ok", TAKEN),
    (f"flower action police rate 1mbit burst 10k conform-exceed drop/continue {TO}", (NOTSUPP, "conform action is not pipe or ok")),
    (f"flower action police rate 1mbit burst 10k conform-exceed drop/ok {TO}", (NOTSUPP, "conform action is ok, but action is not last")),
    (f"flower action police rate 1mbit burst 10k peakrate 2mbit mtu 2000 conform-exceed drop/pipe {TO}", (NOTSUPP, "peakrate")),
    (f"flower action police rate 1mbit burst 10k overhead 20 conform-exceed drop/pipe {TO}", (NOTSUPP, "peakrate")),
    (f"flower action sample rate 10 group 5 pipe {TO}", TAKEN),
    (f"flower action skbedit ptype host pipe {TO}", TAKEN),
    (f"flower action skbedit ptype otherhost pipe {TO}", (NOTSUPP, "only supported with type host")),
    ("flower action mirred egress redirect dev {rep1} hw_stats immediate", (NOTSUPP, "HW stats type is not supported")),
    ("flower action mirred egress redirect dev {rep1} hw_stats delayed", TAKEN),
]

ICE = [
    (f"flower dst_mac 02:00:00:00:00:01 {TO}", TAKEN),
    (f"protocol ppp_ses flower pppoe_sid 5 {TO}", TAKEN),
    (f"protocol arp flower arp_tip 10.0.0.1 {TO}", (NOTSUPP, "Unsupported key used")),
    (f"protocol ip flower ip_proto tcp dst_port 10-20 {TO}", (NOTSUPP, "Unsupported key used")),
    (f"flower indev {{rep0}} {TO}", (NOTSUPP, "Unsupported key used")),
    (f"flower dst_mac 02:00:00:00:00:00/ff:00:00:00:00:01 {TO}", TAKEN),
    (f"protocol 802.1Q flower vlan_id 5 {TO}", TAKEN),
    (f"protocol 802.1Q flower vlan_prio 3 {TO}", TAKEN),
    (f"protocol 802.1ad flower vlan_id 5 vlan_ethtype 802.1q cvlan_id 6 {TO}", TAKEN),
    (f"-cvlan protocol 802.1ad flower vlan_id 5 vlan_ethtype 802.1q cvlan_id 6 {TO}", (INVAL, "Double VLAN mode is not enabled")),
    (f"protocol arp flower {TO}", TAKEN),
    (f"protocol ip flower ip_ttl 64 ip_tos 0x10 {TO}", TAKEN),
    (f"protocol ip flower ip_proto udp dst_port 53 src_ip 10.0.0.0/9 {TO}", TAKEN),
    (f"protocol ip flower ip_flags frag/firstfrag {TO}", TAKEN),
    (f"protocol ipv6 flower dst_ip fd00::1 {TO}", TAKEN),
    (f"protocol ipv6 flower dst_ip ::1 {TO}", (INVAL, "LOOPBACK")),
    (f"protocol ipv6 flower src_ip ::/128 {TO}", (INVAL, "addr is any")),
    (f"protocol ip flower ip_proto sctp dst_port 80 {TO}", (INVAL, "Only UDP and TCP transport are supported")),
    (f"protocol ip flower ip_proto tcp tcp_flags 0x2 {TO}", (NOTSUPP, "Unsupported key used")),
    (f"protocol ip flower ip_proto icmp type 8 {TO}", (NOTSUPP, "Unsupported key used")),
    (f"protocol ip flower ct_state +trk+est {TO}", (NOTSUPP, "Unsupported key used")),
    (f"protocol ip flower enc_key_id 7 enc_dst_port 4789 {TO}", (NOTSUPP, "device isn't a tunnel")),
    (f"protocol ip flower enc_key_id 7 {TO}", (NOTSUPP, "device isn't a tunnel")),
    (f"protocol mpls_uc flower mpls_label 5 {TO}", (NOTSUPP, "Unsupported key used")),
    ("flower action drop", TAKEN),
    ("flower action pass", (INVAL, "Unsupported action in switchdev mode")),
    ("flower action trap", (INVAL, "Unsupported action in switchdev mode")),
    ("flower action goto chain 5", (INVAL, "Unsupported action in switchdev mode")),
    (f"flower action mirred egress mirror dev {{uplink}} {TO}", (INVAL, "Unsupported action in switchdev mode")),
    (f"flower action vlan push id 5 pipe {TO}", (INVAL, "Unsupported action in switchdev mode")),
    (f"protocol 802.1Q flower vlan_id 5 action vlan pop pipe {TO}", (INVAL, "Unsupported action in switchdev mode")),
    (f"protocol ip flower action pedit ex munge ip ttl set 5 pipe {TO}", (INVAL, "Unsupported action in switchdev mode")),
    (f"flower action police rate 1mbit burst 10k conform-exceed drop/pipe {TO}", (INVAL, "Unsupported action in switchdev mode")),
    (f"flower action sample rate 10 group 5 pipe {TO}", (INVAL, "Unsupported action in switchdev mode")),
    ("flower action mirred egress redirect dev lo", (INVAL, "Unsupported netdevice in switchdev mode")),
    (f"chain 1 flower {TO}", (NOTSUPP, "only offload of chain 0")),
]

NFP = [
    (f"flower dst_mac 02:00:00:00:00:01 {TO}", TAKEN),
    (f"flower indev {{rep0}} {TO}", TAKEN),
    (f"protocol arp flower {TO}", (NOTSUPP, "ARP not supported")),
    (f"protocol arp flower arp_tip 10.0.0.1 {TO}", (NOTSUPP, "match not supported")),
    (f"protocol ppp_ses flower pppoe_sid 5 {TO}", (NOTSUPP, "match not supported")),
    (f"protocol 802.1Q flower vlan_id 5 vlan_prio 3 {TO}", TAKEN),
    (f"protocol 802.1ad flower vlan_id 5 vlan_ethtype 802.1q cvlan_id 6 {TO}", TAKEN),
    (f"protocol ip flower ip_ttl 64 ip_tos 0x10 src_ip 10.0.0.0/9 {TO}", TAKEN),
    (f"protocol ipv6 flower ip_proto udp dst_port 53 dst_ip ::1 {TO}", TAKEN),
    (f"protocol ip flower ip_proto tcp dst_port 10-20 {TO}", (NOTSUPP, "match not supported")),
    (f"-pcp protocol 802.1Q flower vlan_prio 3 {TO}", (NOTSUPP, "does not support VLAN PCP")),
    (f"-cvlan protocol 802.1ad flower vlan_id 5 vlan_ethtype 802.1q cvlan_id 6 {TO}", (NOTSUPP, "does not support VLAN QinQ")),
    (f"protocol ip flower ip_flags frag/firstfrag {TO}", TAKEN),
    (f"protocol ip flower ip_proto sctp dst_port 80 {TO}", TAKEN),
    (f"protocol ip flower ip_proto tcp tcp_flags 0x2 {TO}", TAKEN),
    (f"protocol ip flower ip_proto tcp tcp_flags 0xa {TO}", TAKEN),
    (f"protocol ip flower ip_proto tcp tcp_flags 0x8 {TO}", (NOTSUPP, "selected TCP flags")),
    (f"protocol ip flower ip_proto tcp tcp_flags 0x10 {TO}", (NOTSUPP, "selected TCP flags")),
    # nfp has conntrack only merged with what follows it, which the emulator has not.
    (f"protocol ip flower ct_state +trk+est {TO}", (NOTSUPP, "match not supported")),
    (f"protocol ip flower ip_proto icmp type 8 {TO}", (NOTSUPP, "match not supported")),
    (f"protocol ip flower enc_key_id 7 enc_dst_port 4789 {TO}", (NOTSUPP, "tunnel match not supported")),
    (f"protocol ip flower enc_key_id 7 {TO}", (NOTSUPP, "destination port has to be exact")),
    (f"protocol mpls_uc flower mpls_label 5 {TO}", TAKEN),
    ("flower action drop", TAKEN),
    (f"flower action mirred egress mirror dev {{uplink}} {TO}", TAKEN),
    (f"protocol 802.1Q flower vlan_id 5 action vlan pop pipe {TO}", TAKEN),
    (f"protocol 802.1Q flower vlan_id 5 action vlan modify id 9 pipe {TO}", (NOTSUPP, "unsupported action in action list")),
    (f"protocol ip flower ip_proto udp action pedit ex munge ip dst set 10.0.0.9 pipe action csum ip udp pipe {TO}", TAKEN),
    (f"protocol ip flower ip_proto udp action pedit ex munge ip protocol set 6 pipe {TO}", (NOTSUPP, "pedit on unsupported header")),
    (f"protocol ip flower action csum ip pipe {TO}", (NOTSUPP, "unsupported csum update action")),
    (f"flower action police rate 1mbit burst 10k conform-exceed drop/pipe {TO}", TAKEN),
    (f"flower action sample rate 10 group 5 pipe {TO}", (NOTSUPP, "unsupported action in action list")),
    ("flower action goto chain 5", (NOTSUPP, "unsupported action in action list")),
    ("flower action trap", (NOTSUPP, "unsupported action in action list")),
    ("flower action mirred egress redirect dev lo", (NOTSUPP, "egress interface is not an nfp port")),
    (f"flower action vlan push id 5 pipe {TO}", TAKEN),
    (f"chain 1 flower {TO}", (NOTSUPP, "only offload of chain 0")),
]

TABLE = [(profile, *row) for profile, rows in (("mlx5", MLX5), ("ice", ICE), ("nfp", NFP)) for row in rows]


def refusals(card):
    """{words: (count, errno)} of what the card has refused so far."""
    lines = (line.split(" ", 2) for line in read(card.debug("refused")).splitlines())
    return {words: (int(count), int(number)) for count, number, words in lines}


@pytest.fixture
def profile(card):
    """Switches the card's profile, only when it is another one."""
    def switch(name):
        if getattr(card, "profile", "mlx5") != name:
            card.param("profile", name)
            card.profile = name
        return card
    return switch


@pytest.mark.parametrize("name,row,wanted", TABLE, ids=[f"{name}: {row}" for name, row, _ in TABLE])
def test_row(profile, name, row, wanted):
    card = profile(name)
    capability, _, rest = row.partition(" ") if row[0] in "-+" else ("", "", row)
    where, names = card.rep(0), {"rep0": card.rep(0), "rep1": card.rep(1), "uplink": card.pf()}
    if rest.startswith("@uplink "):
        where, rest = card.pf(), rest[8:]
    rest = re.sub(r"\bflower\b", "flower skip_sw", rest.format(**names), count=1)
    if capability:
        write(card.debug("caps/" + capability[1:]), "N" if capability[0] == "-" else "Y")
    before = refusals(card)
    try:
        done, said = card.filter(where, rest, check=False)
    finally:
        if capability:
            write(card.debug("caps/" + capability[1:]), "Y" if capability[0] == "-" else "N")
    after = refusals(card)
    if wanted is TAKEN:
        assert done, said
        assert len(card.rules()) == 1
        return
    number, gist = wanted
    assert not done and gist in said, said
    new = [after[words][1] for words in after if after[words] != before.get(words) and gist in words]
    assert new == [number], after
    assert not card.rules()


def test_matchall(profile):
    """A policer of all a VF sends: on its representor, alone, with priority 1."""
    card = profile("mlx5")
    rep, police = card.rep(0), "action police rate 10mbit burst 20k conform-exceed drop"
    rows = [
        (rep, 1, f"matchall skip_sw {police}/continue", TAKEN),
        (rep, 2, f"matchall skip_sw {police}/continue", "only priority 1"),
        (card.pf(), 1, f"matchall skip_sw {police}/continue", "only on VF representors"),
        (rep, 1, f"matchall skip_sw {police}/pipe action drop", "only a single action"),
        (rep, 1, "matchall skip_sw action drop", "supports only police action for matchall"),
        (rep, 1, f"matchall skip_sw {police}/pipe", "conform action is not continue"),
        (rep, 1, "matchall skip_sw action police pkts_rate 100 pkts_burst 10 conform-exceed drop/continue", "packets per second"),
    ]
    for dev, prio, row, wanted in rows:
        done, said = card.filter(dev, row, prio=prio, check=False)
        assert done if wanted is TAKEN else (not done and wanted in said), (row, said)
        if wanted is TAKEN:
            assert "in_hw" in status(f"tc filter show dev {dev} ingress")[1]
            status(f"tc filter del dev {dev} ingress")


def test_as_many_outputs_as_tc_can_say(make_card):
    """tc has room for 32 actions, the adapter for as many outputs."""
    card = make_card(vfs=33)
    card.numvfs(33)
    card.mode("switchdev")
    sh(f"tc qdisc add dev {card.rep(0)} ingress")
    mirrors = " ".join(f"action mirred egress mirror dev {card.rep(vf)}" for vf in range(1, 32))
    card.filter(card.rep(0), f"flower skip_sw {mirrors} action mirred egress redirect dev {card.rep(32)}")
    assert card.rules()[0].count("output:") == 32


def test_ice_has_no_statistics(profile):
    """ice representors answer no request for statistics: nothing is ever counted."""
    card = profile("ice")
    card.connect(card.rep(0), card.rep(1))
    assert card.ping(0, card.address(1)) is True
    assert card.filters(card.rep(0))[0]["options"]["actions"][0]["stats"].get("hw_packets", 0) == 0


def test_profile_changes_only_when_empty(profile):
    card = profile("mlx5")
    card.filter(card.rep(0), "flower skip_sw action drop")
    with pytest.raises(Failed):
        card.param("profile", "nfp")
    card.no_filters()
    card.param("profile", "nfp")
    card.param("profile", "mlx5")
    with pytest.raises(Failed, match="The profiles are"):
        card.param("profile", "nonesuch")


def test_ice_mode_only_without_vfs(make_card):
    card = make_card()
    card.param("profile", "ice")
    card.numvfs(1)
    code, said = status(f"devlink dev eswitch set {card.handle} mode switchdev")
    assert code != 0 and "only if there is no VFs created" in said
    card.numvfs(0)
    card.mode("switchdev")
