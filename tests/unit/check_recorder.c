/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/recorder.c: nothing lost, nothing twice, whatever comes between. */
#include "suite.h"
#include "synthetic.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
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
static void life(int cpu, uint32_t pid)
{
	struct lineage_key p = synthetic_key(&s, pid, pid);
	char name[16];
	int n = snprintf(name, sizeof(name), "p%u", pid) + 1;

	synthetic_fork(&s, cpu, p, shell, "sh");
	synthetic_exec(&s, cpu,
		       &(struct synthetic_exec){.process = p,
						.parent = shell,
						.exe = name,
						.exe_length = (size_t)n,
						.args = name,
						.args_length = (size_t)n,
						.comm = name,
						.exec_id = 1,
						.ms = pid + 1});
	synthetic_exit(&s, cpu, p, shell, pid + 2, 0);
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

START_TEST(test_round_and_round_the_ring)
{
	begin();
	for (uint32_t i = 0; i < 2000; i++) {
		life((int)(i & 1), 1000 + i);
		if (i % 7 == 0)
			synthetic_drain(&s);
	}
	synthetic_drain(&s);
	ck_assert_uint_gt(ring_produced(&s.recorder.ring), 8 * RING);
	check_lives(2000);
	ck_assert_str_eq(synthetic_sql(&s, "SELECT count(*) FROM gap WHERE cause = 'ring_full'"),
			 "0");
	end();
}
END_TEST

START_TEST(test_batches_are_bounded)
{
	begin();
	s.recorder.options.batch_max = 4;
	life(0, 1000);
	life(0, 1001);
	ck_assert_int_eq(recorder_batch(&s.recorder), 1);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT pid, exit_code FROM process WHERE pid > 100"),
			 "1000|0\n1001|");
	ck_assert_int_eq(recorder_batch(&s.recorder), 0);
	ck_assert_int_eq(recorder_batch(&s.recorder), 0);
	check_lives(2);
	end();
}
END_TEST

START_TEST(test_killed_between_commit_and_release)
{
	unsigned long *consumer;
	unsigned long before;

	begin();
	consumer = (unsigned long *)s.ring;
	life(0, 1000);
	synthetic_drain(&s);
	before = *consumer;
	life(0, 1001);
	synthetic_drain(&s);
	ck_assert_uint_gt(*consumer, before);
	synthetic_kill(&s);
	*consumer = before;
	life(0, 1002);
	synthetic_start(&s);
	synthetic_drain(&s);
	check_lives(3);
	ck_assert_uint_eq(s.recorder.ledger.duplicates, 0);
	end();
}
END_TEST

START_TEST(test_killed_before_commit)
{
	begin();
	life(0, 1000);
	synthetic_drain(&s);
	life(0, 1001);
	life(1, 1002);
	ck_assert_int_eq(store_begin(&s.recorder.store), 0);
	synthetic_kill(&s);
	synthetic_start(&s);
	synthetic_drain(&s);
	check_lives(3);
	end();
}
END_TEST

START_TEST(test_the_same_number_twice)
{
	begin();
	life(0, 1000);
	s.next_seq[0] -= 3;
	life(0, 1000);
	synthetic_drain(&s);
	check_lives(1);
	ck_assert_uint_eq(s.recorder.ledger.duplicates, 3);
	end();
}
END_TEST

START_TEST(test_a_hole_that_closes_late)
{
	uint64_t missing;

	begin();
	life(0, 1000);
	missing = synthetic_lose(&s, 0);
	life(0, 1001);
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s,
					"SELECT cpu, first_seq, last_seq, lost, recovered FROM gap "
					"WHERE cause = 'ring_full'"),
			 "0|3|3|1|0");
	synthetic_prove(&s);
	s.next_seq[0] = missing;
	synthetic_fork(&s, 0, synthetic_key(&s, 1002, 1500), shell, "late");
	s.next_seq[0] = missing + 4;
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_sql(&s, "SELECT count(*) FROM gap WHERE cause = 'ring_full'"),
			 "0");
	ck_assert_uint_eq(s.recorder.ledger.late, 1);
	end();
}
END_TEST

START_TEST(test_a_hole_that_closes_late_after_a_restart)
{
	uint64_t first;

	begin();
	life(0, 1000);
	first = synthetic_lose(&s, 0);
	synthetic_lose(&s, 0);
	synthetic_lose(&s, 0);
	life(0, 1001);
	synthetic_drain(&s);
	synthetic_kill(&s);
	synthetic_start(&s);
	/* The middle one: the gap keeps its range and counts two. */
	s.next_seq[0] = first + 1;
	synthetic_fork(&s, 0, synthetic_key(&s, 1002, 1500), shell, "late");
	s.next_seq[0] = first + 6;
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT first_seq, last_seq, lost FROM gap "
					    "WHERE cause = 'ring_full' ORDER BY first_seq"),
			 "3|5|2");
	end();
}
END_TEST

