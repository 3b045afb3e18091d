# Sources of lib/flow.
libsluice_a_SOURCES += \
	lib/flow/action.def lib/flow/action.h lib/flow/classifier.h lib/flow/field.def lib/flow/field.h lib/flow/key.h lib/flow/match.h lib/flow/packet.h
