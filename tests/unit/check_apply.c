/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/apply.c: records through the real recorder, rows through the promised views. */
#include "suite.h"
#include "synthetic.h"

#include <string.h>

#include "schema/cleanup.h"

#define RING (1u << 20)

/* A literal, NULs included, and its length as two members. */
#define BYTES_OF(member, text) .member = (text), .member##_length = sizeof(text) - 1

static struct synthetic s;
static struct lineage_key init, shell, child;

static void begin(void)
{
	ck_assert_int_eq(synthetic_init(&s, RING), 0);
	synthetic_start(&s);
	init = synthetic_key(&s, 1, 0);
	shell = synthetic_key(&s, 100, 1000);
	child = synthetic_key(&s, 101, 2000);
}

static void end(void)
{
	synthetic_prove(&s);
	synthetic_deinit(&s);
}

START_TEST(test_a_life)
{
	begin();
	synthetic_fork(&s, 0, shell, init, "init");
	synthetic_fork(&s, 0, child, shell, "bash");
	synthetic_exec(&s, 1,
		       &(struct synthetic_exec){
			       .process = child,
			       .parent = shell,
			       BYTES("ls\0bin\0usr\0"),
			       BYTES("ls\0-l\0"),
			       .comm = "ls",
			       .exec_id = 1,
			       .uid = 1000,
			       .ms = 2001,
		       });
	synthetic_exit(&s, 1, child, shell, 2500, 3 << 8);
	synthetic_drain(&s);
	ck_assert_str_eq(
		synthetic_rows(&s, "SELECT pid, ppid, creator_id, comm, exe, args, args_count, "
				   "args_truncated, uid, loginuid, exit_code, exit_signal, "
				   "provenance, image_provenance, end_provenance "
				   "FROM process WHERE pid = 101"),
		"101|100||ended|/usr/bin/ls|[\"ls\",\"-l\"]|2|0|1000||3||observed|observed|"
		"observed");
	ck_assert_str_eq(synthetic_rows(&s, "SELECT end_unix_ns - start_unix_ns FROM process "
					    "WHERE pid = 101"),
			 "500000000");
	ck_assert_str_eq(synthetic_rows(&s, "SELECT pid, cpu, seq, uid FROM fork ORDER BY seq"),
			 "1|||\n100|0|0|0\n101|0|1|0");
	ck_assert_str_eq(synthetic_rows(&s,
					"SELECT pid, ppid, cpu, seq, comm, exe, cwd, dev_major, "
					"dev_minor, inode, uid FROM exec"),
			 "101|100|1|0|ended|/usr/bin/ls|/|8|1|12|1000");
	/* 6 ms of scheduled time in the proportion of the ticks. */
	ck_assert_str_eq(synthetic_rows(&s, "SELECT pid, ppid, cpu, seq, exit_code, user_us, "
					    "system_us, max_rss_kib, lifetime_ns FROM exit"),
			 "101|100|1|1|3|4000|4000|1024|500000000");
	end();
}
END_TEST

START_TEST(test_process_groups)
{
	static const uint32_t groups[][2] = {/* pgid, sid */ {101, 7}, {7, 7}, {9, 7}, {101, 101}};

	begin();
	for (uint32_t i = 0; i < ARRAY_SIZE(groups); i++) {
		struct lineage_key key = synthetic_key(&s, 101, 2000 + (int)i);
		struct lineage_fork f = {.parent = shell,
					 .creator = shell,
					 .ids = {.pgid = groups[i][0], .sid = groups[i][1]}};

		synthetic_head(&s, &f.header, LINEAGE_FORK, sizeof(f), 0, key, 0);
		f.header.boot_ns = key.start_boot_ns;
		synthetic_put(&s, &f, sizeof(f));
	}
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT pgid, sid FROM process WHERE pid = 101 "
					    "ORDER BY start_boot_ns"),
			 "101|7\n7|7\n9|7\n101|101");
	/* Nothing is known of the stub. */
	ck_assert_str_eq(synthetic_rows(&s, "SELECT pgid IS NULL FROM process WHERE pid = 100"),
			 "1");
	end();
}
END_TEST

