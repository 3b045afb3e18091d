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
    "dump-aggregate br", "--strict dump-flows br ip",
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
