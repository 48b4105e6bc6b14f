/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "cli/losses.h"
#include "ask.h"
#include "judged.h"
#include "suite.h"

START_TEST(nothing_missing)
{
	judge_range(AT(10), AT(20));
	ck_assert(is_complete(&judged));
	ck_assert_ptr_null(judged.filter);
}
END_TEST

START_TEST(gap_that_touches)
{
	fixture_sql(
		&fixture,
		"INSERT INTO gap_row VALUES (1, 1, 'ring_full', 0, %lld, %lld, 5, 41, 37, 0, NULL)",
		100 * S, 101 * S);
	judge_range(AT(10), AT(20));
	ck_assert(is_complete(&judged));
	judge_range(AT(102), AT(103));
	ck_assert(is_complete(&judged));
	judge_range(AT(20), AT(100) + 1);
	ck_assert_uint_eq(judged.count, 1);
	ck_assert_int_eq(judged.item[0].kind, MISSING_GAP);
	ck_assert_str_eq(judged.item[0].cause, "ring_full");
	ck_assert_int_eq(judged.item[0].lost, 37);
	ck_assert_int_eq(judged.item[0].from_unix_ns, AT(100));
	completeness_deinit(&judged);
	judge_range(AT(101), AT(103)); /* its last moment counts */
	ck_assert_uint_eq(judged.count, 1);
}
END_TEST

START_TEST(gap_that_healed)
{
	fixture_sql(
		&fixture,
		"INSERT INTO gap_row VALUES (1, 1, 'ring_full', 0, 5, 6, NULL, NULL, 0, 9, NULL)");
	judge_range(AT(0), AT(20));
	ck_assert(is_complete(&judged));
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
	judge_range(AT(1), AT(2));
	for (int id = 1; id <= 2; id++) {
		ck_assert_int_eq(query_process(query, id, &p), 0);
		ck_assert_int_eq(process_list_add(&list, p), 0);
	}
	ck_assert_int_eq(query_load_pruned(query, &list), 0);
	ck_assert_int_eq(completeness_add_processes(&judged, &list), 0);
	ck_assert_uint_eq(judged.count, 2);
	ck_assert_int_eq(judged.item[0].kind, MISSING_TRUNCATED);
	ck_assert_str_eq(judged.item[0].name, "x(7)");
	ck_assert_int_eq(judged.item[1].kind, MISSING_PRUNED);
	ck_assert_int_eq(judged.item[1].count, 214);
	ck_assert_str_eq(judged.item[1].name, "y(8)");
	process_list_deinit(&list);
}
END_TEST

/* Under a parent or under none: who lived in the time asked for may be among them. */
START_TEST(pruned_in_time)
{
	fixture_sql(
		&fixture,
		"INSERT INTO pruned_row VALUES (2, 500, 1, %lld, %lld), (-1, 70, 1, %lld, %lld)",
		200 * S, 3000 * S, 2000 * S, 4000 * S);
	judge_time(AT(10), AT(200), NULL);
	ck_assert(is_complete(&judged));
	judge_time(AT(600), AT(1200), NULL);
	ck_assert_uint_eq(judged.count, 1);
	ck_assert_int_eq(judged.item[0].kind, MISSING_PRUNED);
	ck_assert_int_eq(judged.item[0].count, 500);
	ck_assert_int_eq(judged.item[0].from_unix_ns, AT(200));
	ck_assert_int_eq(judged.item[0].to_unix_ns, AT(3000));
	judge_time(UNKNOWN, AT(5000), NULL);
	ck_assert_int_eq(judged.item[0].count, 570);
	ck_assert_int_eq(judged.item[0].to_unix_ns, AT(4000));
	judge_time(AT(4000), AT(5000), NULL); /* its last moment counts */
	ck_assert_int_eq(judged.item[0].count, 70);
	judge_time(AT(4001), AT(5000), NULL);
	ck_assert(is_complete(&judged));
}
END_TEST

