/* SPDX-License-Identifier: Apache-2.0 */
/* window: what happened between two times, as a forest. */
#include <errno.h>
#include <stdlib.h>

#include "cli/gather.h"
#include "cli/parts.h"
#include "cli/seen.h"
#include "schema/cleanup.h"

/* A process that answers, until its part is written: what is read may be forgotten meanwhile. */
struct found {
	unsigned int db;
	int64_t id;
};

struct window {
	struct session *session;
	struct selection selection;
	struct parts parts;
	struct found *found;
	size_t count, size;
	struct seen told[FLAGS_LIST_MAX]; /* per database: found, or written as context */
	struct completeness completeness;
	int64_t running;
	struct forest forest;
	struct answer answer;
	struct writer writer;
	bool begun, nothing;
};

static int add_found(struct window *w, unsigned int db, int64_t id)
{
	int r = seen_add(&w->told[db], id);

	if (r != 0)
		return r < 0 ? r : 0;
	if (w->count == w->size) {
		size_t size = w->size ? w->size * 2 : 1024;
		struct found *more = reallocarray(w->found, size, sizeof(*more));

		if (!more)
			return -ENOMEM;
		w->found = more;
		w->size = size;
	}
	w->found[w->count++] = (struct found){db, id};
	return 0;
}

static int add_range(struct window *w, unsigned int db, const struct boot_range *whole,
		     const struct boot_range *part)
{
	struct query *q = w->session->db[db];
	struct process_list list = {0};
	bool first = part->from_ns == whole->from_ns;
	int r = query_before(q, part, whole->from_ns, &list);

	if (r == 0)
		r = query_started(q, part, &list);
	if (r == 0 && w->session->flags.failed)
		r = query_failed(q, part, &list);
	if (r == 0 && w->session->flags.running && first)
		r = query_running(q, whole, &list);
	for (size_t i = 0; r >= 0 && i < list.count; i++) {
		r = selection_matches(&w->selection, list.item[i]);
		if (r == 1)
			r = add_found(w, db, list.item[i]->id);
	}
	process_list_deinit(&list);
	return r < 0 ? r : 0;
}

/* What had its first event of the window in this part of it. */
static int add_part(struct window *w, unsigned int db, size_t number)
{
	CLEANUP_FREE struct boot_range *whole = NULL, *part = NULL;
	size_t wholes, parts, n = 0;
	const struct flags *f = &w->session->flags;
	struct query *q = w->session->db[db];
	int64_t since, until;
	int r;

	parts_range(&w->parts, number, &since, &until);
	r = query_ranges(q, f->since_unix_ns, f->until_unix_ns, &whole, &wholes);
	if (r == 0)
		r = query_ranges(q, since, until, &part, &parts);
	for (size_t i = 0; r == 0 && i < parts; i++) {
		if (!session_wants_boot(w->session, part[i].boot))
			continue;
		while (n < wholes &&
		       (whole[n].boot != part[i].boot || whole[n].to_ns <= part[i].from_ns))
			n++;
		if (n < wholes)
			r = add_range(w, db, &whole[n], &part[i]);
	}
	return r;
}

static bool in_any(const struct boot_range *ranges, size_t count, int64_t boot_ns)
{
	for (size_t i = 0; i < count; i++) {
		if (boot_ns >= ranges[i].from_ns && boot_ns < ranges[i].to_ns)
			return true;
	}
	return false;
}

/* Of those whom count_running() counts: neither began nor ended in a range, and lived through one.
 */
static bool ran_throughout(const struct boot_range *ranges, size_t count, const struct process *p)
{
	bool did = false;

	for (size_t i = 0; i < count; i++) {
		const struct boot_range *range = &ranges[i];

		if (range->boot != p->boot)
			continue;
		if (in_any(range, 1, p->start_boot_ns) ||
		    (process_ended(p) && in_any(range, 1, p->end_boot_ns)))
			return false;
		if (p->start_boot_ns < range->from_ns &&
		    (!process_ended(p) || p->end_boot_ns >= range->to_ns))
			did = true;
	}
	return did;
}

/* A parent that is needed by what was found; it may be part of the answer itself, by an exec or its
 * end later on. */
static int judge_context(struct window *w, unsigned int db, const struct boot_range *ranges,
			 size_t count, struct process *p)
{
	const struct flags *f = &w->session->flags;
	int r = seen_add(&w->told[db], p->id);

	if (r < 0)
		return r;
	p->selected = false;
	p->told = r == 1;
	if (p->told)
		return 0;
	/* These are counted as running and shown all the same. */
	if (ran_throughout(ranges, count, p))
		w->running--;
	if (!selection_in_time(f, p))
		return 0;
	r = selection_matches(&w->selection, p);
	p->selected = r == 1;
	return r < 0 ? r : 0;
}

