# SPDX-License-Identifier: Apache-2.0
"""What is compared of what a case does in the lab (see agent.py), and how differences are told."""

# Megaflows of a case: the installed daemon matches some tags bit by bit that it does not look at, so that now and then it needs one more. Over all cases the numbers
# are within MEGAFLOWS_TOTAL of each other.
MEGAFLOWS_ONE_CASE, MEGAFLOWS_TOTAL = 3, 0.1


def pairs(name, oracle, ours):
    """(what, of the installed daemon, of ours) where these differ, down to the smallest parts."""
    if isinstance(oracle, dict) and isinstance(ours, dict):
        return [pair for key in sorted(set(oracle) | set(ours)) for pair in pairs(f"{name}, {key}", oracle.get(key), ours.get(key))]
    if isinstance(oracle, list) and isinstance(ours, list) and name in ("first", "second"):
        return [pair for i, (one, other) in enumerate(zip(oracle, ours)) for pair in pairs(f"{name} time packet {i} is sent, comes out", one, other)]
    return [(name, oracle, ours)] if oracle != ours else []


def difference(oracle, ours):
    """What differs, as text; None if nothing does."""
    found = [pair for name in oracle if name != "megaflows" for pair in pairs(name, oracle[name], ours[name])]
    counts = [len(outcome["megaflows"]) for outcome in (oracle, ours)]
    if abs(counts[0] - counts[1]) >= MEGAFLOWS_ONE_CASE:
        found.append(("megaflows", *counts))
    if not found:
        return None
    lines = [f"{name}\n    installed: {one}\n    ours:      {other}" for name, one, other in found]
    lines += [f"installed megaflow: {line}" for line in oracle["megaflows"]] + [f"our megaflow: {line}" for line in ours["megaflows"]]
    return "\n".join(lines)
