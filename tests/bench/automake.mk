# Benchmarks: both daemons in one run. Never part of `make check`.
EXTRA_DIST += tests/bench/bench.py tests/bench/replay.py
.PHONY: bench
bench: all
	SLUICE_BUILD=$(abs_builddir) $(srcdir)/tests/bench/bench.py native
	$(srcdir)/utilities/lab --cpus 2 -- env SLUICE_BUILD=$(abs_builddir) $(abs_srcdir)/tests/bench/bench.py lab
