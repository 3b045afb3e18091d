# Unit tests: each program is one cmocka file, named in its room's automake.mk by `unit_tests += tests/unit/test_ROOM`.
# 'fuzz_main' has a main() for fuzzers, which these programs have of their own; a build for fuzzing has libFuzzer's, hence no unit tests.
LDADD = $(fuzz_main) $(TEST_LIBS) $(FUZZ_ENGINE)
if HAVE_CMOCKA
if !FUZZERS
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
endif
endif

# The house rules that a script can check, and the daemon from outside.
dist_check_SCRIPTS += tests/unit/check_includes tests/unit/check_sizes tests/unit/check_daemon tests/unit/check_config \
	tests/unit/check_leaks tests/unit/check_packaging
TESTS += tests/unit/check_includes tests/unit/check_sizes tests/unit/check_daemon tests/unit/check_config \
	tests/unit/check_leaks tests/unit/check_packaging
EXTRA_DIST += tests/unit/daemon_harness.py tests/unit/valgrind.supp