START_TEST(test_a_parent_that_is_not_known_is_a_stub)
{
	begin();
	synthetic_fork(&s, 0, child, shell, "sh");
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT pid, provenance, coalesce(parent_id, 'none') "
					    "FROM process ORDER BY pid"),
			 "100|inferred|none\n101|observed|2");
	end();
}
END_TEST

START_TEST(test_exec_and_exit_by_unknown_processes)
{
	struct lineage_key other = synthetic_key(&s, 102, 2100);

	begin();
	other = synthetic_key(&s, 102, 2100);
	synthetic_exec(&s, 0,
		       &(struct synthetic_exec){.process = child,
						.parent = shell,
						BYTES("x\0"),
						BYTES("x\0"),
						.comm = "x",
						.exec_id = 4,
						.ms = 2010});
	synthetic_exit(&s, 0, other, shell, 2200, 9);
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT pid, ppid, exe, exit_signal, provenance, "
					    "image_provenance, end_provenance FROM process "
					    "WHERE pid > 100 ORDER BY pid"),
			 "101|100|/x||inferred|observed|\n102|100||9|inferred||observed");
	end();
}
END_TEST

START_TEST(test_a_birth_that_comes_after_the_exec)
{
	begin();
	synthetic_exec(&s, 1,
		       &(struct synthetic_exec){.process = child,
						.parent = init,
						BYTES("x\0"),
						BYTES("x\0"),
						.comm = "x",
						.exec_id = 1,
						.ms = 2010});
	synthetic_drain(&s);
	synthetic_fork(&s, 0, child, shell, "sh");
	synthetic_drain(&s);
	/* The parent at birth is the fork's; the exec keeps the one that it saw. */
	ck_assert_str_eq(
		synthetic_rows(&s, "SELECT p.pid, p.ppid, p.exe, p.provenance, e.ppid, e.uid FROM "
				   "process p JOIN exec e USING (process_id)"),
		"101|100|/x|observed|1|0");
	end();
}
END_TEST

START_TEST(test_exec_chain)
{
	static const char *const names[] = {"a", "b", "c"};

	begin();
	synthetic_fork(&s, 0, child, shell, "sh");
	for (uint32_t i = 0; i < 3; i++) {
		char exe[2] = {names[i][0]};

		synthetic_exec(&s, 0,
			       &(struct synthetic_exec){.process = child,
							.parent = shell,
							.exe = exe,
							.exe_length = 2,
							.args = exe,
							.args_length = 2,
							.comm = names[i],
							.exec_id = i + 1,
							.ms = 2001 + i});
		if (i == 1)
			synthetic_drain(&s);
	}
	synthetic_exit(&s, 0, child, init, 2100, 0);
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT exe, comm, seq FROM exec ORDER BY unix_ns"),
			 "/a|a|1\n/b|b|2\n/c|ended|3");
	ck_assert_str_eq(synthetic_rows(&s,
					"SELECT exe, ppid, exit_code FROM process WHERE pid = 101"),
			 "/c|100|0");
	/* Reparented: who would have been told of the end. */
	ck_assert_str_eq(synthetic_sql(&s, "SELECT ppid FROM exit"), "1");
	end();
}
END_TEST

