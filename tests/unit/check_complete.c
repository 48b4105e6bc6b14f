/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "cli/complete.h"
#include "fixture.h"

#define S     FIXTURE_SECOND
#define AT(s) (FIXTURE_EPOCH_NS + (s)*S)
#define NOW   AT(2000000)

static struct fixture fixture;
static struct query *query;
static struct completeness c;

static void setup(void)
{
	c = (struct completeness){0};
	fixture_init(&fixture);
}

static void teardown(void)
{
	completeness_deinit(&c);
	query_free(query);
	query = NULL;
	fixture_deinit(&fixture);
}

static void add_range(int64_t since, int64_t until)
{
	if (!query) {
		fixture_finish(&fixture);
		ck_assert_int_eq(query_open(fixture.path, QUERY_DETAIL_LINE, &query), 0);
	}
	ck_assert_int_eq(completeness_add_range(&c, query, since, until, NOW, NULL), 0);
}

START_TEST(nothing_missing)
{
	add_range(AT(10), AT(20));
	ck_assert(is_complete(&c));
	ck_assert_ptr_null(c.filter);
}
END_TEST

START_TEST(gap_that_touches)
{
	fixture_sql(
		&fixture,
		"INSERT INTO gap_row VALUES (1, 1, 'ring_full', 0, %lld, %lld, 5, 41, 37, 0, NULL)",
		100 * S, 101 * S);
	add_range(AT(10), AT(20));
	ck_assert(is_complete(&c));
	add_range(AT(102), AT(103));
	ck_assert(is_complete(&c));
	add_range(AT(20), AT(100) + 1);
	ck_assert_uint_eq(c.count, 1);
	ck_assert_int_eq(c.item[0].kind, MISSING_GAP);
	ck_assert_str_eq(c.item[0].cause, "ring_full");
	ck_assert_int_eq(c.item[0].lost, 37);
	ck_assert_int_eq(c.item[0].from_unix_ns, AT(100));
	completeness_deinit(&c);
	add_range(AT(101), AT(103)); /* its last moment counts */
	ck_assert_uint_eq(c.count, 1);
}
END_TEST

START_TEST(gap_that_healed)
{
	fixture_sql(
		&fixture,
		"INSERT INTO gap_row VALUES (1, 1, 'ring_full', 0, 5, 6, NULL, NULL, 0, 9, NULL)");
	add_range(AT(0), AT(20));
	ck_assert(is_complete(&c));
}
END_TEST

START_TEST(before_and_after_recording)
{
	add_range(AT(-100), AT(20));
	ck_assert_uint_eq(c.count, 1);
	ck_assert_int_eq(c.item[0].kind, MISSING_NOT_RECORDED);
	ck_assert_int_eq(c.item[0].from_unix_ns, AT(-100));
	ck_assert_int_eq(c.item[0].to_unix_ns, AT(0));
	add_range(AT(863000), AT(865000));
	ck_assert_uint_eq(c.count, 2);
	ck_assert_int_eq(c.item[1].from_unix_ns, AT(864000));
	/* What is yet to come nobody can have recorded: up to now. */
	add_range(AT(863000), AT(9000000));
	ck_assert_int_eq(c.item[2].to_unix_ns, NOW);
}
END_TEST

START_TEST(between_runs)
{
	fixture_sql(&fixture, "UPDATE recorder_row SET last_boot_ns = %lld, stopped_boot_ns = %lld",
		    100 * S, 100 * S);
	fixture_sql(&fixture,
		    "INSERT INTO recorder_row VALUES (2, 1, 'v', 'c', 'k', 'cgroup /x', %lld, "
		    "%lld, %lld,"
		    " 'stopped')",
		    200 * S, 300 * S, 300 * S);
	/* The same boot: had anything been lost, there would be a gap. */
	add_range(AT(90), AT(210));
	ck_assert(is_complete(&c));
	ck_assert_str_eq(c.filter, "cgroup /x");
}
END_TEST

/* A gap that tells of the downtime is told once. */
START_TEST(downtime_with_gap)
{
	fixture_sql(&fixture,
		    "INSERT INTO gap_row VALUES (1, 1, 'recorder_down', NULL, 0, %lld, NULL, NULL, "
		    "NULL,"
		    " 0, NULL)",
		    50 * S);
	fixture_sql(&fixture, "UPDATE recorder_row SET started_boot_ns = %lld", 50 * S);
	add_range(AT(10), AT(100));
	ck_assert_uint_eq(c.count, 1);
	ck_assert_int_eq(c.item[0].kind, MISSING_GAP);
	ck_assert_int_eq(c.item[0].lost, UNKNOWN);
}
END_TEST

