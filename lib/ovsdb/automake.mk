# Sources of lib/ovsdb.
libsluice_a_SOURCES += \
	lib/ovsdb/client.c lib/ovsdb/client.h lib/ovsdb/datum.c lib/ovsdb/datum.h lib/ovsdb/ovsdb.h \
	lib/ovsdb/owner.c lib/ovsdb/owner.h lib/ovsdb/replica.c lib/ovsdb/replica.h \
	lib/ovsdb/txn.c
unit_tests += tests/unit/test_ovsdb
fuzzers += tests/fuzz/fuzz_ovsdb
