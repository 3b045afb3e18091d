# Sources of lib/dp.
libsluice_a_SOURCES += lib/dp/dp.c lib/dp/dp.h lib/dp/execute.h lib/dp/netdev.h lib/dp/place.h \
	lib/dp/kernel.c lib/dp/kernel.h lib/dp/kernel_flow.c lib/dp/kernel_meter.c lib/dp/kernel_port.c lib/dp/kernel_probe.c \
	lib/dp/kernel_upcall.c
