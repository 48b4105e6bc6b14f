/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/ledger.c: cases, and random arrivals against a plain table of what has arrived.
 */
#include "suite.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/ledger.h"

#define CPUS 2

static struct ledger l;

static void begin(void)
{
	ck_assert_int_eq(ledger_init(&l, CPUS), 0);
	ledger_start(&l, 0, 10, 10, 0);
	ledger_start(&l, 1, 0, 0, 0);
}

START_TEST(test_in_order)
{
	begin();
	for (uint64_t seq = 10; seq < 1000; seq++)
		ck_assert_int_eq(ledger_arrived(&l, 0, seq, seq), LEDGER_NEW);
	ck_assert_int_eq(ledger_arrived(&l, 0, 999, 1), LEDGER_DUPLICATE);
	ck_assert_int_eq(ledger_arrived(&l, 0, 9, 1), LEDGER_DUPLICATE);
	ck_assert_int_eq(ledger_arrived(&l, CPUS, 1, 1), LEDGER_DUPLICATE);
	ck_assert_int_eq(ledger_arrived(&l, -1, 1, 1), LEDGER_DUPLICATE);
	ck_assert_uint_eq(l.holes_count, 0);
	ck_assert_uint_eq(l.cpus[0].next_seq, 1000);
	ledger_deinit(&l);
}
END_TEST

START_TEST(test_a_hole_has_times)
{
	begin();
	ledger_arrived(&l, 0, 10, 500);
	ledger_arrived(&l, 0, 13, 900);
	ck_assert_uint_eq(l.holes[0].first, 11);
	ck_assert_uint_eq(l.holes[0].last, 12);
	ck_assert_uint_eq(l.holes[0].from_boot_ns, 500);
	ck_assert_uint_eq(l.holes[0].to_boot_ns, 900);
	ledger_deinit(&l);
}
END_TEST

START_TEST(test_a_hole_does_not_end_before_it_begins)
{
	begin();
	ledger_arrived(&l, 0, 10, 500);
	ledger_arrived(&l, 0, 13, 499);
	ck_assert_uint_eq(l.holes[0].from_boot_ns, 500);
	ck_assert_uint_eq(l.holes[0].to_boot_ns, 500);
	ledger_deinit(&l);
}
END_TEST

START_TEST(test_since)
{
	begin();
	ledger_since(&l, 300);
	ledger_arrived(&l, 0, 11, 900);
	ck_assert_uint_eq(l.holes[0].from_boot_ns, 300);
	ledger_since(&l, 100);
	ledger_arrived(&l, 0, 13, 950);
	ck_assert_uint_eq(l.holes[1].from_boot_ns, 900);
	ledger_deinit(&l);
}
END_TEST

START_TEST(test_a_flood_is_one_hole)
{
	begin();
	ledger_arrived(&l, 1, 0, 1);
	for (uint64_t next = 100; next < 100000; next += 100)
		ledger_taken(&l, 1, next, next);
	ledger_committed(&l);
	ck_assert_uint_eq(l.holes_count, 1);
	ck_assert_uint_eq(l.holes[0].last, 99899);
	ledger_deinit(&l);
}
END_TEST

START_TEST(test_more_holes_than_room)
{
	begin();
	for (uint64_t seq = 11; seq < 11 + 4 * LEDGER_HOLES_MAX; seq += 2) {
		ledger_arrived(&l, 0, seq, seq);
		if (seq % 1001 == 0)
			ledger_committed(&l);
	}
	ck_assert_uint_le(l.holes_count, LEDGER_HOLES_MAX);
	ck_assert_uint_eq(l.lost, 2 * LEDGER_HOLES_MAX);
	/* The newest are still watched. */
	ledger_committed(&l);
	ck_assert_int_eq(ledger_arrived(&l, 0, 10 + 4 * LEDGER_HOLES_MAX - 2, 1), LEDGER_NEW);
	/* And once they have been tried often enough, none is. */
	for (int i = 0; i < LEDGER_PASSES; i++) {
		ledger_passed(&l);
		ledger_committed(&l);
	}
	ck_assert_uint_eq(l.holes_count, 0);
	ledger_deinit(&l);
}
END_TEST

