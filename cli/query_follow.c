/* SPDX-License-Identifier: Apache-2.0 */
/* What changes while a database is read: refreshed transactions, boots that are added, its end. */
#include "cli/query_internal.h"

/* boot: the statement's only value; NULL: it has none. */
static int read_number(struct query *q, enum query_statement which, const struct boot *boot,
		       int64_t *ret_number)
{
	sqlite3_stmt *stmt;
	int r, rc;

	r = query_prepare(q, which, &stmt);
	if (r < 0)
		return r;
	if (boot)
		sqlite3_bind_int(stmt, 1, boot->number);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*ret_number = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	return query_step_error(q, rc);
}

int query_newest(struct query *q, int64_t *ret_id)
{
	return read_number(q, QUERY_NEWEST, NULL, ret_id);
}

int query_newest_of(struct query *q, const struct boot *boot, int64_t *ret_id)
{
	return read_number(q, QUERY_NEWEST_OF, boot, ret_id);
}

int query_newest_gap(struct query *q, int64_t *ret_id)
{
	return read_number(q, QUERY_NEWEST_GAP, NULL, ret_id);
}

int query_gaps_since(struct query *q, const struct boot *boot, int64_t *ret_id)
{
	return read_number(q, QUERY_GAPS_SINCE, boot, ret_id);
}

int query_has_new_boot(struct query *q)
{
	int64_t newest = 0;
	int r = read_number(q, QUERY_NEWEST_BOOT, NULL, &newest);

	return r < 0 ? r : newest > 0 && !query_boot(q, (int)newest);
}

bool query_is_copy(const struct query *q)
{
	return sqlite3_uri_boolean(sqlite3_db_filename(q->db, "main"), "immutable", 0);
}

int query_newer(struct query *q, int64_t process_id, struct process_list *list)
{
	sqlite3_stmt *stmt;
	int r = query_prepare(q, QUERY_NEWER, &stmt);

	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, process_id);
	return query_collect(q, stmt, list);
}
