# Sources of lib/nl.
libsluice_a_SOURCES += \
	lib/nl/flower.def lib/nl/genl.c lib/nl/genl.h \
	lib/nl/msg.c lib/nl/msg.h \
	lib/nl/ovs_action.c lib/nl/ovs_action.h lib/nl/ovs_action_get.c \
	lib/nl/ovs_key.c lib/nl/ovs_key.def lib/nl/ovs_key.h lib/nl/ovs_tunnel.c \
	lib/nl/pool.c \
	lib/nl/sock.c lib/nl/sock.h
unit_tests += tests/unit/test_nl
fuzzers += tests/fuzz/fuzz_netlink
