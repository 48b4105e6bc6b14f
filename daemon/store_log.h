/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the writer's connection writes the log (-wal): whole pages of the file, many at once.
 *
 * SQLite itself makes two writes of each page, of 24 and 4096 bytes, and none of them begins where
 * a page of the file does. A page that is written in part must be in memory: where it is not, the
 * kernel reads it first, behind whatever else the disk has to do. Writers have been seen to wait
 * for 17 seconds there, in a log whose blocks were reserved. So what a transaction appends is
 * collected, and written up to the end of a page, the last one filled up with zeros: SQLite ends
 * its log at the first frame that does not continue the one before.
 *
 * What is committed is in the file when the commit returns, as without this; only then may other
 * connections know of it. Nothing but the log goes this way.
 */
#ifndef LINEAGED_STORE_LOG_H
#define LINEAGED_STORE_LOG_H

#include "schema/schema.h"

/*
 * The name of the VFS, for schema_open_through(). It stands before the one that was the default
 * when it was first asked for. NULL: SQLite refused it.
 */
const char *store_log_vfs(void);

/*
 * To be called once for each connection that has been opened with it: what a transaction that was
 * rolled back had not written yet must be forgotten. It does so for "main": nothing else may be
 * attached to such a connection.
 */
void store_log_follow(sqlite3 *db);

#endif
