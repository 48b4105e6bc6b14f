/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/flags.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/timespec.h"
#include "schema/cleanup.h"

enum option_type { FLAG, STRING, LIST, COUNT, COUNT_OPTIONAL };

struct option_spec {
	const char *name, *argument, *help;
	size_t offset;
	unsigned int groups;
	enum option_type type;
	char short_name;
};

#define AT(field) .offset = offsetof(struct flags, field)

static const struct option_spec specs[] = {
	{"pid", "N[@START]", "START: its start in ns since boot, or a time", AT(pid),
	 FLAGS_TARGET | FLAGS_SELECT, LIST, 'p'},
	{"boot", "ID", "boot id, its beginning, or 0 (latest), -1, -2 ...", AT(boot),
	 FLAGS_TARGET | FLAGS_TIME | FLAGS_SELECT, LIST, 'b'},
	{"since", "TIME", "from this time on", AT(since), FLAGS_TIME, STRING, 'S'},
	{"until", "TIME", "up to this time", AT(until), FLAGS_TIME, STRING, 'U'},
	{"than-since", "TIME", "the window to compare with: its start", AT(other_since), FLAGS_DIFF,
	 STRING, 0},
	{"than-until", "TIME", "and its end", AT(other_until), FLAGS_DIFF, STRING, 0},
	{"ancestors", "N", "ancestors only, at most N", AT(ancestors), FLAGS_TREE, COUNT_OPTIONAL,
	 0},
	{"descendants", "N", "descendants only, at most N levels", AT(descendants), FLAGS_TREE,
	 COUNT_OPTIONAL, 0},
	{"depth", "N", "at most N levels below the process", AT(depth), FLAGS_TREE, COUNT, 0},
	{"short", NULL, "the ancestors in one line", AT(line), FLAGS_TREE, FLAG, 's'},
	{"at", "TIME", "the tree as it stood then", AT(at), FLAGS_TREE, STRING, 0},
	{"parent", "birth|reaper", "under which parent", AT(parent), FLAGS_TREE, STRING, 0},
	{"running", NULL, "also what ran throughout without an event", AT(running), FLAGS_WINDOW,
	 FLAG, 0},
	{"no-fold", NULL, "every one of identical siblings", AT(no_fold), FLAGS_FOLD, FLAG, 0},
	{"ppid", "N", "parent's pid at birth", AT(ppid), FLAGS_SELECT, LIST, 0},
	{"comm", "NAME", "name, exact or glob", AT(comm), FLAGS_SELECT, LIST, 'c'},
	{"exe", "PATH", "executable, exact or glob; no slash: its last part", AT(exe), FLAGS_SELECT,
	 LIST, 'x'},
	{"args", "TEXT", "part of the command line", AT(args), FLAGS_SELECT, LIST, 'a'},
	{"grep", "REGEX", "command line, by extended regular expression", AT(regex), FLAGS_SELECT,
	 LIST, 'g'},
	{"uid", "USER", "real or effective user, by number or name", AT(uid), FLAGS_SELECT, LIST,
	 'u'},
	{"loginuid", "USER", "who logged in", AT(loginuid), FLAGS_SELECT, LIST, 0},
	{"session", "N", "audit session", AT(audit_session), FLAGS_SELECT, LIST, 0},
	{"tty", "NAME", "terminal, as pts/3", AT(tty), FLAGS_SELECT, LIST, 't'},
	{"container", "NAME", "container id, its beginning, or name", AT(container), FLAGS_SELECT,
	 LIST, 'C'},
	{"pod", "NAME", "pod uid, name, or namespace/name", AT(pod), FLAGS_SELECT, LIST, 0},
	{"cgroup", "PATH", "cgroup or one below it; or glob", AT(cgroup), FLAGS_SELECT, LIST, 0},
	{"unit", "NAME", "systemd unit", AT(unit), FLAGS_SELECT, LIST, 0},
	{"status", "N", "exit code; !0: any but 0", AT(status), FLAGS_SELECT, LIST, 0},
	{"signal", "NAME", "killed by this signal; any: by one", AT(signal), FLAGS_SELECT, LIST, 0},
	{"longer", "SPAN", "lived longer than, as 10s or 1h", AT(longer), FLAGS_SELECT, STRING, 0},
	{"shorter", "SPAN", "lived shorter than", AT(shorter), FLAGS_SELECT, STRING, 0},
	{"failed", NULL, "had an exec that failed", AT(failed), FLAGS_SELECT, FLAG, 0},
	{"alive", NULL, "had not ended when last seen", AT(alive), FLAGS_SELECT, FLAG, 0},
	{"ended", NULL, "has ended", AT(ended), FLAGS_SELECT, FLAG, 0},
	{"limit", "N", "at most N results", AT(limit), FLAGS_LIMIT, COUNT, 'n'},
	{"reverse", NULL, "newest first", AT(reverse), FLAGS_LIMIT, FLAG, 'r'},
	{"status-file", "FILE", "the daemon's live counters", AT(status_file), FLAGS_STATUS, STRING,
	 0},
	{"cursor", "CURSOR", "go on after this point", AT(cursor), FLAGS_FOLLOW, STRING, 0},
	{"cursor-file", "FILE", "go on after the point in FILE, and keep it there", AT(cursor_file),
	 FLAGS_FOLLOW, STRING, 0},
	{"output", "FORMAT", "format; `lineage-query help output` lists them", AT(output),
	 FLAGS_OUTPUT, STRING, 'o'},
	{"output", "FILE", "the file to write", AT(output), FLAGS_FILE, STRING, 'o'},
	{"redact", NULL, "what is called password, token, key out of all texts", AT(redact),
	 FLAGS_REDACT, FLAG, 0},
	{"redact-also", "REGEX", "and what matches this (implies --redact)", AT(redact_also),
	 FLAGS_REDACT, LIST, 0},
	{"fields", "A,B,...", "only these; `lineage-query help fields` lists them", AT(fields),
	 FLAGS_OUTPUT, STRING, 0},
	{"full", NULL, "do not shorten lines to the terminal", AT(full), FLAGS_OUTPUT, FLAG, 'l'},
	{"strict", NULL, "exit status 4 if the answer may be incomplete", AT(strict), FLAGS_OUTPUT,
	 FLAG, 0},
	{"db", "FILE", "the database; several: hosts together", AT(db), FLAGS_COMMON, LIST, 'D'},
	{"utc", NULL, "times in UTC", AT(utc), FLAGS_COMMON, FLAG, 0},
	{"ascii", NULL, "no characters beyond ASCII", AT(ascii), FLAGS_OUTPUT, FLAG, 0},
	{"color", "WHEN", "auto, always or never", AT(color), FLAGS_OUTPUT, STRING, 0},
	{"no-pager", NULL, "do not start a pager", AT(no_pager), FLAGS_OUTPUT, FLAG, 0},
	{"quiet", NULL, "no header and no legend", AT(quiet), FLAGS_OUTPUT, FLAG, 'q'},
	{"help", NULL, "this text", AT(help), FLAGS_COMMON, FLAG, 'h'},
};

