/* SPDX-License-Identifier: Apache-2.0 */
/* Images without an ordinary path, several images in one life, and images that never came. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "truth.h"

extern char **environ;

static void copy_show(int to)
{
	char buffer[65536];
	int from = open(beside("show"), O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (from < 0)
		die("show");
	while ((n = read(from, buffer, sizeof(buffer))) > 0)
		if (write(to, buffer, (size_t)n) != n)
			die("copy of show");
	close(from);
}

/* A copy that a test of its own may unlink; ARGUMENT is a directory. */
static int open_copy(const char *directory, char *path, size_t size)
{
	int fd;

	snprintf(path, size, "%s/copy-of-show", directory ? directory : "/tmp");
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	if (fd < 0)
		die("%s", path);
	copy_show(fd);
	close(fd);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		die("%s", path);
	return fd;
}

/* execveat with AT_EMPTY_PATH; the descriptor stays open over the exec for what runs it. */
static void start_fd(int fd, const char *expected, const char *flags)
{
	char *const args[] = {"show", "by descriptor", NULL};
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		die("fork");
	if (pid)
		return;
	setenv("SHOW_EXE", expected, 1);
	show_members("\"ppid\":%d,\"filename\":\"/dev/fd/%d\",%s", parent, fd, flags);
	syscall(SYS_execveat, fd, "", args, environ, AT_EMPTY_PATH);
	die("execveat");
}

static void run_memfd(const char *argument)
{
	int fd = memfd_create("loader", MFD_CLOEXEC);

	if (fd < 0)
		die("memfd_create");
	copy_show(fd);
	start_fd(fd, "/memfd:loader", "\"memfd\":1,\"deleted\":1");
}

static void run_deleted(const char *argument)
{
	char path[PATH_MAX];
	int fd = open_copy(argument, path, sizeof(path));

	if (unlink(path) < 0)
		die("%s", path);
	start_fd(fd, path, "\"memfd\":0,\"deleted\":1");
}

static void run_empty_path(const char *argument)
{
	char path[PATH_MAX];
	int fd = open_copy(argument, path, sizeof(path));

	start_fd(fd, path, "\"memfd\":0,\"deleted\":0");
}

/* execveat relative to a directory that is not the working directory. */
static void run_at(const char *argument)
{
	char *const args[] = {"show", "at", NULL};
	int fd = open(getenv("LIVE_HELPERS"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	pid_t parent = getpid(), pid = fork();

	if (pid)
		return;
	show_members("\"ppid\":%d,\"filename\":\"/dev/fd/%d/show\"", parent, fd);
	syscall(SYS_execveat, fd, "show", args, environ, 0);
	die("execveat");
}

/* Many images, one process. ARGUMENT counts them down. */
static void run_chain(const char *argument)
{
	pid_t parent = getpid(), pid = fork();
	char count[8] = "3";

	if (pid)
		return;
	(void)argument;
	show_members("\"ppid\":%d,\"exec_count\":4", parent);
	execl(beside("images"), "images", "again", count, NULL);
	die("images");
}

static void run_again(const char *argument)
{
	char count[16];
	int left = argument ? atoi(argument) : 0;

	if (left <= 1)
		become_show(NULL, NULL);
	snprintf(count, sizeof(count), "%d", left - 1);
	execl(beside("images"), "images", "again", count, NULL);
	die("images");
}

static void fail(const char *path, char *const *args, int expected)
{
	execv(path, args);
	if (errno != expected)
		die("%s: expected errno %d", path, expected);
}

static void fail_at(int directory, const char *path, char *const *args, int flags, int expected)
{
	syscall(SYS_execveat, directory, path, args, environ, flags);
	if (errno != expected)
		die("execveat %s: expected errno %d", path, expected);
}

/* A failure is the process's, whichever thread it happens to. */
static void *fail_in_thread(void *args)
{
	fail("/nonexistent/thread", args, ENOENT);
	return NULL;
}

/* Longer than one argument may be: 32 pages. */
#define TOO_LONG (33 * 4096)

static void make_failures(const char *directory, char *const *args)
{
	char *too_long = malloc(TOO_LONG);
	char *const large[] = {args[0], args[1], too_long, NULL};
	pthread_t thread;
	int fd;

	if (chdir(directory) < 0)
		die("%s", directory);
	close(open("not-executable", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	fd = open("not-a-program", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	if (write(fd, "words\n", 6) != 6 || symlink("loop", "loop") < 0)
		die("%s", directory);
	close(fd);
	memset(too_long, 'x', TOO_LONG);
	too_long[TOO_LONG - 1] = 0;
	fail("/nonexistent/program", args, ENOENT);
	fail("./not-executable", args, EACCES);
	fail("not-a-program", args, ENOEXEC);
	fail("not-executable/sub", args, ENOTDIR);
	fail(directory, args, EACCES);
	fail(beside("tiny"), large, E2BIG);
	fail("loop", args, ELOOP);
	if (dup2(open(directory, O_PATH | O_CLOEXEC), 77) != 77)
		die("%s", directory);
	fail_at(77, "nothing", args, 0, ENOENT);
	fail_at(77, "", args, AT_EMPTY_PATH, EACCES);
	fail_at(77, "loop", args, AT_SYMLINK_NOFOLLOW, ELOOP);
	pthread_create(&thread, NULL, fail_in_thread, (void *)args);
	pthread_join(thread, NULL);
}

/* ARGUMENT: a directory in which to make what cannot be executed. */
static void run_failures(const char *argument)
{
	/* Not constants: what this process has never touched would be in no page of it. */
	char *const args[] = {strdup("never"), strdup("ran"), NULL};
	char members[4 * PATH_MAX];
	pid_t pid = fork();

	if (!pid) {
		make_failures(argument, args);
		_exit(11);
	}
	snprintf(members, sizeof(members),
		 "\"failures\":[\"2 /nonexistent/program\",\"13 ./not-executable\","
		 "\"8 not-a-program\",\"20 not-executable/sub\",\"13 %s\",\"7 %s\","
		 "\"40 loop\",\"2 /dev/fd/77/nothing\",\"13 /dev/fd/77\","
		 "\"40 /dev/fd/77/loop\",\"2 /nonexistent/thread\"],"
		 "\"failure_args\":\"[\\\"never\\\",\\\"ran\\\"\","
		 "\"exec_count\":0,\"image_inherited\":1",
		 argument, beside("tiny"));
	truth_reap(pid, members);
}

int main(int argc, char **argv)
{
	static const struct live_case cases[] = {
		{"memfd", run_memfd},
		{"deleted", run_deleted},
		{"empty-path", run_empty_path},
		{"at", run_at},
		{"chain", run_chain},
		{"failures", run_failures},
		{0},
	};

	/* The rest of a chain must not fork, and not wait. */
	if (argc > 2 && !strcmp(argv[1], "again")) {
		setenv("LIVE_CASE", "chain", 1);
		run_again(argv[2]);
	}
	return live_main(argc, argv, cases);
}
