# Sources of lib/base.
libsluice_a_SOURCES += \
	lib/base/appctl.c lib/base/appctl.h lib/base/appctl_private.h lib/base/buf.c lib/base/buf.h lib/base/counter.c lib/base/counter.h lib/base/daemon.h \
	lib/base/dirs.c lib/base/dirs.h lib/base/hash.h lib/base/jsonrpc.h lib/base/list.c lib/base/list.h \
	lib/base/log.c lib/base/log.def lib/base/log.h lib/base/log_commands.c lib/base/log_pattern.c lib/base/log_private.h \
	lib/base/log_sink.c lib/base/loop.c lib/base/loop.h lib/base/rcu.c lib/base/rcu.h lib/base/stream.h \
	lib/base/util.c lib/base/util.h lib/base/version.c lib/base/version.h
unit_tests += tests/unit/test_base
