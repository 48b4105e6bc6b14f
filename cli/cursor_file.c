/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cursor_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/cleanup.h"

/* Written beside and renamed, so that a reader never finds half of one. */
int cursor_keep(const struct session *session, struct query *query, struct cursor *cursor)
{
	const char *path = session->flags.cursor_file;
	CLEANUP_FREE char *beside = NULL;
	struct buffer text = {0};
	FILE *file;
	int r;

	if (!path)
		return 0;
	r = cursor_mark(cursor, query);
	if (r < 0)
		return r;
	if (asprintf(&beside, "%s.new", path) < 0) {
		beside = NULL;
		return -ENOMEM;
	}
	file = fopen(beside, "we");
	if (!file)
		return fail(EXIT_USAGE, "cannot write %s: %s", beside, strerror(errno));
	cursor_write(cursor, &text);
	fprintf(file, "%s\n", text.data ? text.data : "");
	buffer_deinit(&text);
	if (fclose(file) != 0 || rename(beside, path) < 0)
		return fail(EXIT_USAGE, "cannot write %s: %s", path, strerror(errno));
	return 0;
}

static int parse(const char *text, struct query *query, struct cursor *ret_cursor)
{
	static const char *const why[] = {
		[CURSOR_NO_BOOT] = "does not hold the boot that it is of, which may be another "
				   "file's or removed by retention",
		[CURSOR_AHEAD] = "does not have what it has passed; it is of another file or of a "
				 "later copy",
		[CURSOR_OTHER] = "has another process where it ended; it is of another file",
	};
	int r = cursor_parse(text, ret_cursor);

	if (r == -EINVAL)
		return usage("'%.100s' is no cursor", text);
	if (r == 0)
		r = cursor_bind(ret_cursor, query);
	if (r == CURSOR_CUT)
		fprintf(stderr,
			"lineage-query: %s no longer has the end of boot %.8s, some of which has "
			"been told: a power cut took it. What followed is told.\n",
			query_path(query), ret_cursor->boot_id);
	if (r <= CURSOR_CUT)
		return r < 0 ? r : 1;
	return usage("cannot go on from this cursor: %s %s. Without it follow begins now",
		     query_path(query), why[r]);
}

int cursor_load(const struct session *session, struct query *query, struct cursor *ret_cursor)
{
	const struct flags *flags = &session->flags;
	CLEANUP_FCLOSE FILE *file = NULL;
	CLEANUP_FREE char *line = NULL;
	size_t size = 0;

	if (flags->cursor)
		return parse(flags->cursor, query, ret_cursor);
	if (!flags->cursor_file)
		return 0;
	file = fopen(flags->cursor_file, "re");
	if (!file && errno == ENOENT)
		return 0;
	if (!file || getline(&line, &size, file) <= 0)
		return usage("cannot read the cursor in %s", flags->cursor_file);
	return parse(line, query, ret_cursor);
}
