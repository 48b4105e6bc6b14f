/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/recover.c: what process_cache gives back of events that found no room. */
#include "suite.h"
#include "synthetic.h"

#include <stdio.h>
#include <string.h>

#define RING (1u << 18)

static struct synthetic s;
static struct lineage_key shell, child;

static void begin(void)
{
	ck_assert_int_eq(synthetic_init(&s, RING), 0);
	synthetic_start(&s);
	shell = synthetic_key(&s, 100, 1000);
	child = synthetic_key(&s, 101, 2000);
}

static void end(void)
{
	synthetic_prove(&s);
	synthetic_deinit(&s);
}

static void tick(void)
{
	synthetic_count(&s);
	ck_assert_int_eq(recorder_tick(&s.recorder), 0);
}

static void restart(void)
{
	synthetic_kill(&s);
	synthetic_start(&s);
}

/* What the programs keep of a child that ran /bin/tool with three arguments and ended with 5. */
static struct lineage_process kept(void)
{
	static const char args[] = "tool\0-x\0a b";
	struct lineage_process p = {
		.comm = "tool",
		.binary = "/bin/tool",
		.parent = shell,
		.creator = shell,
		.current_parent = shell,
		.ids = {.uid = 7, .euid = 7, .loginuid = UINT32_MAX, .pgid = 101, .ns_pid = 101},
		.state = LINEAGE_STATE_FORKED,
		.exec_boot_ns = child.start_boot_ns + 1000000,
		.exit_boot_ns = child.start_boot_ns + 2000000,
		.exit_status = 5 << 8,
		.args_total = sizeof(args),
		.args_count = 3,
		.exec_id = 1,
	};

	for (size_t i = 0; i < sizeof(args); i++) {
		p.args[i] = args[i] ? args[i] : ' ';
		if (!args[i])
			p.args_breaks[i / 8] |= (uint8_t)(1u << i % 8);
	}
	return p;
}

static void knows(struct lineage_process *p, int kind, uint32_t cpu, uint64_t seq)
{
	p->known |= 1u << kind;
	if (kind == LINEAGE_FORK) {
		p->fork_cpu = cpu;
		p->fork_seq = seq;
	} else if (kind == LINEAGE_EXEC) {
		p->state = LINEAGE_STATE_EXECED;
		p->exec_cpu = cpu;
		p->exec_seq = seq;
	} else {
		p->state = LINEAGE_STATE_EXITED;
		p->exit_cpu = cpu;
		p->exit_seq = seq;
	}
}

static void exec_child(int64_t ms)
{
	synthetic_exec(&s, 0,
		       &(struct synthetic_exec){.process = child,
						.parent = shell,
						BYTES("tool\0bin\0"),
						BYTES("tool\0"),
						.comm = "tool",
						.exec_id = 1,
						.ms = ms});
}

#define GAPS                                                         \
	"SELECT cpu, first_seq, last_seq, lost, recovered FROM gap " \
	"WHERE cause = 'ring_full' ORDER BY cpu, first_seq"

START_TEST(test_a_lost_fork)
{
	struct lineage_process p;

	begin();
	p = kept();
	p.exec_boot_ns = p.exit_boot_ns = 0;
	knows(&p, LINEAGE_FORK, 1, synthetic_lose(&s, 1));
	synthetic_cache(&s, child, &p);
	tick();
	ck_assert_str_eq(synthetic_rows(&s, "SELECT pid, ppid, uid, comm, provenance FROM process "
					    "WHERE pid = 101"),
			 "101|100|7|tool|recovered");
	ck_assert_str_eq(synthetic_rows(&s, GAPS), "1|0|0|0|1");
	ck_assert_str_eq(synthetic_rows(&s, "SELECT cpu, seq FROM fork WHERE pid = 101"), "1|0");
	end();
}
END_TEST

START_TEST(test_a_lost_fork_that_an_exec_asks_for)
{
	struct lineage_process p;

	begin();
	p = kept();
	knows(&p, LINEAGE_FORK, 0, synthetic_lose(&s, 0));
	synthetic_cache(&s, child, &p);
	exec_child(2001);
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT pid, ppid, exe, provenance, image_provenance "
					    "FROM process WHERE pid = 101"),
			 "101|100|/bin/tool|recovered|observed");
	ck_assert_str_eq(synthetic_rows(&s, GAPS), "0|0|0|0|1");
	end();
}
END_TEST