static uint64_t state = 88172645463325252u;

static uint32_t draw(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16) % below;
}

#define NUMBERS 300

/* What is missing below next_seq is missing in exactly one hole, and the holes count it. */
static void check_holes(const bool *known, uint64_t next)
{
	uint64_t missing = 0, counted = 0;
	int wrong = 0; /* an assertion for each would take minutes */

	for (uint64_t seq = 0; seq < next; seq++) {
		int holes = 0;

		for (size_t i = 0; i < l.holes_count; i++)
			holes += seq >= l.holes[i].first && seq <= l.holes[i].last;
		wrong += holes > 1 || (!holes && !known[seq]);
		wrong += ledger_is_missing(&l, 1, seq) != !known[seq];
		missing += !known[seq];
	}
	for (size_t i = 0; i < l.holes_count; i++)
		counted += l.holes[i].missing;
	ck_assert_uint_eq(counted, missing);
	ck_assert_int_eq(wrong, 0);
}

START_TEST(test_random_arrivals)
{
	for (int round = 0; round < 50; round++) {
		bool known[NUMBERS] = {false};
		uint64_t recovered = 0, told = 0;

		begin();
		for (int i = 0; i < 400; i++) {
			uint64_t seq = l.cpus[1].next_seq;

			if (draw(3) == 0)
				seq = draw(NUMBERS);
			else
				seq += draw(4) == 0 ? draw(5) : 0;
			if (seq >= NUMBERS)
				continue;
			if (draw(5) == 0) {
				bool missing = seq < l.cpus[1].next_seq && !known[seq];

				/* Beyond what has been heard of it would be noted ahead: see the
				 * next. */
				if (seq >= l.cpus[1].next_seq)
					continue;
				ck_assert(ledger_recover(&l, 1, seq) == missing);
				recovered += missing;
				known[seq] |= missing;
			} else {
				ck_assert_int_eq(ledger_arrived(&l, 1, seq, (uint64_t)i),
						 known[seq] ? LEDGER_DUPLICATE : LEDGER_NEW);
				known[seq] = true;
			}
			if (i % 8 == 0)
				check_holes(known, l.cpus[1].next_seq);
			/* Holes that are closed leave with the commit, and take their count along.
			 */
			if (draw(20) == 0) {
				for (size_t k = 0; k < l.holes_count; k++)
					if (!l.holes[k].missing)
						told += l.holes[k].recovered;
				ledger_committed(&l);
			}
		}
		for (size_t k = 0; k < l.holes_count; k++)
			told += l.holes[k].recovered;
		ck_assert_uint_eq(told, recovered);
		ledger_deinit(&l);
	}
}
END_TEST

/* A fork that its child has told of, before its own CPU has been heard of again. */
START_TEST(test_recovered_ahead)
{
	begin();
	ck_assert(ledger_recover(&l, 0, 12));
	ck_assert(!ledger_recover(&l, 0, 12));
	ck_assert_uint_eq(l.holes_count, 0);
	ledger_arrived(&l, 0, 15, 900);
	ck_assert_uint_eq(l.holes_count, 1);
	ck_assert_uint_eq(l.holes[0].missing, 4);
	ck_assert_uint_eq(l.holes[0].recovered, 1);
	ck_assert(!ledger_is_missing(&l, 0, 12));
	ck_assert_uint_eq(l.ahead_count, 0);
	ledger_deinit(&l);
}
END_TEST

/* After a restart: the range is known from the row, what has come from the rows. */
START_TEST(test_holes_from_rows)
{
	struct ledger_hole hole = {.gap_id = 7, .cpu = 0, .first = 10, .last = 40, .missing = 11};

	begin();
	ledger_start(&l, 0, 0, 50, 0);
	ledger_add_hole(&l, &hole);
	for (uint64_t seq = 0; seq < 30; seq++)
		ledger_has_row(&l, 0, seq);
	ck_assert_uint_eq(l.holes[0].missing, 11);
	ck_assert(!ledger_is_missing(&l, 0, 29));
	ck_assert(ledger_recover(&l, 0, 30));
	ck_assert_int_eq(ledger_arrived(&l, 0, 20, 1), LEDGER_DUPLICATE);
	ledger_deinit(&l);
}
END_TEST

