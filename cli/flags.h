/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line as one struct, read by one table that also makes the help.
 *
 * A verb says which groups of options it takes. Options of one group combine: different selectors
 * must all hold, of one selector given several times any must hold.
 */
#ifndef LINEAGED_CLI_FLAGS_H
#define LINEAGED_CLI_FLAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* More than anybody types; a bound on what a command line can make us hold. */
#define FLAGS_LIST_MAX 64

#define FLAGS_COMMON (1u << 0)
#define FLAGS_OUTPUT (1u << 1)
#define FLAGS_TIME   (1u << 2)
#define FLAGS_TARGET (1u << 3)
#define FLAGS_TREE   (1u << 4)
#define FLAGS_WINDOW (1u << 5)
#define FLAGS_SELECT (1u << 6)
#define FLAGS_LIMIT  (1u << 7)
#define FLAGS_FOLD   (1u << 8)
#define FLAGS_STATUS (1u << 9)
#define FLAGS_FOLLOW (1u << 10)
#define FLAGS_DIFF   (1u << 11)
#define FLAGS_FILE   (1u << 12) /* -o names a file, not a format */
#define FLAGS_REDACT (1u << 13)

struct string_list {
	const char *item[FLAGS_LIST_MAX];
	unsigned int count;
};

struct optional_count {
	bool given, all; /* all: without a number; value is 0 then, too */
	unsigned int value;
};

struct flags {
	struct string_list db;
	const char *output, *fields, *color;
	bool utc, full, ascii, no_pager, quiet, strict, help;

	const char *since, *until;
	int64_t since_unix_ns, until_unix_ns;  /* UNKNOWN: not given */
	const char *other_since, *other_until; /* what diff compares with */
	int64_t other_since_unix_ns, other_until_unix_ns;

	struct string_list pid, boot;
	struct optional_count ancestors, descendants, depth;
	const char *at, *parent;
	int64_t at_unix_ns;
	bool line, no_fold, running;

	/* Selectors. */
	struct string_list ppid, comm, exe, args, regex, uid, loginuid, audit_session, tty;
	struct string_list container, pod, cgroup, unit, status, signal;
	const char *longer, *shorter;
	int64_t longer_ns, shorter_ns;
	bool failed, alive, ended;

	bool redact;
	struct string_list redact_also;
	struct optional_count limit;
	bool reverse;
	const char *status_file, *cursor, *cursor_file;

	char **operands;
	int operand_count;
};

/* The groups of options that the verb takes; argv[0] is the verb. 0, or -EINVAL with a sentence
 * said. */
int flags_parse(struct flags *flags, unsigned int groups, int argc, char **argv,
		int64_t now_unix_ns);

/* One line per option of the groups, made to fit 80 columns; selectors as one paragraph. */
void flags_help(FILE *out, unsigned int groups);
/* One line for each option of the groups. */
void flags_help_group(FILE *out, unsigned int groups);
/* The selectors, one line each. */
void flags_help_select(FILE *out);

/* An option as completions and tests see it. */
struct flag_info {
	const char *name, *argument, *help; /* argument NULL: takes none */
	char short_name;		    /* 0: none */
	unsigned int groups;
	bool may_lack_argument, repeatable;
};

/* The n-th value given to an option, "" for one without; NULL behind the last. */
const char *flags_value(const struct flags *flags, const char *name, unsigned int n);
/* Calls back for every option. */
void flags_each(void (*fn)(const struct flag_info *flag, void *userdata), void *userdata);

#endif
