/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/gather.h"

#include <errno.h>
#include <stdlib.h>

#include "cli/arena.h"
#include "cli/parts.h"
#include "cli/tree.h"
#include "schema/cleanup.h"

static int add_context(struct query *q, const struct moment *moment, struct process_list *list,
		       size_t first)
{
	struct idmap seen = {0};
	size_t generation = first;
	int r = 0;

	for (size_t i = first; r == 0 && i < list->count; i++) {
		if (list->item[i]->db == q)
			r = idmap_put(&seen, list->item[i]->id, list->item[i]);
	}
	for (size_t i = first; r == 0 && i < list->count; i++) {
		struct process *p = list->item[i];
		int64_t id = p->parent_id;

		if (i == generation) {
			query_ahead_parents(q, list, i);
			generation = list->count;
		}
		/* Ids are unique within a database only. */
		if (p->db != q)
			continue;
		if (moment) {
			r = query_execs_of(q, p);
			id = r == 0 ? moment_reaper(p, (void *)moment) : 0;
		}
		if (!id || idmap_get(&seen, id))
			continue;
		r = query_process(q, id, &p);
		if (r > 0) {
			r = 0;
			continue;
		}
		if (r == 0)
			r = idmap_put(&seen, p->id, p);
		if (r == 0)
			r = process_list_add(list, p);
	}
	idmap_deinit(&seen);
	return r;
}

int gather_context(struct query *q, struct process_list *list, size_t first)
{
	return add_context(q, NULL, list, first);
}

int gather_reaper_context(struct query *q, const struct moment *moment, struct process_list *list,
			  size_t first)
{
	return add_context(q, moment, list, first);
}

int gather_filter(struct selection *selection, struct process_list *list, size_t first)
{
	size_t kept = first;

	for (size_t i = first; i < list->count; i++) {
		int r = selection_matches(selection, list->item[i]);

		if (r < 0)
			return r;
		if (r == 0)
			continue;
		list->item[i]->selected = true;
		list->item[kept++] = list->item[i];
	}
	list->count = kept;
	return 0;
}

/* Ids first: what a scan hands out does not last. */
static int scan_ids(struct selection *selection, struct query *q, int64_t **ret_ids,
		    size_t *ret_count)
{
	CLEANUP_FREE int64_t *ids = NULL;
	size_t count = 0, size = 0;
	struct query_scan *scan;
	struct process p;
	int r = query_scan_open(q, false, &scan);

	if (r < 0)
		return r;
	while ((r = query_scan_next(scan, &p)) == 0) {
		r = selection_matches(selection, &p);
		if (r < 0)
			break;
		if (r == 0)
			continue;
		if (count == size) {
			int64_t *more = reallocarray(ids, size ? size * 2 : 256, sizeof(*ids));

			size = size ? size * 2 : 256;
			if (!more) {
				r = -ENOMEM;
				break;
			}
			ids = more;
		}
		ids[count++] = p.id;
	}
	query_scan_free(scan);
	if (r < 0)
		return r;
	*ret_ids = TAKE_PTR(ids);
	*ret_count = count;
	return 0;
}

int gather_matching(struct session *s, struct selection *selection, struct query *q,
		    struct process_list *list)
{
	CLEANUP_FREE int64_t *ids = NULL;
	size_t count = 0;
	int r = scan_ids(selection, q, &ids, &count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		struct process *p;

		r = query_process(q, ids[i], &p);
		if (r == 0 && selection_in_time(&s->flags, p)) {
			p->selected = true;
			r = process_list_add(list, p);
		}
	}
	return r < 0 ? r : 0;
}

/* As if it had never been anything else. */
static int matches_at(struct selection *selection, const struct moment *moment, struct process *p)
{
	struct process then;
	struct exec image;
	int64_t at;
	int r;

	if (!moment_of_life(moment, p, false, &at))
		return 0;
	r = moment_image(p, at, &image);
	if (r < 0)
		return r;
	then = *p;
	moment_put_image(&then, &image);
	then.birth_context = image.context;
	then.execs = NULL;
	then.exec_count = 0;
	return selection_matches(selection, &then);
}

int gather_alive_at(struct session *s, struct query *q, const struct moment *m,
		    struct process_list *list)
{
	CLEANUP_FREE struct boot_range *ranges = NULL;
	size_t count;
	int r = query_ranges(q, m->unix_ns, m->unix_ns + 1, &ranges, &count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		/* From included: who started at that very nanosecond was there. */
		struct boot_range moment = {ranges[i].boot, ranges[i].to_ns, ranges[i].to_ns};

		if (session_wants_boot(s, moment.boot))
			r = query_running(q, &moment, list);
	}
	/* A clock that was stepped back showed the time twice. */
	process_list_unique(list);
	return r;
}