/* The processes found in one database, and their ancestors. */
static int read_found(struct window *w, unsigned int db, struct process_list *list)
{
	CLEANUP_FREE struct boot_range *ranges = NULL;
	const struct flags *f = &w->session->flags;
	struct query *q = w->session->db[db];
	size_t first = list->count, context, count;
	int r = query_ranges(q, f->since_unix_ns, f->until_unix_ns, &ranges, &count);

	for (size_t i = 0; r == 0 && i < w->count; i++) {
		struct process *p;

		if (w->found[i].db != db)
			continue;
		r = query_process(q, w->found[i].id, &p);
		if (r > 0)
			return SCHEMA_E_NOT_DB;
		p->selected = true;
		p->told = false;
		r = process_list_add(list, p);
	}
	context = list->count;
	if (r == 0)
		r = gather_context(q, list, first);
	if (r == 0)
		r = gather_details(q, list);
	for (size_t i = context; r == 0 && i < list->count; i++)
		r = judge_context(w, db, ranges, count, list->item[i]);
	return r;
}

static void count_new(struct window *w, struct process_list *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (!list->item[i]->told)
			list->item[kept++] = list->item[i];
	}
	list->count = kept;
	completeness_add_shown(&w->completeness, list);
	for (size_t i = 0; i < list->count; i++)
		completeness_count_process(&w->completeness, list->item[i]);
}

static int write_forest(struct window *w, struct process_list *list)
{
	const struct writer_ops *ops = w->writer.ops;
	/* Without a part of its own, what is folded here could not be the parent of what comes. */
	bool folds = ops->folds && !w->session->flags.no_fold && (ops->part || !w->answer.part);
	int r;

	process_list_sort(list);
	r = forest_build(list, NULL, NULL, &w->forest);
	if (r == 0 && folds && w->session->flags.failed)
		r = gather_failed_shapes(list);
	if (r == 0 && folds)
		r = forest_fold(&w->forest);
	session_end_progress(w->session);
	if (r == 0)
		r = writer_part(&w->writer);
	forest_deinit(&w->forest);
	count_new(w, list);
	return r;
}

/* Everything found since the last time, as a forest. */
static int flush(struct window *w, size_t number)
{
	bool last = number + 1 == w->parts.count;
	struct session *s = w->session;
	struct process_list list = {0};
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < s->db_count; i++) {
		r = read_found(w, i, &list);
		if (r < 0)
			r = fail_database(query_path(s->db[i]), r, query_errmsg(s->db[i]));
	}
	w->count = 0;
	if (w->answer.part || !last)
		w->answer.part++;
	if (r == 0 && !w->begun)
		r = writer_begin(&w->writer, &w->answer);
	w->begun |= r == 0;
	w->nothing &= list.count == 0;
	if (r == 0 && (list.count || w->answer.part == 0))
		r = write_forest(w, &list);
	process_list_deinit(&list);
	return r;
}

static int write_parts(struct window *w)
{
	struct session *s = w->session;
	int64_t next, until;
	int r = 0;

	for (size_t part = 0; r == 0 && part < w->parts.count; part++) {
		for (unsigned int i = 0; r == 0 && i < s->db_count; i++) {
			parts_progress(&w->parts, s->db[i], part);
			r = add_part(w, i, part);
			query_trim(s->db[i]);
			if (r < 0)
				return fail_database(query_path(s->db[i]), r,
						     query_errmsg(s->db[i]));
		}
		if (w->count < PART_PROCESSES / 2 && part + 1 < w->parts.count)
			continue;
		r = flush(w, part);
		parts_range(&w->parts, part, &next, &until);
		w->answer.part_unix_ns = until;
	}
	return r;
}

/*
 * Where the clock was set back, one may have run through several ranges of a boot, or through one
 * and begun or ended in another, where it is shown.
 */
static int count_each(struct window *w, struct query *q, const struct boot_range *ranges,
		      size_t count)
{
	struct process_list list = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = query_running(q, &ranges[i], &list);
	process_list_unique(&list);
	for (size_t i = 0; r == 0 && i < list.count; i++) {
		const struct process *p = list.item[i];

		if (!in_any(ranges, count, p->start_boot_ns) &&
		    !(process_ended(p) && in_any(ranges, count, p->end_boot_ns)))
			w->running++;
	}
	process_list_deinit(&list);
	return r;
}

