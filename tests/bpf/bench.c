/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs cost: ns per run by the kernel's own count, for vfork and exec of a tiny
 * program. The count includes processes that the cgroup filter leaves out, so it wants a quiet
 * machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static int switch_stats(const char *text)
{
	int fd = open("/proc/sys/kernel/bpf_stats_enabled", O_WRONLY | O_CLOEXEC);
	ssize_t n = write(fd, text, 1);

	close(fd);
	return n < 0 ? -errno : 0;
}

/* An ELF file of 132 bytes whose only act is exit(0). x86-64 and arm64 would need one each. */
static const unsigned char tiny[] = {
	0x7f, 'E',  'L', 'F', 2, 1,    1,    0,	   0,	 0,    0, 0, 0, 0,    0,    0, 2,  0, 62,
	0,    1,    0,	 0,   0, 0x78, 0,    0x40, 0,	 0,    0, 0, 0, 64,   0,    0, 0,  0, 0,
	0,    0,    0,	 0,   0, 0,    0,    0,	   0,	 0,    0, 0, 0, 0,    64,   0, 56, 0, 1,
	0,    0,    0,	 0,   0, 0,    0,    1,	   0,	 0,    0, 5, 0, 0,    0,    0, 0,  0, 0,
	0,    0,    0,	 0,   0, 0,    0x40, 0,	   0,	 0,    0, 0, 0, 0,    0x40, 0, 0,  0, 0,
	0,    0x84, 0,	 0,   0, 0,    0,    0,	   0,	 0x84, 0, 0, 0, 0,    0,    0, 0,  0, 0x10,
	0,    0,    0,	 0,   0, 0,    0x31, 0xff, 0xb8, 60,   0, 0, 0, 0x0f, 0x05, 0, 0,  0,
};

static void spawn(const char *path, int count)
{
	for (volatile int i = 0; i < count; i++) {
		pid_t pid = vfork();

		if (pid == 0) {
			execl(path, path, "-c", "some arguments", "as many have", NULL);
			_exit(127);
		}
		waitpid(pid, NULL, 0);
	}
}

void bench_run(int spawns, int jobs)
{
	struct recorder_stats before[3], after[3];
	char path[PATH_SIZE];
	double sum = 0;
	struct recorder_tally tally = {0};
	int fd, r;
	pid_t pid;

	stage_path(path, "tiny");
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	r = write(fd, tiny, sizeof(tiny)) == sizeof(tiny) ? 0 : -errno;
	close(fd);
	if (r == 0)
		r = switch_stats("1");
	check(r == 0, "switch on kernel.bpf_stats_enabled");
	recorder_stats(before);
	pid = fork();
	if (pid == 0) {
		stage_enter();
		for (int i = 1; i < jobs; i++) {
			if (fork() == 0)
				break;
		}
		spawn(path, spawns / jobs);
		while (wait(NULL) > 0)
			;
		_exit(0);
	}
	while (waitpid(pid, NULL, WNOHANG) == 0) {
		usleep(5000);
		recorder_drain();
		recorder_tally(&tally);
	}
	recorder_stats(after);
	switch_stats("0");
	recorder_drain();
	recorder_tally(&tally);
	for (int i = 0; i < 3; i++) {
		double ns = (double)(after[i].ns - before[i].ns);
		__u64 runs = after[i].runs - before[i].runs;

		printf("%-5s %7.0f ns/run, %llu runs\n", after[i].name,
		       runs ? ns / (double)runs : 0.0, runs);
		sum += ns / spawns;
	}
	printf("sum   %7.0f ns/spawn of %d; records lost: %llu\n", sum, spawns, recorder_lost());
	printf("# runs missed: %llu of the main programs, %llu of the spare ones\n",
	       recorder_missed("lineage_"), recorder_missed("spare_"));
	/* Each job but the first is a fork and an exit more; the first was forked before it was
	 * recorded. */
	check(tally.forks == spawns + jobs - 1, "%d forks arrived", tally.forks);
	check(tally.execs == spawns, "%d execs arrived", tally.execs);
	check(tally.exits == spawns + jobs, "%d exits arrived", tally.exits);
}
