/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/redact.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/script.h"
#include "schema/cleanup.h"

/* Text in text that a shell is to run: deeper than anybody writes; a bound on the stack. */
#define DEPTH_MAX 8

/*
 * What a secret is called, in options, variables, fields and headers. No search begins within a
 * name (EDGE): a long word would be looked through once for each of its letters.
 */
#define LETTERS "[:alnum:]_.-"
#define EDGE	"(^|[^" LETTERS "])"
#define WORD	"[" LETTERS "]*"
#define NAME                                                                                \
	"((" WORD "(password|passwd|passphrase|secret|token|bearer|credential|"             \
	"(api|access|auth|private|secret)[-_]?key)s?|(" WORD "[-_.])?(pass|passin|passout)" \
	"|" WORD "[-_.]pwd)([-_]" WORD ")?)"
#define HEADER "(" NAME "|(proxy-)?authorization|(set-)?cookie)"
#define SCHEME "((bearer|basic|digest|negotiate|token|apikey)[[:space:]]+)?"
#define BLANK  "[[:space:]]"

/* Each pattern ends where the secret begins. How far that goes: */
enum extent {
	NONE,	  /* says something of the next word */
	REST,	  /* to the end of the word */
	LINE,	  /* to the end of the line or of the quotes around it */
	VALUE,	  /* what is quoted, or up to a blank */
	USERINFO, /* up to the last @ before the path */
};

enum which {
	/* About words as a whole. */
	NEXT_IS_SECRET,
	NEXT_IS_HEADER,
	HEADER_WORD,
	FIRST_REST,
	LAST_REST = FIRST_REST + 3,
	/* Within words and texts. */
	FIRST_INSIDE,
	LAST_INSIDE = FIRST_INSIDE + 6,
	OWN_COUNT,
};

static const struct {
	const char *pattern;
	enum extent extent;
} own[OWN_COUNT] = {
	[NEXT_IS_SECRET] = {"^--?" NAME "$", NONE},
	[NEXT_IS_HEADER] = {"^(-H|--(proxy-)?header)$", NONE},
	[HEADER_WORD] = {"^" HEADER BLANK "*:" BLANK "*" SCHEME, REST},
	[FIRST_REST] = {"^--?" NAME "[=:]", REST},
	{"^" NAME "=", REST},
	{"^(-H|--?[[:alnum:]-]+=)" HEADER BLANK "*:" BLANK "*" SCHEME, REST},
	[LAST_REST] = {"^" HEADER BLANK "*:" BLANK "+" SCHEME, REST},
	[FIRST_INSIDE] = {EDGE NAME "=", VALUE},
	{EDGE "--?" NAME ":", VALUE},
	{EDGE "--?" NAME BLANK "+", VALUE},
	{EDGE NAME BLANK "*:" BLANK "+", VALUE},
	{EDGE NAME "\\\\?[\"']" BLANK "*:" BLANK "*", VALUE},
	{EDGE "(proxy-)?authorization\\\\?[\"']?" BLANK "*[:=]" BLANK "*" SCHEME, LINE},
	[LAST_INSIDE] = {"://[^/:\"[:space:]]*:", USERINFO},
};

/* Options that have the secret behind them, of these programs alone. */
enum how { ATTACHED = 1, APART = 2, USER = 4 };
static const struct {
	const char *programs; /* each between blanks */
	char option;
	const char *name;
	enum how how; /* USER: it is what follows the colon */
} options[] = {
	{" mysql mysqldump mysqladmin mysqlimport mysqlcheck mysqlpump mysqlshow mariadb "
	 "mariadb-dump mariadb-admin mariadb-import mariadb-check ",
	 'p', NULL, ATTACHED},
	{" sshpass ", 'p', NULL, ATTACHED | APART},
	{" curl ", 'u', "--user", ATTACHED | APART | USER},
	{" curl ", 'U', "--proxy-user", ATTACHED | APART | USER},
	{" http https ", 'a', "--auth", ATTACHED | APART},
	{" redis-cli ", 'a', NULL, APART},
	{" mongo mongosh mongodump mongorestore mongoexport mongoimport ", 'p', NULL,
	 ATTACHED | APART},
	{" ldapsearch ldapadd ldapmodify ldapdelete ldappasswd ldapwhoami ", 'w', NULL,
	 ATTACHED | APART},
};

