# SPDX-License-Identifier: Apache-2.0
"""Every command of ovs-ofctl that asks or changes a switch, in every version of OpenFlow, at the installed daemon and at ours: output, errors and exit status
must be the same."""
import re
import subprocess

import pytest
from world import Pair

VERSIONS = ["OpenFlow10", "OpenFlow11", "OpenFlow12", "OpenFlow13", "OpenFlow14", "OpenFlow15"]
SETUP = [["add-br", "br", "--", "set", "bridge", "br", "datapath_type=dummy", "fail_mode=secure", "protocols=" + ",".join(VERSIONS),
          "other_config:datapath-id=00000000000000aa"],
         *[["add-port", "br", f"p{i}", "--", "set", "interface", f"p{i}", "type=dummy", f"ofport_request={i}"] for i in range(1, 5)]]
FLOWS = """\
cookie=0x5,priority=10,tcp,tp_dst=80,actions=output:1
cookie=0x15,priority=30,ip,nw_dst=10.0.0.0/8,idle_timeout=100,hard_timeout=1000,actions=2
table=3,priority=7,in_port=p1,actions=resubmit(,4)
table=4,send_flow_rem,check_overlap,actions=output:1,output:3,LOCAL,CONTROLLER,NORMAL,FLOOD,ALL,IN_PORT
"""
FRAME = "ffffffffffff0000000000010800"
COMMANDS = [
    "show br", "dump-tables br", "dump-table-desc br", "get-frags br", "dump-ports-desc br", "dump-ports-desc br p1", "dump-ports-desc br 99",
    *[f"dump-ports br{port}" for port in ("", " p1", " 2", " LOCAL", " 77", " ANY", " 65280")],
    *[f"{form} dump-flows br".strip() for form in ("", "--rsort", "--sort", "--rsort=priority", "--names", "--no-names", "--no-stats", "--sort=in_port")],
    *[f"{what} br {which}" for what in ("dump-flows", "dump-aggregate") for which in (
        "cookie=0x5/-1", "cookie=0x5/0xf", "out_port=1", "out_port=p2", "table=3", "table=253", "table=255", "tcp", "tcp,tp_dst=80", "ip",
        "ip,nw_dst=10.1.0.0/16", "out_group=1", "actions=drop", "priority=5")],
    "dump-aggregate br", "dump-aggregate br table=254", "--strict dump-flows br ip",
    "queue-stats br 99", "queue-stats br 1 2", "queue-get-config br 99",
    *[f"{what} br{which}" for what in ("dump-groups", "dump-group-stats", "del-groups") for which in ("", " group_id=1")],
    "insert-buckets br group_id=1,command_bucket_id=first,bucket=output:1", "remove-buckets br group_id=1,command_bucket_id=first",
    "dump-meters br", "dump-meter br meter=1", "meter-stats br", "meter-stats br meter=1", "del-meter br meter=1", "del-meters br",
    "ct-flush-zone br 5", "ct-flush br", "ct-flush br zone=5", "probe br", "bundle br nosuch",
    *[f"mod-port br {port} {setting}" for port in ("p1", "2", "LOCAL", "nosuch", "99")
      for setting in ("no-flood", "flood", "no-receive", "receive", "no-forward", "forward", "no-packet-in", "packet-in", "no-stp", "bogus")],
    "mod-port br p3 no-flood", "mod-port br p4 no-forward", "dump-ports-desc br", "mod-port br p3 flood", "mod-port br p4 forward",
    *[f"mod-table br {table} {setting}" for table in ("0", "all", "254", "300") for setting in ("drop", "continue", "bogus", "noevict", "controller")],
    *[f"set-frags br {mode}" for mode in ("drop", "nx-match", "reassemble", "normal", "bogus")], "get-frags br",
    "show nosuch", "dump-flows nosuch",
    *[f"packet-out br in_port={port},packet={FRAME},actions={actions}" for port, actions in [
        ("1", "output:2"), ("99", "output:2"), ("controller", "table"), ("none", "resubmit(,3)"), ("local", "resubmit(,3)"), ("65400", "1"),
        ("any", "1"), ("all", "1"), ("table", "1"), ("1", "output:65400"), ("1", "group:1"), ("1", "dec_ttl"), ("1", "write_metadata:1"),
        ("1", "goto_table:1"), ("1", "load:1->NXM_OF_TCP_SRC[]"), ("1", "load:1->NXM_OF_IP_SRC[]"), ("1", "set_field:10.0.0.1->ip_src")]],
    "packet-out br in_port=1,packet=ff,actions=output:1",
    "mod-flows br tcp,actions=output:3", "mod-flows br table=7,udp,actions=output:3", "--strict mod-flows br priority=10,tcp,tp_dst=80,actions=4",
    "mod-flows br cookie=0x15/-1,actions=1", "mod-flows br cookie=0x15/0,actions=1", "add-flow br cookie=1/1,actions=drop", "--no-stats dump-flows br",
    "add-flow br check_overlap,priority=30,ip,actions=drop", "add-flow br check_overlap,table=9,priority=30,ip,actions=drop",
    "--strict del-flows br priority=30,ip", "del-flows br out_port=3", "del-flows br cookie=0x15/0xff", "--no-stats dump-flows br",
    "--bundle add-flow br priority=77,udp,actions=output:1", "--bundle mod-flows br udp,actions=output:2",
    "--bundle add-flow br priority=77,check_overlap,ip,actions=4", "--no-stats dump-flows br", "--bundle del-flows br udp",
    "add-flow br table=254,actions=drop", "del-flows br table=254", "del-flows br", "dump-flows br",
]
# Addresses of dummy devices, kinds of statistics that only those of the installed daemon have, groups and meters, which ours has none of.
FORGET = [(r"addr:[0-9a-f:]+", ""), (r"xid=0x[0-9a-f]+", ""), (r"duration=[0-9.]+s", ""), (r"(idle|hard)_age=\d+, ", ""), (r"GROUP_STATS ", ""),
          (r"^\S+\|\d+\|", ""), (r"/\S*sluice-\w+/", ""), (r"\n +CUSTOM Statistics\n(?: {10}.*\n)*", "\n"), (r"output group", "output"),
          (r" meter apply", " apply"), (r"lookup=\d+, matched=\d+", "")]
