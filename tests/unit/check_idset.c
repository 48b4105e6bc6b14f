/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "daemon/dictionary.h"
#include "daemon/idset.h"
#include "suite.h"

START_TEST(holds_what_was_added)
{
	static const int64_t ids[] = {1, 63, 64, 2047, 2048, 2049, 1LL << 40, INT64_MAX};
	struct idset set;

	idset_init(&set);
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		ck_assert(!idset_has(&set, ids[i]));
		idset_add(&set, ids[i]);
		idset_add(&set, ids[i]);
	}
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		ck_assert(idset_has(&set, ids[i]));
	}
	idset_add(&set, 0);
	idset_add(&set, INT64_MIN);
	ck_assert(!idset_has(&set, 0));
	ck_assert(!idset_has(&set, INT64_MIN));
	ck_assert(!idset_failed(&set));
	idset_deinit(&set);
	ck_assert(!idset_has(&set, 1));
}
END_TEST

START_TEST(says_when_it_is_full)
{
	struct idset set;

	idset_init(&set);
	for (int64_t i = 0; i < IDSET_BLOCKS_MAX; i++)
		idset_add(&set, 1 + (i << 11));
	ck_assert(!idset_failed(&set));
	idset_add(&set, 1LL << 50);
	ck_assert(idset_failed(&set));
	ck_assert(idset_has(&set, 1));
	idset_deinit(&set);
}
END_TEST

/* What a dictionary finds is noted, and it forgets what is not in the set. */
START_TEST(dictionary_notes_and_forgets)
{
	struct dictionary_hash a, b, c;
	struct dictionary d;
	struct idset set;

	ck_assert_int_eq(dictionary_seed(), 0);
	ck_assert_int_eq(dictionary_init(&d, 64), 0);
	a = dictionary_hash("a", 1);
	b = dictionary_hash("b", 1);
	c = dictionary_hash("c", 1);
	dictionary_add(&d, a, 5);
	dictionary_add(&d, b, 6);
	dictionary_add(&d, c, 7);
	idset_init(&set);
	d.found = &set;
	ck_assert_int_eq(dictionary_find(&d, a), 5);
	dictionary_forget_others(&d, &set, 7);
	d.found = NULL;
	ck_assert_int_eq(dictionary_find(&d, a), 5);
	ck_assert_int_eq(dictionary_find(&d, b), 0);
	ck_assert_int_eq(dictionary_find(&d, c), 7);
	idset_deinit(&set);
	dictionary_deinit(&d);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {holds_what_was_added, says_when_it_is_full,
				      dictionary_notes_and_forgets};

	return SUITE_RUN("idset", tests);
}