START_TEST(test_clone_parent)
{
	struct lineage_key sibling;

	begin();
	sibling = synthetic_key(&s, 103, 2200);
	synthetic_fork(&s, 0, shell, init, "init");
	synthetic_fork(&s, 0, child, shell, "bash");
	synthetic_exec(&s, 0,
		       &(struct synthetic_exec){.process = child,
						.parent = shell,
						BYTES("runc\0"),
						BYTES("runc\0"),
						.comm = "runc",
						.exec_id = 1,
						.ms = 2001});
	synthetic_fork_by(&s, 0, sibling, shell, child, "runc");
	synthetic_drain(&s);
	ck_assert_str_eq(
		synthetic_rows(&s, "SELECT p.ppid, c.pid, p.exe, p.image_inherited FROM process "
				   "p JOIN process c ON c.process_id = p.creator_id "
				   "WHERE p.pid = 103"),
		"100|101|/runc|1");
	ck_assert_str_eq(synthetic_sql(&s, "SELECT count(*) FROM process WHERE creator_id NOTNULL"),
			 "1");
	end();
}
END_TEST

START_TEST(test_a_pid_used_again_in_one_batch)
{
	begin();
	for (int i = 0; i < 3; i++) {
		struct lineage_key p = synthetic_key(&s, 500, 3000 + 10 * i);

		synthetic_fork(&s, 0, p, shell, "sh");
		synthetic_exit(&s, 0, p, shell, 3005 + 10 * i, (uint32_t)i << 8);
	}
	synthetic_drain(&s);
	ck_assert_str_eq(
		synthetic_rows(&s, "SELECT exit_code, end_unix_ns - start_unix_ns FROM process "
				   "WHERE pid = 500 ORDER BY start_boot_ns"),
		"0|5000000\n1|5000000\n2|5000000");
	end();
}
END_TEST

START_TEST(test_a_parent_that_ended_before_the_fork_is_read)
{
	begin();
	synthetic_fork(&s, 0, shell, init, "init");
	synthetic_exit(&s, 0, shell, init, 2300, 0);
	synthetic_drain(&s);
	/* As after a restart: an ended process is in the database alone. */
	synthetic_kill(&s);
	synthetic_start(&s);
	synthetic_fork(&s, 1, child, shell, "bash");
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT ppid, provenance FROM process WHERE pid = 101"),
			 "100|observed");
	end();
}
END_TEST

static void put_failure(struct lineage_key process, uint32_t error, uint32_t flags, int64_t ms)
{
	synthetic_failure(&s, 0,
			  &(struct synthetic_failure){.process = process,
						      BYTES_OF(filename, "bin/ls\0"),
						      BYTES_OF(args, "ls\0-l\0"),
						      .directory = -100,
						      .error = error,
						      .flags = flags,
						      .ms = ms});
}

static const char failures[] = "SELECT pid, filename, args, args_count, errno, error, provenance, "
			       "cpu FROM exec_failure ORDER BY unix_ns";

START_TEST(test_failed_execs)
{
	begin();
	synthetic_fork(&s, 0, child, shell, "sh");
	put_failure(child, 2, 0, 2010);
	put_failure(child, 13, 0, 2020);
	synthetic_exit(&s, 1, child, shell, 2500, 1 << 8);
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s, failures),
			 "101|bin/ls|[\"ls\",\"-l\"]|2|2|ENOENT|observed|0\n"
			 "101|bin/ls|[\"ls\",\"-l\"]|2|13|EACCES|observed|0");
	/* It stays what it was. */
	ck_assert_str_eq(synthetic_sql(&s, "SELECT count(*) FROM exec"), "0");
	ck_assert_str_eq(synthetic_sql(&s, "SELECT count(*) FROM image"), "1");
	end();
}
END_TEST

START_TEST(test_a_failure_after_the_end_and_after_a_restart)
{
	begin();
	synthetic_fork(&s, 0, child, shell, "sh");
	synthetic_exit(&s, 1, child, shell, 2500, 1 << 8);
	synthetic_drain(&s);
	synthetic_kill(&s);
	synthetic_start(&s);
	/* From another CPU's part of the ring, so late. */
	put_failure(child, 2, 0, 2100);
	put_failure(shell, 2, 0, 2200);
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_sql(&s, "SELECT count(*) FROM exec_failure"), "2");
	ck_assert_str_eq(synthetic_sql(&s, "SELECT count(*) FROM process WHERE pid = 101"), "1");
	end();
}
END_TEST

