# Sources of utilities.
bin_PROGRAMS += sluicectl
sluicectl_SOURCES = utilities/sluicectl.c
sluicectl_LDADD = libsluice.a $(LIBS_ALL)
dist_man_MANS += utilities/sluicectl.8

EXTRA_DIST += \
	packages.txt \
	quickstart \
	utilities/lab \
	utilities/lab.d/build-kernel \
	utilities/lab.d/guest-init \
	utilities/lab.d/guest.py \
	utilities/lab.d/kernel.options \
	utilities/lab.d/kernel-kasan.options \
	utilities/lab.d/kernel.py \
	utilities/quickstart.d/adapter.py \
	utilities/quickstart.d/controller.py \
	utilities/quickstart.d/show.py \
	utilities/setup.d/functions

# Packaging.
EXTRA_DIST += \
	debian/changelog \
	debian/control \
	debian/copyright \
	debian/rules \
	debian/sluice.postinst \
	debian/sluice.prerm \
	debian/source/format \
	rhel/sluice.spec

# As a file to distribute, "check" would be the target of that name: the tests would run first.
dist-hook:
	cp -p $(srcdir)/check $(distdir)/check
