/* SPDX-License-Identifier: Apache-2.0 */
/* search: every process that matches, one line each, as it is found. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

/* Each names one process: where that is there, nothing else can be missing. */
static bool names_starts(const struct flags *f)
{
	for (unsigned int i = 0; i < f->pid.count; i++) {
		const char *at = strchr(f->pid.item[i], '@');

		if (!at || !at[1] || at[1 + strspn(at + 1, "0123456789")])
			return false;
	}
	return f->pid.count > 0;
}

/* The processes of these pids: few, with their time checked one by one. */
static int find_pids(struct search *s, struct query *q, struct process_list *list)
{
	const struct flags *f = &s->session->flags;
	struct process_list had = {0};
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < f->pid.count; i++)
		r = query_by_pid(q, atoll(f->pid.item[i]), &had);
	process_list_unique(&had);
	for (size_t i = 0; r >= 0 && i < had.count; i++) {
		r = query_execs_of(q, had.item[i]);
		if (r == 0 && selection_in_time(f, had.item[i]))
			r = selection_matches(&s->selection, had.item[i]);
		if (r == 1)
			r = process_list_add(list, had.item[i]);
	}
	process_list_deinit(&had);
	return r < 0 ? r : 0;
}

static int from_pids(struct search *s, struct query **failed)
{
	struct session *session = s->session;
	struct process_list list = {0};
	size_t first = 0;
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < session->db_count; i++) {
		*failed = session->db[i];
		r = find_pids(s, session->db[i], &list);
	}
	process_list_by_time(&list);
	if (s->limit && list.count > (size_t)s->limit) {
		s->more = true;
		first = list.count - (size_t)s->limit;
	}
	for (size_t i = first; r == 0 && i < list.count; i++) {
		struct process *p =
			list.item[session->flags.reverse ? list.count - 1 - (i - first) : i];

		*failed = NULL;
		s->found++;
		r = emit(s, p);
		if (r == 0 && names_starts(&session->flags))
			r = completeness_add_life(&s->completeness, p, s->session->now_unix_ns);
	}
	process_list_deinit(&list);
	return r;
}

/* Each printed as it is found. */
static int found(struct process *p, void *userdata)
{
	struct search *s = userdata;

	if (s->limit && s->found == s->limit) {
		s->more = true;
		return 1;
	}
	s->found++;
	return emit(s, p);
}

struct newest {
	struct search *search;
	struct found {
		struct query *db;
		int64_t id;
	} * item;
	int64_t count, size;
};

static int keep(struct process *p, void *userdata)
{
	struct newest *n = userdata;

	if (n->count == n->search->limit) {
		n->search->more = true;
		return 1;
	}
	if (n->count == n->size) {
		int64_t size = n->size ? n->size * 2 : 64;
		struct found *more = reallocarray(n->item, (size_t)size, sizeof(*more));

		if (!more)
			return -ENOMEM;
		n->item = more;
		n->size = size;
	}
	n->item[n->count++] = (struct found){p->db, p->id};
	return 0;
}

/* The newest N, oldest first: their ids are found from the end, then read again. */
static int from_end(struct search *s, struct query **failed)
{
	struct newest n = {.search = s};
	struct process *p;
	int r = gather_in_order(s->session, &s->selection, true, keep, &n, failed);

	for (; r == 0 && n.count > 0; s->found++) {
		const struct found *next = &n.item[--n.count];

		*failed = next->db;
		r = query_process(next->db, next->id, &p);
		if (r != 0)
			break;
		*failed = NULL;
		r = emit(s, p);
	}
	free(n.item);
	return r > 0 ? SCHEMA_E_NOT_DB : r;
}

static int search(struct search *s)
{
	const struct flags *f = &s->session->flags;
	struct query *failed = NULL;
	int r;

	if (f->pid.count)
		r = from_pids(s, &failed);
	else if (s->limit && !f->reverse)
		r = from_end(s, &failed);
	else
		r = gather_in_order(s->session, &s->selection, f->reverse, found, s, &failed);
	if (r < 0 && failed)
		r = fail_database(query_path(failed), r, query_errmsg(failed));
	return r;
}

static int finish(struct search *s)
{
	struct session *session = s->session;
	int r = 0, ended;
	bool by_name;

	by_name = names_starts(&session->flags) && s->found >= session->flags.pid.count;
	for (unsigned int i = 0; r == 0 && !by_name && i < session->db_count; i++)
		r = session_add_time(session, &s->completeness, session->db[i],
				     session->flags.since_unix_ns, session->flags.until_unix_ns,
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
	if (r == 0)
		r = selection_push(&s.selection);
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
	if (r == 0)
		r = search(&s);
	if (r == 0)
		r = finish(&s);
	if (r == 0)
		r = session_outcome(session, &s.completeness, s.found > 0);
	completeness_deinit(&s.completeness);
	selection_deinit(&s.selection);
	return r;
}

const struct command cmd_search = {
	.name = "search",
	.summary = "every process that matches, one line each",
	.help = "Finds processes by pid, name, executable, command line, user, terminal, "
		"container,\n"
		"exit and more; earlier images of a process count too, each with who ran it.\n"
		"Different options must all hold; of one given several times, any. With -n the\n"
		"newest N.\n",
	.options = FLAGS_COMMON | FLAGS_OUTPUT | FLAGS_TIME | FLAGS_SELECT | FLAGS_LIMIT,
	.run = run,
};
