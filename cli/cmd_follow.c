/* SPDX-License-Identifier: Apache-2.0 */
/*
 * follow: prints starts, execs and ends as they are recorded. New processes are found by their
 * number; later execs and ends by looking again at those that were alive. No transaction stays open
 * between two looks, so that the daemon can shorten its log.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/arena.h"
#include "cli/escape.h"
#include "cli/gather.h"
#include "cli/json.h"
#include "cli/timespec.h"
#include "cli/words.h"
#include "schema/cleanup.h"

/* Half of what a person notices; the daemon commits about as often. */
#define POLL_NS 200000000L

enum event_kind { EVENT_FORK, EVENT_EXEC, EVENT_EXIT };
static const char *const event_names[] = {"fork", "exec", "exit"};

/* A process that had not ended when last looked at. */
struct watched {
	int64_t id;
	size_t execs; /* already told */
};

struct event {
	int64_t unix_ns;
	enum event_kind kind;
	struct process *process;
	const struct exec *exec;
};

struct follow {
	struct session *session;
	struct query *query;
	struct selection selection;
	int64_t last_id, last_unix_ns;
	struct watched *watched;
	size_t watched_count, watched_size;
	struct event *events;
	size_t event_count, event_size;
	int64_t told;
	struct buffer out;
	struct json json;
	bool as_json;
};

static void follow_deinit(struct follow *f)
{
	selection_deinit(&f->selection);
	free(f->watched);
	free(f->events);
	buffer_deinit(&f->out);
	json_deinit(&f->json);
}

static int watch(struct follow *f, const struct process *p, size_t execs)
{
	if (f->watched_count == f->watched_size) {
		size_t size = f->watched_size ? f->watched_size * 2 : 256;
		struct watched *more = reallocarray(f->watched, size, sizeof(*more));

		if (!more)
			return -ENOMEM;
		f->watched = more;
		f->watched_size = size;
	}
	f->watched[f->watched_count++] = (struct watched){p->id, execs};
	return 0;
}

static int add_event(struct follow *f, enum event_kind kind, struct process *p,
		     const struct exec *exec, int64_t unix_ns)
{
	if (f->event_count == f->event_size) {
		size_t size = f->event_size ? f->event_size * 2 : 256;
		struct event *more = reallocarray(f->events, size, sizeof(*more));

		if (!more)
			return -ENOMEM;
		f->events = more;
		f->event_size = size;
	}
	f->events[f->event_count++] = (struct event){unix_ns, kind, p, exec};
	return 0;
}

/* Execs that were not told yet, and the end. */
static int add_rest(struct follow *f, struct process *p, size_t told)
{
	int r = 0;

	for (size_t i = told; r == 0 && i < p->exec_count; i++)
		r = add_event(f, EVENT_EXEC, p, &p->execs[i], p->execs[i].unix_ns);
	if (r == 0 && process_ended(p))
		r = add_event(f, EVENT_EXIT, p, NULL, p->end_unix_ns);
	return r;
}

static int look_again(struct follow *f)
{
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < f->watched_count; i++) {
		struct watched w = f->watched[i];
		struct process *p;

		r = query_process(f->query, w.id, &p);
		if (r > 0) {
			/* Removed by retention. */
			r = 0;
			continue;
		}
		if (r == 0)
			r = query_execs_of(f->query, p);
		if (r == 0)
			r = add_rest(f, p, w.execs);
		if (r == 0 && !process_ended(p))
			f->watched[kept++] = (struct watched){p->id, p->exec_count};
	}
	f->watched_count = kept;
	return r;
}

static int look_for_new(struct follow *f)
{
	struct process_list list = {0};
	int r = query_newer(f->query, f->last_id, &list);

	if (r == 0)
		r = query_load_execs(f->query, &list);
	for (size_t i = 0; r == 0 && i < list.count; i++) {
		struct process *p = list.item[i];

		f->last_id = p->id > f->last_id ? p->id : f->last_id;
		r = add_event(f, EVENT_FORK, p, NULL, p->start_unix_ns);
		if (r == 0)
			r = add_rest(f, p, 0);
		if (r == 0 && !process_ended(p))
			r = watch(f, p, p->exec_count);
	}
	process_list_deinit(&list);
	return r;
}