START_TEST(test_a_failure_that_says_less)
{
	begin();
	synthetic_fork(&s, 0, child, shell, "sh");
	put_failure(child, 7, LINEAGE_ARGS_CUT | LINEAGE_ARGS_UNCOUNTED, 2010);
	synthetic_failure(&s, 0,
			  &(struct synthetic_failure){.process = child,
						      .filename = "",
						      .args = "",
						      .directory = 4,
						      .error = 14,
						      .flags = LINEAGE_ARGS_UNREADABLE,
						      .ms = 2020});
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s, failures),
			 "101|bin/ls|[\"ls\",\"-l\"]|2|7|E2BIG|observed|0\n"
			 "101||||14|EFAULT|observed|0");
	ck_assert_str_eq(synthetic_sql(&s, "SELECT args_bytes > 6 FROM argv WHERE args NOT NULL"),
			 "1");
	put_failure(child, 36, LINEAGE_FILENAME_TRUNCATED, 2030);
	synthetic_drain(&s);
	ck_assert_str_eq(
		synthetic_rows(&s,
			       "SELECT errno, args_truncated, filename_truncated FROM exec_failure "
			       "WHERE filename NOT NULL ORDER BY unix_ns"),
		"7|1|0\n36|0|1");
	end();
}
END_TEST

START_TEST(test_a_lost_failure_is_a_gap)
{
	begin();
	synthetic_fork(&s, 0, child, shell, "sh");
	synthetic_lose(&s, 0);
	put_failure(child, 2, 0, 2020);
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT lost, recovered FROM gap WHERE cpu = 0"),
			 "1|0");
	/* What has arrived is not missing after a restart either. */
	synthetic_kill(&s);
	synthetic_start(&s);
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT lost, recovered FROM gap WHERE cpu = 0"),
			 "1|0");
	end();
}
END_TEST

START_TEST(test_hostile_names)
{
	static const char comm[] = "\xff\xfe\x1b[31m\n\x80\xc0zzzzzz";

	begin();
	_Static_assert(sizeof(comm) - 1 == 16, "comm without a NUL");
	synthetic_fork(&s, 0, child, shell, comm);
	synthetic_exec(&s, 0,
		       &(struct synthetic_exec){.process = child,
						.parent = shell,
						BYTES("\xff\n\0tmp\0"),
						BYTES("\xff\0\"\0\x01\0\0"),
						.comm = comm,
						.exec_id = 1,
						.ms = 2001});
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT json_valid(args), json_extract(args, '$[0]'), "
					    "json_extract(args, '$[1]'), json_array_length(args), "
					    "args_truncated FROM process WHERE pid = 101"),
			 "1|\xef\xbf\xbd|\"|4|0");
	ck_assert_str_eq(synthetic_sql(&s, "SELECT hex(args_raw) FROM exec"), "FF00220001"
									      "0000");
	ck_assert_str_eq(synthetic_sql(&s, "SELECT comm FROM process WHERE pid = 101"),
			 "\xef\xbf\xbd\xef\xbf\xbd\x1b[31m\n\xef\xbf\xbd\xef\xbf\xbdzzzzzz");
	ck_assert_str_eq(synthetic_sql(&s, "SELECT hex(raw) FROM text WHERE value LIKE '/tmp/%%'"),
			 "2F746D702FFF0A");
	end();
}
END_TEST

