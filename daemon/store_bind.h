/* SPDX-License-Identifier: Apache-2.0 */
/* Inside store*.c: values into a statement, and out of one. */
#ifndef LINEAGED_STORE_BIND_H
#define LINEAGED_STORE_BIND_H

#include "daemon/store.h"

/* ROW_NONE is NULL. */
static inline void bind(sqlite3_stmt *s, int index, int64_t value)
{
	if (value == ROW_NONE)
		sqlite3_bind_null(s, index);
	else
		sqlite3_bind_int64(s, index, value);
}

static inline void bind_text(sqlite3_stmt *s, int index, const char *text)
{
	sqlite3_bind_text(s, index, text && *text ? text : NULL, -1, SQLITE_STATIC);
}

static inline int run(struct store *store, sqlite3_stmt *s)
{
	int rc = sqlite3_step(s);

	sqlite3_reset(s);
	return schema_error(rc);
}

static inline int64_t column(sqlite3_stmt *s, int index)
{
	return sqlite3_column_type(s, index) == SQLITE_NULL ? ROW_NONE
							    : sqlite3_column_int64(s, index);
}

#endif
