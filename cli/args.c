/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/args.h"

#include <errno.h>
#include <string.h>
#include <unistr.h>

void args_begin(struct args *args, const struct image *image)
{
	*args = (struct args){.raw = image->args_raw != NULL};
	args->next = args->raw ? image->args_raw : image->args;
	args->end = args->next;
	if (args->raw)
		args->end += image->args_raw_length;
	else if (image->args)
		args->end += image->args_length;
}

static int next_raw(struct args *args, struct buffer *word)
{
	const char *nul;

	if (args->next == args->end)
		return 1;
	nul = memchr(args->next, '\0', (size_t)(args->end - args->next));
	buffer_add(word, args->next, (size_t)((nul ? nul : args->end) - args->next));
	args->next = nul ? nul + 1 : args->end;
	return 0;
}

static void skip_blanks(struct args *args)
{
	while (args->next < args->end && (*args->next == ' ' || *args->next == '\t' ||
					  *args->next == '\r' || *args->next == '\n'))
		args->next++;
}

static bool take(struct args *args, char c)
{
	skip_blanks(args);
	if (args->next == args->end || *args->next != c)
		return false;
	args->next++;
	return true;
}

/* The four hex digits of \uXXXX, or -1. */
static int32_t take_hex(struct args *args)
{
	int32_t value = 0;

	if (args->end - args->next < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		static const char digits[] = "0123456789abcdef0123456789ABCDEF";
		char c = *args->next++;
		const char *digit = c ? strchr(digits, c) : NULL;

		if (!digit)
			return -1;
		value = value << 4 | (int32_t)((digit - digits) & 15);
	}
	return value;
}

static int add_unicode(struct args *args, struct buffer *word)
{
	int32_t high = take_hex(args), low;
	uint8_t bytes[6];
	int length;

	if (high >= 0xd800 && high < 0xdc00 && args->end - args->next >= 6 &&
	    args->next[0] == '\\' && args->next[1] == 'u') {
		args->next += 2;
		low = take_hex(args);
		if (low < 0xdc00 || low > 0xdfff)
			return -EBADMSG;
		high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	}
	if (high < 0)
		return -EBADMSG;
	length = u8_uctomb(bytes, (ucs4_t)high, sizeof(bytes));
	if (length < 0)
		return -EBADMSG;
	buffer_add(word, bytes, (size_t)length);
	return 0;
}

static int add_escape(struct args *args, struct buffer *word)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found;
	char c;

	if (args->next == args->end)
		return -EBADMSG;
	c = *args->next++;
	if (c == 'u')
		return add_unicode(args, word);
	found = c ? strchr(from, c) : NULL;
	if (!found)
		return -EBADMSG;
	buffer_putc(word, to[found - from]);
	return 0;
}

static int add_string(struct args *args, struct buffer *word)
{
	while (args->next < args->end) {
		const char *start = args->next;
		int r;

		while (args->next < args->end && *args->next != '"' && *args->next != '\\')
			args->next++;
		buffer_add(word, start, (size_t)(args->next - start));
		if (args->next == args->end)
			break;
		if (*args->next++ == '"')
			return 0;
		r = add_escape(args, word);
		if (r < 0)
			return r;
	}
	return -EBADMSG;
}

int args_next(struct args *args, struct buffer *word)
{
	buffer_clear(word);
	if (!args->next)
		return 1;
	if (args->raw)
		return next_raw(args, word);
	if (!args->started) {
		args->started = true;
		if (!take(args, '['))
			return -EBADMSG;
		if (take(args, ']')) {
			args->next = NULL;
			return 1;
		}
	} else if (take(args, ']')) {
		args->next = NULL;
		return 1;
	} else if (!take(args, ',')) {
		return -EBADMSG;
	}
	return take(args, '"') ? add_string(args, word) : -EBADMSG;
}