# OpenFlow 1.1: what the installed daemon tells of a table's miss is no such thing, and ovs-ofctl says so.
WITHOUT = {"OpenFlow11": ["dump-tables br", "mod-table br"]}


def cleaned(text):
    for pattern, instead in FORGET:
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    # The installed daemon tells ports in the order of a hash table.
    return re.split(r"\n(?= +port )", text)[:1], sorted(re.split(r"\n(?= +port )", text.rstrip("\n"))[1:])


def outcome(switch, version, command):
    result = subprocess.run(["ovs-ofctl", "--timeout=30", "-O", version, *command.split()], env=switch.environment(), text=True, capture_output=True,
                            timeout=60)
    return result.returncode, cleaned(result.stdout), cleaned(result.stderr)


@pytest.fixture(scope="module")
def pair():
    with Pair(SETUP) as both:
        yield both


@pytest.mark.parametrize("version", VERSIONS)
def test_commands(pair, version):
    pair.ofctl("-O", version, "add-flows", "br", "-", stdin=FLOWS)
    wrong = []
    for command in COMMANDS:
        oracle, ours = (outcome(switch, version, command) for switch in pair.switches)
        if oracle != ours and not command.startswith(tuple(WITHOUT.get(version, ["nothing"]))):
            wrong.append(f"{command}\n  installed {oracle}\n  ours {ours}")
    pair.ofctl("del-flows", "br")
    assert not wrong, "\n".join(wrong)