static int count_running(struct window *w, struct query *q)
{
	CLEANUP_FREE struct boot_range *ranges = NULL;
	const struct flags *f = &w->session->flags;
	size_t count, same;
	int r = query_ranges(q, f->since_unix_ns, f->until_unix_ns, &ranges, &count);

	for (size_t i = 0; r == 0 && i < count; i += same) {
		int64_t running = 0;

		same = 1;
		while (i + same < count && ranges[i + same].boot == ranges[i].boot)
			same++;
		if (!session_wants_boot(w->session, ranges[i].boot))
			continue;
		r = same > 1 ? count_each(w, q, &ranges[i], same)
			     : query_count_running(q, &ranges[i], &running);
		w->running += running;
	}
	return r;
}

static int begin(struct window *w)
{
	struct session *s = w->session;
	const struct flags *f = &s->flags;
	int r = parts_init(&w->parts, s, s->db, s->db_count, f->since_unix_ns, f->until_unix_ns);

	for (unsigned int i = 0; r == 0 && i < s->db_count; i++) {
		r = session_add_time(s, &w->completeness, s->db[i], f->since_unix_ns,
				     f->until_unix_ns, NULL);
		if (r < 0)
			r = fail_database(query_path(s->db[i]), r, query_errmsg(s->db[i]));
	}
	w->answer = (struct answer){
		.verb = "window",
		.forest = &w->forest,
		.since_unix_ns = f->since_unix_ns,
		.until_unix_ns = f->until_unix_ns,
		.part_unix_ns = f->since_unix_ns,
		.at_unix_ns = UNKNOWN,
		.running = UNKNOWN,
		.failures = f->failed,
		.completeness = &w->completeness,
	};
	return r;
}

static int end(struct window *w)
{
	struct session *s = w->session;
	int r = completeness_end_processes(&w->completeness);

	/* A count of all would not fit a list of some, nor what is yet to come. */
	if (s->flags.running || w->selection.any || s->flags.since_unix_ns > s->now_unix_ns)
		return r;
	for (unsigned int i = 0; r == 0 && i < s->db_count; i++) {
		r = count_running(w, s->db[i]);
		if (r < 0)
			r = fail_database(query_path(s->db[i]), r, query_errmsg(s->db[i]));
	}
	w->answer.running = w->running < 0 ? 0 : w->running;
	return r;
}

static void window_deinit(struct window *w)
{
	for (size_t i = 0; i < ARRAY_SIZE(w->told); i++)
		seen_deinit(&w->told[i]);
	free(w->found);
	parts_deinit(&w->parts);
	completeness_deinit(&w->completeness);
	selection_deinit(&w->selection);
}

static int write_window(struct window *w)
{
	int r = begin(w);

	if (r == 0)
		r = write_parts(w);
	if (r == 0)
		r = end(w);
	/* What is written already must not pass for all of it, unless nobody takes it any more. */
	if (r != 0 && w->begun && !ferror(w->session->out) &&
	    completeness_add_unread(&w->completeness) < 0)
		return -ENOMEM;
	return w->begun ? writer_end(&w->writer, r) : r;
}

static int run(struct session *s)
{
	struct window w = {.session = s, .nothing = true};
	int r;

	if (s->flags.operand_count)
		return usage("window takes no '%s'; name times by --since and --until",
			     s->flags.operands[0]);
	if (!s->flags.since && !s->flags.until && !s->flags.boot.count)
		return usage("window needs --since, --until or --boot");
	r = session_writer(s, &w.writer);
	if (r == 0)
		r = selection_init(&w.selection, s);
	if (r == 0)
		r = selection_push(&w.selection);
	if (r == 0)
		r = write_window(&w);
	if (r == 0)
		r = session_outcome(s, &w.completeness, !w.nothing);
	window_deinit(&w);
	return r;
}

const struct command cmd_window = {
	.name = "window",
	.summary = "what started, executed or ended between two times",
	.help = "Shows the forest of processes that had an event in the window: a start, an exec "
		"or\n"
		"an end. Their ancestors are shown as context, dimmed. Times are as journalctl\n"
		"takes them ('-1h', 'yesterday', '10:00', '2026-01-31 03:00') or RFC 3339.\n",
	.options = FLAGS_COMMON | FLAGS_OUTPUT | FLAGS_TIME | FLAGS_WINDOW | FLAGS_FOLD |
		   FLAGS_SELECT,
	.run = run,
};
