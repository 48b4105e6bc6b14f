/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of daemon/store_log.c: what reaches the log's file, and that SQLite cannot tell the
 * difference. Below it stands the VFS of the system, watched, which can be made to fail.
 */
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store_log.h"

#define PAGE	  4096
#define HISTORIES 16

static char directory[64], path[80], copy[96];

/* What was written to the log's file. */
static struct {
	int writes;
	int in_part; /* of these, such as wrote only a part of a page, and the first */
	sqlite3_int64 end;
	int fail_after; /* so many more succeed; -1: all */
	bool fail_once; /* only the one after these fails */
	bool fail_open;
} seen = {.fail_after = -1};

static const sqlite3_io_methods *real;
static sqlite3_io_methods watched;
static sqlite3_vfs watching;

static int watched_write(sqlite3_file *file, const void *bytes, int amount, sqlite3_int64 offset)
{
	if (seen.fail_after == 0) {
		if (seen.fail_once)
			seen.fail_after = -1;
		return SQLITE_FULL;
	}
	if (seen.fail_after > 0)
		seen.fail_after--;
	seen.writes++;
	/* A new log's header, which SQLite syncs before it writes more. */
	if (offset == 0 && amount < PAGE) {
		seen.end = PAGE;
		return real->xWrite(file, bytes, amount, offset);
	}
	/* Behind the last one: from where a page begins, up to where one ends. */
	if (offset + amount > seen.end) {
		if ((offset + amount) % PAGE || (offset % PAGE && offset / PAGE * PAGE >= seen.end))
			seen.in_part++;
		seen.end = offset + amount;
	}
	return real->xWrite(file, bytes, amount, offset);
}

static int watching_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
			 int *ret_flags)
{
	sqlite3_vfs *below = vfs->pAppData;
	int rc;

	if (seen.fail_open && flags & SQLITE_OPEN_WAL) {
		file->pMethods = NULL;
		return SQLITE_CANTOPEN;
	}
	rc = below->xOpen(below, name, file, flags, ret_flags);
	if (rc != SQLITE_OK || !(flags & SQLITE_OPEN_WAL))
		return rc;
	real = file->pMethods;
	watched = *real;
	watched.xWrite = watched_write;
	file->pMethods = &watched;
	return SQLITE_OK;
}

static sqlite3 *open_writer(void)
{
	sqlite3 *db = NULL;

	ck_assert_ptr_nonnull(store_log_vfs());
	ck_assert_int_eq(schema_open_through(path, store_log_vfs(), &db), 0);
	store_log_follow(db);
	return db;
}

static void begin(void)
{
	sqlite3_vfs *system = sqlite3_vfs_find(NULL);

	snprintf(directory, sizeof(directory), "/tmp/lineage-store-log.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/lineage.db", directory);
	snprintf(copy, sizeof(copy), "%s/copy.db", directory);
	watching = *system;
	watching.pNext = NULL;
	watching.zName = "watching";
	watching.pAppData = system;
	watching.xOpen = watching_open;
	/* The default while store_log_vfs() asks for it; no other connection goes through it. */
	ck_assert_int_eq(sqlite3_vfs_register(&watching, 1), SQLITE_OK);
	ck_assert_ptr_nonnull(store_log_vfs());
	ck_assert_int_eq(sqlite3_vfs_register(system, 1), SQLITE_OK);
}

static void run(sqlite3 *db, const char *sql)
{
	char *error = NULL;

	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &error) == SQLITE_OK, "%s: %s", sql, error);
}

static int take_text(void *userdata, int columns, char **values, char **names)
{
	snprintf(userdata, 64, "%s", values[0] ? values[0] : "");
	return 0;
}

/* The first column of the last row. */
static const char *ask(sqlite3 *db, const char *sql)
{
	static char answer[64];
	char *error = NULL;

	*answer = 0;
	ck_assert_msg(sqlite3_exec(db, sql, take_text, answer, &error) == SQLITE_OK, "%s: %s", sql,
		      error);
	return answer;
}

START_TEST(test_only_whole_pages_are_written)
{
	sqlite3 *db = open_writer();
	int writes;

	run(db, "CREATE TABLE t(v)");
	seen.in_part = 0;
	writes = seen.writes;
	/* 200 transactions of some three pages, 3 of 500: more than is written at once. */
	for (int i = 0; i < 200; i++)
		run(db, "INSERT INTO t VALUES(randomblob(9000))");
	ck_assert_int_eq(seen.writes - writes, 200);
	for (int i = 0; i < 3; i++)
		run(db, "INSERT INTO t VALUES(randomblob(2000000))");
	ck_assert_int_eq(seen.in_part, 0);
	ck_assert_int_ge(seen.end, 200 * 2 * PAGE + 3 * 488 * PAGE);
	ck_assert_int_le(seen.writes - writes, 200 + 3 * (500 * PAGE / 65536 + 2));
	/* The log begins anew. */
	run(db, "PRAGMA wal_checkpoint(RESTART)");
	run(db, "INSERT INTO t VALUES(randomblob(9000))");
	ck_assert_int_lt(seen.end, 200 * PAGE);
	ck_assert_int_eq(seen.in_part, 0);
	ck_assert_str_eq(ask(db, "PRAGMA integrity_check"), "ok");
	sqlite3_close(db);
}
END_TEST

