/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A database that cannot be used any more: told from a file of somebody else's, and set aside under
 * a dated name. Nothing is ever overwritten or deleted here.
 */
#ifndef LINEAGED_SALVAGE_H
#define LINEAGED_SALVAGE_H

#include <limits.h>
#include <stdbool.h>
#include <time.h>

/*
 * True if a file that is no readable database was one of ours: its first page still says so, or the
 * text of our schema is in it, or the files that SQLite keeps beside a database in use are there.
 */
bool salvage_is_ours(const char *path);

/*
 * Renames path, path-wal and path-shm to path.damaged-YYYYMMDDTHHMMSSZ[.N] and so on. `name` is the
 * new name of the first. 0 or a negative errno.
 */
int salvage_set_aside(const char *path, time_t now, char name[PATH_MAX]);

#endif
