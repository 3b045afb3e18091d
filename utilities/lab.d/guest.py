# SPDX-License-Identifier: Apache-2.0
"""One guest: QEMU started, the command's output copied, its exit status returned, nothing left behind.

The guest talks through virtio ports, each one end of a socket pair whose other end is ours:

    out, err   the command's standard output and error       in   its standard input, unless that is a terminal
    status     "exit N" at the end                            tty  all three of them when there is a terminal
"""
import ctypes
import fcntl
import glob
import os
import selectors
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import tty

from kernel import FLAVOURS, LabError, cache_dir, modules, say

HERE = os.path.dirname(os.path.abspath(__file__))
# Variables that mean something only where they were set.
NOT_PASSED = {"TMPDIR", "XDG_RUNTIME_DIR", "NOTIFY_SOCKET", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "PWD", "OLDPWD", "SHLVL", "_"}
PR_SET_PDEATHSIG = 1
CHUNK = 1 << 16
# What QEMU translates slowly (string instructions a byte at a time, pcmpistri by a call) kernel and libraries are not to use: the same
# work takes a third less time.
TCG_CPU = "max,erms=off,fsrm=off,sse4.2=off"
KVM_PROBE_SECONDS = 8
PREFIX = "sluice-lab-"


class Job:
    """What to run and with what: the options of one guest."""

    def __init__(self, kernel, flavour, command, **options):
        self.kernel = kernel
        self.flavour = flavour
        self.command = command
        self.cwd = options.get("cwd", os.getcwd())
        self.environment = options.get("environment", {})
        self.shares = options.get("shares", [])
        self.cpus = options.get("cpus", 2)
        self.memory = max(options.get("memory", 1536), FLAVOURS[flavour][1])
        self.timeout = options.get("timeout")
        self.accelerator = options.get("accelerator", "tcg")
        self.terminal = options.get("terminal", False)
        self.input = options.get("input", True) and not os.isatty(0)


def passed_environment():
    """The caller's variables that a command in the guest gets."""
    environment = {k: v for k, v in os.environ.items() if k not in NOT_PASSED and k.isidentifier()}
    environment["PATH"] = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/local/sbin:/usr/sbin:/sbin"
    environment["SLUICE_LAB"] = "1"
    return environment


def outermost(paths):
    """PATHS without those that lie in another of them."""
    kept = []
    for path in sorted({os.path.realpath(p) for p in paths}):
        if not any(path == k or path.startswith(k + "/") for k in kept):
            kept.append(path)
    return kept