/* More than one hole remembers: it becomes several. */
START_TEST(test_a_very_long_hole)
{
	begin();
	ledger_taken(&l, 1, 3ULL * LEDGER_SPAN_MAX + 5, 1);
	ck_assert_uint_eq(l.holes_count, 4);
	ck_assert_uint_eq(l.lost, 3ULL * LEDGER_SPAN_MAX + 5);
	ck_assert(ledger_recover(&l, 1, 3ULL * LEDGER_SPAN_MAX + 4));
	ck_assert(ledger_recover(&l, 1, LEDGER_SPAN_MAX));
	ck_assert(!ledger_recover(&l, 1, LEDGER_SPAN_MAX));
	ledger_deinit(&l);
}
END_TEST

/* lost is what the holes count, and what they counted when they were given up. */
static void check_lost(void)
{
	uint64_t missing = l.given_up;

	for (size_t i = 0; i < l.holes_count; i++)
		missing += l.holes[i].missing;
	ck_assert_uint_eq(l.lost, missing);
}

/* More than any flood that process_cache could tell of: counted, not remembered one by one. */
START_TEST(test_a_jump)
{
	begin();
	ledger_taken(&l, 1, 1000000000000, 1);
	ck_assert_uint_eq(l.lost, 1000000000000);
	check_lost();
	ck_assert_uint_eq(l.holes_count, LEDGER_SPANS_WATCHED + 1);
	ck_assert_uint_le(l.bits_bytes, LEDGER_BITS_MAX);
	/* The next one is watched, and the one before it is let go with the commit. */
	ledger_arrived(&l, 1, 1000000000002, 2);
	ck_assert(ledger_is_missing(&l, 1, 1000000000001));
	ck_assert(!ledger_is_missing(&l, 1, 999999999999));
	ledger_committed(&l);
	ck_assert_uint_eq(l.holes_count, LEDGER_SPANS_WATCHED + 1);
	ck_assert_uint_eq(l.given_up, 1000000000000 - LEDGER_SPANS_WATCHED * LEDGER_SPAN_MAX);
	check_lost();
	/* However many: what is remembered of all together is bounded. */
	for (uint64_t i = 2; i < 30; i++)
		ledger_taken(&l, 0, i << 40, i);
	ck_assert_uint_le(l.bits_bytes, LEDGER_BITS_MAX);
	check_lost();
	ledger_deinit(&l);
	ck_assert_uint_eq(l.bits_bytes, 0);
}
END_TEST

/* Between two commits: each is in a hole, and those that nobody watches are told as one. */
START_TEST(test_more_holes_than_room_in_one_batch)
{
	uint64_t numbers = 10ULL * LEDGER_HOLES_MAX;
	uint64_t outside = 0;

	begin();
	for (uint64_t seq = 11; seq < 11 + numbers; seq += 2)
		ledger_arrived(&l, 0, seq, seq);
	ledger_arrived(&l, 1, 5, 7);
	ck_assert_uint_eq(l.lost, numbers / 2 + 5);
	check_lost();
	ck_assert_uint_eq(l.holes_count, LEDGER_HOLES_MAX + 1);
	for (uint64_t seq = 10; seq < 10 + numbers; seq += 2) {
		bool in = false;

		for (size_t i = 0; !in && i < l.holes_count; i++)
			in = l.holes[i].cpu == 0 && seq >= l.holes[i].first &&
			     seq <= l.holes[i].last;
		outside += !in;
	}
	ck_assert_uint_eq(outside, 0);
	/* One row for what lies behind the first: all of it has come, or is missing. */
	ck_assert_uint_eq(l.holes[LEDGER_HOLES_MAX - 1].first, 10 + 2 * (LEDGER_HOLES_MAX - 1));
	ck_assert_uint_eq(l.holes[LEDGER_HOLES_MAX - 1].last, 10 + numbers - 2);
	ck_assert_uint_eq(l.holes[LEDGER_HOLES_MAX - 1].missing,
			  numbers / 2 - (LEDGER_HOLES_MAX - 1));
	/* The first commit leaves room; the rows of those that make it are written by the second.
	 */
	ledger_committed(&l);
	ck_assert(l.changed && l.holes[0].changed && l.holes[0].passes == LEDGER_PASSES);
	ledger_committed(&l);
	ck_assert_uint_eq(l.holes_count, LEDGER_HOLES_MAX - 2 * LEDGER_HOLES_FREE);
	check_lost();
	ck_assert(ledger_recover(&l, 1, 3));
	check_lost();
	ledger_deinit(&l);
}
END_TEST