int gather_matching_at(struct selection *selection, struct query *q, const struct moment *m,
		       struct process_list *list)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < m->alive.count; i++) {
		struct process *p = m->alive.item[i];

		r = p->db == q ? matches_at(selection, m, p) : 0;
		if (r != 1)
			continue;
		p->selected = true;
		r = process_list_add(list, p);
	}
	return r < 0 ? r : 0;
}

/* Of this boot, and p in any case. */
static int list_alive(struct process *p, const struct moment *m, struct process_list *list)
{
	int r = process_list_add(list, p);

	for (size_t i = 0; r == 0 && i < m->alive.count; i++) {
		struct process *other = m->alive.item[i];

		if (other->boot == p->boot && other != p && moment_alive(m, other))
			r = process_list_add(list, other);
	}
	/* By their images they are hung. */
	return r < 0 ? r : query_load_execs(p->db, list);
}

/* Also where nobody knows: a line of birth that breaks off may have led there. */
static bool may_be_born_below(const struct process *p, int64_t id)
{
	struct process *above;

	for (int i = 0; p->parent_id && p->parent_id != id && i < ANCESTORS_MAX; i++) {
		if (query_process(p->db, p->parent_id, &above) != 0)
			return true;
		p = above;
	}
	/* The first of a boot, and the first of its kernel threads, have no parent. */
	return p->parent_id == id || (!p->parent_id && p->pid != 1 && p->pid != 2);
}

int gather_below(struct process *p, const struct moment *m, unsigned int depth,
		 struct process_list *list, struct completeness *completeness)
{
	struct process_list alive = {0};
	struct forest forest = {0};
	int r = list_alive(p, m, &alive);

	if (r == 0)
		r = forest_build(&alive, moment_reaper, (void *)m, &forest);
	if (r == 0) {
		const struct node *top = &forest.nodes[0], *n = top;

		while (r == 0 && (n = forest_next(&forest, n)) && n->depth > top->depth) {
			if (!depth || n->depth - top->depth <= depth)
				r = process_list_add(list, n->process);
		}
	}
	for (const struct node *n = forest.first_root; r == 0 && n; n = n->next) {
		if (n->process != p && moment_is_orphan(m, n->process) &&
		    may_be_born_below(n->process, p->id))
			completeness_count_orphan(completeness, n->process);
	}
	forest_deinit(&forest);
	process_list_deinit(&alive);
	return r;
}

int gather_reapers(struct process *p, const struct moment *moment, unsigned int limit,
		   struct process_list *list)
{
	struct idmap seen = {0};
	int r = idmap_put(&seen, p->id, p);

	for (unsigned int n = 0; r == 0 && (!limit || n < limit); n++) {
		int64_t id;

		r = query_execs_of(p->db, p);
		id = r == 0 ? moment_reaper(p, (void *)moment) : 0;
		if (!id || idmap_get(&seen, id))
			break;
		r = query_process(p->db, id, &p);
		if (r == 0)
			r = idmap_put(&seen, id, p);
		if (r == 0)
			r = process_list_add(list, p);
	}
	idmap_deinit(&seen);
	return r > 0 ? 0 : r;
}

int gather_line(struct process *p, struct completeness *completeness)
{
	struct process_list line = {0};
	int r = query_ancestors(p->db, p, 0, &line);

	if (r == 0)
		r = completeness_add_line(completeness, p, &line);
	process_list_deinit(&line);
	return r;
}

int gather_details(struct query *q, struct process_list *list)
{
	int r = query_load_execs(q, list);

	return r < 0 ? r : query_load_pruned(q, list);
}

int gather_failed_shapes(struct process_list *list)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < list->count; i++) {
		struct process *p = list->item[i];
		struct exec_failure *failures;
		uint64_t shape = 0;
		size_t count;

		r = query_failures_of(p->db, p, &failures, &count);
		for (size_t k = 0; r == 0 && k < count; k++) {
			const uint64_t seen[] = {shape, (uint64_t)failures[k].error,
						 (uint64_t)(uintptr_t)failures[k].image};

			shape = text_hash((const char *)seen, sizeof(seen));
		}
		p->failed_shape = shape;
	}
	return r;
}

int gather_range(const struct session *s, struct query *q, const struct boot_range *range,
		 struct process_list *list)
{
	int r = query_window(q, range, list);

	return r == 0 && s->flags.failed ? query_failed(q, range, list) : r;
}

/* What one walk over databases is about. */
struct walk {
	struct session *session;
	struct selection *selection;
	struct query *const *db;
	unsigned int db_count;
	bool newest_first;
	gather_fn fn;
	void *userdata;
	struct query *failed; /* the database that an error is of; NULL: it is of none */
};

static int judge(struct walk *w, struct process *p)
{
	int r = selection_matches(w->selection, p);

	w->failed = r < 0 ? p->db : NULL;
	return r == 1 ? w->fn(p, w->userdata) : r;
}

