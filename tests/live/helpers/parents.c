/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to become a child, each with the parent and the creator that the kernel knows. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "truth.h"

extern char **environ;

static pid_t do_fork(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	return pid;
}

/* Until the parent has gone; then the image is show, whose parent is the reaper. */
static void orphan_becomes_show(pid_t parent)
{
	while (getppid() == parent)
		pause_ms(1);
	show_members("\"ppid\":%d", parent);
	become_show(NULL, NULL);
}

static void make_orphan(int daemon, long delay_ms)
{
	pid_t middle = do_fork();

	if (!middle) {
		pid_t parent = getpid();

		if (daemon)
			setsid();
		if (!do_fork()) {
			pause_ms(delay_ms);
			orphan_becomes_show(parent);
		}
		_exit(4);
	}
	truth_reap(middle, "\"image_inherited\":1");
}

static void run_double_fork(const char *argument)
{
	make_orphan(1, 0);
}

static void run_orphan_late_exec(const char *argument)
{
	make_orphan(0, 150);
}

static void run_subreaper(const char *argument)
{
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		die("PR_SET_CHILD_SUBREAPER");
	make_orphan(0, 0);
}

/* Creator is the caller's process, parent is the caller's parent. */
static void *clone_parent(void *unused)
{
	pid_t parent = getppid(), creator = getpid();
	long pid = syscall(SYS_clone, (long)(CLONE_PARENT | SIGCHLD), 0, 0, 0, 0);

	if (pid < 0)
		die("clone");
	if (!pid) {
		show_members("\"ppid\":%d,\"creator_pid\":%d", parent, creator);
		become_show(NULL, NULL);
	}
	return NULL;
}

static void run_clone_parent(const char *argument)
{
	pid_t creator = do_fork();

	if (!creator) {
		clone_parent(NULL);
		_exit(0);
	}
	truth_reap(creator, NULL);
}

static void in_thread(void *(*fn)(void *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, fn, NULL) || pthread_join(thread, NULL))
		die("thread");
}

static void run_clone_parent_thread(const char *argument)
{
	pid_t creator = do_fork();

	if (!creator) {
		in_thread(clone_parent);
		_exit(0);
	}
	truth_reap(creator, NULL);
}

static void *fork_here(void *unused)
{
	pid_t parent = getpid(), pid = do_fork();

	if (!pid) {
		show_members("\"ppid\":%d", parent);
		become_show(NULL, NULL);
	}
	return NULL;
}

static void run_thread_forks(const char *argument)
{
	in_thread(fork_here);
}

static void run_vfork(const char *argument)
{
	const char *path = beside("show");
	char *const args[] = {"show", "by vfork", NULL};
	pid_t pid;

	show_members("\"ppid\":%d", getpid());
	pid = vfork();
	if (pid < 0)
		die("vfork");
	if (!pid) {
		execve(path, args, environ);
		_exit(98);
	}
}

static void run_spawn(const char *argument)
{
	char *const args[] = {"show", "by posix_spawn", NULL};
	pid_t pid;

	show_members("\"ppid\":%d", getpid());
	if (posix_spawn(&pid, beside("show"), NULL, NULL, args, environ))
		die("posix_spawn");
}

/* Follows everything that pid does until all of it has ended. */
static void trace(pid_t pid)
{
	long options = PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXEC;
	int status;

	if (ptrace(PTRACE_SEIZE, pid, 0, options) < 0)
		die("PTRACE_SEIZE");
	kill(pid, SIGUSR1);
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		int event = status >> 16, signal = WSTOPSIG(status);

		if (WIFSTOPPED(status))
			ptrace(PTRACE_CONT, pid, 0, event || signal == SIGUSR1 ? 0 : signal);
	}
	_exit(0);
}

/* The traced process and its child have the tracer as task->parent, and others as real_parent. */
static void run_ptrace(const char *argument)
{
	pid_t parent = getpid(), target, tracer;
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	target = do_fork();
	if (!target) {
		struct timespec patience = {5, 0};

		signal = sigtimedwait(&set, NULL, &patience);
		(void)signal; /* the tracer swallows it; being stopped and let go is what counts */
		fork_here(NULL);
		wait(NULL);
		show_members("\"ppid\":%d", parent);
		become_show(NULL, NULL);
	}
	tracer = do_fork();
	if (!tracer)
		trace(target);
	waitpid(target, NULL, 0);
	truth_reap(tracer, NULL);
}

/* As linux/sched.h has it, for older headers. */
struct clone_request {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
		set_tid_size, cgroup;
};

static void show_with_pid(pid_t wanted, int round)
{
	pid_t tid = wanted, parent = getpid();
	struct clone_request request = {
		.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&tid, .set_tid_size = 1};
	char number[16];
	long pid = syscall(SYS_clone3, &request, sizeof(request));

	if (pid < 0)
		die("clone3 with pid %d", wanted);
	if (!pid) {
		char *args[] = {"show", number, NULL};

		snprintf(number, sizeof(number), "round %d", round);
		show_members("\"ppid\":%d", parent);
		become_show(NULL, args);
	}
	if (waitpid(wanted, NULL, 0) != wanted)
		die("waitpid %d", wanted);
}

/* One PID, 20 processes within 20 times 15 ms, by turns of two parents. */
static void run_reuse(const char *argument)
{
	pid_t pid = do_fork();

	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	for (int round = 0; round < 20; round++) {
		pid_t other;

		pause_ms(11); /* starts differ in /proc, which counts 10 ms */
		if (round % 2) {
			show_with_pid(pid, round);
			continue;
		}
		other = do_fork();
		if (!other) {
			show_with_pid(pid, round);
			_exit(0);
		}
		truth_reap(other, NULL);
	}
}

int main(int argc, char **argv)
{
	static const struct live_case cases[] = {
		{"double-fork", run_double_fork},
		{"orphan-late-exec", run_orphan_late_exec},
		{"subreaper", run_subreaper},
		{"clone-parent", run_clone_parent},
		{"clone-parent-thread", run_clone_parent_thread},
		{"thread-forks", run_thread_forks},
		{"vfork", run_vfork},
		{"posix-spawn", run_spawn},
		{"ptrace", run_ptrace},
		{"reuse", run_reuse},
		{0},
	};

	return live_main(argc, argv, cases);
}
