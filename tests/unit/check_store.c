/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/store.c, store_load.c and store_wal.c: real files, read back through the views.
 */
#include "suite.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/store_load.h"
#include "daemon/store_wal.h"
#include "schema/cleanup.h"

static char directory[64], path[80];
static struct store s;

static void begin(void)
{
	snprintf(directory, sizeof(directory), "/tmp/lineage-store.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/lineage.db", directory);
	ck_assert_int_eq(store_open(&s, path), 0);
}

static void end(void)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	char name[100];

	store_close(&s);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		unlink(name);
	}
	rmdir(directory);
}

/* The first column of the first row. */
static int64_t ask(const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int64_t answer = -1;

	ck_assert_msg(sqlite3_prepare_v2(s.db, sql, -1, &stmt, NULL) == SQLITE_OK, "%s", sql);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		answer = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return answer;
}

static const char *const statements[STORE_STMTS] = {
#define X(name, text) [STORE_##name] = text,
	STORE_STATEMENTS(X)
#undef X
};

/* Counting takes a lock for each allocation; it can be switched off only before all else. */
START_TEST(test_memory_is_not_counted)
{
	sqlite3_int64 used = -1, most;

	begin();
	ck_assert_int_eq(sqlite3_status64(SQLITE_STATUS_MEMORY_USED, &used, &most, 0), SQLITE_OK);
	ck_assert_int_eq(used, 0);
	end();
}
END_TEST

START_TEST(test_every_statement_is_prepared)
{
	begin();
	for (int i = 0; i < STORE_STMTS; i++) {
		ck_assert_ptr_nonnull(s.stmts[i]);
		ck_assert_str_eq(sqlite3_sql(s.stmts[i]), statements[i]);
	}
	end();
}
END_TEST

static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = text; (p = strcasestr(p, word)); p += n)
		if ((p == text || !isalnum((unsigned char)p[-1])) && !isalnum((unsigned char)p[n]))
			return true;
	return false;
}

/* What came after SQLite 3.34: a node's own library may be that old. */
START_TEST(test_no_syntax_newer_than_3_34)
{
	static const char *const words[] = {
		"returning",  "strict",	   "materialized", "unixepoch(", "iif(",    "->",
		"right join", "full join", "is distinct",  "timediff(",	 "concat(", "string_agg(",
	};

	for (int i = 0; i < STORE_STMTS; i++)
		for (size_t k = 0; k < ARRAY_SIZE(words); k++)
			ck_assert_msg(!has_word(statements[i], words[k]), "%s: %s", words[k],
				      statements[i]);
}
END_TEST

START_TEST(test_rows_come_back)
{
	struct lineage_ids ids = {
		.uid = 3, .loginuid = UINT32_MAX, .cap_effective = 1ULL << 63 | 1};
	struct store_text text = {
		.value = "a\xef\xbf\xbd", .length = 4, .raw = "a\xff", .raw_length = 2};
	struct store_program program = {.exe = 1,
					.filename = ROW_NONE,
					.interpreter = ROW_NONE,
					.comm = "ls",
					.comm_length = 2};
	struct store_image plain = {.program = 1, .args = "ls\x7f-l", .args_length = 5},
			   other = {.program = 1, .argv = {.count = ROW_NONE, .bytes = 3}};
	int64_t id;

	begin();
	ck_assert_int_eq(store_begin(&s), 0);
	ck_assert_int_eq(store_text(&s, &text, &id), 0);
	ck_assert_int_eq(id, 1);
	ck_assert_int_eq(store_context(&s, &ids, ROW_NONE, ROW_NONE, &id), 0);
	ck_assert_int_eq(store_program(&s, &program, &id), 0);
	ck_assert_int_eq(store_image(&s, &plain, &id), 0);
	ck_assert_int_eq(store_image(&s, &other, &id), 0);
	ck_assert_int_eq(id, 2);
	ck_assert_int_eq(store_commit(&s), 0);
	ck_assert_int_eq(
		ask("SELECT count(*) FROM text WHERE hex(raw) = '61FF' AND length(value) = 2"), 1);
	ck_assert_int_eq(ask("SELECT count(*) FROM context WHERE uid = 3 AND loginuid IS NULL "
			     "AND sessionid = 0 AND cap_effective < 0 AND cgroup IS NULL"),
			 1);
	ck_assert_int_eq(ask("SELECT count(*) FROM program WHERE exe = 1 AND filename IS NULL "
			     "AND comm = 'ls'"),
			 1);
	ck_assert_int_eq(
		ask("SELECT count(*) FROM image WHERE image = 1 AND args = 'ls' || char(127) "
		    "|| '-l' OR image = 2 AND args IS NULL"),
		2);
	ck_assert_int_eq(
		ask("SELECT sum(image) FROM argv WHERE args IS NULL AND args_raw IS NULL AND "
		    "args_count IS NULL AND args_bytes = 3"),
		2);
	end();
}
END_TEST

