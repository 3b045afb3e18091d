# The differential test: random pipelines through ofproto/trace of the installed daemon and of ours. `make fuzz CASES=N` runs more of it.
EXTRA_DIST += \
	tests/differential/actions.py tests/differential/cases.py tests/differential/control.py tests/differential/test_trace.py \
	tests/differential/world.py
.PHONY: fuzz
fuzz: sluice-vswitchd
	SLUICE_BUILD=$(abs_top_builddir) CASES=$${CASES:-20000} /usr/bin/python3 -m pytest -q -p no:cacheprovider $(srcdir)/tests/differential