static int compare_events(const void *first, const void *second)
{
	const struct event *a = first, *b = second;

	if (a->unix_ns != b->unix_ns)
		return a->unix_ns < b->unix_ns ? -1 : 1;
	if (a->process->id != b->process->id)
		return a->process->id < b->process->id ? -1 : 1;
	return (int)a->kind - (int)b->kind;
}

static void cursor_text(const struct follow *f, char *out, size_t size)
{
	snprintf(out, size, "1:%" PRId64 ":%" PRId64, f->last_id, f->last_unix_ns);
}

static void tell_text(struct follow *f, const struct event *e)
{
	const struct style *style = &f->session->style;
	const struct process *p = e->process;
	size_t start = f->out.length, fit;

	words_time(&f->out, e->unix_ns, style);
	buffer_printf(&f->out, " %s %7" PRId64 " ", event_names[e->kind], p->pid);
	if (e->kind == EVENT_EXEC) {
		words_image(&f->out, e->exec->image, e->exec->comm ? e->exec->comm->value : NULL,
			    style);
	} else if (e->kind == EVENT_FORK) {
		struct process *parent;

		buffer_puts(&f->out, "by ");
		if (p->parent_id && query_process(p->db, p->parent_id, &parent) == 0)
			words_name(&f->out, parent, style);
		else
			buffer_puts(&f->out, "?");
	} else {
		char span[TIMESPEC_SIZE];

		timespec_format_span(p->end_boot_ns - p->start_boot_ns, span);
		words_exit(&f->out, p);
		buffer_printf(&f->out, " after %s: ", span);
		escape_text(&f->out, process_comm(p), strlen(process_comm(p)), !style->utf8);
	}
	fit = escape_fit(f->out.data + start, f->out.length - start,
			 style->width ? style->width : SIZE_MAX);
	f->out.length = start + fit;
	buffer_putc(&f->out, '\n');
}

static void tell_json(struct follow *f, const struct event *e)
{
	char text[TIMESPEC_SIZE];

	json_object_begin(&f->json, NULL);
	json_text(&f->json, "event", event_names[e->kind]);
	if (e->unix_ns != UNKNOWN) {
		timespec_rfc3339(e->unix_ns, text);
		json_text(&f->json, "time", text);
	}
	json_int(&f->json, "unix_ns", e->unix_ns);
	json_process(&f->json, e->process);
	json_object_end(&f->json);
	json_newline(&f->json);
}

static bool enough(const struct follow *f)
{
	return f->session->flags.limit.given && f->told >= f->session->flags.limit.value;
}

static int tell_events(struct follow *f)
{
	size_t i;
	int r = 0;

	qsort(f->events, f->event_count, sizeof(*f->events), compare_events);
	for (i = 0; i < f->event_count && !enough(f); i++) {
		const struct event *e = &f->events[i];

		if (e->unix_ns > f->last_unix_ns)
			f->last_unix_ns = e->unix_ns;
		r = selection_matches(&f->selection, e->process);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		f->told++;
		if (f->as_json)
			tell_json(f, e);
		else
			tell_text(f, e);
	}
	/* What -n cuts off is left for whoever goes on from the cursor. */
	for (; i < f->event_count; i++) {
		const struct event *e = &f->events[i];

		if (e->kind == EVENT_FORK && e->process->id <= f->last_id)
			f->last_id = e->process->id - 1;
	}
	f->event_count = 0;
	r = f->as_json ? json_flush(&f->json) : 0;
	if (f->out.failed)
		return -ENOMEM;
	if (f->out.length &&
	    fwrite(f->out.data, 1, f->out.length, f->session->out) != f->out.length)
		return errno ? -errno : -EIO;
	buffer_clear(&f->out);
	return r == 0 && fflush(f->session->out) != 0 ? -errno : r;
}

