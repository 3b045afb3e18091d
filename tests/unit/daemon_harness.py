# SPDX-License-Identifier: Apache-2.0
"""What the check_* programs share: one detached daemon, and the database that it follows, in a directory of their own."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

BUILD = os.environ.get("abs_top_builddir", ".")
PROGRAM = os.path.join(BUILD, "sluice-vswitchd")
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


class Failure(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failure(what)


def wait_until(condition, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < deadline, f"waited in vain for {what}")
        time.sleep(0.02)


def start(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def run(*command):
    """The output of a command that succeeds."""
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
    check(result.returncode == 0, f"{command}: {result}")
    return result.stdout


def vsctl(*arguments):
    return run("ovs-vsctl", "--timeout=20", *arguments)


def get(table, row, *columns):
    """The columns, without the quotes round strings."""
    return vsctl("get", table, row, *columns).strip().replace('"', "")


class Daemon:
    """One detached daemon in directory 'top'."""

    def __init__(self, top, *arguments):
        self.top = top
        self.pidfile = top / "ovs-vswitchd.pid"
        result = start("--detach", "--pidfile", "--log-file", "--disable-system", f"unix:{top}/db.sock", *arguments)
        check(result.returncode == 0 and result.stdout == "" and result.stderr == "", f"start: {result}")
        self.pid = self.read_pid()

    def read_pid(self):
        return int(self.pidfile.read_text())

    def call(self, method, *arguments):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(str(self.top / f"ovs-vswitchd.{self.read_pid()}.ctl"))
            s.sendall(json.dumps({"id": 0, "method": method, "params": list(arguments)}).encode())
            text = ""
            while True:
                bytes_ = s.recv(65536)
                check(bytes_, f"{method}: connection closed")
                text += bytes_.decode()
                try:
                    reply = json.loads(text)
                    return reply["error"] if reply["result"] is None else reply["result"]
                except json.JSONDecodeError:
                    pass

    def log(self):
        return (self.top / "ovs-vswitchd.log").read_text()

    def stop(self):
        pid = self.read_pid()
        self.call("exit")
        wait_until(lambda: not alive(pid), "exit")


@contextlib.contextmanager
def database():
    """A directory with an ovsdb-server in it, which the environment points at."""
    with tempfile.TemporaryDirectory(prefix="check_daemon.") as name:
        os.environ.update(OVS_RUNDIR=name, OVS_LOGDIR=name, OVS_DBDIR=name, OVS_SYSLOG_METHOD="null")
        os.environ["PATH"] += ":/usr/sbin:/sbin"
        top = pathlib.Path(name)
        create_database(top)
        start_server(top)
        try:
            subprocess.run(["ovs-vsctl", "--no-wait", f"--db=unix:{name}/db.sock", "init"], check=True)
            yield top
        finally:
            for pid in [int(p.read_text()) for p in top.glob("ovs-vswitchd.pid")]:
                if alive(pid):
                    os.kill(pid, signal.SIGKILL)
            stop_server(top)


def create_database(top):
    subprocess.run(["ovsdb-tool", "create", f"{top}/conf.db", SCHEMA], check=True)


def start_server(top):
    subprocess.run(["ovsdb-server", "--detach", "--no-chdir", f"--pidfile={top}/server.pid", f"--remote=punix:{top}/db.sock",
                    "--unixctl=none", "-vconsole:off", f"{top}/conf.db"], check=True)


def stop_server(top):
    pid = int((top / "server.pid").read_text())
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not alive(pid), "the end of ovsdb-server")


def run_tests(*tests):
    """The exit status of a program that is these tests, for automake."""
    if not shutil.which("ovsdb-server") and not os.path.exists("/usr/sbin/ovsdb-server") or not os.path.exists(SCHEMA):
        print("no ovsdb-server here")
        return 77
    with database() as top:
        try:
            for test in tests:
                test(top)
                print(f"{test.__name__}: ok")
        except Failure as failure:
            print(f"FAILED: {failure}")
            print("\n".join((top / "ovs-vswitchd.log").read_text().splitlines()[-40:]) if (top / "ovs-vswitchd.log").exists() else "no log")
            return 1
    return 0
