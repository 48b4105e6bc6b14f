/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/switchover.c. Calls of one process unless said otherwise; times around INSTANT.
 */
#include "suite.h"

#include "daemon/switchover.h"

#define INSTANT 1000000000ULL

static struct lineage_key process(uint32_t pid)
{
	return (struct lineage_key){.pid = pid, .start_boot_ns = 77};
}

static int by_old(struct switchover *s, uint32_t pid, int64_t at)
{
	struct lineage_key key = process(pid);

	return switchover_old(s, INSTANT, &key, INSTANT + (uint64_t)at);
}

static int by_new(struct switchover *s, uint32_t pid, int64_t at)
{
	struct lineage_key key = process(pid);

	return switchover_new(s, INSTANT, &key, INSTANT + (uint64_t)at);
}

START_TEST(clear_cases)
{
	struct switchover s = {0};

	ck_assert_int_eq(by_old(&s, 1, -900000000), 1);
	ck_assert_int_eq(by_old(&s, 1, -100), 1);
	ck_assert_int_eq(by_old(&s, 1, 20000), 0);
	ck_assert_int_eq(by_old(&s, 1, 900000000), 0);
	ck_assert_int_eq(by_new(&s, 1, -90), 0);
	ck_assert_int_eq(by_new(&s, 1, 20010), 1);
	/* Only the new one was there. */
	ck_assert_int_eq(by_new(&s, 1, 40000), 1);
	ck_assert_int_eq(by_new(&s, 1, 900000000), 1);
	switchover_deinit(&s);
}
END_TEST

/* Whichever looks at the clock first, and however often it is asked. */
START_TEST(on_its_way_out)
{
	struct switchover s = {0};

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(by_old(&s, 1, -10), 1);
		ck_assert_int_eq(by_old(&s, 2, 10), 0);
	}
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(by_new(&s, 1, 10), 0);
		ck_assert_int_eq(by_new(&s, 2, -10), 1);
	}
	ck_assert_int_eq(by_new(&s, 1, 30), 1);
	switchover_deinit(&s);
}
END_TEST

/* One call follows the other closely: each is told once, wherever the instant falls. */
static void each_once(int64_t first, int64_t later)
{
	struct switchover s = {0};
	int told = 0;

	/* It is detached some time after the instant. */
	for (int64_t i = 0; first + 30 * i < 60; i++)
		told += by_old(&s, 1, first + 30 * i);
	for (int64_t i = 0; i < 15; i++)
		told += by_new(&s, 1, first + 30 * i + later);
	ck_assert_int_eq(told, 15);
	switchover_deinit(&s);
}

START_TEST(one_after_the_other)
{
	for (int64_t first = -299; first < 100; first++) {
		each_once(first, 12);
		each_once(first, -12);
	}
}
END_TEST

/* The next process with the same number is another. */
START_TEST(other_process)
{
	struct switchover s = {0};
	struct lineage_key other = {.pid = 1, .start_boot_ns = 78};

	ck_assert_int_eq(by_old(&s, 1, -10), 1);
	ck_assert_int_eq(switchover_new(&s, INSTANT, &other, INSTANT + 10), 1);
	switchover_deinit(&s);
}
END_TEST

/* What the old generation told was read, and committed, by a daemon that is gone. */
START_TEST(read_before)
{
	struct switchover s = {0};

	ck_assert_int_eq(by_new(&s, 1, -10), 0);
	ck_assert_int_eq(by_new(&s, 1, 10), 1);
	switchover_deinit(&s);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {clear_cases, on_its_way_out, one_after_the_other,
				      other_process, read_before};

	return SUITE_RUN("switchover", tests);
}
