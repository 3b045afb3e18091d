# Sources of lib/nl.
libsluice_a_SOURCES += \
	lib/nl/genl.c lib/nl/genl.h \
	lib/nl/msg.c lib/nl/msg.h \
	lib/nl/pool.c \
	lib/nl/sock.c lib/nl/sock.h