START_TEST(test_a_cgroup_told_after_its_use)
{
	static const char path[] = "job\0user.slice\0";
	struct {
		struct lineage_cgroup g;
		char path[16];
	} record = {.g = {.id = 77, .path_length = sizeof(path) - 1}};

	begin();
	synthetic_fork(&s, 0, child, shell, "sh");
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_sql(&s, "SELECT cgroup FROM process WHERE pid = 101"), "");
	memcpy(record.g.data, path, sizeof(path) - 1);
	synthetic_head(&s, &record.g.header, LINEAGE_CGROUP, sizeof(record), 0, child, 2100);
	synthetic_put(&s, &record, sizeof(record));
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_sql(&s, "SELECT cgroup FROM process WHERE pid = 101"),
			 "/user.slice/job");
	ck_assert_str_eq(synthetic_sql(&s, "SELECT count(*) FROM cgroup"), "1");
	end();
}
END_TEST

/* Both of two generations of programs tell of it, and the database does not hold exec_id. */
START_TEST(test_an_exec_told_again_after_a_restart)
{
	struct synthetic_exec e;

	begin();
	e = (struct synthetic_exec){.process = child,
				    .parent = shell,
				    BYTES("x\0"),
				    BYTES("x\0"),
				    .comm = "x",
				    .exec_id = 5,
				    .ms = 2010};
	s.control.alone_boot_ns = s.base_ns + 2500000000;
	synthetic_fork(&s, 0, child, shell, "sh");
	synthetic_exec(&s, 0, &e);
	synthetic_drain(&s);
	synthetic_kill(&s);
	synthetic_start(&s);
	e.ms++;
	synthetic_exec(&s, 1, &e);
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT cpu, seq FROM exec"), "0|1");
	/* The same once more, but later, is another one. */
	synthetic_kill(&s);
	synthetic_start(&s);
	e.ms += 1000;
	e.exec_id++;
	synthetic_exec(&s, 1, &e);
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT cpu, seq FROM exec ORDER BY unix_ns"),
			 "0|1\n1|1");
	end();
}
END_TEST

START_TEST(test_an_end_that_had_been_inferred)
{
	struct process *p;

	begin();
	s.recorder.options.cache_keep_ns = 0;
	synthetic_fork(&s, 0, child, shell, "sh");
	synthetic_drain(&s);
	p = book_find(&s.recorder.book, &child);
	p->end = PROVENANCE_INFERRED;
	p->end_after_ns = 5;
	book_change(&s.recorder.book, p);
	synthetic_drain(&s);
	recorder_free_cache(&s.recorder);
	ck_assert_ptr_null(book_find(&s.recorder.book, &child));
	synthetic_exit(&s, 1, child, shell, 2500, 3 << 8);
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT exit_code, end_provenance FROM process "
					    "WHERE pid = 101"),
			 "3|observed");
	/* What has been observed stays, also when it is told by other programs as well. */
	recorder_free_cache(&s.recorder);
	synthetic_exit(&s, 1, child, shell, 2501, 4 << 8);
	synthetic_drain(&s);
	ck_assert_str_eq(synthetic_rows(&s, "SELECT exit_code, end_provenance FROM process "
					    "WHERE pid = 101"),
			 "3|observed");
	recorder_free_cache(&s.recorder);
	ck_assert_uint_eq(s.recorder.book.ended_count, 0);
	ck_assert_ptr_null(book_find(&s.recorder.book, &child));
	end();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_an_exec_told_again_after_a_restart,
		test_an_end_that_had_been_inferred,
		test_a_life,
		test_process_groups,
		test_a_parent_that_is_not_known_is_a_stub,
		test_exec_and_exit_by_unknown_processes,
		test_a_birth_that_comes_after_the_exec,
		test_exec_chain,
		test_clone_parent,
		test_a_pid_used_again_in_one_batch,
		test_a_parent_that_ended_before_the_fork_is_read,
		test_failed_execs,
		test_a_failure_after_the_end_and_after_a_restart,
		test_a_failure_that_says_less,
		test_a_lost_failure_is_a_gap,
		test_hostile_names,
		test_a_cgroup_told_after_its_use,
	};

	return synthetic_possible() ? SUITE_RUN("apply", tests) : SUITE_SKIPPED;
}
