# Sources of lib/flow.
libsluice_a_SOURCES += \
	lib/flow/action.def lib/flow/action.h lib/flow/classifier.c lib/flow/classifier.h lib/flow/classifier_lookup.c lib/flow/classifier_private.h \
	lib/flow/cls_prefix.c lib/flow/cls_priority.c lib/flow/cls_table.c lib/flow/cls_table.h lib/flow/trie.c lib/flow/trie.h lib/flow/field.def lib/flow/field.h \
	lib/flow/field.c lib/flow/field_prereq.c lib/flow/key.c lib/flow/key.h lib/flow/key_layout.h lib/flow/match.c lib/flow/match.h lib/flow/packet.c lib/flow/packet.h lib/flow/packet_compose.c lib/flow/packet_edit.c lib/flow/packet_extract.c lib/flow/wire.h \
	lib/flow/subfield.c lib/flow/wide.h
unit_tests += tests/unit/test_flow_field tests/unit/test_flow_match
unit_tests += tests/unit/test_packet
fuzzers += tests/fuzz/fuzz_packet
unit_tests += tests/unit/test_classifier

# Text of matches and datapath flows.
libsluice_a_SOURCES += \
	lib/flow/field_text.c lib/flow/match_parse.c lib/flow/match_text.c lib/flow/match_text.h lib/flow/text.c lib/flow/text.h
unit_tests += tests/unit/test_flow_text
libsluice_a_SOURCES += lib/flow/dp_attr.c lib/flow/dp_text.c lib/flow/dp_text.h
libsluice_a_SOURCES += lib/flow/action.c lib/flow/action_parse.c lib/flow/action_text.c lib/flow/action_text.h
unit_tests += tests/unit/test_flow_dp_text
fuzzers += tests/fuzz/fuzz_flow_text
