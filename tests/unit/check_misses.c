/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/misses.c, and of daemon/recover.c: events that cost, told once each. */
#include "suite.h"
#include "synthetic.h"

static struct synthetic s;

static void begin(void)
{
	ck_assert_int_eq(synthetic_init(&s, 1u << 16), 0);
	synthetic_start(&s);
}

static void end(void)
{
	synthetic_prove(&s);
	synthetic_deinit(&s);
}

static uint64_t lost_since(struct misses *m, uint64_t unsent, uint64_t spare)
{
	return misses_count(m, &(struct probe_misses){{{unsent, spare, true}}});
}

/* Of lives and of failed execs: what is unsent of each. */
static uint64_t lost_without_spares(struct misses *m, uint64_t lives, uint64_t failures)
{
	return misses_count(m, &(struct probe_misses){{{.unsent = lives}, {.unsent = failures}}});
}

START_TEST(test_only_both_together_lose_an_event)
{
	struct misses m = {0};

	ck_assert_uint_eq(lost_since(&m, 0, 5), 0);
	ck_assert_uint_eq(lost_since(&m, 3, 5), 0);
	ck_assert_uint_eq(lost_since(&m, 3, 5), 0);
	/* By now what the main ones left out has been of threads. */
	ck_assert_uint_eq(lost_since(&m, 3, 9), 0);
	ck_assert_uint_eq(lost_since(&m, 5, 10), 1);
	ck_assert_uint_eq(lost_since(&m, 6, 14), 2);
	ck_assert_uint_eq(m.lost, 3);
}
END_TEST

START_TEST(test_a_look_between_two_programs)
{
	struct misses m = {0};

	/* The spare one is left out after the look. */
	ck_assert_uint_eq(lost_since(&m, 1, 0), 0);
	ck_assert_uint_eq(lost_since(&m, 1, 1), 1);
	ck_assert_uint_eq(lost_since(&m, 1, 2), 0);
	/* It sends after the look. */
	ck_assert_uint_eq(lost_since(&m, 2, 2), 0);
	ck_assert_uint_eq(lost_since(&m, 1, 3), 0);
	ck_assert_uint_eq(lost_since(&m, 1, 4), 0);
	ck_assert_uint_eq(lost_since(&m, 2, 5), 1);
}
END_TEST

/* Programs of one kind do not stand in for those of another. Of failed execs nothing but losses is
 * unsent, so the spare programs may have been left out long before. */
START_TEST(test_each_pair_by_itself)
{
	struct misses m = {0};

	ck_assert_uint_eq(misses_count(&m, &(struct probe_misses){{{3, 0, true}, {0, 4, true}}}),
			  0);
	ck_assert_uint_eq(misses_count(&m, &(struct probe_misses){{{3, 0, true}, {2, 5, true}}}),
			  2);
	ck_assert_uint_eq(misses_count(&m, &(struct probe_misses){{{4, 2, true}, {2, 6, true}}}),
			  1);
}
END_TEST

START_TEST(test_no_spare_programs)
{
	struct misses m = {0};

	ck_assert_uint_eq(lost_without_spares(&m, 2, 1), 3);
	ck_assert_uint_eq(lost_without_spares(&m, 2, 2), 1);
	ck_assert_uint_eq(m.lost, 4);
}
END_TEST

static struct probe_misses misses;
static uint32_t program;

static int count_misses(struct recorder *r, void *userdata)
{
	return recover_count_misses(r, program, &misses);
}

static void look_for_missed(uint32_t of, uint64_t missed)
{
	program = of;
	misses = (struct probe_misses){{{.unsent = missed}}};
	ck_assert_int_eq(recorder_transaction(&s.recorder, count_misses, NULL), 0);
}

#define MISSED "SELECT lost FROM gap_row WHERE cause = 'program_missed' ORDER BY gap_id"

