# Sources of ofproto.
libsluice_a_SOURCES += \
	ofproto/bridge.c ofproto/bridge.h ofproto/commands.c ofproto/commands.h ofproto/commands_capability.c ofproto/commands_dp.c ofproto/commands_dump.c ofproto/commands_place.c ofproto/datapath.c \
	ofproto/datapath.h ofproto/effect.c ofproto/effect.h ofproto/freeze.c ofproto/freeze.h ofproto/l2.c ofproto/l2.h ofproto/l2_commands.c ofproto/learn_group.c ofproto/learn_group.h ofproto/learned.c ofproto/learned.h \
	ofproto/megaflow.c ofproto/megaflow.h ofproto/ofconn.c ofproto/ofconn.h ofproto/ofconn_async.c ofproto/ofconn_private.h ofproto/ofcontroller.c \
	ofproto/ofproto.c ofproto/ofproto.h ofproto/outcome.c ofproto/outcome.h ofproto/packet_in.c ofproto/packet_in.h ofproto/port.c ofproto/port.h ofproto/port_device.c ofproto/private.h \
	ofproto/revalidate.c ofproto/revalidate.h ofproto/rule.c ofproto/rule.h ofproto/table.c ofproto/table.h ofproto/transaction.c ofproto/transaction.h ofproto/trace.c ofproto/trace.h \
	ofproto/trace_tree.c ofproto/trace_tree.h ofproto/translate.c ofproto/translate.h ofproto/translate_actions.c \
	ofproto/translate_commit.c ofproto/translate_ct.c ofproto/translate_ctx.h ofproto/translate_field.c ofproto/translate_freeze.c \
	ofproto/translate_hash.c ofproto/translate_mpls.c ofproto/translate_normal.c ofproto/translate_output.c ofproto/translate_prove.c ofproto/translate_set.c \
	ofproto/translate_table.c ofproto/upcall.c ofproto/upcall.h ofproto/ofbundle.c ofproto/ofmonitor.c ofproto/ofserve.c ofproto/ofserve_flow.c ofproto/ofserve_private.h \
	ofproto/ofserve_stats.c ofproto/ofserve_switch.c
unit_tests += tests/unit/test_l2 tests/unit/test_transaction tests/unit/test_translate
