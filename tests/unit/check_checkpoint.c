/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/checkpoint.c: a writer that must never wait, and a thread that does. */
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/checkpoint.h"
#include "daemon/store.h"
#include "schema/cleanup.h"

static char directory[64], path[80], wal[96];
static struct store s;
static int64_t rows;
/* NULL: nobody to give way to. */
static struct checkpoint *thread;

static void begin(void)
{
	snprintf(directory, sizeof(directory), "/tmp/lineage-checkpoint.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/lineage.db", directory);
	snprintf(wal, sizeof(wal), "%s-wal", path);
	ck_assert_int_eq(store_open(&s, path), 0);
	rows = 0;
}

static void end(void)
{
	char shm[96];

	store_close(&s);
	snprintf(shm, sizeof(shm), "%s-shm", path);
	unlink(path);
	unlink(wal);
	unlink(shm);
	rmdir(directory);
}

static int64_t size_of(const char *file)
{
	struct stat st;

	return stat(file, &st) < 0 ? -1 : (int64_t)st.st_size;
}

static void wait_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* About 4 MiB of log in 16 transactions. */
static void write_some(void)
{
	static char bytes[8192];
	struct store_text text = {.value = bytes, .length = sizeof(bytes)};
	int64_t id;

	memset(bytes, 'x', sizeof(bytes));
	for (int i = 0; i < 16; i++) {
		/* Never refused: the thread takes no lock that the writer needs. */
		ck_assert_int_eq(store_begin(&s), 0);
		for (int k = 0; k < 32; k++, rows++)
			ck_assert_int_eq(store_text(&s, &text, &id), 0);
		ck_assert_int_eq(store_commit(&s), 0);
		if (thread)
			checkpoint_turn(thread, s.log_pages);
	}
}

/* Rows in the database file alone: as if the log had been lost. */
static int64_t rows_without_log(void)
{
	char uri[128];
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;
	int64_t count;

	snprintf(uri, sizeof(uri), "file:%s?immutable=1", path);
	ck_assert_int_eq(sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL),
			 SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT count(*) FROM text", -1, &stmt, NULL),
			 SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	count = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return count;
}