START_TEST(test_runs_that_the_kernel_skipped)
{
	uint64_t looked;

	begin();
	look_for_missed(5, 3);
	look_for_missed(5, 3);
	ck_assert_str_eq(synthetic_rows(&s, MISSED), "3");
	ck_assert_str_eq(synthetic_sql(&s,
				       "SELECT from_boot_ns - %lld FROM gap_row WHERE cause = "
				       "'program_missed'",
				       (long long)s.base_ns),
			 "0");
	look_for_missed(5, 4);
	looked = s.recorder.misses.boot_ns;
	ck_assert_str_eq(synthetic_rows(&s, MISSED), "3\n1");
	/* The programs go on while nobody reads. */
	s.probe.adopted = true;
	synthetic_kill(&s);
	synthetic_start(&s);
	look_for_missed(5, 9);
	ck_assert_str_eq(synthetic_rows(&s, MISSED), "3\n1\n5");
	ck_assert_str_eq(synthetic_sql(&s,
				       "SELECT from_boot_ns - %lld FROM gap_row WHERE cause = "
				       "'program_missed' ORDER BY gap_id DESC",
				       (long long)looked),
			 "0");
	/* A spare program has sent what the main one left out since, or has not. */
	misses = (struct probe_misses){{{10, 7, true}}};
	ck_assert_int_eq(recorder_transaction(&s.recorder, count_misses, NULL), 0);
	ck_assert_str_eq(synthetic_rows(&s, MISSED), "3\n1\n5\n1");
	s.probe.adopted = true;
	synthetic_kill(&s);
	synthetic_start(&s);
	misses.of[PROBE_PAIR_LIVES].unsent = 11;
	ck_assert_int_eq(recorder_transaction(&s.recorder, count_misses, NULL), 0);
	ck_assert_str_eq(synthetic_rows(&s, MISSED), "3\n1\n5\n1");
	misses.of[PROBE_PAIR_LIVES].spare = 8;
	ck_assert_int_eq(recorder_transaction(&s.recorder, count_misses, NULL), 0);
	ck_assert_str_eq(synthetic_rows(&s, MISSED), "3\n1\n5\n1\n1");
	/* Others, which begin at 0. */
	s.probe.adopted = false;
	synthetic_kill(&s);
	synthetic_start(&s);
	look_for_missed(6, 2);
	ck_assert_str_eq(synthetic_rows(&s, MISSED), "3\n1\n5\n1\n1\n2");
	look_for_missed(7, 1);
	ck_assert_str_eq(synthetic_rows(&s, MISSED), "3\n1\n5\n1\n1\n2\n1");
	end();
}
END_TEST

START_TEST(test_runs_skipped_before_the_database_was_made)
{
	begin();
	s.probe.adopted = true;
	look_for_missed(5, 3);
	look_for_missed(5, 5);
	ck_assert_str_eq(synthetic_rows(&s, MISSED), "2");
	end();
}
END_TEST

/* With a real program in their place: none is skipped, but the last look is kept. */
START_TEST(test_the_last_look_for_skipped_runs)
{
	begin();
	if (synthetic_runs(&s, NULL, 0)) {
		for (int i = PROBE_LINK_EXEC; i <= PROBE_LINK_FORK; i++)
			s.probe.programs[i] = s.iterator[1];
		ck_assert_int_eq(recorder_tick(&s.recorder), 0);
		ck_assert_int_eq(recorder_finish(&s.recorder, "stopped"), 0);
		ck_assert_uint_ne(s.recorder.misses.program, 0);
		ck_assert_str_eq(
			synthetic_sql(
				&s,
				"SELECT value = '1 %u %lld 0 0 0 0 0 0 0' FROM meta WHERE name = "
				"'program_missed'",
				s.recorder.misses.program, (long long)s.recorder.misses.boot_ns),
			"1");
		ck_assert_uint_ge(s.recorder.misses.boot_ns, s.recorder.alive_boot_ns);
	}
	end();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_only_both_together_lose_an_event,
		test_a_look_between_two_programs,
		test_each_pair_by_itself,
		test_no_spare_programs,
		test_runs_that_the_kernel_skipped,
		test_runs_skipped_before_the_database_was_made,
		test_the_last_look_for_skipped_runs,
	};

	return synthetic_possible() ? SUITE_RUN("misses", tests) : SUITE_SKIPPED;
}
