/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a command again and again and says how long each took, from its start to its last byte.
 *
 *   stopwatch [--runs N] [--cold FILE]... -- COMMAND...
 *
 * --cold drops FILE from the page cache before each run. What the command prints is read through a
 * pipe and counted. One line of JSON: milliseconds and milliseconds of CPU, each in order of size,
 * bytes, exit status of the last.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FILES_MAX 8
#define RUNS_MAX  1000

extern char **environ;

static const char *cold[FILES_MAX];
static int cold_count;

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void drop(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	fdatasync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
}

static double cpu_ms(const struct rusage *u)
{
	return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1e3 +
	       (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e3;
}

static int run(char **command, double *ret_ms, double *ret_cpu_ms, uint64_t *ret_bytes)
{
	static char buffer[1 << 16];
	posix_spawn_file_actions_t actions;
	struct rusage usage = {0};
	double begin;
	ssize_t n;
	int fds[2], status = 0, r;
	pid_t pid;

	for (int i = 0; i < cold_count; i++)
		drop(cold[i]);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	fcntl(fds[1], F_SETPIPE_SZ, 1 << 20);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
	begin = now_ms();
	r = posix_spawnp(&pid, command[0], &actions, NULL, command, environ);
	close(fds[1]);
	*ret_bytes = 0;
	while (r == 0 && (n = read(fds[0], buffer, sizeof(buffer))) > 0)
		*ret_bytes += (uint64_t)n;
	if (r == 0)
		wait4(pid, &status, 0, &usage);
	*ret_ms = now_ms() - begin;
	*ret_cpu_ms = cpu_ms(&usage);
	close(fds[0]);
	posix_spawn_file_actions_destroy(&actions);
	return r ? -r : WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print(const char *name, double *values, int count)
{
	qsort(values, (size_t)count, sizeof(*values), compare);
	printf("%s:[", name);
	for (int i = 0; i < count; i++)
		printf("%s%.3f", i ? "," : "", values[i]);
	printf("]");
}

int main(int argc, char **argv)
{
	static const struct option table[] = {{"runs", 1, NULL, 'r'}, {"cold", 1, NULL, 'c'}, {0}};
	double ms[RUNS_MAX], cpu[RUNS_MAX];
	uint64_t bytes = 0;
	int runs = 5, status = 0, c;

	while ((c = getopt_long(argc, argv, "+", table, NULL)) >= 0) {
		if (c == 'r')
			runs = atoi(optarg);
		else if (c == 'c' && cold_count < FILES_MAX)
			cold[cold_count++] = optarg;
		else
			return 2;
	}
	if (optind >= argc || runs < 1 || runs > RUNS_MAX)
		return 2;
	for (int i = 0; i < runs && status >= 0; i++)
		status = run(argv + optind, &ms[i], &cpu[i], &bytes);
	if (status < 0) {
		fprintf(stderr, "stopwatch: %s: %s\n", argv[optind], strerror(-status));
		return 1;
	}
	print("{\"ms\"", ms, runs);
	print(",\"cpu_ms\"", cpu, runs);
	printf(",\"bytes\":%llu,\"status\":%d}\n", (unsigned long long)bytes, status);
	return 0;
}
