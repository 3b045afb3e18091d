# Sources of lib/base.
libsluice_a_SOURCES += \
	lib/base/appctl.c lib/base/appctl.h lib/base/appctl_private.h lib/base/appctl_server.c lib/base/buf.c lib/base/buf.h \
	lib/base/counter.c lib/base/counter.h lib/base/counter_names.def lib/base/daemon.c lib/base/daemon.h \
	lib/base/daemon_private.h lib/base/dirs.c lib/base/dirs.h lib/base/hash.h lib/base/heap.c lib/base/heap.h lib/base/json_splitter.c lib/base/jsonrpc.c \
	lib/base/jsonrpc.h lib/base/list.c lib/base/list.h lib/base/log.c lib/base/log.def lib/base/log.h \
	lib/base/log_alias.def lib/base/log_commands.c lib/base/log_pattern.c lib/base/log_private.h lib/base/log_sink.c \
	lib/base/loop.c lib/base/loop.h lib/base/memory.c lib/base/memory.h lib/base/pidfile.c lib/base/privileges.c \
	lib/base/rcu.c lib/base/rcu.h lib/base/refs.h lib/base/stream.c lib/base/stream.h lib/base/stream_in.c lib/base/stream_listen.c lib/base/stream_name.c \
	lib/base/stream_name.h lib/base/stream_private.h lib/base/stream_resolve.c lib/base/stream_tls.c lib/base/util.c \
	lib/base/util.h lib/base/version.c lib/base/version.h
unit_tests += tests/unit/test_base tests/unit/test_base_log tests/unit/test_base_net
fuzzers += tests/fuzz/fuzz_jsonrpc
