/* SPDX-License-Identifier: Apache-2.0 */
/* A process is its threads: who of them execs, forks or ends last must not matter. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "truth.h"

static void start_thread(void *(*fn)(void *), void *argument)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, fn, argument))
		die("thread");
}

static void *thread_execs(void *unused)
{
	become_show(NULL, NULL);
}

static void run_exec(const char *argument)
{
	pid_t parent = getpid(), pid = fork();

	if (!pid) {
		show_members("\"ppid\":%d,\"exec_count\":1", parent);
		start_thread(thread_execs, NULL);
		for (;;)
			pause();
	}
}

/* Ends the calling thread alone, with a code of its own. */
static void end_thread(long code)
{
	syscall(SYS_exit, code);
}

static void *thread_ends_group(void *unused)
{
	pause_ms(200);
	_exit(7);
}

static void *thread_ends_alone(void *unused)
{
	pause_ms(200);
	end_thread(3);
	return NULL;
}

static void *thread_sleeps(void *unused)
{
	for (;;)
		pause();
	return NULL;
}

static void leader_leaves(void *(*other)(void *))
{
	pid_t pid = fork();

	if (!pid) {
		start_thread(other, NULL);
		end_thread(5);
	}
	truth_reap(pid, "\"lifetime_ms_min\":200,\"exit_count\":1");
}

/* The code is that of exit_group. */
static void run_leader_first(const char *argument)
{
	leader_leaves(thread_ends_group);
}

/* No exit_group: which thread's code counts has changed between kernels; wait(2) knows. */
static void run_leader_code(const char *argument)
{
	leader_leaves(thread_ends_alone);
}

static void run_killed(const char *argument)
{
	pid_t pid = fork();

	if (!pid) {
		for (int i = 0; i < 8; i++)
			start_thread(thread_sleeps, NULL);
		pause_ms(20);
		kill(getpid(), SIGKILL);
		pause();
	}
	truth_reap(pid, "\"exit_count\":1");
}

static void *thread_races(void *argument)
{
	atomic_int *here = argument;

	atomic_fetch_add(here, 1);
	while (atomic_load(here) < 2)
		sched_yield(); /* the other may wait for this very CPU */
	end_thread(0);
	return NULL;
}

/* ARGUMENT times: two threads, the last of their process, end at the same moment. */
static void run_last_two(const char *argument)
{
	long loops = argument ? atol(argument) : 1000;

	for (long i = 0; i < loops; i++) {
		static atomic_int here;
		pid_t pid;

		atomic_store(&here, 0);
		pid = fork();
		if (pid < 0)
			die("fork");
		if (!pid) {
			start_thread(thread_races, &here);
			thread_races(&here);
		}
		if (waitpid(pid, NULL, 0) != pid)
			die("waitpid");
	}
}

int main(int argc, char **argv)
{
	static const struct live_case cases[] = {
		{"exec", run_exec},
		{"leader-first", run_leader_first},
		{"leader-code", run_leader_code},
		{"killed", run_killed},
		{"last-two", run_last_two},
		{0},
	};

	return live_main(argc, argv, cases);
}
