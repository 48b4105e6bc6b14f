/* SPDX-License-Identifier: Apache-2.0 */
/* The table of verbs, and what happens before and after each of them. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/commands.h"
#include "cli/fields.h"
#include "cli/style.h"
#include "schema/cleanup.h"

static const struct command *const commands[] = {
#define X(name) &cmd_##name,
	COMMANDS(X)
#undef X
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	}
	return NULL;
}

static int help_all(FILE *out)
{
	fputs("lineage-query VERB [OPTION]...   ask what lineaged recorded\n\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
	fputs("  help     VERB, or: select, output, fields, time, status\n\n"
	      "  lineage-query tree --pid 4242\n"
	      "  lineage-query window --since '10 min ago'\n",
	      out);
	return EXIT_FOUND;
}

/* Paragraphs are filled to 79 columns; a line that begins with a blank stays as it is. */
static void help_text(FILE *out, const char *text)
{
	int column = 0;

	while (*text) {
		int length = (int)strcspn(text, " \n");

		if (column && column + 1 + length > 79)
			column = fputc('\n', out) - '\n';
		else if (column)
			column += fputc(' ', out) == ' ';
		column += fprintf(out, "%.*s", length, text);
		text += length;
		if (*text == '\n' && text[1] == ' ') {
			length = 1 + (int)strcspn(text + 1, "\n");
			fprintf(out, "%.*s", length, text);
			text += length;
			column = 79;
		}
		if (*text)
			text++;
	}
	fputc('\n', out);
}

static int help_command(FILE *out, const struct command *command)
{
	fprintf(out, "lineage-query %s [OPTION]...%s%s\n", command->name,
		command->operands ? " " : "", command->operands ? command->operands : "");
	help_text(out, command->help);
	flags_help(out, command->options);
	return EXIT_FOUND;
}

static void help_output(FILE *out)
{
	const struct writer_ops *ops;

	fputs("Formats, for -o:\n", out);
	for (size_t i = 0; (ops = writer_at(i)); i++)
		fprintf(out, "  %-10s %s\n", ops->name, ops->summary);
	fputs("\n", out);
	flags_help_group(out, FLAGS_COMMON | FLAGS_OUTPUT);
}

static void help_fields(FILE *out)
{
	const struct field *field;

	fputs("Fields, for --fields=A,B,... with -o table, csv, json and ndjson:\n", out);
	for (size_t i = 0; (field = fields_at(i)); i++)
		fprintf(out, "  %-18s %s\n", field->name, field->help);
}

static void help_time(FILE *out)
{
	fputs("Times, for --since, --until, --at and PID@START:\n"
	      "  now, today, yesterday, tomorrow    days begin at midnight\n"
	      "  -1h, -1h30min, +5min, '2 days ago' from now; s min h d w M (month) y\n"
	      "  10:00, 10:00:30                    today\n"
	      "  2026-01-31, '2026-01-31 10:00'     to the microsecond: 10:00:30.123456\n"
	      "  '2026-01-31 10:00 UTC', '... Europe/Berlin', 'Sat 2026-01-31'\n"
	      "  2026-01-31T10:00:00Z, 2026-01-31T10:00:00.123456789+02:00\n"
	      "  @1769853600, @1769853600.5         seconds since 1970\n"
	      "A time without a zone is local time, with --utc it is UTC.\n",
	      out);
}

static void help_status(FILE *out)
{
	fputs("Exit status:\n"
	      "  0  found\n"
	      "  1  nothing matched\n"
	      "  2  wrong usage\n"
	      "  3  the database cannot be read, or the answer not be written\n"
	      "  4  the answer may be incomplete, also where nothing matched (only with "
	      "--strict)\n",
	      out);
}

static int help_topic(const char *topic)
{
	static const struct {
		const char *name;
		void (*print)(FILE *out);
	} topics[] = {
		{"select", flags_help_select}, {"output", help_output}, {"fields", help_fields},
		{"time", help_time},	       {"status", help_status},
	};
	const struct command *command = find_command(topic);

	if (command)
		return help_command(stdout, command);
	for (size_t i = 0; i < ARRAY_SIZE(topics); i++) {
		if (strcmp(topics[i].name, topic) == 0) {
			topics[i].print(stdout);
			return EXIT_FOUND;
		}
	}
	return usage("there is no help on '%s'; see `lineage-query help`", topic);
}

static enum query_detail choose_detail(const struct session *s)
{
	const struct writer_ops *ops = s->flags.output ? writer_find(s->flags.output) : NULL;
	const struct flags *f = &s->flags;

	if (s->command->names_only && !f->exe.count && !f->args.count && !f->regex.count)
		return QUERY_DETAIL_NAMES;
	return s->command->full_detail || (ops && ops->needs_full) ? QUERY_DETAIL_FULL
								   : QUERY_DETAIL_LINE;
}