#define SPEC_COUNT ARRAY_SIZE(specs)

static int parse_count(const char *name, const char *text, struct optional_count *count)
{
	char *end;
	unsigned long value;

	count->given = true;
	count->all = !text;
	if (!text)
		return 0;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || end == text || *text == '-' || value > 1000000000)
		return usage("--%s takes a number, not '%s'", name, text), -EINVAL;
	count->value = (unsigned int)value;
	return 0;
}

static int store(struct flags *flags, const struct option_spec *spec, const char *value)
{
	void *field = (char *)flags + spec->offset;
	struct string_list *list = field;

	switch (spec->type) {
	case FLAG:
		*(bool *)field = true;
		return 0;
	case STRING:
		*(const char **)field = value;
		return 0;
	case COUNT:
	case COUNT_OPTIONAL:
		return parse_count(spec->name, value, field);
	case LIST:
		if (list->count == FLAGS_LIST_MAX)
			return usage("--%s is given more than %d times", spec->name,
				     FLAGS_LIST_MAX),
			       -EINVAL;
		list->item[list->count++] = value;
		return 0;
	}
	return -EINVAL;
}

static int parse_time(const char *name, const char *text, int64_t now, bool utc, int64_t *ret)
{
	*ret = INT64_MIN;
	if (text && timespec_parse(text, now, utc, ret) < 0)
		return usage("--%s: '%s' is no time; try '-1h', 'yesterday' or '2026-01-31 10:00'",
			     name, text),
		       -EINVAL;
	return 0;
}