/* Of who stays: in the time that the image lasted, or in its whole life. */
START_TEST(pruned_execs)
{
	struct process_list list = {0};
	struct process *p;

	fixture_process(&fixture,
			&(struct fixture_process){
				.pid = 8, .start_ns = S, .exe = "/bin/y", .args = "[\"y\"]"});
	fixture_sql(&fixture,
		    "INSERT INTO pruned_exec VALUES (1, 0, 9, 1, %lld, %lld, %lld), (1, 1, 4, 1, "
		    "%lld, %lld, %lld)",
		    100 * S, 200 * S - 1, 170 * S, 150 * S, 160 * S, 160 * S);
	judge_time(AT(10), AT(100), NULL);
	ck_assert(is_complete(&judged));
	judge_time(AT(200), AT(300), NULL);
	ck_assert(is_complete(&judged));
	judge_time(AT(160), AT(161), NULL); /* its last moment counts */
	ck_assert_uint_eq(judged.count, 2);
	judge_time(AT(199), AT(300), NULL);
	ck_assert_uint_eq(judged.count, 1);
	ck_assert_int_eq(judged.item[0].kind, MISSING_PRUNED_EXECS);
	ck_assert_int_eq(judged.item[0].count, 9);
	ck_assert_str_eq(judged.item[0].name, "y(8)");
	ck_assert_int_eq(query_process(query, 1, &p), 0);
	ck_assert_int_eq(process_list_add(&list, p), 0);
	ck_assert_int_eq(query_load_pruned(query, &list), 0);
	/* What is shown adds nothing to what was told of the time. */
	ck_assert_int_eq(completeness_add_processes(&judged, &list), 0);
	ck_assert_uint_eq(judged.count, 1);
	completeness_deinit(&judged);
	ck_assert_int_eq(completeness_add_processes(&judged, &list), 0);
	ck_assert_uint_eq(judged.count, 2);
	ck_assert_int_eq(judged.item[1].kind, MISSING_PRUNED_FAILURES);
	ck_assert_int_eq(judged.item[1].count, 4);
	ck_assert_int_eq(judged.item[1].from_unix_ns, AT(150));
	ck_assert_int_eq(judged.item[1].to_unix_ns, AT(160));
	process_list_deinit(&list);
}
END_TEST

/* Boots of which nothing is left: that something was removed, and not that nothing was recorded. */
START_TEST(forgotten_boots)
{
	fixture_sql(&fixture, "INSERT INTO pruned_row VALUES (0, 70, 0, %lld, %lld)", AT(-500),
		    AT(-100));
	judge_time(AT(-400), AT(-300), NULL);
	ck_assert_uint_eq(judged.count, 1);
	ck_assert_int_eq(judged.item[0].kind, MISSING_PRUNED);
	ck_assert_int_eq(judged.item[0].count, 70);
	ck_assert_int_eq(judged.item[0].from_unix_ns, AT(-500));
	judge_time(AT(-90), AT(-80), NULL);
	ck_assert_uint_eq(judged.count, 1);
	ck_assert_int_eq(judged.item[0].kind, MISSING_NOT_RECORDED);
	judge_time(UNKNOWN, AT(10), NULL);
	ck_assert_uint_eq(judged.count, 2);
	ck_assert_int_eq(judged.item[1].from_unix_ns, AT(-100));
	ck_assert_int_eq(judged.item[1].to_unix_ns, AT(0));
	judge_time(AT(1), AT(10), NULL);
	ck_assert(is_complete(&judged));
}
END_TEST

/* Each covers its own time, and nothing between them; two that overlap are told as one. */
START_TEST(forgotten_boots_apart)
{
	fixture_sql(
		&fixture,
		"INSERT INTO pruned_row VALUES (-9, 70, 0, %lld, %lld), (-8, 5, 0, 20000000000, "
		"900000000000), (-10, 6, 0, %lld, %lld), (-11, 2, 0, %lld, %lld)",
		AT(-900), AT(-800), AT(-500), AT(-400), AT(-450), AT(-300));
	judge_time(AT(-700), AT(-600), NULL);
	ck_assert_uint_eq(judged.count, 1);
	ck_assert_int_eq(judged.item[0].kind, MISSING_NOT_RECORDED);
	ck_assert_int_eq(judged.item[0].from_unix_ns, AT(-700));
	judge_time(AT(-850), AT(-350), NULL);
	ck_assert_uint_eq(judged.count, 3);
	ck_assert_int_eq(judged.item[0].count, 70);
	ck_assert_int_eq(judged.item[0].to_unix_ns, AT(-800));
	ck_assert_int_eq(judged.item[1].count, 8);
	ck_assert_int_eq(judged.item[1].to_unix_ns, AT(-300));
	ck_assert_int_eq(judged.item[2].kind, MISSING_NOT_RECORDED);
	ck_assert_int_eq(judged.item[2].from_unix_ns, AT(-800));
	ck_assert_int_eq(judged.item[2].to_unix_ns, AT(-500));
}
END_TEST

