/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/query.h"
#include "cli/query_internal.h"
#include "fixture.h"

#define S FIXTURE_SECOND

static struct fixture fixture;
static struct query *query;

static void open_query(void)
{
	ck_assert_int_eq(query_open(fixture.path, QUERY_DETAIL_FULL, &query), 0);
}

static void teardown(void)
{
	query_free(query);
	query = NULL;
	fixture_deinit(&fixture);
}

START_TEST(every_statement_prepares)
{
	sqlite3_stmt *stmt;

	fixture_small(&fixture);
	open_query();
	for (int i = 0; i < QUERY_STATEMENT_COUNT; i++)
		ck_assert_msg(query_prepare(query, (enum query_statement)i, &stmt) == 0, "%s: %s",
			      query_sql[i], query_errmsg(query));
}
END_TEST

/* No question about one process or one moment may read the whole table. */
START_TEST(no_statement_scans)
{
	fixture_small(&fixture);
	open_query();
	for (int i = 0; i < QUERY_STATEMENT_COUNT; i++) {
		char *sql = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", query_sql[i]);
		sqlite3_stmt *stmt;

		if (i == QUERY_SCAN_UP || i == QUERY_SCAN_DOWN || i == QUERY_SCAN_UP_WANTED ||
		    i == QUERY_SCAN_DOWN_WANTED)
			goto next;
		ck_assert_int_eq(sqlite3_prepare_v2(query->db, sql, -1, &stmt, NULL), SQLITE_OK);
		while (sqlite3_step(stmt) == SQLITE_ROW) {
			const char *detail = (const char *)sqlite3_column_text(stmt, 3);

			ck_assert_msg(strcmp(detail, "SCAN process_row") != 0 &&
					      strcmp(detail, "SCAN exec_row") != 0 &&
					      strcmp(detail, "SCAN image") != 0,
				      "%s: %s", query_sql[i], detail);
			ck_assert_msg(strstr(detail, "AUTOMATIC") == NULL, "%s", query_sql[i]);
		}
		sqlite3_finalize(stmt);
	next:
		sqlite3_free(sql);
	}
}
END_TEST

START_TEST(a_process)
{
	struct process_list list = {0};
	struct process *p, *again;

	fixture_small(&fixture);
	open_query();
	ck_assert_int_eq(query_by_pid(query, 200, &list), 0);
	ck_assert_uint_eq(list.count, 1);
	p = list.item[0];
	ck_assert_int_eq(query_process(query, p->id, &again), 0);
	ck_assert_ptr_eq(p, again);
	ck_assert_int_eq(query_load_execs(query, &list), 0);
	ck_assert_int_eq(query_load_execs(query, &list), 0); /* twice is once */
	ck_assert_uint_eq(p->exec_count, 2);
	ck_assert_str_eq(p->execs[0].image->exe->value, "/usr/bin/login");
	ck_assert_str_eq(p->execs[1].image->exe->value, "/usr/bin/bash");
	ck_assert_int_eq(p->start_unix_ns, FIXTURE_EPOCH_NS + 100 * S);
	ck_assert_int_eq(p->context->uid, 1000);
	ck_assert(!process_ended(p));
	process_list_deinit(&list);
	ck_assert_int_eq(query_process(query, 12345, &p), 1);
	ck_assert_int_eq(query_by_pid(query, 310, &list), 0);
	ck_assert(process_inherited(list.item[0]));
	ck_assert_uint_eq(list.item[0]->exec_count, 0);
	ck_assert_str_eq(list.item[0]->image->exe->value, "/usr/bin/make");
	process_list_deinit(&list);
}
END_TEST

