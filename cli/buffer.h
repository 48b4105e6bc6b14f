/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing run of bytes. Out of memory is remembered, not reported by each call: what was appended
 * after it is dropped, and whoever writes the buffer out asks `failed` once.
 */
#ifndef LINEAGED_CLI_BUFFER_H
#define LINEAGED_CLI_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
	char *data; /* ends in a NUL that length does not count, once anything was appended */
	size_t length, size;
	bool failed;
};

void buffer_add(struct buffer *buffer, const void *data, size_t length);
void buffer_puts(struct buffer *buffer, const char *text);
void buffer_putc(struct buffer *buffer, char c);
void buffer_printf(struct buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Decimal, right-aligned in at least `width` columns. */
void buffer_int(struct buffer *buffer, int64_t number, int width);
void buffer_pad(struct buffer *buffer, size_t count);
void buffer_clear(struct buffer *buffer);
void buffer_deinit(struct buffer *buffer);

#endif
