/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The selectors of the command line, made ready once and asked for each process. Different
 * selectors must all hold; of one given several times, any.
 */
#ifndef LINEAGED_CLI_SELECT_H
#define LINEAGED_CLI_SELECT_H

#include <regex.h>

#include "cli/buffer.h"
#include "cli/cmd.h"

/* Verdicts on images are kept, because many processes share one; a power of two. */
#define SELECT_CACHE_SLOTS 65536

struct select_verdict {
	const struct query *db;
	int64_t image;
	bool matches;
};

struct selection {
	const struct session *session;
	const struct flags *flags;
	regex_t regex[FLAGS_LIST_MAX];
	unsigned int regex_count;
	int64_t uid[FLAGS_LIST_MAX], loginuid[FLAGS_LIST_MAX];
	int signal[FLAGS_LIST_MAX]; /* 0: any */
	bool any;		    /* something is selected at all, */
	bool chooses;		    /* and by more than --pid, --boot and --failed */
	bool by_image;		    /* something that only the image decides */
	bool by_face;		    /* or that who ran it, and where, decides */
	struct select_verdict *verdicts;
	struct select_rows *rows; /* see selection_push() */
	struct buffer line;
};

/* 0, or an exit status with a sentence said. */
int selection_init(struct selection *selection, const struct session *session);
void selection_deinit(struct selection *selection);
/*
 * 1: matches, 0: does not, or an error of the database. A process matches by any image that it had,
 * taken together with who ran that, where and under which name; by its birth, where nothing is
 * asked that only an image tells.
 */
int selection_matches(struct selection *selection, struct process *p);
/*
 * Lets the databases of the session leave out early what cannot match, until selection_deinit():
 * for verbs that look at nothing else.
 */
int selection_push(struct selection *selection);
/* Parts of selection_matches(). */
bool selection_life_matches(const struct selection *selection, int64_t life_ns, int64_t status);
bool selection_comm_matches(const struct selection *selection, const char *comm);
bool selection_context_matches(const struct selection *selection, const struct context *context);
bool selection_exe_matches(const struct selection *selection, const struct image *image);
/* line: argv with blanks between its words, ended by NUL. */
bool selection_line_matches(const struct selection *selection, const char *line, size_t length);
void select_rows_free(struct select_rows *rows);
/* Time is not a selector, but every list is bounded by it: an event of p in [since, until). */
bool selection_in_time(const struct flags *flags, const struct process *p);

#endif
