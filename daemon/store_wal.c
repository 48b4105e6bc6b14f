/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store_wal.h"

#include <stddef.h>

/* https://www.sqlite.org/walformat.html#the_wal_index_file_format */
#define REGION_BYTES 32768

int store_wal_open(const char *path, sqlite3 **ret_db)
{
	int r = schema_open_writer(path, ret_db);

	if (r == 0)
		sqlite3_busy_timeout(*ret_db, 0);
	return r;
}

void store_wal_close(sqlite3 *db)
{
	sqlite3_close(db);
}

int store_wal_map(sqlite3 *db, uint64_t pages)
{
	sqlite3_file *file = NULL;
	void volatile *region = NULL;
	int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);

	if (rc != SQLITE_OK || !file || !file->pMethods || file->pMethods->iVersion < 2)
		return schema_error(rc);
	/* The first holds fewer pages than the others. */
	rc = file->pMethods->xShmMap(file, (int)(pages / STORE_WAL_REGION_PAGES + 1), REGION_BYTES,
				     1, &region);
	return schema_error(rc);
}

int store_wal_checkpoint(sqlite3 *db, enum store_wal_mode mode,
			 struct store_wal_progress *ret_progress)
{
	static const int modes[] = {
		[STORE_WAL_PASSIVE] = SQLITE_CHECKPOINT_PASSIVE,
		[STORE_WAL_TRUNCATE] = SQLITE_CHECKPOINT_TRUNCATE,
	};
	int pages = 0, copied = 0;
	int rc = sqlite3_wal_checkpoint_v2(db, NULL, modes[mode], &pages, &copied);

	if (rc != SQLITE_OK && rc != SQLITE_BUSY)
		return schema_error(rc);
	/* -1: somebody else is at it. */
	*ret_progress = (struct store_wal_progress){
		.pages = pages > 0 ? (uint64_t)pages : 0,
		.copied_pages = copied > 0 ? (uint64_t)copied : 0,
	};
	return 0;
}