START_TEST(test_losses_at_the_end_are_told)
{
	begin();
	life(0, 1000);
	synthetic_lose(&s, 0);
	synthetic_lose(&s, 1);
	synthetic_drain(&s);
	synthetic_count(&s);
	ck_assert_int_eq(recorder_tick(&s.recorder), 0);
	synthetic_lose(&s, 0);
	synthetic_count(&s);
	ck_assert_int_eq(recorder_tick(&s.recorder), 0);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT cpu, first_seq, last_seq, lost FROM gap "
					    "WHERE cause = 'ring_full' ORDER BY cpu"),
			 "0|3|4|2\n1|0|0|1");
	end();
}
END_TEST

START_TEST(test_a_gap_begins_before_what_was_lost)
{
	uint64_t restarted;

	begin();
	life(0, 1000);
	synthetic_drain(&s);
	restarted = clock_boot_ns();
	synthetic_kill(&s);
	synthetic_start(&s);
	/* Nothing tells when: it may have been at any time since the last sign of life. */
	synthetic_lose(&s, 0);
	synthetic_lose(&s, 1);
	synthetic_count(&s);
	ck_assert_int_eq(recorder_tick(&s.recorder), 0);
	ck_assert_str_eq(synthetic_rows(&s,
					"SELECT count(*) FROM gap_row WHERE cause = 'ring_full' "
					"AND from_boot_ns < %lld AND to_boot_ns >= %lld",
					(long long)restarted, (long long)restarted),
			 "2");
	end();
}
END_TEST

START_TEST(test_a_record_that_makes_no_sense)
{
	struct lineage_header h;

	begin();
	life(0, 1000);
	synthetic_head(&s, &h, LINEAGE_FORK, sizeof(h), 0, shell, 2000);
	synthetic_put(&s, &h, sizeof(h));
	life(0, 1001);
	synthetic_drain(&s);
	check_lives(2);
	ck_assert_uint_eq(s.recorder.counters.malformed, 1);
	ck_assert_str_eq(
		synthetic_rows(&s, "SELECT first_seq, lost FROM gap WHERE cause = 'ring_full'"),
		"3|1");
	end();
}
END_TEST

START_TEST(test_a_record_that_is_still_being_written)
{
	uint32_t *head;

	begin();
	life(0, 1000);
	head = (uint32_t *)(s.ring + 2 * s.page);
	*head |= BPF_RINGBUF_BUSY_BIT;
	ck_assert_int_eq(recorder_batch(&s.recorder), 0);
	ck_assert_uint_eq(ring_consumed(&s.recorder.ring), 0);
	*head &= ~BPF_RINGBUF_BUSY_BIT;
	synthetic_drain(&s);
	check_lives(1);
	end();
}
END_TEST

START_TEST(test_a_full_database)
{
	struct sqlite3 *db;
	int r = 0;

	begin();
	db = s.recorder.store.db;
	life(0, 1000);
	synthetic_drain(&s);
	ck_assert_int_eq(schema_exec(db, "PRAGMA max_page_count = 1"), 0);
	for (uint32_t i = 0; i < 100; i++) {
		life((int)(i & 1), 2000 + i);
		/* Some batches still find room in pages that are there. */
		r = recorder_batch(&s.recorder);
	}
	ck_assert_int_eq(r, -ENOSPC);
	ck_assert_int_eq(recorder_batch(&s.recorder), -ENOSPC);
	ck_assert_uint_gt(ring_produced(&s.recorder.ring), ring_consumed(&s.recorder.ring));
	synthetic_prove(&s);
	ck_assert_int_eq(schema_exec(db, "PRAGMA max_page_count = 1000000"), 0);
	synthetic_drain(&s);
	check_lives(101);
	ck_assert_str_eq(synthetic_sql(&s, "SELECT count(*) FROM gap WHERE cause = 'ring_full'"),
			 "0");
	end();
}
END_TEST

/* Fails every statement from some step on: for once, or until told otherwise. */
struct refusal {
	int after; /* steps of SQLite's machine; negative: never */
	bool once;
	int steps;
};

static int refuse(void *userdata)
{
	struct refusal *f = userdata;

	if (f->after < 0 || f->steps++ < f->after)
		return 0;
	if (f->once)
		f->after = -1;
	return 1;
}