/* As after a crash: database and log, without what the connections share. */
static int64_t rows_of_a_copy(void)
{
	char command[400], copy[96];
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;
	int64_t count;

	snprintf(copy, sizeof(copy), "%s-copy", path);
	snprintf(command, sizeof(command), "cp %s %s && cp %s-wal %s-wal", path, copy, path, copy);
	ck_assert_int_eq(system(command), 0);
	ck_assert_int_eq(sqlite3_open(copy, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT count(*) FROM text", -1, &stmt, NULL),
			 SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	count = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	snprintf(command, sizeof(command), "rm -f %s*", copy);
	ck_assert_int_eq(system(command), 0);
	return count;
}

static struct checkpoint_options options(void)
{
	return (struct checkpoint_options){
		.database = path, .sync_interval_ns = 100000000, .wal_max_bytes = 256u << 20};
}

/* What the connections share is mapped for a log of eight times WalMax=, before the log grows. */
START_TEST(test_the_index_is_mapped_ahead)
{
	struct checkpoint_options o;
	struct checkpoint c;
	char shm[96];

	begin();
	snprintf(shm, sizeof(shm), "%s-shm", path);
	o = options();
	o.wal_max_bytes = 32 << 20;
	ck_assert_int_le(size_of(shm), 32768);
	ck_assert_int_eq(checkpoint_start(&c, &o), 0);
	for (int i = 0; i < 500 && size_of(shm) < 17 * 32768; i++)
		wait_ms(10);
	ck_assert_int_ge(size_of(shm), 17 * 32768);
	ck_assert_int_le(size_of(shm), 20 * 32768);
	thread = &c;
	write_some();
	thread = NULL;
	checkpoint_stop(&c);
	ck_assert_int_eq(atomic_load(&c.failures), 0);
	ck_assert_int_eq(rows_without_log(), rows);
	end();
}
END_TEST

START_TEST(test_everything_is_in_the_file_at_the_end)
{
	struct checkpoint_options o;
	struct checkpoint c;

	begin();
	o = options();
	ck_assert_int_eq(checkpoint_start(&c, &o), 0);
	write_some();
	checkpoint_stop(&c);
	checkpoint_stop(&c);
	ck_assert_int_eq(rows_without_log(), rows);
	ck_assert_int_eq(size_of(wal), 0);
	ck_assert_uint_eq(atomic_load(&c.failures), 0);
	/* And the writer goes on. */
	write_some();
	end();
}
END_TEST

START_TEST(test_the_log_is_emptied_while_there_is_writing)
{
	struct checkpoint_options o;
	struct checkpoint c;
	int64_t written = 0, most = 0;

	begin();
	o = options();
	o.wal_max_bytes = 16 << 20;
	ck_assert_int_eq(checkpoint_start(&c, &o), 0);
	thread = &c;
	/* Some 50 MiB a second without a break: there is no moment at which all is copied unless
	 * the writer waits. */
	for (int i = 0; i < 60; i++) {
		write_some();
		written += 4 << 20;
		if (size_of(wal) > most)
			most = size_of(wal);
		wait_ms(60);
	}
	thread = NULL;
	ck_assert_uint_gt(atomic_load(&c.checkpoints), 1);
	ck_assert_uint_gt(atomic_load(&c.synced_boot_ns), 0);
	ck_assert_uint_gt(atomic_load(&c.pauses), 0);
	fprintf(stderr, "%lu pauses, %lu in vain, longest %lu ms; longest log %ld MiB\n",
		(unsigned long)c.pauses, (unsigned long)c.pauses_in_vain,
		(unsigned long)c.longest_pause_ns / 1000000, (long)(most >> 20));
	ck_assert_uint_gt(atomic_load(&c.restarts), 0);
	ck_assert_int_lt(most, written);
	checkpoint_stop(&c);
	ck_assert_int_eq(rows_without_log(), rows);
	end();
}
END_TEST

/* Room that has been reserved is no part of the log: whoever opens it finds what was written. */
START_TEST(test_a_reserved_log)
{
	struct checkpoint_options o;
	struct checkpoint c;
	int64_t before;

	begin();
	o = options();
	o.wal_max_bytes = 16 << 20;
	ck_assert(!checkpoint_reserve(&(struct checkpoint){.running = false}));
	ck_assert_int_eq(checkpoint_start(&c, &o), 0);
	write_some();
	for (int i = 0; i < 64 && checkpoint_reserve(&c); i++)
		;
	before = size_of(wal);
	ck_assert_int_ge(before, 16 << 20);
	write_some();
	ck_assert_int_eq(size_of(wal), before);
	ck_assert_int_eq(rows_of_a_copy(), rows);
	checkpoint_stop(&c);
	ck_assert_int_eq(rows_without_log(), rows);
	end();
}
END_TEST

START_TEST(test_a_reader_that_stays)
{
	struct checkpoint_options o;
	struct checkpoint c;
	sqlite3 *reader = NULL;

	begin();
	o = options();
	write_some();
	ck_assert_int_eq(schema_open_reader(path, &reader), 0);
	ck_assert_int_eq(schema_exec(reader, "BEGIN; SELECT count(*) FROM text"), 0);
	ck_assert_int_eq(checkpoint_start(&c, &o), 0);
	thread = &c;
	/* What the reader does not see yet cannot be copied over what it sees. */
	write_some();
	wait_ms(1500);
	ck_assert_uint_gt(atomic_load(&c.wal_pinned_ns), 0);
	write_some();
	ck_assert_int_eq(schema_exec(reader, "COMMIT"), 0);
	write_some();
	wait_ms(1500);
	write_some();
	wait_ms(1500);
	ck_assert_uint_eq(atomic_load(&c.wal_pinned_ns), 0);
	sqlite3_close(reader);
	thread = NULL;
	checkpoint_stop(&c);
	ck_assert_uint_eq(atomic_load(&c.failures), 0);
	ck_assert_int_eq(rows_without_log(), rows);
	end();
}
END_TEST

START_TEST(test_a_database_that_is_not_there)
{
	struct checkpoint_options o = {.database = "/nowhere/lineage.db"};
	struct checkpoint c;

	ck_assert_int_eq(checkpoint_start(&c, &o), 0);
	wait_ms(200);
	checkpoint_stop(&c);
	ck_assert_uint_eq(atomic_load(&c.failures), 1);
	ck_assert_int_ne(atomic_load(&c.last_error), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_the_index_is_mapped_ahead,
		test_everything_is_in_the_file_at_the_end,
		test_the_log_is_emptied_while_there_is_writing,
		test_a_reserved_log,
		test_a_reader_that_stays,
		test_a_database_that_is_not_there,
	};

	return SUITE_RUN("checkpoint", tests);
}
