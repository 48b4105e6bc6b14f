/* SPDX-License-Identifier: Apache-2.0 */
/* Exactly one exit per process with the right status, whichever thread comes last. And the recorded
 * acts. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define THREADS 4

static volatile int go;

static void *thread_race(void *arg)
{
	while (!go)
		sched_yield();
	syscall(SYS_exit, 0);
	return NULL;
}

static void *thread_late(void *arg)
{
	usleep(2000);
	syscall(SYS_exit, 0);
	return NULL;
}

static void *thread_exec(void *arg)
{
	char path[PATH_SIZE];

	stage_path(path, "prog");
	execl(path, "prog", "act-exit", "9", NULL);
	_exit(125);
}

static void *thread_exit_group(void *arg)
{
	_exit(11);
}

static void threads(void *(*run)(void *), int count)
{
	pthread_t thread;

	go = 0;
	for (int i = 0; i < count; i++) {
		if (pthread_create(&thread, NULL, run, NULL) != 0)
			_exit(126);
	}
}

/* All threads end by themselves at once, the leader with 5. */
static void act_race(void *arg)
{
	threads(thread_race, THREADS);
	go = 1;
	syscall(SYS_exit, 5);
}

static void act_leader_first(void *arg)
{
	threads(thread_late, 2);
	syscall(SYS_exit, 6);
}

static void act_thread_exec(void *arg)
{
	threads(thread_exec, 1);
	pause();
}

static void act_thread_exit_group(void *arg)
{
	threads(thread_exit_group, 1);
	pause();
}

static void act_code(void *arg)
{
	_exit(7);
}

static void act_signal(void *arg)
{
	raise(*(int *)arg);
	_exit(127);
}

/* The leader is gone before the group is killed: the status is the kill's. */
static void act_kill_after_leader(void *arg)
{
	pid_t pid = getpid();

	if (fork() == 0) {
		usleep(20000);
		kill(pid, SIGTERM);
		_exit(0);
	}
	threads(thread_race, 2);
	syscall(SYS_exit, 8);
}

#define FILES 50000

/* Files are closed after the tracepoint; a child gives its parent more children meanwhile. */
static void act_born_to_the_ended(void *arg)
{
	struct rlimit limit = {FILES + 100, FILES + 100};
	pid_t parent = getpid();

	if (fork() == 0) {
		while (getppid() == parent) {
			if (syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, 0) == 0)
				syscall(SYS_exit_group, 0);
		}
		_exit(0);
	}
	setrlimit(RLIMIT_NOFILE, &limit);
	for (int fd = open("/dev/null", O_RDONLY), i = 0; i < FILES && dup(fd) >= 0; i++)
		;
	_exit(9);
}

/* How many children it was given after its end had been told; kept: process_cache knows it again.
 */
static int born_to_the_ended(bool *ret_kept)
{
	struct lineage_process cached;
	struct record *r;
	int after = 0;
	pid_t pid;

	recorder_forget();
	pid = stage_run(act_born_to_the_ended, NULL, NULL);
	usleep(20000);
	recorder_drain();
	r = recorder_find(LINEAGE_EXIT, pid, NULL);
	for (struct record *f = NULL; r && (f = recorder_find(LINEAGE_FORK, 0, f));)
		after += f->fork.parent.pid == (__u32)pid && f->header.boot_ns > r->header.boot_ns;
	*ret_kept = r && recorder_cache(&r->header.process, &cached) == 0;
	return after;
}

/* With spare programs the daemon frees it. */
static void run_born_to_the_ended(void)
{
	int after = 0, kept = 0;

	for (int i = 0; i < 50 && after < 5; i++) {
		bool again;

		after += born_to_the_ended(&again);
		kept += again;
	}
	if (after == 0)
		check_skip("born to the ended", "none was");
	else if (!recorder_spares())
		check(kept == 0, "born to the ended: %d, and %d are kept for ever", after, kept);
}