/* What a child told of before its hole showed, in a hole that is not watched. */
START_TEST(test_recovered_ahead_of_a_jump)
{
	uint64_t far = (LEDGER_SPANS_WATCHED + 1ULL) * LEDGER_SPAN_MAX;

	begin();
	ck_assert(ledger_recover(&l, 1, far));
	ledger_taken(&l, 1, far + 100, 1);
	ck_assert_uint_eq(l.ahead_count, 0);
	ck_assert_uint_eq(l.lost, far + 99);
	check_lost();
	ck_assert_uint_eq(l.holes[LEDGER_SPANS_WATCHED].recovered, 1);
	ledger_deinit(&l);
}
END_TEST

START_TEST(test_reading_again_counts_once)
{
	struct ledger_hole hole = {.gap_id = 7, .cpu = 0, .first = 10, .last = 19, .missing = 10};

	begin();
	ledger_start(&l, 0, 0, 100, 0);
	ledger_add_hole(&l, &hole);
	ledger_has_row(&l, 0, 11);
	ck_assert_uint_eq(l.lost, 9);
	ck_assert(ledger_recover(&l, 0, 12));
	ck_assert_uint_eq(l.lost, 8);
	/* Nothing of that was committed. */
	ledger_forget(&l);
	ck_assert_uint_eq(l.lost, 0);
	ck_assert_uint_eq(l.bits_bytes, 0);
	ledger_start(&l, 0, 0, 100, 0);
	ledger_add_hole(&l, &hole);
	ledger_has_row(&l, 0, 11);
	ck_assert_uint_eq(l.lost, 9);
	for (int i = 0; i < LEDGER_PASSES; i++) {
		ledger_passed(&l);
		ledger_committed(&l);
	}
	ck_assert_uint_eq(l.holes_count, 0);
	/* For good: nothing of it is read again. */
	ledger_forget(&l);
	ck_assert_uint_eq(l.lost, 9);
	ledger_deinit(&l);
}
END_TEST

START_TEST(test_a_hole_is_let_go)
{
	begin();
	ledger_arrived(&l, 0, 12, 1);
	for (int i = 0; i < LEDGER_PASSES; i++) {
		ck_assert_uint_eq(l.holes_count, 1);
		ledger_passed(&l);
		ledger_committed(&l);
	}
	ck_assert_uint_eq(l.holes_count, 0);
	ck_assert_uint_eq(l.lost, 2);
	/* It stays a gap, and nothing is in both. */
	ck_assert_int_eq(ledger_arrived(&l, 0, 11, 1), LEDGER_DUPLICATE);
	ck_assert(!ledger_recover(&l, 0, 11));
	ledger_deinit(&l);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_a_very_long_hole,
		test_a_jump,
		test_more_holes_than_room_in_one_batch,
		test_recovered_ahead_of_a_jump,
		test_reading_again_counts_once,
		test_a_hole_is_let_go,
		test_in_order,
		test_a_hole_has_times,
		test_since,
		test_a_hole_does_not_end_before_it_begins,
		test_a_flood_is_one_hole,
		test_more_holes_than_room,
		test_random_arrivals,
		test_recovered_ahead,
		test_holes_from_rows,
	};

	return SUITE_RUN("ledger", tests);
}
