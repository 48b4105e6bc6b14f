/* SPDX-License-Identifier: Apache-2.0 */
/* Failed execs: name, arguments and error of each, and none for an exec that works or that kills.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

struct failing {
	const char *name;
	void (*call)(void);
	int error;
	const char *filename;
	int args; /* -1: none could be read */
	const char *first;
	__u32 flags;
};

static const struct failing *now;
static char huge[PATH_SIZE];

static char *const words[] = {(char *)"first", (char *)"", (char *)"third", NULL};

static void call_missing(void)
{
	execv("/no/such/file", words);
}

static void call_directory(void)
{
	execv("/", words);
}

static void call_no_args(void)
{
	syscall(SYS_execve, "/no/such/file", NULL, NULL);
}

static void call_bad_args(void)
{
	char *const bad[] = {(char *)"first", (char *)1, NULL};

	syscall(SYS_execve, "/no/such/file", bad, NULL);
}

static void call_bad_name(void)
{
	syscall(SYS_execve, 1, words, NULL);
}

static void call_empty(void)
{
	syscall(SYS_execve, "", words, NULL);
}

static void call_at(void)
{
	syscall(SYS_execveat, 77, "no/such/file", words, NULL, 0);
}

static void call_long_name(void)
{
	memset(huge, 'n', 4200);
	huge[0] = '/';
	execv(huge, words);
}

static void call_300(void)
{
	memset(huge, 'n', 240);
	for (int i = 0; i < 3; i++)
		huge[i * 100] = '/';
	execv(huge, words);
}

static void call_many(void)
{
	char *args[101];

	for (int i = 0; i < 100; i++)
		args[i] = (char *)"0123456789";
	args[100] = NULL;
	execv("/no/such/file", args);
}

static void call_large(void)
{
	static char text[6000];
	char *const args[] = {(char *)"first", text, (char *)"last", NULL};

	memset(text, 'x', sizeof(text) - 1);
	execv("/no/such/file", args);
}

static void *exec_missing(void *arg)
{
	call_missing();
	return NULL;
}

static void call_in_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, exec_missing, NULL);
	pthread_join(thread, NULL);
}

/*
 * An ELF file whose only segment lies where nothing can be mapped: the old image is gone when that
 * shows, and the process is killed.
 */
static void call_fatal(void)
{
	unsigned char elf[120] = {0x7f, 'E', 'L', 'F', 2, 1, 1, [16] = 2, [18] = 62, [20] = 1};
	char path[PATH_SIZE];
	int fd;

	elf[32] = 64;		   /* program headers behind the header */
	elf[52] = 64;		   /* size of the header */
	elf[54] = 56;		   /* of a program header */
	elf[56] = 1;		   /* one of them */
	elf[64] = 1;		   /* PT_LOAD */
	elf[68] = 5;		   /* r-x */
	memset(elf + 80, 0xff, 8); /* at the end of the address space */
	elf[80] = 0;		   /* page aligned */
	elf[81] = 0xf0;
	elf[96] = elf[104] = 120; /* in the file, in memory */
	elf[113] = 0x10;	  /* alignment */
	stage_path(path, "fatal");
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	if (write(fd, elf, sizeof(elf)) != sizeof(elf))
		_exit(123);
	close(fd);
	execv(path, words);
}

static void call_success(void)
{
	char path[PATH_SIZE];

	call_missing();
	call_missing();
	stage_path(path, "prog");
	execl(path, "prog", "act-exit", "0", NULL);
}

/* Only a program that may sleep brings in what is in no page. */
static void touch(void)
{
	volatile size_t sum = 0;

	for (int i = 0; words[i]; i++)
		sum += strlen(words[i]);
}

static void act_failing(void *arg)
{
	if (!recorder_touches())
		touch();
	if (chdir("/") < 0)
		_exit(122);
	now->call();
	_exit(9);
}

static void look_failure(const struct record *r)
{
	const struct lineage_exec_failure *f = &r->failure;
	const char *args = f->data + f->args_offset;
	size_t length = f->filename_length ? f->filename_length - 1 : 0;

	/* Older kernels count arguments before they look for the file. */
	if (now->call == call_bad_args && f->error == EFAULT)
		check(true, "error: 14");
	else
		check_number("error", f->error, (__u64)now->error);
	check(length == strlen(now->filename) && !memcmp(f->data, now->filename, length),
	      "%s: name of %zu bytes, %.40s", now->name, length, length ? f->data : "");
	check(f->flags == now->flags, "%s: flags %#x", now->name, f->flags);
	check((int)f->args_count == now->args, "%s: %u arguments", now->name, f->args_count);
	check(!now->first || (f->args_length > strlen(now->first) && !strcmp(args, now->first)),
	      "%s: the first is %.40s", now->name, f->args_length ? args : "(nothing)");
	check(f->args_length <= f->args_total &&
		      (f->args_length == f->args_total) == !(f->flags & LINEAGE_ARGS_CUT),
	      "%s: %u of %u bytes", now->name, f->args_length, f->args_total);
}

static void run_failing(const struct failing *failing, int records)
{
	struct record *r;
	pid_t pid;

	now = failing;
	recorder_forget();
	pid = stage_run(act_failing, NULL, NULL);
	check(recorder_count(LINEAGE_EXEC_FAILURE, pid) == records, "%s: %d records", now->name,
	      recorder_count(LINEAGE_EXEC_FAILURE, pid));
	check_number("records lost", recorder_lost(), 0);
	r = recorder_find(LINEAGE_EXEC_FAILURE, pid, NULL);
	if (r && records)
		look_failure(r);
}

void failures_run(void)
{
	static const struct failing rows[] = {
		{"missing", call_missing, ENOENT, "/no/such/file", 3, "first", 0},
		{"directory", call_directory, EACCES, "/", 3, "first", 0},
		{"no arguments", call_no_args, ENOENT, "/no/such/file", 0, NULL, 0},
		{"bad arguments", call_bad_args, ENOENT, "/no/such/file", 1, "first",
		 LINEAGE_ARGS_UNREADABLE | LINEAGE_ARGS_UNCOUNTED},
		{"bad name", call_bad_name, EFAULT, "", 3, "first", 0},
		{"empty name", call_empty, ENOENT, "", 3, "first", 0},
		{"execveat", call_at, EBADF, "no/such/file", 3, "first", 0},
		{"name of 240", call_300, ENOENT, huge, 3, "first", 0},
		{"100 arguments", call_many, ENOENT, "/no/such/file", 100, "0123456789", 0},
		{"large argument", call_large, ENOENT, "/no/such/file", 3, "first",
		 LINEAGE_ARGS_CUT},
		{"thread", call_in_thread, ENOENT, "/no/such/file", 3, "first", 0},
	};
	struct failing row = {.name = "long name",
			      .call = call_long_name,
			      .error = ENAMETOOLONG,
			      .filename = huge,
			      .args = 3,
			      .first = "first",
			      .flags = LINEAGE_FILENAME_TRUNCATED};

	printf("# failed execs\n");
	memset(huge, 'n', 240);
	for (int i = 0; i < 3; i++)
		huge[i * 100] = '/';
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		run_failing(&rows[i], 1);
	memset(huge, 'n', LINEAGE_PATH_MAX);
	huge[0] = '/';
	huge[LINEAGE_PATH_MAX - 1] = 0;
	run_failing(&row, 1);
	row = (struct failing){.name = "kills", .call = call_fatal};
	run_failing(&row, 0);
	row = rows[0];
	row.name = "two, then one that works";
	row.call = call_success;
	run_failing(&row, 2);
}
