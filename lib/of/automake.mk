# Sources of lib/of.
libsluice_a_SOURCES += lib/of/body.h lib/of/of.h lib/of/ofact.h
