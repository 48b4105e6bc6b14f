/* SPDX-License-Identifier: Apache-2.0 */
/* Rows are copied as they are, by connections of their own: the source is only read. */
#include "cli/query_export.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/query_internal.h"
#include "schema/cleanup.h"

#define IN_WANTED   "IN (SELECT id FROM temp.wanted)"
#define WANTED_ROW  "process_row WHERE process_id " IN_WANTED
#define WANTED_EXEC "exec_row WHERE process_id " IN_WANTED
#define OF_BOOTS    " WHERE boot IN (SELECT boot FROM " WANTED_ROW ")"
#define ASKED_TIME                                                       \
	" AND EXISTS (SELECT 1 FROM temp.asked a WHERE a.boot = r.boot " \
	"AND r.from_boot_ns < a.to_ns AND r.to_boot_ns >= a.from_ns)"
#define CONTEXTS                                                                        \
	"SELECT context FROM " WANTED_ROW " UNION SELECT exec_context FROM " WANTED_ROW \
	" UNION SELECT context FROM " WANTED_EXEC
#define IMAGES                                                                  \
	"SELECT image FROM " WANTED_ROW " UNION SELECT image FROM " WANTED_EXEC \
	" UNION SELECT image FROM exec_failure_row WHERE process_id " IN_WANTED
#define PROGRAMS "SELECT program FROM image WHERE image IN (" IMAGES ")"
/* sum() fails where it does not fit, as in a damaged file. */
#define SUM_PROCESSES "CAST(total(processes) AS INTEGER)"
#define SUM_EXECS     "CAST(total(execs) AS INTEGER)"
#define SUM_LOST      "CAST(total(lost) AS INTEGER)"

/* In the order of their keys, so that the same question gives the same file. */
static const struct {
	const char *table, *select;
} copies[] = {
	{"boot", "SELECT * FROM boot" OF_BOOTS " ORDER BY boot"},
	{"clock", "SELECT * FROM clock" OF_BOOTS " ORDER BY boot, from_boot_ns"},
	{"recorder_row", "SELECT * FROM recorder_row" OF_BOOTS " ORDER BY run"},
	{"gap_row", "SELECT * FROM gap_row" OF_BOOTS " ORDER BY gap_id"},
	{"cpu_position", "SELECT * FROM cpu_position" OF_BOOTS " ORDER BY boot, cpu"},
	{"process_row", "SELECT * FROM " WANTED_ROW " ORDER BY process_id"},
	{"exec_row", "SELECT * FROM " WANTED_EXEC " ORDER BY exec_id"},
	{"exec_failure_row",
	 "SELECT * FROM exec_failure_row WHERE process_id " IN_WANTED " ORDER BY failure_id"},
	{"image", "SELECT * FROM image WHERE image IN (" IMAGES ") ORDER BY image"},
	{"argv", "SELECT * FROM argv WHERE image IN (" IMAGES ") ORDER BY image"},
	{"program", "SELECT * FROM program WHERE program IN (" PROGRAMS ") ORDER BY program"},
	{"context", "SELECT * FROM context WHERE context IN (" CONTEXTS ") ORDER BY context"},
	{"cgroup",
	 "SELECT * FROM cgroup WHERE cgroup IN (SELECT cgroup FROM context WHERE context IN "
	 "(" CONTEXTS ") UNION SELECT cgroup_v1 FROM context WHERE context IN (" CONTEXTS
	 ")) ORDER BY cgroup"},
	{"text",
	 "SELECT * FROM text WHERE text IN (SELECT exe FROM program WHERE program IN (" PROGRAMS
	 ") UNION SELECT filename FROM program WHERE program IN (" PROGRAMS
	 ") UNION SELECT interpreter FROM program WHERE program IN (" PROGRAMS
	 ") UNION SELECT comm FROM " WANTED_ROW " UNION SELECT cwd FROM " WANTED_ROW
	 " UNION SELECT comm FROM " WANTED_EXEC " UNION SELECT cwd FROM " WANTED_EXEC
	 ") ORDER BY text"},
	/*
	 * What retention removed, of processes that are not here under their boot, and then
	 * children that are left out here. These have a time that no question meets: the gaps and
	 * the filter of the export tell of them.
	 */
	{"pruned_row",
	 "SELECT parent_id, " SUM_PROCESSES ", min(boot) AS boot, "
	 "coalesce(min(from_boot_ns), 9223372036854775807), coalesce(max(to_boot_ns), -1) FROM ("
	 "SELECT parent_id, processes, boot, from_boot_ns, to_boot_ns FROM pruned_row "
	 "WHERE parent_id " IN_WANTED " UNION ALL "
	 "SELECT -boot, processes, boot, from_boot_ns, to_boot_ns FROM pruned_row r" OF_BOOTS
	 " AND parent_id NOT " IN_WANTED ASKED_TIME " "
	 "UNION ALL SELECT parent_id, count(*), boot, NULL, NULL "
	 "FROM process_row WHERE parent_id " IN_WANTED " AND process_id NOT " IN_WANTED
	 " GROUP BY parent_id) GROUP BY parent_id ORDER BY parent_id"},
	{"pruned_exec",
	 "SELECT process_id, failed, " SUM_EXECS ", min(boot) AS boot, min(from_boot_ns), "
	 "max(to_boot_ns), max(last_boot_ns) FROM ("
	 "SELECT * FROM pruned_exec WHERE process_id " IN_WANTED
	 " UNION ALL SELECT -boot, failed, execs, boot, from_boot_ns, to_boot_ns, last_boot_ns "
	 "FROM pruned_exec r" OF_BOOTS " AND process_id NOT " IN_WANTED ASKED_TIME
	 ") GROUP BY process_id, failed ORDER BY process_id, failed"},
};