/* Written beside and renamed, so that a reader never finds half of one. */
static int keep_cursor(struct follow *f)
{
	const char *path = f->session->flags.cursor_file;
	CLEANUP_FREE char *beside = NULL;
	char cursor[80];
	FILE *file;

	if (!path)
		return 0;
	cursor_text(f, cursor, sizeof(cursor));
	if (asprintf(&beside, "%s.new", path) < 0) {
		beside = NULL;
		return -ENOMEM;
	}
	file = fopen(beside, "we");
	if (!file)
		return fail(EXIT_USAGE, "cannot write %s: %s", beside, strerror(errno));
	fprintf(file, "%s\n", cursor);
	if (fclose(file) != 0 || rename(beside, path) < 0)
		return fail(EXIT_USAGE, "cannot write %s: %s", path, strerror(errno));
	return 0;
}

static int parse_cursor(struct follow *f, const char *text)
{
	int used = 0;

	if (sscanf(text, "1:%" SCNd64 ":%" SCNd64 "%n", &f->last_id, &f->last_unix_ns, &used) !=
		    2 ||
	    (text[used] && text[used] != '\n') || f->last_id < 0)
		return usage("'%s' is no cursor", text);
	return 1;
}

/* 1: there is one, 0: none, or an exit status above 1. */
static int find_cursor(struct follow *f)
{
	const struct flags *flags = &f->session->flags;
	CLEANUP_FCLOSE FILE *file = NULL;
	char line[80] = "";

	if (flags->cursor)
		return parse_cursor(f, flags->cursor);
	if (!flags->cursor_file)
		return 0;
	file = fopen(flags->cursor_file, "re");
	if (!file && errno == ENOENT)
		return 0;
	if (!file || !fgets(line, sizeof(line), file))
		return usage("cannot read the cursor in %s", flags->cursor_file);
	return parse_cursor(f, line);
}

/* Who was alive at the cursor is watched from there on; without one, from now. */
static int begin(struct follow *f)
{
	struct process_list list = {0};
	int found = find_cursor(f), r = 0;

	if (found > 1)
		return found;
	if (found == 0) {
		const struct boot *boots;
		size_t count = query_boots(f->query, &boots);

		r = query_newest(f->query, &f->last_id);
		for (size_t i = 0; r == 0 && i < count; i++)
			r = query_alive(f->query, &boots[i], &list);
	} else {
		r = gather_alive_at(f->session, f->query, f->last_unix_ns, &list);
	}
	if (r == 0)
		r = query_load_execs(f->query, &list);
	for (size_t i = 0; r == 0 && i < list.count; i++) {
		const struct process *p = list.item[i];
		size_t told = 0;

		while (told < p->exec_count && (found == 0 || p->execs[told].unix_ns == UNKNOWN ||
						p->execs[told].unix_ns <= f->last_unix_ns))
			told++;
		if (p->id <= f->last_id)
			r = watch(f, p, told);
	}
	process_list_deinit(&list);
	return r;
}

static int look(struct follow *f)
{
	int r = look_again(f);

	if (r == 0)
		r = look_for_new(f);
	if (r == 0)
		r = tell_events(f);
	return r == 0 ? keep_cursor(f) : r;
}

static int run(struct session *session)
{
	struct follow f = {.session = session, .query = session->db[0]};
	const struct timespec pause = {.tv_nsec = POLL_NS};
	int r;

	if (session->db_count > 1)
		return usage("follow takes one --db");
	f.as_json = session->flags.output && strcmp(session->flags.output, "ndjson") == 0;
	json_begin(&f.json, session->out, 0);
	r = selection_init(&f.selection, session);
	if (r == 0)
		r = begin(&f);
	if (r == 0)
		r = look(&f);
	while (r == 0 && !enough(&f)) {
		nanosleep(&pause, NULL);
		r = query_refresh(f.query);
		if (r == 0)
			r = look(&f);
		else if (r == 1)
			r = 0;
	}
	follow_deinit(&f);
	return r;
}

const struct command cmd_follow = {
	.name = "follow",
	.summary = "starts, execs and ends as they are recorded",
	.help = "Prints what is recorded from now on, until interrupted or -n events were shown. "
		"With\n"
		"--cursor-file it goes on where the last one stopped, and nothing is left out.\n"
		"Formats: text and ndjson.\n",
	.options = FLAGS_COMMON | FLAGS_OUTPUT | FLAGS_FOLLOW | FLAGS_SELECT | FLAGS_LIMIT,
	.formats = "text ndjson",
	.no_pager = true,
	.full_detail = true,
	.run = run,
};
