# SPDX-License-Identifier: Apache-2.0
"""eBPF programs of somebody else, and a look at the hooks of a device, by bpf(2). The numbers are those of include/uapi/linux/bpf.h."""
import ctypes
import os
import platform
import socket
import struct

SYSCALL = {"x86_64": 321, "aarch64": 280}[platform.machine()]
PROG_LOAD, OBJ_PIN, PROG_ATTACH, PROG_QUERY = 5, 6, 8, 16
SCHED_CLS, XDP = 3, 6
TCX_INGRESS = 46
NEXT, SHOT = -1, 2  # What a program on the TC hook says of a packet.
PASS = 2  # And one on the XDP hook.
_libc = ctypes.CDLL(None, use_errno=True)


def _bpf(command, attributes):
    result = _libc.syscall(SYSCALL, command, attributes, len(attributes))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def _load(code, kind):
    text = ctypes.create_string_buffer(code)
    licence = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack("=IIQQIIQII16s", kind, len(code) // 8, ctypes.addressof(text), ctypes.addressof(licence), 0, 0, 0, 0, 0, b"foreign")
    return _bpf(PROG_LOAD, ctypes.create_string_buffer(attributes, 128))


def program(verdict, kind=SCHED_CLS):
    """The descriptor of a program for the TC hook, or of another KIND, that says VERDICT of every packet: r0 = VERDICT; exit."""
    return _load(struct.pack("=BBhiBBhi", 0xb7, 0, 0, verdict, 0x95, 0, 0, 0), kind)


def redirector(device):
    """The descriptor of one for the TC hook that sends every packet out by DEVICE: r1 = its index; r2 = 0; bpf_redirect(); exit."""
    index = socket.if_nametoindex(device)
    return _load(struct.pack("=BBhiBBhiBBhiBBhi", 0xb7, 1, 0, index, 0xb7, 2, 0, 0, 0x85, 0, 0, 23, 0x95, 0, 0, 0), SCHED_CLS)


def pin(fd, path):
    name = ctypes.create_string_buffer(path.encode())
    _bpf(OBJ_PIN, ctypes.create_string_buffer(struct.pack("=QII", ctypes.addressof(name), fd, 0), 128))


def has_tcx():
    try:
        programs("lo")
    except OSError:
        return False
    return True


def attach_tcx(fd, device):
    """Behind what is there."""
    _bpf(PROG_ATTACH, ctypes.create_string_buffer(struct.pack("=IIII", socket.if_nametoindex(device), fd, TCX_INGRESS, 0), 128))


def programs(device):
    """The ids of the programs at the device's tcx ingress hook, in the order in which they see packets."""
    ids = (ctypes.c_uint32 * 64)()
    attributes = ctypes.create_string_buffer(
        struct.pack("=IIIIQI", socket.if_nametoindex(device), TCX_INGRESS, 0, 0, ctypes.addressof(ids), len(ids)), 128)
    _bpf(PROG_QUERY, attributes)
    return list(ids[:struct.unpack_from("=I", attributes, 24)[0]])