static int parse_span(const char *name, const char *text, int64_t *ret)
{
	*ret = INT64_MIN;
	if (text && timespec_parse_span(text, ret) < 0)
		return usage("--%s: '%s' is no span; try '10s' or '1h 30min'", name, text), -EINVAL;
	return 0;
}

/* A boot id, its beginning, or how many boots back. */
static bool is_boot(const char *text)
{
	size_t digits = *text == '-' ? strspn(text + 1, "0123456789") : 0;

	if (strcmp(text, "0") == 0 || (digits && digits < 5 && !text[1 + digits]))
		return true;
	return strlen(text) >= 4 && !text[strspn(text, "0123456789abcdef-")];
}

static int check_boots(const struct string_list *boots)
{
	for (unsigned int i = 0; i < boots->count; i++) {
		if (!is_boot(boots->item[i]))
			return usage("--boot takes 0, -1 and so on, a boot id or four of its "
				     "digits, not '%s'",
				     boots->item[i]),
			       -EINVAL;
	}
	return 0;
}

/* Times need --utc, which may come after them. */
static int resolve(struct flags *o, int64_t now)
{
	const struct {
		const char *name, *text;
		int64_t *value;
	} times[] = {
		{"since", o->since, &o->since_unix_ns},
		{"until", o->until, &o->until_unix_ns},
		{"than-since", o->other_since, &o->other_since_unix_ns},
		{"than-until", o->other_until, &o->other_until_unix_ns},
		{"at", o->at, &o->at_unix_ns},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(times); i++)
		r = parse_time(times[i].name, times[i].text, now, o->utc, times[i].value);
	if (r == 0)
		r = parse_span("longer", o->longer, &o->longer_ns);
	if (r == 0)
		r = parse_span("shorter", o->shorter, &o->shorter_ns);
	if (r == 0)
		r = check_boots(&o->boot);
	if (r == 0 && o->since && o->until && o->since_unix_ns >= o->until_unix_ns)
		return usage("--since '%s' is not before --until '%s'", o->since, o->until),
		       -EINVAL;
	if (r == 0 && o->parent && strcmp(o->parent, "birth") && strcmp(o->parent, "reaper"))
		return usage("--parent is birth or reaper, not '%s'", o->parent), -EINVAL;
	if (r == 0 && o->color && strcmp(o->color, "auto") && strcmp(o->color, "always") &&
	    strcmp(o->color, "never"))
		return usage("--color is auto, always or never, not '%s'", o->color), -EINVAL;
	return r;
}

/* What getopt_long wants, for the groups. Values are indexes of specs + 256. */
static void make_tables(unsigned int groups, struct option *longs, char *shorts)
{
	size_t n = 0;

	*shorts++ = ':';
	for (size_t i = 0; i < SPEC_COUNT; i++) {
		const struct option_spec *spec = &specs[i];
		int argument = spec->type == FLAG	      ? no_argument
			       : spec->type == COUNT_OPTIONAL ? optional_argument
							      : required_argument;

		if (!(spec->groups & groups))
			continue;
		longs[n++] = (struct option){spec->name, argument, NULL, (int)i + 256};
		if (!spec->short_name)
			continue;
		*shorts++ = spec->short_name;
		if (argument == required_argument)
			*shorts++ = ':';
	}
	longs[n] = (struct option){0};
	*shorts = '\0';
}

static const struct option_spec *spec_of(unsigned int groups, int c)
{
	if (c >= 256)
		return &specs[c - 256];
	for (size_t i = 0; i < SPEC_COUNT; i++) {
		if ((specs[i].groups & groups) && specs[i].short_name == c)
			return &specs[i];
	}
	return NULL;
}

static int complain(int c, char **argv, int at)
{
	const char *word = at > 0 ? argv[at - 1] : "";

	if (c == ':')
		usage("%s needs a value", word);
	else if (optopt && optopt < 256)
		usage("-%c is no option of '%s'; see `lineage-query %s --help`", optopt, argv[0],
		      argv[0]);
	else
		usage("%s is no option of '%s'; see `lineage-query %s --help`", word, argv[0],
		      argv[0]);
	return -EINVAL;
}

