/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/reload.c: where the record begins, with databases and rings that were changed. */
#include "suite.h"
#include "synthetic.h"

#include <stdio.h>
#include <string.h>

#define RING (1u << 16)

static struct synthetic s;
static struct lineage_key shell;

static void begin(void)
{
	ck_assert_int_eq(synthetic_init(&s, RING), 0);
	synthetic_start(&s);
	shell = synthetic_key(&s, 100, 1000);
}

static void end(void)
{
	synthetic_prove(&s);
	synthetic_deinit(&s);
}

/* A whole life of `pid` on one CPU: three events. */
static void life_in(struct synthetic *ring, int cpu, uint32_t pid, bool ends)
{
	struct lineage_key p = synthetic_key(&s, pid, pid);
	char name[16];
	int n = snprintf(name, sizeof(name), "p%u", pid) + 1;

	synthetic_fork(ring, cpu, p, shell, "sh");
	synthetic_exec(ring, cpu,
		       &(struct synthetic_exec){.process = p,
						.parent = shell,
						.exe = name,
						.exe_length = (size_t)n,
						.args = name,
						.args_length = (size_t)n,
						.comm = name,
						.exec_id = 1,
						.ms = pid + 1});
	if (ends)
		synthetic_exit(ring, cpu, p, shell, pid + 2, 0);
}

static void life(int cpu, uint32_t pid)
{
	life_in(&s, cpu, pid, true);
}

static void check_lives(int count)
{
	char wanted[64];

	snprintf(wanted, sizeof(wanted), "%d|%d|%d", count, count, count);
	ck_assert_str_eq(synthetic_rows(&s,
					"SELECT (SELECT count(*) FROM process WHERE pid > 100 "
					"AND provenance = 'observed'), "
					"(SELECT count(*) FROM exec), (SELECT count(*) FROM exit)"),
			 wanted);
}

#define GAPS                                                                              \
	"SELECT cause, cpu, first_seq, lost, recovered, from_boot_ns = 0, to_boot_ns >= " \
	"from_boot_ns FROM gap_row ORDER BY cause"
#define POSITIONS "SELECT cpu, first_seq, next_seq, unseen FROM cpu_position ORDER BY cpu"

/* What was recorded into another database is not lost, and not counted one by one. */
START_TEST(test_a_new_database)
{
	begin();
	s.next_seq[0] = s.next_seq[1] = 1000000000;
	life(0, 1000);
	life(1, 1001);
	synthetic_drain(&s);
	synthetic_count(&s);
	synthetic_kill(&s);
	synthetic_remove(&s);
	/* Of CPU 1 nothing is in the ring: it begins with what comes next. */
	life(0, 1002);
	synthetic_lose(&s, 0);
	life(0, 1003);
	synthetic_count(&s);
	synthetic_start(&s);
	ck_assert_str_eq(synthetic_rows(&s, POSITIONS),
			 "0|1000000003|1000000003|0\n1|1000000003|1000000003|0");
	synthetic_lose(&s, 1);
	life(1, 1004);
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s, GAPS),
			 "database_begun||||0|1|1\nring_full|0|1000000006|1|0|0|1\n"
			 "ring_full|1|1000000003|1|0|0|1");
	ck_assert_uint_eq(s.recorder.ledger.lost, 2);
	ck_assert_uint_le(s.recorder.ledger.bits_bytes, 2);
	check_lives(3);
	/* Said once. */
	synthetic_kill(&s);
	s.probe.adopted = true;
	synthetic_start(&s);
	life(0, 1005);
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_sql(&s, "SELECT count(*) FROM gap WHERE lost IS NULL"), "1");
	end();
}
END_TEST

/* A new database in a ring that nobody has read from has all of it. */
START_TEST(test_a_new_database_and_a_new_ring)
{
	begin();
	synthetic_kill(&s);
	synthetic_remove(&s);
	s.first_seq[0] = s.next_seq[0] = 500;
	life(0, 1000);
	synthetic_lose(&s, 1);
	synthetic_count(&s);
	synthetic_start(&s);
	ck_assert_int_eq(recorder_tick(&s.recorder), 0);
	ck_assert_str_eq(synthetic_rows(&s, GAPS), "ring_full|1|0|1|0|0|1");
	ck_assert_str_eq(synthetic_rows(&s, POSITIONS), "0|500|503|0\n1|0|1|0");
	end();
}
END_TEST