/* At 1000 s set back by 500: what was shown twice is missing once. */
static void with_a_clock_set_back(void)
{
	fixture_process(&fixture,
			&(struct fixture_process){
				.pid = 8, .start_ns = S, .exe = "/bin/y", .args = "[\"y\"]"});
	fixture_sql(&fixture, "INSERT INTO clock VALUES (1, %lld, %lld)", 1000 * S, AT(-500));
	fixture_sql(&fixture, "INSERT INTO pruned_row VALUES (-1, 9, 1, %lld, %lld)", 700 * S,
		    1200 * S);
	fixture_sql(&fixture,
		    "INSERT INTO pruned_exec VALUES (1, 0, 36, 1, %lld, %lld, %lld), (1, 1, 7, 1, "
		    "%lld, %lld, %lld)",
		    650 * S, 1150 * S, 1140 * S, 660 * S, 1160 * S, 1160 * S);
}

START_TEST(pruned_under_a_clock_set_back)
{
	with_a_clock_set_back();
	judge_time(AT(600), AT(900), NULL);
	ck_assert_uint_eq(judged.count, 3);
	ck_assert_int_eq(judged.item[0].kind, MISSING_PRUNED);
	ck_assert_int_eq(judged.item[0].count, 9);
	/* From the first to the last that the clock showed. */
	ck_assert_int_eq(judged.item[0].from_unix_ns, AT(500));
	ck_assert_int_eq(judged.item[0].to_unix_ns, AT(1000) - 1);
	ck_assert_int_eq(judged.item[1].kind, MISSING_PRUNED_EXECS);
	ck_assert_int_eq(judged.item[1].count, 36);
	ck_assert_int_eq(judged.item[2].kind, MISSING_PRUNED_FAILURES);
	ck_assert_int_eq(judged.item[2].count, 7);
	/* At 750 s and at 1250 s; the latter is after all of it. */
	judge_time(AT(750), AT(751), NULL);
	ck_assert_uint_eq(judged.count, 3);
	judge_time(AT(1000), AT(1100), NULL);
	ck_assert(is_complete(&judged));
}
END_TEST

/* Numbers that no recorder writes. */
START_TEST(pruned_beyond_all_numbers)
{
	static const struct ask_case status = {"status --db %s | grep pruned", 0,
					       "9223372036854775807", NULL};
	struct process_list list = {0};
	struct process *p;

	for (int pid = 7; pid <= 8; pid++)
		fixture_process(&fixture, &(struct fixture_process){
						  .pid = pid, .start_ns = S, .exe = "/bin/y"});
	fixture_sql(
		&fixture,
		"INSERT INTO pruned_exec VALUES (1, 0, %lld, 1, 0, 5, 5), (2, 0, %lld, 1, 0, 5, "
		"5), (1, 1, -3, 1, 0, 5, 5); INSERT INTO pruned_row VALUES (1, %lld, 1, 0, 5), "
		"(2, %lld, 1, 0, 5)",
		INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX);
	judge_time(UNKNOWN, UNKNOWN, NULL);
	ask(&fixture, &status);
	ck_assert_uint_eq(judged.count, 2);
	ck_assert_int_eq(judged.item[0].count, INT64_MAX);
	ck_assert_int_eq(judged.item[1].count, INT64_MAX);
	completeness_deinit(&judged);
	for (int id = 1; id <= 2; id++) {
		ck_assert_int_eq(query_process(query, id, &p), 0);
		ck_assert_int_eq(process_list_add(&list, p), 0);
	}
	ck_assert_int_eq(query_load_pruned(query, &list), 0);
	ck_assert_int_eq(completeness_add_processes(&judged, &list), 0);
	ck_assert_uint_eq(judged.count, 2);
	ck_assert_int_eq(judged.item[0].count, INT64_MAX);
	ck_assert_int_eq(judged.item[1].count, INT64_MAX);
	process_list_deinit(&list);
}
END_TEST

static int count_told(const struct missing *missing, int64_t gap_id, void *userdata)
{
	*(int *)userdata += 1;
	return 0;
}

static int told_since(int64_t unix_ns)
{
	const struct cursor cursor = {.last_unix_ns = unix_ns};
	int told = 0;

	ck_assert_int_eq(losses_since(query, &cursor, AT(1000), count_told, &told), 0);
	return told;
}

