# SPDX-License-Identifier: Apache-2.0
"""Waiting for what must become true, with a limit. Tests never sleep for a fixed time."""
import os
import time

# A guest without KVM computes some 15 times slower.
PATIENCE = 4.0 if os.environ.get("SLUICE_LAB") else 1.0


def until(check, what, limit=10.0):
    """Calls CHECK until it returns something true, and returns that. After LIMIT seconds (more in the lab) fails,
    saying WHAT was waited for and what CHECK returned last."""
    end = time.monotonic() + limit * PATIENCE
    pause = 0.005
    while True:
        answer = check()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit * PATIENCE:g} s: {what} (last answer: {answer!r})")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)


def equals(get, wanted, what, limit=10.0):
    """Calls GET until it returns WANTED."""
    last = None

    def check():
        nonlocal last
        last = get()
        return last == wanted

    try:
        until(check, what, limit)
    except AssertionError:
        raise AssertionError(f"{what}: {last!r} instead of {wanted!r}") from None
