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
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/arena.h"
#include "cli/cursor_file.h"
#include "cli/entity.h"
#include "cli/escape.h"
#include "cli/gather.h"
#include "cli/json.h"
#include "cli/losses.h"
#include "cli/timespec.h"
#include "cli/words.h"
#include "schema/cleanup.h"

/* Half of what a person notices; the daemon commits about as often. */
#define POLL_NS 200000000L

/* Between what two CPUs tell of the same time; far more than a process can be held up in between.
 */
#define SKEW_NS (10 * NS_PER_SEC)

enum event_kind { EVENT_FORK, EVENT_EXEC, EVENT_EXIT };
static const char *const event_names[] = {"fork", "exec", "exit"};

/* A process that had not ended when last looked at. */
struct watched {
	int64_t id;
	size_t execs; /* already told, as far as the cursor does not know better */
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
	struct cursor cursor;
	struct losses losses;
	struct stat file; /* the database, when it was opened */
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
	cursor_deinit(&f->cursor);
	losses_deinit(&f->losses);
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

	for (size_t i = 0; r == 0 && i < p->exec_count; i++) {
		const struct exec *e = &p->execs[i];
		int passed = cursor_passed(&f->cursor, p->boot, e->provenance, e->cpu, e->seq);

		/* That it was running when recording began is no event. */
		if (e->provenance == PROVENANCE_SNAPSHOT)
			continue;
		if (passed == 0 || (passed < 0 && i >= told))
			r = add_event(f, EVENT_EXEC, p, e, e->unix_ns);
	}
	/* Who has ended is not watched any more: it is told once without a number, too. */
	if (r == 0 && process_ended(p) &&
	    cursor_passed(&f->cursor, p->boot, p->end, p->end_cpu, p->end_seq) != 1)
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
	int r = query_newer(f->query, f->cursor.last_id, &list);

