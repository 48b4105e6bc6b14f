/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of daemon/recover_node.c: who runs, and who does not any more. What the task iterator tells
 * is made up; /proc is the real one.
 */
#include "suite.h"
#include "synthetic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RING (1u << 18)

static struct synthetic s;
static struct lineage_key init, outside;

static void begin(void)
{
	ck_assert_int_eq(synthetic_init(&s, RING), 0);
	init = synthetic_key(&s, 4000001, 0);
	outside = synthetic_key(&s, 4000002, 500);
	/* Where every process is included, a pid 1 that is not told is looked for. */
	s.control.filter = LINEAGE_FILTER_CGROUPS;
	ck_assert(synthetic_runs(&s, NULL, 0));
	synthetic_start(&s);
}

static void end(void)
{
	synthetic_prove(&s);
	synthetic_deinit(&s);
}

static struct lineage_snapshot running(struct lineage_key key, struct lineage_key parent,
				       const char *comm, uint32_t exec_id, bool included)
{
	struct lineage_snapshot x = {
		.header = {.kind = LINEAGE_SNAPSHOT, .process = key},
		.parent = parent,
		.ids = {.uid = 7, .pgid = key.pid, .ns_pid = key.pid},
		.exec_id = exec_id,
		.included = included,
		.inode = 12,
	};

	memcpy(x.comm, comm, strlen(comm));
	return x;
}

/* As if no look had been taken for a long while. */
static void look_again(void)
{
	s.recorder.looked_boot_ns = 0;
	s.recorder.ends_boot_ns = 0;
}

/* As if one had just been taken. */
static void not_yet(void)
{
	s.recorder.looked_boot_ns = clock_boot_ns() + 3600000000000ULL;
}

static void tick(void)
{
	synthetic_count(&s);
	ck_assert_int_eq(recorder_tick(&s.recorder), 0);
}

static void look(void)
{
	look_again();
	tick();
}

#define SHELLS 8

/* Moved into what is recorded, and forking at once: the first look is too early for all but one. */
START_TEST(test_unknown_ones_that_come_together)
{
	struct lineage_snapshot now[SHELLS + 2];
	struct lineage_process kept = {.known = 0, .exec_id = 3, .comm = "shell"};

	begin();
	now[0] = running(init, (struct lineage_key){0}, "init", 1, false);
	now[1] = running(outside, init, "outside", 2, false);
	for (uint32_t i = 0; i < SHELLS; i++) {
		struct lineage_key shell = synthetic_key(&s, 4000100 + i, 1000 + i);

		now[i + 2] = running(shell, outside, "shell", 3, true);
		/* Half of them are as the programs have noted them, the others not at all. */
		kept.parent = kept.current_parent = outside;
		if (i % 2)
			synthetic_cache(&s, shell, &kept);
	}
	ck_assert(synthetic_runs(&s, now, SHELLS + 2));
	not_yet();
	for (uint32_t i = 0; i < SHELLS; i++)
		synthetic_fork(&s, 0, synthetic_key(&s, 4000200 + i, 2000 + i),
			       synthetic_key(&s, 4000100 + i, 1000 + i), "child");
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_sql(&s, "SELECT count(*) FROM process WHERE pid / 100 = 40001 "
					   "AND image_provenance IS NULL"),
			 "8");
	look();
	ck_assert_str_eq(synthetic_rows(&s,
					"SELECT ppid, comm, provenance, image_provenance, count(*) "
					"FROM process WHERE pid / 100 = 40001 GROUP BY 1, 2, 3, 4"),
			 "4000002|shell|snapshot|snapshot|8");
	ck_assert_str_eq(synthetic_rows(&s, "SELECT ppid, comm, uid FROM process WHERE pid = %u",
					outside.pid),
			 "4000001|outside|7");
	/* Its end will be told, too. */
	ck_assert_int_eq(recover_lookup(&s.recorder, &outside, &kept), 0);
	ck_assert_uint_eq(s.recorder.unknown_count, 0);
	end();
}
END_TEST

