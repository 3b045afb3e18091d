# SPDX-License-Identifier: Apache-2.0
"""The distribution's ovs-ctl starts, stops and restarts the daemon that the alternative /usr/sbin/ovs-vswitchd stands for.

These tests install it, and use the host's own folders: only in the lab, where the host is a copy that nobody keeps.
"""
import os
import shutil

import pytest
from harness.command import attempt, run
from harness.switch import ORACLE_UPTIME, program, uptime
from harness.wait import until

# What these tests are about does not depend on where flows run.
pytestmark = pytest.mark.tiers("kernel")

OVS_CTL = "/usr/share/openvswitch/scripts/ovs-ctl"
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PIDFILE = "/run/openvswitch/ovs-vswitchd.pid"
LOG = "/var/log/openvswitch/ovs-vswitchd.log"


@pytest.fixture(scope="module")
def installed(daemon):
    """The daemon is what /usr/sbin/ovs-vswitchd means, by what the package's scripts do."""
    assert os.environ.get("SLUICE_LAB"), "this would install a daemon on the host"
    if daemon == "ours":
        shutil.copy(program("ours"), "/usr/sbin/sluice-vswitchd")
        run("sh", os.path.join(TOP, "debian/sluice.postinst"), "configure")
        assert os.path.realpath("/usr/sbin/ovs-vswitchd") == "/usr/sbin/sluice-vswitchd"
    yield
    if daemon == "ours":
        run("sh", os.path.join(TOP, "debian/sluice.prerm"), "remove")
        assert os.path.realpath("/usr/sbin/ovs-vswitchd") == program("oracle")


@pytest.fixture
def services(installed, daemon):
    """Both daemons, started by ovs-ctl; stopped by it in the end."""
    if daemon == "oracle":
        until(lambda: uptime() > ORACLE_UPTIME, "the machine has run long enough for the installed daemon", ORACLE_UPTIME)
    ovs_ctl("start", "--system-id=random")
    yield
    pid = pid_of_daemon()
    ovs_ctl("stop")
    assert not os.path.exists(PIDFILE)
    assert not os.path.exists(f"/proc/{pid}")
    for bridge in os.listdir("/sys/class/net"):
        attempt("ovs-dpctl", "del-dp", bridge)


def ovs_ctl(command, *options):
    return run(OVS_CTL, command, *options, limit=60)


def pid_of_daemon():
    with open(PIDFILE) as pidfile:
        return int(pidfile.read())


def test_start_status_stop(services, daemon):
    assert "ovs-vswitchd is running with pid" in ovs_ctl("status")
    run("ovs-vsctl", "--timeout=20", "add-br", "br-ctl")
    run("ovs-vsctl", "--timeout=20", "del-br", "br-ctl")
    if daemon == "ours":
        with open(LOG) as log:
            assert [line for line in log if "|WARN|" in line or "|ERR|" in line] == []


def test_restart_keeps_bridges_and_flows(services):
    run("ovs-vsctl", "--timeout=20", "add-br", "br-ctl")
    run("ovs-ofctl", "add-flow", "br-ctl", "priority=77,arp,actions=drop")
    before = pid_of_daemon()
    text = ovs_ctl("restart", "--system-id=random")
    assert "failed" not in text
    assert pid_of_daemon() != before
    assert "priority=77,arp" in run("ovs-ofctl", "dump-flows", "br-ctl")
    run("ovs-vsctl", "--timeout=20", "del-br", "br-ctl")


def test_reload_as_systemd_does(services):
    """The unit's ExecReload: only the daemon, not the database, without the monitor process."""
    before = pid_of_daemon()
    text = ovs_ctl("restart", "--no-ovsdb-server", "--no-monitor", "--system-id=random", "--no-record-hostname")
    assert "failed" not in text
    assert pid_of_daemon() != before
    run("ovs-vsctl", "--timeout=20", "add-br", "br-ctl", "--", "del-br", "br-ctl")


def test_logrotate_reopens_the_log(services):
    """What the package's logrotate script does: the log is moved away and the daemon asked to reopen it."""
    os.rename(LOG, LOG + ".1")
    run("ovs-appctl", "-t", "ovs-vswitchd", "vlog/reopen")
    until(lambda: os.path.exists(LOG), "there is a new log")