/* Options of curl that take nothing and may stand before -u in one word. */
#define CURL_FLAGS "0123456aBfgGIijJkLlNnOpqRsSvZ#"

#define SHELLS " sh bash dash ash ksh mksh zsh fish busybox su runuser sg "

int redact_init(struct redact *r, const struct string_list *more, const char **ret_bad)
{
	*r = (struct redact){.regex = calloc(OWN_COUNT + more->count, sizeof(*r->regex))};
	if (!r->regex)
		return -ENOMEM;
	for (unsigned int i = 0; i < OWN_COUNT + more->count; i++) {
		bool is_own = i < OWN_COUNT;
		const char *pattern = is_own ? own[i].pattern : more->item[i - OWN_COUNT];

		if (regcomp(&r->regex[i], pattern, REG_EXTENDED | (is_own ? REG_ICASE : 0)) != 0) {
			*ret_bad = pattern;
			redact_deinit(r);
			return -EINVAL;
		}
		r->count++;
	}
	return 0;
}

void redact_deinit(struct redact *r)
{
	for (unsigned int i = 0; i < r->count; i++)
		regfree(&r->regex[i]);
	free(r->regex);
	*r = (struct redact){0};
}

static void take(struct buffer *word, struct buffer *out)
{
	buffer_clear(word);
	buffer_add(word, out->data ? out->data : "", out->length);
	word->failed |= out->failed;
	buffer_deinit(out);
}

/* Inside of quotes, as far as can be told from their number. */
static bool is_within(const char *start, const char *at, char quote)
{
	bool within = false;

	for (; start < at; start++)
		within ^= *start == quote;
	return within;
}

static size_t value_length(const char *word, const char *at)
{
	const char *end = at;
	char quote = *at == '\\' ? at[1] : *at;

	if (quote == '"' || quote == '\'') {
		for (end += *at == '\\' ? 2 : 1; *end && *end != quote; end++)
			end += *end == '\\' && end[1] && *at != '\\';
		return (size_t)(end - at) + (*end != '\0');
	}
	while (*end && !strchr(" \t\n\r\v\f", *end)) {
		if (*end == '"' && is_within(word, at, '"'))
			break;
		end += *end == '\\' && end[1] ? 2 : 1;
	}
	return (size_t)(end - at);
}

static size_t secret_length(const char *word, const char *at, enum extent extent)
{
	size_t length;

	switch (extent) {
	case REST:
		return strlen(at);
	case LINE:
		return strcspn(at, is_within(word, at, '"') ? "\n\"" : "\n");
	case VALUE:
		return value_length(word, at);
	case USERINFO:
		length = strcspn(at, "/?#\" \t\n\r\v\f");
		while (length && at[length] != '@')
			length--;
		return length;
	default:
		return 0;
	}
}

/* It was replaced before: by another pattern, or as a word of the script. */
static bool is_redacted(const char *at)
{
	size_t length = strlen(REDACTED);

	return strncmp(at, REDACTED, length) == 0 &&
	       (!at[length] || strchr(" \t\n\r\v\f;|&)<>\"'\\@", at[length]));
}

/* Every match of one pattern of ours. True: something is replaced, now or before. */
static bool replace_own(struct redact *r, unsigned int which, struct buffer *word)
{
	const char *at = word->data;
	struct buffer out = {0};
	regmatch_t m;

	while (*at &&
	       regexec(&r->regex[which], at, 1, &m, at == word->data ? 0 : REG_NOTBOL) == 0) {
		enum extent extent = own[which].extent;
		const char *secret = at + m.rm_eo;
		bool done = is_redacted(secret) && (extent != REST || !secret[strlen(REDACTED)]);
		size_t length = done ? strlen(REDACTED) : secret_length(word->data, secret, extent);

		buffer_add(&out, at, (size_t)m.rm_eo);
		r->secrets += length && !done;
		if (length)
			buffer_puts(&out, REDACTED);
		at = secret + length;
	}
	if (at == word->data)
		return false;
	buffer_puts(&out, at);
	take(word, &out);
	return true;
}

