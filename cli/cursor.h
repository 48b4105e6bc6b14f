/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far `follow` has told the record, as text that another run goes on from: of that boot and
 * that file only, for all of its numbers are of the file. Processes are passed by their number,
 * execs and ends by the sequence numbers of their CPU: a time would not do, because what happens on
 * one CPU may be recorded after what happened later on another.
 */
#ifndef LINEAGED_CLI_CURSOR_H
#define LINEAGED_CLI_CURSOR_H

#include "cli/buffer.h"
#include "cli/query.h"

#define CURSOR_BOOT_ID_SIZE 64

/* Whether a cursor can be of this file. */
enum cursor_fit {
	CURSOR_FITS,
	CURSOR_CUT, /* the end of its boot was lost, another followed: it is set back to there */
	CURSOR_NO_BOOT, /* its boot is not in the file */
	CURSOR_AHEAD,	/* it has passed what the file does not have yet */
	CURSOR_OTHER,	/* its last process is another one here */
};

struct cursor {
	int64_t last_id, last_unix_ns; /* of what was told */
	int64_t last_start_ns;	       /* of last_id; 0: unknown */
	int64_t last_gap;
	char boot_id[CURSOR_BOOT_ID_SIZE]; /* of the latest boot then; empty: none */
	int64_t boot;			   /* whose positions these are, in this file; 0: none */
	struct cpu_position *positions;
	size_t count;
	char *kept; /* as it was last written; cursor_file.h */
};

void cursor_deinit(struct cursor *cursor);
/* 0, -EINVAL or -ENOMEM. */
int cursor_parse(const char *text, struct cursor *ret_cursor);
/* Looks up its boot in the file. A cursor_fit, or a negative error. */
int cursor_bind(struct cursor *cursor, struct query *query);
/* Before it is written: by what the last process is known again. */
int cursor_mark(struct cursor *cursor, struct query *query);
void cursor_write(const struct cursor *cursor, struct buffer *out);
/* Behind everything that the query sees of its latest boot, but not behind last_id. */
int cursor_advance(struct cursor *cursor, struct query *query);
/* Back before this event. */
void cursor_hold(struct cursor *cursor, const struct boot *boot, int64_t cpu, int64_t seq);
/* 1: the event was told, 0: it was not, -1: its number does not say. */
int cursor_passed(const struct cursor *cursor, const struct boot *boot, enum provenance provenance,
		  int64_t cpu, int64_t seq);

#endif
