/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store_wal.h"

#include <stddef.h>

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

int store_wal_checkpoint(sqlite3 *db, enum store_wal_mode mode, bool *ret_whole)
{
	static const int modes[] = {
		[STORE_WAL_PASSIVE] = SQLITE_CHECKPOINT_PASSIVE,
		[STORE_WAL_RESTART] = SQLITE_CHECKPOINT_RESTART,
		[STORE_WAL_TRUNCATE] = SQLITE_CHECKPOINT_TRUNCATE,
	};
	int frames = 0, copied = 0;
	int rc = sqlite3_wal_checkpoint_v2(db, NULL, modes[mode], &frames, &copied);

	if (rc != SQLITE_OK && rc != SQLITE_BUSY)
		return schema_error(rc);
	*ret_whole = rc == SQLITE_OK && copied == frames;
	return 0;
}
