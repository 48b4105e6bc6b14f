/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/script.h"

#include <string.h>

#define BLANKS	   " \t\n\r\v\f"
#define SEPARATORS ";|&()<>"

/* After this many that are not closed no more are looked for: each search goes on to the end. */
#define OPEN_MAX 64

static bool is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

/* Behind the ) that belongs to the ( before it, or NULL. */
static const char *closing(const char *at)
{
	unsigned int depth = 1;

	for (; *at; at++) {
		depth += *at == '(';
		depth -= *at == ')';
		if (depth == 0)
			return at + 1;
	}
	return NULL;
}

/* Behind "...", its contents without the backslashes that do something there; NULL: not closed. */
static const char *double_quoted(const char *at, struct buffer *word)
{
	size_t before = word->length;

	for (at++; *at && *at != '"'; at++) {
		if (*at == '\\' && is_one_of(at[1], "\"\\$`"))
			at++;
		buffer_putc(word, *at);
	}
	if (*at)
		return at + 1;
	word->length = before;
	return NULL;
}

static const char *quoted(const char *at, struct buffer *word)
{
	const char *end;

	if (*at == '"')
		return double_quoted(at, word);
	end = strchr(at + 1, *at);
	if (!end)
		return NULL;
	buffer_add(word, at + 1, (size_t)(end - at) - 1);
	return end + 1;
}

static const char *command(const char *at, struct buffer *word)
{
	const char *end = *at == '`' ? strchr(at + 1, '`') : closing(at + 2);

	if (!end)
		return NULL;
	end += *at == '`';
	buffer_add(word, at, (size_t)(end - at));
	return end;
}

/* What is no plain character: behind it, or NULL where it is one after all. */
static const char *special(struct script *s, const char *at, struct buffer *word)
{
	const char *end = NULL;

	if (*at == '\\' && at[1]) {
		if (at[1] != '\n')
			buffer_putc(word, at[1]);
		return at + 2;
	}
	if (s->open == OPEN_MAX)
		return NULL;
	if (*at == '\'' || *at == '"')
		end = quoted(at, word);
	else if (!s->into_commands && (*at == '`' || (*at == '$' && at[1] == '(')))
		end = command(at, word);
	else
		return NULL;
	s->open += !end;
	return end;
}

static bool ends_word(const struct script *s, char c)
{
	return !c || is_one_of(c, BLANKS SEPARATORS) || (s->into_commands && c == '`');
}

int script_next(struct script *s, struct buffer *word)
{
	const char *at = s->at;

	buffer_clear(word);
	s->first = !s->start;
	for (; *at && (ends_word(s, *at) || (*at == '\\' && at[1] == '\n')); at++) {
		s->first |= is_one_of(*at, ";|&\n");
		if (*at == '\\')
			at++;
	}
	if (!*at)
		return 1;
	s->start = at;
	s->quote = '\0';
	while (!ends_word(s, *at)) {
		const char *behind = special(s, at, word);

		if (behind && !s->quote && (*at == '\'' || *at == '"'))
			s->quote = *at;
		if (!behind)
			buffer_putc(word, *at);
		at = behind ? behind : at + 1;
	}
	s->end = s->at = at;
	if (!word->data)
		buffer_puts(word, "");
	return 0;
}

void script_quote(struct buffer *out, const char *word, size_t length, char quote)
{
	if (!strpbrk(word, BLANKS SEPARATORS "'\"\\`$")) {
		buffer_add(out, word, length);
		return;
	}
	/* Nothing but a single quote itself is special within single quotes. */
	if (quote != '"' && memchr(word, '\'', length))
		quote = '"';
	quote = quote ? quote : '\'';
	buffer_putc(out, quote);
	for (size_t i = 0; i < length; i++) {
		if (quote == '"' && is_one_of(word[i], "\"\\$`"))
			buffer_putc(out, '\\');
		buffer_putc(out, word[i]);
	}
	buffer_putc(out, quote);
}