START_TEST(relatives)
{
	struct process_list list = {0}, up = {0};

	fixture_small(&fixture);
	open_query();
	ck_assert_int_eq(query_by_pid(query, 300, &list), 0);
	ck_assert_int_eq(query_ancestors(query, list.item[0], 0, &up), 0);
	ck_assert_uint_eq(up.count, 3);
	ck_assert_int_eq(up.item[2]->pid, 1);
	ck_assert_int_eq(query_descendants(query, up.item[2], 0, &list), 0);
	ck_assert_uint_eq(list.count, 1 + 9);
	list.count = 0;
	ck_assert_int_eq(query_descendants(query, up.item[2], 2, &list), 0);
	ck_assert_uint_eq(list.count, 2);
	process_list_deinit(&list);
	process_list_deinit(&up);
}
END_TEST

/* Ids of three levels between each other, which are asked for at once. */
START_TEST(levels_count)
{
	static const int64_t parents[] = {0, 1, 2, 1, 3};
	struct process_list list = {0};
	struct process *p;

	fixture_init(&fixture);
	for (int i = 0; i < 5; i++)
		fixture_process(&fixture, &(struct fixture_process){.pid = 5 + i,
								    .start_ns = (1 + i) * S,
								    .parent = parents[i],
								    .exe = "/a"});
	fixture_finish(&fixture);
	open_query();
	ck_assert_int_eq(query_process(query, 1, &p), 0);
	for (unsigned int depth = 1; depth <= 3; depth++) {
		list.count = 0;
		ck_assert_int_eq(query_descendants(query, p, depth, &list), 0);
		ck_assert_uint_eq(list.count, 1 + depth);
	}
	process_list_deinit(&list);
}
END_TEST

/* A ring of parents in a damaged file ends every walk. */
START_TEST(rings_end)
{
	struct process_list list = {0};
	struct process *p;

	fixture_init(&fixture);
	fixture_process(&fixture, &(struct fixture_process){.pid = 5, .start_ns = S, .exe = "/a"});
	fixture_process(&fixture, &(struct fixture_process){
					  .pid = 6, .start_ns = 2 * S, .parent = 1, .exe = "/b"});
	fixture_sql(&fixture, "UPDATE process_row SET parent_id = 2 WHERE process_id = 1");
	fixture_finish(&fixture);
	open_query();
	ck_assert_int_eq(query_process(query, 1, &p), 0);
	ck_assert_int_eq(query_ancestors(query, p, 0, &list), 0);
	ck_assert_uint_eq(list.count, 1);
	ck_assert_int_eq(query_descendants(query, p, 0, &list), 0);
	ck_assert_uint_eq(list.count, 2);
	process_list_deinit(&list);
}
END_TEST

/* Lives of all lengths, late execs, earlier images, two boots, ids out of time order. */
static void fill_at_random(unsigned int *seed)
{
	fixture_init(&fixture);
	fixture_sql(&fixture, "INSERT INTO boot VALUES (2, '22222222-bbbb-4bbb-8bbb-222222222222', "
			      "'node1', 'x', 'y')");
	fixture_sql(&fixture, "INSERT INTO clock VALUES (2, 0, %lld)", FIXTURE_EPOCH_NS + 400 * S);
	for (int i = 1; i <= 300; i++) {
		int64_t start = rand_r(seed) % 300 * S + rand_r(seed) % 1000;
		int64_t life = rand_r(seed) % 3 ? rand_r(seed) % (12 * S) : rand_r(seed) % 200 * S;
		bool runs = rand_r(seed) % 10 == 0;
		int64_t exec_after = rand_r(seed) % 2 ? 5 : rand_r(seed) % 30 * S;
		int64_t id;

		if (!runs && exec_after > life)
			exec_after = life / 2;
		id = fixture_process(&fixture,
				     &(struct fixture_process){
					     .boot = 1 + rand_r(seed) % 2,
					     .pid = 100 + i,
					     .start_ns = start,
					     .parent = i > 1 ? 1 + rand_r(seed) % (i - 1) : 0,
					     .exe = rand_r(seed) % 5 ? "/bin/x" : NULL,
					     .exec_after_ns = exec_after,
					     .end_after_ns = runs ? 0 : life + 1,
				     });
		if (rand_r(seed) % 4 == 0)
			fixture_exec(&fixture, id, start + rand_r(seed) % 40 * S, "/bin/y", "[]");
		/* Far apart, so that there are several zones. */
		fixture.next_process += rand_r(seed) % 400;
	}
	fixture_finish(&fixture);
}

