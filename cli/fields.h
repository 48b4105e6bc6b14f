/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be told of a process as single values with names: the columns of csv and table, the
 * members of json and ndjson with --fields. The same name is the same fact in each of them; how it
 * is written is the format's.
 */
#ifndef LINEAGED_CLI_FIELDS_H
#define LINEAGED_CLI_FIELDS_H

#include "cli/buffer.h"
#include "cli/render.h"

/* More than there are, also when some are asked for twice. */
#define FIELDS_MAX 128

enum field_type {
	FIELD_NONE, /* not known, or does not apply */
	FIELD_INT,  /* text holds words for people where there are any */
	FIELD_BOOL,
	FIELD_TIME,  /* integer: nanoseconds since 1970 */
	FIELD_BYTES, /* text holds bytes of a process: hostile */
	FIELD_WORDS, /* text holds words that are safe to show */
	FIELD_ARGS,  /* argv of image; text holds it as JSON */
};

/* One process, and the value that was put last. */
struct field_cell {
	const struct process *p;
	struct process *parent;
	struct exec parent_image; /* as of the birth, once a field has asked for it */
	bool parent_read;
	const struct node *node;
	struct style style; /* of words */
	enum field_type type;
	int64_t integer;
	struct buffer text;
};

/* As a column for people: digits, a few characters, or as long as a process likes. */
enum field_shape { FIELD_DIGITS, FIELD_SHORT, FIELD_LONG };

#define FIELD_IN_CSV   (1u << 0)
#define FIELD_IN_TABLE (1u << 1)
#define FIELD_IN_HOSTS (1u << 2) /* in a table of several hosts */

struct field {
	const char *name, *help;
	unsigned int shown; /* FIELD_IN_*: without --fields */
	enum field_shape shape;
	void (*put)(struct field_cell *cell);
};

struct field_list {
	const struct field *item[FIELDS_MAX];
	size_t count;
};

/* Those that a format shows if nobody asks for others. */
void fields_default(unsigned int shown, struct field_list *ret_list);
/* "A,B,...". 0, or -EINVAL with the name that there is not in *ret_bad. */
int fields_parse(const char *names, struct field_list *ret_list, const char **ret_bad,
		 size_t *ret_bad_length);
/* n-th field, NULL behind the last. */
const struct field *fields_at(size_t n);

/* Begins a cell for a process. 0 or a negative error. */
int field_cell_begin(struct field_cell *cell, const struct node *node);
void field_cell_deinit(struct field_cell *cell);
void field_put(const struct field *field, struct field_cell *cell);
/* The value as text that does nothing but be read; time as RFC 3339. */
void field_write(struct buffer *out, const struct field_cell *cell);
struct json;
void field_json(struct json *json, const struct field *field, const struct field_cell *cell);

#endif