/* At every point of a batch, and of what is read back after that. */
static void refuse_everywhere(bool once)
{
	struct refusal f = {.once = once};
	int refused = 0, r = -1;

	begin();
	life(0, 1000);
	synthetic_drain(&s);
	life(0, 1001);
	synthetic_lose(&s, 0);
	life(0, 1002);
	life(1, 1003);
	sqlite3_progress_handler(s.recorder.store.db, 1, refuse, &f);
	for (int after = 0; r < 0; after += 3, refused++) {
		f.steps = 0;
		f.after = after;
		r = recorder_batch(&s.recorder);
		f.after = -1;
		ck_assert_int_le(r, 0);
	}
	/* A COMMIT may be refused although it has been done: then nothing is left to do. */
	ck_assert_int_gt(refused, 100);
	life(1, 1004);
	synthetic_drain(&s);
	check_lives(5);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT cpu, first_seq, lost FROM gap "
					    "WHERE cause = 'ring_full'"),
			 "0|6|1");
	end();
}

START_TEST(test_a_failure_anywhere)
{
	refuse_everywhere(true);
}
END_TEST

START_TEST(test_a_database_that_cannot_even_be_read)
{
	refuse_everywhere(false);
}
END_TEST

START_TEST(test_another_writer)
{
	struct store other;
	struct process *p;

	begin();
	life(0, 1000);
	synthetic_drain(&s);
	p = book_find(&s.recorder.book, &shell);
	/* Only in memory, as what recover_snapshot() deduces. */
	p->end = PROVENANCE_INFERRED;
	p->end_after_ns = 5;
	book_change(&s.recorder.book, p);
	life(0, 1001);
	ck_assert_int_eq(store_open(&other, s.path), 0);
	ck_assert_int_eq(store_begin(&other), 0);
	ck_assert_int_eq(recorder_batch(&s.recorder), SCHEMA_E_BUSY);
	ck_assert_int_eq(recorder_batch(&s.recorder), SCHEMA_E_BUSY);
	ck_assert_int_eq(store_rollback(&other), 0);
	store_close(&other);
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_sql(&s, "SELECT count(*) FROM exit WHERE pid >= 1000"), "2");
	ck_assert_str_eq(synthetic_sql(&s, "SELECT end_provenance FROM process WHERE pid = 100"),
			 "inferred");
	end();
}
END_TEST

START_TEST(test_runs)
{
	begin();
	life(0, 1000);
	ck_assert_int_eq(recorder_finish(&s.recorder, "stopped"), 0);
	synthetic_kill(&s);
	synthetic_start(&s);
	synthetic_kill(&s);
	s.probe.adopted = true;
	synthetic_start(&s);
	check_lives(1);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT ended, stopped NOTNULL FROM recorder"),
			 "stopped|1\nkilled|0\nrunning|0");
	/* Between the first two; the third took over. */
	ck_assert_str_eq(synthetic_rows(&s,
					"SELECT cause, cpu, lost, from_boot_ns = 0 FROM gap_row"),
			 "recorder_down|||0");
	end();
}
END_TEST

/* Whoever follows knows whether the programs went on: the word that the run wrote is corrected. */
START_TEST(test_who_follows_tells_how_a_run_ended)
{
	begin();
	ck_assert_int_eq(recorder_finish(&s.recorder, "stopped"), 0);
	synthetic_kill(&s);
	s.probe.adopted = true;
	synthetic_start(&s);
	ck_assert_int_eq(recorder_finish(&s.recorder, "handed over"), 0);
	synthetic_kill(&s);
	s.probe.adopted = false;
	synthetic_start(&s);
	synthetic_kill(&s);
	synthetic_start(&s);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT ended FROM recorder"),
			 "handed over\nstopped\nkilled\nrunning");
	ck_assert_str_eq(synthetic_rows(&s, "SELECT count(*) FROM gap "
					    "WHERE cause = 'recorder_down' AND lost IS NULL"),
			 "2");
	end();
}
END_TEST

/* After a power cut the ring is gone: what had not been read from it is after the last sign. */
START_TEST(test_a_sign_of_life_says_what_has_been_read)
{
	const char *alive = "SELECT (last_boot_ns - %lld) / 1000000 FROM recorder_row";

	begin();
	s.recorder.options.batch_max = 4;
	life(0, 1000);
	life(1, 5000);
	ck_assert_int_eq(recorder_batch(&s.recorder), 1);
	ck_assert_str_eq(synthetic_sql(&s, alive, (long long)s.base_ns), "5000");
	synthetic_drain(&s);
	ck_assert_int_ge(atoi(synthetic_sql(&s, alive, (long long)s.base_ns)), 20000);
	end();
}
END_TEST