# Every field and action once, right or wrong, as a user would write it.
FLOWS_OF_ALL_KINDS = [
    "importance=5,tcp,actions=drop", "send_flow_rem,tcp,actions=drop", "reset_counts,tcp,actions=drop", "no_packet_counts,tcp,actions=drop",
    "no_byte_counts,no_packet_counts,udp,actions=drop", "check_overlap,reset_counts,tcp,actions=1",
    "idle_timeout=65535,hard_timeout=65535,actions=drop", "priority=0,actions=drop", "priority=65535,actions=drop",
    "table=253,actions=goto_table:254", "table=0,actions=goto_table:253", "table=252,actions=goto_table:253", "in_port=LOCAL,actions=drop",
    "in_port=65534,actions=drop", "in_port=CONTROLLER,actions=drop", "in_port=999,actions=999", "actions=enqueue:1:5",
    "actions=set_queue:5,output:1,pop_queue", "actions=write_metadata:0x5/0xff,goto_table:4", "metadata=5/0xf,actions=drop",
    "actions=clear_actions,write_actions(output:1,set_field:1->reg0,push_vlan:0x8100),goto_table:9", "actions=write_actions(drop)",
    "actions=apply_actions(1)", "actions=set_field:00:00:00:00:00:09->eth_src,set_field:5->vlan_vid",
    "vlan_vid=0x1005,actions=set_field:4102->vlan_vid", "dl_vlan=5,actions=mod_vlan_vid:6,mod_vlan_pcp:3,strip_vlan",
    "actions=push_vlan:0x88a8,set_field:4100->vlan_vid,output:1", "actions=push_vlan:0x1234",
    "actions=mod_dl_src:00:00:00:00:00:01,mod_dl_dst:00:00:00:00:00:02",
    "ip,actions=mod_nw_src:1.2.3.4,mod_nw_dst:1.2.3.4,mod_nw_tos:12,mod_nw_ecn:2,mod_nw_ttl:5,dec_ttl,dec_ttl(1,2)",
    "tcp,actions=mod_tp_src:5,mod_tp_dst:6", "actions=mod_nw_src:1.2.3.4", "ipv6,actions=set_field:::1->ipv6_src,set_field:5->ipv6_label,dec_ttl",
    "icmp6,icmp_type=135,actions=set_field:::1->nd_target,set_field:00:00:00:00:00:01->nd_sll",
    "arp,actions=set_field:2->arp_op,set_field:1.2.3.4->arp_spa,move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[]",
    "actions=load:0x5->NXM_NX_REG0[0..3],move:NXM_NX_REG0[]->NXM_NX_REG1[],push:NXM_NX_REG0[],pop:NXM_NX_REG1[]",
    "actions=set_field:0x5/0xf->reg0,set_field:1/1->xreg3,set_field:0x12/0xff->xxreg1",
    "actions=set_field:1.2.3.4/255.0.0.0->tun_src,set_tunnel:5,set_tunnel64:0x500000000", "actions=resubmit:1,resubmit(,1),resubmit(2,3)",
    "actions=controller,controller(max_len=5),controller(reason=no_match,id=3),controller(pause),controller(userdata=01.02),CONTROLLER:128",
    "actions=output:NXM_NX_REG0[0..15],output(port=1,max_len=100)", "actions=in_port,all,flood,normal,local,table", "actions=group:1",
    "actions=meter:1", "actions=note:01.02.03", "actions=exit,output:1", "actions=learn(table=1,limit=5,result_dst=NXM_NX_REG0[3],delete_learned,send_flow_rem,NXM_OF_VLAN_TCI[0..11])",
    "ip,actions=learn(table=1,limit=5,result_dst=NXM_OF_IP_TOS[3],NXM_OF_VLAN_TCI[0..11])", "actions=learn(limit=5,result_dst=NXM_OF_TCP_SRC[3],NXM_OF_VLAN_TCI[])",
    "actions=learn(limit=5,result_dst=NXM_OF_IN_PORT[3],NXM_OF_VLAN_TCI[])", "actions=learn(table=1,NXM_OF_VLAN_TCI[0..11],output:NXM_OF_IN_PORT[])",
    "tcp,actions=fin_timeout(idle_timeout=5)", "actions=multipath(eth_src,50,modulo_n,1,0,NXM_NX_REG0[])",
    "actions=bundle(eth_src,0,hrw,ofport,members:1,2)", "actions=check_pkt_larger(100)->NXM_NX_REG0[0]", "actions=clone(1,2),3",
    "tcp,ct_state=-trk,actions=ct(table=1,zone=5)", "tcp,actions=ct(commit,nat(src=1.1.1.1),exec(set_field:5->ct_mark))", "actions=ct_clear",
    "nsh,actions=drop", "mpls,actions=pop_mpls:0x800,set_field:5->mpls_label", "mpls,mpls_bos=1,actions=dec_mpls_ttl,set_mpls_ttl(5)",
    "actions=push_mpls:0x8847,set_mpls_label(5),set_mpls_tc(3)", "packet_type=(0,0),actions=drop",
    "ip,nw_frag=first,nw_tos=4,nw_ecn=1,nw_ttl=5,actions=drop", "tcp,tcp_flags=+syn-ack,tp_src=0x400/0xfc00,actions=drop",
    "icmp,icmp_type=8,icmp_code=0,actions=drop", "sctp,tp_src=5,actions=set_field:7->sctp_dst", "rarp,actions=drop", "dl_type=0x1234,actions=drop",
    "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,actions=drop", "vlan_tci=0,actions=drop", "vlan_tci=0x1000/0x1000,actions=drop",
    "dl_vlan=0xffff,actions=drop", "dl_vlan_pcp=3,actions=drop", "ct_state=+new,ip,actions=drop", "pkt_mark=5,actions=set_field:6->pkt_mark",
    "tun_id=5/0xff,tun_src=1.2.3.4,tun_flags=oam,actions=drop", "recirc_id=5,actions=drop", "actset_output=1,actions=drop", "conj_id=5,actions=drop",
    "dp_hash=5,actions=drop", "skb_priority=5,actions=drop",
]


