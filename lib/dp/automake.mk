# Sources of lib/dp.
libsluice_a_SOURCES += lib/dp/dp.h lib/dp/execute.h lib/dp/netdev.h lib/dp/place.h
