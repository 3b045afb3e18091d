# Fuzzers: `fuzzers += tests/fuzz/fuzz_NAME` in a room's automake.mk makes one of tests/fuzz/fuzz_NAME.c, which defines
# LLVMFuzzerTestOneInput(); its corpus is tests/fuzz/corpus/NAME/. In a build configured with CC=clang --enable-fuzzers:
# `make fuzzers` builds all, `make print-fuzzers` names them.
EXTRA_PROGRAMS += $(fuzzers)

.PHONY: fuzzers print-fuzzers
if FUZZERS
fuzzers: $(fuzzers)
else
fuzzers:
	@echo "make $@: configure with CC=clang --enable-fuzzers" >&2; exit 1
endif

print-fuzzers:
	@for f in $(fuzzers); do echo $$f; done

dist-hook: dist-fuzz-corpus
.PHONY: dist-fuzz-corpus
dist-fuzz-corpus:
	$(MKDIR_P) $(distdir)/tests/fuzz
	cp -R $(srcdir)/tests/fuzz/corpus $(distdir)/tests/fuzz/