def lock_folder(path):
    """Returns a descriptor that holds the guest's folder PATH, or -1 when somebody else does."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return -1
    return fd


def sweep():
    """Removes the folders of labs that were killed before they could."""
    for path in glob.glob(os.path.join(tempfile.gettempdir(), PREFIX + "*")):
        try:
            if os.stat(path).st_uid == os.geteuid() and time.time() - os.stat(path).st_mtime > 60:
                fd = lock_folder(path)
                if fd >= 0:
                    shutil.rmtree(path, ignore_errors=True)
                    os.close(fd)
        except OSError:
            continue


class Guest:
    def __init__(self, job):
        sweep()
        self.job = job
        self.folder = tempfile.mkdtemp(prefix=PREFIX)
        self.lock = lock_folder(self.folder)
        self.qemu = None
        self.ports = {}
        self.status = b""

    def close(self):
        """Ends QEMU if it still runs and removes what the guest had on the host."""
        if self.qemu and self.qemu.poll() is None:
            self.qemu.kill()
            self.qemu.wait()
        for port in self.ports.values():
            port.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self.lock)

    def console_text(self):
        try:
            with open(os.path.join(self.folder, "console"), errors="replace") as console:
                return console.read()
        except OSError:
            return ""

    def _write_folder(self):
        job = self.job
        os.chmod(self.folder, 0o755)
        shutil.copy(os.path.join(HERE, "guest-init"), self.folder)
        with open(os.path.join(self.folder, "shares"), "w") as shares:
            for number, path in enumerate(job.shares):
                shares.write(f"share{number} {path}\n")
        os.symlink(modules(job.kernel), os.path.join(self.folder, "modules"))
        lines = ["#!/bin/sh"]
        lines += [f"export {name}={shlex.quote(value)}" for name, value in job.environment.items()]
        if job.terminal:
            size = os.get_terminal_size()
            lines.append(f"stty sane rows {size.lines} cols {size.columns}")
            open(os.path.join(self.folder, "terminal"), "w").close()
        lines += [f"cd {shlex.quote(job.cwd)} || exit 125", "exec " + shlex.join(job.command)]
        with open(os.path.join(self.folder, "command"), "w") as script:
            script.write("\n".join(lines) + "\n")
        os.chmod(script.name, 0o755)

    def _filesystems(self):
        security = "passthrough" if os.geteuid() == 0 else "none"

        def share(tag, path, extra):
            path = path.replace(",", ",,")
            return ["-fsdev", f"local,id={tag},path={path},security_model={security},multidevs=remap{extra}",
                    "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]

        arguments = share("hostroot", "/", ",readonly=on")
        for number, path in enumerate(self.job.shares):
            arguments += share(f"share{number}", path, "")
        return arguments

    def _channels(self):
        names = ["status", "tty"] if self.job.terminal else ["status", "out", "err"] + ["in"] * self.job.input
        arguments, theirs = ["-device", "virtio-serial-pci"], []
        for name in names:
            ours, other = socket.socketpair()
            self.ports[name] = ours
            theirs.append(other)
            device = "virtconsole" if name == "tty" else "virtserialport"
            arguments += ["-chardev", f"socket,id={name},fd={other.fileno()}", "-device", f"{device},chardev={name},name={name}"]
        return arguments, theirs

    def start(self):
        job = self.job
        self._write_folder()
        channels, theirs = self._channels()
        boot = ["root=hostroot", "rootfstype=9p", "rootflags=trans=virtio,version=9p2000.L,msize=512000,cache=loose", "ro",
                f"init={self.folder}/guest-init", "console=ttyS0", "loglevel=5", "panic=-1", "oops=panic", "mitigations=off",
                "random.trust_cpu=on", "--", self.folder]
        if job.flavour == "kasan" and job.cpus == 1:
            # So slow a guest may give its ACPI tables up half read, and the devices then have no interrupts. Without ACPI only the first processor is found, and
            # the clock is a coarse one: where that does not have to be, it is not done.
            boot.insert(boot.index("--"), "acpi=off")
        accelerator = "kvm" if job.accelerator == "kvm" else "tcg,thread=multi"
        command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                   "-machine", "pc", "-accel", accelerator, "-cpu", "host" if job.accelerator == "kvm" else TCG_CPU,
                   "-smp", str(job.cpus), "-m", str(job.memory), "-kernel", os.path.join(job.kernel, FLAVOURS[job.flavour][2]),
                   "-append", " ".join(boot), "-serial", f"file:{self.folder}/console",
                   "-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng"]
        command += self._filesystems() + channels
        libc = ctypes.CDLL(None)
        with open(os.path.join(self.folder, "qemu.log"), "w") as log:
            self.qemu = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                pass_fds=[s.fileno() for s in theirs],
                preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        for other in theirs:
            other.close()

    def _forward(self, name, out):
        """Copies what port NAME has to the descriptor OUT. Returns false when the port is at its end."""
        try:
            data = self.ports[name].recv(CHUNK)
        except ConnectionResetError:
            return False
        if name == "status":
            self.status += data
        else:
            write_all(out, data)
        return bool(data)

    def _feed(self, port):
        """Copies our standard input to PORT to its end: a thread's work, since the guest may take long to read it."""
        try:
            while data := os.read(0, CHUNK):
                port.sendall(data)
            # QEMU throws away what it has not read when the other side closes.
            while struct.unpack("i", fcntl.ioctl(port, termios.TIOCOUTQ, bytes(4)))[0]:
                time.sleep(0.05)
            port.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # The guest is gone, or does not want its input.

    def run(self):
        """Copies input and output until the guest has said its status. Returns it; raises LabError or TimeoutError."""
        outputs = {"status": None, "out": 1, "err": 2, "tty": 1}
        deadline = time.monotonic() + self.job.timeout if self.job.timeout else None
        with selectors.DefaultSelector() as selector:
            for name in self.ports:
                if name in outputs:
                    selector.register(self.ports[name], selectors.EVENT_READ, name)
            for name in set(self.ports) & {"in", "tty"}:
                threading.Thread(target=self._feed, args=[self.ports[name]], daemon=True).start()
            while not self.status.endswith(b"\n"):
                ready = selector.select(max(0, deadline - time.monotonic()) if deadline else None)
                if deadline and time.monotonic() >= deadline:
                    raise TimeoutError
                for key, _ in ready:
                    if not self._forward(key.data, outputs[key.data]):
                        selector.unregister(key.fileobj)
                if self.ports["status"] not in selector.get_map():
                    break
        self.qemu.kill()
        self.qemu.wait()
        for name in set(self.ports) & {"out", "err", "tty"}:
            while self._forward(name, outputs[name]):
                pass
        if not self.status.startswith(b"exit "):
            raise LabError("the guest died")
        return int(self.status.split()[1])


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


class RawTerminal:
    """While it is entered, keys go to the guest as they are typed."""

    def __enter__(self):
        self.saved = termios.tcgetattr(0)
        tty.setraw(0)

    def __exit__(self, *_):
        termios.tcsetattr(0, termios.TCSADRAIN, self.saved)


def kvm_works(kernel, flavour):
    """Whether a guest boots with KVM on this machine. Found out once per boot of the machine, by booting one."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    with open("/proc/sys/kernel/random/boot_id") as boot_id:
        answer = os.path.join(cache_dir(), "kvm-" + boot_id.read().strip())
    try:
        with open(answer) as known:
            return known.read().strip() == "yes"
    except FileNotFoundError:
        pass
    say("trying KVM")
    guest = Guest(Job(kernel, flavour, ["true"], cwd="/", cpus=1, memory=512, timeout=KVM_PROBE_SECONDS, accelerator="kvm",
                      input=False))
    try:
        guest.start()
        works = guest.run() == 0
    except (LabError, TimeoutError, OSError):
        works = False
    finally:
        guest.close()
    with open(answer + f".{os.getpid()}", "w") as known:
        known.write("yes\n" if works else "no\n")
    os.rename(known.name, answer)
    say("guests run with KVM" if works else f"no guest boots with KVM in {KVM_PROBE_SECONDS} s: TCG it is")
    return works
