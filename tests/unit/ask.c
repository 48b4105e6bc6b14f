/* SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"

#include <check.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void find_program(char program[PATH_MAX])
{
	char self[PATH_MAX / 2];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	ck_assert_int_gt(length, 0);
	self[length] = '\0';
	snprintf(program, PATH_MAX, "%s/../cli/lineage-query", dirname(self));
	ck_assert_msg(access(program, X_OK) == 0, "%s is not built", program);
}

void ask(const char *database, const struct ask_case *c)
{
	static char output[64 * 1024];
	char program[PATH_MAX], command[PATH_MAX + 1024];
	size_t length;
	int status;
	FILE *pipe;

	find_program(program);
	length = (size_t)snprintf(command, sizeof(command), "{ LC_ALL=C.UTF-8 TZ=UTC %s ", program);
	snprintf(command + length, sizeof(command) - length, c->arguments, database);
	strcat(command, "; } 2>&1 </dev/null");
	pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	length = fread(output, 1, sizeof(output) - 1, pipe);
	output[length] = '\0';
	status = pclose(pipe);
	ck_assert_msg(WIFEXITED(status), "%s: killed", command);
	status = WEXITSTATUS(status);
	ck_assert_msg(status == c->status, "%s: %d: %s", c->arguments, status, output);
	ck_assert_msg(strstr(output, c->words) != NULL, "%s: no '%s': %s", c->arguments, c->words,
		      output);
	ck_assert_msg(!c->not_words || !strstr(output, c->not_words), "%s: '%s': %s", c->arguments,
		      c->not_words, output);
}