/* Another one was written meanwhile, from the same ring. */
START_TEST(test_a_database_that_comes_back)
{
	char away[100];

	begin();
	life(0, 1000);
	synthetic_drain(&s);
	synthetic_kill(&s);
	snprintf(away, sizeof(away), "%s.away", s.path);
	ck_assert_int_eq(rename(s.path, away), 0);
	synthetic_start(&s);
	s.next_seq[0] = 2000000000;
	life(0, 1001);
	synthetic_drain(&s);
	synthetic_kill(&s);
	synthetic_remove(&s);
	ck_assert_int_eq(rename(away, s.path), 0);
	s.probe.adopted = true;
	life(0, 1002);
	synthetic_count(&s);
	synthetic_start(&s);
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s, GAPS), "database_begun||||0|0|1");
	ck_assert_str_eq(synthetic_rows(&s, POSITIONS), "0|0|2000000006|2000000000");
	ck_assert_uint_eq(s.recorder.ledger.lost, 0);
	check_lives(2);
	end();
}
END_TEST

/* The programs were loaded for another database, and count with numbers that this one has given. */
START_TEST(test_numbers_that_are_there_already)
{
	char away[100];

	begin();
	for (uint32_t i = 0; i < 20; i++)
		life(0, 1000 + i);
	synthetic_drain(&s);
	synthetic_kill(&s);
	snprintf(away, sizeof(away), "%s.away", s.path);
	ck_assert_int_eq(rename(s.path, away), 0);
	memcpy(s.control.ring_id, "another one here", 16);
	memset(s.ring, 0, 2 * s.page);
	s.next_seq[0] = 0;
	synthetic_start(&s);
	life(0, 1100);
	synthetic_drain(&s);
	synthetic_kill(&s);
	synthetic_remove(&s);
	ck_assert_int_eq(rename(away, s.path), 0);
	s.probe.adopted = true;
	life(0, 1101);
	synthetic_count(&s);
	synthetic_start(&s);
	synthetic_read_counters(&s);
	ck_assert_uint_gt(s.next_seq[0], 60);
	life(0, 1102);
	life(1, 1103);
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s, GAPS), "database_begun||||0|0|1");
	ck_assert_str_eq(synthetic_rows(&s, "SELECT count(*), sum(pid >= 1100) FROM process "
					    "WHERE pid >= 1000"),
			 "22|2");
	ck_assert_uint_eq(s.recorder.ledger.lost, 0);
	ck_assert_uint_eq(s.recorder.ledger.duplicates, 0);
	end();
}
END_TEST

/* Programs with a ring of their own took over, and the old ring has gone unread. */
START_TEST(test_a_ring_that_is_gone)
{
	begin();
	life(0, 1000);
	synthetic_drain(&s);
	synthetic_kill(&s);
	memcpy(s.control.ring_id, "another one here", 16);
	memset(s.ring, 0, 2 * s.page);
	for (int i = 0; i < SYNTHETIC_CPUS; i++)
		s.first_seq[i] = s.next_seq[i] += 1000000000;
	s.probe.adopted = true;
	life(0, 1001);
	synthetic_count(&s);
	synthetic_start(&s);
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s, GAPS), "ring_gone||||0|0|1");
	ck_assert_str_eq(synthetic_rows(&s, POSITIONS),
			 "0|0|1000000006|1000000000\n1|1000000000|1000000000|0");
	ck_assert_uint_eq(s.recorder.ledger.lost, 0);
	ck_assert_uint_eq(s.recorder.ledger.bits_bytes, 0);
	check_lives(2);
	end();
}
END_TEST

