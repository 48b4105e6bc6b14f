/* SPDX-License-Identifier: Apache-2.0 */
/* search: every process that matches, one line each, as it is found. */
#include <errno.h>
#include <stdlib.h>

#include "cli/gather.h"
#include "schema/cleanup.h"

struct search {
	struct session *session;
	struct selection selection;
	struct writer writer;
	struct answer answer;
	struct completeness completeness;
	int64_t found, limit; /* limit 0: none */
	bool more;	      /* there was one beyond the limit */
};

static int emit(struct search *s, struct process *p)
{
	struct node node = {.process = p, .same = 1};
	struct process_list one = {&p, 1, 0};
	int r;

	session_end_progress(s->session);
	p->selected = true;
	r = query_execs_of(p->db, p);
	if (r == 0)
		r = query_load_pruned(p->db, &one);
	if (r == 0)
		r = completeness_count_process(&s->completeness, p);
	return r < 0 ? r : s->writer.ops->process(&s->writer, &node);
}

/* 1: matches and lies in the time asked for. */
static int accept(struct search *s, struct process *p)
{
	const struct flags *f = &s->session->flags;
	int r;

	if (f->since || f->until) {
		r = query_execs_of(p->db, p);
		if (r < 0 || !selection_in_time(f, p))
			return r;
	}
	return selection_matches(&s->selection, p);
}

/* What an index finds: by pid or by time. Sorted, then cut. */
static int from_list(struct search *s, struct process_list *list)
{
	bool reverse = s->session->flags.reverse;
	size_t first = 0, kept = 0;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < list->count; i++) {
		r = accept(s, list->item[i]);
		if (r == 1)
			list->item[kept++] = list->item[i];
	}
	list->count = kept;
	process_list_sort(list);
	if (r >= 0 && s->limit && kept > (size_t)s->limit) {
		s->more = true;
		first = kept - (size_t)s->limit;
	}
	for (size_t i = first; r >= 0 && i < kept; i++) {
		s->found++;
		r = emit(s, list->item[reverse ? kept - 1 - (i - first) : i]);
	}
	return r < 0 ? r : 0;
}

/* Every row: in the order of recording, each printed at once. */
static int from_scan(struct search *s, struct query *q, bool newest_first)
{
	struct query_scan *scan;
	struct process p;
	int r = query_scan_open(q, newest_first, &scan);

	if (r < 0)
		return r;
	while ((r = query_scan_next(scan, &p)) == 0) {
		r = selection_matches(&s->selection, &p);
		if (r == 0)
			continue;
		if (r == 1 && s->limit && s->found == s->limit) {
			s->more = true;
			break;
		}
		s->found++;
		r = r < 0 ? r : emit(s, &p);
		if (r < 0)
			break;
	}
	query_scan_free(scan);
	return r < 0 ? r : 0;
}

/* The newest N, oldest first: their ids are found from the end, then read again. */
static int from_end(struct search *s, struct query *q)
{
	CLEANUP_FREE int64_t *ids = NULL;
	int64_t count = 0, size = 0;
	struct query_scan *scan;
	struct process p, *again;
	int r = query_scan_open(q, true, &scan);

	if (r < 0)
		return r;
	while (!s->more && (r = query_scan_next(scan, &p)) == 0) {
		r = selection_matches(&s->selection, &p);
		if (r < 0)
			break;
		if (r == 0)
			continue;
		s->more = count == s->limit;
		if (count == size) {
			int64_t *more;

			size = size ? size * 2 : 64;
			more = reallocarray(ids, (size_t)size, sizeof(*ids));
			if (!more) {
				r = -ENOMEM;
				break;
			}
			ids = more;
		}
		ids[count++] = p.id;
	}
	query_scan_free(scan);
	count -= s->more;
	for (r = r < 0 ? r : 0; r == 0 && count > 0; s->found++) {
		r = query_process(q, ids[--count], &again);
		if (r == 0)
			r = emit(s, again);
	}
	return r < 0 ? r : 0;
}

static int add_window(struct session *s, struct query *q, struct process_list *list)
{
	CLEANUP_FREE struct boot_range *ranges = NULL;
	size_t count;
	int r = query_ranges(q, s->flags.since_unix_ns, s->flags.until_unix_ns, &ranges, &count);

	for (size_t i = 0; r == 0 && i < count; i++)
		r = gather_range(s, q, &ranges[i], list);
	return r;
}

static int search_database(struct search *s, struct query *q)
{
	const struct flags *f = &s->session->flags;
	struct process_list list = {0};
	int r = 0;

	if (f->pid.count) {
		for (unsigned int i = 0; r == 0 && i < f->pid.count; i++)
			r = query_by_pid(q, atoll(f->pid.item[i]), &list);
		process_list_unique(&list);
	} else if (f->since || f->until) {
		r = add_window(s->session, q, &list);
	} else {
		return f->limit.given && !f->reverse ? from_end(s, q) : from_scan(s, q, f->reverse);
	}
	if (r == 0)
		r = from_list(s, &list);
	process_list_deinit(&list);
	return r;
}

static int finish(struct search *s)
{
	struct session *session = s->session;
	int r = 0, ended;

	for (unsigned int i = 0; r == 0 && i < session->db_count; i++)
		r = completeness_add_range(&s->completeness, session->db[i],
					   session->flags.since_unix_ns,
					   session->flags.until_unix_ns, session->now_unix_ns,
					   NULL);
	if (r == 0)
		r = completeness_end_processes(&s->completeness);
	if (r == 0 && s->more)
		r = completeness_add_limit(&s->completeness, s->limit);
	session_end_progress(session);
	ended = s->writer.ops->end(&s->writer);
	return r < 0 ? r : ended;
}

static int run(struct session *session)
{
	struct search s = {.session = session, .limit = session->flags.limit.value};
	int r = session_writer(session, &s.writer);

	if (r == 0)
		r = selection_init(&s.selection, session);
	if (r != 0)
		return r;
	s.answer = (struct answer){
		.verb = "search",
		.since_unix_ns = session->flags.since_unix_ns,
		.until_unix_ns = session->flags.until_unix_ns,
		.at_unix_ns = UNKNOWN,
		.running = UNKNOWN,
		.failures = session->flags.failed,
		.completeness = &s.completeness,
	};
	s.writer.answer = &s.answer;
	r = s.writer.ops->begin(&s.writer, &s.answer);
	for (unsigned int i = 0; r == 0 && i < session->db_count; i++) {
		r = search_database(&s, session->db[i]);
		if (r < 0 && r != -EPIPE)
			r = fail_database(query_path(session->db[i]), r,
					  query_errmsg(session->db[i]));
	}
	if (r == 0)
		r = finish(&s);
	if (r == 0)
		r = s.found ? session_status(session, &s.completeness) : EXIT_NOTHING;
	completeness_deinit(&s.completeness);
	selection_deinit(&s.selection);
	return r;
}

const struct command cmd_search = {
	.name = "search",
	.summary = "every process that matches, one line each",
	.help = "Finds processes by pid, name, executable, command line, user, terminal, "
		"container,\n"
		"exit and more; earlier images of a process count too. Different options must all\n"
		"hold; of one given several times, any. With -n the newest N.\n",
	.options = FLAGS_COMMON | FLAGS_OUTPUT | FLAGS_TIME | FLAGS_SELECT | FLAGS_LIMIT,
	.run = run,
};
