/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/leaving.c, and of how entries leave process_cache by it. */
#include "suite.h"
#include "synthetic.h"

#include <errno.h>

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

START_TEST(entries_are_given_back)
{
	struct lineage_process kept = {.state = LINEAGE_STATE_EXITED};
	struct synthetic s;
	struct lineage_key k;

	ck_assert_int_eq(synthetic_init(&s, 1u << 16), 0);
	synthetic_start(&s);
	s.recorder.options.cache_keep_ns = 0;
	/* A take-over may have put back what the programs had freed. */
	s.recorder.options.carried_boot_ns = synthetic_key(&s, 0, 1050).start_boot_ns;
	for (uint32_t i = 0; i < 100; i++) {
		/* Every second one is freed by the programs; a third found no room. */
		s.exit_flags = i % 2 ? LINEAGE_EXIT_FREED : 0;
		k = synthetic_key(&s, 1000 + i, 1000 + i);
		synthetic_fork(&s, 0, k, synthetic_key(&s, 100, 1000), "sh");
		synthetic_exit(&s, 0, k, synthetic_key(&s, 100, 1000), 1001 + i, 0);
		if (i % 3)
			synthetic_cache(&s, k, &kept);
		synthetic_drain(&s);
	}
	recorder_free_cache(&s.recorder);
	for (uint32_t i = 0; i < 100; i++) {
		k = synthetic_key(&s, 1000 + i, 1000 + i);
		ck_assert_int_eq(recover_lookup(&s.recorder, &k, &kept),
				 i >= 50 && i % 2 && i % 3 ? 0 : -ENOENT);
		ck_assert_ptr_null(book_find(&s.recorder.book, &k));
	}
	ck_assert_uint_eq(s.recorder.counters.cache_freed + s.recorder.book.ended_count, 75);
	synthetic_deinit(&s);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {by_age, round_and_round, entries_are_given_back};

	return SUITE_RUN("leaving", tests);
}
