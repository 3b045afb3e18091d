# The eSwitch emulator, a kernel module (GPL-2.0), and its tests. `run` builds it for the lab's kernel.
EXTRA_DIST += \
	tests/eswitch/Makefile \
	tests/eswitch/README.md \
	tests/eswitch/run \
	tests/eswitch/conftest.py \
	tests/eswitch/emu.py \
	tests/eswitch/test_switchdev.py \
	tests/eswitch/eswemu.h \
	tests/eswitch/profile.h \
	tests/eswitch/action.c \
	tests/eswitch/bus.c \
	tests/eswitch/card.c \
	tests/eswitch/debugfs.c \
	tests/eswitch/devlink.c \
	tests/eswitch/ethtool.c \
	tests/eswitch/exec.c \
	tests/eswitch/fdb.c \
	tests/eswitch/health.c \
	tests/eswitch/knobs.c \
	tests/eswitch/legacy.c \
	tests/eswitch/main.c \
	tests/eswitch/match.c \
	tests/eswitch/meter.c \
	tests/eswitch/netdev.c \
	tests/eswitch/path.c \
	tests/eswitch/pedit.c \
	tests/eswitch/pf.c \
	tests/eswitch/profile.c \
	tests/eswitch/qos.c \
	tests/eswitch/rep.c \
	tests/eswitch/sriov.c \
	tests/eswitch/tc.c \
	tests/eswitch/uplink.c \
	tests/eswitch/vf.c \
	tests/eswitch/vfcfg.c
