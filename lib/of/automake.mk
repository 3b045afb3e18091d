# Sources of lib/of.
libsluice_a_SOURCES += lib/of/body.h lib/of/error.def lib/of/of.h lib/of/ofact.def lib/of/ofact.h
