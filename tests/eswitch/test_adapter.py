# SPDX-License-Identifier: GPL-2.0
"""The bus and its functions, devlink and the names of things."""
import errno
import json
import os

import pytest
from emu import BUS, read, sh, status, wait_for, write


def write_errno(path, text):
    """The errno of writing TEXT to PATH, 0 for none."""
    try:
        write(path, text)
    except OSError as error:
        return error.errno
    return 0


def test_new_and_del_device(make_card):
    card = make_card()
    new, old = f"{BUS}/new_device", f"{BUS}/del_device"
    assert write_errno(new, "0") == errno.EEXIST
    for wrong in ("x", "7 0", "7 3", "7 1 127", "7 1 8 0", "10000"):
        assert write_errno(new, wrong) == errno.EINVAL, wrong
    assert write_errno(old, "99") == errno.ENOENT
    assert os.path.exists(card.device())
    card.remove()
    assert not os.path.exists(card.device()) and card.pf() not in sh("ip link")


def test_numvfs_as_pci(make_card):
    card = make_card(vfs=4)
    path = f"{card.device()}/sriov_numvfs"
    assert read(f"{card.device()}/sriov_totalvfs") == "4" and read(path) == "0"
    assert write_errno(path, 5) == errno.ERANGE
    assert write_errno(path, 2) == 0 and write_errno(path, 2) == 0
    assert write_errno(path, 3) == errno.EBUSY
    assert read(path) == "2"
    assert os.path.realpath(f"{card.device()}/virtfn1") == os.path.realpath(card.device(vf=1))
    assert os.path.realpath(f"{card.device(vf=1)}/physfn") == os.path.realpath(card.device())
    link = json.loads(sh(f"ip -j link show {card.pf()}"))[0]
    assert len(link["vfinfo_list"]) == 2
    assert write_errno(path, 0) == 0 and not os.path.exists(f"{card.device()}/virtfn1")
    assert write_errno(path, 4) == 0


def test_autoprobe_and_override(make_card):
    """With autoprobe off, VFs stay free for a guest until an override names their driver."""
    card = make_card()
    write(f"{card.device()}/sriov_drivers_autoprobe", 0)
    card.numvfs(2)
    vf = card.device(vf=0)
    assert not os.path.exists(f"{vf}/driver") and card.vf(0) not in sh("ip link")
    write(f"{vf}/driver_override", "eswemu")
    write(f"{BUS}/drivers_probe", "card0.0v0")
    assert os.path.exists(f"{vf}/driver") and card.vf(0) in sh("ip link")
    write(f"{BUS}/drivers/eswemu/unbind", "card0.0v0")
    write(f"{vf}/driver_override", "vfio-something")
    assert write_errno(f"{BUS}/drivers/eswemu/bind", "card0.0v0") == errno.ENODEV
    write(f"{vf}/driver_override", "\n")
    assert card.vf(0) not in sh("ip link")


def test_unbound_vf_keeps_representor_and_rules(make_card):
    card = make_card().switchdev(2)
    card.connect(card.rep(0), card.rep(1))
    write(f"{BUS}/drivers/eswemu/unbind", "card0.0v1")
    assert card.rep(1) in sh("ip link") and len(card.rules()) == 2
    card.ping(0, card.address(1), patience=0)
    write(f"{BUS}/drivers/eswemu/bind", "card0.0v1")
    card.guests(2)
    assert card.ping(0, card.address(1)) is True


def test_vf_reset(make_card):
    """A function level reset: the VF goes on with its representor's rules."""
    card = make_card().switchdev(2)
    card.connect(card.rep(0), card.rep(1))
    write(f"{card.device(vf=0)}/reset", 1)
    assert card.ping(0, card.address(1)) is True and len(card.rules()) == 2