START_TEST(test_rollback_gives_ids_back)
{
	struct store_text text = {.value = "x", .length = 1};
	int64_t id;

	begin();
	ck_assert_int_eq(store_begin(&s), 0);
	ck_assert_int_eq(store_text(&s, &text, &id), 0);
	ck_assert_int_eq(store_rollback(&s), 0);
	ck_assert_int_eq(store_rollback(&s), 0);
	ck_assert_int_eq(store_reload_ids(&s), 0);
	ck_assert_int_eq(ask("SELECT count(*) FROM text"), 0);
	ck_assert_int_eq(store_begin(&s), 0);
	ck_assert_int_eq(store_text(&s, &text, &id), 0);
	ck_assert_int_eq(id, 1);
	ck_assert_int_eq(store_commit(&s), 0);
	end();
}
END_TEST

START_TEST(test_boot_and_positions_survive)
{
	static const uint8_t ring[16] = "0123456789abcde", other[16] = "another ring...";
	uint64_t position;
	int64_t boot;

	begin();
	boot = s.boot;
	ck_assert_int_eq(store_begin(&s), 0);
	ck_assert_int_eq(store_ring_position(&s, ring, UINT64_MAX / 2), 0);
	ck_assert_int_eq(store_commit(&s), 0);
	store_close(&s);
	ck_assert_int_eq(store_open(&s, path), 0);
	ck_assert_int_eq(s.boot, boot);
	ck_assert_int_eq(store_get_ring_position(&s, ring, &position), 0);
	ck_assert_uint_eq(position, UINT64_MAX / 2);
	ck_assert_int_eq(store_get_ring_position(&s, other, &position), 0);
	ck_assert_uint_eq(position, 0);
	ck_assert_int_eq(ask("SELECT count(*) FROM boot"), 1);
	end();
}
END_TEST

static struct process some_process(int64_t id, uint32_t pid, uint64_t start)
{
	return (struct process){
		.key = {.pid = pid, .start_boot_ns = start},
		.process_id = id,
		.birth = PROVENANCE_OBSERVED,
		.parent_id = 5,
		.creator_id = ROW_NONE,
		.fork_cpu = 1,
		.fork_seq = 77,
		.context = 9,
		.ns_pid = 4,
		.image = {.provenance = PROVENANCE_SNAPSHOT,
			  .after_ns = ROW_NONE,
			  .cpu = ROW_NONE,
			  .seq = ROW_NONE,
			  .image = 3,
			  .cwd = 2,
			  .comm = ROW_NONE,
			  .pgid = 0},
		.end = PROVENANCE_NONE,
		.end_after_ns = ROW_NONE,
		.end_cpu = ROW_NONE,
		.end_seq = ROW_NONE,
		.end_parent_id = ROW_NONE,
		.status = ROW_NONE,
		.user_us = ROW_NONE,
		.system_us = ROW_NONE,
		.max_rss_kib = ROW_NONE,
	};
}