static int open_databases(struct session *s)
{
	enum query_detail detail = choose_detail(s);
	struct string_list *paths = &s->flags.db;

	if (paths->count == 0)
		paths->item[paths->count++] = SCHEMA_DEFAULT_PATH;
	for (unsigned int i = 0; i < paths->count; i++) {
		int r = query_open(paths->item[i], detail, &s->db[i]);

		if (r < 0)
			return fail_database(paths->item[i], r, NULL);
		s->db_count++;
	}
	return session_check_databases(s);
}

/* A verb with formats of its own takes no others. */
static int check_format(const struct session *s)
{
	const char *name = s->flags.output, *found = s->command->formats;
	size_t length = name ? strlen(name) : 0;

	if (found && s->flags.fields)
		return usage("%s has no --fields; tree, window and search have", s->command->name);
	if (!found || !name)
		return 0;
	while ((found = strstr(found, name))) {
		if ((found == s->command->formats || found[-1] == ' ') &&
		    (found[length] == ' ' || found[length] == '\0') && length)
			return 0;
		found++;
	}
	return usage("%s has the formats %s, not '%s'", s->command->name, s->command->formats,
		     name);
}

static int run_command(struct session *s)
{
	const struct writer_ops *ops = s->flags.output ? writer_find(s->flags.output)
						       : &writer_text;
	int r = check_format(s), pager = 0;

	if (r == 0 && !s->command->no_database)
		r = open_databases(s);

	if (r != 0)
		return r;
	session_show_progress(s);
	style_init(&s->style, &s->flags, STDOUT_FILENO);
	s->style.hosts = session_has_hosts(s);
	if (!s->command->no_pager && ops && !ops->machine)
		style_start_pager(&s->style, &s->flags, &pager);
	r = s->command->run(s);
	session_end_progress(s);
	if (r == -EPIPE)
		r = EXIT_FOUND; /* the reader has seen enough */
	if (r < 0 && ferror(stdout))
		r = fail(EXIT_DATABASE, "cannot write: %s", schema_strerror(r));
	if (r < 0)
		r = fail(EXIT_DATABASE, "%s: %s", s->command->name, schema_strerror(r));
	if (fflush(stdout) != 0 && errno != EPIPE && r == EXIT_FOUND)
		r = fail(EXIT_DATABASE, "cannot write: %s", strerror(errno));
	style_wait_pager(pager);
	return r;
}

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

#define MIB		((size_t)1024 * 1024)
#define HUGE_PAGE_BYTES (2 * MIB)
/* The most that every glibc takes, and a block below it. */
#define THRESHOLD_BYTES (32 * MIB)
#define HEAP_BYTES	(31 * MIB)

/*
 * An answer is built up and then dropped as a whole: giving pages back meanwhile costs. So does
 * being given thousands of them, one by one: behind its first 2 to 4 MiB a large answer gets huge
 * pages. Addresses only, until they are used.
 */
static void prepare_heap(void)
{
	uintptr_t first;
	void *heap;

	mallopt(M_MMAP_THRESHOLD, THRESHOLD_BYTES);
	mallopt(M_TRIM_THRESHOLD, 2 * THRESHOLD_BYTES);
	mallopt(M_TOP_PAD, MIB);
	heap = malloc(HEAP_BYTES);
	if (!heap)
		return;
	first = ((uintptr_t)heap / HUGE_PAGE_BYTES + 2) * HUGE_PAGE_BYTES;
	madvise((void *)first, (uintptr_t)heap + HEAP_BYTES - first, MADV_HUGEPAGE);
	free(heap);
}

int main(int argc, char **argv)
{
	struct session session = {.out = stdout, .now_unix_ns = now()};
	int r;

	static char buffer[1 << 16];

	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	prepare_heap();
	if (argc < 2)
		return help_all(stderr), EXIT_USAGE;
	if (strcmp(argv[1], "--version") == 0)
		return puts("lineage-query " LINEAGED_VERSION), EXIT_FOUND;
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help_all(stdout);
	if (strcmp(argv[1], "help") == 0)
		return argc > 2 ? help_topic(argv[2]) : help_all(stdout);
	session.command = find_command(argv[1]);
	if (!session.command)
		return usage("there is no verb '%s'; see `lineage-query --help`", argv[1]);
	if (flags_parse(&session.flags, session.command->options, argc - 1, argv + 1,
			session.now_unix_ns) < 0)
		return EXIT_USAGE;
	if (session.flags.help)
		return help_command(stdout, session.command);
	if (session.flags.operand_count && !session.command->operands)
		return usage("%s takes no '%s', only options; see `lineage-query %s --help`",
			     session.command->name, session.flags.operands[0],
			     session.command->name);
	r = run_command(&session);
	for (unsigned int i = 0; i < session.db_count; i++)
		query_free(session.db[i]);
	return r;
}
