/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/leaving.c. */
#include "suite.h"

#include "daemon/leaving.h"

static struct lineage_key key(uint32_t pid)
{
	return (struct lineage_key){.pid = pid, .start_boot_ns = pid};
}

START_TEST(by_age)
{
	struct leaving l;
	struct lineage_key k;

	ck_assert_int_eq(leaving_init(&l), 0);
	ck_assert(!leaving_take(&l, UINT64_MAX, 0, &k));
	for (uint32_t i = 1; i <= 10; i++)
		leaving_put(&l, &(struct lineage_key){.pid = i}, 100 * i);
	for (uint32_t i = 1; i <= 5; i++) {
		ck_assert(leaving_take(&l, 501, 100, &k));
		ck_assert_uint_eq(k.pid, i);
	}
	ck_assert(!leaving_take(&l, 501, 100, &k));
	/* Too many: whatever their age. */
	ck_assert(leaving_take(&l, 0, 4, &k));
	ck_assert_uint_eq(k.pid, 6);
	ck_assert(!leaving_take(&l, 0, 4, &k));
	leaving_deinit(&l);
	leaving_deinit(&l);
}
END_TEST

START_TEST(round_and_round)
{
	struct leaving l;
	struct lineage_key k, next = key(1);
	uint32_t expected = 1;

	ck_assert_int_eq(leaving_init(&l), 0);
	for (int i = 0; i < 5; i++) {
		while (!leaving_is_full(&l)) {
			leaving_put(&l, &next, 1);
			next = key(next.pid + 1);
		}
		ck_assert_uint_eq(l.count, LEAVING_MAX);
		for (int n = 0; n < 10000; n++) {
			ck_assert(leaving_take(&l, 2, 0, &k));
			ck_assert_uint_eq(k.pid, expected++);
		}
	}
	leaving_deinit(&l);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {by_age, round_and_round};

	return SUITE_RUN("leaving", tests);
}