static int64_t count_by_scan(const char *condition, const struct boot_range *range)
{
	char *sql = sqlite3_mprintf("SELECT count(*) FROM process_row p WHERE boot = ?1 AND (%s)",
				    condition);
	sqlite3_stmt *stmt;
	int64_t count;

	ck_assert_int_eq(sqlite3_prepare_v2(query->db, sql, -1, &stmt, NULL), SQLITE_OK);
	sqlite3_bind_int(stmt, 1, range->boot->number);
	sqlite3_bind_int64(stmt, 2, range->from_ns);
	sqlite3_bind_int64(stmt, 3, range->to_ns);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	count = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_free(sql);
	return count;
}

/* The indexes find exactly what reading every row finds. */
/* A window in two: each process once, whatever it did in which. */
static void add_in_parts(const struct boot_range *window, int64_t cut_ns, struct process_list *list)
{
	const struct boot_range part[] = {{window->boot, window->from_ns, cut_ns},
					  {window->boot, cut_ns, window->to_ns}};

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(query_before(query, &part[i], window->from_ns, list), 0);
		ck_assert_int_eq(query_started(query, &part[i], list), 0);
	}
	process_list_unique(list);
}

START_TEST(windows_as_by_scan)
{
	static const char events[] =
		"(start_boot_ns >= ?2 AND start_boot_ns < ?3) OR "
		"(start_boot_ns + end_after_ns >= ?2 AND start_boot_ns + end_after_ns < ?3) OR "
		"(start_boot_ns + exec_after_ns >= ?2 AND start_boot_ns + exec_after_ns < ?3) OR "
		"EXISTS (SELECT 1 FROM exec_row e WHERE e.process_id = p.process_id AND "
		"e.boot_ns >= ?2 AND e.boot_ns < ?3)";
	static const char running[] = "start_boot_ns < ?2 AND (end_after_ns IS NULL OR "
				      "start_boot_ns + end_after_ns >= ?3)";
	unsigned int seed = (unsigned int)_i + 1;

	fill_at_random(&seed);
	open_query();
	for (int round = 0; round < 60; round++) {
		struct process_list list = {0};
		int64_t from = rand_r(&seed) % 320 * S, count = -1;
		int64_t length = rand_r(&seed) % 3 ? rand_r(&seed) % 30 * S : rand_r(&seed) % 200;
		struct boot_range range = {query_boot(query, 1 + rand_r(&seed) % 2), from,
					   round % 10 ? from + length : INT64_MAX};

		ck_assert_int_eq(query_window(query, &range, &list), 0);
		ck_assert_int_eq((int64_t)list.count, count_by_scan(events, &range));
		list.count = 0;
		add_in_parts(&range, from + length / 3, &list);
		ck_assert_int_eq((int64_t)list.count, count_by_scan(events, &range));
		list.count = 0;
		ck_assert_int_eq(query_running(query, &range, &list), 0);
		ck_assert_int_eq((int64_t)list.count, count_by_scan(running, &range));
		ck_assert_int_eq(query_count_running(query, &range, &count), 0);
		ck_assert_int_eq(count, (int64_t)list.count);
		process_list_deinit(&list);
	}
}
END_TEST

static int only_zero(const struct row_keys *keys, void *userdata)
{
	ck_assert_int_gt(keys->id, 0);
	(*(int64_t *)userdata)++;
	return keys->life_ns != UNKNOWN && keys->status == 0;
}

static int refuse(const struct row_keys *keys, void *userdata)
{
	return -ENOMEM;
}

