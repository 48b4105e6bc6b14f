/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/redact.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "schema/cleanup.h"

#define REPLACEMENT "[redacted]"
#define GROUPS	    8

/* What a secret is called, in options and in variables. */
#define WORD "[[:alnum:]_-]*"
#define NAME                                                                            \
	"(" WORD "(password|passwd|passphrase|secret|token|api[-_]?key|access[-_]?key|" \
	"private[-_]?key|credential)s?|(" WORD "[-_])?pass)([-_]" WORD ")?"
#define VALUE "(\"[^\"]*\"|'[^']*'|[^[:space:]'\"]+)"

/* The last group that matched is what is replaced. */
static const char *const patterns[] = {
	/* A word of its own, to its end. Not for what a shell is to run. */
	"^--?" NAME "[=:](.+)$",
	"^" NAME "=(.+)$",
	/* Inside of a word, as in `sh -c "..."`. */
	"(^|[^[:alnum:]])--?" NAME "[=:]" VALUE,
	"(^|[^[:alnum:]_])" NAME "=" VALUE,
	"(^|[^[:alnum:]])--" NAME
	"[[:space:]]+(\"[^\"]*\"|'[^']*'|[^-[:space:]'\"][^[:space:]'\"]*)",
	"[[:alpha:]][[:alnum:]+.-]*://[^/:@[:space:]]*:([^/@[:space:]]+)@",
	"authorization: *(bearer |basic |token )?([^'\"]+)",
};

/* The first of them are about a word as a whole. */
#define WHOLE_WORDS 2

/* Options whose secret is the word behind them. */
static const char next_pattern[] = "^--?" NAME "$";

/* Programs that take a password behind -p, and those that take user:password behind -u. */
static const char *const p_programs[] = {"mysql",	  "mysqldump", "mysqladmin",
					 "mysqlimport",	  "mariadb",   "mariadb-dump",
					 "mariadb-admin", "sshpass",   "mysqlcheck"};
static const char *const u_programs[] = {"curl", "wget", "http", "https"};

int redact_init(struct redact *r, const struct string_list *more, const char **ret_bad)
{
	unsigned int own = ARRAY_SIZE(patterns) + 1;

	*r = (struct redact){.regex = calloc(own + more->count, sizeof(*r->regex))};
	if (!r->regex)
		return -ENOMEM;
	for (unsigned int i = 0; i < own + more->count; i++) {
		const char *pattern = i == 0	? next_pattern
				      : i < own ? patterns[i - 1]
						: more->item[i - own];

		if (regcomp(&r->regex[i], pattern, REG_EXTENDED | (i < own ? REG_ICASE : 0)) != 0) {
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

/* Every match of one pattern in a word. Ours end in a group, the user's match as a whole. */
static void replace(struct redact *r, unsigned int which, struct buffer *word)
{
	bool own = which <= ARRAY_SIZE(patterns);
	const char *at = word->data;
	struct buffer out = {0};
	regmatch_t m[GROUPS];

	while (*at &&
	       regexec(&r->regex[which], at, GROUPS, m, at == word->data ? 0 : REG_NOTBOL) == 0) {
		size_t last = own ? r->regex[which].re_nsub : 0;

		if (m[last].rm_eo == m[last].rm_so)
			break;
		buffer_add(&out, at, (size_t)m[last].rm_so);
		if (strncmp(at + m[last].rm_so, REPLACEMENT, strlen(REPLACEMENT)) != 0)
			r->secrets++;
		buffer_puts(&out, REPLACEMENT);
		at += m[last].rm_eo;
	}
	if (at != word->data) {
		buffer_puts(&out, at);
		buffer_clear(word);
		buffer_add(word, out.data, out.length);
	}
	word->failed |= out.failed;
	buffer_deinit(&out);
}

static bool is_one_of(const char *name, size_t length, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0)
			return true;
	}
	return false;
}

static void whole(struct redact *r, struct buffer *word, size_t keep)
{
	word->length = keep;
	buffer_puts(word, REPLACEMENT);
	r->secrets++;
}

/* What the words before say of the next one. */
struct line {
	bool first, takes_p, takes_u; /* by the program's name */
	bool is_p;		      /* sshpass -p WORD */
	bool is_script;		      /* -c WORD */
	enum { NOTHING, SECRET, USER } next;
};

static void name_program(struct line *line, const struct buffer *word)
{
	const char *slash = memrchr(word->data, '/', word->length);
	const char *name = slash ? slash + 1 : word->data;
	size_t length = word->length - (size_t)(name - word->data);

	line->takes_p |= is_one_of(name, length, p_programs, ARRAY_SIZE(p_programs));
	line->is_p |= length == 7 && memcmp(name, "sshpass", 7) == 0;
	line->takes_u |= is_one_of(name, length, u_programs, ARRAY_SIZE(u_programs));
}

static void one_word(struct redact *r, struct line *line, struct buffer *word)
{
	const char *colon = memchr(word->data, ':', word->length);

	if (line->next == SECRET && word->data[0] != '-') {
		whole(r, word, 0);
	} else if (line->next == USER && colon && colon[1]) {
		whole(r, word, (size_t)(colon - word->data) + 1);
	} else if (line->takes_p && strncmp(word->data, "-p", 2) == 0 && word->length > 2) {
		whole(r, word, 2);
	} else {
		for (unsigned int i = line->is_script ? 1 + WHOLE_WORDS : 1; i < r->count; i++)
			replace(r, i, word);
	}
	line->next = NOTHING;
	line->is_script = strcmp(word->data, "-c") == 0;
	if (regexec(&r->regex[0], word->data, 0, NULL, 0) == 0 ||
	    (line->is_p && strcmp(word->data, "-p") == 0))
		line->next = SECRET;
	else if (line->takes_u &&
		 (strcmp(word->data, "-u") == 0 || strcmp(word->data, "--user") == 0))
		line->next = USER;
}

int redact_image(struct redact *r, const struct image *image, struct buffer *out)
{
	int64_t before = r->secrets;
	struct line line = {.first = true};
	struct buffer word = {0};
	struct args args;

	buffer_clear(out);
	for (args_begin(&args, image); args_next(&args, &word) == 0;) {
		if (!word.data)
			buffer_puts(&word, "");
		if (line.first)
			name_program(&line, &word);
		line.first = false;
		if (word.data && !word.failed)
			one_word(r, &line, &word);
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

	for (unsigned int i = 1; text->data && !text->failed && i < r->count; i++)
		replace(r, i, text);
	return text->failed ? -ENOMEM : r->secrets > before;
}
