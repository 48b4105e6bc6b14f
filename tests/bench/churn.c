/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes processes as fast as the machine can, or at a rate, and counts them exactly.
 *
 *   churn [--cgroup DIR] [--mode MODE] [--workers N] [--seconds S] [--rate N] [--args BYTES]
 *
 *   spawn  vfork and exec of a tiny static program, argv of three words
 *   true   vfork and exec of /bin/true, dynamically linked
 *   vfork  vfork and _exit: the most processes that a machine can make
 *   fork   fork and _exit
 *
 * Workers are pinned: one to the last CPU, several to one each in turn. They enter the cgroup,
 * begin at the same time and work for --seconds. --rate is for all of them together. One line of
 * JSON: what each worker made, and processes per second.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NS	    1000000000LL
#define WORKERS_MAX 64

static struct {
	const char *cgroup;
	char mode;
	long workers, rate, args;
	double seconds;
} opt = {.mode = 's', .workers = 1, .seconds = 1};

struct worker {
	pid_t pid;
	long long begin_ns, end_ns;
	uint64_t made;
};

static struct worker *workers;
static char program[4096];

static void die(const char *what)
{
	perror(what);
	_exit(1);
}

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS + t.tv_nsec;
}

static void sleep_until(long long when_ns)
{
	struct timespec t = {when_ns / NS, when_ns % NS};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

static void pin(long worker)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(opt.workers == 1 ? cpus - 1 : worker % cpus, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		die("sched_setaffinity");
}

static void make_one(char *const argv[])
{
	char *const none[] = {NULL};
	pid_t pid = opt.mode == 'f' ? fork() : vfork();

	if (pid == 0) {
		if (opt.mode == 's' || opt.mode == 't')
			execve(program, argv, none);
		_exit(opt.mode == 's' || opt.mode == 't' ? 127 : 0);
	}
	if (pid < 0)
		die("fork");
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void work(struct worker *w, long index, long long begin_ns)
{
	char *long_arg = calloc(1, (size_t)opt.args + 1);
	char *argv[] = {program, "--benchmark", "argument", NULL, NULL};
	long long end_ns;
	/* Workers take turns at the rate. */
	long long step_ns = opt.rate ? NS * opt.workers / opt.rate : 0;

	memset(long_arg, 'x', (size_t)opt.args);
	if (opt.args)
		argv[3] = long_arg;
	pin(index);
	sleep_until(begin_ns);
	w->begin_ns = now_ns();
	/* On a machine so busy that this worker was late, the time is still the one asked for. */
	end_ns = w->begin_ns + (long long)(opt.seconds * NS);
	while (now_ns() < end_ns) {
		make_one(argv);
		w->made++;
		if (step_ns)
			sleep_until(begin_ns + (long long)w->made * step_ns);
	}
	w->end_ns = now_ns();
	_exit(0);
}

static void enter_cgroup(void)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", opt.cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0\n", 2) != 2)
		die(path);
	close(fd);
}

static int parse(int argc, char **argv)
{
	static const struct option table[] = {
		{"cgroup", 1, NULL, 'g'},
		{"mode", 1, NULL, 'm'},
		{"workers", 1, NULL, 'w'},
		{"seconds", 1, NULL, 's'},
		{"rate", 1, NULL, 'r'},
		{"args", 1, NULL, 'a'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", table, NULL)) >= 0) {
		if (c == 'g')
			opt.cgroup = optarg;
		else if (c == 'm')
			opt.mode = optarg[0];
		else if (c == 'w')
			opt.workers = atol(optarg);
		else if (c == 's')
			opt.seconds = atof(optarg);
		else if (c == 'r')
			opt.rate = atol(optarg);
		else if (c == 'a')
			opt.args = atol(optarg);
		else
			return -EINVAL;
	}
	return optind < argc || opt.workers < 1 || opt.workers > WORKERS_MAX || opt.args < 0 ||
			       !strchr("stvf", opt.mode)
		       ? -EINVAL
		       : 0;
}

/* The program beside this one. */
static void find_program(void)
{
	ssize_t n;
	char *slash;

	if (opt.mode == 't') {
		strcpy(program, "/bin/true");
		return;
	}
	n = readlink("/proc/self/exe", program, sizeof(program) - 8);
	if (n < 0)
		die("/proc/self/exe");
	program[n] = 0;
	slash = strrchr(program, '/');
	strcpy(slash + 1, "tiny");
}

static void report(void)
{
	double rate = 0;
	uint64_t made = 0;

	printf("{\"workers\":[");
	for (long i = 0; i < opt.workers; i++) {
		const struct worker *w = &workers[i];

		printf("%s{\"pid\":%d,\"made\":%llu}", i ? "," : "", w->pid,
		       (unsigned long long)w->made);
		made += w->made;
		rate += (double)w->made / ((double)(w->end_ns - w->begin_ns) / NS);
	}
	printf("],\"made\":%llu,\"rate\":%.3f}\n", (unsigned long long)made, rate);
}

int main(int argc, char **argv)
{
	long long begin_ns;
	int status, failed = 0;

	if (parse(argc, argv) < 0) {
		fprintf(stderr, "churn: see the head of its source for options\n");
		return 2;
	}
	find_program();
	workers = mmap(NULL, sizeof(*workers) * (size_t)opt.workers, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (workers == MAP_FAILED)
		die("mmap");
	if (opt.cgroup)
		enter_cgroup();
	begin_ns = now_ns() + NS / 20;
	for (long i = 0; i < opt.workers; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			work(&workers[i], i, begin_ns);
		}
		workers[i].pid = pid;
	}
	while (wait(&status) > 0)
		failed |= status;
	report();
	return failed != 0;
}
