/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a filter that changes holds at once. A verdict that is found while it changes may be
 * written when it has changed and all verdicts have been taken away. That moment cannot be hit by
 * trying; but what it leaves behind is the same as if nothing had been taken away.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

/* Of each byte that it reads, this recorded process makes another, whose pid it writes. */
static pid_t begin_asked(int ask[2], int answer[2])
{
	pid_t pid = -1, child;
	char c;

	if (pipe(ask) < 0 || pipe(answer) < 0 || (pid = fork()) != 0)
		return pid;
	stage_enter();
	while (read(ask[0], &c, 1) == 1) {
		child = fork();
		if (child == 0)
			_exit(0);
		waitpid(child, NULL, 0);
		if (write(answer[1], &child, sizeof(child)) < 0)
			break;
	}
	_exit(0);
}

static void check_one(const char *what, const int ask[2], const int answer[2], int wanted)
{
	pid_t pid = 0;

	if (write(ask[1], "", 1) != 1 || read(answer[0], &pid, sizeof(pid)) != sizeof(pid)) {
		check(false, "%s: nobody answers", what);
		return;
	}
	recorder_drain();
	check_number(what, (__u64)recorder_count(LINEAGE_FORK, pid), (__u64)wanted);
	recorder_forget();
}

void filter_run(void)
{
	int ask[2], answer[2];
	pid_t asked = begin_asked(ask, answer);

	if (asked < 0) {
		check(false, "filter: no process");
		return;
	}
	check_one("births in a cgroup that is included", ask, answer, 1);
	recorder_filter(stage.cgroup_id, LINEAGE_SUBTREE_EXCLUDE);
	check_one("after an old verdict to include it", ask, answer, 0);
	recorder_filter(stage.cgroup_id, LINEAGE_SUBTREE_INCLUDE);
	check_one("after an old verdict to exclude it", ask, answer, 1);
	kill(asked, SIGKILL);
	waitpid(asked, NULL, 0);
	for (int i = 0; i < 2; i++) {
		close(ask[i]);
		close(answer[i]);
	}
	recorder_drain();
	recorder_forget();
}
