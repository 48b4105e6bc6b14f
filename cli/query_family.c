/* SPDX-License-Identifier: Apache-2.0 */
/* Who descends from a process and from whom it descends. Ends also in the rings of a damaged file.
 */
#include "cli/query_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Ids this close are asked for by one statement, though what lies between is a row, or the children
 * of one, read for nothing: a step costs less than a seek.
 */
#define IDS_GAP_MAX 4

static int compare_numbers(const void *first, const void *second)
{
	const int64_t *a = first, *b = second;

	return *a < *b ? -1 : *a > *b;
}

/* A family while only its ids are known: rows are read at the end, in the order of the table. */
struct family {
	struct query *query;
	struct process_list *list;
	enum query_statement children;
	struct idmap seen; /* ids, of the process itself too, with 1 and their level */
	int64_t *ids;
	size_t count, size;
	struct id_run *runs; /* of some, to read these ahead */
	size_t runs_count;
	uintptr_t level; /* of those that are being added; the process itself has 0 */
};

static int family_add(struct family *f, int64_t id)
{
	int r = idmap_put(&f->seen, id, (void *)(f->level + 1));

	if (r < 0)
		return r;
	if (f->count == f->size) {
		size_t size = f->size ? f->size * 2 : 64;
		int64_t *more = reallocarray(f->ids, size, sizeof(*more));

		if (!more)
			return -ENOMEM;
		f->ids = more;
		f->size = size;
	}
	f->ids[f->count++] = id;
	return 0;
}

/* A run of ids may lie around one that was added with this level: its children are of the next. */
static bool is_above(const struct family *f, int64_t id)
{
	uintptr_t level = (uintptr_t)idmap_get(&f->seen, id);

	return level && level <= f->level;
}

/* Children of the ids from first to last, of those that belong to the family and are not in it yet.
 */
static int add_children(struct family *f, int64_t first, int64_t last)
{
	sqlite3_stmt *stmt;
	int r, rc;

	r = query_prepare(f->query, f->children, &stmt);
	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, first);
	sqlite3_bind_int64(stmt, 2, last);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(stmt, 1);

		if (is_above(f, sqlite3_column_int64(stmt, 0)) && !idmap_get(&f->seen, id))
			r = family_add(f, id);
		if (r < 0)
			break;
	}
	sqlite3_reset(stmt);
	return r < 0 ? r : query_step_error(f->query, rc);
}

static int add_run(struct family *f, int64_t first, int64_t last)
{
	/* Ids are what the file says; the greatest of all is then read when it is asked for. */
	f->runs[f->runs_count++] = (struct id_run){first, last < INT64_MAX ? last + 1 : last};
	return 0;
}

static int add_rows(struct family *f, int64_t first, int64_t last)
{
	struct process *p;
	sqlite3_stmt *stmt;
	int r, rc;

	r = query_prepare(f->query, QUERY_RANGE, &stmt);
	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, first);
	sqlite3_bind_int64(stmt, 2, last);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (!idmap_get(&f->seen, sqlite3_column_int64(stmt, 0)))
			continue;
		r = query_row(f->query, stmt, &p);
		if (r == 0)
			r = process_list_add(f->list, p);
		if (r < 0)
			break;
	}
	sqlite3_reset(stmt);
	return r < 0 ? r : query_step_error(f->query, rc);
}

/*
 * Near ids, from first on, are asked for at once: most processes have no child, and asking costs
 * more than stepping over a row.
 */
static int in_runs(struct family *f, size_t first, size_t end,
		   int (*fn)(struct family *f, int64_t first, int64_t last))
{
	size_t next;
	int r = 0;

	qsort(f->ids + first, end - first, sizeof(*f->ids), compare_numbers);
	for (; r == 0 && first < end; first = next) {
		for (next = first + 1; next < end; next++) {
			if ((uint64_t)f->ids[next] - (uint64_t)f->ids[next - 1] > IDS_GAP_MAX)
				break;
		}
		r = fn(f, f->ids[first], f->ids[next - 1]);
	}
	return r;
}

static void read_ahead(struct family *f, size_t first, size_t end)
{
	if (!query_is_cold(f->query))
		return;
	f->runs = calloc(end - first, sizeof(*f->runs));
	f->runs_count = 0;
	if (f->runs && in_runs(f, first, end, add_run) == 0)
		query_ahead(f->query,
			    &(struct query_ahead){f->runs, f->runs_count, NULL, &f->seen});
	free(f->runs);
}

static int read_rows(struct family *f)
{
	size_t first = 0, end;
	int r = 0;

	qsort(f->ids, f->count, sizeof(*f->ids), compare_numbers);
	for (; r == 0 && first < f->count; first = end) {
		end = f->count - first > QUERY_AHEAD_IDS ? first + QUERY_AHEAD_IDS : f->count;
		read_ahead(f, first, end);
		r = in_runs(f, first, end, add_rows);
	}
	return r;
}

static int add_family(struct query *q, const struct process *p, enum query_statement children,
		      unsigned int depth, struct process_list *list)
{
	struct family f = {.query = q, .list = list, .children = children};
	size_t start = 0;
	int r = family_add(&f, p->id);

	while (r == 0 && start < f.count && (!depth || f.level < depth)) {
		size_t end = f.count;

		f.level++;
		r = in_runs(&f, start, end, add_children);
		start = end;
	}
	/* The process itself only began it. */
	if (r == 0 && f.count > 1) {
		memmove(f.ids, f.ids + 1, --f.count * sizeof(*f.ids));
		idmap_deinit(&f.seen);
		for (size_t i = 0; r == 0 && i < f.count; i++)
			r = idmap_put(&f.seen, f.ids[i], &f);
		if (r == 0)
			r = read_rows(&f);
	}
	idmap_deinit(&f.seen);
	free(f.ids);
	return r;
}

int query_descendants(struct query *q, struct process *p, unsigned int depth,
		      struct process_list *list)
{
	return add_family(q, p, QUERY_CHILDREN, depth, list);
}

int query_last_descendants(struct query *q, struct process *p, unsigned int depth,
			   struct process_list *list)
{
	return add_family(q, p, QUERY_CHILDREN_LAST, depth, list);
}

int query_ancestors(struct query *q, struct process *p, unsigned int limit,
		    struct process_list *list)
{
	struct idmap seen = {0};
	int r = idmap_put(&seen, p->id, p);

	for (unsigned int n = 0; r == 0 && p->parent_id && (!limit || n < limit); n++) {
		r = query_process(q, p->parent_id, &p);
		if (r == 0 && idmap_get(&seen, p->id))
			break;
		if (r == 0)
			r = idmap_put(&seen, p->id, p);
		if (r == 0)
			r = process_list_add(list, p);
	}
	idmap_deinit(&seen);
	/* A parent that retention removed ends the line; it is counted elsewhere. */
	return r > 0 ? 0 : r;
}