static bool is_kept_as(const struct lineage_exit *e)
{
	struct lineage_process cached;

	return recorder_cache(&e->header.process, &cached) == 0 &&
	       cached.state == LINEAGE_STATE_EXITED && cached.exit_status == e->status &&
	       cached.exit_seq == e->header.seq;
}

static void run_exit(const char *what, void (*act)(void *), void *arg)
{
	struct record *r, *fork;
	struct lineage_process cached = {0};
	pid_t pid;

	recorder_forget();
	pid = stage_run(act, arg, NULL);
	r = recorder_find(LINEAGE_EXIT, pid, NULL);
	fork = recorder_find(LINEAGE_FORK, pid, NULL);
	check(r && fork && recorder_count(LINEAGE_EXIT, pid) == 1 &&
		      recorder_count(LINEAGE_FORK, pid) == 1,
	      "%s: one fork, one exit", what);
	if (!r || !fork)
		return;
	check((r->exit.status & 0xff7f) == ((unsigned)stage.shared->status & 0xff7f),
	      "%s: status %#x", what, r->exit.status);
	check(!memcmp(&r->header.process, &fork->header.process, sizeof(struct lineage_key)) &&
		      r->header.boot_ns > fork->header.boot_ns,
	      "%s: the same process", what);
	check(!!(r->exit.flags & LINEAGE_EXIT_FREED) != recorder_spares(),
	      "%s: process_cache is asked for it by spare programs only", what);
	if (r->exit.flags & LINEAGE_EXIT_FREED)
		check(recorder_cache(&r->header.process, &cached) < 0,
		      "%s: process_cache has let go of it", what);
	else
		check(is_kept_as(&r->exit), "%s: process_cache knows", what);
	/* No fork has told of it: that entry alone says who its parent is. */
	check(recorder_cache(&fork->fork.parent, &cached) == 0 &&
		      cached.state == LINEAGE_STATE_EXITED && cached.parent.pid == (__u32)getpid(),
	      "%s: its parent, which was moved here, stays in process_cache", what);
	check(r->exit.max_rss_kib > 0 && r->exit.max_rss_kib < 1000000, "%s: peak %llu KiB", what,
	      r->exit.max_rss_kib);
}

/* Rounds are drained in small batches, so that the ring never fills. */
static void run_races(int rounds)
{
	int forks = 0, exits = 0, wrong = 0;

	for (int i = 0; i < rounds; i++) {
		struct record *r;
		pid_t pid;

		recorder_forget();
		pid = stage_run(i & 1 ? act_race : act_thread_exit_group, NULL, NULL);
		forks += recorder_count(LINEAGE_FORK, pid) == 1;
		exits += recorder_count(LINEAGE_EXIT, pid) == 1;
		r = recorder_find(LINEAGE_EXIT, pid, NULL);
		wrong += !r || r->exit.status != (unsigned)stage.shared->status;
	}
	check(forks == rounds && exits == rounds && wrong == 0,
	      "%d races of threads: %d with one fork, %d with one exit, %d wrong statuses", rounds,
	      forks, exits, wrong);
}

void exits_run(int races)
{
	int kill = SIGKILL, segv = SIGSEGV;

	run_exit("code", act_code, NULL);
	run_exit("SIGKILL", act_signal, &kill);
	run_exit("SIGSEGV", act_signal, &segv);
	run_exit("leader first", act_leader_first, NULL);
	run_exit("killed after its leader", act_kill_after_leader, NULL);
	run_exit("thread ends the group", act_thread_exit_group, NULL);
	run_exit("exec by a thread", act_thread_exec, NULL);
	run_exit("threads race", act_race, NULL);
	run_born_to_the_ended();
	run_races(races);
}

int act_main(int argc, char **argv)
{
	if (strcmp(argv[1], "act-hold") == 0)
		raise(SIGSTOP);
	else if (strcmp(argv[1], "act-exit") == 0 && argc > 2)
		return atoi(argv[2]);
	return 0;
}