START_TEST(test_what_is_committed_is_in_the_file)
{
	sqlite3 *db = open_writer(), *other = NULL;

	run(db, "CREATE TABLE t(v)");
	ck_assert_int_eq(sqlite3_open(path, &other), SQLITE_OK);
	for (int i = 1; i <= 20; i++) {
		char count[16];

		run(db, "BEGIN; INSERT INTO t VALUES(randomblob(9000))");
		snprintf(count, sizeof(count), "%d", i - 1);
		ck_assert_str_eq(ask(other, "SELECT count(*) FROM t"), count);
		run(db, "COMMIT");
		snprintf(count, sizeof(count), "%d", i);
		ck_assert_str_eq(ask(other, "SELECT count(*) FROM t"), count);
	}
	sqlite3_close(other);
	sqlite3_close(db);
}
END_TEST

START_TEST(test_what_cannot_be_written_is_not_committed)
{
	sqlite3 *db = open_writer();

	run(db, "PRAGMA cache_size = 10; CREATE TABLE t(v)");
	run(db, "INSERT INTO t VALUES(randomblob(9000))");
	for (int i = 0; i < 12; i++) {
		char insert[80];

		seen.fail_after = i / 2;
		snprintf(insert, sizeof(insert), "INSERT INTO t VALUES(randomblob(%d))",
			 i % 2 ? 9000 : 900000);
		run(db, "BEGIN");
		if (sqlite3_exec(db, insert, NULL, NULL, NULL) == SQLITE_OK &&
		    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
			ck_assert_int_eq(i % 2, 1);
		seen.fail_after = -1;
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
		run(db, "DELETE FROM t WHERE rowid > 1; INSERT INTO t VALUES(randomblob(20000))");
		ck_assert_str_eq(ask(db, "SELECT sum(length(v)) FROM t"), "29000");
	}
	ck_assert_str_eq(ask(db, "PRAGMA integrity_check"), "ok");
	sqlite3_close(db);
}
END_TEST

START_TEST(test_a_log_that_cannot_be_opened)
{
	sqlite3 *db = open_writer();

	sqlite3_close(db);
	seen.fail_open = true;
	ck_assert_int_lt(schema_open_through(path, store_log_vfs(), &db), 0);
	seen.fail_open = false;
	db = open_writer();
	run(db, "CREATE TABLE t(v)");
	sqlite3_close(db);
}
END_TEST

/* As after a crash at this moment: the files, without what the connections share. */
static const char *ask_copy(const char *sql)
{
	char command[6 * sizeof(copy)];
	const char *answer;
	sqlite3 *db = NULL;

	snprintf(command, sizeof(command), "rm -f %s*; cp %s %s && cp %s-wal %s-wal", copy, path,
		 copy, path, copy);
	ck_assert_int_eq(system(command), 0);
	ck_assert_int_eq(sqlite3_open(copy, &db), SQLITE_OK);
	ck_assert_str_eq(ask(db, "PRAGMA integrity_check"), "ok");
	answer = ask(db, sql);
	sqlite3_close(db);
	return answer;
}

static uint64_t state;

static unsigned int random_below(unsigned int n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned int)(state >> 33) % n;
}

/*
 * In both: they must stay the same. Where a write of the log fails in the one, the other does what
 * SQLite then says of the one: without the statement, or without the transaction.
 */
static void both(sqlite3 *db, sqlite3 *plain, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK) {
		run(plain, sql);
		return;
	}
	ck_assert_int_eq(sqlite3_errcode(db) & 0xff, SQLITE_FULL);
	if (sqlite3_get_autocommit(db) && !sqlite3_get_autocommit(plain))
		run(plain, "ROLLBACK");
}

static void change_something(sqlite3 *db, sqlite3 *plain)
{
	char sql[160];
	unsigned int key = random_below(200), length = random_below(20000);

	if (random_below(4) == 0)
		snprintf(sql, sizeof(sql), "DELETE FROM t WHERE k = %u", key);
	else
		snprintf(sql, sizeof(sql), "REPLACE INTO t VALUES(%u, printf('%%.*c', %u, '%c'))",
			 key, length, 'a' + (int)random_below(26));
	both(db, plain, sql);
}

/* In one statement, which can be undone without the transaction. */
static void change_much(sqlite3 *db, sqlite3 *plain)
{
	char sql[160];

	snprintf(sql, sizeof(sql), "UPDATE t SET v = substr(v, 1, %u) || '%c' WHERE k %% %u = 0",
		 10000 + random_below(10000), 'a' + (int)random_below(26), 1 + random_below(4));
	both(db, plain, sql);
}

