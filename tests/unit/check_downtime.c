/* SPDX-License-Identifier: Apache-2.0 */
/* Times without a recorder, as answers tell of them. */
#include "ask.h"
#include "judged.h"
#include "suite.h"

START_TEST(before_and_after_recording)
{
	judge_range(AT(-100), AT(20));
	ck_assert_uint_eq(judged.count, 1);
	ck_assert_int_eq(judged.item[0].kind, MISSING_NOT_RECORDED);
	ck_assert_int_eq(judged.item[0].from_unix_ns, AT(-100));
	ck_assert_int_eq(judged.item[0].to_unix_ns, AT(0));
	judge_range(AT(863000), AT(865000));
	ck_assert_uint_eq(judged.count, 2);
	ck_assert_int_eq(judged.item[1].from_unix_ns, AT(864000));
	/* What is yet to come nobody can have recorded: up to now. */
	judge_range(AT(863000), AT(9000000));
	ck_assert_int_eq(judged.item[2].to_unix_ns, NOW);
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
	judge_range(AT(90), AT(210));
	ck_assert(is_complete(&judged));
	ck_assert_str_eq(judged.filter, "cgroup /x");
}
END_TEST

/* As a daemon writes that comes after its boot has begun. */
static void with_a_gap(int boot, int64_t started_ns)
{
	fixture_sql(
		&fixture,
		"INSERT INTO gap_row VALUES (1, %d, 'recorder_down', NULL, 0, %lld, NULL, NULL, "
		"NULL, 0, NULL)",
		boot, started_ns);
}

/* A gap that tells of the downtime is told once. */
START_TEST(downtime_with_gap)
{
	with_a_gap(1, 50 * S);
	fixture_sql(&fixture, "UPDATE recorder_row SET started_boot_ns = %lld", 50 * S);
	judge_range(AT(10), AT(100));
	ck_assert_uint_eq(judged.count, 1);
	ck_assert_int_eq(judged.item[0].kind, MISSING_GAP);
	ck_assert_int_eq(judged.item[0].lost, UNKNOWN);
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
	judge_range(AT(863990), AT(865050));
	ck_assert_uint_eq(judged.count, 1);
	ck_assert_int_eq(judged.item[0].from_unix_ns, AT(864000));
	ck_assert_int_eq(judged.item[0].to_unix_ns, AT(865005));
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
	ck_assert_uint_eq(judged.count, 1);
	ck_assert_int_eq(judged.item[0].kind, MISSING_NOT_RECORDED);
	ck_assert(!judged.item[0].to_come);
	ck_assert_int_eq(judged.item[0].from_unix_ns, from);
	ck_assert_int_eq(judged.item[0].to_unix_ns, to);
}

/* A boot covers what it lasted, not all from 1970 on. */
START_TEST(clock_set_late)
{
	with_a_late_clock(20 * S);
	judge_time(AT(900), AT(6000), NULL);
	expect_one(AT(1000), AT(5020));
	judge_time(AT(5030), AT(6000), NULL);
	ck_assert(is_complete(&judged));
	judge_time(AT(2000), AT(3000), NULL);
	expect_one(AT(2000), AT(3000));
	judge_time(UNKNOWN, UNKNOWN, NULL);
	expect_one(AT(1000), AT(5020));
	judge_time(UNKNOWN, AT(6000), NULL);
	expect_one(AT(1000), AT(5020));
	judge_time(AT(900), UNKNOWN, NULL);
	expect_one(AT(1000), AT(5020));
	judge_time(UNKNOWN, UNKNOWN, only_second);
	ck_assert(is_complete(&judged));
	judge_time(UNKNOWN, AT(6000), only_second);
	ck_assert(is_complete(&judged));
	judge_time(AT(0), AT(6000), only_second);
	expect_one(AT(5000), AT(5020));
}
END_TEST

/* Nor does a gap at its beginning. */
START_TEST(gap_before_the_clock)
{
	with_a_late_clock(120 * S);
	with_a_gap(2, 120 * S);
	judge_time(AT(900), AT(6000), NULL);
	ck_assert_uint_eq(judged.count, 2);
	ck_assert_int_eq(judged.item[0].kind, MISSING_GAP);
	ck_assert_int_eq(judged.item[1].from_unix_ns, AT(1000));
	ck_assert_int_eq(judged.item[1].to_unix_ns, AT(5000));
}
END_TEST

