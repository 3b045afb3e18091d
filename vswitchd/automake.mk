# Sources of vswitchd.
libsluice_a_SOURCES += \
	vswitchd/desired.c vswitchd/desired.h vswitchd/follow.c vswitchd/options.c vswitchd/options.h vswitchd/reconcile.c vswitchd/running.c \
	vswitchd/running.h vswitchd/status.c vswitchd/tables.c vswitchd/tables.h \
	vswitchd/vswitch.c vswitchd/vswitch.h

sbin_PROGRAMS += sluice-vswitchd
sluice_vswitchd_SOURCES = vswitchd/main.c
sluice_vswitchd_LDADD = libsluice.a $(LIBS_ALL)
dist_man_MANS += vswitchd/sluice-vswitchd.8
