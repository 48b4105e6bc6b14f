/* SPDX-License-Identifier: Apache-2.0 */
/* Argument lists that recorders get wrong. show tells what the kernel made of them. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "truth.h"

static void start(char *const *args)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		die("fork");
	if (pid)
		return;
	show_members("\"ppid\":%d", parent);
	execv(beside("show"), args);
	die("show");
}

/* Kernels from 5.18 on make one empty argument of it. */
static void run_empty_list(const char *argument)
{
	start((char *const[]){NULL});
}

static void run_empty_first(const char *argument)
{
	start((char *const[]){"", "second", NULL});
}

static void run_empty_last(const char *argument)
{
	start((char *const[]){"show", "a", "", NULL});
}

static void run_only_empty(const char *argument)
{
	start((char *const[]){"", "", "", NULL});
}

static void run_newline(const char *argument)
{
	start((char *const[]){"show", "two\nlines", "\ttab \"quote\" \\back\x1b[31m\x7f", "", "\n",
			      NULL});
}

static void run_unicode(const char *argument)
{
	start((char *const[]){"show", "h\xc3\xa9llo", "\xe2\x9c\x93", "\xf0\x9f\x8c\xb3", NULL});
}

static void run_not_utf8(const char *argument)
{
	start((char *const[]){"show", "\xff\xfe", "ok", "\xc3", "", NULL});
}

static void run_many(const char *argument)
{
	size_t count = 100000;
	char **args = calloc(count + 1, sizeof(*args));

	for (size_t i = 0; i < count; i++)
		args[i] = i % 2 ? "y" : "x";
	start(args);
	free(args);
}

/* No single argument may have more than 128 KiB. */
static void run_huge(const char *argument)
{
	static char half[100 * 1024 + 1];

	memset(half, 'h', sizeof(half) - 1);
	start((char *const[]){"show", half, half, "end", NULL});
}

/* As long as a record can hold, and one byte longer. */
static void run_limit(const char *argument)
{
	static char fill[32768];
	size_t room = 32768 - sizeof("show") - 1;

	memset(fill, 'l', room);
	start((char *const[]){"show", fill, NULL});
	fill[room] = 'l';
	start((char *const[]){"show", fill, NULL});
}

int main(int argc, char **argv)
{
	static const struct live_case cases[] = {
		{"empty-list", run_empty_list},
		{"empty-first", run_empty_first},
		{"empty-last", run_empty_last},
		{"only-empty", run_only_empty},
		{"newline", run_newline},
		{"unicode", run_unicode},
		{"not-utf8", run_not_utf8},
		{"many", run_many},
		{"huge", run_huge},
		{"limit", run_limit},
		{0},
	};

	return live_main(argc, argv, cases);
}
