/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second connection to lineage.db that only copies the write-ahead log into it. It never waits
 * for a lock. When to do so is checkpoint.c's business.
 */
#ifndef LINEAGED_STORE_WAL_H
#define LINEAGED_STORE_WAL_H

#include <stdbool.h>

#include "schema/schema.h"

int store_wal_open(const char *path, sqlite3 **ret_db);
void store_wal_close(sqlite3 *db);

enum store_wal_mode {
	STORE_WAL_PASSIVE,  /* what no reader needs any more */
	STORE_WAL_RESTART,  /* and the writer begins the log anew, if no reader keeps it */
	STORE_WAL_TRUNCATE, /* and the log becomes empty */
};

/* *ret_whole: all of the log is in the database now. Being in somebody's way is no failure. */
int store_wal_checkpoint(sqlite3 *db, enum store_wal_mode mode, bool *ret_whole);

#endif
