# Benchmarks: both daemons in one run. Never part of `make check`.
EXTRA_DIST += tests/bench/bench.py tests/bench/bulk.py tests/bench/flows.py tests/bench/frame.h tests/bench/replay.py
EXTRA_PROGRAMS += tests/bench/new_flows
CLEANFILES += tests/bench/new_flows
if HAVE_EBPF
EXTRA_PROGRAMS += tests/bench/ebpf_speed
CLEANFILES += tests/bench/ebpf_speed
endif
.PHONY: bench
bench: all
	$(MAKE) tests/bench/new_flows
if HAVE_EBPF
	$(MAKE) tests/bench/ebpf_speed
	tests/bench/ebpf_speed
endif
	SLUICE_BUILD=$(abs_builddir) $(srcdir)/tests/bench/bench.py native
	$(srcdir)/utilities/lab --cpus 2 -- env SLUICE_BUILD=$(abs_builddir) $(abs_srcdir)/tests/bench/bench.py lab
	SLUICE_BUILD=$(abs_builddir) $(srcdir)/tests/eswitch/run --cpus 2 -k all_processors