START_TEST(test_lost_exec_and_exit)
{
	struct lineage_process p;

	begin();
	synthetic_fork(&s, 0, child, shell, "sh");
	p = kept();
	knows(&p, LINEAGE_FORK, 0, 0);
	knows(&p, LINEAGE_EXEC, 0, synthetic_lose(&s, 0));
	knows(&p, LINEAGE_EXIT, 0, synthetic_lose(&s, 0));
	synthetic_cache(&s, child, &p);
	tick();
	ck_assert_str_eq(synthetic_rows(&s,
					"SELECT exe, args, args_count, uid, exit_code, provenance, "
					"image_provenance, end_provenance FROM process "
					"WHERE pid = 101"),
			 "|[\"tool\",\"-x\",\"a b\"]|3|7|5|observed|recovered|recovered");
	ck_assert_str_eq(synthetic_rows(&s, "SELECT filename, cpu, seq, exe_truncated FROM exec"),
			 "/bin/tool|0|1|1");
	ck_assert_str_eq(synthetic_rows(&s, "SELECT cpu, seq, lifetime_ns FROM exit"),
			 "0|2|2000000");
	ck_assert_str_eq(synthetic_rows(&s, GAPS), "0|1|2|0|2");
	end();
}
END_TEST

START_TEST(test_a_lost_exec_of_a_process_that_ended_before_a_restart)
{
	struct lineage_process p;

	begin();
	synthetic_fork(&s, 0, child, shell, "sh");
	p = kept();
	knows(&p, LINEAGE_FORK, 0, 0);
	knows(&p, LINEAGE_EXEC, 0, synthetic_lose(&s, 0));
	synthetic_exit(&s, 0, child, shell, 2002, 5 << 8);
	knows(&p, LINEAGE_EXIT, 0, 2);
	synthetic_cache(&s, child, &p);
	synthetic_drain(&s);
	restart();
	tick();
	ck_assert_str_eq(synthetic_rows(&s, "SELECT args_count, exit_code, provenance, "
					    "image_provenance, end_provenance FROM process "
					    "WHERE pid = 101"),
			 "3|5|observed|recovered|observed");
	ck_assert_str_eq(synthetic_rows(&s, GAPS), "0|1|1|0|1");
	end();
}
END_TEST

/* An exec late in a long life, of which the hole's time tells nothing, is rebuilt once. */
START_TEST(test_a_late_exec_before_a_restart)
{
	struct lineage_key old;
	struct lineage_process p;

	begin();
	old = synthetic_key(&s, 50, -200000);
	child = synthetic_key(&s, 101, -100000);
	synthetic_fork(&s, 0, child, old, "sh");
	synthetic_drain(&s);
	/* Zones are runs of 4096 processes. */
	s.recorder.store.next_process = 5000;
	synthetic_fork(&s, 0, synthetic_key(&s, 300, 1000), shell, "sh");
	p = kept();
	p.parent = p.creator = p.current_parent = old;
	p.exec_boot_ns = s.base_ns + 1500000000;
	knows(&p, LINEAGE_FORK, 0, 0);
	knows(&p, LINEAGE_EXEC, 0, synthetic_lose(&s, 0));
	synthetic_lose(&s, 0);
	synthetic_cache(&s, child, &p);
	synthetic_fork(&s, 0, synthetic_key(&s, 301, 2000), shell, "sh");
	tick();
	ck_assert_str_eq(synthetic_rows(&s, GAPS), "0|2|3|1|1");
	restart();
	tick();
	ck_assert_str_eq(synthetic_rows(&s, GAPS), "0|2|3|1|1");
	ck_assert_str_eq(synthetic_sql(&s, "SELECT count(*) FROM exec"), "1");
	end();
}
END_TEST

START_TEST(test_a_part_of_a_hole)
{
	struct lineage_process p;
	uint64_t first;

	begin();
	synthetic_fork(&s, 0, child, shell, "sh");
	first = synthetic_lose(&s, 0);
	p = kept();
	knows(&p, LINEAGE_FORK, 0, 0);
	knows(&p, LINEAGE_EXIT, 0, synthetic_lose(&s, 0));
	synthetic_lose(&s, 0);
	synthetic_cache(&s, child, &p);
	tick();
	ck_assert_str_eq(synthetic_rows(&s, GAPS), "0|1|3|2|1");
	synthetic_prove(&s);
	/* One of the rest comes late after all; that something was rebuilt stays told. */
	s.next_seq[0] = first;
	synthetic_fork(&s, 0, synthetic_key(&s, 102, 2500), shell, "late");
	s.next_seq[0] = first + 3;
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s, GAPS), "0|1|3|1|1");
	end();
}
END_TEST

