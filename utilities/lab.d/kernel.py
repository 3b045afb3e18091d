# SPDX-License-Identifier: Apache-2.0
"""The lab's kernel: built once per machine and flavour, kept in the user's cache under the hash of what it is made of."""
import fcntl
import glob
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
# What a flavour is made of, how many megabytes a guest with it needs at least, and what QEMU boots. The plain kernel starts where QEMU puts it, without
# unpacking itself; with KASAN that way in (PVH) runs checked code before there is a shadow to check with.
FLAVOURS = {
    "plain": (["kernel.options"], 256, "vmlinux.lab"),
    "kasan": (["kernel.options", "kernel-kasan.options"], 1536, "arch/x86/boot/bzImage"),
}


class LabError(Exception):
    """The lab itself failed, not the command in it."""


def say(text):
    print("lab: " + text, file=sys.stderr, flush=True)


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = os.path.join(base, "sluice")
    os.makedirs(path, exist_ok=True)
    return path


def _tarball():
    found = sorted(glob.glob("/usr/src/linux-source-6.1.tar.*"))
    if not found:
        raise LabError("no /usr/src/linux-source-6.1.tar.xz: install the package linux-source-6.1")
    return found[0]


def _compiler():
    return subprocess.run(["gcc", "-dumpfullversion"], check=True, capture_output=True, text=True).stdout.strip()


def tree(flavour):
    """The folder of the flavour's kernel, built or not."""
    files = FLAVOURS[flavour][0]
    tarball = _tarball()
    inputs = hashlib.sha256()
    inputs.update(f"{os.path.basename(tarball)} {os.path.getsize(tarball)} gcc {_compiler()}".encode())
    for name in ["build-kernel"] + files:
        with open(os.path.join(HERE, name), "rb") as source:
            inputs.update(source.read())
    return os.path.join(cache_dir(), f"lab-{flavour}-{inputs.hexdigest()[:12]}")


def _is_built(path):
    return os.path.exists(os.path.join(path, "vmlinux.lab"))


def _compile(path, flavour):
    """Runs build-kernel, showing a line of progress now and then. Its whole output stays in PATH.log."""
    files = FLAVOURS[flavour][0]
    command = [os.path.join(HERE, "build-kernel"), _tarball(), path + ".part", str(os.cpu_count())]
    command += [os.path.join(HERE, name) for name in files]
    start = shown = time.monotonic()
    compiled = 0
    with open(path + ".log", "w") as log, subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
            preexec_fn=lambda: os.nice(5)) as build:
        for line in build.stdout:
            log.write(line)
            if not line.startswith(" "):
                if not line.startswith(("#", "make", ".config", "sorttable")) and line.strip():
                    say(line.strip())
                continue
            compiled += 1
            if time.monotonic() - shown > 15:
                shown = time.monotonic()
                say(f"kernel: {compiled} steps of about 1700, {int(shown - start)} s: {line.strip()}")
    if build.returncode:
        raise LabError(f"the kernel does not build: see {path}.log")
    return time.monotonic() - start


def ensure(flavour):
    """Returns the folder of the flavour's kernel, built if need be. Of several labs, one builds and the others wait."""
    path = tree(flavour)
    if _is_built(path):
        return path
    for tool in ("flex", "bison", "bc", "make", "gcc", "xz"):
        if not shutil.which(tool):
            raise LabError(f"cannot build the kernel without {tool}")
    with open(path + ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another lab that builds the kernel ({path}.log)")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_built(path):
            say(f"building the {flavour} kernel, once on this machine, into {path}")
            seconds = _compile(path, flavour)
            shutil.rmtree(path, ignore_errors=True)
            os.rename(path + ".part", path)
            say(f"kernel built in {int(seconds)} s")
    return path


def modules(path):
    """The folder that is /lib/modules in a guest with the kernel in PATH: no modules, but an index of what is built in, so that
    `modprobe openvswitch` finds that there is nothing to do."""
    folder = os.path.join(path, "guest-modules")
    if not os.path.isdir(folder):
        with open(os.path.join(path, "include/config/kernel.release")) as release, \
                tempfile.TemporaryDirectory(dir=path) as base:
            version = release.read().strip()
            index = os.path.join(base, "lib/modules", version)
            os.makedirs(index)
            for name in ("modules.builtin", "modules.builtin.modinfo"):
                shutil.copy(os.path.join(path, name), index)
            open(os.path.join(index, "modules.order"), "w").close()
            subprocess.run(["depmod", "-b", base, version], check=True)
            try:
                os.rename(os.path.join(base, "lib/modules"), folder)
            except OSError:
                if not os.path.isdir(folder):  # Else another lab was faster.
                    raise
    return folder
