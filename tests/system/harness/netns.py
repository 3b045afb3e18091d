# SPDX-License-Identifier: Apache-2.0
"""Network namespaces, and sockets opened in them without leaving our own."""
import contextlib
import ctypes
import os
import secrets

from .command import run

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def unique(prefix):
    """A name that nobody else has, short enough for an interface."""
    return prefix + secrets.token_hex(4)


@contextlib.contextmanager
def inside(namespace):
    """The calling thread is in the namespace; what it opens there stays there."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    other = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        _setns(other)
        try:
            yield
        finally:
            _setns(own)
    finally:
        os.close(own)
        os.close(other)


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def add(namespace):
    run("ip", "netns", "add", namespace)


def delete(namespace):
    run("ip", "netns", "del", namespace, check=False)


def names():
    """The namespaces there are."""
    try:
        return set(os.listdir("/run/netns"))
    except FileNotFoundError:
        return set()


def links():
    """The interfaces there are in our own namespace."""
    return set(os.listdir("/sys/class/net"))
