/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows that cannot match are left out by SQLite itself, through a function of ours: it decodes the
 * few columns that decide, and only of a row that stays all others.
 */
#include "cli/query_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schema/cleanup.h"

static int64_t value_int(sqlite3_value *value)
{
	return sqlite3_value_type(value) == SQLITE_NULL ? UNKNOWN : sqlite3_value_int64(value);
}

static void wanted(sqlite3_context *context, int count, sqlite3_value **v)
{
	struct query *q = sqlite3_user_data(context);
	int64_t exec_context = sqlite3_value_int64(v[4]);
	const struct row_keys keys = {
		.id = sqlite3_value_int64(v[0]),
		.boot = sqlite3_value_int(v[1]),
		.pid = sqlite3_value_int64(v[2]),
		.birth_context = value_int(v[3]),
		.context = exec_context ? exec_context : value_int(v[3]),
		.comm = value_int(v[5]),
		.image = value_int(v[6]),
		.status = value_int(v[7]),
		.life_ns = value_int(v[8]),
	};
	int r;

	if (q->scan)
		query_scan_passed(q->scan);
	r = q->on_row ? q->on_row(&keys, q->on_row_userdata) : 1;
	if (r >= 0) {
		sqlite3_result_int(context, r);
		return;
	}
	q->on_row_error = r;
	sqlite3_result_error_code(context, SQLITE_ABORT);
}

int query_define_wanted(struct query *q)
{
	/* Not for views of a database that somebody sent. */
	int flags = SQLITE_UTF8 | SQLITE_DIRECTONLY;

	return query_step_error(q, sqlite3_create_function_v2(q->db, "wanted", 9, flags, q, wanted,
							      NULL, NULL, NULL));
}

int query_row_error(struct query *q, int error)
{
	int told = q->on_row_error;

	q->on_row_error = 0;
	return error < 0 && told < 0 ? told : error;
}

void query_on_row(struct query *q, int (*fn)(const struct row_keys *keys, void *userdata),
		  void *userdata)
{
	q->on_row = fn;
	q->on_row_userdata = userdata;
}

int query_peek_context(struct query *q, int64_t id, const struct context **ret_context)
{
	return query_context(q, id, ret_context);
}

static int each_key(struct query *q, enum query_statement which, int64_t first_id, int64_t last_id,
		    int (*fn)(const struct row_keys *keys, void *userdata), void *userdata)
{
	sqlite3_stmt *stmt;
	int r, rc = SQLITE_DONE;

	r = query_prepare(q, which, &stmt);
	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, first_id);
	sqlite3_bind_int64(stmt, 2, last_id);
	while (r == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const struct row_keys keys = {
			.id = sqlite3_column_int64(stmt, 0),
			.context = column_int(stmt, 1),
			.comm = column_int(stmt, 2),
			.image = column_int(stmt, 3),
		};

		r = fn(&keys, userdata);
	}
	sqlite3_reset(stmt);
	return r < 0 ? r : query_step_error(q, rc);
}

int query_each_earlier(struct query *q, int64_t first_id, int64_t last_id,
		       int (*fn)(const struct row_keys *keys, void *userdata), void *userdata)
{
	return each_key(q, QUERY_EARLIER_KEYS, first_id, last_id, fn, userdata);
}

int query_each_failed(struct query *q, int64_t first_id, int64_t last_id,
		      int (*fn)(const struct row_keys *keys, void *userdata), void *userdata)
{
	return each_key(q, QUERY_FAILED_IDS, first_id, last_id, fn, userdata);
}

/* Bits for the processes of a zone; zones that were asked for lately. */
#define ZONE_IDS      (1 << SCHEMA_ZONE_SHIFT)
#define EARLIER_ZONES 256
/* As many single questions cost as much as all at once. */
#define ZONE_ASKED_MIN 16

struct query_earlier {
	int64_t zone[EARLIER_ZONES]; /* and 1 more; 0: none */
	unsigned int asked[EARLIER_ZONES];
	uint64_t bits[EARLIER_ZONES][ZONE_IDS / 64];
};

static int load_zone(struct query *q, int64_t zone, uint64_t *bits)
{
	sqlite3_stmt *stmt;
	int r, rc;

	memset(bits, 0, ZONE_IDS / 8);
	r = query_prepare(q, QUERY_EARLIER, &stmt);
	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, zone << SCHEMA_ZONE_SHIFT);
	sqlite3_bind_int64(stmt, 2, ((zone + 1) << SCHEMA_ZONE_SHIFT) - 1);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(stmt, 0) & (ZONE_IDS - 1);

		bits[id / 64] |= 1ULL << (id % 64);
	}
	sqlite3_reset(stmt);
	return query_step_error(q, rc);
}

int query_has_earlier(struct query *q, int64_t process_id)
{
	int64_t zone = process_id >> SCHEMA_ZONE_SHIFT, id = process_id & (ZONE_IDS - 1);
	size_t slot = (size_t)zone % EARLIER_ZONES;
	int r;

	if (process_id < 0)
		return 1;
	if (!q->earlier) {
		q->earlier = calloc(1, sizeof(*q->earlier));
		if (!q->earlier)
			return -ENOMEM;
	}
	if (q->earlier->zone[slot] != zone + 1) {
		q->earlier->zone[slot] = zone + 1;
		q->earlier->asked[slot] = 0;
	}
	if (q->earlier->asked[slot] < ZONE_ASKED_MIN) {
		if (++q->earlier->asked[slot] < ZONE_ASKED_MIN)
			return 1;
		r = load_zone(q, zone, q->earlier->bits[slot]);
		if (r < 0) {
			q->earlier->zone[slot] = 0;
			return r;
		}
	}
	return q->earlier->bits[slot][id / 64] >> (id % 64) & 1;
}
