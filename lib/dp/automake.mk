# Sources of lib/dp.
libsluice_a_SOURCES += lib/dp/capability.c lib/dp/capability.h lib/dp/dp.c lib/dp/dp.h lib/dp/execute.h \
	lib/dp/kernel.c lib/dp/kernel.h lib/dp/kernel_flow.c lib/dp/kernel_help.c lib/dp/kernel_meter.c lib/dp/kernel_port.c lib/dp/kernel_probe.c \
	lib/dp/kernel_upcall.c \
	lib/dp/netdev.c lib/dp/netdev.h lib/dp/netdev_change.c lib/dp/netdev_ethtool.c lib/dp/netdev_link.c lib/dp/netdev_offload.c lib/dp/netdev_police.c lib/dp/netdev_private.h \
	lib/dp/place.c lib/dp/place.h lib/dp/place_adopt.c lib/dp/place_flow.c lib/dp/place_port.c lib/dp/place_private.h lib/dp/place_promote.c lib/dp/taps.c lib/dp/taps.h \
	lib/dp/tc.h lib/dp/tc_decode.c lib/dp/tc_flower.c lib/dp/tc_flower.h lib/dp/tc_police.c lib/dp/tc_prio.c lib/dp/tc_qdisc.c
libsluice_a_SOURCES += lib/dp/execute.c lib/dp/user.c lib/dp/user.h lib/dp/user_appctl.c lib/dp/user_flow.c lib/dp/user_gso.c \
	lib/dp/user_port.c lib/dp/user_upcall.c
unit_tests += tests/unit/test_execute tests/unit/test_user tests/unit/test_place tests/unit/test_tc

# The eBPF datapath. The skeleton, with the compiled programs in it, is made by the build; its BPF bytecode is that of the build machine's byte order.
ebpf_programs = lib/dp/ebpf.bpf.c lib/dp/ebpf_abi.h lib/dp/ebpf_act.bpf.h lib/dp/ebpf_copy.bpf.h lib/dp/ebpf_front.bpf.h lib/dp/ebpf_layer.bpf.h lib/dp/ebpf_lookup.bpf.h lib/dp/ebpf_maps.bpf.h lib/dp/ebpf_mpls.bpf.h lib/dp/ebpf_packet.bpf.h lib/dp/ebpf_parse.bpf.h \
	lib/dp/ebpf_police.bpf.h lib/dp/ebpf_xdp.bpf.c lib/dp/meter.h
EXTRA_DIST += $(ebpf_programs)
if HAVE_EBPF
libsluice_a_SOURCES += lib/dp/ebpf.c lib/dp/ebpf.h lib/dp/ebpf_adopt.c lib/dp/ebpf_deed.c lib/dp/ebpf_encode.c lib/dp/ebpf_flow.c lib/dp/ebpf_hook.c lib/dp/ebpf_map.c lib/dp/ebpf_mask.c \
	lib/dp/ebpf_police.c lib/dp/ebpf_port.c lib/dp/ebpf_seen.c lib/dp/ebpf_space.c lib/dp/ebpf_table.c lib/dp/ebpf_upcall.c lib/dp/ebpf_xdp.c
nodist_libsluice_a_SOURCES = lib/dp/ebpf.skel.h lib/dp/ebpf_xdp.skel.h
unit_tests += tests/unit/test_ebpf
BUILT_SOURCES += lib/dp/ebpf.skel.h lib/dp/ebpf_xdp.skel.h
CLEANFILES += lib/dp/ebpf.bpf.o lib/dp/ebpf.skel.h lib/dp/ebpf_xdp.bpf.o lib/dp/ebpf_xdp.skel.h
lib/dp/ebpf_map.$(OBJEXT): lib/dp/ebpf.skel.h
lib/dp/ebpf_xdp.$(OBJEXT): lib/dp/ebpf.skel.h lib/dp/ebpf_xdp.skel.h
lib/dp/ebpf.bpf.o lib/dp/ebpf_xdp.bpf.o: $(ebpf_programs) lib/flow/key_layout.h config.h
	$(AM_V_at)$(MKDIR_P) lib/dp
	$(AM_V_GEN)$(BPF_CLANG) -O2 -g -target bpf -ffreestanding -std=gnu17 -Wall -Wextra -Wno-unused-parameter -I. -I$(srcdir) \
		$(BPF_INCLUDES) -c $(srcdir)/$(@:.o=.c) -o $@
lib/dp/ebpf.skel.h: lib/dp/ebpf.bpf.o
	$(AM_V_GEN)$(BPFTOOL) gen skeleton lib/dp/ebpf.bpf.o name ebpf_bpf > $@.tmp && mv $@.tmp $@
lib/dp/ebpf_xdp.skel.h: lib/dp/ebpf_xdp.bpf.o
	$(AM_V_GEN)$(BPFTOOL) gen skeleton lib/dp/ebpf_xdp.bpf.o name ebpf_xdp_bpf > $@.tmp && mv $@.tmp $@
endif
