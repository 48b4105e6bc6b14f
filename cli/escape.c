/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/escape.h"

#include <string.h>
#include <unictype.h>
#include <unistr.h>
#include <uniwidth.h>

bool escape_is_printable(uint32_t c)
{
	uint32_t harmful = UC_CATEGORY_MASK_Cc | UC_CATEGORY_MASK_Cf | UC_CATEGORY_MASK_Cs |
			   UC_CATEGORY_MASK_Co | UC_CATEGORY_MASK_Cn | UC_CATEGORY_MASK_Zl |
			   UC_CATEGORY_MASK_Zp | UC_CATEGORY_MASK_Zs;

	if (c < 0x7f)
		return c >= 0x20;
	if (uc_is_general_category_withtable(c, harmful))
		return false;
	/* Fillers and the like: no shape, yet letters by category. */
	return uc_width((ucs4_t)c, "UTF-8") > 0 ||
	       uc_is_general_category_withtable(c, UC_CATEGORY_MASK_M);
}

bool escape_next(const char *s, size_t length, uint32_t *ret_c, size_t *ret_used)
{
	ucs4_t c;
	int used;

	if ((unsigned char)s[0] < 0x80) {
		*ret_c = (unsigned char)s[0];
		*ret_used = 1;
		return true;
	}
	used = u8_mbtoucr(&c, (const uint8_t *)s, length);
	if (used <= 0) {
		*ret_c = (unsigned char)s[0];
		*ret_used = 1;
		return false;
	}
	*ret_c = c;
	*ret_used = (size_t)used;
	return true;
}

/* A mark that combines would change what stands before it, which may be ours. */
static bool shown(uint32_t c, bool first, bool ascii)
{
	if (c < 0x80)
		return escape_is_printable(c);
	if (ascii || !escape_is_printable(c))
		return false;
	return !first || !uc_is_general_category_withtable(c, UC_CATEGORY_MASK_M);
}

static void add_escaped(struct buffer *out, uint32_t c, bool valid)
{
	static const char letters[] = "abtnvfr"; /* from 0x07 */

	if (!valid || c < 0x20 || c == 0x7f) {
		if (valid && c >= 0x07 && c <= 0x0d)
			buffer_printf(out, "\\%c", letters[c - 0x07]);
		else
			buffer_printf(out, "\\x%02x", c);
	} else if (c <= 0xffff) {
		buffer_printf(out, "\\u%04x", c);
	} else {
		buffer_printf(out, "\\U%08x", c);
	}
}

/* Bytes that no shell gives a meaning to, wherever they stand in a word. */
static const bool plain[256] = {
	['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['_'] = true,
	['-'] = true,	      ['.'] = true,	    ['/'] = true,	  [','] = true,
	[':'] = true,	      ['='] = true,	    ['+'] = true,	  ['@'] = true,
	['%'] = true,	      ['^'] = true,
};

static size_t plain_length(const char *s, size_t length)
{
	size_t i = 0;

	while (i < length && plain[(unsigned char)s[i]])
		i++;
	return i;
}

enum quoting { BARE, QUOTED, ESCAPED };

static enum quoting choose_quoting(const char *s, size_t length, bool ascii)
{
	enum quoting quoting = length ? BARE : QUOTED;
	bool has_quote = false;
	size_t used;

	for (size_t i = plain_length(s, length); i < length; i += used) {
		uint32_t c;

		if (!escape_next(s + i, length - i, &c, &used) || !shown(c, i == 0, ascii))
			return ESCAPED;
		has_quote |= c == '\'';
		if (c < 0x80 && !plain[c])
			quoting = QUOTED;
	}
	return has_quote ? ESCAPED : quoting;
}

static void add_visible(struct buffer *out, const char *s, size_t length, bool ascii, bool quote)
{
	size_t used;

	for (size_t i = 0; i < length; i += used) {
		uint32_t c;
		bool valid = escape_next(s + i, length - i, &c, &used);

		if (c == '\\' || (quote && c == '\''))
			buffer_putc(out, '\\');
		if (valid && shown(c, i == 0, ascii))
			buffer_add(out, s + i, used);
		else
			add_escaped(out, c, valid);
	}
}

void escape_word(struct buffer *out, const char *s, size_t length, bool ascii)
{
	switch (choose_quoting(s, length, ascii)) {
	case BARE:
		buffer_add(out, s, length);
		break;
	case QUOTED:
		buffer_putc(out, '\'');
		buffer_add(out, s, length);
		buffer_putc(out, '\'');
		break;
	case ESCAPED:
		buffer_puts(out, "$'");
		add_visible(out, s, length, ascii, true);
		buffer_putc(out, '\'');
		break;
	}
}

void escape_text(struct buffer *out, const char *s, size_t length, bool ascii)
{
	add_visible(out, s, length, ascii, false);
}

static size_t width_of(uint32_t c)
{
	int width = c < 0x7f ? 1 : uc_width((ucs4_t)c, "UTF-8");

	return width > 0 ? (size_t)width : 0;
}

size_t escape_width(const char *s, size_t length)
{
	size_t columns = 0, used;

	for (size_t i = 0; i < length; i += used) {
		uint32_t c;

		escape_next(s + i, length - i, &c, &used);
		columns += width_of(c);
	}
	return columns;
}

size_t escape_fit(const char *s, size_t length, size_t columns)
{
	size_t taken = 0, used, i;

	for (i = 0; i < length; i += used) {
		uint32_t c;

		escape_next(s + i, length - i, &c, &used);
		taken += width_of(c);
		if (taken > columns)
			break;
	}
	return i;
}