/* Which numbers of a hole have rows is found wherever these rows are. */
START_TEST(test_numbers_of_old_rows)
{
	struct synthetic_failure f = {
		.filename = "/x", .filename_length = 3, .args = "", .error = 2, .ms = -90000};
	uint64_t first;

	begin();
	f.process = shell;
	synthetic_fork(&s, 0, synthetic_key(&s, 300, 1000), shell, "sh");
	synthetic_fork(&s, 1, synthetic_key(&s, 301, -100000), shell, "sh");
	synthetic_lose(&s, 0);
	synthetic_fork(&s, 0, synthetic_key(&s, 302, 2000), shell, "sh");
	synthetic_drain(&s);
	/* The older loss is found later. */
	first = synthetic_lose(&s, 1);
	synthetic_lose(&s, 1);
	synthetic_fork(&s, 1, synthetic_key(&s, 303, 3000), shell, "sh");
	s.next_seq[1] = first;
	synthetic_failure(&s, 1, &f);
	s.next_seq[1] = first + 3;
	synthetic_drain(&s);
	ck_assert_uint_eq(s.recorder.ledger.lost, 2);
	synthetic_kill(&s);
	synthetic_start(&s);
	ck_assert_uint_eq(s.recorder.ledger.lost, 2);
	ck_assert_uint_eq(s.recorder.ledger.holes_count, 2);
	end();
}
END_TEST

static struct synthetic other;

/* What both generations of programs have seen, each with numbers of its own. */
static void seen_by_both(struct synthetic *ring)
{
	struct synthetic_failure f = {.process = shell,
				      .filename = "/x",
				      .filename_length = 3,
				      .args = "",
				      .error = 2,
				      .ms = 4000};

	life_in(ring, 0, 1000, true);
	life_in(ring, 1, 1001, false);
	synthetic_failure(ring, 0, &f);
	f.ms = 6000;
	synthetic_failure(ring, 0, &f);
}

static void check_two_rings(void)
{
	synthetic_drain(&s);
	check_lives(2);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT count(*), (SELECT count(*) FROM fork WHERE pid "
					    ">= 1000) FROM exec_failure"),
			 "2|2");
	ck_assert_str_eq(synthetic_rows(&s, GAPS), "");
	ck_assert_uint_eq(s.recorder.ledger.lost, 0);
	ck_assert_uint_eq(s.recorder.ledger.bits_bytes, 0);
	synthetic_prove(&s);
}

/* From one ring to the other, with memory lost before and after. */
static void take_over(bool killed_before, bool killed_after)
{
	struct probe own;

	begin();
	ck_assert_int_eq(synthetic_init(&other, RING), 0);
	other.base_ns = s.base_ns;
	memcpy(other.control.ring_id, "the other's ring", 16);
	other.control.alone_boot_ns = s.base_ns + 5000000000;
	for (int i = 0; i < SYNTHETIC_CPUS; i++)
		other.first_seq[i] = other.next_seq[i] = 1000000000;
	s.probe.adopted = true;
	seen_by_both(&s);
	seen_by_both(&other);
	synthetic_exit(&other, 0, synthetic_key(&s, 1001, 1001), shell, 9000, 0);
	synthetic_count(&other);
	s.recorder.options.switchover_ns = other.control.alone_boot_ns;
	synthetic_drain(&s);
	if (killed_before) {
		synthetic_kill(&s);
		synthetic_start(&s);
		s.recorder.options.switchover_ns = other.control.alone_boot_ns;
	}
	ck_assert_int_eq(recorder_take_over(&s.recorder, &other.probe), 0);
	own = s.probe;
	if (killed_after) {
		synthetic_kill(&s);
		s.probe = other.probe;
		s.probe.adopted = true;
		synthetic_start(&s);
	}
	check_two_rings();
	synthetic_kill(&s);
	s.probe = own;
	synthetic_deinit(&other);
	synthetic_deinit(&s);
}

START_TEST(test_take_over)
{
	take_over(false, false);
}
END_TEST

START_TEST(test_take_over_cut_off)
{
	take_over(true, false);
	take_over(false, true);
	take_over(true, true);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_a_new_database,
		test_a_new_database_and_a_new_ring,
		test_a_database_that_comes_back,
		test_numbers_that_are_there_already,
		test_a_ring_that_is_gone,
		test_numbers_of_old_rows,
		test_take_over,
		test_take_over_cut_off,
	};

	return synthetic_possible() ? SUITE_RUN("reload", tests) : SUITE_SKIPPED;
}
