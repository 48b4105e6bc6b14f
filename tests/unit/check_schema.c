/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of schema/: opening, creating, refusing, and that old SQLite can read what is made. */
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/cleanup.h"
#include "schema/schema.h"

static char directory[64], path[96];

static void begin(void)
{
	snprintf(directory, sizeof(directory), "/tmp/lineage-schema.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/a db?with#100%%.db", directory);
}

static void end(void)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	char name[120];

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		unlink(name);
	}
	rmdir(directory);
}

static int64_t ask(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int64_t answer = -1;

	ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK, "%s: %s", sql,
		      sqlite3_errmsg(db));
	if (sqlite3_step(stmt) == SQLITE_ROW)
		answer = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return answer;
}

static void make(const char *sql)
{
	sqlite3 *db = NULL;

	ck_assert_int_eq(schema_open_writer(path, &db), 0);
	if (sql)
		ck_assert_int_eq(schema_exec(db, sql), 0);
	ck_assert_int_eq(schema_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
	sqlite3_close(db);
}

START_TEST(test_a_new_file)
{
	sqlite3 *db = NULL;

	begin();
	ck_assert_int_eq(schema_open_writer(path, &db), 0);
	ck_assert_int_eq(ask(db, "PRAGMA application_id"), SCHEMA_APPLICATION_ID);
	ck_assert_int_eq(ask(db, "PRAGMA user_version"), schema_version());
	ck_assert_int_eq(ask(db, "PRAGMA page_size"), 4096);
	ck_assert_int_eq(ask(db, "PRAGMA auto_vacuum"), 2);
	ck_assert_int_eq(
		ask(db, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'"), 1);
	sqlite3_close(db);
	/* Again: nothing is made anew. */
	make("INSERT INTO meta VALUES ('x', 1)");
	make(NULL);
	ck_assert_int_eq(schema_open_reader(path, &db), 0);
	ck_assert_int_eq(ask(db, "SELECT value FROM meta"), 1);
	sqlite3_close(db);
	end();
}
END_TEST

/* Promised to readers: a missing column is a broken promise. */
START_TEST(test_promised_columns)
{
	static const char *const queries[] = {
		"SELECT process_id, boot_id, pid, start_boot_ns, start_unix_ns, start, "
		"end_unix_ns, "
		"\"end\", parent_id, ppid, creator_id, comm, exe, args, args_count, "
		"args_truncated, cwd, "
		"uid, euid, gid, egid, loginuid, sessionid, cgroup, container_id, pod_uid, "
		"exit_code, "
		"exit_signal, provenance FROM process",
		"SELECT process_id, pid, unix_ns, time, cpu, seq, provenance FROM fork",
		"SELECT process_id, pid, unix_ns, time, cpu, seq, provenance FROM exec",
		"SELECT process_id, pid, unix_ns, time, cpu, seq, provenance FROM exit",
		"SELECT process_id, pid, unix_ns, time, filename, args, errno, error FROM "
		"exec_failure",
		"SELECT boot_id, cause, cpu, from_unix_ns, to_unix_ns, lost, recovered FROM gap",
		"SELECT boot_id, version, config_hash, kernel, started, stopped, ended FROM "
		"recorder",
	};
	sqlite3 *db = NULL;

	begin();
	make(NULL);
	ck_assert_int_eq(schema_open_reader(path, &db), 0);
	for (size_t i = 0; i < ARRAY_SIZE(queries); i++)
		ck_assert_int_eq(ask(db, queries[i]), -1);
	sqlite3_close(db);
	end();
}
END_TEST

START_TEST(test_no_syntax_newer_than_3_34)
{
	static const char *const patterns[] = {
		"%)%STRICT%",	      "% RETURNING %",	 "%->>%",
		"%unixepoch(%",	      "% RIGHT JOIN %",	 "% FULL JOIN %",
		"% MATERIALIZED %",   "% IS DISTINCT %", "%format(%",
		"%GENERATED ALWAYS%",
	};
	sqlite3 *db = NULL;

	begin();
	make(NULL);
	ck_assert_int_eq(schema_open_reader(path, &db), 0);
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		char *sql = sqlite3_mprintf("SELECT count(*) FROM sqlite_master WHERE sql LIKE %Q",
					    patterns[i]);

		ck_assert_msg(ask(db, sql) == 0, "%s", sql);
		sqlite3_free(sql);
	}
	sqlite3_close(db);
	end();
}
END_TEST

START_TEST(test_what_is_refused)
{
	sqlite3 *db = NULL, *untouched = NULL;
	char sql[64];
	FILE *f;

	begin();
	ck_assert_int_eq(schema_open_reader(path, &db), -ENOENT);
	ck_assert_int_eq(schema_open_writer(directory, &db), -EISDIR);
	ck_assert_int_eq(schema_open_reader(directory, &db), -EISDIR);
	ck_assert_int_eq(schema_open_writer("/nowhere/at/all", &db), -ENOENT);
	ck_assert_int_eq(schema_open_writer("/dev/null", &db), -EINVAL);
	f = fopen(path, "we");
	fputs("this is no database, and long enough to be looked at as one by anybody "
	      "who would like to find a header of a hundred bytes in it",
	      f);
	fclose(f);
	ck_assert_int_eq(schema_open_writer(path, &db), SCHEMA_E_NOT_DB);
	ck_assert_int_eq(schema_open_reader(path, &db), SCHEMA_E_NOT_DB);
	unlink(path);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(schema_exec(db, "CREATE TABLE other (x)"), 0);
	sqlite3_close(db);
	ck_assert_int_eq(schema_open_writer(path, &untouched), SCHEMA_E_FOREIGN);
	ck_assert_int_eq(schema_open_reader(path, &untouched), SCHEMA_E_FOREIGN);
	ck_assert_ptr_null(untouched);
	unlink(path);
	make(NULL);
	ck_assert_int_eq(schema_open_writer(path, &db), 0);
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", schema_version() + 1);
	ck_assert_int_eq(schema_exec(db, sql), 0);
	sqlite3_close(db);
	ck_assert_int_eq(schema_open_writer(path, &untouched), SCHEMA_E_NEWER);
	ck_assert_int_eq(schema_open_reader(path, &untouched), SCHEMA_E_NEWER);
	end();
}
END_TEST

START_TEST(test_an_empty_file)
{
	sqlite3 *db = NULL;
	FILE *f;

	begin();
	f = fopen(path, "we");
	fclose(f);
	ck_assert_int_eq(schema_open_reader(path, &db), SCHEMA_E_FOREIGN);
	make(NULL);
	ck_assert_int_eq(schema_open_reader(path, &db), 0);
	sqlite3_close(db);
	end();
}
END_TEST

/* A copy without -wal in a place where nothing can be made. */
START_TEST(test_a_copy_that_cannot_be_written)
{
	sqlite3 *db = NULL;
	char name[120];

	begin();
	make("INSERT INTO meta VALUES ('x', 1)");
	snprintf(name, sizeof(name), "%s-wal", path);
	unlink(name);
	snprintf(name, sizeof(name), "%s-shm", path);
	unlink(name);
	chmod(path, 0444);
	ck_assert_int_eq(schema_open_reader(path, &db), 0);
	ck_assert_int_eq(ask(db, "SELECT value FROM meta"), 1);
	ck_assert_int_eq(schema_exec(db, "DELETE FROM meta"), -EROFS);
	sqlite3_close(db);
	ck_assert_int_ne(access(name, F_OK), 0);
	end();
}
END_TEST

START_TEST(test_errors_have_words)
{
	static const int errors[] = {0,
				     SCHEMA_E_FOREIGN,
				     SCHEMA_E_NOT_DB,
				     SCHEMA_E_NEWER,
				     SCHEMA_E_OLDER,
				     SCHEMA_E_SQLITE,
				     SCHEMA_E_BUSY,
				     -ENOSPC};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(schema_strerror(errors[i]), schema_strerror(errors[k]));
	ck_assert_int_eq(schema_error(SQLITE_OK), 0);
	ck_assert_int_eq(schema_error(SQLITE_ROW), 0);
	ck_assert_int_eq(schema_error(SQLITE_DONE), 0);
	ck_assert_int_eq(schema_error(SQLITE_FULL), -ENOSPC);
	ck_assert_int_eq(schema_error(SQLITE_IOERR_WRITE), -EIO);
	ck_assert_int_eq(schema_error(SQLITE_READONLY_DBMOVED), -EROFS);
	ck_assert_int_eq(schema_error(SQLITE_BUSY_SNAPSHOT), SCHEMA_E_BUSY);
	ck_assert_int_eq(schema_error(SQLITE_CORRUPT_VTAB), SCHEMA_E_NOT_DB);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_a_new_file,	test_promised_columns, test_no_syntax_newer_than_3_34,
		test_what_is_refused,	test_an_empty_file,    test_a_copy_that_cannot_be_written,
		test_errors_have_words,
	};

	return SUITE_RUN("schema", tests);
}