START_TEST(test_losses_go_on_where_recovery_gave_up)
{
	struct lineage_process p;

	begin();
	synthetic_fork(&s, 0, child, shell, "sh");
	synthetic_lose(&s, 0);
	for (int i = 0; i < 5; i++)
		tick();
	/* Right behind it another one is lost. */
	p = kept();
	knows(&p, LINEAGE_FORK, 0, 0);
	knows(&p, LINEAGE_EXIT, 0, synthetic_lose(&s, 0));
	synthetic_cache(&s, child, &p);
	tick();
	ck_assert_str_eq(synthetic_rows(&s, "SELECT exit_code, end_provenance FROM process "
					    "WHERE pid = 101"),
			 "5|recovered");
	ck_assert_str_eq(synthetic_rows(&s, GAPS), "0|1|1|1|0\n0|2|2|0|1");
	end();
}
END_TEST

START_TEST(test_ended_ones_that_change_again_are_still_given_back)
{
	struct lineage_process p[8];
	struct lineage_key keys[8];

	begin();
	s.recorder.options.cache_keep_ns = 0;
	for (uint32_t i = 0; i < 8; i++) {
		keys[i] = child = synthetic_key(&s, 200 + i, 2000 + i);
		synthetic_fork(&s, 0, child, shell, "sh");
		p[i] = kept();
		knows(&p[i], LINEAGE_FORK, 0, s.next_seq[0] - 1);
		if (i % 2 == 0)
			knows(&p[i], LINEAGE_EXEC, 0, synthetic_lose(&s, 0));
		synthetic_exit(&s, 0, child, shell, 2500, 0);
		knows(&p[i], LINEAGE_EXIT, 0, s.next_seq[0] - 1);
		synthetic_cache(&s, child, &p[i]);
		synthetic_drain(&s);
	}
	ck_assert_uint_eq(s.recorder.book.ended_count, 8);
	tick();
	ck_assert_str_eq(
		synthetic_sql(&s, "SELECT count(*) FROM exec WHERE provenance = 'recovered'"), "4");
	recorder_free_cache(&s.recorder);
	ck_assert_uint_eq(s.recorder.book.ended_count, 0);
	for (int i = 0; i < 8; i++) {
		ck_assert_ptr_null(book_find(&s.recorder.book, &keys[i]));
		ck_assert_int_ne(recover_lookup(&s.recorder, &keys[i], &p[i]), 0);
	}
	end();
}
END_TEST

START_TEST(test_entries_left_over_are_swept)
{
	struct lineage_process p;

	begin();
	s.recorder.options.cache_keep_ns = 0;
	synthetic_fork(&s, 0, child, shell, "sh");
	synthetic_exit(&s, 0, child, shell, 2500, 0);
	p = kept();
	knows(&p, LINEAGE_FORK, 0, 0);
	knows(&p, LINEAGE_EXIT, 0, 1);
	synthetic_cache(&s, child, &p);
	synthetic_drain(&s);
	restart();
	s.recorder.options.cache_keep_ns = 0;
	tick();
	ck_assert_int_ne(recover_lookup(&s.recorder, &child, &p), 0);
	ck_assert_str_eq(synthetic_sql(&s, "SELECT count(*) FROM process WHERE pid = 101"), "1");
	end();
}
END_TEST

START_TEST(test_processes_before_recording)
{
	struct lineage_process p;

	begin();
	/* keep_watching() puts it there: nothing of it was seen, and nothing may be called lost. */
	p = kept();
	p.fork_seq = p.exec_seq = p.exit_seq = 0;
	synthetic_cache(&s, child, &p);
	synthetic_lose(&s, 0);
	tick();
	ck_assert_str_eq(synthetic_sql(&s, "SELECT count(*) FROM process WHERE pid = 101"), "0");
	ck_assert_str_eq(synthetic_rows(&s, GAPS), "0|0|0|1|0");
	end();
}
END_TEST

