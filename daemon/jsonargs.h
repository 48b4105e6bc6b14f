/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes from processes to text that a database and JSON can hold. Pure, no allocation: it runs for
 * every distinct argument list.
 *
 * What is no valid UTF-8 becomes U+FFFD, one for each maximal part of a sequence as the Unicode
 * standard recommends, and is told as "not exact"; then the caller keeps the bytes as well.
 */
#ifndef LINEAGED_JSONARGS_H
#define LINEAGED_JSONARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Enough for the JSON of so many bytes: each may become \u00XX or, an empty argument, "" and a
 * comma. */
#define JSONARGS_SIZE(length) (6 * (size_t)(length) + 8)

/* Enough for the text of so many bytes: each may become U+FFFD. */
#define TEXT_SIZE(length) (3 * (size_t)(length) + 1)

struct jsonargs {
	size_t length;	/* of the JSON, without its NUL */
	uint32_t count; /* arguments in it */
	bool exact;
};

/*
 * argv as in /proc/PID/cmdline, each argument ended by NUL, the last one possibly cut: to a JSON
 * array of strings. `out` has JSONARGS_SIZE(length) bytes.
 */
struct jsonargs jsonargs_from_argv(char *out, const char *argv, size_t length);

/*
 * The same argv with SCHEMA_ARGS_SEPARATOR between the arguments, in `length` bytes of `out`: its
 * length is one less, and *ret_count arguments are in it. False: that cannot tell all of it.
 */
bool args_join(char *out, const char *argv, size_t length, uint32_t *ret_count);

/* Valid UTF-8 without NUL: needs no text_from_bytes(). */
bool text_is_exact(const char *bytes, size_t length);

/* A path or name: to text in `out`, which has TEXT_SIZE(length) bytes. Returns the length of the
 * text. */
size_t text_from_bytes(char *out, const char *bytes, size_t length, bool *ret_exact);

#endif