static const char zones_sql[] =
	"INSERT INTO zone SELECT process_id >> 12, boot, min(start_boot_ns), max(start_boot_ns) "
	"FROM process_row GROUP BY 1, 2";

/* Numbers whose rows are not here: as after retention, so that the sums come out. */
static const char positions_sql[] =
	"UPDATE cpu_position SET pruned = max(0, next_seq - first_seq - unseen"
	" - (SELECT " SUM_LOST " FROM gap_row g"
	"    WHERE g.boot = cpu_position.boot AND g.cpu = cpu_position.cpu)"
	" - (SELECT count(*) FROM process_row p WHERE p.boot = cpu_position.boot"
	"    AND p.fork_cpu = cpu_position.cpu AND p.fork_seq IS NOT NULL)"
	" - (SELECT count(*) FROM process_row p WHERE p.boot = cpu_position.boot"
	"    AND p.exec_cpu = cpu_position.cpu AND p.exec_after_seq IS NOT NULL)"
	" - (SELECT count(*) FROM process_row p WHERE p.boot = cpu_position.boot"
	"    AND p.end_cpu = cpu_position.cpu AND p.end_after_seq IS NOT NULL)"
	" - (SELECT count(*) FROM exec_row e WHERE e.boot = cpu_position.boot"
	"    AND e.cpu = cpu_position.cpu AND e.seq IS NOT NULL)"
	" - (SELECT count(*) FROM exec_failure_row f WHERE f.boot = cpu_position.boot"
	"    AND f.cpu = cpu_position.cpu AND f.seq IS NOT NULL))";

/* Ids that other rows name, and the columns that hold them wherever they hold an integer. */
enum id_kind {
	ID_BOOT,
	ID_PROCESS,
	ID_CONTEXT,
	ID_PROGRAM,
	ID_IMAGE,
	ID_TEXT,
	ID_CGROUP,
	ID_RUN,
	ID_GAP,
	ID_EXEC,
	ID_FAILURE,
	ID_KINDS,
};

