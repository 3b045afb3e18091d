// SPDX-License-Identifier: Apache-2.0
// What daemon.c shares with pidfile.c. Nobody else includes it.
#ifndef LIB_BASE_DAEMON_PRIVATE_H
#define LIB_BASE_DAEMON_PRIVATE_H 1

#include <stdbool.h>

/* Ends the program, with a message, if the process that 'path' names is alive. */
void pidfile_check(const char *path);
/* Writes the pid to 'path' and locks it until the process ends. The descriptor that holds the lock; errors are fatal. */
int pidfile_create(const char *path, bool overwrite);
/* Removes 'path' if it still is the file of 'fd'. */
void pidfile_remove(const char *path, int fd);

#endif