START_TEST(another_boot)
{
	fixture_sql(&fixture, "INSERT INTO boot VALUES (2, 'bbbbbbbb-bbbb-4bbb-8bbb-222222222222', "
			      "'n', 'x', 'y')");
	fixture_sql(&fixture, "INSERT INTO clock VALUES (2, 0, %lld)", AT(865000));
	fixture_sql(&fixture,
		    "INSERT INTO recorder_row VALUES (2, 2, 'v', 'c', 'k', NULL, %lld, %lld, %lld, "
		    "'stopped')",
		    5 * S, 100 * S, 100 * S);
	add_range(AT(863990), AT(865050));
	ck_assert_uint_eq(c.count, 1);
	ck_assert_int_eq(c.item[0].from_unix_ns, AT(864000));
	ck_assert_int_eq(c.item[0].to_unix_ns, AT(865005));
}
END_TEST

START_TEST(truncated_and_pruned)
{
	struct process_list list = {0};
	struct process *p;

	fixture_process(&fixture,
			&(struct fixture_process){
				.pid = 7, .start_ns = S, .exe = "/bin/x", .args = "[\"x\"]"});
	fixture_process(&fixture,
			&(struct fixture_process){
				.pid = 8, .start_ns = S, .exe = "/bin/y", .args = "[\"y\"]"});
	fixture_sql(&fixture, "INSERT INTO argv SELECT image, '[\"x\"]', x'7800', 1, 5000 FROM "
			      "image WHERE args = 'x'; "
			      "UPDATE image SET args = NULL WHERE args = 'x'");
	fixture_sql(&fixture, "INSERT INTO pruned_row VALUES (2, 214, 1, 0, 5)");
	add_range(AT(1), AT(2));
	for (int id = 1; id <= 2; id++) {
		ck_assert_int_eq(query_process(query, id, &p), 0);
		ck_assert_int_eq(process_list_add(&list, p), 0);
	}
	ck_assert_int_eq(query_load_pruned(query, &list), 0);
	ck_assert_int_eq(completeness_add_processes(&c, &list), 0);
	ck_assert_uint_eq(c.count, 2);
	ck_assert_int_eq(c.item[0].kind, MISSING_TRUNCATED);
	ck_assert_str_eq(c.item[0].name, "x(7)");
	ck_assert_int_eq(c.item[1].kind, MISSING_PRUNED);
	ck_assert_int_eq(c.item[1].count, 214);
	ck_assert_str_eq(c.item[1].name, "y(8)");
	process_list_deinit(&list);
}
END_TEST

static bool only_second(const struct boot *boot, const void *userdata)
{
	return boot->number == 2;
}

static bool only_first(const struct boot *boot, const void *userdata)
{
	return boot->number == 1;
}

static void add_time(int64_t since, int64_t until, bool (*wants)(const struct boot *, const void *))
{
	const struct scope scope = {since, until, NOW, wants, NULL};

	if (!query) {
		fixture_finish(&fixture);
		ck_assert_int_eq(query_open(fixture.path, QUERY_DETAIL_LINE, &query), 0);
	}
	completeness_deinit(&c);
	ck_assert_int_eq(completeness_add_time(&c, query, &scope, NULL), 0);
}

/* Under a parent or under none: who lived in the time asked for may be among them. */
START_TEST(pruned_in_time)
{
	fixture_sql(
		&fixture,
		"INSERT INTO pruned_row VALUES (2, 500, 1, %lld, %lld), (-1, 70, 1, %lld, %lld)",
		200 * S, 3000 * S, 2000 * S, 4000 * S);
	add_time(AT(10), AT(200), NULL);
	ck_assert(is_complete(&c));
	add_time(AT(600), AT(1200), NULL);
	ck_assert_uint_eq(c.count, 1);
	ck_assert_int_eq(c.item[0].kind, MISSING_PRUNED);
	ck_assert_int_eq(c.item[0].count, 500);
	ck_assert_int_eq(c.item[0].from_unix_ns, AT(200));
	ck_assert_int_eq(c.item[0].to_unix_ns, AT(3000));
	add_time(UNKNOWN, AT(5000), NULL);
	ck_assert_int_eq(c.item[0].count, 570);
	ck_assert_int_eq(c.item[0].to_unix_ns, AT(4000));
	add_time(AT(4000), AT(5000), NULL); /* its last moment counts */
	ck_assert_int_eq(c.item[0].count, 70);
	add_time(AT(4001), AT(5000), NULL);
	ck_assert(is_complete(&c));
}
END_TEST