static void fork_with(struct lineage_key child, struct lineage_key parent, uint32_t exec_id)
{
	struct lineage_fork f = {.parent = parent, .creator = parent, .exec_id = exec_id};

	synthetic_head(&s, &f.header, LINEAGE_FORK, sizeof(f), 0, child, 0);
	f.header.boot_ns = child.start_boot_ns;
	memcpy(f.comm, "child", 6);
	synthetic_put(&s, &f, sizeof(f));
}

START_TEST(test_what_their_children_have_from_them)
{
	struct lineage_key shell, child, grandchild, early;
	struct lineage_snapshot now;

	begin();
	shell = synthetic_key(&s, 4000100, 1000);
	early = synthetic_key(&s, 4000101, 1500);
	child = synthetic_key(&s, 4000102, 2000);
	grandchild = synthetic_key(&s, 4000103, 2500);
	now = running(shell, init, "shell", 3, true);
	not_yet();
	/* One before its last exec, one after, and one of that one's. */
	fork_with(early, shell, 2);
	fork_with(child, shell, 3);
	fork_with(grandchild, child, 3);
	synthetic_exit(&s, 0, grandchild, child, 3000, 0);
	synthetic_drain(&s);
	ck_assert(synthetic_runs(&s, &now, 1));
	look();
	ck_assert_str_eq(synthetic_rows(&s, "SELECT p.pid, f.inode FROM process_row p LEFT JOIN "
					    "image i USING (image) LEFT JOIN program f USING "
					    "(program) WHERE p.pid / 100 = 40001 ORDER BY 1"),
			 "4000100|12\n4000101|\n4000102|12\n4000103|12");
	ck_assert_str_eq(synthetic_rows(&s,
					"SELECT comm, image_inherited FROM process WHERE pid = %u",
					child.pid),
			 "child|1");
	end();
}
END_TEST

START_TEST(test_an_unknown_one_that_has_gone)
{
	struct lineage_key shell;
	struct lineage_process kept = {.exec_id = 3, .comm = "shell"};

	begin();
	shell = synthetic_key(&s, 4000100, 1000);
	kept.parent = kept.current_parent = outside;
	not_yet();
	synthetic_fork(&s, 0, synthetic_key(&s, 4000200, 2000), shell, "child");
	synthetic_drain(&s);
	synthetic_cache(&s, shell, &kept);
	look();
	/* What the parent of a shell ran is not what the shell runs. */
	ck_assert_str_eq(synthetic_rows(&s,
					"SELECT ppid, comm, exe, provenance, image_provenance "
					"FROM process WHERE pid = %u",
					shell.pid),
			 "4000002|shell||snapshot|");
	end();
}
END_TEST

/* Stubs that a run has left behind. */
START_TEST(test_unknown_ones_after_a_restart)
{
	struct lineage_key shell;
	struct lineage_snapshot now;

	begin();
	shell = synthetic_key(&s, 4000100, 1000);
	not_yet();
	synthetic_fork(&s, 0, synthetic_key(&s, 4000200, 2000), shell, "child");
	synthetic_drain(&s);
	synthetic_kill(&s);
	now = running(shell, outside, "shell", 3, true);
	ck_assert(synthetic_runs(&s, &now, 1));
	synthetic_start(&s);
	/* Also at the very end, however short ago the last look was. */
	not_yet();
	ck_assert_int_eq(recorder_finish(&s.recorder, "stopped"), 0);
	ck_assert_str_eq(synthetic_rows(&s,
					"SELECT ppid, comm, provenance FROM process WHERE pid = %u",
					shell.pid),
			 "4000002|shell|snapshot");
	end();
}
END_TEST

