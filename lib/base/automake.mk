# Sources of lib/base.
libsluice_a_SOURCES += \
	lib/base/appctl.h lib/base/buf.h lib/base/counter.h lib/base/daemon.h lib/base/dirs.h lib/base/hash.h \
	lib/base/jsonrpc.h lib/base/list.h lib/base/log.def lib/base/log.h lib/base/loop.h lib/base/rcu.h lib/base/stream.h lib/base/util.h
