# The suites that ./check runs, and the system tests among them.
EXTRA_DIST += tests/suites

EXTRA_DIST += \
	tests/system/conftest.py \
	tests/system/harness/__init__.py \
	tests/system/harness/bpf.py \
	tests/system/harness/card.py \
	tests/system/harness/command.py \
	tests/system/harness/netns.py \
	tests/system/harness/rows.py \
	tests/system/harness/switch.py \
	tests/system/harness/vm.py \
	tests/system/harness/wait.py \
	tests/system/test_dp.py \
	tests/system/test_appctl.py \
	tests/system/test_database.py \
	tests/system/test_ebpf.py \
	tests/system/test_ebpf_actions.py \
	tests/system/test_ebpf_upcalls.py \
	tests/system/test_forwarding.py \
	tests/system/test_hw.py \
	tests/system/test_offload.py \
	tests/system/test_openflow.py \
	tests/system/test_ovs_ctl.py \
	tests/system/test_restart.py

wires = tests/system/wire.c tests/system/wire.h

# Programs that drive lib/dp on the kernel of the lab; tests/system/test_dp.py runs them there.
if HAVE_CMOCKA
if !FUZZERS
check_PROGRAMS += tests/system/dp_kernel tests/system/dp_netdev tests/system/dp_place
tests_system_dp_kernel_SOURCES = tests/system/dp_kernel.c $(wires)
tests_system_dp_netdev_SOURCES = tests/system/dp_netdev.c $(wires)
tests_system_dp_place_SOURCES = tests/system/dp_place.c $(wires)
endif
endif

# The same for the eBPF datapath, on any kernel from 6.1 on.
if HAVE_EBPF
if HAVE_CMOCKA
if !FUZZERS
check_PROGRAMS += tests/system/dp_ebpf tests/system/dp_ebpf_front
tests_system_dp_ebpf_SOURCES = tests/system/dp_ebpf.c tests/system/dp_ebpf_actions.c tests/system/dp_ebpf_lab.c tests/system/dp_ebpf_lab.h $(wires)
tests_system_dp_ebpf_front_SOURCES = tests/system/dp_ebpf_front.c tests/system/dp_ebpf_lab.c tests/system/dp_ebpf_lab.h $(wires)
tests/system/dp_ebpf.$(OBJEXT): lib/dp/ebpf.skel.h
endif
endif
endif