	if (r == 0)
		r = query_load_execs(f->query, &list);
	for (size_t i = 0; r == 0 && i < list.count; i++) {
		struct process *p = list.item[i];

		f->cursor.last_id = p->id > f->cursor.last_id ? p->id : f->cursor.last_id;
		if (p->birth != PROVENANCE_SNAPSHOT)
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

/* What is missing is told whatever is selected: it may have been just that. */
static int tell_missing(const struct missing *m, int64_t gap_id, void *userdata)
{
	struct follow *f = userdata;
	struct json *json = &f->json;

	if (!f->as_json) {
		buffer_puts(&f->out, "missing: ");
		words_missing(&f->out, m, &f->session->style);
		buffer_putc(&f->out, '\n');
		return f->out.failed ? -ENOMEM : 0;
	}
	json_object_begin(json, NULL);
	json_text(json, "event", missing_kind_name(m->kind));
	entity_json_time(json, "time", m->from_unix_ns);
	json_int(json, "unix_ns", m->from_unix_ns);
	entity_json_time(json, "to", m->to_unix_ns);
	json_int(json, "to_unix_ns", m->to_unix_ns);
	if (m->kind == MISSING_GAP) {
		json_int(json, "gap_id", gap_id);
		json_maybe_text(json, "cause", m->cause);
		json_int(json, "lost", m->lost);
		json_int(json, "recovered", m->recovered);
	} else if (m->kind != MISSING_NOT_RECORDED) {
		json_int(json, "count", m->count);
	}
	json_object_end(json);
	json_newline(json);
	return 0;
}

static bool enough(const struct follow *f)
{
	return f->session->flags.limit.given && f->told >= f->session->flags.limit.value;
}

static void hold(struct follow *f, const struct event *e)
{
	const struct process *p = e->process;

	if (e->kind == EVENT_FORK && p->id <= f->cursor.last_id)
		f->cursor.last_id = p->id - 1;
	else if (e->kind == EVENT_EXEC)
		cursor_hold(&f->cursor, p->boot, e->exec->cpu, e->exec->seq);
	else if (e->kind == EVENT_EXIT)
		cursor_hold(&f->cursor, p->boot, p->end_cpu, p->end_seq);
}

static int tell_events(struct follow *f)
{
	size_t i;
	int r = 0;

	if (f->event_count)
		qsort(f->events, f->event_count, sizeof(*f->events), compare_events);
	for (i = 0; i < f->event_count && !enough(f); i++) {
		const struct event *e = &f->events[i];

		if (e->unix_ns > f->cursor.last_unix_ns)
			f->cursor.last_unix_ns = e->unix_ns;
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
	r = cursor_advance(&f->cursor, f->query);
	if (r < 0)
		return r;
	/* What -n cuts off is left for whoever goes on from the cursor. */
	for (; i < f->event_count; i++)
		hold(f, &f->events[i]);
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

/* Of all that may have an event that was not told: alive shortly before the cursor, or begun since.
 */
static int find_unfinished(struct follow *f, struct process_list *list)
{
	int64_t until = f->cursor.last_unix_ns, since = until > SKEW_NS ? until - SKEW_NS : 0;
	CLEANUP_FREE struct boot_range *ranges = NULL;
	size_t count = 0;
	const struct moment moment = {.unix_ns = since};
	int r = gather_alive_at(f->session, f->query, &moment, list);

	if (r == 0)
		r = query_ranges(f->query, since, until + 1, &ranges, &count);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = query_window(f->query, &ranges[i], list);
	if (r == 0)
		process_list_unique(list);
	return r;
}

/* From here on, where no cursor says otherwise. */
static int begin_now(struct follow *f, struct process_list *list)
{
	const struct boot *boots;
	size_t count = query_boots(f->query, &boots);
	int r = query_newest(f->query, &f->cursor.last_id);

	if (r == 0)
		r = query_newest_gap(f->query, &f->cursor.last_gap);
	if (r == 0)
		r = cursor_advance(&f->cursor, f->query);
	f->cursor.last_unix_ns = f->session->now_unix_ns;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = query_alive(f->query, &boots[i], list);
	return r;
}

static int64_t now_unix_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

static bool is_told(const struct follow *f, int64_t unix_ns)
{
	return unix_ns == UNKNOWN || unix_ns <= f->cursor.last_unix_ns;
}

static int watch_old(struct follow *f, const struct process *p)
{
	size_t told = 0;

	while (told < p->exec_count && is_told(f, p->execs[told].unix_ns))
		told++;
	/* An end without a number, in time before the cursor. */
	if (process_ended(p) && is_told(f, p->end_unix_ns) &&
	    cursor_passed(&f->cursor, p->boot, p->end, p->end_cpu, p->end_seq) != 0)
		return 0;
	return watch(f, p, told);
}

static int begin(struct follow *f)
{
	struct process_list list = {0};
	int found = cursor_load(f->session, f->query, &f->cursor), r;

	if (found < 0 || found > 1)
		return found;
	r = found == 0 ? begin_now(f, &list) : find_unfinished(f, &list);
	if (r == 0)
		r = query_load_execs(f->query, &list);
	for (size_t i = 0; r == 0 && i < list.count; i++) {
		if (list.item[i]->id <= f->cursor.last_id)
			r = watch_old(f, list.item[i]);
	}
	process_list_deinit(&list);
	if (r == 0)
		r = losses_begin(&f->losses, f->query, &f->cursor);
	if (r == 0 && found)
		r = losses_since(f->query, &f->cursor, now_unix_ns(), tell_missing, f);
	return r;
}

static int look(struct follow *f)
{
	int r = losses_look(&f->losses, f->query, &f->cursor, tell_missing, f);

	if (r == 0)
		r = look_again(f);
	if (r == 0)
		r = look_for_new(f);
	if (r == 0)
		r = tell_events(f);
	return r == 0 ? cursor_keep(f->session, f->query, &f->cursor) : r;
}

/* What was handed out goes with the old one: between two looks there is nothing of it. */
static int reopen(struct follow *f)
{
	CLEANUP_FREE char *path = strdup(query_path(f->query));
	struct query *fresh;
	int r = path ? query_open(path, QUERY_DETAIL_FULL, &fresh) : -ENOMEM;

	if (r < 0)
		return path ? fail_database(path, r, NULL) : r;
	selection_deinit(&f->selection);
	query_free(f->query);
	f->session->db[0] = f->query = fresh;
	return selection_init(&f->selection, f->session);
}

/* Opened as one that nobody writes to, and somebody does. */
static bool has_changed(const struct follow *f, const struct stat *now)
{
	CLEANUP_FREE char *wal = NULL;

	if (!query_is_copy(f->query))
		return false;
	if (now->st_size != f->file.st_size || now->st_mtim.tv_sec != f->file.st_mtim.tv_sec ||
	    now->st_mtim.tv_nsec != f->file.st_mtim.tv_nsec)
		return true;
	if (asprintf(&wal, "%s-wal", query_path(f->query)) < 0)
		wal = NULL;
	return wal && access(wal, F_OK) == 0;
}

/* Another file under its name has numbers of its own, and this one gets no more. */
static int check_file(struct follow *f)
{
	struct stat st = {0};
	int r;

	if (stat(query_path(f->query), &st) < 0 || st.st_dev != f->file.st_dev ||
	    st.st_ino != f->file.st_ino)
		return fail(EXIT_DATABASE,
			    "%s was removed or replaced by another file, of which nothing is told; "
			    "run follow again",
			    query_path(f->query));
	if (!has_changed(f, &st))
		return 0;
	f->file = st;
	r = reopen(f);
	return r == 0 ? look(f) : r;
}

static int look_on(struct follow *f)
{
	int r = query_refresh(f->query), added;

	if (r != 0)
		return r < 0 ? r : check_file(f);
	added = query_has_new_boot(f->query);
	r = added < 0 ? added : added ? reopen(f) : 0;
	if (r == 0 && added)
		r = losses_since(f->query, &f->cursor, now_unix_ns(), tell_missing, f);
	if (r == 0)
		r = look(f);
	return r == 0 ? check_file(f) : r;
}

static int run(struct session *session)
{
	struct follow f = {.session = session, .query = session->db[0]};
	const struct timespec pause = {.tv_nsec = POLL_NS};
	int r;

	if (session->db_count > 1)
		return usage("follow takes one --db: a copy does not grow, and a cursor is of one "
			     "database; run one follow for each");
	if (stat(query_path(f.query), &f.file) < 0)
		return fail_database(query_path(f.query), -errno, NULL);
	f.as_json = session->flags.output && strcmp(session->flags.output, "ndjson") == 0;
	json_begin(&f.json, session->out, 0);
	r = selection_init(&f.selection, session);
	if (r == 0)
		r = begin(&f);
	if (r == 0)
		r = look(&f);
	while (r == 0 && !enough(&f)) {
		nanosleep(&pause, NULL);
		r = look_on(&f);
	}
	follow_deinit(&f);
	return r;
}

const struct command cmd_follow = {
	.name = "follow",
	.summary = "starts, execs and ends as they are recorded",
	.help = "Prints what is recorded from now on, until interrupted or -n events were shown. "
		"With\n"
		"--cursor-file it goes on where the last one stopped, and nothing is left out. "
		"What was\n"
		"lost, or not recorded, is told as missing. Formats: text and ndjson.\n",
	.options = FLAGS_COMMON | FLAGS_OUTPUT | FLAGS_FOLLOW | FLAGS_SELECT | FLAGS_LIMIT,
	.formats = "text ndjson",
	.no_pager = true,
	.full_detail = true,
	.run = run,
};