/* Who has told up to a time told the images of before, however long the last of them lasted. */
START_TEST(pruned_since_a_cursor)
{
	fixture_sql(&fixture, "INSERT INTO pruned_exec VALUES (1, 0, 9, 1, %lld, %lld, %lld)",
		    100 * S, 200 * S - 1, 170 * S);
	judge_time(AT(180), AT(1000), NULL);
	ck_assert_uint_eq(judged.count, 1);
	ck_assert_int_eq(told_since(AT(180)), 0);
	ck_assert_int_eq(told_since(AT(170)), 1);
}
END_TEST

/* What one database says of a time is not said of another. */
START_TEST(two_databases)
{
	struct fixture other;
	struct query *second;

	fixture_sql(&fixture,
		    "INSERT INTO gap_row VALUES (1, 1, 'ring_full', 0, 0, %lld, 5, 41, 37, 0, "
		    "NULL)",
		    60 * S);
	judge_range(AT(10), AT(100));
	fixture_init(&other);
	fixture_sql(&other, "UPDATE recorder_row SET started_boot_ns = %lld", 50 * S);
	fixture_finish(&other);
	ck_assert_int_eq(query_open(other.path, QUERY_DETAIL_LINE, &second), 0);
	ck_assert_int_eq(completeness_add_range(&judged, second, AT(10), AT(100), NOW, NULL), 0);
	ck_assert_uint_eq(judged.count, 2);
	ck_assert_int_eq(judged.item[1].kind, MISSING_NOT_RECORDED);
	query_free(second);
	fixture_deinit(&other);
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
	judge_time(UNKNOWN, UNKNOWN, only_second);
	ck_assert(is_complete(&judged));
	judge_time(UNKNOWN, UNKNOWN, NULL);
	ck_assert_uint_eq(judged.count, 3);
	/* Within its boot it is still told that nothing was recorded. */
	judge_time(AT(0), AT(865050), only_second);
	ck_assert_uint_eq(judged.count, 1);
	ck_assert_int_eq(judged.item[0].from_unix_ns, AT(865000));
	ck_assert_int_eq(judged.item[0].to_unix_ns, AT(865005));
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

	completeness_deinit(&judged);
	ck_assert_int_eq(query_ancestors(query, process(id), 0, &line), 0);
	ck_assert_int_eq(completeness_add_line(&judged, process(id), &line), 0);
	ck_assert_int_eq(completeness_end_processes(&judged), 0);
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
	judge_range(AT(130), AT(140));
	ck_assert(is_complete(&judged));
	add_line(3);
	ck_assert_uint_eq(judged.count, 1);
	ck_assert_int_eq(judged.item[0].lost, 3);
	/* What a snapshot found is so from the beginning of the recording, when programs had been
	 * attached by the run that had started. */
	add_line(4);
	ck_assert(is_complete(&judged));
	add_line(6);
	ck_assert_uint_eq(judged.count, 2);
	ck_assert_int_eq(judged.item[0].gap_id, 2);
	ck_assert_int_eq(judged.item[1].gap_id, 3);
	add_line(5);
	ck_assert_uint_eq(judged.count, 1);
	ck_assert_int_eq(judged.item[0].kind, MISSING_UNKNOWN);
}
END_TEST

/* Of a gap that two ranges touch there is one. */
START_TEST(told_once)
{
	fixture_sql(&fixture,
		    "INSERT INTO gap_row VALUES (1, 1, 'ring_full', 0, %lld, %lld, 5, 7, 3, 0, "
		    "NULL)",
		    100 * S, 200 * S);
	judge_range(AT(100), AT(150));
	judge_range(AT(150), AT(300));
	ck_assert_uint_eq(judged.count, 1);
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
	judge_range(AT(1), AT(2));
	for (int id = 1; id <= 3; id++) {
		ck_assert_int_eq(query_process(query, id, &p), 0);
		ck_assert_int_eq(process_list_add(&list, p), 0);
	}
	ck_assert_int_eq(completeness_add_processes(&judged, &list), 0);
	ck_assert_uint_eq(judged.count, 1);
	ck_assert_int_eq(judged.item[0].kind, MISSING_UNKNOWN);
	ck_assert_int_eq(judged.item[0].count, 2);
	process_list_deinit(&list);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		forgotten_boots_apart,
		pruned_under_a_clock_set_back,
		pruned_beyond_all_numbers,
		pruned_since_a_cursor,
		nothing_missing,
		gap_that_touches,
		gap_that_healed,
		truncated_and_pruned,
		pruned_in_time,
		pruned_execs,
		forgotten_boots,
		two_databases,
		one_boot,
		line_of_ancestors,
		told_once,
		unknown_processes,
	};

	return SUITE_RUN_IN("complete", tests, judge_setup, judge_teardown);
}