/* A question for one boot is not about the losses of another, nor about the time between them. */
START_TEST(one_boot)
{
	fixture_sql(&fixture, "INSERT INTO boot VALUES (2, 'bbbbbbbb-bbbb-4bbb-8bbb-222222222222', "
			      "'n', 'x', 'y')");
	fixture_sql(&fixture, "INSERT INTO clock VALUES (2, 0, %lld)", AT(865000));
	fixture_sql(&fixture,
		    "INSERT INTO recorder_row VALUES (2, 2, 'v', 'c', 'k', NULL, %lld, %lld, %lld, "
		    "'stopped')",
		    5 * S, 100 * S, 100 * S);
	fixture_sql(&fixture,
		    "INSERT INTO gap_row VALUES (1, 1, 'ring_full', 0, 5, 6, 7, 8, 2, 0, NULL)");
	fixture_sql(&fixture, "INSERT INTO pruned_row VALUES (-1, 3, 1, 5, 6)");
	add_time(UNKNOWN, UNKNOWN, only_second);
	ck_assert(is_complete(&c));
	add_time(UNKNOWN, UNKNOWN, NULL);
	ck_assert_uint_eq(c.count, 3);
	/* Within its boot it is still told that nothing was recorded. */
	add_time(AT(0), AT(865050), only_second);
	ck_assert_uint_eq(c.count, 1);
	ck_assert_int_eq(c.item[0].from_unix_ns, AT(865000));
	ck_assert_int_eq(c.item[0].to_unix_ns, AT(865005));
}
END_TEST

/* Boot 1 ended at 1000 s. Boot 2 began at 5000 s, but its clock said 1970 for 100 s. */
static void with_a_late_clock(int64_t started_ns)
{
	fixture_sql(&fixture, "UPDATE recorder_row SET last_boot_ns = %lld, stopped_boot_ns = %lld",
		    1000 * S, 1000 * S);
	fixture_sql(&fixture, "INSERT INTO boot VALUES (2, 'bbbbbbbb-bbbb-4bbb-8bbb-222222222222', "
			      "'n', 'x', 'y')");
	fixture_sql(&fixture, "INSERT INTO clock VALUES (2, 0, 0), (2, %lld, %lld)", 100 * S,
		    AT(5000));
	fixture_sql(&fixture,
		    "INSERT INTO recorder_row VALUES (2, 2, 'v', 'c', 'k', NULL, %lld, %lld, %lld, "
		    "'stopped')",
		    started_ns, 2000 * S, 2000 * S);
}

static void expect_one(int64_t from, int64_t to)
{
	ck_assert_uint_eq(c.count, 1);
	ck_assert_int_eq(c.item[0].kind, MISSING_NOT_RECORDED);
	ck_assert(!c.item[0].to_come);
	ck_assert_int_eq(c.item[0].from_unix_ns, from);
	ck_assert_int_eq(c.item[0].to_unix_ns, to);
}

/* A boot covers what it lasted, not all from 1970 on. */
START_TEST(clock_set_late)
{
	with_a_late_clock(20 * S);
	add_time(AT(900), AT(6000), NULL);
	expect_one(AT(1000), AT(5020));
	add_time(AT(5030), AT(6000), NULL);
	ck_assert(is_complete(&c));
	add_time(AT(2000), AT(3000), NULL);
	expect_one(AT(2000), AT(3000));
	add_time(UNKNOWN, UNKNOWN, NULL);
	expect_one(AT(1000), AT(5020));
	add_time(UNKNOWN, AT(6000), NULL);
	expect_one(AT(1000), AT(5020));
	add_time(AT(900), UNKNOWN, NULL);
	expect_one(AT(1000), AT(5020));
	add_time(UNKNOWN, UNKNOWN, only_second);
	ck_assert(is_complete(&c));
	add_time(UNKNOWN, AT(6000), only_second);
	ck_assert(is_complete(&c));
	add_time(AT(0), AT(6000), only_second);
	expect_one(AT(5000), AT(5020));
}
END_TEST