@pytest.mark.parametrize("version", ["OpenFlow10", "OpenFlow13", "OpenFlow14"])
def test_flows_of_all_kinds(pair, version):
    """They are taken or refused alike, and dumped in the same words."""
    wrong = []
    for flow in FLOWS_OF_ALL_KINDS:
        results = [subprocess.run(["ovs-ofctl", "--timeout=30", "-O", version, "add-flow", "br", flow], env=switch.environment(), text=True,
                                  capture_output=True, timeout=60) for switch in pair.switches]
        oracle, ours = ((result.returncode, cleaned(result.stderr)) for result in results)
        if oracle != ours:
            wrong.append(f"{flow}\n  installed {oracle}\n  ours {ours}")
    assert not wrong, "\n".join(wrong)
    oracle, ours = (set(text.splitlines()) for text in pair.ofctl("-O", version, "--no-stats", "dump-flows", "br"))
    assert not oracle ^ ours
    pair.ofctl("del-flows", "br")


CHANGES = """\
add priority=5,tcp,actions=output:3
delete udp
modify table=2,actions=drop
add priority=88,icmp,actions=LOCAL
delete_strict priority=77,arp
"""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("bundle", [[], ["--bundle"]])
def test_files_of_flows(pair, version, bundle, tmp_path):
    """add-flows with commands of all kinds, replace-flows and diff-flows, at once and message by message."""
    flows, changes = tmp_path / "flows", tmp_path / "changes"
    flows.write_text(FLOWS)
    changes.write_text(CHANGES)
    pair.ofctl("del-flows", "br")
    for command in (f"add-flows br {flows}", f"diff-flows br {flows}", f"add-flows br {changes}", f"diff-flows br {flows}", "--no-stats dump-flows br",
                    f"replace-flows br {flows}", "--no-stats dump-flows br", "diff-flows br br", f"--readd replace-flows br {flows}"):
        command = " ".join((bundle if "add-" in command or "replace-" in command else []) + [command])
        oracle, ours = (outcome(switch, version, command) for switch in pair.switches)
        assert oracle[0] == ours[0] and oracle[2] == ours[2], command
        assert sorted(oracle[1][0][0].splitlines()) == sorted(ours[1][0][0].splitlines()), command
    pair.ofctl("del-flows", "br")


