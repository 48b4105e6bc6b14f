/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stops one thread for a while and lets the others of its process go on, as a disk does that keeps
 * a writer waiting.
 *
 *   hold TID SECONDS
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

int main(int argc, char **argv)
{
	struct timespec pause = {0};
	pid_t thread;
	double seconds;

	if (argc != 3)
		return 2;
	thread = (pid_t)atoi(argv[1]);
	seconds = atof(argv[2]);
	pause.tv_sec = (time_t)seconds;
	pause.tv_nsec = (long)((seconds - (double)pause.tv_sec) * 1e9);
	if (ptrace(PTRACE_SEIZE, thread, NULL, NULL) < 0 ||
	    ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) < 0 || waitpid(thread, NULL, __WALL) < 0) {
		perror("hold");
		return 1;
	}
	puts("held");
	fflush(stdout);
	nanosleep(&pause, NULL);
	/* A tracer that ends lets go by itself, also of one that has been killed. */
	ptrace(PTRACE_DETACH, thread, NULL, NULL);
	return 0;
}
