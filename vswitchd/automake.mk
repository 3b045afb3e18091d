# Sources of vswitchd.
sbin_PROGRAMS += sluice-vswitchd
sluice_vswitchd_SOURCES = vswitchd/main.c
sluice_vswitchd_LDADD = libsluice.a $(LIBS_ALL)
