# Unit tests: each program is one cmocka file, named in its room's automake.mk by `unit_tests += tests/unit/test_ROOM`.
# A build for fuzzing has libFuzzer's main() in LDADD, hence no unit tests.
LDADD = $(TEST_LIBS) $(FUZZ_ENGINE)
if HAVE_CMOCKA
if !FUZZERS
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
endif
endif

# The house rules that a script can check.
dist_check_SCRIPTS += tests/unit/check_includes tests/unit/check_sizes
TESTS += tests/unit/check_includes tests/unit/check_sizes