static struct process loaded[8];
static int loaded_count;

static struct process *make(const struct lineage_key *key, int64_t process_id, void *userdata)
{
	struct process *p = &loaded[loaded_count++];

	*p = (struct process){.key = *key, .process_id = process_id};
	return userdata ? NULL : p;
}

START_TEST(test_processes_are_read_back_whole)
{
	struct process living = some_process(1, 10, 100), ended = some_process(2, 11, 200), wanted;

	begin();
	ended.end = PROVENANCE_INFERRED;
	ended.end_after_ns = 50;
	ended.end_parent_id = 1;
	ended.status = 9;
	ck_assert_int_eq(store_begin(&s), 0);
	ck_assert_int_eq(store_process(&s, &living), 0);
	ck_assert_int_eq(store_process(&s, &ended), 0);
	ck_assert_int_eq(store_commit(&s), 0);
	ck_assert_int_eq(store_each_alive(&s, make, NULL), 0);
	ck_assert_int_eq(loaded_count, 1);
	wanted = living;
	wanted.stored = true;
	ck_assert_mem_eq(&loaded[0], &wanted, sizeof(wanted));
	ck_assert_int_eq(store_read_process(&s, &ended.key, make, NULL), 1);
	wanted = ended;
	wanted.stored = true;
	ck_assert_mem_eq(&loaded[1], &wanted, sizeof(wanted));
	ck_assert_int_eq(store_each_alive(&s, make, &s), -ENOMEM);
	wanted.key.start_boot_ns++;
	ck_assert_int_eq(store_read_process(&s, &wanted.key, make, NULL), 0);
	/* An update changes what can change, and the birth only where told. */
	living.stored = true;
	living.end = PROVENANCE_OBSERVED;
	living.end_after_ns = 7;
	living.parent_id = 6;
	ck_assert_int_eq(store_begin(&s), 0);
	ck_assert_int_eq(store_process(&s, &living), 0);
	ck_assert_int_eq(ask("SELECT parent_id FROM process_row WHERE process_id = 1"), 5);
	living.birth_changed = true;
	ck_assert_int_eq(store_process(&s, &living), 0);
	ck_assert_int_eq(store_commit(&s), 0);
	ck_assert_int_eq(ask("SELECT parent_id FROM process_row WHERE process_id = 1"), 6);
	ck_assert_int_eq(ask("SELECT end_after_ns FROM process_row WHERE process_id = 1"), 7);
	end();
}
END_TEST

/* They are counted from that of the birth, also where it is only learned later. */
START_TEST(test_numbers_are_read_back)
{
	struct process p = some_process(1, 10, 100);

	begin();
	p.fork_seq = ROW_NONE;
	p.image.seq = 90;
	p.end = PROVENANCE_OBSERVED;
	p.end_after_ns = 50;
	p.end_seq = 60;
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(store_begin(&s), 0);
		ck_assert_int_eq(store_process(&s, &p), 0);
		ck_assert_int_eq(store_commit(&s), 0);
		ck_assert_int_eq(ask("SELECT seq FROM exit"), 60);
		ck_assert_int_eq(ask("SELECT seq FROM exec"), 90);
		loaded_count = 0;
		ck_assert_int_eq(store_read_process(&s, &p.key, make, NULL), 1);
		ck_assert_int_eq(loaded[0].fork_seq, p.fork_seq);
		ck_assert_int_eq(loaded[0].image.seq, 90);
		ck_assert_int_eq(loaded[0].end_seq, 60);
		p.stored = p.birth_changed = true;
		p.fork_seq = 77;
	}
	end();
}
END_TEST

