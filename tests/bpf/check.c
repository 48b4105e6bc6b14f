/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BPF programs alone, against /proc: loads an object, records a cgroup of its own, runs
 * processes in it and compares what arrived. One static binary, so that an initramfs is all that a
 * kernel needs.
 *
 *   check_bpf [OPTION]... OBJECT
 *
 *   --dir DIR       scratch files
 *   --failures      and those for failed execs, by fexit or else by the tracepoint
 *   --no-probe      as under lockdown=confidentiality
 *   --no-paths      and the kernel is older than 6.2
 *   --races N       so many processes with threads that end at once
 *   --bench N       no checks of content: spawn N processes, print the cost, count what arrived
 *   --jobs N        ... in so many processes at once
 *   --pin DIR       pin the maps there while it runs
 *
 * Not for what the daemon makes of the records: that is tests/live.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static int passed, failed, skipped;

struct stage stage = {.directory = "/tmp/lineaged-check-bpf"};

void check(bool ok, const char *fmt, ...)
{
	va_list ap;

	*(ok ? &passed : &failed) += 1;
	printf(ok ? "ok   " : "FAIL ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

void check_skip(const char *what, const char *why)
{
	skipped++;
	printf("skip %s: %s\n", what, why);
}

void check_text(const char *what, const char *got, const char *wanted)
{
	check(strcmp(got, wanted) == 0, "%s: %.300s%s%.300s", what, got,
	      strcmp(got, wanted) ? ", not " : "", strcmp(got, wanted) ? wanted : "");
}

void check_number(const char *what, __u64 got, __u64 wanted)
{
	if (got == wanted)
		check(true, "%s: %llu", what, got);
	else
		check(false, "%s: %llu, not %llu", what, got, wanted);
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	close(fd);
	return n < 0 ? -errno : 0;
}

/* From here on this process and its children are recorded. */
void stage_enter(void)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/cgroup.procs", stage.cgroup);
	if (write_text(path, "0") < 0)
		_exit(120);
}

static char process_state(pid_t pid)
{
	char path[64], line[512] = "", *end;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	end = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	fclose(f);
	return end ? end[2] : 0;
}

/* Until it has stopped itself: what is told to go on before that would stop for good. */
bool stage_holds(pid_t pid)
{
	char state = process_state(pid);

	for (int i = 0; i < 30000 && state && state != 'T' && state != 'Z'; i++) {
		usleep(1000);
		state = process_state(pid);
	}
	return state == 'T';
}

/*
 * Runs `act` in a child of a recorded process. act execs something that stops itself ("hold"); then
 * `look` compares it with /proc; then it goes on to its end. The pid is returned, 0 on failure.
 */
pid_t stage_run(void (*act)(void *arg), void *arg, void (*look)(pid_t pid))
{
	pid_t outer = fork();
	pid_t pid = 0;
	bool holds;

	stage.shared->pid = 0;
	if (outer == 0) {
		stage_enter();
		pid_t inner = fork();

		if (inner == 0) {
			stage.shared->pid = getpid();
			act(arg);
			_exit(121);
		}
		stage.shared->forked = inner;
		waitpid(inner, &stage.shared->status, 0);
		_exit(0);
	}
	if (look) {
		for (int i = 0; i < 30000 && !pid; i++) {
			usleep(1000);
			pid = stage.shared->forked;
		}
		holds = pid && stage_holds(pid);
		recorder_drain();
		if (holds)
			look(pid);
		else
			check(false, "pid %d: did not reach the hold", pid);
		kill(pid, SIGCONT);
	}
	waitpid(outer, NULL, 0);
	pid = stage.shared->forked;
	stage.shared->forked = 0;
	recorder_drain();
	return pid;
}

void stage_path(char path[PATH_SIZE], const char *name)
{
	snprintf(path, PATH_SIZE, "%s/%s", stage.directory, name);
}

int stage_copy(const char *name)
{
	char path[PATH_SIZE], buffer[65536];
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), to;
	ssize_t n;

	stage_path(path, name);
	to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	while ((n = read(from, buffer, sizeof(buffer))) > 0) {
		if (write(to, buffer, (size_t)n) != n)
			return -errno;
	}
	close(from);
	return close(to);
}

