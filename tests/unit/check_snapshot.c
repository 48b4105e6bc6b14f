/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/snapshot.c: what /proc tells of a process, and of one that only has its pid. */
#include "suite.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/snapshot.h"
#include "schema/cleanup.h"

static uint64_t ticks_of(pid_t pid)
{
	char path[64], line[2048], *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), f));
	fclose(f);
	p = strrchr(line, ')');
	for (int field = 2; field < 22; field++)
		p = strchr(p + 1, ' ');
	return strtoull(p + 1, NULL, 10);
}

static struct snapshot_entry entry(pid_t pid, uint64_t ticks)
{
	uint64_t tick = 1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK);

	return (struct snapshot_entry){
		.record.header.process = {.pid = (uint32_t)pid,
					  .start_boot_ns = ticks * tick + tick / 2}};
}

static void drop(struct snapshot_entry *e)
{
	free(e->exe);
	free(e->cwd);
	free(e->args);
}

START_TEST(test_a_running_process)
{
	struct snapshot_entry e;
	char cwd[PATH_MAX];
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/sleep", "sleep", "60", NULL);
		_exit(127);
	}
	/* Until it has called exec. */
	for (int i = 0; i < 100; i++) {
		e = entry(pid, ticks_of(pid));
		snapshot_look(&e, "");
		if (e.args && e.args_length == 9)
			break;
		drop(&e);
		usleep(10000);
	}
	ck_assert_uint_eq(e.args_length, 9);
	ck_assert_mem_eq(e.args,
			 "sleep\0"
			 "60",
			 9);
	ck_assert_ptr_nonnull(strstr(e.exe, "/sleep"));
	ck_assert_str_eq(e.cwd, getcwd(cwd, sizeof(cwd)));
	drop(&e);
	/* The same pid, an earlier start: it is another process that runs now. */
	e = entry(pid, ticks_of(pid) - 1);
	snapshot_look(&e, "");
	ck_assert_ptr_null(e.exe);
	ck_assert_ptr_null(e.cwd);
	ck_assert_ptr_null(e.args);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	/* And then none. */
	e = entry(pid, 1);
	snapshot_look(&e, "");
	ck_assert_ptr_null(e.exe);
}
END_TEST

static void write_file(const char *root, const char *name, const char *bytes, size_t length)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/77/%s", root, name);
	f = fopen(path, "we");
	fwrite(bytes, length, 1, f);
	fclose(f);
}

START_TEST(test_a_process_that_would_confuse)
{
	static const char stat[] = "77 (a) b (\n) S 1 77 77 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 "
				   "4242 1 1\n";
	char root[64] = "/tmp/lineage-snapshot.XXXXXX", path[PATH_MAX];
	CLEANUP_FREE char *args = malloc(LINEAGE_ARGS_MAX + 100);
	struct snapshot_entry e = entry(77, 4242);

	ck_assert_ptr_nonnull(mkdtemp(root));
	snprintf(path, sizeof(path), "%s/proc", root);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/proc/77", root);
	mkdir(path, 0755);
	memset(args, 'a', LINEAGE_ARGS_MAX + 100);
	write_file(root, "stat", stat, sizeof(stat) - 1);
	write_file(root, "cmdline", args, LINEAGE_ARGS_MAX + 100);
	snprintf(path, sizeof(path), "%s/proc/77/exe", root);
	ck_assert_int_eq(symlink("/gone/for good (deleted)", path), 0);
	snapshot_look(&e, root);
	ck_assert_str_eq(e.exe, "/gone/for good");
	ck_assert_ptr_null(e.cwd);
	ck_assert_uint_eq(e.args_length, LINEAGE_ARGS_MAX);
	drop(&e);
	unlink(path);
	snprintf(path, sizeof(path), "%s/proc/77/stat", root);
	unlink(path);
	snprintf(path, sizeof(path), "%s/proc/77/cmdline", root);
	unlink(path);
	snprintf(path, sizeof(path), "%s/proc/77", root);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/proc", root);
	rmdir(path);
	ck_assert_int_eq(rmdir(root), 0);
}
END_TEST

START_TEST(test_find)
{
	struct snapshot s = {0};
	struct lineage_key key = {.pid = 1, .start_boot_ns = 1};

	ck_assert_ptr_null(snapshot_find(&s, &key));
	s.entries = calloc(50, sizeof(*s.entries));
	s.count = 50;
	/* Pids of one start, and one pid at two: by start, then by pid. */
	for (size_t i = 0; i < 50; i++)
		s.entries[i].record.header.process = (struct lineage_key){
			.pid = (uint32_t)(i % 10), .start_boot_ns = (1ULL << 40) + i / 10};
	for (size_t i = 0; i < 50; i++) {
		key = s.entries[i].record.header.process;
		ck_assert_ptr_eq(snapshot_find(&s, &key), &s.entries[i]);
		key.start_boot_ns += 5;
		ck_assert_ptr_null(snapshot_find(&s, &key));
	}
	snapshot_deinit(&s);
	ck_assert_uint_eq(s.count, 0);
}
END_TEST

/* Same, after an exec, gone, and not looked at. */
START_TEST(test_what_was_found_before_an_exec)
{
	struct snapshot_entry first[4] = {0}, then[3] = {0};
	struct snapshot a = {first, 4}, b = {then, 3};

	for (uint32_t i = 0; i < 4; i++) {
		first[i].record.header.process = (struct lineage_key){i + 1, 0, 100 + i};
		first[i].record.exec_id = 7;
		first[i].looked = i < 3;
		first[i].exe = strdup("/bin/x");
		first[i].args = strdup("x");
		first[i].args_length = first[i].args_total = 2;
	}
	then[0] = first[0];
	then[1] = first[1];
	then[1].record.exec_id = 8;
	then[2] = first[3];
	then[2].record.exec_id = 9;
	snapshot_confirm(&a, &b);
	ck_assert_ptr_nonnull(first[0].exe);
	ck_assert_uint_eq(first[0].args_length, 2);
	ck_assert_ptr_null(first[1].exe);
	ck_assert_ptr_null(first[1].args);
	ck_assert_uint_eq(first[1].args_length + first[1].args_total, 0);
	ck_assert_ptr_null(first[2].exe);
	ck_assert(!first[1].gone && first[2].gone && !first[3].gone);
	ck_assert_ptr_nonnull(first[3].exe);
	for (int i = 0; i < 4; i++)
		drop(&first[i]);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_a_running_process,
		test_a_process_that_would_confuse,
		test_find,
		test_what_was_found_before_an_exec,
	};

	return SUITE_RUN("snapshot", tests);
}
