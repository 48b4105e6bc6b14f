/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, statements, boots and clocks. Processes are in query_process.c, windows in
 * query_window.c. */
#include "cli/query_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/cleanup.h"

const char *const query_sql[QUERY_STATEMENT_COUNT] = {
#define X(name, sql) [QUERY_##name] = sql,
	QUERY_STATEMENTS(X)
#undef X
};

int query_step_error(struct query *q, int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return SCHEMA_E_NOT_DB;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return SCHEMA_E_BUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_IOERR:
		return -EIO;
	default:
		return SCHEMA_E_SQLITE;
	}
}

/* With fewer columns of processes where a line needs no more. The result is the caller's (free). */
static char *statement_text(const struct query *q, enum query_statement which)
{
	const char *sql = query_sql[which];
	const char *columns = strstr(sql, PROCESS_COLUMNS);
	char *text;

	if (q->detail == QUERY_DETAIL_FULL || !columns)
		return strdup(sql);
	if (asprintf(&text, "%.*s" PROCESS_COLUMNS_LINE "%s", (int)(columns - sql), sql,
		     columns + strlen(PROCESS_COLUMNS)) < 0)
		return NULL;
	return text;
}

int query_prepare(struct query *q, enum query_statement which, sqlite3_stmt **ret_stmt)
{
	if (!q->stmts[which]) {
		CLEANUP_FREE char *sql = statement_text(q, which);
		int rc = sql ? sqlite3_prepare_v3(q->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
						  &q->stmts[which], NULL)
			     : SQLITE_NOMEM;

		if (rc != SQLITE_OK)
			return query_step_error(q, rc);
	}
	sqlite3_reset(q->stmts[which]);
	*ret_stmt = q->stmts[which];
	return 0;
}

int64_t column_int(sqlite3_stmt *stmt, int column)
{
	int64_t value = sqlite3_column_int64(stmt, column);

	/* Asking for the type costs as much again, and NULL reads as 0. */
	if (value == 0 && sqlite3_column_type(stmt, column) == SQLITE_NULL)
		return UNKNOWN;
	return value;
}

char *column_text(struct arena *arena, sqlite3_stmt *stmt, int column)
{
	const void *value = sqlite3_column_text(stmt, column);

	return value ? arena_copy(arena, value, (size_t)sqlite3_column_bytes(stmt, column)) : NULL;
}

static int load_boots(struct query *q)
{
	sqlite3_stmt *stmt;
	size_t size = 0;
	int r, rc;

	r = query_prepare(q, QUERY_BOOTS, &stmt);
	if (r < 0)
		return r;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (q->boot_count == size) {
			struct boot *more;

			size = size ? size * 2 : 8;
			more = reallocarray(q->boots, size, sizeof(*more));
			if (!more)
				return -ENOMEM;
			q->boots = more;
		}
		q->boots[q->boot_count++] = (struct boot){
			.db = q,
			.number = sqlite3_column_int(stmt, 0),
			.boot_id = column_text(&q->permanent, stmt, 1),
			.hostname = column_text(&q->permanent, stmt, 2),
			.machine = column_text(&q->permanent, stmt, 3),
			.kernel = column_text(&q->permanent, stmt, 4),
		};
	}
	sqlite3_reset(stmt);
	return query_step_error(q, rc);
}

static int add_clock(struct boot *boot, int64_t from_boot_ns, int64_t offset_ns)
{
	struct clock_segment *more =
		reallocarray(boot->clock, boot->clock_count + 1, sizeof(*boot->clock));

	if (!more)
		return -ENOMEM;
	boot->clock = more;
	boot->clock[boot->clock_count++] =
		(struct clock_segment){.from_boot_ns = from_boot_ns, .offset_ns = offset_ns};
	return 0;
}

static int load_clocks(struct query *q)
{
	sqlite3_stmt *stmt;
	int r, rc;

	r = query_prepare(q, QUERY_CLOCKS, &stmt);
	if (r < 0)
		return r;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct boot *boot = (struct boot *)query_boot(q, sqlite3_column_int(stmt, 0));

		if (!boot)
			continue;
		r = add_clock(boot, sqlite3_column_int64(stmt, 1), sqlite3_column_int64(stmt, 2));
		if (r < 0)
			break;
	}
	sqlite3_reset(stmt);
	return r < 0 ? r : query_step_error(q, rc);
}

int query_open(const char *path, enum query_detail detail, struct query **ret_query)
{
	struct query *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return -ENOMEM;
	q->detail = detail;
	q->blocks_read = query_blocks_read();
	q->path = strdup(path);
	r = q->path ? schema_open_reader(path, &q->db) : -ENOMEM;
	/* One transaction for the whole answer: every part of it sees the same state. */
	if (r == 0)
		r = schema_exec(q->db, "BEGIN");
	/* Enough for the inner pages of every index that an answer walks; bounded, unlike the file.
	 */
	if (r == 0)
		r = schema_exec(q->db, "PRAGMA cache_size = -16384");
	if (r == 0)
		r = query_define_wanted(q);
	if (r == 0)
		r = load_boots(q);
	if (r == 0)
		r = load_clocks(q);
	if (r < 0) {
		query_free(q);
		return r;
	}
	*ret_query = q;
	return 0;
}

