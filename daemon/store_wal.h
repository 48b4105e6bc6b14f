/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second connection to lineage.db that only copies the write-ahead log into it. It never waits
 * for a lock. When to do so is checkpoint.c's business.
 */
#ifndef LINEAGED_STORE_WAL_H
#define LINEAGED_STORE_WAL_H

#include <stdint.h>

#include "schema/schema.h"

int store_wal_open(const char *path, sqlite3 **ret_db);
void store_wal_close(sqlite3 *db);

/* Pages of the log that one region of the index tells of. */
#define STORE_WAL_REGION_PAGES 4096

/*
 * Maps what the connections of this process share (-shm), as far as a log of so many pages needs
 * it. SQLite would with the growing log: a file that grows, and is mapped, waits for the file
 * system where that is busy, and meanwhile no thread of the process can map anything. While this is
 * done the writer cannot take a lock, so not much of it at once.
 */
int store_wal_map(sqlite3 *db, uint64_t pages);

enum store_wal_mode {
	STORE_WAL_PASSIVE,  /* what no reader needs any more; in nobody's way */
	STORE_WAL_TRUNCATE, /* all of it, and the log becomes empty; keeps the writer out */
};

struct store_wal_progress {
	uint64_t pages;	       /* of the log when it began */
	uint64_t copied_pages; /* of these; fewer where a reader or a writer is in the way */
};

int store_wal_checkpoint(sqlite3 *db, enum store_wal_mode mode,
			 struct store_wal_progress *ret_progress);

#endif
