/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/gather.h"

#include <errno.h>
#include <stdlib.h>

#include "cli/arena.h"
#include "schema/cleanup.h"

int gather_context(struct query *q, struct process_list *list, size_t first)
{
	struct idmap seen = {0};
	int r = 0;

	for (size_t i = first; r == 0 && i < list->count; i++)
		r = idmap_put(&seen, list->item[i]->id, list->item[i]);
	for (size_t i = first; r == 0 && i < list->count; i++) {
		struct process *p = list->item[i];

		if (!p->parent_id || idmap_get(&seen, p->parent_id))
			continue;
		r = query_process(q, p->parent_id, &p);
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

int gather_alive_at(struct session *s, struct query *q, int64_t unix_ns, struct process_list *list)
{
	CLEANUP_FREE struct boot_range *ranges = NULL;
	size_t count, first = list->count;
	int r = query_ranges(q, unix_ns, unix_ns + 1, &ranges, &count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		/* From included: who started at that very nanosecond was there. */
		struct boot_range moment = {ranges[i].boot, ranges[i].to_ns, ranges[i].to_ns};

		if (session_wants_boot(s, moment.boot))
			r = query_running(q, &moment, list);
	}
	for (size_t i = first; i < list->count; i++)
		list->item[i]->selected = true;
	return r;
}

int gather_details(struct query *q, struct process_list *list)
{
	int r = query_load_execs(q, list);

	return r < 0 ? r : query_load_pruned(q, list);
}

int gather_range(const struct session *s, struct query *q, const struct boot_range *range,
		 struct process_list *list)
{
	int r = query_window(q, range, list);

	return r == 0 && s->flags.failed ? query_failed(q, range, list) : r;
}

static int each_in_window(struct selection *selection, struct query *q, int64_t since,
			  int64_t until, int (*fn)(struct process *p, void *userdata),
			  void *userdata)
{
	CLEANUP_FREE struct boot_range *ranges = NULL;
	struct process_list list = {0};
	size_t count;
	int r = query_ranges(q, since, until, &ranges, &count);

	for (size_t i = 0; r == 0 && i < count; i++)
		r = gather_range(selection->session, q, &ranges[i], &list);
	if (r == 0)
		r = query_load_execs(q, &list);
	process_list_unique(&list);
	for (size_t i = 0; r == 0 && i < list.count; i++) {
		r = selection_matches(selection, list.item[i]);
		if (r == 1)
			r = fn(list.item[i], userdata);
	}
	process_list_deinit(&list);
	return r;
}

int gather_each(struct session *s, struct selection *selection, struct query *q, int64_t since,
		int64_t until, int (*fn)(struct process *p, void *userdata), void *userdata)
{
	struct query_scan *scan;
	struct process p;
	int r;

	if (since != UNKNOWN || until != UNKNOWN)
		return each_in_window(selection, q, since, until, fn, userdata);
	r = query_scan_open(q, false, &scan);
	if (r < 0)
		return r;
	while ((r = query_scan_next(scan, &p)) == 0) {
		r = selection_matches(selection, &p);
		if (r == 1)
			r = query_execs_of(q, &p);
		else if (r == 0)
			continue;
		if (r == 0)
			r = fn(&p, userdata);
		if (r < 0)
			break;
	}
	query_scan_free(scan);
	return r < 0 ? r : 0;
}