void query_free(struct query *q)
{
	if (!q)
		return;
	for (size_t i = 0; i < QUERY_STATEMENT_COUNT; i++)
		sqlite3_finalize(q->stmts[i]);
	sqlite3_close(q->db);
	query_pages_free(q->pages);
	for (size_t i = 0; i < q->boot_count; i++)
		free(q->boots[i].clock);
	free(q->boots);
	idmap_deinit(&q->texts);
	idmap_deinit(&q->programs);
	idmap_deinit(&q->images);
	idmap_deinit(&q->contexts);
	idmap_deinit(&q->cgroups);
	idmap_deinit(&q->processes);
	arena_deinit(&q->permanent);
	arena_deinit(&q->arena);
	arena_deinit(&q->dictionary);
	free(q->earlier);
	free(q->path);
	free(q);
}

static int read_data_version(struct query *q, int64_t *ret_version)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(q->db, "PRAGMA data_version", -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*ret_version = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return query_step_error(q, rc);
}

int query_refresh(struct query *q)
{
	int64_t version = 0;
	bool changed;
	int r;

	for (size_t i = 0; i < QUERY_STATEMENT_COUNT; i++)
		sqlite3_reset(q->stmts[i]);
	r = schema_exec(q->db, "COMMIT");
	if (r == 0)
		r = schema_exec(q->db, "BEGIN");
	if (r == 0)
		r = read_data_version(q, &version);
	if (r < 0)
		return r;
	changed = version != q->data_version;
	q->data_version = version;
	if (!changed)
		return 1;
	query_forget(q);
	for (size_t i = 0; i < q->boot_count; i++)
		q->boots[i].clock_count = 0;
	return load_clocks(q);
}

const char *query_path(const struct query *q)
{
	return q->path;
}

const char *query_errmsg(const struct query *q)
{
	return q->db ? sqlite3_errmsg(q->db) : "";
}

sqlite3 *query_handle(struct query *q)
{
	return q->db;
}

size_t query_boots(const struct query *q, const struct boot **ret_boots)
{
	*ret_boots = q->boots;
	return q->boot_count;
}

const struct boot *query_boot(const struct query *q, int number)
{
	for (size_t i = 0; i < q->boot_count; i++) {
		if (q->boots[i].number == number)
			return &q->boots[i];
	}
	return NULL;
}

int64_t boot_to_unix(const struct boot *boot, int64_t boot_ns)
{
	size_t low = 0, high = boot ? boot->clock_count : 0;
	int64_t unix_ns;

	if (boot_ns == UNKNOWN || high == 0)
		return UNKNOWN;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (boot->clock[middle].from_boot_ns <= boot_ns)
			low = middle;
		else
			high = middle;
	}
	if (__builtin_add_overflow(boot_ns, boot->clock[low].offset_ns, &unix_ns))
		return UNKNOWN;
	return unix_ns;
}

static int add_range(struct boot_range **ranges, size_t *count, struct boot_range range)
{
	struct boot_range *last = *count ? &(*ranges)[*count - 1] : NULL;
	struct boot_range *more;

	if (range.from_ns >= range.to_ns)
		return 0;
	if (last && last->boot == range.boot && last->to_ns == range.from_ns) {
		last->to_ns = range.to_ns;
		return 0;
	}
	more = reallocarray(*ranges, *count + 1, sizeof(**ranges));
	if (!more)
		return -ENOMEM;
	*ranges = more;
	more[(*count)++] = range;
	return 0;
}

static int64_t subtract(int64_t a, int64_t b, int64_t at_overflow)
{
	int64_t result;

	return __builtin_sub_overflow(a, b, &result) ? at_overflow : result;
}

int query_ranges(const struct query *q, int64_t since_unix_ns, int64_t until_unix_ns,
		 struct boot_range **ret_ranges, size_t *ret_count)
{
	CLEANUP_FREE struct boot_range *ranges = NULL;
	size_t count = 0;

	for (size_t b = 0; b < q->boot_count; b++) {
		const struct boot *boot = &q->boots[b];

		for (size_t i = 0; i < boot->clock_count; i++) {
			int64_t offset = boot->clock[i].offset_ns;
			struct boot_range range = {
				.boot = boot,
				.from_ns = i == 0 ? 0 : boot->clock[i].from_boot_ns,
				.to_ns = i + 1 < boot->clock_count ? boot->clock[i + 1].from_boot_ns
								   : INT64_MAX,
			};
			int r;

			if (since_unix_ns != UNKNOWN) {
				int64_t from = subtract(since_unix_ns, offset, INT64_MIN);

				range.from_ns = from > range.from_ns ? from : range.from_ns;
			}
			if (until_unix_ns != UNKNOWN) {
				int64_t to = subtract(until_unix_ns, offset, INT64_MAX);

				range.to_ns = to < range.to_ns ? to : range.to_ns;
			}
			r = add_range(&ranges, &count, range);
			if (r < 0)
				return r;
		}
	}
	*ret_ranges = TAKE_PTR(ranges);
	*ret_count = count;
	return 0;
}