/* What the programs keep of a child of a shell that ran this file. */
static struct lineage_process born(const char *binary, const char *args, size_t length,
				   uint64_t inode, uint32_t exec_id)
{
	struct lineage_process p = {
		.comm = "sh",
		.parent = shell,
		.creator = shell,
		.current_parent = shell,
		.ids = {.pgid = 101, .ns_pid = 101},
		.state = LINEAGE_STATE_FORKED,
		.inode = inode,
		.dev = 8 << 20 | 1,
		.args_total = (uint32_t)length,
		.args_count = 1,
		.exec_id = exec_id,
	};

	memcpy(p.binary, binary, strlen(binary));
	memcpy(p.args, args, length - 1);
	p.args_breaks[(length - 1) / 8] |= (uint8_t)(1u << (length - 1) % 8);
	return p;
}

static void exec_shell(const char *exe, size_t exe_length, const char *args, size_t args_length,
		       uint32_t exec_id, int64_t ms)
{
	synthetic_exec(&s, 0,
		       &(struct synthetic_exec){.process = shell,
						.parent = synthetic_key(&s, 1, 0),
						.exe = exe,
						.exe_length = exe_length,
						.args = args,
						.args_length = args_length,
						.comm = args,
						.exec_id = exec_id,
						.ms = ms});
}

#define BIRTH                                                                                     \
	"SELECT coalesce(p.exe, t.value), p.args, p.provenance, image_inherited, f.flags >> 4 & " \
	"1 FROM process p JOIN process_row USING (process_id) LEFT JOIN image i USING (image) "   \
	"LEFT JOIN program f USING (program) LEFT JOIN text t ON t.text = f.filename "            \
	"WHERE p.pid = 101"

/* Recovered when the parent has long become something else. */
START_TEST(test_what_ran_at_a_lost_fork)
{
	struct lineage_process p;

	for (int restarted = 0; restarted < 2; restarted++) {
		begin();
		exec_shell(BYTES("bash\0bin\0"), BYTES("bash\0"), 1, 1500);
		p = born("/bin/bash", BYTES("bash\0"), 12, 1);
		knows(&p, LINEAGE_FORK, 1, synthetic_lose(&s, 1));
		exec_shell(BYTES("tail\0bin\0"), BYTES("tail\0-f\0"), 2, 2500);
		synthetic_drain(&s);
		synthetic_cache(&s, child, &p);
		if (restarted)
			restart();
		tick();
		ck_assert_str_eq(synthetic_rows(&s, BIRTH), "/bin/bash|[\"bash\"]|recovered|1|0");
		end();
	}
}
END_TEST

/* After a restart nothing but time tells that it still is what it was. */
START_TEST(test_what_still_runs_after_a_lost_fork)
{
	struct lineage_process p;

	begin();
	exec_shell(BYTES("bash\0bin\0"), BYTES("bash\0"), 1, 1500);
	p = born("/bin/bash", BYTES("bash\0"), 12, 1);
	knows(&p, LINEAGE_FORK, 1, synthetic_lose(&s, 1));
	synthetic_drain(&s);
	restart();
	synthetic_cache(&s, child, &p);
	tick();
	ck_assert_str_eq(synthetic_rows(&s, BIRTH), "/bin/bash|[\"bash\"]|recovered|1|0");
	end();
}
END_TEST

/* The program in between has left nothing but the child's own entry. */
START_TEST(test_a_lost_fork_by_what_was_never_told)
{
	struct lineage_process p;

	begin();
	exec_shell(BYTES("sh\0bin\0"), BYTES("sh\0"), 1, 1500);
	synthetic_lose(&s, 0);
	p = born("/bin/bash", BYTES("bash\0"), 77, 2);
	knows(&p, LINEAGE_FORK, 1, synthetic_lose(&s, 1));
	exec_shell(BYTES("tail\0bin\0"), BYTES("tail\0-f\0"), 3, 2500);
	synthetic_drain(&s);
	synthetic_cache(&s, child, &p);
	tick();
	ck_assert_str_eq(synthetic_rows(&s, BIRTH), "/bin/bash|[\"bash\"]|recovered|1|1");
	end();
}
END_TEST