static const struct {
	const char *last, *columns; /* each column between blanks */
} ids[ID_KINDS] = {
	[ID_BOOT] = {"SELECT max(boot) FROM boot", " boot "},
	[ID_PROCESS] = {"SELECT max(process_id) FROM process_row",
			" process_id parent_id creator_id exec_parent_id end_parent_id "},
	[ID_CONTEXT] = {"SELECT max(context) FROM context", " context exec_context "},
	[ID_PROGRAM] = {"SELECT max(program) FROM program", " program "},
	[ID_IMAGE] = {"SELECT max(image) FROM image", " image "},
	[ID_TEXT] = {"SELECT max(text) FROM text", " text exe filename interpreter comm cwd "},
	[ID_CGROUP] = {"SELECT max(cgroup) FROM cgroup", " cgroup cgroup_v1 "},
	[ID_RUN] = {"SELECT max(run) FROM recorder_row", " run "},
	[ID_GAP] = {"SELECT max(gap_id) FROM gap_row", " gap_id "},
	[ID_EXEC] = {"SELECT max(exec_id) FROM exec_row", " exec_id "},
	[ID_FAILURE] = {"SELECT max(failure_id) FROM exec_failure_row", " failure_id "},
};

/* More than any table has. */
#define COLUMNS_MAX 64

static int64_t shift_of(const int64_t shifts[ID_KINDS], const char *column)
{
	char word[64];

	snprintf(word, sizeof(word), " %s ", column);
	for (size_t i = 0; i < ID_KINDS; i++) {
		if (strstr(ids[i].columns, word))
			return shifts[i];
	}
	return 0;
}

static int mark_wanted(struct query *q, const struct process_list *list)
{
	sqlite3_stmt *stmt = NULL;
	int r = schema_exec(q->db, "CREATE TEMP TABLE wanted (id INTEGER PRIMARY KEY)");

	if (r == 0)
		r = schema_error(sqlite3_prepare_v2(
			q->db, "INSERT OR IGNORE INTO temp.wanted VALUES (?1)", -1, &stmt, NULL));
	for (size_t i = 0; r == 0 && i < list->count; i++) {
		if (list->item[i]->db != q)
			continue;
		sqlite3_bind_int64(stmt, 1, list->item[i]->id);
		if (sqlite3_step(stmt) != SQLITE_DONE)
			r = SCHEMA_E_SQLITE;
		sqlite3_reset(stmt);
	}
	sqlite3_finalize(stmt);
	return r;
}

/* The times that were asked for, in boot time. */
static int mark_asked(struct query *q, const struct query_export *e)
{
	CLEANUP_FREE struct boot_range *ranges = NULL;
	sqlite3_stmt *stmt = NULL;
	size_t count = 0;
	int r = schema_exec(q->db, "CREATE TEMP TABLE asked (boot, from_ns, to_ns)");

	if (r == 0)
		r = query_ranges(q, e->since_unix_ns, e->until_unix_ns, &ranges, &count);
	if (r == 0)
		r = schema_error(sqlite3_prepare_v2(
			q->db, "INSERT INTO temp.asked VALUES (?1, ?2, ?3)", -1, &stmt, NULL));
	for (size_t i = 0; r == 0 && i < count; i++) {
		sqlite3_bind_int(stmt, 1, ranges[i].boot->number);
		sqlite3_bind_int64(stmt, 2, ranges[i].from_ns);
		sqlite3_bind_int64(stmt, 3, ranges[i].to_ns);
		r = sqlite3_step(stmt) == SQLITE_DONE ? 0 : SCHEMA_E_SQLITE;
		sqlite3_reset(stmt);
	}
	sqlite3_finalize(stmt);
	return r;
}

static int step_copy(sqlite3_stmt *from, sqlite3_stmt *to, const int64_t *shift, int64_t boots)
{
	int rc;

	for (int i = 0; i < sqlite3_column_count(from); i++) {
		int64_t id = shift[i] ? sqlite3_column_int64(from, i) : 0;

		/* 0 and NULL name nothing; in the place of a process, less than 0 is a boot. */
		if (id != 0 && sqlite3_column_type(from, i) == SQLITE_INTEGER)
			sqlite3_bind_int64(to, i + 1, id > 0 ? id + shift[i] : id - boots);
		else
			sqlite3_bind_value(to, i + 1, sqlite3_column_value(from, i));
	}
	rc = sqlite3_step(to);
	sqlite3_reset(to);
	return rc == SQLITE_DONE ? 0 : schema_error(rc);
}

