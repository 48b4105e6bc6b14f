/* SPDX-License-Identifier: Apache-2.0 */
/* Ids that were seen, near and far from each other. */
#include <check.h>

#include "cli/seen.h"
#include "schema/cleanup.h"
#include "suite.h"

START_TEST(test_each_once)
{
	static const int64_t ids[] = {1,    2,	     63,     64,       4095,	  4096,
				      4097, 1000000, 999999, 10270089, INT64_MAX, 0};
	struct seen seen = {0};

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		ck_assert(!seen_has(&seen, ids[i]));
		ck_assert_int_eq(seen_add(&seen, ids[i]), 0);
		for (size_t k = 0; k < ARRAY_SIZE(ids); k++)
			ck_assert_int_eq(seen_has(&seen, ids[k]), k <= i);
		ck_assert_int_eq(seen_add(&seen, ids[i]), 1);
	}
	seen_deinit(&seen);
}
END_TEST

/* A bit each, and a little for the pages. */
START_TEST(test_is_small)
{
	struct seen seen = {0};

	for (int64_t id = 0; id < 1000000; id++)
		ck_assert_int_eq(seen_add(&seen, id), 0);
	ck_assert_uint_le(seen.arena.bytes + seen.pages.size * sizeof(*seen.pages.slots), 160000);
	seen_deinit(&seen);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {test_each_once, test_is_small};

	return SUITE_RUN("seen", tests);
}