static struct lineage_key this_process(void)
{
	char line[2048], *p;
	FILE *f = fopen("/proc/self/stat", "re");
	uint64_t jiffy = 1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK);

	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), f));
	fclose(f);
	p = strrchr(line, ')');
	for (int field = 2; field < 22; field++)
		p = strchr(p + 1, ' ');
	return (struct lineage_key){.pid = (uint32_t)getpid(),
				    .start_boot_ns = strtoull(p + 1, NULL, 10) * jiffy};
}

/* What each of them runs, by its inode. */
static const char *run_by(uint32_t but)
{
	return synthetic_rows(&s,
			      "SELECT p.pid %% 100, f.inode FROM process_row p LEFT JOIN image i "
			      "USING (image) LEFT JOIN program f USING (program) "
			      "WHERE p.pid / 100 = 40001 AND p.pid <> %u ORDER BY 1",
			      but);
}

#define EXECS                                                                          \
	"SELECT x.provenance, f.inode, (x.boot_ns - %llu) / 1000000 FROM exec_base x " \
	"JOIN image i USING (image) JOIN program f USING (program) WHERE x.pid = %u "  \
	"ORDER BY x.boot_ns"

#define AFTER "SELECT exec_after_ns FROM process_row WHERE pid = 4000100"

static struct lineage_key launcher, lost, alive;

/* Outside of what is recorded, and looked at when it ran its second image. */
static void begin_launcher(void)
{
	struct lineage_snapshot now;

	begin();
	launcher = synthetic_key(&s, 4000100, 1000);
	now = running(launcher, init, "launcher", 2, false);
	ck_assert(synthetic_runs(&s, &now, 1));
	look_again();
	fork_with(synthetic_key(&s, 4000101, 2000), launcher, 2);
	synthetic_drain(&s);
	ck_assert_str_eq(run_by(0), "0|12\n1|12");
}

/* It has called exec since, which no record tells. */
static void launcher_runs(uint32_t exec_id, uint64_t inode)
{
	struct lineage_snapshot now = running(launcher, init, "launcher", exec_id, false);

	now.inode = inode;
	ck_assert(synthetic_runs(&s, &now, 1));
}

START_TEST(test_what_an_ancestor_outside_has_moved_on_to)
{
	begin_launcher();
	not_yet();
	fork_with(synthetic_key(&s, 4000102, 3000), launcher, 3);
	synthetic_exit(&s, 0, synthetic_key(&s, 4000102, 3000), launcher, 3100, 0);
	fork_with(synthetic_key(&s, 4000103, 4000), launcher, 3);
	synthetic_drain(&s);
	/* Nothing rather than what it ran before. */
	ck_assert_str_eq(run_by(0), "0|12\n1|12\n2|\n3|");
	launcher_runs(3, 13);
	look();
	ck_assert_str_eq(run_by(0), "0|13\n1|12\n2|13\n3|13");
	/* It is that since its first child by it at the latest; what it was before stays told. */
	ck_assert_str_eq(synthetic_rows(&s, EXECS, (unsigned long long)s.base_ns, 4000100),
			 "1|12|\n1|13|3000");
	/* Later ones are known at once. */
	not_yet();
	fork_with(synthetic_key(&s, 4000104, 5000), launcher, 3);
	synthetic_drain(&s);
	ck_assert_str_eq(run_by(4000100), "1|12\n2|13\n3|13\n4|13");
	end();
}
END_TEST

