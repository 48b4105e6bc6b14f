/* SPDX-License-Identifier: Apache-2.0 */
/* A cursor survives being written down, and says of each event whether it was told. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "cli/cursor.h"
#include "schema/cleanup.h"
#include "suite.h"

START_TEST(test_comes_back)
{
	static const char *const texts[] = {
		"3::0:0:0:0:",
		"3:1-a:7:5:-5:1:0=0",
		"3:11111111-aaaa-4aaa-8aaa-111111111111:7:5:1795132800000000000:3:0=9,2=10",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct cursor c = {0};
		struct buffer out = {0};

		ck_assert_int_eq(cursor_parse(texts[i], &c), 0);
		cursor_write(&c, &out);
		ck_assert_str_eq(out.data, texts[i]);
		buffer_deinit(&out);
		cursor_deinit(&c);
	}
}
END_TEST

START_TEST(test_is_none)
{
	static const char *const texts[] = {
		"",
		"1:5:6",
		"2:5:6:1:0=1",
		"3:",
		"3:1:5:6:7",
		"3:1:5:6:7:8",
		"3:1:-1:6:7:8:",
		"3:1:5:6:7:-8:",
		"3:x:5:6:7:8:",
		"3:0123456789012345678901234567890123456789012345678901234567890123:5:6:7:8:",
		"3:1:5:6:7:8:0",
		"3:1:5:6:7:8:0=",
		"3:1:5:6:7:8:0=1,",
		"3:1:5:6:7:8:0=1;",
		"3:1:5:6:7:8:-1=4",
		"3:1:5:6:7:8:1=-4",
		"x3:1:5:6:7:8:0=1",
	};
	struct cursor c = {0};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		ck_assert_msg(cursor_parse(texts[i], &c) == -EINVAL, "%s", texts[i]);
}
END_TEST

START_TEST(test_knows_what_was_told)
{
	const struct boot boot = {.number = 3}, other = {.number = 4};
	const enum provenance seen = PROVENANCE_OBSERVED;
	struct cursor c = {0};

	ck_assert_int_eq(cursor_parse("3:1:7:5:1:0:0=9,2=10\n", &c), 0);
	c.boot = 3;
	ck_assert_int_eq(cursor_passed(&c, &boot, seen, 0, 8), 1);
	ck_assert_int_eq(cursor_passed(&c, &boot, seen, 0, 9), 0);
	ck_assert_int_eq(cursor_passed(&c, &boot, seen, 2, 9), 1);
	/* Nothing had happened there. */
	ck_assert_int_eq(cursor_passed(&c, &boot, seen, 1, 0), 0);
	ck_assert_int_eq(cursor_passed(&c, &other, seen, 0, 8), -1);
	ck_assert_int_eq(cursor_passed(&c, &boot, PROVENANCE_RECOVERED, 0, 8), -1);
	ck_assert_int_eq(cursor_passed(&c, &boot, seen, UNKNOWN, UNKNOWN), -1);
	cursor_hold(&c, &boot, 0, 5);
	cursor_hold(&c, &boot, 0, 6);
	cursor_hold(&c, &other, 2, 0);
	ck_assert_int_eq(cursor_passed(&c, &boot, seen, 0, 4), 1);
	ck_assert_int_eq(cursor_passed(&c, &boot, seen, 0, 5), 0);
	ck_assert_int_eq(cursor_passed(&c, &boot, seen, 2, 9), 1);
	cursor_deinit(&c);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_comes_back,
		test_is_none,
		test_knows_what_was_told,
	};

	return SUITE_RUN("cursor", tests);
}
