# System tests: run by ./check, in the lab.
EXTRA_DIST += \
	tests/system/conftest.py \
	tests/system/harness/__init__.py \
	tests/system/harness/command.py \
	tests/system/harness/netns.py \
	tests/system/harness/switch.py \
	tests/system/harness/vm.py \
	tests/system/harness/wait.py \
	tests/system/test_forwarding.py \
	tests/system/test_restart.py
