# Sources of lib/dp.
libsluice_a_SOURCES += lib/dp/dp.c lib/dp/dp.h lib/dp/execute.h \
	lib/dp/kernel.c lib/dp/kernel.h lib/dp/kernel_flow.c lib/dp/kernel_meter.c lib/dp/kernel_port.c lib/dp/kernel_probe.c \
	lib/dp/kernel_upcall.c \
	lib/dp/netdev.c lib/dp/netdev.h lib/dp/netdev_change.c lib/dp/netdev_ethtool.c lib/dp/netdev_police.c lib/dp/netdev_private.h \
	lib/dp/place.c lib/dp/place.h lib/dp/place_adopt.c lib/dp/place_flow.c lib/dp/place_private.h lib/dp/place_promote.c \
	lib/dp/tc.h lib/dp/tc_decode.c lib/dp/tc_flower.c lib/dp/tc_flower.h lib/dp/tc_police.c lib/dp/tc_prio.c lib/dp/tc_qdisc.c
libsluice_a_SOURCES += lib/dp/execute.c lib/dp/user.c lib/dp/user.h lib/dp/user_appctl.c lib/dp/user_flow.c lib/dp/user_gso.c \
	lib/dp/user_port.c lib/dp/user_upcall.c
unit_tests += tests/unit/test_execute tests/unit/test_user tests/unit/test_place tests/unit/test_tc
