/* SPDX-License-Identifier: Apache-2.0 */
/* What verbs share: errors in one sentence, -o, --boot, PID@START. */
#include "cli/cmd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/escape.h"
#include "cli/fields.h"
#include "cli/moment.h"
#include "cli/style.h"
#include "cli/timespec.h"
#include "cli/words.h"
#include "schema/cleanup.h"

static void say(const char *format, va_list args)
{
	CLEANUP_FREE char *sentence = NULL;
	struct buffer out = {0};

	/* What the user typed or a file is called may be hostile too. */
	if (vasprintf(&sentence, format, args) < 0)
		sentence = NULL;
	if (sentence)
		escape_text(&out, sentence, strlen(sentence), !style_is_utf8());
	fflush(stdout);
	fprintf(stderr, "lineage-query: %s.\n", out.data ? out.data : "out of memory");
	buffer_deinit(&out);
}

int usage(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	return EXIT_USAGE;
}

int fail(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	return status;
}

int fail_database(const char *path, int error, const char *detail)
{
	if (error == -ENOENT)
		return fail(
			EXIT_DATABASE,
			"there is no database %s; start lineaged, or name another file with --db",
			path);
	if (error == -EACCES)
		return fail(EXIT_DATABASE,
			    "may not read %s; be root or in group lineaged, or name another file "
			    "with --db",
			    path);
	if (error == SCHEMA_E_SQLITE && detail && *detail)
		return fail(EXIT_DATABASE, "cannot read %s: %s (%s)", path, schema_strerror(error),
			    detail);
	return fail(EXIT_DATABASE, "cannot read %s: %s", path, schema_strerror(error));
}

static int64_t clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

bool session_is_slow(const struct session *s)
{
	return clock_now() - s->now_unix_ns >= NS_PER_SEC;
}

static void on_progress(void *userdata, int64_t done, int64_t total)
{
	struct session *s = userdata;

	/* What takes less than a second needs no word. */
	if (s->progress_over || !session_is_slow(s))
		return;
	s->progress_shown = true;
	fprintf(stderr, "\r\033[Klooking through %" PRId64 " of %" PRId64 " processes", done,
		total > done ? total : done);
}

void session_show_progress(struct session *s)
{
	if (!isatty(STDERR_FILENO) || s->flags.quiet)
		return;
	for (unsigned int i = 0; i < s->db_count; i++)
		query_on_progress(s->db[i], on_progress, s);
}

void session_end_progress(struct session *s)
{
	if (s->progress_shown && !s->progress_over)
		fputs("\r\033[K", stderr);
	s->progress_over = true;
}

int session_status(const struct session *s, const struct completeness *c)
{
	return s->flags.strict && !is_complete(c) ? EXIT_INCOMPLETE : EXIT_FOUND;
}

int session_outcome(const struct session *s, const struct completeness *c, bool found)
{
	int status = session_status(s, c);

	return status == EXIT_FOUND && !found ? EXIT_NOTHING : status;
}

static bool wants_boot(const struct boot *boot, const void *userdata)
{
	return session_wants_boot(userdata, boot);
}

int session_add_time(const struct session *s, struct completeness *c, struct query *q,
		     int64_t since_unix_ns, int64_t until_unix_ns, const struct process_list *shown)
{
	const struct scope scope = {
		.since_unix_ns = since_unix_ns,
		.until_unix_ns = until_unix_ns,
		.now_unix_ns = s->now_unix_ns,
		.wants = s->flags.boot.count ? wants_boot : NULL,
		.userdata = s,
	};

	return completeness_add_time(c, q, &scope, shown);
}

int session_add_record(const struct session *s, struct completeness *c, int64_t until_unix_ns)
{
	for (unsigned int i = 0; i < s->db_count; i++) {
		int r = session_add_time(s, c, s->db[i], UNKNOWN, until_unix_ns, NULL);

		if (r < 0)
			return fail_database(query_path(s->db[i]), r, query_errmsg(s->db[i]));
	}
	return 0;
}