static int copy_table(sqlite3 *from, sqlite3 *to, const char *table, const char *select,
		      const int64_t shifts[ID_KINDS])
{
	sqlite3_stmt *read = NULL, *write = NULL;
	int64_t shift[COLUMNS_MAX] = {0};
	struct buffer sql = {0};
	int rc = sqlite3_prepare_v2(from, select, -1, &read, NULL), r = schema_error(rc);

	if (r == 0 && sqlite3_column_count(read) > COLUMNS_MAX)
		r = SCHEMA_E_SQLITE;
	buffer_printf(&sql, "INSERT INTO %s VALUES (?", table);
	for (int i = 0; r == 0 && i < sqlite3_column_count(read); i++) {
		shift[i] = shift_of(shifts, sqlite3_column_name(read, i));
		if (i)
			buffer_puts(&sql, ",?");
	}
	buffer_putc(&sql, ')');
	if (r == 0)
		r = sql.failed ? -ENOMEM
			       : schema_error(sqlite3_prepare_v2(to, sql.data, -1, &write, NULL));
	while (r == 0 && (rc = sqlite3_step(read)) == SQLITE_ROW)
		r = step_copy(read, write, shift, shifts[ID_BOOT]);
	if (r == 0 && rc != SQLITE_DONE)
		r = schema_error(rc);
	sqlite3_finalize(read);
	sqlite3_finalize(write);
	buffer_deinit(&sql);
	return r;
}

/* Times of which nothing was taken are gaps of this file. */
static int add_gaps(struct query *q, sqlite3 *to, int64_t first_boot, int64_t since, int64_t until)
{
	static const char sql[] =
		"INSERT INTO gap_row (boot, cause, from_boot_ns, to_boot_ns, detail) "
		"SELECT boot, 'not_exported', ?2, min(?3 - 1, last), 'outside the time exported' "
		"FROM "
		"(SELECT boot, max(last_boot_ns) AS last FROM recorder_row WHERE boot = ?1 "
		"GROUP BY boot) WHERE last > ?2";
	CLEANUP_FREE struct boot_range *ranges = NULL;
	sqlite3_stmt *stmt = NULL;
	size_t count = 0;
	int r = query_ranges(q, since, until, &ranges, &count);

	if (r == 0)
		r = schema_error(sqlite3_prepare_v2(to, sql, -1, &stmt, NULL));
	for (size_t i = 0; r == 0 && i < count; i++) {
		sqlite3_bind_int64(stmt, 1, first_boot + ranges[i].boot->number);
		sqlite3_bind_int64(stmt, 2, ranges[i].from_ns > 0 ? ranges[i].from_ns : 0);
		sqlite3_bind_int64(stmt, 3, ranges[i].to_ns);
		if (sqlite3_step(stmt) != SQLITE_DONE)
			r = SCHEMA_E_SQLITE;
		sqlite3_reset(stmt);
	}
	sqlite3_finalize(stmt);
	return r;
}

/*
 * Boots of which the source has nothing left are not in the copy either. Their rows have numbers
 * that no boot of the copy has.
 */
static int add_forgotten(struct query *q, sqlite3 *to)
{
	static const char sql[] =
		"INSERT INTO pruned_row SELECT min((SELECT coalesce(min(parent_id), 0) FROM "
		"pruned_row), (SELECT -coalesce(max(boot), 0) FROM boot)) - 1, ?1, 0, ?2, ?3";
	struct forgotten *boots;
	sqlite3_stmt *stmt = NULL;
	size_t count;
	int r = query_forgotten(q, &boots, &count);

	if (r == 0)
		r = schema_error(sqlite3_prepare_v2(to, sql, -1, &stmt, NULL));
	for (size_t i = 0; r == 0 && i < count; i++) {
		sqlite3_bind_int64(stmt, 1, boots[i].processes);
		sqlite3_bind_int64(stmt, 2, boots[i].from_unix_ns);
		sqlite3_bind_int64(stmt, 3, boots[i].to_unix_ns);
		r = sqlite3_step(stmt) == SQLITE_DONE ? 0 : SCHEMA_E_SQLITE;
		sqlite3_reset(stmt);
	}
	sqlite3_finalize(stmt);
	return r;
}

