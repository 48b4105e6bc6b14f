/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials, session, namespaces, cgroup, and the snapshot of what runs: all against /proc. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

/* The numbers of one line of /proc/PID/status. */
static int status_numbers(pid_t pid, const char *field, const char *format, __u64 *a, __u64 *b,
			  __u64 *c)
{
	char path[64], line[256];
	size_t n = strlen(field);
	int got = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, field, n) == 0 && line[n] == ':')
			got = sscanf(line + n + 1, format, a, b, c);
	}
	if (f)
		fclose(f);
	return got;
}

/* The pid in the innermost namespace; how many namespaces there are around it. */
static __u64 inner_pid(pid_t pid, __u64 *ret_level)
{
	char path[64], line[256];
	__u64 inner = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "NSpid:", 6) != 0)
			continue;
		*ret_level = (__u64)-1;
		for (char *word = strtok(line + 6, " \t\n"); word; word = strtok(NULL, " \t\n")) {
			inner = strtoull(word, NULL, 10);
			++*ret_level;
		}
	}
	if (f)
		fclose(f);
	return inner;
}

static __u64 file_number(pid_t pid, const char *file)
{
	char path[64];
	unsigned long long n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%llu", &n) != 1)
		n = (__u32)-1;
	if (f)
		fclose(f);
	return n;
}

static __u64 namespace_number(pid_t pid, const char *name)
{
	char path[64], target[64] = "";
	unsigned long long n = 0;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
	if (readlink(path, target, sizeof(target) - 1) > 0 && strchr(target, '['))
		sscanf(strchr(target, '[') + 1, "%llu", &n);
	return n;
}

static void look_stat(pid_t pid, const struct lineage_ids *ids)
{
	char path[64], line[1024] = "", *end;
	int ppid = 0, pgid = 0, sid = 0, tty = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	end = f && fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	if (f)
		fclose(f);
	if (!end || sscanf(end + 4, "%d %d %d %d", &ppid, &pgid, &sid, &tty) != 4)
		check(false, "/proc/%d/stat", pid);
	check_number("pgid", ids->pgid, (__u64)pgid);
	check_number("sid", ids->sid, (__u64)sid);
	check_number("tty", ids->tty, (__u64)tty);
}