/* Every match of a pattern of the user's. */
static void replace_users(struct redact *r, unsigned int which, struct buffer *word)
{
	const char *at = word->data;
	struct buffer out = {0};
	regmatch_t m;

	while (*at &&
	       regexec(&r->regex[which], at, 1, &m, at == word->data ? 0 : REG_NOTBOL) == 0) {
		buffer_add(&out, at, (size_t)m.rm_so);
		at += m.rm_eo;
		if (m.rm_eo > m.rm_so) {
			buffer_puts(&out, REDACTED);
			r->secrets++;
		} else if (*at) {
			buffer_putc(&out, *at++);
		}
	}
	if (at == word->data)
		return;
	buffer_puts(&out, at);
	take(word, &out);
}

static void whole(struct redact *r, struct buffer *word, size_t keep)
{
	if (word->length <= keep || is_redacted(word->data + keep))
		return;
	word->length = keep;
	buffer_puts(word, REDACTED);
	r->secrets++;
}

/* What the words before say of the next one. */
struct line {
	unsigned int options; /* a bit for each row that a program before has */
	bool shell, script;   /* a shell is before; and -c */
	bool header;	      /* -H */
	enum { NOTHING, SECRET, AFTER_COLON } next;
};

static bool is_named(const char *names, const char *name, size_t length)
{
	for (const char *at = names; (at = memmem(at, strlen(at), name, length)); at++) {
		if (at[-1] == ' ' && at[length] == ' ')
			return true;
	}
	return false;
}

/* A program may stand behind others: sudo, env, docker exec. */
static void name_program(struct line *line, const char *word, size_t length)
{
	const char *slash = memrchr(word, '/', length);
	const char *name = slash ? slash + 1 : word;

	length -= (size_t)(name - word);
	if (length == 0 || memchr(name, ' ', length))
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(options); i++) {
		if (is_named(options[i].programs, name, length))
			line->options |= 1u << i;
	}
	line->shell |= is_named(SHELLS, name, length);
}

/* Where the option's own value begins in this word, or NULL: it is not this option. */
static const char *behind_option(unsigned int which, const char *word)
{
	size_t length = options[which].name ? strlen(options[which].name) : 0;
	const char *at = word + 1;

	if (*word != '-')
		return NULL;
	if (length && strncmp(word, options[which].name, length) == 0)
		return word[length] == '=' ? word + length + 1
		       : word[length] == 0 ? word + length
					   : NULL;
	if (options[which].how & USER)
		at += strspn(at, CURL_FLAGS);
	return *at == options[which].option ? at + 1 : NULL;
}

/* An option of a program whose secret is in the word itself is replaced; else the next is told. */
static bool by_program(struct redact *r, struct line *line, struct buffer *word)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(options); i++) {
		enum how how = options[i].how;
		const char *at = line->options & 1u << i ? behind_option(i, word->data) : NULL;

		if (at && *at && (how & USER))
			at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL;
		if (!at)
			continue;
		if (*at && (how & ATTACHED)) {
			whole(r, word, (size_t)(at - word->data));
			return true;
		}
		if (!*at && (how & APART) && line->next == NOTHING)
			line->next = how & USER ? AFTER_COLON : SECRET;
	}
	return false;
}

static void redact_words(struct redact *r, bool script, unsigned int depth, struct buffer *word);