static int add_filter(sqlite3 *to, const char *filter)
{
	char *sql =
		sqlite3_mprintf("UPDATE recorder_row SET filter = coalesce(filter || '; ', '') || "
				"'exported only ' || %Q",
				filter);
	int r = sql ? schema_exec(to, sql) : -ENOMEM;

	sqlite3_free(sql);
	return r;
}

static int64_t count_rows(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int64_t count = 0;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		count = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return count;
}

static int add_query(struct query *q, sqlite3 *to, const struct query_export *e)
{
	int64_t shifts[ID_KINDS];
	int r = 0;

	for (size_t i = 0; i < ID_KINDS; i++)
		shifts[i] = count_rows(to, ids[i].last);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(copies); i++)
		r = copy_table(q->db, to, copies[i].table, copies[i].select, shifts);
	if (r == 0 && e->since_unix_ns != UNKNOWN)
		r = add_gaps(q, to, shifts[ID_BOOT], UNKNOWN, e->since_unix_ns);
	if (r == 0 && e->until_unix_ns != UNKNOWN)
		r = add_gaps(q, to, shifts[ID_BOOT], e->until_unix_ns, UNKNOWN);
	return r;
}

static int fill(struct query *const *queries, unsigned int count, sqlite3 *to,
		struct query_export *e)
{
	/* What is redacted must not stay in free space. */
	int r = schema_exec(to, "PRAGMA secure_delete = ON; BEGIN");

	for (unsigned int i = 0; r == 0 && i < count; i++)
		r = add_query(queries[i], to, e);
	for (unsigned int i = 0; r == 0 && i < count; i++)
		r = add_forgotten(queries[i], to);
	if (r == 0)
		r = schema_exec(to, zones_sql);
	if (r == 0)
		r = schema_exec(to, positions_sql);
	if (r == 0 && e->filter)
		r = add_filter(to, e->filter);
	if (r == 0 && e->redact)
		r = query_redact(to, e->redact);
	if (r == 0)
		r = schema_exec(to, "COMMIT");
	e->processes = count_rows(to, "SELECT count(*) FROM process_row");
	e->execs = count_rows(to, "SELECT count(*) FROM exec_row");
	e->failures = count_rows(to, "SELECT count(*) FROM exec_failure_row");
	e->images = count_rows(to, "SELECT count(*) FROM image");
	e->left_out = count_rows(to, "SELECT " SUM_PROCESSES " FROM pruned_row "
				     "WHERE parent_id > 0");
	return r;
}

/* One file, without the log beside it. */
static int close_writer(sqlite3 *db, int r)
{
	int keep_wal = 0;

	sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep_wal);
	if (r == 0)
		r = schema_exec(db, "VACUUM; PRAGMA journal_mode = DELETE");
	sqlite3_close(db);
	return r;
}

int query_export(struct query *const *queries, unsigned int count, const char *path,
		 struct query_export *e)
{
	sqlite3 *to = NULL;
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < count; i++)
		r = mark_wanted(queries[i], e->list);
	for (unsigned int i = 0; r == 0 && i < count; i++)
		r = mark_asked(queries[i], e);
	if (r == 0)
		r = schema_open_writer(path, &to);
	if (r == 0)
		r = close_writer(to, fill(queries, count, to, e));
	return r;
}

static int add_meta(sqlite3 *db, const char *name, const char *value)
{
	char *sql = sqlite3_mprintf("INSERT INTO meta VALUES (%Q, %Q)", name, value);
	int r = sql ? schema_exec(db, sql) : -ENOMEM;

	sqlite3_free(sql);
	return r;
}

int query_export_seal(const char *path, const char *manifest, struct redact *redact,
		      char digest[QUERY_DIGEST_SIZE])
{
	sqlite3 *db = NULL;
	char *text = NULL;
	int r = schema_open_writer(path, &db);

	if (r < 0)
		return r;
	text = sqlite3_mprintf("%s", manifest);
	r = text ? 0 : -ENOMEM;
	if (r == 0 && redact)
		r = query_redact_json(db, redact, &text);
	if (r == 0)
		r = add_meta(db, "export.manifest", text);
	sqlite3_free(text);
	if (r == 0)
		r = query_digest(db, digest);
	if (r == 0)
		r = add_meta(db, "export.sha256", digest);
	return close_writer(db, r);
}
