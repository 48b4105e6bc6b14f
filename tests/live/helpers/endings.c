/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to end, and what a life has cost. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "truth.h"

static void run_codes(const char *argument)
{
	static const int codes[] = {0, 1, 2, 77, 127, 128, 255, 256, 259};

	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(codes[i]);
		truth_reap(pid, "\"image_inherited\":1,\"exit_count\":1");
	}
}

static void run_signals(const char *argument)
{
	const int signals[] = {SIGHUP,	SIGINT,	 SIGKILL,  SIGPIPE,
			       SIGTERM, SIGUSR1, SIGRTMIN, SIGRTMAX};

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		pid_t pid = fork();

		if (!pid) {
			signal(signals[i], SIG_DFL);
			raise(signals[i]);
			_exit(0);
		}
		truth_reap(pid, NULL);
	}
}

/* ARGUMENT: a directory for the core file, if the kernel writes one there. */
static void run_core(const char *argument)
{
	const int signals[] = {SIGSEGV, SIGABRT, SIGQUIT};

	if (argument && chdir(argument) < 0)
		die("%s", argument);
	for (size_t i = 0; i < 2 * sizeof(signals) / sizeof(*signals); i++) {
		struct rlimit limit = {i % 2 ? RLIM_INFINITY : 0, RLIM_INFINITY};
		pid_t pid = fork();

		if (!pid) {
			if (setrlimit(RLIMIT_CORE, &limit) < 0)
				die("RLIMIT_CORE");
			signal(signals[i / 2], SIG_DFL);
			raise(signals[i / 2]);
			_exit(0);
		}
		truth_reap(pid, NULL);
		unlink("core");
	}
}

/* Reads ru_maxrss as the kernel keeps it, from the ended child alone. */
static void reap_with_usage(pid_t pid, const char *format)
{
	struct rusage before, after;
	char members[256];
	siginfo_t info;

	getrusage(RUSAGE_CHILDREN, &before);
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	snprintf(members, sizeof(members), "%s", format);
	truth_reap(pid, members);
	getrusage(RUSAGE_CHILDREN, &after);
	if (after.ru_maxrss < before.ru_maxrss)
		die("ru_maxrss shrinks");
}

#define RSS_BYTES (96UL << 20)

static void run_memory(const char *argument)
{
	char members[128];
	pid_t pid = fork();

	if (!pid) {
		char *memory = mmap(NULL, RSS_BYTES, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory == MAP_FAILED)
			die("mmap");
		memset(memory, 1, RSS_BYTES);
		munmap(memory, RSS_BYTES); /* the peak counts, not what is left */
		_exit(0);
	}
	snprintf(members, sizeof(members), "\"max_rss_kib_min\":%lu,\"max_rss_kib_max\":%lu",
		 RSS_BYTES / 1024, RSS_BYTES / 1024 + 8192);
	reap_with_usage(pid, members);
}

/* A quarter of a second of processor time, give or take the ticks that the kernel counts by. */
static void run_time(const char *argument)
{
	pid_t pid = fork();

	if (!pid) {
		struct timespec t;

		do
			clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
		while (t.tv_sec == 0 && t.tv_nsec < 250000000);
		_exit(0);
	}
	reap_with_usage(pid, "\"cpu_ms_min\":225,\"cpu_ms_max\":300");
}

int main(int argc, char **argv)
{
	static const struct live_case cases[] = {
		{"codes", run_codes},	{"signals", run_signals}, {"core", run_core},
		{"memory", run_memory}, {"time", run_time},	  {0},
	};

	return live_main(argc, argv, cases);
}
