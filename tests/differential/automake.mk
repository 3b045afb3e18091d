# The installed daemon and ours asked the same: random pipelines through ofproto/trace (`make fuzz CASES=N` runs more), and OpenFlow as bytes.
EXTRA_DIST += \
	tests/differential/actions.py tests/differential/cases.py tests/differential/control.py tests/differential/fields.py \
	tests/differential/test_learn.py tests/differential/test_megaflows.py tests/differential/test_ofctl.py tests/differential/test_rows.py tests/differential/test_sessions.py tests/differential/test_timeouts.py tests/differential/test_trace.py tests/differential/test_wire.py \
	tests/differential/wire.py tests/differential/world.py
# The same in the lab, with real packets; `make fuzz` runs a twentieth as many cases of it.
EXTRA_DIST += tests/differential/agent.py tests/differential/frames.py tests/differential/lab.py tests/differential/openflow.py \
	tests/differential/outcome.py tests/differential/search.py tests/differential/test_packets.py
.PHONY: fuzz
fuzz: sluice-vswitchd
	SLUICE_BUILD=$(abs_top_builddir) CASES=$${CASES:-20000} /usr/bin/python3 -m pytest -q -p no:cacheprovider \
		$(srcdir)/tests/differential/test_trace.py $(srcdir)/tests/differential/test_packets.py