def test_names(make_card):
    card = make_card(pfs=2)
    for pf in (0, 1):
        card.numvfs(1, pf)
        card.mode("switchdev", pf)
        net = f"/sys/class/net/{card.pf(pf)}"
        assert read(f"{net}/phys_port_name") == f"p{pf}"
        assert read(f"/sys/class/net/{card.rep(0, pf)}/phys_port_name") == f"pf{pf}vf0"
        assert os.path.realpath(f"/sys/class/net/{card.rep(0, pf)}/device") == os.path.realpath(card.device(pf))
    ports = json.loads(sh("devlink -j port show"))["port"]
    assert ports[f"{card.pf_handle(1)}/131071"]["netdev"] == card.pf(1)
    vf = ports[f"{card.pf_handle(1)}/65537"]
    assert (vf["netdev"], vf["flavour"], vf["pfnum"], vf["vfnum"]) == (card.rep(0, 1), "pcivf", 1, 0)
    assert ports[f"{card.handle}v0/0"]["flavour"] == "virtual"
    # A representor stays with its adapter.
    sh("ip netns add esw-elsewhere")
    moved = status(f"ip link set {card.rep(0)} netns esw-elsewhere")[0]
    sh("ip netns del esw-elsewhere")
    assert moved != 0
    assert "bus-info: card0.0v0" in sh(f"ethtool -i {card.vf(0)}")
    assert "driver: eswemu_rep" in sh(f"ethtool -i {card.rep(0)}")
    assert "hw-tc-offload: on" in sh(f"ethtool -k {card.rep(0)}")


def test_mac_by_port_function(make_card):
    """A MAC set at the port is the VF's from the next time its driver binds."""
    card = make_card()
    write(f"{card.device()}/sriov_drivers_autoprobe", 0)
    card.numvfs(1)
    card.mode("switchdev")
    sh(f"devlink port function set {card.handle}/1 hw_addr 02:00:00:00:00:31")
    assert "hw_addr 02:00:00:00:00:31" in sh(f"devlink port show {card.handle}/1")
    write(f"{card.device(vf=0)}/driver_override", "eswemu")
    write(f"{BUS}/drivers_probe", "card0.0v0")
    assert read(f"/sys/class/net/{card.vf(0)}/address") == "02:00:00:00:00:31"
    assert status(f"devlink port function set {card.handle}/1 hw_addr 01:00:00:00:00:31")[0] != 0
    assert status(f"devlink port function set {card.handle}/65535 hw_addr 02:00:00:00:00:31")[0] != 0


def test_reload(make_card):
    """A reload keeps the VFs, and leaves legacy mode without rules."""
    card = make_card().switchdev(2)
    card.connect(card.rep(0), card.rep(1))
    mac = read(f"/sys/class/net/{card.pf()}/address")
    card.reload()
    assert "mode legacy" in sh(f"devlink dev eswitch show {card.handle}")
    assert card.rules() == [] and card.rep(0) not in sh("ip link")
    assert read(f"{card.device()}/sriov_numvfs") == "2"
    assert read(f"/sys/class/net/{card.pf()}/address") == mac
    sh(f"ip link set {card.pf()} up")
    assert card.ping(0, card.address(1)) is True


def test_rates_refused(make_card):
    card = make_card()
    card.numvfs(1)
    card.mode("switchdev")
    rate = f"devlink port function rate set {card.handle}/1 tx_max"
    for wrong, gist in (("1500kbit", "not in link speed units"), ("200gbit", "exceed link maximum speed")):
        code, said = status(f"{rate} {wrong}")
        assert code != 0 and gist in said
    sh(f"{rate} 50mbit")
    assert "tx_max 50Mbit" in sh(f"devlink port function rate show {card.handle}/1")
    card.mode("legacy")
    code, said = status(f"devlink port function rate add {card.handle}/group")
    assert code != 0 and "only in switchdev mode" in said


def test_info_and_ethtool(make_card):
    card = make_card()
    assert "driver eswemu" in sh(f"devlink dev info {card.handle}")
    assert "Speed: 100000Mb/s" in sh(f"ethtool {card.pf()}")
    with pytest.raises(AssertionError):
        wait_for(lambda: "LOWER_UP" in sh(f"ip link show {card.pf()}"), 0.1)
    sh(f"ip link set {card.pf()} up && ip link set {card.cable()} up")
    wait_for(lambda: "LOWER_UP" in sh(f"ip link show {card.pf()}"))
