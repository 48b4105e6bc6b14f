/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/book.c. */
#include "suite.h"

#include "daemon/book.h"

static struct book b;

static struct lineage_key key(uint32_t pid, uint64_t start)
{
	return (struct lineage_key){.pid = pid, .start_boot_ns = start};
}

START_TEST(test_identity_has_full_width)
{
	struct lineage_key one = key(7, 1ULL << 40), other = key(7, (1ULL << 40) + 1);
	struct process *p;

	book_init(&b);
	p = book_add(&b, &one, 1);
	ck_assert_ptr_eq(book_find(&b, &one), p);
	ck_assert_ptr_null(book_find(&b, &other));
	ck_assert_int_eq(p->parent_id, ROW_NONE);
	ck_assert_int_eq(p->end, PROVENANCE_NONE);
	ck_assert_int_eq(p->image.provenance, PROVENANCE_NONE);
	book_forget(&b);
	ck_assert_ptr_null(book_find(&b, &one));
}
END_TEST

START_TEST(test_changes_in_order)
{
	int64_t wanted = 1;

	book_init(&b);
	for (uint32_t i = 1; i <= 100; i++) {
		struct lineage_key k = key(i, i);
		struct process *p = book_add(&b, &k, i);

		book_change(&b, p);
		book_change(&b, p);
	}
	for (struct process *p = b.changed; p; p = p->next)
		ck_assert_int_eq(p->process_id, wanted++);
	ck_assert_int_eq(wanted, 101);
	book_committed(&b, 1);
	ck_assert_ptr_null(b.changed);
	ck_assert_uint_eq(b.living_count, 100);
	book_forget(&b);
}
END_TEST

START_TEST(test_the_ended_leave_oldest_first)
{
	struct process *p[10];

	book_init(&b);
	for (uint32_t i = 0; i < 10; i++) {
		struct lineage_key k = key(i + 1, 1);

		p[i] = book_add(&b, &k, i + 1);
		p[i]->end = PROVENANCE_OBSERVED;
		book_change(&b, p[i]);
		book_committed(&b, 100 + i);
	}
	/* Some change once more, while they are on the list. */
	book_change(&b, p[0]);
	book_change(&b, p[4]);
	ck_assert_ptr_null(book_take_ended(&b, 1000, 100));
	book_committed(&b, 200);
	ck_assert_uint_eq(b.ended_count, 10);
	ck_assert_ptr_null(book_take_ended(&b, 100, 100));
	for (int i = 0; i < 10; i++) {
		/* By age for half of them, then because there are too many. */
		struct process *taken = i < 5 ? book_take_ended(&b, 105, 100)
					      : book_take_ended(&b, 0, 0);

		ck_assert_ptr_eq(taken, p[i]);
		ck_assert_ptr_null(book_find(&b, &taken->key));
		book_free_process(taken);
	}
	ck_assert_ptr_null(book_take_ended(&b, 1000, 0));
	ck_assert_uint_eq(b.ended_count, 0);
	ck_assert_uint_eq(b.living_count, 0);
	book_forget(&b);
}
END_TEST

/* Padding of a damaged record makes no second process of the same name. */
START_TEST(test_padding_is_no_identity)
{
	struct lineage_key key = {.pid = 7, .pad = 512, .start_boot_ns = 70};
	struct lineage_key clean = {.pid = 7, .start_boot_ns = 70};
	struct book book;
	struct process *p;

	book_init(&book);
	p = book_add(&book, &key, 1);
	ck_assert_ptr_nonnull(p);
	ck_assert_ptr_eq(book_find(&book, &clean), p);
	ck_assert_ptr_eq(book_find(&book, &key), p);
	book_forget(&book);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_padding_is_no_identity,
		test_identity_has_full_width,
		test_changes_in_order,
		test_the_ended_leave_oldest_first,
	};

	return SUITE_RUN("book", tests);
}