/* One word of a line. What it says of the next is read before anything of it is replaced. */
static void one_word(struct redact *r, struct line *line, struct buffer *word, unsigned int depth)
{
	struct line before = *line;
	const char *data = word->data, *colon = strchr(data, ':');
	size_t dash = strspn(data, "-"), length = strlen(data);
	bool names = regexec(&r->regex[NEXT_IS_SECRET], data, 0, NULL, 0) == 0;

	name_program(line, data, length);
	line->next = names ? SECRET : NOTHING;
	line->header = regexec(&r->regex[NEXT_IS_HEADER], data, 0, NULL, 0) == 0;
	line->script = line->shell && dash == 1 && data[length - 1] == 'c' && length < 8;
	if (by_program(r, line, word) || names)
		return;
	if (before.next == SECRET)
		whole(r, word, 0);
	else if (before.next == AFTER_COLON && colon)
		whole(r, word, (size_t)(colon - data) + 1);
	if (before.header)
		replace_own(r, HEADER_WORD, word);
	redact_words(r, before.script, depth, word);
}

/* The words of a text that may be script; those that change are quoted anew. */
static void redact_script(struct redact *r, unsigned int depth, struct buffer *text)
{
	struct script s = {.at = text->data};
	struct line line = {0};
	struct buffer out = {0}, word = {0}, before = {0};
	const char *copied = text->data;
	bool changed = false;

	while (!text->failed && script_next(&s, &word) == 0) {
		/* One word and nothing else: what there is to find is in its commands. */
		if (s.start == text->data && !*s.end && strcmp(word.data, text->data) == 0) {
			if (s.into_commands)
				break;
			s = (struct script){.at = text->data, .into_commands = true};
			continue;
		}
		if (s.first)
			line = (struct line){0};
		buffer_clear(&before);
		buffer_add(&before, word.data, word.length);
		if (!word.failed && !before.failed)
			one_word(r, &line, &word, depth + 1);
		text->failed |= word.failed | before.failed;
		if (text->failed || strcmp(before.data, word.data) == 0)
			continue;
		buffer_add(&out, copied, (size_t)(s.start - copied));
		if (strncmp(s.start, before.data, (size_t)(s.end - s.start)) == 0)
			buffer_add(&out, word.data, word.length);
		else
			script_quote(&out, word.data, word.length, s.quote);
		copied = s.end;
		changed = true;
	}
	if (changed) {
		buffer_puts(&out, copied);
		take(text, &out);
	}
	buffer_deinit(&word);
	buffer_deinit(&before);
}

/* What a word holds by itself. Script is not taken as one value to its end. */
static void redact_words(struct redact *r, bool script, unsigned int depth, struct buffer *word)
{
	for (unsigned int i = FIRST_REST; !script && i <= LAST_REST; i++) {
		if (replace_own(r, i, word))
			return;
	}
	if (depth < DEPTH_MAX && strpbrk(word->data, " \t\n;|&`$"))
		redact_script(r, depth, word);
	for (unsigned int i = FIRST_INSIDE; i <= LAST_INSIDE && !word->failed; i++)
		replace_own(r, i, word);
}

/* First what the user names, which may be a part of what we replace. */
static void one_text(struct redact *r, struct line *line, struct buffer *text)
{
	for (unsigned int i = OWN_COUNT; !text->failed && i < r->count; i++)
		replace_users(r, i, text);
	if (!text->failed && line)
		one_word(r, line, text, 0);
	else if (!text->failed)
		redact_words(r, false, 0, text);
}

int redact_image(struct redact *r, const struct image *image, struct buffer *out)
{
	int64_t before = r->secrets;
	struct line line = {0};
	struct buffer word = {0};
	struct args args;

	buffer_clear(out);
	for (args_begin(&args, image); args_next(&args, &word) == 0;) {
		buffer_puts(&word, "");
		if (!word.failed)
			one_text(r, &line, &word);
		buffer_add(out, word.data, word.length);
		buffer_putc(out, '\0');
		out->failed |= word.failed;
	}
	buffer_deinit(&word);
	if (out->failed)
		return -ENOMEM;
	r->images += r->secrets > before;
	return r->secrets > before;
}

int redact_text(struct redact *r, struct buffer *text)
{
	int64_t before = r->secrets;

	if (text->data && !text->failed)
		one_text(r, NULL, text);
	return text->failed ? -ENOMEM : r->secrets > before;
}