int session_nothing(const struct session *s, const struct completeness *c, const char *format, ...)
{
	struct buffer words = {0};
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	if (!s->flags.quiet && !is_complete(c)) {
		words_completeness(&words, c, &s->style);
		fputs(words.data ? words.data : "", stderr);
		buffer_deinit(&words);
	}
	return session_outcome(s, c, false);
}

static int check_fields(const char *names)
{
	struct buffer all = {0};
	struct field_list list;
	const struct field *field;
	const char *bad;
	size_t length;
	int r;

	if (fields_parse(names, &list, &bad, &length) == 0)
		return 0;
	for (size_t i = 0; (field = fields_at(i)); i++)
		buffer_printf(&all, "%s%s", i ? ", " : "", field->name);
	r = usage("there is no field '%.*s'; there are %s", (int)length, bad,
		  all.data ? all.data : "");
	buffer_deinit(&all);
	return r;
}

int session_writer(struct session *s, struct writer *ret_writer)
{
	const char *name = s->flags.output ? s->flags.output : "text";
	const struct writer_ops *ops = writer_find(name);
	int r = 0;

	if (!ops)
		return usage("there is no format '%s'; see `lineage-query help output`", name);
	if (s->flags.fields && !ops->chooses_fields)
		return usage("%s has no --fields; table, csv, json and ndjson have", name);
	if (s->flags.fields)
		r = check_fields(s->flags.fields);
	if (r != 0)
		return r;
	*ret_writer = (struct writer){.ops = ops, .out = s->out, .style = &s->style};
	return 0;
}

static const char *common_boot(const struct query *first, const struct query *second)
{
	const struct boot *a, *b;

	for (size_t i = query_boots(first, &a); i-- > 0;) {
		for (size_t k = query_boots(second, &b); k-- > 0;) {
			if (strcmp(a[i].boot_id, b[k].boot_id) == 0)
				return a[i].boot_id;
		}
	}
	return NULL;
}

int session_check_databases(const struct session *s)
{
	for (unsigned int i = 1; !s->command->apart && i < s->db_count; i++) {
		for (unsigned int k = 0; k < i; k++) {
			const char *boot = common_boot(s->db[k], s->db[i]);

			if (boot)
				return usage("%s and %s both hold boot %s; ask them one by one",
					     query_path(s->db[k]), query_path(s->db[i]), boot);
		}
	}
	return 0;
}

bool session_has_hosts(const struct session *s)
{
	const char *first = NULL;

	for (unsigned int i = 0; i < s->db_count; i++) {
		const struct boot *boots;
		size_t count = query_boots(s->db[i], &boots);

		for (size_t k = 0; k < count; k++) {
			const char *host = boots[k].hostname ? boots[k].hostname : "";

			if (first && strcmp(first, host) != 0)
				return true;
			first = host;
		}
	}
	return s->db_count > 1;
}

/* 0 is the latest boot of its database, -1 the one before. */
static bool boot_matches(const struct boot *boot, const char *text)
{
	const struct boot *boots;
	size_t count = query_boots(boot->db, &boots), length = strlen(text);
	char *end;
	long back;

	back = strtol(text, &end, 10);
	if (*text && !*end && back <= 0 && length < 6) {
		for (size_t i = 0; i < count; i++) {
			if (&boots[i] == boot)
				return i == count - 1 + (size_t)back;
		}
	}
	return length >= 4 && strncmp(boot->boot_id, text, length) == 0;
}

bool session_wants_boot(const struct session *s, const struct boot *boot)
{
	if (s->flags.boot.count == 0)
		return true;
	for (unsigned int i = 0; i < s->flags.boot.count; i++) {
		if (boot_matches(boot, s->flags.boot.item[i]))
			return true;
	}
	return false;
}