#define CONTENT                                                                                \
	"SELECT count(*) || ' ' || total(length(v)) || ' ' || total(k * length(v)) || ' ' || " \
	"total(k * unicode(v)) FROM t"

/*
 * Where pages were written before the commit, and a part of the transaction is undone, SQLite 3.40
 * leaves what follows without checksums: a log that nobody can recover. Mended in 3.51.1 at the
 * latest.
 */
static bool may_undo(bool spills)
{
	return !spills || sqlite3_libversion_number() >= 3051001;
}

/* Pages that are written before the commit, and again; transactions given up, whole or in part. */
static void one_transaction(sqlite3 *db, sqlite3 *plain, bool spills, bool fails)
{
	both(db, plain, "BEGIN IMMEDIATE");
	for (unsigned int i = random_below(20); i > 0; i--)
		change_something(db, plain);
	if (fails && random_below(3) == 0)
		seen.fail_after = (int)random_below(30);
	if (!fails && random_below(3) == 0) {
		both(db, plain, "SAVEPOINT s");
		for (unsigned int i = random_below(20); i > 0; i--)
			change_something(db, plain);
		both(db, plain,
		     random_below(2) && may_undo(spills) ? "ROLLBACK TO s" : "RELEASE s");
		for (unsigned int i = random_below(3); i > 0; i--)
			change_something(db, plain);
	}
	if (fails)
		change_much(db, plain);
	if (!sqlite3_get_autocommit(db))
		both(db, plain, random_below(4) ? "COMMIT" : "ROLLBACK");
	seen.fail_after = -1;
	/* A commit that failed has been undone by SQLite, or is still to be. */
	if (!sqlite3_get_autocommit(db))
		both(db, plain, "ROLLBACK");
}

/* Somebody who writes without asking us: with his own connection, and perhaps a log begun anew. */
static void write_as_another(sqlite3 *plain)
{
	sqlite3 *other = NULL;

	ck_assert_int_eq(sqlite3_open(path, &other), SQLITE_OK);
	if (random_below(2))
		run(other, "PRAGMA wal_checkpoint(RESTART)");
	change_something(other, plain);
	sqlite3_close(other);
}

static void one_history(int seed)
{
	static const char *const caches[] = {"PRAGMA cache_size = 10", "PRAGMA cache_size = 1000"};
	sqlite3 *db, *plain = NULL;
	char content[64], command[100];
	bool spills = seed % 2 == 0, fails = seed % 4 >= 2;
	/* A statement that fails is undone. */
	bool recovers = !fails || may_undo(spills);

	state = (uint64_t)seed + 1;
	seen.fail_once = true;
	db = open_writer();
	ck_assert_int_eq(sqlite3_open(":memory:", &plain), SQLITE_OK);
	both(db, plain, caches[!spills]);
	if (seed % 3 == 2)
		run(db, "PRAGMA synchronous = FULL");
	both(db, plain, "CREATE TABLE t(k INTEGER PRIMARY KEY, v)");
	for (int i = 0; i < 150; i++) {
		one_transaction(db, plain, spills, fails);
		if (random_below(10) == 0)
			write_as_another(plain);
		if (random_below(20) == 0)
			run(db, random_below(2) ? "PRAGMA wal_checkpoint(RESTART)"
						: "PRAGMA wal_checkpoint(TRUNCATE)");
		strcpy(content, ask(plain, CONTENT));
		ck_assert_str_eq(ask(db, CONTENT), content);
		if (random_below(5) == 0 && recovers)
			ck_assert_str_eq(ask_copy(CONTENT), content);
		if (random_below(10) == 0) {
			/* In the middle of a transaction: what was committed before it. */
			both(db, plain, "BEGIN IMMEDIATE");
			for (unsigned int k = random_below(40); k > 0; k--)
				change_something(db, plain);
			if (recovers)
				ck_assert_str_eq(ask_copy(CONTENT), content);
			both(db, plain, random_below(2) ? "COMMIT" : "ROLLBACK");
		}
	}
	ck_assert_str_eq(ask(db, "PRAGMA integrity_check"), "ok");
	sqlite3_close(plain);
	sqlite3_close(db);
	snprintf(command, sizeof(command), "rm -f %s*", path);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(test_it_is_what_sqlite_would_have_written)
{
	for (int seed = 0; seed < HISTORIES; seed++)
		one_history(seed);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_only_whole_pages_are_written,
		test_what_is_committed_is_in_the_file,
		test_what_cannot_be_written_is_not_committed,
		test_a_log_that_cannot_be_opened,
		test_it_is_what_sqlite_would_have_written,
	};

	return SUITE_RUN_IN("store_log", tests, begin, NULL);
}
