/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON, written as it goes: no document is held in memory. Integers are exact. Strings are always
 * valid UTF-8 (what is not becomes U+FFFD), and whatever escape.h would not show is written as
 * \uXXXX, so that JSON on a terminal is harmless too. UNKNOWN and NULL are written as null, or left
 * out by json_maybe_*.
 */
#ifndef LINEAGED_CLI_JSON_H
#define LINEAGED_CLI_JSON_H

#include <stdint.h>
#include <stdio.h>

#include "cli/buffer.h"

/* Deeper than any document of ours. */
#define JSON_DEPTH_MAX 16

struct json {
	FILE *out;
	struct buffer buffer;
	int error; /* what came of writing out; nothing is kept after that */
	int depth;
	bool html;			 /* also harmless inside a <script> block */
	int pretty_depth;		 /* one member per line down to this depth, compact below */
	bool filled[JSON_DEPTH_MAX + 1]; /* something was written at that depth */
};

/* out may be NULL: then all of it stays in json->buffer. */
void json_begin(struct json *json, FILE *out, int pretty_depth);
/* Writes out what is buffered; 0 or a negative errno. */
int json_flush(struct json *json);
/* The same of what was written out on the way: whether it makes sense to go on. */
int json_error(const struct json *json);
void json_deinit(struct json *json);

/* key is NULL inside arrays. */
void json_object_begin(struct json *json, const char *key);
void json_array_begin(struct json *json, const char *key);
void json_object_end(struct json *json);
void json_array_end(struct json *json);
void json_string(struct json *json, const char *key, const char *value, size_t length);
void json_text(struct json *json, const char *key, const char *value);
void json_int(struct json *json, const char *key, int64_t value);
/* A number with three digits behind the point, exactly. */
void json_decimal(struct json *json, const char *key, int64_t whole, unsigned int thousandths);
/* null where JSON has no such number. */
void json_real(struct json *json, const char *key, double value);
void json_bool(struct json *json, const char *key, bool value);
/* Bytes as lower-case hexadecimal. */
void json_hex(struct json *json, const char *key, const char *value, size_t length);
/* Ends a line: between documents of ndjson. */
void json_newline(struct json *json);

void json_maybe_text(struct json *json, const char *key, const char *value);
void json_maybe_int(struct json *json, const char *key, int64_t value);

#endif