/* Three hours ahead for ten minutes: these are told where the clock put them. */
START_TEST(clock_set_back)
{
	fixture_sql(&fixture, "UPDATE clock SET offset_ns = %lld", AT(10800));
	fixture_sql(&fixture, "INSERT INTO clock VALUES (1, %lld, %lld)", 600 * S, AT(0));
	fixture_sql(&fixture, "UPDATE recorder_row SET last_boot_ns = %lld, stopped_boot_ns = %lld",
		    7200 * S, 7200 * S);
	judge_time(AT(0), AT(1000), NULL);
	expect_one(AT(0), AT(600));
	judge_time(AT(700), AT(900), NULL);
	ck_assert(is_complete(&judged));
	judge_time(AT(7000), AT(20000), NULL);
	ck_assert_uint_eq(judged.count, 2);
	ck_assert_int_eq(judged.item[0].from_unix_ns, AT(7200));
	ck_assert_int_eq(judged.item[0].to_unix_ns, AT(10800));
	ck_assert_int_eq(judged.item[1].from_unix_ns, AT(11400));
	judge_time(UNKNOWN, UNKNOWN, NULL);
	ck_assert(is_complete(&judged));
}
END_TEST

/* In 1970 at first: that does not say that all until the record was recorded. */
START_TEST(before_a_clock_that_was_behind)
{
	fixture_sql(&fixture, "UPDATE clock SET offset_ns = 0");
	fixture_sql(&fixture, "INSERT INTO clock VALUES (1, %lld, %lld)", 20 * S, AT(0));
	judge_time(UNKNOWN, AT(-100), NULL);
	expect_one(20 * S, AT(-100));
	judge_time(UNKNOWN, AT(-100), only_first);
	ck_assert(is_complete(&judged));
	judge_time(UNKNOWN, AT(100), NULL);
	ck_assert(is_complete(&judged));
}
END_TEST

/* Years ahead at first: that does not say that what is behind the record was recorded. */
START_TEST(clock_was_ahead)
{
	fixture_sql(&fixture, "UPDATE clock SET offset_ns = %lld", AT(9000000));
	fixture_sql(&fixture, "INSERT INTO clock VALUES (1, %lld, %lld)", 100 * S, AT(0));
	judge_time(AT(863000), UNKNOWN, NULL);
	ck_assert(is_complete(&judged));
	judge_time(AT(865000), UNKNOWN, NULL);
	ck_assert_uint_eq(judged.count, 3);
	ck_assert_int_eq(judged.item[0].from_unix_ns, AT(865000));
	ck_assert_int_eq(judged.item[0].to_unix_ns, NOW);
	ck_assert(judged.item[1].to_come);
	ck_assert_int_eq(judged.item[1].to_unix_ns, AT(9000000));
	ck_assert(judged.item[2].to_come);
	ck_assert_int_eq(judged.item[2].from_unix_ns, AT(9000100));
	ck_assert_int_eq(judged.item[2].to_unix_ns, UNKNOWN);
	judge_time(AT(9000050), UNKNOWN, NULL);
	ck_assert_uint_eq(judged.count, 1);
	ck_assert_int_eq(judged.item[0].from_unix_ns, AT(9000100));
}
END_TEST

/* Three hours behind for two: what the clock left out is no time without a recorder, but before. */
START_TEST(clock_set_forward)
{
	fixture_sql(&fixture, "UPDATE clock SET offset_ns = %lld", AT(-10800));
	fixture_sql(&fixture,
		    "INSERT INTO clock VALUES (1, %lld, %lld), (1, %lld, %lld), (1, %lld, %lld)",
		    7200 * S, AT(0), 8000 * S, AT(2), 9000 * S, AT(1));
	judge_time(AT(-10000), AT(7300), NULL);
	expect_one(AT(-3600), AT(0));
	judge_time(AT(100), AT(6000), NULL);
	ck_assert(is_complete(&judged));
	/* Small steps, there and back. */
	judge_time(AT(7300), AT(9500), NULL);
	ck_assert(is_complete(&judged));
}
END_TEST

/* Two seconds back: the first that was shown is not the first by the clock as it was later. */
START_TEST(clock_corrected)
{
	fixture_sql(&fixture, "INSERT INTO clock VALUES (1, %lld, %lld)", 500 * S, AT(-2));
	judge_time(UNKNOWN, AT(900), NULL);
	ck_assert(is_complete(&judged));
	judge_time(UNKNOWN, AT(900), only_first);
	ck_assert(is_complete(&judged));
	judge_time(AT(10), UNKNOWN, NULL);
	ck_assert(is_complete(&judged));
}
END_TEST

/* A boot that is not asked for covers nothing, wherever its clock was. */
START_TEST(clock_of_another_boot)
{
	with_a_late_clock(20 * S);
	fixture_sql(&fixture,
		    "UPDATE clock SET offset_ns = %lld WHERE boot = 2 AND from_boot_ns = 0",
		    AT(3000));
	judge_time(AT(900), AT(4000), NULL);
	ck_assert_uint_eq(judged.count, 2);
	judge_time(AT(900), AT(4000), only_first);
	expect_one(AT(1000), AT(4000));
}
END_TEST

