/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/clock.c, and of what a step leaves in the database. */
#include "suite.h"
#include "synthetic.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/clock.h"

START_TEST(test_steps)
{
	struct clock_state c = {0};

	ck_assert(clock_stepped(&c, 5000000000));
	ck_assert_int_eq(c.offset_ns, 5000000000);
	ck_assert(!clock_stepped(&c, 5000000000));
	ck_assert(!clock_stepped(&c, 5000000000 + CLOCK_STEP_NS - 1));
	ck_assert(!clock_stepped(&c, 5000000000 - CLOCK_STEP_NS + 1));
	ck_assert_int_eq(c.offset_ns, 5000000000);
	ck_assert(clock_stepped(&c, 5000000000 + CLOCK_STEP_NS));
	ck_assert(clock_stepped(&c, -7));
	ck_assert_int_eq(c.offset_ns, -7);
}
END_TEST

/* Small steps add up: many of them are one that is told. */
START_TEST(test_drift)
{
	struct clock_state c = {0};
	int told = 0;

	clock_stepped(&c, 0);
	for (int i = 1; i <= 100; i++)
		told += clock_stepped(&c, i * CLOCK_STEP_NS / 10);
	ck_assert_int_eq(told, 10);
}
END_TEST

START_TEST(test_offset)
{
	struct timespec now;
	int64_t wall, error;

	clock_gettime(CLOCK_REALTIME, &now);
	wall = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	error = (int64_t)clock_boot_ns() + clock_read_offset() - wall;
	ck_assert_int_ge(error, 0);
	ck_assert_int_lt(error, 1000000000);
	ck_assert_uint_le(clock_monotonic_ns(), clock_boot_ns());
}
END_TEST

static struct synthetic s;

/*
 * As if the clock had shown another time until now. What happened before keeps the time that was
 * shown then.
 */
static void step(int64_t by_ns)
{
	char sql[128];

	snprintf(sql, sizeof(sql), "UPDATE clock SET offset_ns = offset_ns - %lld",
		 (long long)by_ns);
	ck_assert_int_eq(sqlite3_exec(s.recorder.store.db, sql, NULL, NULL, NULL), SQLITE_OK);
	s.recorder.clock.offset_ns -= by_ns;
}

#define DAY_NS 86400000000000LL

static void step_while_recording(int64_t by_ns)
{
	struct lineage_key before, after, shell;
	int64_t shown, ms;

	ck_assert_int_eq(synthetic_init(&s, 1u << 16), 0);
	synthetic_start(&s);
	before = synthetic_key(&s, 1000, 1000);
	shell = synthetic_key(&s, 100, 0);
	shown = clock_read_offset() + (int64_t)s.base_ns - by_ns;
	synthetic_fork(&s, 0, before, shell, "sh");
	synthetic_drain(&s);
	step(by_ns);
	ck_assert_int_eq(recorder_tick(&s.recorder), 0);
	ms = (int64_t)(clock_boot_ns() - s.base_ns) / 1000000 + 1;
	after = synthetic_key(&s, 1001, ms);
	synthetic_fork(&s, 0, after, shell, "sh");
	synthetic_exit(&s, 0, before, shell, ms + 1, 0);
	synthetic_drain(&s);
	/* One row, and no more as long as the clock goes on as it does. */
	ck_assert_int_eq(recorder_tick(&s.recorder), 0);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT count(*), (max(offset_ns) - min(offset_ns) + "
					    "500000000) / 1000000000 FROM clock"),
			 "2|86400");
	ck_assert_str_eq(
		synthetic_rows(&s,
			       "SELECT pid, (start_unix_ns - %lld + 500000000) / "
			       "1000000000 FROM process WHERE pid >= 1000 ORDER BY pid",
			       (long long)(shown)),
		synthetic_sql(&s, "SELECT '1000|1' || char(10) || '1001|' || %lld",
			      (long long)((by_ns + ms * 1000000 + 500000000) / 1000000000)));
	/* Its end is by the new clock: the times of day may go backwards, its lifetime does not. */
	ck_assert_str_eq(
		synthetic_rows(&s,
			       "SELECT lifetime_ns, (unix_ns - %lld + 500000000) / "
			       "1000000000 FROM exit",
			       (long long)shown),
		synthetic_sql(&s, "SELECT %lld || '|' || %lld",
			      (long long)((ms + 1 - 1000) * 1000000),
			      (long long)((by_ns + (ms + 1) * 1000000 + 500000000) / 1000000000)));
	/* A restart goes on by the latest. */
	synthetic_kill(&s);
	synthetic_start(&s);
	ck_assert_str_eq(synthetic_sql(&s, "SELECT count(*) FROM clock"), "2");
	synthetic_prove(&s);
	synthetic_deinit(&s);
}

START_TEST(test_a_clock_that_is_set_forward)
{
	step_while_recording(DAY_NS);
}
END_TEST

START_TEST(test_a_clock_that_is_set_back)
{
	step_while_recording(-DAY_NS);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_steps,
		test_drift,
		test_offset,
		test_a_clock_that_is_set_forward,
		test_a_clock_that_is_set_back,
	};

	return synthetic_possible() ? SUITE_RUN("clock", tests) : SUITE_SKIPPED;
}
