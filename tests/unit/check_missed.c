/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/recover.c: runs of the programs that the kernel skipped, told once each. */
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

static uint64_t missed_runs;
static uint32_t program;

static int count_missed(struct recorder *r, void *userdata)
{
	return recover_count_missed(r, program, missed_runs);
}

static void look_for_missed(uint32_t of, uint64_t missed)
{
	program = of;
	missed_runs = missed;
	ck_assert_int_eq(recorder_transaction(&s.recorder, count_missed, NULL), 0);
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
	looked = s.recorder.missed_boot_ns;
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
	/* Others, which begin at 0. */
	s.probe.adopted = false;
	synthetic_kill(&s);
	synthetic_start(&s);
	look_for_missed(6, 2);
	ck_assert_str_eq(synthetic_rows(&s, MISSED), "3\n1\n5\n2");
	look_for_missed(7, 1);
	ck_assert_str_eq(synthetic_rows(&s, MISSED), "3\n1\n5\n2\n1");
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
		for (int i = PROBE_LINK_FORK; i <= PROBE_LINK_EXIT; i++)
			s.probe.programs[i] = s.iterator[1];
		ck_assert_int_eq(recorder_tick(&s.recorder), 0);
		ck_assert_int_eq(recorder_finish(&s.recorder, "stopped"), 0);
		ck_assert_uint_ne(s.recorder.missed_program, 0);
		ck_assert_str_eq(
			synthetic_sql(&s,
				      "SELECT value = '1 %u 0 %lld' FROM meta WHERE name = "
				      "'program_missed'",
				      s.recorder.missed_program,
				      (long long)s.recorder.missed_boot_ns),
			"1");
		ck_assert_uint_ge(s.recorder.missed_boot_ns, s.recorder.alive_boot_ns);
	}
	end();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_runs_that_the_kernel_skipped,
		test_runs_skipped_before_the_database_was_made,
		test_the_last_look_for_skipped_runs,
	};

	return synthetic_possible() ? SUITE_RUN("missed", tests) : SUITE_SKIPPED;
}
