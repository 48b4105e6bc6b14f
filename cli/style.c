/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/style.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "schema/cleanup.h"

/* What a terminal has that does not say. */
#define WIDTH_DEFAULT 80
/* Below this nothing of a tree would be left. */
#define WIDTH_MIN 60

extern char **environ;

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

bool style_is_utf8(void)
{
	const char *locale = environment("LC_ALL");

	if (!locale)
		locale = environment("LC_CTYPE");
	if (!locale)
		locale = environment("LANG");
	locale = locale ? strchr(locale, '.') : NULL;
	return locale &&
	       (strncasecmp(locale, ".utf-8", 6) == 0 || strncasecmp(locale, ".utf8", 5) == 0);
}

static bool wants_color(const struct flags *flags, bool terminal)
{
	const char *term = environment("TERM");

	if (flags->color && strcmp(flags->color, "auto") != 0)
		return strcmp(flags->color, "always") == 0;
	return terminal && !environment("NO_COLOR") && term && strcmp(term, "dumb") != 0;
}

static unsigned int width_of(int fd)
{
	const char *columns = environment("COLUMNS");
	struct winsize size;
	unsigned int width = WIDTH_DEFAULT;

	if (columns && atoi(columns) > 0)
		width = (unsigned int)atoi(columns);
	else if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		width = size.ws_col;
	return width < WIDTH_MIN ? WIDTH_MIN : width;
}

void style_init(struct style *style, const struct flags *flags, int fd)
{
	bool terminal = isatty(fd);

	*style = (struct style){
		.terminal = terminal,
		.color = wants_color(flags, terminal),
		.utf8 = !flags->ascii && style_is_utf8(),
		.utc = flags->utc,
		.full = flags->full || !terminal,
		.quiet = flags->quiet,
		.width = terminal && !flags->full ? width_of(fd) : 0,
		.fields = flags->fields,
	};
}

static const char *pager_command(void)
{
	const char *names[] = {"LINEAGE_PAGER", "SYSTEMD_PAGER", "PAGER"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = getenv(names[i]);

		/* Set but empty, or cat: the user wants none. */
		if (value)
			return *value && strcmp(value, "cat") != 0 ? value : NULL;
	}
	return "less";
}

static int spawn_pager(const char *command, int input, int unused, pid_t *ret_pid)
{
	char *const argv[] = {"sh", "-c", (char *)command, NULL};
	posix_spawn_file_actions_t actions;
	int r;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	posix_spawn_file_actions_addclose(&actions, input);
	posix_spawn_file_actions_addclose(&actions, unused);
	r = posix_spawn(ret_pid, "/bin/sh", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

int style_start_pager(struct style *style, const struct flags *flags, int *ret_pid)
{
	const char *term = environment("TERM"), *command;
	int ends[2], r;
	pid_t pid;

	*ret_pid = 0;
	command = pager_command();
	if (!style->terminal || flags->no_pager || !command || !term || strcmp(term, "dumb") == 0)
		return 0;
	/* F: stay out of the way of what fits a screen; R: colour; S: no wrapping; M: where we are.
	 */
	setenv("LESS", "FRSXMK", 0);
	if (style->utf8)
		setenv("LESSCHARSET", "utf-8", 0);
	if (pipe(ends) < 0)
		return -errno;
	r = spawn_pager(command, ends[0], ends[1], &pid);
	close(ends[0]);
	if (r == 0 && dup2(ends[1], STDOUT_FILENO) < 0)
		r = -errno;
	close(ends[1]);
	if (r == 0)
		*ret_pid = pid;
	return r;
}

void style_wait_pager(int pid)
{
	if (pid <= 0)
		return;
	fclose(stdout);
	/* Ctrl-C is for the pager. */
	signal(SIGINT, SIG_IGN);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}
