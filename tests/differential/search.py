# SPDX-License-Identifier: Apache-2.0
"""How both tests look for cases that differ: so many random ones, the same in every run unless CASES asks for a number; a case that differs is made smaller, for a while.

    CASES=20000 python3 -m pytest tests/differential      (or: make fuzz CASES=20000)
"""
import os
import time

import pytest
from hypothesis import HealthCheck, Phase, settings

CASES = int(os.environ.get("CASES", "2000"))


def searching(n, *phases):
    """Decorator of a test that Hypothesis gives N cases. PHASES: Phase.shrink where it makes them smaller, too."""
    return settings(max_examples=max(n, 1), deadline=None, database=None, print_blob=False, derandomize="CASES" not in os.environ,
                    suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate, *phases])


class Search:
    """compare: what differs in a case, as text, or None. write_replay: called with each case that differs, the smallest one last. seconds: how long may be spent
    on making the first one smaller; after that only cases that were seen to differ do, so that Hypothesis ends."""

    def __init__(self, compare, write_replay, seconds):
        self.compare, self.write_replay, self.seconds = compare, write_replay, seconds
        self.known, self.end = {}, None

    def difference(self, case):
        """What differs. A daemon that dies of the case does; a case that there is no time left for does not."""
        if repr(case) not in self.known and not (self.end and time.monotonic() > self.end):
            try:
                found = self.compare(case)
            except AssertionError as error:
                found = str(error) or repr(error)
            if found or self.end:
                self.known[repr(case)] = found
                self.end = self.end or time.monotonic() + self.seconds
        return self.known.get(repr(case))

    def try_case(self, case):
        """Fails if the case differs. One that can, is reduced before."""
        if self.difference(case):
            smallest = case.reduced(self.difference) if hasattr(case, "reduced") else case
            self.write_replay(smallest)
            pytest.fail(f"{smallest!r}\n{self.difference(smallest)}")
