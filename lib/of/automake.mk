# Sources of lib/of.
libsluice_a_SOURCES += lib/of/body.h lib/of/body_flow.c lib/of/body_monitor.c lib/of/body_packet.c lib/of/body_port.c lib/of/body_switch.c lib/of/body_table.c lib/of/error.c lib/of/error.def lib/of/match10.c lib/of/msg.c lib/of/msg.def lib/of/msg.h lib/of/of.c lib/of/of.h lib/of/ofact.c lib/of/ofact.def \
	lib/of/ofact.h lib/of/ofact_check.c lib/of/ofact_codec.c lib/of/ofact_ct.c lib/of/ofact_field.c lib/of/ofact_format.c \
	lib/of/ofact_inst.c lib/of/ofact_learn.c lib/of/ofact_nx.c lib/of/ofact_private.h lib/of/ofact_std.c lib/of/oxm.c lib/of/oxm.h
unit_tests += tests/unit/test_of_oxm tests/unit/test_of_ofact tests/unit/test_of_msg
fuzzers += tests/fuzz/fuzz_openflow