/* Nor does a gap at its beginning. */
START_TEST(gap_before_the_clock)
{
	with_a_late_clock(120 * S);
	fixture_sql(&fixture,
		    "INSERT INTO gap_row VALUES (1, 2, 'recorder_down', NULL, 0, %lld, NULL, NULL, "
		    "NULL, 0, NULL)",
		    120 * S);
	add_time(AT(900), AT(6000), NULL);
	ck_assert_uint_eq(c.count, 2);
	ck_assert_int_eq(c.item[0].kind, MISSING_GAP);
	ck_assert_int_eq(c.item[1].from_unix_ns, AT(1000));
	ck_assert_int_eq(c.item[1].to_unix_ns, AT(5000));
}
END_TEST

/* Three hours ahead for ten minutes: these are told where the clock put them. */
START_TEST(clock_set_back)
{
	fixture_sql(&fixture, "UPDATE clock SET offset_ns = %lld", AT(10800));
	fixture_sql(&fixture, "INSERT INTO clock VALUES (1, %lld, %lld)", 600 * S, AT(0));
	fixture_sql(&fixture, "UPDATE recorder_row SET last_boot_ns = %lld, stopped_boot_ns = %lld",
		    7200 * S, 7200 * S);
	add_time(AT(0), AT(1000), NULL);
	expect_one(AT(0), AT(600));
	add_time(AT(700), AT(900), NULL);
	ck_assert(is_complete(&c));
	add_time(AT(7000), AT(20000), NULL);
	ck_assert_uint_eq(c.count, 2);
	ck_assert_int_eq(c.item[0].from_unix_ns, AT(7200));
	ck_assert_int_eq(c.item[0].to_unix_ns, AT(10800));
	ck_assert_int_eq(c.item[1].from_unix_ns, AT(11400));
	add_time(UNKNOWN, UNKNOWN, NULL);
	ck_assert(is_complete(&c));
}
END_TEST

/* Three hours behind for two: what the clock left out is no time without a recorder, but before. */
START_TEST(clock_set_forward)
{
	fixture_sql(&fixture, "UPDATE clock SET offset_ns = %lld", AT(-10800));
	fixture_sql(&fixture,
		    "INSERT INTO clock VALUES (1, %lld, %lld), (1, %lld, %lld), (1, %lld, %lld)",
		    7200 * S, AT(0), 8000 * S, AT(2), 9000 * S, AT(1));
	add_time(AT(-10000), AT(7300), NULL);
	expect_one(AT(-3600), AT(0));
	add_time(AT(100), AT(6000), NULL);
	ck_assert(is_complete(&c));
	/* Small steps, there and back. */
	add_time(AT(7300), AT(9500), NULL);
	ck_assert(is_complete(&c));
}
END_TEST

/* Two seconds back: the first that was shown is not the first by the clock as it was later. */
START_TEST(clock_corrected)
{
	fixture_sql(&fixture, "INSERT INTO clock VALUES (1, %lld, %lld)", 500 * S, AT(-2));
	add_time(UNKNOWN, AT(900), NULL);
	ck_assert(is_complete(&c));
	add_time(UNKNOWN, AT(900), only_first);
	ck_assert(is_complete(&c));
	add_time(AT(10), UNKNOWN, NULL);
	ck_assert(is_complete(&c));
}
END_TEST

/* A boot that is not asked for covers nothing, wherever its clock was. */
START_TEST(clock_of_another_boot)
{
	with_a_late_clock(20 * S);
	fixture_sql(&fixture,
		    "UPDATE clock SET offset_ns = %lld WHERE boot = 2 AND from_boot_ns = 0",
		    AT(3000));
	add_time(AT(900), AT(4000), NULL);
	ck_assert_uint_eq(c.count, 2);
	add_time(AT(900), AT(4000), only_first);
	expect_one(AT(1000), AT(4000));
}
END_TEST

