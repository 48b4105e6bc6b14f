/* SPDX-License-Identifier: Apache-2.0 */
#include "truth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, ": %s\n", strerror(errno));
	_exit(99);
}

void pause_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

char *proc_read(pid_t pid, const char *name, size_t *ret_length)
{
	char path[64], *text = NULL;
	size_t length = 0, room = 0;
	ssize_t n;
	int fd;

	if (pid)
		snprintf(path, sizeof(path), "%d/%s", pid, name);
	else
		snprintf(path, sizeof(path), "self/%s", name);
	fd = openat(PROC_FD, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die("/proc/%s", path);
	do {
		if (room - length < 4096)
			text = realloc(text, room += 65536);
		n = read(fd, text + length, room - length - 1);
		if (n < 0)
			die("/proc/%s", path);
		length += (size_t)n;
	} while (n);
	text[length] = '\0';
	close(fd);
	if (ret_length)
		*ret_length = length;
	return text;
}

void proc_stat(pid_t pid, struct proc_stat *ret)
{
	char *text = proc_read(pid, "stat", NULL);
	char *rest = strrchr(text, ')'); /* comm may hold blanks and brackets */

	ret->pid = atoi(text);
	if (!rest || sscanf(rest + 2,
			    "%*c %d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
			    "%*d %llu",
			    &ret->ppid, &ret->pgid, &ret->sid, &ret->start_ticks) != 4)
		die("/proc/%d/stat", pid);
	free(text);
}

static void key(struct truth *truth, const char *name)
{
	fprintf(truth->memory, ",\"%s\":", name);
}

static void quote(FILE *out, const char *value)
{
	fputc('"', out);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			fprintf(out, "\\%c", *value);
		else if ((unsigned char)*value < 0x20)
			fprintf(out, "\\u%04x", *value);
		else
			fputc(*value, out);
	}
	fputc('"', out);
}

void truth_begin(struct truth *truth, pid_t pid)
{
	const char *name = getenv("LIVE_CASE");
	struct proc_stat stat;

	proc_stat(pid, &stat);
	*truth = (struct truth){0};
	truth->memory = open_memstream(&truth->text, &truth->length);
	if (!truth->memory)
		die("memory");
	fputs("{\"case\":", truth->memory);
	quote(truth->memory, name ? name : "?");
	truth_number(truth, "pid", stat.pid);
	truth_number(truth, "start_ticks", (long long)stat.start_ticks);
}

void truth_number(struct truth *truth, const char *name, long long value)
{
	key(truth, name);
	fprintf(truth->memory, "%lld", value);
}

void truth_string(struct truth *truth, const char *name, const char *value)
{
	key(truth, name);
	quote(truth->memory, value);
}

void truth_strings(struct truth *truth, const char *name, int count, char *const *values)
{
	key(truth, name);
	fputc('[', truth->memory);
	for (int i = 0; i < count; i++) {
		if (i)
			fputc(',', truth->memory);
		quote(truth->memory, values[i]);
	}
	fputc(']', truth->memory);
}

void truth_bytes(struct truth *truth, const char *name, const void *data, size_t length)
{
	key(truth, name);
	fputc('"', truth->memory);
	for (size_t i = 0; i < length; i++)
		fprintf(truth->memory, "%02X", ((const unsigned char *)data)[i]);
	fputc('"', truth->memory);
}

void truth_members(struct truth *truth, const char *members)
{
	if (members && *members)
		fprintf(truth->memory, ",%s", members);
}

void truth_end(struct truth *truth)
{
	fputs("}\n", truth->memory);
	fclose(truth->memory);
	if (write(TRUTH_FD, truth->text, truth->length) != (ssize_t)truth->length)
		die("descriptor %d", TRUTH_FD);
	free(truth->text);
}

int truth_reap(pid_t pid, const char *members)
{
	struct truth truth;
	siginfo_t info;
	int status;

	while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | __WALL) < 0)
		if (errno != EINTR)
			die("waitid %d", pid);
	truth_begin(&truth, pid);
	if (waitpid(pid, &status, __WALL) != pid)
		die("waitpid %d", pid);
	truth_number(&truth, "ppid", getpid());
	if (WIFEXITED(status)) {
		truth_number(&truth, "exit_code", WEXITSTATUS(status));
	} else {
		truth_number(&truth, "exit_signal", WTERMSIG(status));
		truth_number(&truth, "core_dumped", WCOREDUMP(status) ? 1 : 0);
	}
	truth_members(&truth, members);
	truth_end(&truth);
	return status;
}

const char *beside(const char *name)
{
	static char path[4096];
	const char *directory = getenv("LIVE_HELPERS");

	if (!directory)
		die("LIVE_HELPERS is not set");
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

void show_members(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	setenv("SHOW_MEMBERS", text, 1);
}

void become_show(const char *members, char *const *args)
{
	static char *const plain[] = {"show", NULL};

	if (members)
		setenv("SHOW_MEMBERS", members, 1);
	execv(beside("show"), args ? args : plain);
	die("show");
}

/* Whoever descends from here holds the pipe's other end: its end is the end of the last of them. */
static void wait_for_all(int fd)
{
	char byte;

	while (read(fd, &byte, 1) > 0)
		;
	while (waitpid(-1, NULL, __WALL) > 0)
		;
}

int live_main(int argc, char **argv, const struct live_case *cases)
{
	int pipefd[2];

	if (pipe(pipefd) < 0 || fcntl(pipefd[0], F_SETFD, FD_CLOEXEC) < 0)
		die("pipe");
	for (; argc > 1 && cases->name; cases++) {
		if (strcmp(argv[1], cases->name))
			continue;
		setenv("LIVE_CASE", argv[1], 1);
		cases->run(argc > 2 ? argv[2] : NULL);
		close(pipefd[1]);
		wait_for_all(pipefd[0]);
		return 0;
	}
	fprintf(stderr, "usage: %s CASE [ARGUMENT]\n", argv[0]);
	return 2;
}
