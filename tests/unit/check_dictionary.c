/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/dictionary.c. */
#include "suite.h"

#include <stdio.h>
#include <string.h>

#include "daemon/dictionary.h"

static struct dictionary_hash hash_of(int i)
{
	char text[32];

	return dictionary_hash(text, (size_t)snprintf(text, sizeof(text), "text %d", i));
}

START_TEST(test_finds_what_was_added)
{
	struct dictionary d;

	ck_assert_int_eq(dictionary_seed(), 0);
	ck_assert_int_eq(dictionary_init(&d, 1024), 0);
	for (int i = 1; i < 100; i++) {
		ck_assert_int_eq(dictionary_find(&d, hash_of(i)), 0);
		dictionary_add(&d, hash_of(i), i);
		ck_assert_int_eq(dictionary_find(&d, hash_of(i)), i);
	}
	dictionary_forget(&d);
	for (int i = 1; i < 100; i++)
		ck_assert_int_eq(dictionary_find(&d, hash_of(i)), 0);
	dictionary_deinit(&d);
}
END_TEST

/* Full: forgets, but never answers with another's id. */
START_TEST(test_is_bounded_and_never_wrong)
{
	struct dictionary d;
	int found = 0;

	ck_assert_int_eq(dictionary_seed(), 0);
	ck_assert_int_eq(dictionary_init(&d, 64), 0);
	for (int i = 1; i <= 10000; i++) {
		dictionary_add(&d, hash_of(i), i);
		ck_assert_int_eq(dictionary_find(&d, hash_of(i)), i);
	}
	for (int i = 1; i <= 10000; i++) {
		int64_t id = dictionary_find(&d, hash_of(i));

		ck_assert(id == 0 || id == i);
		found += id != 0;
	}
	ck_assert_int_gt(found, 0);
	ck_assert_int_le(found, 64);
	dictionary_deinit(&d);
}
END_TEST

START_TEST(test_secrets_differ)
{
	struct dictionary_hash before;

	ck_assert_int_eq(dictionary_seed(), 0);
	before = hash_of(1);
	ck_assert_int_eq(dictionary_seed(), 0);
	ck_assert(before.low != hash_of(1).low && before.high != hash_of(1).high);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_finds_what_was_added,
		test_is_bounded_and_never_wrong,
		test_secrets_differ,
	};

	return SUITE_RUN("dictionary", tests);
}