START_TEST(yet_to_come)
{
	add_time(NOW + S, NOW + 2 * S, NULL);
	ck_assert_uint_eq(c.count, 1);
	ck_assert_int_eq(c.item[0].kind, MISSING_NOT_RECORDED);
	ck_assert(c.item[0].to_come);
	ck_assert_int_eq(c.item[0].from_unix_ns, NOW + S);
	ck_assert_int_eq(c.item[0].to_unix_ns, NOW + 2 * S);
	add_time(NOW + S, UNKNOWN, NULL);
	ck_assert_uint_eq(c.count, 1);
	ck_assert(c.item[0].to_come);
	ck_assert_int_eq(c.item[0].to_unix_ns, UNKNOWN);
	/* Up to now nobody did, later nobody can have. */
	add_time(AT(863000), NOW + S, NULL);
	ck_assert_uint_eq(c.count, 2);
	ck_assert(!c.item[0].to_come);
	ck_assert_int_eq(c.item[0].from_unix_ns, AT(864000));
	ck_assert_int_eq(c.item[0].to_unix_ns, NOW);
	ck_assert(c.item[1].to_come);
	ck_assert_int_eq(c.item[1].from_unix_ns, NOW);
	add_time(NOW, NOW + 1, NULL);
	expect_one(NOW, NOW + 1);
	/* Behind the record, but not now. */
	add_time(AT(865000), UNKNOWN, NULL);
	expect_one(AT(865000), UNKNOWN);
	add_time(AT(863000), UNKNOWN, NULL);
	ck_assert(is_complete(&c));
}
END_TEST

static const struct ask_case to_come_cases[] = {
	{"window --db %s --since '2100-01-01'", 1,
	 "nothing was recorded yet from 2100-01-01 00:00:00.000", "ran throughout"},
	{"window --db %s --since '2100-01-01' --strict", 4, "incomplete", NULL},
	{"search --db %s --since '2100-01-01' --until '2100-01-02' --strict", 4,
	 "nothing was recorded yet from 2100-01-01 00:00:00.000 to 2100-01-02", NULL},
	{"window --db %s --since '2026-11-20' --until '2100-01-01' --strict", 4,
	 "nothing was recorded yet from ", NULL},
	{"tree --db %s --at '2100-01-01' --strict", 4, "nothing was recorded yet from ", NULL},
	{"tree --db %s 1 --at '2100-01-01' --parent birth --strict", 4,
	 "nothing was recorded yet from ", NULL},
	{"window --db %s --since '2026-11-20' --until '2026-11-20 01:00' --strict", 0, "complete",
	 "yet"},
};

START_TEST(asks_what_is_to_come)
{
	fixture_deinit(&fixture);
	fixture_small(&fixture);
	ask(&fixture, &to_come_cases[_i]);
}
END_TEST

static struct process *process(int64_t id)
{
	struct process *p;

	ck_assert_int_eq(query_process(query, id, &p), 0);
	return p;
}

static void add_line(int64_t id)
{
	struct process_list line = {0};

	completeness_deinit(&c);
	ck_assert_int_eq(query_ancestors(query, process(id), 0, &line), 0);
	ck_assert_int_eq(completeness_add_line(&c, process(id), &line), 0);
	ck_assert_int_eq(completeness_end_processes(&c), 0);
	process_list_deinit(&line);
}