START_TEST(test_an_ancestor_outside_that_moved_on_again)
{
	begin_launcher();
	fork_with(synthetic_key(&s, 4000102, 3000), launcher, 3);
	launcher_runs(4, 14);
	look_again();
	synthetic_drain(&s);
	/* What it ran in between, nobody knows. That it runs this, only this look has shown. */
	ck_assert_str_eq(run_by(0), "0|14\n1|12\n2|");
	fork_with(synthetic_key(&s, 4000103, 4000), launcher, 4);
	synthetic_drain(&s);
	ck_assert_str_eq(run_by(4000100), "1|12\n2|\n3|14");
	ck_assert_int_gt(atoll(synthetic_sql(&s, AFTER)), 10000000000);
	/* And twice more, when there is a child by the latest, too. */
	not_yet();
	fork_with(synthetic_key(&s, 4000104, 5000), launcher, 5);
	fork_with(synthetic_key(&s, 4000105, 6000), launcher, 6);
	fork_with(synthetic_key(&s, 4000106, 7000), launcher, 6);
	synthetic_drain(&s);
	launcher_runs(6, 16);
	look();
	ck_assert_str_eq(run_by(4000100), "1|12\n2|\n3|14\n4|\n5|16\n6|16");
	ck_assert_str_eq(synthetic_sql(&s, AFTER), "5000000000");
	end();
}
END_TEST

/* Its creator has gone on or gone; but it is there, and has not called exec. */
START_TEST(test_a_child_that_still_runs_what_it_was_born_with)
{
	struct lineage_snapshot now[2];
	struct lineage_key child, grandchild;

	begin_launcher();
	not_yet();
	child = synthetic_key(&s, 4000102, 3000);
	grandchild = synthetic_key(&s, 4000103, 4000);
	fork_with(child, launcher, 3);
	fork_with(grandchild, child, 3);
	fork_with(synthetic_key(&s, 4000104, 5000), child, 3);
	synthetic_drain(&s);
	now[0] = running(child, init, "renamed", 3, true);
	now[0].inode = 15;
	now[1] = running(grandchild, child, "other", 4, true);
	ck_assert(synthetic_runs(&s, now, 2));
	look();
	ck_assert_str_eq(run_by(4000100), "1|12\n2|15\n3|15\n4|15");
	ck_assert_str_eq(synthetic_rows(&s, "SELECT comm, image_inherited FROM process "
					    "WHERE pid = 4000102"),
			 "renamed|1");
	end();
}
END_TEST

/* What the programs have seen comes with its record, or from process_cache. */
START_TEST(test_an_exec_that_is_still_to_be_told)
{
	struct lineage_process kept = {.known = 1u << LINEAGE_EXEC, .exec_id = 3, .comm = "tool"};

	begin_launcher();
	kept.parent = kept.current_parent = init;
	synthetic_cache(&s, launcher, &kept);
	fork_with(synthetic_key(&s, 4000102, 3000), launcher, 3);
	launcher_runs(3, 13);
	look_again();
	synthetic_drain(&s);
	ck_assert_str_eq(run_by(0), "0|12\n1|12\n2|");
	ck_assert_str_eq(synthetic_sql(&s, "SELECT count(*) FROM exec WHERE pid = 4000100"), "1");
	end();
}
END_TEST

/* A database does not hold exec_id. */
START_TEST(test_an_ancestor_outside_after_a_restart)
{
	for (int moved = 0; moved < 2; moved++) {
		begin_launcher();
		synthetic_kill(&s);
		synthetic_start(&s);
		not_yet();
		fork_with(synthetic_key(&s, 4000102, 3000), launcher, 3);
		synthetic_drain(&s);
		ck_assert_str_eq(run_by(4000100), "1|12\n2|");
		launcher_runs(3, moved ? 13 : 12);
		look();
		ck_assert_str_eq(run_by(4000100), moved ? "1|12\n2|13" : "1|12\n2|12");
		ck_assert_str_eq(synthetic_rows(&s, EXECS, (unsigned long long)s.base_ns, 4000100),
				 moved ? "1|12|\n1|13|3000" : "1|12|");
		end();
	}
}
END_TEST

/* Rebuilt from process_cache, which has nothing of what its parent ran. */
START_TEST(test_a_lost_birth_by_one_that_has_moved_on)
{
	struct lineage_process kept = {.exec_id = 3, .comm = "child"};

	begin_launcher();
	kept.parent = kept.current_parent = kept.creator = launcher;
	kept.known = 1u << LINEAGE_FORK;
	kept.fork_cpu = 1;
	kept.fork_seq = synthetic_lose(&s, 1);
	synthetic_cache(&s, synthetic_key(&s, 4000102, 3000), &kept);
	tick();
	ck_assert_str_eq(run_by(4000100), "1|12\n2|");
	end();
}
END_TEST