/* What a callback leaves out, a scan does not give; its errors are told. */
START_TEST(rows_left_out)
{
	unsigned int seed = 5;
	int64_t asked = 0, given = 0, all = 0;
	struct query_scan *scan;
	struct process p;
	int r;

	fill_at_random(&seed);
	open_query();
	query_on_row(query, only_zero, &asked);
	ck_assert_int_eq(query_scan_open(query, true, &scan), 0);
	while ((r = query_scan_next(scan, &p)) == 0) {
		ck_assert(process_ended(&p) && p.status == 0);
		given++;
	}
	ck_assert_int_eq(r, 1);
	query_scan_free(scan);
	query_on_row(query, NULL, NULL);
	ck_assert_int_eq(query_scan_open(query, false, &scan), 0);
	while (query_scan_next(scan, &p) == 0)
		all++;
	query_scan_free(scan);
	ck_assert_int_eq(asked, all);
	ck_assert(given > 0 && given < all);
	query_on_row(query, refuse, NULL);
	ck_assert_int_eq(query_scan_open(query, false, &scan), 0);
	ck_assert_int_eq(query_scan_next(scan, &p), -ENOMEM);
	query_scan_free(scan);
	query_on_row(query, NULL, NULL);
}
END_TEST

/* A clock set back by an hour: the hour that the wall clock shows twice is two ranges. */
START_TEST(clock_steps)
{
	struct boot_range *ranges;
	const struct boot *boot;
	size_t count;

	fixture_init(&fixture);
	fixture_sql(&fixture, "INSERT INTO clock VALUES (1, %lld, %lld)", 7200 * S,
		    FIXTURE_EPOCH_NS - 3600 * S);
	fixture_finish(&fixture);
	open_query();
	boot = query_boot(query, 1);
	ck_assert_int_eq(boot_to_unix(boot, 7200 * S - 1), FIXTURE_EPOCH_NS + 7200 * S - 1);
	ck_assert_int_eq(boot_to_unix(boot, 7200 * S), FIXTURE_EPOCH_NS + 3600 * S);
	ck_assert_int_eq(boot_to_unix(boot, UNKNOWN), UNKNOWN);
	ck_assert_int_eq(query_ranges(query, FIXTURE_EPOCH_NS + 4000 * S,
				      FIXTURE_EPOCH_NS + 5000 * S, &ranges, &count),
			 0);
	ck_assert_uint_eq(count, 2);
	ck_assert_int_eq(ranges[0].from_ns, 4000 * S);
	ck_assert_int_eq(ranges[0].to_ns, 5000 * S);
	ck_assert_int_eq(ranges[1].from_ns, 7600 * S);
	ck_assert_int_eq(ranges[1].to_ns, 8600 * S);
	free(ranges);
	ck_assert_int_eq(query_ranges(query, UNKNOWN, UNKNOWN, &ranges, &count), 0);
	ck_assert_uint_eq(count, 1);
	ck_assert_int_eq(ranges[0].to_ns, INT64_MAX);
	free(ranges);
}
END_TEST

START_TEST(refuses)
{
	struct query *other = NULL;

	fixture_small(&fixture);
	open_query();
	ck_assert_int_eq(query_open("/nonexistent/lineage.db", QUERY_DETAIL_LINE, &other), -ENOENT);
	ck_assert_int_eq(query_open("/proc/self/exe", QUERY_DETAIL_LINE, &other), SCHEMA_E_NOT_DB);
	ck_assert_ptr_null(other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("query");
	TCase *tcase = tcase_create("query");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_test(tcase, every_statement_prepares);
	tcase_add_test(tcase, no_statement_scans);
	tcase_add_test(tcase, a_process);
	tcase_add_test(tcase, relatives);
	tcase_add_test(tcase, levels_count);
	tcase_add_test(tcase, rings_end);
	tcase_add_loop_test(tcase, windows_as_by_scan, 0, 6);
	tcase_add_test(tcase, rows_left_out);
	tcase_add_test(tcase, clock_steps);
	tcase_add_test(tcase, refuses);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