static int visit_list(struct walk *w, struct process_list *list)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < w->db_count; i++) {
		w->failed = w->db[i];
		r = query_load_execs(w->db[i], list);
	}
	process_list_by_time(list);
	for (size_t i = 0; r == 0 && i < list->count; i++)
		r = judge(w, list->item[w->newest_first ? list->count - 1 - i : i]);
	list->count = 0;
	for (unsigned int i = 0; i < w->db_count; i++)
		query_trim(w->db[i]);
	return r;
}

static int add_before(struct walk *w, struct query *q, const struct parts *parts,
		      struct process_list *list)
{
	CLEANUP_FREE struct boot_range *ranges = NULL;
	size_t count;
	int r = query_ranges(q, parts->since_unix_ns, parts->until_unix_ns, &ranges, &count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		r = query_before(q, &ranges[i], ranges[i].from_ns, list);
		if (r == 0 && w->session->flags.failed)
			r = query_failed(q, &ranges[i], list);
	}
	return r;
}

/* Those that were there before the window and had an event in it: as many as ran at one time. */
static int visit_before(struct walk *w, const struct parts *parts)
{
	struct process_list list = {0};
	size_t kept = 0;
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < w->db_count; i++) {
		w->failed = w->db[i];
		r = add_before(w, w->db[i], parts, &list);
	}
	/* Who started between two ranges of a stepped clock comes with its part. */
	for (size_t i = 0; i < list.count; i++) {
		int64_t start = list.item[i]->start_unix_ns;

		if ((parts->since_unix_ns == UNKNOWN || start >= parts->since_unix_ns) &&
		    (parts->until_unix_ns == UNKNOWN || start < parts->until_unix_ns))
			continue;
		list.item[kept++] = list.item[i];
	}
	list.count = kept;
	if (r == 0)
		r = visit_list(w, &list);
	process_list_deinit(&list);
	return r;
}

static int add_part(struct query *q, const struct parts *parts, size_t part,
		    struct process_list *list)
{
	CLEANUP_FREE struct boot_range *ranges = NULL;
	int64_t since, until;
	size_t count;
	int r;

	parts_range(parts, part, &since, &until);
	r = query_ranges(q, since, until, &ranges, &count);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = query_started(q, &ranges[i], list);
	return r;
}

static int visit_part(struct walk *w, const struct parts *parts, size_t part)
{
	struct process_list list = {0};
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < w->db_count; i++) {
		w->failed = w->db[i];
		r = add_part(w->db[i], parts, part, &list);
	}
	if (r == 0)
		r = visit_list(w, &list);
	process_list_deinit(&list);
	return r;
}

static int walk_window(struct walk *w, int64_t since, int64_t until)
{
	struct parts parts;
	int r = parts_init(&parts, w->session, w->db, w->db_count, since, until);

	if (r < 0)
		return r;
	if (!w->newest_first)
		r = visit_before(w, &parts);
	for (size_t i = 0; r == 0 && i < parts.count; i++) {
		parts_progress(&parts, w->db[0], i);
		r = visit_part(w, &parts, w->newest_first ? parts.count - 1 - i : i);
	}
	if (r == 0 && w->newest_first)
		r = visit_before(w, &parts);
	parts_deinit(&parts);
	return r;
}

static int walk_all(struct walk *w)
{
	struct query *q = w->db[0];
	struct query_scan *scan;
	struct process p;
	int r = query_scan_open(q, w->newest_first, &scan);

	if (r < 0)
		return r;
	while ((r = query_scan_next(scan, &p)) == 0) {
		r = selection_matches(w->selection, &p);
		if (r == 1)
			r = query_execs_of(q, &p);
		else if (r == 0)
			continue;
		if (r == 0)
			r = w->fn(&p, w->userdata);
		if (r != 0)
			break;
	}
	query_scan_free(scan);
	return r < 0 ? r : 0;
}

int gather_each(struct session *s, struct selection *selection, struct query *q, int64_t since,
		int64_t until, bool newest_first, gather_fn fn, void *userdata)
{
	struct walk walk = {s, selection, &q, 1, newest_first, fn, userdata, NULL};
	int r = since == UNKNOWN && until == UNKNOWN ? walk_all(&walk)
						     : walk_window(&walk, since, until);

	return r < 0 ? r : 0;
}

int gather_in_order(struct session *s, struct selection *selection, bool newest_first, gather_fn fn,
		    void *userdata, struct query **ret_failed)
{
	struct walk walk = {s, selection, s->db, s->db_count, newest_first, fn, userdata, NULL};
	int r = walk_window(&walk, s->flags.since_unix_ns, s->flags.until_unix_ns);

	*ret_failed = r < 0 ? walk.failed : NULL;
	return r < 0 ? r : 0;
}