#define ENDS                                                                  \
	"SELECT pid = %u, end_provenance FROM process WHERE end IS NOT NULL " \
	"AND pid <> 4000001"

/* Met by its key alone, when it had ended: nothing else would ever tell of that. */
START_TEST(test_a_launcher_that_has_gone)
{
	struct lineage_key noted;
	struct lineage_process kept = {.exec_id = 3, .comm = "noted"};

	begin();
	noted = synthetic_key(&s, 4000103, 900);
	kept.parent = kept.current_parent = init;
	synthetic_cache(&s, noted, &kept);
	synthetic_fork(&s, 0, synthetic_key(&s, 4000101, 2000), outside, "child");
	/* The programs know this one: its end will have a record. */
	synthetic_fork(&s, 0, synthetic_key(&s, 4000102, 2000), noted, "child");
	look_again();
	synthetic_drain(&s);
	look();
	ck_assert_str_eq(synthetic_rows(&s, ENDS, outside.pid), "1|inferred");
	end();
}
END_TEST

START_TEST(test_a_launcher_that_is_about_to_end)
{
	begin();
	/* Not among those that run, and yet in /proc: this test itself. */
	alive = this_process();
	synthetic_fork(&s, 0, synthetic_key(&s, 4000101, 20001), alive, "child");
	look_again();
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s, ENDS, 0), "");
	end();
}
END_TEST

/* One whose end is lost, one that the iterator leaves out although it runs: this test itself. */
static void two_that_are_not_told(void)
{
	alive = this_process();
	lost = synthetic_key(&s, 4000300, 3000);
	synthetic_fork(&s, 0, lost, init, "lost");
	synthetic_fork(&s, 0, alive, init, "alive");
	synthetic_drain(&s);
	synthetic_lose(&s, 0);
	for (int i = 0; i <= LEDGER_PASSES; i++)
		tick();
	ck_assert_uint_eq(s.recorder.ledger.given_up, 1);
}

START_TEST(test_ends_that_were_lost)
{
	begin();
	two_that_are_not_told();
	ck_assert_str_eq(synthetic_rows(&s, ENDS, lost.pid), "");
	look_again();
	ck_assert_int_eq(recover_ends(&s.recorder), 0);
	ck_assert_str_eq(synthetic_rows(&s, ENDS, lost.pid), "1|inferred");
	/* Once is enough, until something is lost again. */
	synthetic_fork(&s, 0, synthetic_key(&s, 4000400, 4000), init, "later");
	synthetic_drain(&s);
	look_again();
	ck_assert_int_eq(recover_ends(&s.recorder), 0);
	ck_assert_str_eq(synthetic_rows(&s, ENDS, lost.pid), "1|inferred");
	/* Its record comes after all, when it has left the book. */
	s.recorder.options.cache_keep_ns = 0;
	recorder_free_cache(&s.recorder);
	ck_assert_ptr_null(book_find(&s.recorder.book, &lost));
	synthetic_exit(&s, 1, lost, init, 5000, 3 << 8);
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s,
					"SELECT exit_code, end_provenance, end_unix_ns - "
					"start_unix_ns FROM process WHERE pid = %u",
					lost.pid),
			 "3|observed|2000000000");
	end();
}
END_TEST