/* What an ancestor was when its child was born may be lost long before the child is. */
START_TEST(line_of_ancestors)
{
	int64_t init, shell;

	init = fixture_process(&fixture,
			       &(struct fixture_process){.pid = 1,
							 .exe = "/sbin/init",
							 .birth = PROVENANCE_SNAPSHOT,
							 .image_provenance = PROVENANCE_SNAPSHOT});
	shell = fixture_process(
		&fixture, &(struct fixture_process){
				  .pid = 200, .start_ns = 100 * S, .parent = init, .exe = "/x"});
	fixture_process(&fixture,
			&(struct fixture_process){
				.pid = 201, .start_ns = 130 * S, .parent = shell, .exe = "/y"});
	fixture_process(&fixture,
			&(struct fixture_process){
				.pid = 202, .start_ns = 110 * S, .parent = shell, .exe = "/y"});
	fixture_process(&fixture,
			&(struct fixture_process){
				.pid = 203, .start_ns = 110 * S, .parent = 99, .exe = "/y"});
	fixture_process(&fixture,
			&(struct fixture_process){
				.pid = 204, .start_ns = 143 * S, .parent = init, .exe = "/z"});
	fixture_sql(&fixture, "UPDATE recorder_row SET started_boot_ns = %lld", 50 * S);
	fixture_sql(&fixture,
		    "INSERT INTO gap_row VALUES (1, 1, 'database_begun', NULL, 0, %lld, NULL, "
		    "NULL, NULL, 0, NULL), (2, 1, 'ring_full', 0, %lld, %lld, 5, 7, 3, 0, NULL)",
		    51 * S, 120 * S, 121 * S);
	fixture_sql(&fixture,
		    "INSERT INTO gap_row VALUES (3, 1, 'recorder_down', NULL, %lld, %lld, NULL, "
		    "NULL, NULL, 0, NULL)",
		    141 * S, 142 * S);
	add_range(AT(130), AT(140));
	ck_assert(is_complete(&c));
	add_line(3);
	ck_assert_uint_eq(c.count, 1);
	ck_assert_int_eq(c.item[0].lost, 3);
	/* What a snapshot found is so from the beginning of the recording, when programs had been
	 * attached by the run that had started. */
	add_line(4);
	ck_assert(is_complete(&c));
	add_line(6);
	ck_assert_uint_eq(c.count, 2);
	ck_assert_int_eq(c.item[0].gap_id, 2);
	ck_assert_int_eq(c.item[1].gap_id, 3);
	add_line(5);
	ck_assert_uint_eq(c.count, 1);
	ck_assert_int_eq(c.item[0].kind, MISSING_UNKNOWN);
}
END_TEST

/* Of a gap that two ranges touch there is one. */
START_TEST(told_once)
{
	fixture_sql(&fixture,
		    "INSERT INTO gap_row VALUES (1, 1, 'ring_full', 0, %lld, %lld, 5, 7, 3, 0, "
		    "NULL)",
		    100 * S, 200 * S);
	add_range(AT(100), AT(150));
	add_range(AT(150), AT(300));
	ck_assert_uint_eq(c.count, 1);
}
END_TEST

START_TEST(unknown_processes)
{
	struct process_list list = {0};
	struct process *p;

	fixture_process(&fixture, &(struct fixture_process){
					  .pid = 7, .start_ns = S, .birth = PROVENANCE_INFERRED});
	fixture_process(&fixture, &(struct fixture_process){.pid = 8, .start_ns = S, .parent = 1});
	fixture_process(&fixture,
			&(struct fixture_process){
				.pid = 9, .start_ns = S, .exe = "/bin/y", .args = "[\"y\"]"});
	add_range(AT(1), AT(2));
	for (int id = 1; id <= 3; id++) {
		ck_assert_int_eq(query_process(query, id, &p), 0);
		ck_assert_int_eq(process_list_add(&list, p), 0);
	}
	ck_assert_int_eq(completeness_add_processes(&c, &list), 0);
	ck_assert_uint_eq(c.count, 1);
	ck_assert_int_eq(c.item[0].kind, MISSING_UNKNOWN);
	ck_assert_int_eq(c.item[0].count, 2);
	process_list_deinit(&list);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("complete");
	TCase *tcase = tcase_create("complete");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, nothing_missing);
	tcase_add_test(tcase, gap_that_touches);
	tcase_add_test(tcase, gap_that_healed);
	tcase_add_test(tcase, before_and_after_recording);
	tcase_add_test(tcase, between_runs);
	tcase_add_test(tcase, downtime_with_gap);
	tcase_add_test(tcase, another_boot);
	tcase_add_test(tcase, truncated_and_pruned);
	tcase_add_test(tcase, unknown_processes);
	tcase_add_test(tcase, pruned_in_time);
	tcase_add_test(tcase, one_boot);
	tcase_add_test(tcase, line_of_ancestors);
	tcase_add_test(tcase, told_once);
	tcase_add_test(tcase, clock_set_late);
	tcase_add_test(tcase, gap_before_the_clock);
	tcase_add_test(tcase, clock_set_back);
	tcase_add_test(tcase, clock_set_forward);
	tcase_add_test(tcase, clock_corrected);
	tcase_add_test(tcase, clock_of_another_boot);
	tcase_add_test(tcase, yet_to_come);
	tcase_add_loop_test(tcase, asks_what_is_to_come, 0,
			    sizeof(to_come_cases) / sizeof(to_come_cases[0]));
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
