/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/jsonargs.h"

#include <string.h>
#include <unistr.h>

#include "schema/schema.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* What a byte means inside of a JSON string. */
enum byte_class {
	PLAIN = 0, /* stands for itself */
	ESCAPE,	   /* '"', '\\' and control characters */
	HIGH,	   /* part of a UTF-8 sequence, or nothing */
};

static const uint8_t byte_classes[256] = {
	[0 ... 0x1f] = ESCAPE,
	['"'] = ESCAPE,
	['\\'] = ESCAPE,
	[0x80 ... 0xff] = HIGH,
};

/*
 * The sequence that begins at p with a byte from 0x80 on. True: valid, *ret_length bytes. False: so
 * many bytes become one U+FFFD. Table 3-7 of the Unicode standard: only the second byte has special
 * ranges.
 */
static bool utf8_sequence(const uint8_t *p, const uint8_t *end, size_t *ret_length)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t need, i;

	*ret_length = 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return false;
	need = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	for (i = 1; i < need && p + i < end && p[i] >= low && p[i] <= high; i++) {
		low = 0x80;
		high = 0xbf;
	}
	*ret_length = i;
	return i == need;
}

static char *put_escape(char *out, uint8_t c)
{
	static const char digits[] = "0123456789abcdef";
	static const char letters[32] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};

	*out++ = '\\';
	if (c >= 0x20) {
		*out++ = (char)c;
	} else if (letters[c]) {
		*out++ = letters[c];
	} else {
		memcpy(out, "u00", 3);
		out[3] = digits[c >> 4];
		out[4] = digits[c & 15];
		out += 5;
	}
	return out;
}

/* One sequence or its replacement; *p moves behind it. */
static char *put_high(char *out, const uint8_t **p, const uint8_t *end, bool *exact)
{
	size_t n;

	if (utf8_sequence(*p, end, &n)) {
		memcpy(out, *p, n);
		out += n;
	} else {
		memcpy(out, REPLACEMENT, 3);
		out += 3;
		*exact = false;
	}
	*p += n;
	return out;
}

/* The inside of a JSON string. */
static char *put_string(char *out, const uint8_t *p, const uint8_t *end, bool *exact)
{
	while (p < end) {
		const uint8_t *run = p;

		while (p < end && byte_classes[*p] == PLAIN)
			p++;
		memcpy(out, run, p - run);
		out += p - run;
		if (p == end)
			break;
		if (byte_classes[*p] == ESCAPE)
			out = put_escape(out, *p++);
		else
			out = put_high(out, &p, end, exact);
	}
	return out;
}

struct jsonargs jsonargs_from_argv(char *out, const char *argv, size_t length)
{
	const uint8_t *p = (const uint8_t *)argv, *end = p + length;
	struct jsonargs result = {.exact = true};
	char *start = out;

	*out++ = '[';
	while (p < end) {
		const uint8_t *stop = memchr(p, '\0', end - p);

		if (!stop)
			stop = end;
		if (result.count++)
			*out++ = ',';
		*out++ = '"';
		out = put_string(out, p, stop, &result.exact);
		*out++ = '"';
		p = stop + 1;
	}
	*out++ = ']';
	*out = '\0';
	result.length = out - start;
	return result;
}

bool args_join(char *out, const char *argv, size_t length, uint32_t *ret_count)
{
	uint32_t count = 0;

	if (length == 0 || argv[length - 1] || memchr(argv, SCHEMA_ARGS_SEPARATOR, length) ||
	    u8_check((const uint8_t *)argv, length))
		return false;
	memcpy(out, argv, length);
	for (char *p = out; (p = memchr(p, '\0', (size_t)(out + length - p))); count++)
		*p = SCHEMA_ARGS_SEPARATOR;
	*ret_count = count;
	return true;
}

bool text_is_exact(const char *bytes, size_t length)
{
	return !memchr(bytes, '\0', length) && !u8_check((const uint8_t *)bytes, length);
}

size_t text_from_bytes(char *out, const char *bytes, size_t length, bool *ret_exact)
{
	const uint8_t *p = (const uint8_t *)bytes, *end = p + length;
	char *start = out;

	*ret_exact = true;
	while (p < end) {
		if (*p >= 0x80) {
			out = put_high(out, &p, end, ret_exact);
		} else if (*p) {
			*out++ = (char)*p++;
		} else {
			memcpy(out, REPLACEMENT, 3);
			out += 3;
			p++;
			*ret_exact = false;
		}
	}
	*out = '\0';
	return out - start;
}
