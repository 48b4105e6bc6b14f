/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/clock.c. */
#include "suite.h"

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

int main(void)
{
	const TTest *const tests[] = {test_steps, test_drift, test_offset};

	return SUITE_RUN("clock", tests);
}