START_TEST(test_zones_hold_every_start)
{
	begin();
	ck_assert_int_eq(store_begin(&s), 0);
	for (int64_t id = 4090; id < 4110; id++) {
		struct process p = some_process(id, 10, (uint64_t)((id * 7919) % 1000));

		ck_assert_int_eq(store_process(&s, &p), 0);
		if (id == 4100) {
			ck_assert_int_eq(store_commit(&s), 0);
			ck_assert_int_eq(store_begin(&s), 0);
		}
	}
	ck_assert_int_eq(store_commit(&s), 0);
	ck_assert_int_eq(ask("SELECT count(*) FROM zone"), 2);
	ck_assert_int_eq(
		ask("SELECT count(*) FROM process_row p JOIN zone z ON z.zone = process_id >> 12 "
		    "AND z.boot = p.boot WHERE start_boot_ns BETWEEN min_start_ns AND "
		    "max_start_ns"),
		20);
	ck_assert_int_eq(
		ask("SELECT count(*) FROM zone z WHERE min_start_ns = (SELECT min(start_boot_ns) "
		    "FROM process_row WHERE process_id >> 12 = zone) AND max_start_ns = "
		    "(SELECT max(start_boot_ns) FROM process_row WHERE process_id >> 12 = zone)"),
		2);
	end();
}
END_TEST

START_TEST(test_gaps)
{
	struct store_gap gap = {
		.cause = "ring_full", .cpu = 1, .first_seq = 3, .last_seq = 4, .lost = 2};

	begin();
	ck_assert_int_eq(store_begin(&s), 0);
	ck_assert_int_eq(store_gap(&s, &gap), 0);
	ck_assert_int_gt(gap.gap_id, 0);
	gap.lost = 1;
	gap.last_seq = 3;
	ck_assert_int_eq(store_gap(&s, &gap), 0);
	ck_assert_int_eq(ask("SELECT count(*) FROM gap_row"), 1);
	ck_assert_int_eq(ask("SELECT lost FROM gap_row"), 1);
	ck_assert_int_eq(store_gap_delete(&s, gap.gap_id), 0);
	ck_assert_int_eq(store_commit(&s), 0);
	ck_assert_int_eq(ask("SELECT count(*) FROM gap_row"), 0);
	end();
}
END_TEST

START_TEST(test_another_writer)
{
	struct store other;
	sqlite3 *wal = NULL;
	struct store_wal_progress progress = {0};

	begin();
	ck_assert_int_eq(store_open(&other, path), 0);
	ck_assert_int_eq(store_begin(&s), 0);
	ck_assert_int_eq(store_begin(&other), SCHEMA_E_BUSY);
	ck_assert_int_eq(store_commit(&s), 0);
	ck_assert_int_eq(store_begin(&other), 0);
	ck_assert_int_eq(store_run_begin(&other, &(struct store_run){"0", "0", "0", NULL, 1}), 0);
	ck_assert_int_eq(store_commit(&other), 0);
	store_close(&other);
	ck_assert_int_eq(store_wal_open(path, &wal), 0);
	ck_assert_int_eq(store_wal_checkpoint(wal, STORE_WAL_PASSIVE, &progress), 0);
	ck_assert_uint_gt(progress.pages, 0);
	ck_assert_uint_eq(progress.copied_pages, progress.pages);
	store_wal_close(wal);
	end();
}
END_TEST

START_TEST(test_a_file_that_was_replaced)
{
	char name[100];

	begin();
	ck_assert(!store_has_moved(&s));
	snprintf(name, sizeof(name), "%s.old", path);
	ck_assert_int_eq(rename(path, name), 0);
	ck_assert(store_has_moved(&s));
	unlink(name);
	end();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_memory_is_not_counted,
		test_every_statement_is_prepared,
		test_no_syntax_newer_than_3_34,
		test_rows_come_back,
		test_rollback_gives_ids_back,
		test_boot_and_positions_survive,
		test_processes_are_read_back_whole,
		test_numbers_are_read_back,
		test_zones_hold_every_start,
		test_gaps,
		test_another_writer,
		test_a_file_that_was_replaced,
	};

	return SUITE_RUN("store", tests);
}