# What a bundle meets in the middle: (name, command, flows). Table 9 takes three rules. Each is asked of tables with FLOWS in them.
BUNDLES = [
    ("one too many", "add-flows", "table=1,actions=1\ntable=9,priority=1,actions=1\ntable=9,priority=2,actions=1\ntable=9,priority=3,actions=1\n"
                                  "table=9,priority=4,actions=1\ntable=2,actions=drop\n"),
    ("room is made", "add-flows", "table=9,priority=1,actions=1\ntable=9,priority=2,actions=1\ntable=9,priority=3,actions=1\n"
                                  "delete_strict table=9,priority=2\ntable=9,priority=4,actions=1\nadd table=9,priority=4,actions=2\n"),
    ("room is made, but not enough", "add-flows", "delete table=9\n" + "".join(f"table=9,priority={i},actions=1\n" for i in range(4))),
    ("replaced", "add-flows", "priority=10,tcp,tp_dst=80,actions=5\nmodify tcp,actions=6\ndelete udp\ndelete_strict priority=10,tcp,tp_dst=80\n"
                              "priority=10,tcp,tp_dst=80,actions=7\n"),
    ("overlap with what is there", "add-flows", "table=1,actions=1\ncheck_overlap,priority=30,ip,nw_src=1.2.3.4,actions=1\n"),
    ("overlap within", "add-flows", "table=5,priority=3,tcp,actions=1\ncheck_overlap,table=5,priority=3,ip,nw_src=1.2.3.4,actions=1\n"),
    ("overlap that went", "add-flows", "delete ip\ncheck_overlap,priority=30,ip,nw_src=1.2.3.4,actions=1\n"),
    ("a wrong table", "add-flows", "table=1,actions=1\ndelete table=3\ntable=254,actions=drop\ntable=2,actions=drop\n"),
    ("a wrong way", "add-flows", "table=1,actions=1\nmodify actions=goto_table:4\ntable=2,actions=drop\n"),
    ("a wrong way of old rules", "add-flows", "table=1,actions=1\nmodify table=4,actions=goto_table:3\n"),
    ("no such line", "add-flows", "table=1,actions=1\nnonsense\n"),
    ("nothing", "add-flows", "\n"),
    ("replace by too many", "replace-flows", "table=1,actions=9\n" + "".join(f"table=9,priority={i},actions=1\n" for i in range(5))),
    ("replace by a wrong one", "replace-flows", "table=3,priority=7,in_port=p1,actions=resubmit(,5)\ncheck_overlap,table=254,actions=drop\n"),
    ("replace", "replace-flows", "table=3,priority=7,in_port=p1,actions=resubmit(,5)\ntable=9,actions=drop\n"),
    ("modify", "mod-flows", "tcp,actions=5\ntable=3,actions=6\n"),
    ("modify to a wrong way", "mod-flows", "table=0,actions=drop\ntable=4,actions=goto_table:3\n"),
    ("modify by adding too many", "mod-flows", "".join(f"table=9,priority={i},actions=1\n" for i in range(5))),
]


@pytest.fixture(scope="module")
def narrow(pair):
    for switch in pair.switches:
        switch.vsctl("set", "bridge", "br", "flow_tables:9=@t", "--", "--id=@t", "create", "flow_table", "flow_limit=3")
    yield pair
    for switch in pair.switches:
        switch.vsctl("clear", "bridge", "br", "flow_tables")


@pytest.mark.parametrize("version", ["OpenFlow10", "OpenFlow13", "OpenFlow14"])
@pytest.mark.parametrize("name,command,flows", BUNDLES, ids=[bundle[0] for bundle in BUNDLES])
def test_bundles_of_files(narrow, version, name, command, flows, tmp_path):
    """All of a bundle or nothing, and the same is said of what is wrong with it."""
    path = tmp_path / "flows"
    path.write_text(flows)
    narrow.ofctl("del-flows", "br")
    narrow.ofctl("add-flows", "br", "-", stdin=FLOWS)
    before = narrow.ofctl("--no-stats", "dump-flows", "br")
    oracle, ours = (outcome(switch, version, f"--bundle {command} br {path}") for switch in narrow.switches)
    assert oracle == ours
    after = [sorted(text.splitlines()) for text in narrow.ofctl("--no-stats", "dump-flows", "br")]
    assert after[0] == after[1]
    if ours[0]:
        assert after == [sorted(text.splitlines()) for text in before]
    narrow.ofctl("del-flows", "br")


@pytest.fixture
def fresh_pair():
    with Pair(SETUP) as both:
        yield both


def test_rules_of_the_bridge(fresh_pair):
    """What bridge/dump-flows shows beside the flows of controllers, and what becomes of packets that are sent there. Not where others have sent packets
    before: to the installed daemon an ovs-ofctl of OpenFlow 1.0 that is just there is a controller that wants to know of misses."""
    pair = fresh_pair
    pair.ofctl("add-flows", "br", "-", stdin="in_port=1,actions=resubmit(,254),2\nin_port=2,actions=load:1->NXM_NX_REG0[],resubmit(,254)\n")
    for command in (["bridge/dump-flows", "br"], *[["ofproto/trace", "br", flow] for flow in ("in_port=1", "in_port=2", "in_port=2,recirc_id=0x1f")]):
        oracle, ours = (sorted(re.sub(r"duration=\d+s", "", switch.appctl(*command)).splitlines()) for switch in pair.switches)
        assert oracle == ours, command
    oracle, ours = (sorted(text.splitlines()) for text in pair.ofctl("--no-stats", "dump-flows", "br", "table=254"))
    assert oracle == ours and "recirc_id=0 actions=drop" in str(ours)
    pair.ofctl("del-flows", "br")