/* From the last sign of life to the beginning of the next boot, by the clocks of both. */
START_TEST(test_a_node_that_went_down)
{
	sqlite3 *db;
	char sql[256];

	begin();
	life(0, 1000);
	synthetic_drain(&s);
	synthetic_kill(&s);
	snprintf(sql, sizeof(sql),
		 "UPDATE boot SET boot_id = 'earlier'; "
		 "UPDATE clock SET offset_ns = offset_ns - %lld - 1000000000000",
		 (long long)clock_boot_ns());
	ck_assert_int_eq(sqlite3_open(s.path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	synthetic_start(&s);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT boot_id, ended FROM recorder LIMIT 1"),
			 "earlier|rebooted");
	ck_assert_str_eq(synthetic_rows(&s, "SELECT boot_id, lost, "
					    "(to_unix_ns - from_unix_ns) / 100000000000 "
					    "FROM gap WHERE cause = 'unclean_end'"),
			 "earlier||10");
	end();
}
END_TEST

static uint32_t next_pid;

static int go_on(void *userdata)
{
	life(0, next_pid++);
	return 0;
}

/* Each commit finds that more has come. */
START_TEST(test_the_end_of_a_run_in_a_flood)
{
	begin();
	next_pid = 1000;
	s.recorder.options.batch_max = 2;
	go_on(NULL);
	go_on(NULL);
	sqlite3_commit_hook(s.recorder.store.db, go_on, NULL);
	ck_assert_int_eq(recorder_finish(&s.recorder, "stopped"), 0);
	sqlite3_commit_hook(s.recorder.store.db, NULL, NULL);
	ck_assert_uint_lt(next_pid, 1100);
	ck_assert_uint_ge(s.recorder.counters.exits, 2);
	ck_assert_str_eq(synthetic_sql(&s, "SELECT ended FROM recorder"), "stopped");
	end();
}
END_TEST

/* The kernel tells a cgroup once; the daemon looks for the name again by itself. */
START_TEST(test_a_name_that_is_written_late)
{
#define STATE "/run/containerd/io.containerd.runtime.v2.task/default/shop"
	static const char components[] = "shop\0default\0";
	static char root[] = "/tmp/check_recorder.XXXXXX";
	char record[sizeof(struct lineage_cgroup) + sizeof(components)] = {0}, command[256];
	struct lineage_cgroup *g = (struct lineage_cgroup *)record;

	begin();
	ck_assert_ptr_nonnull(mkdtemp(root));
	s.recorder.intern.root = root;
	synthetic_head(&s, &g->header, LINEAGE_CGROUP, sizeof(record), 0, (struct lineage_key){0},
		       0);
	g->header.boot_ns = clock_boot_ns() - 2000000000;
	g->id = 77;
	g->path_length = sizeof(components) - 1;
	memcpy(g->data, components, sizeof(components) - 1);
	synthetic_put(&s, record, sizeof(record));
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT container_id, container_name FROM cgroup"),
			 "shop|");
	snprintf(command, sizeof(command),
		 "mkdir -p %s" STATE " && echo '{}' >%s" STATE "/config.json", root, root);
	ck_assert_int_eq(system(command), 0);
	ck_assert_int_eq(recorder_tick(&s.recorder), 0);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT container_id, container_name FROM cgroup"),
			 "shop|shop");
	snprintf(command, sizeof(command), "rm -r %s", root);
	ck_assert_int_eq(system(command), 0);
	end();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_round_and_round_the_ring,
		test_batches_are_bounded,
		test_killed_between_commit_and_release,
		test_killed_before_commit,
		test_the_same_number_twice,
		test_a_hole_that_closes_late,
		test_a_hole_that_closes_late_after_a_restart,
		test_losses_at_the_end_are_told,
		test_a_gap_begins_before_what_was_lost,
		test_a_record_that_makes_no_sense,
		test_a_record_that_is_still_being_written,
		test_a_full_database,
		test_a_failure_anywhere,
		test_a_database_that_cannot_even_be_read,
		test_another_writer,
		test_runs,
		test_who_follows_tells_how_a_run_ended,
		test_a_sign_of_life_says_what_has_been_read,
		test_a_node_that_went_down,
		test_the_end_of_a_run_in_a_flood,
		test_a_name_that_is_written_late,
	};

	return synthetic_possible() ? SUITE_RUN("recorder", tests) : SUITE_SKIPPED;
}
