# Sources of tests.
include tests/unit/automake.mk
include tests/fuzz/automake.mk
include tests/system/automake.mk
include tests/differential/automake.mk
include tests/eswitch/automake.mk
include tests/bench/automake.mk