/* What stands behind the @: nanoseconds since boot, or a time at which the process lived. */
static bool start_matches(const struct process *p, bool is_number, int64_t value)
{
	int64_t at;

	if (is_number)
		return p->start_boot_ns == value;
	return moment_of_life(&(struct moment){value}, p, true, &at);
}

struct pid_name {
	int64_t pid, start;
	bool has_start, is_number;
};

/* 0, -EINVAL: no pid, -ERANGE: no start. */
static int parse_name(const struct session *s, const char *text, struct pid_name *ret_name)
{
	const char *at = strchr(text, '@');
	struct pid_name name = {.has_start = at != NULL};
	char *end;

	errno = 0;
	name.pid = strtoll(text, &end, 10);
	if (errno || name.pid <= 0 || name.pid > INT32_MAX || end == text || (*end && end != at))
		return -EINVAL;
	if (at) {
		name.start = strtoll(at + 1, &end, 10);
		name.is_number = at[1] && !*end;
		if (!name.is_number &&
		    timespec_parse(at + 1, s->now_unix_ns, s->flags.utc, &name.start) < 0)
			return -ERANGE;
	}
	*ret_name = name;
	return 0;
}

static bool is_named(const struct pid_name *name, const struct process *p)
{
	return p->pid == name->pid &&
	       (!name->has_start || start_matches(p, name->is_number, name->start));
}

bool session_names(const struct session *s, const char *text, const struct process *p)
{
	struct pid_name name;

	return parse_name(s, text, &name) == 0 && is_named(&name, p);
}

static int find_in(struct session *s, struct query *q, const struct pid_name *name,
		   struct process_list *list)
{
	struct process_list found = {0};
	int r = query_by_pid(q, name->pid, &found);

	for (size_t i = 0; r == 0 && i < found.count; i++) {
		if (session_wants_boot(s, found.item[i]->boot) && is_named(name, found.item[i]))
			r = process_list_add(list, found.item[i]);
	}
	process_list_deinit(&found);
	return r;
}

static int find_name(const struct session *s, const char *text, struct pid_name *ret_name)
{
	int r = parse_name(s, text, ret_name);

	if (r == -EINVAL)
		return usage("'%s' is no process; write PID or PID@START", text);
	if (r < 0)
		return usage("'%s' is neither a start in ns since boot nor a time",
			     strchr(text, '@') + 1);
	return 0;
}

int session_check_name(const struct session *s, const char *text)
{
	struct pid_name name;

	return find_name(s, text, &name);
}

int session_find(struct session *s, const char *text, struct process_list *list)
{
	struct pid_name name;
	int r = find_name(s, text, &name);

	if (r != 0)
		return r;
	for (unsigned int i = 0; i < s->db_count; i++) {
		r = find_in(s, s->db[i], &name, list);
		if (r < 0)
			return fail_database(query_path(s->db[i]), r, query_errmsg(s->db[i]));
	}
	process_list_sort(list);
	return 0;
}

int session_one(struct session *s, struct completeness *c, struct process_list *found,
		struct process **ret_process)
{
	const char *pid = s->flags.pid.count ? s->flags.pid.item[0] : NULL;
	int r;

	*ret_process = NULL;
	if (!pid && s->flags.operand_count)
		pid = s->flags.operands[0];
	if (!pid || s->flags.pid.count + (unsigned int)s->flags.operand_count > 1)
		return usage("%s needs one PID or PID@START", s->command->name);
	r = session_find(s, pid, found);
	if (r != 0)
		return r;
	if (found->count == 0)
		r = session_add_record(s, c, UNKNOWN);
	if (found->count == 0)
		return r ? r : session_nothing(s, c, "no process %s is recorded", pid);
	*ret_process = found->item[found->count - 1];
	if (found->count > 1 && !s->flags.quiet)
		fprintf(stderr,
			"lineage-query: pid %s was used by %zu processes; this is the newest. "
			"`lineage-query search --pid %s` lists them.\n",
			pid, found->count, pid);
	return 0;
}
