/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an answer is, and what a format must do with it. A format is one render_NAME.c with one
 * `const struct writer_ops`, named in the table of render.c; it knows no database and no verb.
 */
#ifndef LINEAGED_CLI_RENDER_H
#define LINEAGED_CLI_RENDER_H

#include <stdio.h>

#include "cli/complete.h"
#include "cli/tree.h"

/* How to print: decided once, from options, environment and terminal. */
struct style {
	bool terminal; /* stdout is one, or a pager that shows to one */
	bool color, utf8, utc, full, quiet;
	bool hosts;	    /* of several: it has to be said which */
	unsigned int width; /* columns; 0: do not shorten */
	const char *fields; /* comma separated and valid; NULL: the format's own */
};

struct answer {
	const char *verb;
	const char *title; /* one line of text above a tree, NULL: none */
	const struct forest *forest;
	const struct process *target;	      /* NULL where the question names no single process */
	const struct process_list *same_pid;  /* others that had the target's pid, oldest first */
	int64_t since_unix_ns, until_unix_ns; /* of a window; UNKNOWN: unbounded */
	int64_t running;		      /* others that ran throughout; UNKNOWN: not asked */
	int64_t at_unix_ns;		      /* the tree as it stood then; UNKNOWN: all of it */
	bool line;			      /* ancestors in one line */
	bool failures;			      /* with the execs of each that failed */
	unsigned int part;		      /* the forest is one of several; 0: the only one */
	int64_t part_unix_ns;		      /* from when on; UNKNOWN: from the beginning */
	const struct completeness *completeness;
};

struct writer;

struct writer_ops {
	const char *name, *summary;
	bool needs_full; /* wants QUERY_DETAIL_FULL */
	bool folds;	 /* identical siblings may come as one node */
	bool machine;	 /* for programs: no pager */
	int (*begin)(struct writer *writer, const struct answer *answer);
	/* Before each forest. NULL: the format has no use for a process that was told before. */
	int (*part)(struct writer *writer);
	/* In pre-order: after its parent and the parent's earlier children. */
	int (*process)(struct writer *writer, const struct node *node);
	int (*end)(struct writer *writer);
	bool chooses_fields; /* takes --fields */
};

struct writer {
	const struct writer_ops *ops;
	FILE *out;
	const struct style *style;
	const struct answer *answer;
	void *state; /* the format's own, from begin to end */
};

extern const struct writer_ops writer_text, writer_json, writer_ndjson, writer_table, writer_csv,
	writer_ecs, writer_ocsf, writer_dot, writer_folded, writer_perfetto;

/* NULL: no such format. */
const struct writer_ops *writer_find(const char *name);
/* n-th format, NULL behind the last. */
const struct writer_ops *writer_at(size_t n);
/* Writes the whole answer. 0 or a negative errno. */
int writer_write(struct writer *writer, const struct answer *answer);
/* The same in steps, for an answer in several forests: begin, each as answer->forest, end. */
int writer_begin(struct writer *writer, const struct answer *answer);
int writer_part(struct writer *writer);
/* error: what came of the steps before; returns it, or its own. */
int writer_end(struct writer *writer, int error);
/* For a format that has no place for it: what is missing, on stderr. */
int render_completeness_aside(const struct writer *writer);

struct field_list;
/* The fields that --fields names, which are valid; without it those shown there. */
void writer_fields(const struct writer *writer, unsigned int shown, struct field_list *ret_list);

struct json;
/* The members of one process, into an open object; what render_json and others share. */
void json_process(struct json *json, const struct process *p);
/* The members of an image: exe, args and the rest. */
void json_image(struct json *json, const struct image *image);
void json_failures(struct json *json, const char *key, const struct exec_failure *failures,
		   size_t count);
void json_completeness(struct json *json, const char *key, const struct completeness *completeness);

#endif