START_TEST(test_a_lost_fork_by_one_that_nobody_knows)
{
	struct lineage_process p;

	begin();
	p = born("/bin/bash", BYTES("bash\0"), 77, 2);
	knows(&p, LINEAGE_FORK, 1, synthetic_lose(&s, 1));
	synthetic_cache(&s, child, &p);
	tick();
	ck_assert_str_eq(synthetic_rows(&s, BIRTH), "/bin/bash|[\"bash\"]|recovered|1|1");
	end();
}
END_TEST

/* The parent's exec is lost, the fork after it is not: the child gets what it really ran. */
START_TEST(test_a_fork_after_a_lost_exec)
{
	struct lineage_key later = synthetic_key(&s, 101, 2000);
	struct lineage_process p;
	struct lineage_fork f;

	begin();
	later = synthetic_key(&s, 101, 2000);
	exec_shell(BYTES("sh\0bin\0"), BYTES("sh\0"), 1, 1500);
	p = born("/bin/bash", BYTES("bash\0"), 77, 2);
	p.exec_boot_ns = shell.start_boot_ns + 800000000;
	p.parent = p.creator = p.current_parent = synthetic_key(&s, 1, 0);
	p.ids.pgid = p.ids.ns_pid = 100;
	knows(&p, LINEAGE_EXEC, 0, synthetic_lose(&s, 0));
	synthetic_cache(&s, shell, &p);
	f = (struct lineage_fork){.parent = shell, .creator = shell, .comm = "sh", .exec_id = 2};
	synthetic_head(&s, &f.header, LINEAGE_FORK, sizeof(f), 0, later, 2000);
	synthetic_put(&s, &f, sizeof(f));
	synthetic_drain(&s);
	tick();
	ck_assert_str_eq(synthetic_rows(&s, BIRTH), "/bin/bash|[\"bash\"]|observed|1|1");
	end();
}
END_TEST

START_TEST(test_the_parent_at_a_lost_exec)
{
	struct lineage_process p;

	begin();
	synthetic_fork(&s, 0, child, shell, "sh");
	p = kept();
	knows(&p, LINEAGE_FORK, 0, 0);
	knows(&p, LINEAGE_EXEC, 0, synthetic_lose(&s, 0));
	p.current_parent = synthetic_key(&s, 1, 0);
	synthetic_cache(&s, child, &p);
	tick();
	ck_assert_str_eq(synthetic_rows(&s, "SELECT p.ppid, e.ppid, e.provenance FROM process p "
					    "JOIN exec e USING (process_id) WHERE p.pid = 101"),
			 "100|1|recovered");
	end();
}
END_TEST

/* process_cache has room for 63 bytes of the name as asked. */
START_TEST(test_a_long_name_of_a_lost_exec)
{
	static const char name[] =
		"/a/long/way/to/a/program/of/which/nobody/will/see/how/it/is/called";
	struct lineage_process p;
	char wanted[160];

	for (int length = 62; length < 64; length++) {
		begin();
		synthetic_fork(&s, 0, child, shell, "sh");
		p = kept();
		memset(p.binary, 0, sizeof(p.binary));
		memcpy(p.binary, name, (size_t)length);
		knows(&p, LINEAGE_FORK, 0, 0);
		knows(&p, LINEAGE_EXEC, 0, synthetic_lose(&s, 0));
		synthetic_cache(&s, child, &p);
		tick();
		snprintf(wanted, sizeof(wanted), "%.*s|%d", length, name, length == 63);
		ck_assert_str_eq(synthetic_rows(&s, "SELECT filename, filename_truncated FROM exec "
						    "WHERE pid = 101"),
				 wanted);
		end();
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_what_ran_at_a_lost_fork,
		test_what_still_runs_after_a_lost_fork,
		test_a_lost_fork_by_what_was_never_told,
		test_a_lost_fork_by_one_that_nobody_knows,
		test_a_fork_after_a_lost_exec,
		test_the_parent_at_a_lost_exec,
		test_a_long_name_of_a_lost_exec,
		test_a_lost_fork,
		test_a_lost_fork_that_an_exec_asks_for,
		test_lost_exec_and_exit,
		test_a_lost_exec_of_a_process_that_ended_before_a_restart,
		test_a_late_exec_before_a_restart,
		test_a_part_of_a_hole,
		test_losses_go_on_where_recovery_gave_up,
		test_ended_ones_that_change_again_are_still_given_back,
		test_entries_left_over_are_swept,
		test_processes_before_recording,
	};

	return synthetic_possible() ? SUITE_RUN("recover", tests) : SUITE_SKIPPED;
}
