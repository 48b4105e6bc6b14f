/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hostile bytes made into text that does nothing but be read.
 *
 * Printable Unicode stays. Everything else becomes visible: control characters (a terminal obeys
 * them), bytes that are no UTF-8, and characters that have no shape of their own or change the
 * order of others (bidi marks, zero width, line separators, blanks that look like another blank,
 * unassigned). Pure: no output, no locale. JSON has its own rules in json.h and the same idea of
 * printable.
 */
#ifndef LINEAGED_CLI_ESCAPE_H
#define LINEAGED_CLI_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/buffer.h"

/* The character stands for itself wherever it is shown. */
bool escape_is_printable(uint32_t c);

/*
 * The next character of length bytes: its own bytes in *ret_used, its code in *ret_c. False where
 * the bytes are no UTF-8; then *ret_used is 1 and *ret_c the byte.
 */
bool escape_next(const char *s, size_t length, uint32_t *ret_c, size_t *ret_used);

/*
 * One word as a shell would take it: bare where that is unambiguous, 'quoted', or $'quoted' with
 * \n, \x1b, \u202e for what cannot be shown. ascii: nothing above 0x7e is shown as itself.
 */
void escape_word(struct buffer *out, const char *s, size_t length, bool ascii);

/* Running text, not quoted: only what cannot be shown is replaced, and a backslash doubled. */
void escape_text(struct buffer *out, const char *s, size_t length, bool ascii);

/* Columns of a terminal that printable text takes. */
size_t escape_width(const char *s, size_t length);
/* How many bytes of printable text fit in that many columns. */
size_t escape_fit(const char *s, size_t length, size_t columns);

#endif
