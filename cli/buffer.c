/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct buffer *b, size_t length)
{
	size_t size = b->size ? b->size : 256;
	char *more;

	if (b->failed)
		return false;
	if (b->size - b->length > length)
		return true;
	while (size - b->length <= length)
		size *= 2;
	more = realloc(b->data, size);
	if (!more) {
		b->failed = true;
		return false;
	}
	b->data = more;
	b->size = size;
	return true;
}

void buffer_add(struct buffer *b, const void *data, size_t length)
{
	if (!reserve(b, length))
		return;
	if (length)
		memcpy(b->data + b->length, data, length);
	b->length += length;
	b->data[b->length] = '\0';
}

void buffer_puts(struct buffer *b, const char *text)
{
	buffer_add(b, text, strlen(text));
}

void buffer_putc(struct buffer *b, char c)
{
	buffer_add(b, &c, 1);
}

void buffer_printf(struct buffer *b, const char *format, ...)
{
	char small[256];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(small, sizeof(small), format, args);
	va_end(args);
	if (length < 0) {
		b->failed = true;
	} else if ((size_t)length < sizeof(small)) {
		buffer_add(b, small, (size_t)length);
	} else if (reserve(b, (size_t)length)) {
		va_start(args, format);
		vsnprintf(b->data + b->length, (size_t)length + 1, format, args);
		va_end(args);
		b->length += (size_t)length;
	}
}

void buffer_int(struct buffer *b, int64_t number, int width)
{
	uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
	char digits[24];
	int n = 0;

	do {
		digits[sizeof(digits) - ++n] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (number < 0)
		digits[sizeof(digits) - ++n] = '-';
	if (n < width)
		buffer_pad(b, (size_t)(width - n));
	buffer_add(b, digits + sizeof(digits) - n, (size_t)n);
}

void buffer_pad(struct buffer *b, size_t count)
{
	while (count-- > 0)
		buffer_putc(b, ' ');
}

void buffer_clear(struct buffer *b)
{
	b->length = 0;
	if (b->data)
		b->data[0] = '\0';
}

void buffer_deinit(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){0};
}