START_TEST(test_ends_that_cannot_be_written_yet)
{
	struct store other;

	begin();
	two_that_are_not_told();
	ck_assert_int_eq(store_open(&other, s.path), 0);
	ck_assert_int_eq(store_begin(&other), 0);
	look_again();
	ck_assert_int_eq(recover_ends(&s.recorder), SCHEMA_E_BUSY);
	ck_assert_uint_ne(s.recorder.ends_lost, 1);
	ck_assert_int_eq(store_rollback(&other), 0);
	store_close(&other);
	/* Memory is read back, as after any other failure. */
	synthetic_kill(&s);
	synthetic_start(&s);
	ck_assert_int_eq(recover_snapshot(&s.recorder), 0);
	ck_assert_str_eq(synthetic_rows(&s, ENDS, lost.pid), "1|inferred");
	end();
}
END_TEST

static void exec_as(struct lineage_key process, uint32_t exec_id, int64_t ms)
{
	synthetic_exec(&s, 0,
		       &(struct synthetic_exec){.process = process,
						.parent = init,
						BYTES("tool\0bin\0"),
						BYTES("tool\0"),
						.comm = "tool",
						.exec_id = exec_id,
						.ms = ms});
}

/* What is in the ring when the snapshot is taken happened before it, and leads up to what it saw.
 */
START_TEST(test_execs_that_the_snapshot_has_seen)
{
	struct lineage_key p;
	struct lineage_snapshot now;

	begin();
	p = synthetic_key(&s, 4000100, 1000);
	now = running(p, init, "tool", 3, true);
	ck_assert(synthetic_runs(&s, &now, 1));
	exec_as(p, 2, 2000);
	exec_as(p, 3, 3000);
	ck_assert_int_eq(recover_snapshot(&s.recorder), 0);
	exec_as(p, 4, 60000);
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT provenance, seq FROM exec WHERE pid = 4000100 "
					    "ORDER BY seq"),
			 "observed|0\nobserved|1\nobserved|2");
	end();
}
END_TEST

START_TEST(test_execs_that_the_snapshot_has_seen_and_a_kill)
{
	struct lineage_key p, q;
	struct lineage_snapshot now[2];

	begin();
	p = synthetic_key(&s, 4000100, 1000);
	q = synthetic_key(&s, 4000101, 1000);
	now[0] = running(p, init, "tool", 2, true);
	now[1] = running(q, init, "tool", 2, true);
	ck_assert(synthetic_runs(&s, now, 2));
	/* Killed after the snapshot was written, and before the ring was read. */
	ck_assert_int_eq(recover_snapshot(&s.recorder), 0);
	synthetic_kill(&s);
	exec_as(p, 2, 2000);
	exec_as(q, 3, 60000);
	synthetic_start(&s);
	ck_assert_int_eq(recover_snapshot(&s.recorder), 0);
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT pid, provenance, seq FROM exec "
					    "WHERE pid / 100 = 40001 ORDER BY pid, seq"),
			 "4000100|observed|0\n4000101|snapshot|\n4000101|observed|1");
	end();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_unknown_ones_that_come_together,
		test_what_their_children_have_from_them,
		test_an_unknown_one_that_has_gone,
		test_unknown_ones_after_a_restart,
		test_what_an_ancestor_outside_has_moved_on_to,
		test_an_ancestor_outside_that_moved_on_again,
		test_a_child_that_still_runs_what_it_was_born_with,
		test_an_exec_that_is_still_to_be_told,
		test_an_ancestor_outside_after_a_restart,
		test_a_lost_birth_by_one_that_has_moved_on,
		test_a_launcher_that_has_gone,
		test_a_launcher_that_is_about_to_end,
		test_ends_that_were_lost,
		test_ends_that_cannot_be_written_yet,
		test_execs_that_the_snapshot_has_seen,
		test_execs_that_the_snapshot_has_seen_and_a_kill,
	};

	bool possible;

	if (!synthetic_possible())
		return SUITE_SKIPPED;
	possible = synthetic_init(&s, RING) == 0 && synthetic_runs(&s, NULL, 0);
	synthetic_deinit(&s);
	if (!possible)
		return SUITE_SKIPPED;
	return SUITE_RUN("recover_node", tests);
}
