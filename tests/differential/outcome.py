# SPDX-License-Identifier: Apache-2.0
"""What is compared of what a case does in the lab (see agent.py), and how differences are told."""

import re

# Over all cases the numbers of megaflows are within MEGAFLOWS_TOTAL of each other. In one case less than MEGAFLOWS_ONE_CASE apart are those that differ in more than
# tags: of a tag that its translation does not look at the installed daemon matches the bits that are set, so that there it needs more of them.
MEGAFLOWS_ONE_CASE, MEGAFLOWS_TOTAL = 3, 0.1
# It matches the type of a second tag as 0, and has names for fewer of the kernel's attributes than there are.
SAME = [(r", packets:.*", ""), (r"vlan\([^)]*\)", "vlan()"), (r"eth_type\(0x0000\)", "eth_type(0x8100)"), (r",key32\([^)]*\)", "")]


def pairs(name, oracle, ours):
    """(what, of the installed daemon, of ours) where these differ, down to the smallest parts."""
    if isinstance(oracle, dict) and isinstance(ours, dict):
        return [pair for key in sorted(set(oracle) | set(ours)) for pair in pairs(f"{name}, {key}", oracle.get(key), ours.get(key))]
    if isinstance(oracle, list) and isinstance(ours, list) and name in ("first", "second"):
        return [pair for i, (one, other) in enumerate(zip(oracle, ours)) for pair in pairs(f"{name} time packet {i} is sent, comes out", one, other)]
    return [(name, oracle, ours)] if oracle != ours else []


def distinct(megaflows):
    """How many megaflows differ in more than their tags."""
    kinds = set()
    for line in megaflows:
        for pattern, replacement in SAME:
            line = re.sub(pattern, replacement, line)
        kinds.add(line)
    return len(kinds)


def difference(oracle, ours):
    """What differs, as text; None if nothing does."""
    found = [pair for name in oracle if name != "megaflows" for pair in pairs(name, oracle[name], ours[name])]
    counts = [distinct(outcome["megaflows"]) for outcome in (oracle, ours)]
    if abs(counts[0] - counts[1]) >= MEGAFLOWS_ONE_CASE:
        found.append(("megaflows that differ in more than tags", *counts))
    if not found:
        return None
    lines = [f"{name}\n    installed: {one}\n    ours:      {other}" for name, one, other in found]
    lines += [f"installed megaflow: {line}" for line in oracle["megaflows"]] + [f"our megaflow: {line}" for line in ours["megaflows"]]
    return "\n".join(lines)