static void look_ids(pid_t pid, const struct lineage_ids *ids)
{
	static const char *const names[] = {"mnt", "net", "user", "uts", "ipc", "cgroup"};
	const __u32 *numbers = &ids->mnt_ns;
	bool known;
	__u64 a = 0, b = 0, c = 0, level = 0;

	status_numbers(pid, "Uid", "%llu %llu %llu", &a, &b, &c);
	check(ids->uid == a && ids->euid == b && ids->suid == c, "uid %u %u %u", ids->uid,
	      ids->euid, ids->suid);
	status_numbers(pid, "Gid", "%llu %llu %llu", &a, &b, &c);
	check(ids->gid == a && ids->egid == b && ids->sgid == c, "gid %u %u %u", ids->gid,
	      ids->egid, ids->sgid);
	status_numbers(pid, "CapEff", "%llx", &a, NULL, NULL);
	check_number("CapEff", ids->cap_effective, a);
	status_numbers(pid, "CapPrm", "%llx", &a, NULL, NULL);
	check_number("CapPrm", ids->cap_permitted, a);
	check_number("loginuid", ids->loginuid, file_number(pid, "loginuid"));
	check_number("sessionid", ids->sessionid, file_number(pid, "sessionid"));
	look_stat(pid, ids);
	a = inner_pid(pid, &level);
	check_number("pid namespace level", ids->pid_ns_level, level);
	/* Nested pid namespaces hang behind an array that old kernels let nobody follow. */
	known = !stage.no_paths || level == 0;
	check_number("pid in its namespace", ids->ns_pid, known ? a : 0);
	check_number("pid namespace", ids->pid_ns, known ? namespace_number(pid, "pid") : 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		check_number(names[i], numbers[i], namespace_number(pid, names[i]));
	check_number("cgroup", ids->cgroup_id, stage.cgroup_id);
}

static void look_exec(pid_t pid)
{
	struct record *r = recorder_find(LINEAGE_EXEC, pid, NULL);
	struct lineage_process cached = {0};

	check(r != NULL, "exec of %d", pid);
	if (!r)
		return;
	look_ids(pid, &r->exec.ids);
	check(recorder_cache(&r->header.process, &cached) == 0 &&
		      !memcmp(&cached.ids, &r->exec.ids, sizeof(cached.ids)),
	      "process_cache has the same ids");
}

static void look_fork(pid_t pid)
{
	struct record *r = recorder_find(LINEAGE_FORK, pid, NULL);
	__u64 parent = 0;

	check(r != NULL, "fork of %d", pid);
	if (!r)
		return;
	look_ids(pid, &r->fork.ids);
	status_numbers(pid, "PPid", "%llu", &parent, NULL, NULL);
	check_number("parent", r->fork.parent.pid, parent);
	check_number("creator", r->fork.creator.pid, parent);
	check(r->fork.parent.start_boot_ns < r->header.process.start_boot_ns,
	      "started after its parent");
}

static void act_stop(void *arg)
{
	raise(SIGSTOP);
	_exit(0);
}

static void hold(void)
{
	char path[PATH_SIZE];

	stage_path(path, "prog");
	execl(path, "prog", "act-hold", NULL);
	_exit(124);
}

static void act_plain(void *arg)
{
	hold();
}

static void act_user(void *arg)
{
	setsid();
	if (setresgid(1001, 1002, 1003) < 0 || setresuid(2001, 2002, 2003) < 0)
		_exit(122);
	hold();
}

/* Waits for a child, as the first process of a pid namespace must; the child goes on. */
static void fork_and_wait(void)
{
	pid_t child = fork();

	if (child) {
		waitpid(child, NULL, 0);
		_exit(0);
	}
}

/* So many pid namespaces deep; the other namespaces are new as well. */
static void act_namespaces(int depth)
{
	if (unshare(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWCGROUP) < 0)
		_exit(122);
	for (int i = 0; i < depth; i++) {
		if (unshare(CLONE_NEWPID) < 0)
			_exit(123);
		fork_and_wait();
	}
	/* The first process of a namespace cannot stop itself. */
	fork_and_wait();
	hold();
}

/* In a nested namespace a process does not know its outer pid; the last fork record does. */
static pid_t deepest(void)
{
	struct record *last = NULL;

	for (struct record *r = recorder_find(LINEAGE_EXEC, 0, NULL); r;
	     r = recorder_find(LINEAGE_EXEC, 0, r))
		last = r;
	return last ? (pid_t)last->header.process.pid : 0;
}

static void run_namespaces(int depth)
{
	pid_t outer = fork(), pid = 0;

	recorder_forget();
	if (outer == 0) {
		stage_enter();
		act_namespaces(depth);
	}
	for (int i = 0; i < 5000 && !pid; i++) {
		usleep(1000);
		recorder_drain();
		pid = deepest();
	}
	check(stage_holds(pid), "pid %d holds", pid);
	printf("# pid namespaces: %d\n", depth);
	look_exec(pid);
	kill(pid, SIGCONT);
	waitpid(outer, NULL, 0);
	recorder_drain();
	check_number("exits", (__u64)recorder_count(LINEAGE_EXIT, pid), 1);
}

static void each_process(const struct lineage_snapshot *s, void *arg)
{
	if (s->header.process.pid == (__u32) * (pid_t *)arg) {
		check(s->included && s->header.kind == LINEAGE_SNAPSHOT, "snapshot of %u",
		      s->header.process.pid);
		look_ids((pid_t)s->header.process.pid, &s->ids);
		*(pid_t *)arg = 0;
	}
}

static void look_snapshot(pid_t pid)
{
	pid_t wanted = pid;

	check(recorder_snapshot(each_process, &wanted) == 0 && wanted == 0, "snapshot has pid %d",
	      pid);
}

static void look_cgroup(void)
{
	struct record *r = recorder_find(LINEAGE_CGROUP, 0, NULL);
	char path[PATH_SIZE];

	while (r && (r->cgroup.id != stage.cgroup_id || r->cgroup.hierarchy))
		r = recorder_find(LINEAGE_CGROUP, 0, r);
	check(r != NULL, "cgroup record");
	if (!r)
		return;
	recorder_path(r->cgroup.data, r->cgroup.path_length, path, sizeof(path));
	if (!stage.no_paths)
		check_text("cgroup path", path, strrchr(stage.cgroup, '/'));
}

void ids_run(void)
{
	printf("# fork\n");
	stage_run(act_stop, NULL, look_fork);
	look_cgroup();
	printf("# exec as root\n");
	stage_run(act_plain, NULL, look_exec);
	printf("# exec as a user\n");
	stage_run(act_user, NULL, look_exec);
	for (int depth = 1; depth <= 5; depth++)
		run_namespaces(depth);
	printf("# snapshot\n");
	stage_run(act_stop, NULL, look_snapshot);
}
