/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cursor_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "schema/cleanup.h"

/*
 * Written beside and renamed, so that a reader never finds half of one; on disk before that, or a
 * power cut could leave an empty one in its place.
 */
static int replace(const char *path, const char *text)
{
	CLEANUP_FREE char *beside = NULL;
	FILE *file;
	bool written;

	if (asprintf(&beside, "%s.new", path) < 0) {
		beside = NULL;
		return -ENOMEM;
	}
	file = fopen(beside, "we");
	if (!file)
		return fail(EXIT_USAGE, "cannot write %s: %s", beside, strerror(errno));
	written = fprintf(file, "%s\n", text) > 0 && fflush(file) == 0 &&
		  fdatasync(fileno(file)) == 0;
	if (fclose(file) != 0 || !written || rename(beside, path) < 0)
		return fail(EXIT_USAGE, "cannot write %s: %s", path, strerror(errno));
	return 0;
}

int cursor_keep(const struct session *session, struct query *query, struct cursor *cursor)
{
	const char *path = session->flags.cursor_file;
	struct buffer text = {0};
	int r = path ? cursor_mark(cursor, query) : 0;

	if (!path || r < 0)
		return r;
	cursor_write(cursor, &text);
	if (text.failed)
		r = -ENOMEM;
	/* A disk that sleeps may go on sleeping while nothing happens. */
	else if (!cursor->kept || strcmp(cursor->kept, text.data) != 0)
		r = replace(path, text.data);
	if (r == 0) {
		free(cursor->kept);
		cursor->kept = TAKE_PTR(text.data);
	}
	buffer_deinit(&text);
	return r;
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
