/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes processes, as many and as fast as asked for, and says exactly how many there were.
 *
 *   flood [--cgroup DIR] [--mode exec|fork] [--workers N] [--count N] [--seconds S] [--rate N]
 *         [--bursts N] [--pause-ms N]
 *
 * --count is per burst and worker, --rate per second and worker. Workers are processes too and are
 * counted. Each burst is one line of JSON: {"from_ns":,"to_ns":,"created":}, times in
 * CLOCK_BOOTTIME; the first burst counts the workers. SIGTERM ends it early, with a true count.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "truth.h"

#define NS 1000000000LL

static struct {
	const char *cgroup;
	int exec;
	long workers, count, rate, bursts, pause_ms;
	double seconds;
} opt = {.exec = 1, .workers = 1, .bursts = 1};

/* Shared with the workers: one counter each, and the order to stop. */
static struct shared {
	atomic_int stop;
	atomic_long created[];
} * shared;

static char tiny[4096];

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * NS + t.tv_nsec;
}

static void on_term(int signal)
{
	atomic_store(&shared->stop, 1);
}

static void sleep_until(long long when_ns)
{
	struct timespec t = {when_ns / NS, when_ns % NS};

	while (clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &t, NULL) == EINTR)
		if (atomic_load(&shared->stop))
			return;
}

static void create_one(atomic_long *created)
{
	char *const args[] = {"tiny", NULL}, *const env[] = {NULL};
	pid_t pid = opt.exec ? vfork() : fork();

	if (!pid) {
		if (opt.exec)
			execve(tiny, args, env);
		_exit(opt.exec ? 98 : 0);
	}
	if (pid < 0) {
		if (errno != EAGAIN)
			die("fork");
		pause_ms(1);
		return;
	}
	atomic_fetch_add(created, 1);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void work(atomic_long *created, long long begin_ns)
{
	long long end_ns = opt.seconds > 0 ? begin_ns + (long long)(opt.seconds * NS) : INT64_MAX;

	for (long i = 0; !opt.count || i < opt.count; i++) {
		if (opt.rate)
			sleep_until(begin_ns + i * NS / opt.rate);
		if (atomic_load(&shared->stop) || now_ns() >= end_ns)
			break;
		create_one(created);
	}
	_exit(0);
}

static long total(void)
{
	long sum = 0;

	for (long i = 0; i < opt.workers; i++)
		sum += atomic_load(&shared->created[i]);
	return sum;
}

static void burst(void)
{
	long long begin_ns = now_ns();
	long before = total();

	for (long i = 0; i < opt.workers; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			signal(SIGTERM, SIG_IGN);
			work(&shared->created[i], begin_ns);
		}
	}
	while (wait(NULL) > 0 || errno == EINTR)
		;
	printf("{\"from_ns\":%lld,\"to_ns\":%lld,\"created\":%ld}\n", begin_ns, now_ns(),
	       total() - before + opt.workers);
	fflush(stdout);
}

static void enter_cgroup(void)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", opt.cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0\n", 2) != 2)
		die("%s", path);
	close(fd);
}

static int parse(int argc, char **argv)
{
	static const struct option table[] = {
		{"cgroup", 1, NULL, 'g'}, {"mode", 1, NULL, 'm'},     {"workers", 1, NULL, 'w'},
		{"count", 1, NULL, 'c'},  {"seconds", 1, NULL, 's'},  {"rate", 1, NULL, 'r'},
		{"bursts", 1, NULL, 'b'}, {"pause-ms", 1, NULL, 'p'}, {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", table, NULL)) >= 0) {
		switch (c) {
		case 'g':
			opt.cgroup = optarg;
			break;
		case 'm':
			opt.exec = !strcmp(optarg, "exec");
			break;
		case 'w':
			opt.workers = atol(optarg);
			break;
		case 'c':
			opt.count = atol(optarg);
			break;
		case 's':
			opt.seconds = atof(optarg);
			break;
		case 'r':
			opt.rate = atol(optarg);
			break;
		case 'b':
			opt.bursts = atol(optarg);
			break;
		case 'p':
			opt.pause_ms = atol(optarg);
			break;
		default:
			return -EINVAL;
		}
	}
	return optind < argc || opt.workers < 1 || (!opt.count && opt.seconds <= 0) ? -EINVAL : 0;
}

int main(int argc, char **argv)
{
	size_t size;
	struct sigaction term = {.sa_handler = on_term};

	if (parse(argc, argv) < 0) {
		fprintf(stderr, "flood: see the head of its source for options\n");
		return 2;
	}
	size = sizeof(*shared) + (size_t)opt.workers * sizeof(shared->created[0]);
	shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	snprintf(tiny, sizeof(tiny), "%s", beside("tiny"));
	if (opt.cgroup)
		enter_cgroup();
	sigaction(SIGTERM, &term, NULL);
	for (long i = 0; i < opt.bursts && !atomic_load(&shared->stop); i++) {
		if (i)
			pause_ms(opt.pause_ms);
		burst();
	}
	return 0;
}
