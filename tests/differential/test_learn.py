# SPDX-License-Identifier: Apache-2.0
"""Rules that learn actions make, how many there may be, and what goes with the rules that learned them: random histories at the installed daemon and at ours."""
import difflib
import os
import random
import re
import subprocess

import pytest
from world import Pair

SETUP = [["add-br", "br", "--", "set", "bridge", "br", "datapath_type=dummy", "fail_mode=secure"],
         *[["add-port", "br", f"p{i}", "--", "set", "interface", f"p{i}", "type=dummy", f"ofport_request={i}"] for i in range(1, 4)]]
STEPS = 30
RESULTS = ["NXM_NX_REG0[0]", "NXM_NX_REG1[31]", "OXM_OF_METADATA[5]", "NXM_NX_PKT_MARK[2]", "NXM_OF_IP_TOS[3]"]
AFTER = ["2", "drop", "resubmit(,9)", "output:NXM_NX_REG0[0..3]"]


@pytest.fixture(scope="module")
def pair():
    with Pair(SETUP) as both:
        yield both


def learn(chance):
    """A learn action. Few tables and cookies, so that several name the same."""
    parts = [f"table={chance.choice([5, 6])}", f"cookie={chance.choice([0, 7, 8])}", f"priority={chance.choice([1, 2])}"]
    parts += [option for option in ("delete_learned", "send_flow_rem", "hard_timeout=600", "idle_timeout=700", "fin_idle_timeout=5") if chance.random() < .4]
    if chance.random() < .6:
        parts.append(f"limit={chance.choice([1, 2, 3, 1000000])}")
    if chance.random() < .6:
        parts.append(f"result_dst={chance.choice(RESULTS)}")
    parts += ["eth_type=0x800", "nw_proto=6", chance.choice(["nw_src=nw_src", "nw_dst=nw_src", "tcp_src=tcp_dst"])]
    parts += chance.sample(["load:5->NXM_NX_REG2[]", "output:NXM_OF_IN_PORT[]", "load:NXM_OF_IP_SRC[0..7]->NXM_NX_REG3[0..7]"], chance.randrange(3))
    return f"learn({','.join(parts)})"


def learner(chance):
    actions = [learn(chance) for _ in range(chance.choice([1, 1, 2]))]
    if chance.random() < .2:
        actions = [f"clone({','.join(actions)})"]
    return f"in_port={chance.randrange(1, 4)},tcp,actions=" + ",".join(actions + [chance.choice(AFTER)])


def step(chance):
    """(tool, arguments, what it reads) of one thing that happens."""
    port, table, cookie = chance.randrange(1, 4), chance.choice([5, 6]), chance.choice([0, 7, 8])
    kind = chance.choice(["trace"] * 5 + ["add", "add", "bundle", "mod", "del", "remove", "own"])
    if kind == "trace":
        flow = f"in_port={port},tcp,nw_src=10.0.0.{chance.randrange(4)},tcp_dst={chance.randrange(3)}"
        return "appctl", ["ofproto/trace", "br", flow, *["-generate"] * (chance.random() < .9)], None
    if kind == "add":
        return "ofctl", ["add-flow", "br", learner(chance)], None
    if kind == "bundle":
        lines = [learner(chance), chance.choice([f"delete in_port={port},table=0", f"delete table={table},cookie={cookie}/-1"]), learner(chance)]
        return "ofctl", ["--bundle", "add-flows", "br", "-"], "\n".join(lines + ["table=254,actions=drop"] * (chance.random() < .3))
    if kind == "mod":
        return "ofctl", ["mod-flows", "br", chance.choice([f"table=0,in_port={port},actions=drop", "table=0," + learner(chance)])], None
    if kind == "del":
        return "ofctl", ["del-flows", "br", f"table=0,in_port={port}"], None
    if kind == "remove":
        return "ofctl", ["del-flows", "br", f"table={table},cookie={cookie}/-1"], None
    return "ofctl", ["add-flow", "br", f"table={table},cookie={cookie},priority={chance.randrange(5)},tcp,nw_dst=10.0.0.{chance.randrange(4)},actions=3"], None


def said(switch, tool, arguments, stdin):
    if tool == "appctl":
        # What the installed daemon has deleted shows in its masks for a moment.
        return re.sub(r"Megaflow: .*", "", switch.appctl(*arguments))
    result = subprocess.run(["ovs-ofctl", "--timeout=30", *arguments], env=switch.environment(), input=stdin, text=True, capture_output=True, timeout=60)
    return result.returncode, re.sub(r"xid=0x[0-9a-f]+|/\S*br.mgmt|^\S+\|\d+\|", "", result.stderr, flags=re.MULTILINE)


def describe(history, oracle, ours):
    return "\n".join(map(str, history)) + "".join(difflib.unified_diff(str(oracle).splitlines(True), str(ours).splitlines(True), n=30))


@pytest.mark.parametrize("seed", range(int(os.environ.get("CASES", "2000")) // 400))
def test_same_history(pair, seed):
    chance = random.Random(seed)
    history = []
    pair.ofctl("del-flows", "br")
    pair.ofctl("add-flow", "br", "table=9,reg0=1,actions=3")
    for _ in range(STEPS):
        history.append(step(chance))
        oracle, ours = (said(switch, *history[-1]) for switch in pair.switches)
        assert oracle == ours, describe(history, oracle, ours)
        oracle, ours = (sorted(text.splitlines()) for text in pair.ofctl("--no-stats", "dump-flows", "br"))
        assert oracle == ours, describe(history, oracle, ours)
    pair.ofctl("del-flows", "br")