START_TEST(yet_to_come)
{
	judge_time(NOW + S, NOW + 2 * S, NULL);
	ck_assert_uint_eq(judged.count, 1);
	ck_assert_int_eq(judged.item[0].kind, MISSING_NOT_RECORDED);
	ck_assert(judged.item[0].to_come);
	ck_assert_int_eq(judged.item[0].from_unix_ns, NOW + S);
	ck_assert_int_eq(judged.item[0].to_unix_ns, NOW + 2 * S);
	judge_time(NOW + S, UNKNOWN, NULL);
	ck_assert_uint_eq(judged.count, 1);
	ck_assert(judged.item[0].to_come);
	ck_assert_int_eq(judged.item[0].to_unix_ns, UNKNOWN);
	/* Up to now nobody did, later nobody can have. */
	judge_time(AT(863000), NOW + S, NULL);
	ck_assert_uint_eq(judged.count, 2);
	ck_assert(!judged.item[0].to_come);
	ck_assert_int_eq(judged.item[0].from_unix_ns, AT(864000));
	ck_assert_int_eq(judged.item[0].to_unix_ns, NOW);
	ck_assert(judged.item[1].to_come);
	ck_assert_int_eq(judged.item[1].from_unix_ns, NOW);
	judge_time(NOW, NOW + 1, NULL);
	expect_one(NOW, NOW + 1);
	/* Behind the record, but not now. */
	judge_time(AT(865000), UNKNOWN, NULL);
	expect_one(AT(865000), UNKNOWN);
	judge_time(AT(863000), UNKNOWN, NULL);
	ck_assert(is_complete(&judged));
}
END_TEST

/* Without a beginning: as a time that begins behind all records has no end. */
START_TEST(before_all)
{
	judge_time(UNKNOWN, AT(-100), NULL);
	expect_one(UNKNOWN, AT(-100));
	judge_time(UNKNOWN, AT(0), NULL);
	expect_one(UNKNOWN, AT(0));
	judge_time(UNKNOWN, AT(1), NULL);
	ck_assert(is_complete(&judged));
	/* A boot that is asked for by name had not begun. */
	judge_time(UNKNOWN, AT(-100), only_first);
	ck_assert(is_complete(&judged));
}
END_TEST

/* What retention forgot was recorded. */
START_TEST(before_all_that_is_left)
{
	fixture_sql(&fixture, "INSERT INTO pruned_row VALUES (0, 70, 0, %lld, %lld)", AT(-500),
		    AT(-100));
	judge_time(UNKNOWN, AT(-600), NULL);
	expect_one(UNKNOWN, AT(-600));
	judge_time(UNKNOWN, AT(-300), NULL);
	ck_assert_uint_eq(judged.count, 1);
	ck_assert_int_eq(judged.item[0].kind, MISSING_PRUNED);
	judge_time(UNKNOWN, AT(-50), NULL);
	ck_assert_uint_eq(judged.count, 2);
	ck_assert_int_eq(judged.item[1].kind, MISSING_NOT_RECORDED);
	ck_assert_int_eq(judged.item[1].from_unix_ns, AT(-100));
	ck_assert_int_eq(judged.item[1].to_unix_ns, AT(-50));
}
END_TEST

/* A gap tells of its time itself. */
START_TEST(before_all_but_a_gap)
{
	fixture_sql(&fixture, "UPDATE recorder_row SET started_boot_ns = %lld", 50 * S);
	with_a_gap(1, 50 * S);
	judge_time(UNKNOWN, AT(-100), NULL);
	expect_one(UNKNOWN, AT(-100));
	judge_time(UNKNOWN, AT(30), NULL);
	ck_assert_uint_eq(judged.count, 1);
	ck_assert_int_eq(judged.item[0].kind, MISSING_GAP);
}
END_TEST

static const struct ask_case outside_cases[] = {
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
	{"window --db %s --until '2026-11-19' --strict", 4,
	 "nothing was recorded until 2026-11-19 00:00:00.000", "\ncomplete"},
	{"window --db %s --until '2026-11-20 01:00' --strict", 0, "complete", "nothing was"},
};

START_TEST(asks_outside_of_the_record)
{
	fixture_deinit(&fixture);
	fixture_small(&fixture);
	for (size_t i = 0; i < sizeof(outside_cases) / sizeof(outside_cases[0]); i++)
		ask(&fixture, &outside_cases[i]);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		before_and_after_recording,
		between_runs,
		downtime_with_gap,
		another_boot,
		clock_set_late,
		gap_before_the_clock,
		clock_set_back,
		before_a_clock_that_was_behind,
		clock_was_ahead,
		clock_set_forward,
		clock_corrected,
		clock_of_another_boot,
		yet_to_come,
		before_all,
		before_all_that_is_left,
		before_all_but_a_gap,
		asks_outside_of_the_record,
	};

	return SUITE_RUN_IN("downtime", tests, judge_setup, judge_teardown);
}
