# Fuzzers: `fuzzers += tests/fuzz/fuzz_NAME` in a room's automake.mk makes one of tests/fuzz/fuzz_NAME.c, which defines
# LLVMFuzzerTestOneInput(); its corpus is tests/fuzz/corpus/NAME/. In a build configured with CC=clang --enable-fuzzers:
# `make fuzzers` builds all, `make print-fuzzers` names them. In other builds `make check` runs each over its corpus.
.PHONY: fuzzers print-fuzzers
if FUZZERS
EXTRA_PROGRAMS += $(fuzzers)
fuzzers: $(fuzzers)
else
check_PROGRAMS += $(fuzzers)
check_LIBRARIES += libreplay.a
libreplay_a_SOURCES = tests/fuzz/replay.c
fuzz_main = libreplay.a
TESTS += tests/fuzz/check_corpora
fuzzers:
	@echo "make $@: configure with CC=clang --enable-fuzzers" >&2; exit 1
endif
dist_check_SCRIPTS += tests/fuzz/check_corpora

print-fuzzers:
	@for f in $(fuzzers); do echo $$f; done

dist-hook: dist-fuzz-corpus
.PHONY: dist-fuzz-corpus
dist-fuzz-corpus:
	$(MKDIR_P) $(distdir)/tests/fuzz
	cp -R $(srcdir)/tests/fuzz/corpus $(distdir)/tests/fuzz/
