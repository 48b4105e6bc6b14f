/* SPDX-License-Identifier: Apache-2.0 */
/* Who and where a process is: changed ids, set-id files, sessions, namespaces. */
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "truth.h"

static pid_t start(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid)
		show_members("\"ppid\":%d", parent);
	return pid;
}

static void run_setuid(const char *argument)
{
	if (start())
		return;
	if (setgroups(0, NULL) < 0 || setresgid(2001, 2002, 2003) < 0 ||
	    setresuid(1001, 1002, 1003) < 0)
		die("setresuid");
	become_show(NULL, NULL);
}

/* A set-user-ID file of root, run by nobody. ARGUMENT is its path. */
static void run_set_id_file(const char *argument)
{
	pid_t parent = getpid();

	if (start())
		return;
	if (setgroups(0, NULL) < 0 || setresgid(65534, 65534, 65534) < 0 ||
	    setresuid(65534, 65534, 65534) < 0)
		die("setresuid");
	show_members("\"ppid\":%d,\"secure\":1", parent);
	execl(argument, "show", NULL);
	die("%s", argument);
}

static void run_setsid(const char *argument)
{
	if (start())
		return;
	setsid();
	become_show(NULL, NULL);
}

static void run_fork_ids(const char *argument)
{
	pid_t pid = fork();

	if (!pid) {
		if (setresuid(1001, 1002, 1003) < 0)
			die("setresuid");
		pid = fork();
		if (!pid)
			_exit(0);
		truth_reap(pid, "\"uid\":1001,\"euid\":1002,\"image_inherited\":1");
		_exit(0);
	}
	truth_reap(pid, NULL);
}

static void in_namespaces(int flags)
{
	pid_t parent, pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		parent = getpid();
		if (unshare(flags) < 0)
			die("unshare");
		pid = fork();
		if (!pid) {
			show_members("\"ppid\":%d,\"uid\":0,\"euid\":0,\"egid\":0", parent);
			setenv("SHOW_NO_IDS", "1", 1);
			become_show(NULL, NULL);
		}
		waitpid(pid, NULL, 0);
		_exit(0);
	}
	truth_reap(pid, NULL);
}

static void run_namespaces(const char *argument)
{
	in_namespaces(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC |
		      CLONE_NEWCGROUP);
}

static void run_user_namespace(const char *argument)
{
	in_namespaces(CLONE_NEWUSER | CLONE_NEWPID);
}

int main(int argc, char **argv)
{
	static const struct live_case cases[] = {
		{"setuid", run_setuid},
		{"set-id-file", run_set_id_file},
		{"setsid", run_setsid},
		{"fork-ids", run_fork_ids},
		{"namespaces", run_namespaces},
		{"user-namespace", run_user_namespace},
		{0},
	};

	return live_main(argc, argv, cases);
}