int flags_parse(struct flags *flags, unsigned int groups, int argc, char **argv,
		int64_t now_unix_ns)
{
	struct option longs[SPEC_COUNT + 1];
	char shorts[2 * SPEC_COUNT + 2];
	int c, r;

	*flags = (struct flags){0};
	make_tables(groups, longs, shorts);
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (c == '?' || c == ':')
			return complain(c, argv, optind);
		r = store(flags, spec_of(groups, c), optarg);
		if (r < 0)
			return r;
	}
	if (flags->limit.given && !flags->limit.value && !(groups & FLAGS_FOLLOW))
		return usage("--limit takes a number from 1 on"), -EINVAL;
	flags->operands = argv + optind;
	flags->operand_count = argc - optind;
	return flags->help ? 0 : resolve(flags, now_unix_ns);
}

static int option_label(const struct option_spec *spec, char *out, size_t size)
{
	const char *open = spec->type == COUNT_OPTIONAL ? "[=" : "=";
	char shorts[8] = "    ";

	if (spec->short_name)
		snprintf(shorts, sizeof(shorts), "-%c, ", spec->short_name);
	return snprintf(out, size, "%s--%s%s%s%s", shorts, spec->name, spec->argument ? open : "",
			spec->argument ? spec->argument : "",
			spec->type == COUNT_OPTIONAL ? "]" : "");
}

static void help_line(FILE *out, const struct option_spec *spec)
{
	char label[80];

	option_label(spec, label, sizeof(label));
	fprintf(out, "  %-26s %s\n", label, spec->help);
}

/* Names only, wrapped: what needs a line each is in `help select` and `help output`. */
static void help_names(FILE *out, const char *title, unsigned int group, unsigned int but)
{
	int column = 3;

	fputs(title, out);

	for (size_t i = 0; i < SPEC_COUNT; i++) {
		int length = (int)strlen(specs[i].name) + 3;

		if (!(specs[i].groups & group) || (specs[i].groups & but))
			continue;
		if (column + length > 79)
			column = fprintf(out, "\n   ") - 1;
		column += fprintf(out, " --%s", specs[i].name);
	}
	fputc('\n', out);
}

void flags_help(FILE *out, unsigned int groups)
{
	unsigned int terse = FLAGS_OUTPUT | FLAGS_COMMON;

	for (size_t i = 0; i < SPEC_COUNT; i++) {
		unsigned int own = specs[i].groups & groups;

		if (own && !(own & terse) && own != FLAGS_SELECT)
			help_line(out, &specs[i]);
	}
	if (groups & FLAGS_SELECT)
		help_names(out, "Select (`lineage-query help select`):\n   ", FLAGS_SELECT,
			   groups & (FLAGS_TARGET | FLAGS_TIME));
	help_names(out, "Print (`lineage-query help output`):\n   ", groups & terse, 0);
}

void flags_help_group(FILE *out, unsigned int groups)
{
	for (size_t i = 0; i < SPEC_COUNT; i++) {
		if (specs[i].groups & groups)
			help_line(out, &specs[i]);
	}
}

void flags_help_select(FILE *out)
{
	flags_help_group(out, FLAGS_SELECT);
}

static const char *value_of(const struct flags *flags, const struct option_spec *spec,
			    unsigned int n)
{
	const void *field = (const char *)flags + spec->offset;
	const struct string_list *list = field;

	switch (spec->type) {
	case FLAG:
		return n == 0 && *(const bool *)field ? "" : NULL;
	case STRING:
		return n == 0 ? *(const char *const *)field : NULL;
	case LIST:
		return n < list->count ? list->item[n] : NULL;
	case COUNT:
	case COUNT_OPTIONAL:
		break; /* numbers select nothing */
	}
	return NULL;
}

const char *flags_value(const struct flags *flags, const char *name, unsigned int n)
{
	for (size_t i = 0; i < SPEC_COUNT; i++) {
		if (strcmp(specs[i].name, name) == 0)
			return value_of(flags, &specs[i], n);
	}
	return NULL;
}

void flags_each(void (*fn)(const struct flag_info *flag, void *userdata), void *userdata)
{
	for (size_t i = 0; i < SPEC_COUNT; i++) {
		const struct flag_info flag = {
			.name = specs[i].name,
			.argument = specs[i].argument,
			.help = specs[i].help,
			.short_name = specs[i].short_name,
			.groups = specs[i].groups,
			.may_lack_argument = specs[i].type == COUNT_OPTIONAL,
			.repeatable = specs[i].type == LIST,
		};

		fn(&flag, userdata);
	}
}