static int find_cgroup(void)
{
	static const char *const roots[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};
	struct stat st;
	char path[64];

	for (size_t i = 0; i < sizeof(roots) / sizeof(*roots); i++) {
		snprintf(path, sizeof(path), "%s/cgroup.procs", roots[i]);
		if (access(path, W_OK) < 0)
			continue;
		snprintf(stage.cgroup, sizeof(stage.cgroup), "%s/lineaged-check-bpf-%d", roots[i],
			 getpid());
		if (mkdir(stage.cgroup, 0755) < 0 || stat(stage.cgroup, &st) < 0)
			return -errno;
		stage.cgroup_id = st.st_ino;
		return 0;
	}
	return -ENOENT;
}

static void remove_cgroup(void)
{
	for (int i = 0; i < 100 && rmdir(stage.cgroup) < 0 && errno == EBUSY; i++)
		usleep(10000);
}

static int prepare(void)
{
	int r;

	stage.shared = mmap(NULL, sizeof(*stage.shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (stage.shared == MAP_FAILED)
		return -errno;
	if (mkdir(stage.directory, 0755) < 0 && errno != EEXIST)
		return -errno;
	/* Mounts made by the tests must not be seen by others, nor stay behind. */
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	r = stage_copy("prog");
	return r < 0 ? r : find_cgroup();
}

struct arguments {
	struct recorder_options recorder;
	int bench, jobs, races;
};

/* False: not understood. */
static bool read_arguments(int argc, char **argv, struct arguments *a)
{
	static const struct option longs[] = {
		{"no-probe", no_argument, NULL, 'n'},  {"v1", required_argument, NULL, 'v'},
		{"dir", required_argument, NULL, 'd'}, {"bench", required_argument, NULL, 'b'},
		{"pin", required_argument, NULL, 'p'}, {"races", required_argument, NULL, 'r'},
		{"no-paths", no_argument, NULL, 'N'},  {"jobs", required_argument, NULL, 'j'},
		{"failures", no_argument, NULL, 'f'},  {NULL, 0, NULL, 0},
	};
	int o;

	while ((o = getopt_long(argc, argv, "", longs, NULL)) > 0) {
		switch (o) {
		case 'n':
			a->recorder.no_probe = true;
			break;
		case 'N':
			stage.no_paths = true;
			break;
		case 'j':
			a->jobs = atoi(optarg);
			break;
		case 'f':
			a->recorder.failures = true;
			break;
		case 'v':
			a->recorder.v1 = optarg;
			break;
		case 'd':
			stage.directory = optarg;
			break;
		case 'b':
			a->bench = atoi(optarg);
			break;
		case 'p':
			a->recorder.pin_dir = optarg;
			break;
		case 'r':
			a->races = atoi(optarg);
			break;
		default:
			return false;
		}
	}
	a->recorder.object = argv[optind];
	return optind + 1 == argc;
}

static void check_all(const struct arguments *a)
{
	ids_run();
	images_run();
	exits_run(a->races);
	if (a->recorder.failures)
		failures_run();
	filter_run();
	check_number("records lost", recorder_lost(), 0);
	printf("# runs missed: %llu of the main programs, %llu of the spare ones\n",
	       recorder_missed("lineage_"), recorder_missed("spare_"));
}

int main(int argc, char **argv)
{
	struct arguments a = {.jobs = 1, .races = 500};
	int r;

	if (argc > 1 && strncmp(argv[1], "act-", 4) == 0)
		return act_main(argc, argv);
	if (!read_arguments(argc, argv, &a))
		return 2;
	if (geteuid() != 0 || access("/sys/kernel/btf/vmlinux", R_OK) < 0) {
		printf("skip: needs root, and a kernel with type information\n");
		return 77;
	}
	r = prepare();
	if (r == 0)
		r = recorder_start(&a.recorder);
	if (r == 0)
		r = recorder_include(stage.cgroup_id);
	if (r < 0) {
		printf("FAIL start: %s\n", strerror(-r));
		remove_cgroup();
		return 1;
	}
	if (a.bench)
		bench_run(a.bench, a.jobs);
	else
		check_all(&a);
	recorder_stop();
	remove_cgroup();
	printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
	return failed ? 1 : 0;
}
