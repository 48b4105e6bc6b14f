/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes by time. process_row has no full index on time: most lives are short, so an event lies
 * near its process's start, and starts are found through `zone`. Only lives and waits for exec
 * longer than SCHEMA_LATE_NS are indexed.
 */
#include "cli/query_internal.h"

#include <errno.h>

#include "schema/cleanup.h"

struct id_runs {
	struct id_run *item; /* in the arena */
	size_t count;
};

static int64_t before_late(int64_t from_ns)
{
	return from_ns > INT64_MIN + SCHEMA_LATE_NS ? from_ns - SCHEMA_LATE_NS : INT64_MIN;
}

/* The ids among which lie all processes of the boot that started in [from, to). */
static int find_runs(struct query *q, const struct boot *boot, int64_t from_ns, int64_t to_ns,
		     struct id_runs *ret_runs)
{
	struct id_runs runs = {0};
	size_t size = 0;
	sqlite3_stmt *stmt;
	int r, rc;

	r = query_prepare(q, QUERY_ZONES, &stmt);
	if (r < 0)
		return r;
	sqlite3_bind_int(stmt, 1, boot->number);
	sqlite3_bind_int64(stmt, 2, from_ns);
	sqlite3_bind_int64(stmt, 3, to_ns);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		int64_t zone = sqlite3_column_int64(stmt, 0);
		struct id_run run = {(int64_t)((uint64_t)zone << SCHEMA_ZONE_SHIFT),
				     (int64_t)(((uint64_t)zone + 1) << SCHEMA_ZONE_SHIFT)};

		if (runs.count && runs.item[runs.count - 1].end == run.first) {
			runs.item[runs.count - 1].end = run.end;
			continue;
		}
		if (runs.count == size) {
			struct id_run *more;

			more = arena_alloc(&q->arena, (size * 2 + 4) * sizeof(*more));
			if (!more)
				return -ENOMEM;
			for (size_t i = 0; i < runs.count; i++)
				more[i] = runs.item[i];
			runs.item = more;
			size = size * 2 + 4;
		}
		runs.item[runs.count++] = run;
	}
	sqlite3_reset(stmt);
	*ret_runs = runs;
	return query_step_error(q, rc);
}

/* Binds a run of ids, the boot and two times. */
static int bind_run(struct query *q, enum query_statement which, const struct boot_range *range,
		    const struct id_run *run, sqlite3_stmt **ret_stmt)
{
	sqlite3_stmt *stmt;
	int r = query_prepare(q, which, &stmt);

	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, run->first);
	sqlite3_bind_int64(stmt, 2, run->end);
	sqlite3_bind_int(stmt, 3, range->boot->number);
	sqlite3_bind_int64(stmt, 4, range->from_ns);
	sqlite3_bind_int64(stmt, 5, range->to_ns);
	*ret_stmt = stmt;
	return 0;
}

int query_started(struct query *q, const struct boot_range *range, struct process_list *list)
{
	struct id_runs runs;
	int r = find_runs(q, range->boot, range->from_ns, range->to_ns, &runs);

	for (size_t i = 0; r == 0 && i < runs.count; i++) {
		struct id_run run = runs.item[i];

		for (int64_t end = run.end; r == 0 && run.first < end; run.first = run.end) {
			sqlite3_stmt *stmt;

			run.end = end;
			if ((uint64_t)end - (uint64_t)run.first > QUERY_AHEAD_IDS)
				run.end = run.first + QUERY_AHEAD_IDS;
			/* Of most rows that a selection leaves out, no image is asked for. */
			if (!q->on_row)
				query_ahead(q, &(struct query_ahead){&run, 1, range, NULL});
			r = bind_run(q, q->on_row ? QUERY_STARTED_WANTED : QUERY_STARTED, range,
				     &run, &stmt);
			if (r == 0)
				r = query_row_error(q, query_collect(q, stmt, list));
		}
	}
	return r;
}

/* Short lives: they started not long before. */
static int add_short(struct query *q, const struct boot_range *range, int64_t start_ns,
		     struct process_list *list)
{
	struct id_runs runs;
	int r = 0;

	if (before_late(range->from_ns) >= start_ns)
		return 0;
	r = find_runs(q, range->boot, before_late(range->from_ns), start_ns, &runs);
	for (size_t i = 0; r == 0 && i < runs.count; i++) {
		sqlite3_stmt *stmt;

		r = bind_run(q, QUERY_BEFORE, range, &runs.item[i], &stmt);
		if (r == 0) {
			sqlite3_bind_int64(stmt, 6, start_ns);
			r = query_collect(q, stmt, list);
		}
	}
	return r;
}

/* Binds a range, and what is known of those that started before: a bound of ids and the time. */
static int bind_before(struct query *q, enum query_statement which, const struct boot_range *range,
		       int64_t end_id, int64_t start_ns, sqlite3_stmt **ret_stmt)
{
	sqlite3_stmt *stmt;
	int r = query_prepare(q, which, &stmt);

	if (r < 0)
		return r;
	sqlite3_bind_int(stmt, 1, range->boot->number);
	sqlite3_bind_int64(stmt, 2, range->from_ns);
	sqlite3_bind_int64(stmt, 3, range->to_ns);
	sqlite3_bind_int64(stmt, 4, end_id);
	if (which != QUERY_EXEC_IN)
		sqlite3_bind_int64(stmt, 5, start_ns);
	*ret_stmt = stmt;
	return 0;
}

/* Processes with an earlier image than the latest in the range. */
static int add_by_exec(struct query *q, const struct boot_range *range, int64_t end_id,
		       int64_t start_ns, struct process_list *list)
{
	sqlite3_stmt *stmt;
	int r, rc;

	r = bind_before(q, QUERY_EXEC_IN, range, end_id, start_ns, &stmt);
	if (r < 0)
		return r;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct process *p;

		r = query_process(q, sqlite3_column_int64(stmt, 0), &p);
		if (r == 0 && p->start_boot_ns < start_ns)
			r = process_list_add(list, p);
		if (r < 0)
			break;
	}
	sqlite3_reset(stmt);
	return r < 0 ? r : query_step_error(q, rc);
}

/*
 * Ids about a moment: below `sure` every process of the boot started before
 * it, from `end` on none did. Only between them has a row to be read to know.
 */
struct id_bounds {
	int64_t sure, end;
};

static int find_bounds(struct query *q, const struct boot *boot, int64_t at_ns,
		       struct id_bounds *ret)
{
	int64_t first = UNKNOWN, last = UNKNOWN;
	sqlite3_stmt *stmt;
	int r, rc;

	r = query_prepare(q, QUERY_ZONES_ABOUT, &stmt);
	if (r < 0)
		return r;
	sqlite3_bind_int(stmt, 1, boot->number);
	sqlite3_bind_int64(stmt, 2, at_ns);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		first = column_int(stmt, 0);
		last = column_int(stmt, 1);
	}
	sqlite3_reset(stmt);
	ret->end = last == UNKNOWN ? 0 : (last + 1) << SCHEMA_ZONE_SHIFT;
	ret->sure = first == UNKNOWN ? ret->end : first << SCHEMA_ZONE_SHIFT;
	if (ret->sure > ret->end)
		ret->sure = ret->end;
	return query_step_error(q, rc);
}

/* The ways above overlap; keeps each process once, those before `first` included. */
static int remove_doubles(struct process_list *list, size_t first)
{
	struct idmap seen = {0};
	size_t kept = first;
	int r = 0;

	for (size_t i = 0; r == 0 && i < list->count; i++) {
		struct process *p = list->item[i];

		/* Ids are unique within a database only. */
		if (i >= first && idmap_get(&seen, (intptr_t)p))
			continue;
		r = idmap_put(&seen, (intptr_t)p, p);
		if (i >= first)
			list->item[kept++] = p;
	}
	list->count = kept;
	idmap_deinit(&seen);
	return r;
}

int query_before(struct query *q, const struct boot_range *range, int64_t start_ns,
		 struct process_list *list)
{
	static const enum query_statement late[] = {QUERY_LATE_END, QUERY_LATE_EXEC};
	size_t first = list->count;
	struct id_bounds bounds;
	sqlite3_stmt *stmt;
	int r = find_bounds(q, range->boot, start_ns, &bounds);

	if (r < 0 || bounds.end == 0)
		return r;
	r = add_short(q, range, start_ns, list);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(late); i++) {
		r = bind_before(q, late[i], range, bounds.end, start_ns, &stmt);
		if (r == 0)
			r = query_collect(q, stmt, list);
	}
	if (r == 0)
		r = add_by_exec(q, range, bounds.end, start_ns, list);
	return r < 0 ? r : remove_doubles(list, first);
}

int query_window(struct query *q, const struct boot_range *range, struct process_list *list)
{
	int r = query_before(q, range, range->from_ns, list);

	return r < 0 ? r : query_started(q, range, list);
}

int query_zone_ends(struct query *q, const struct boot_range *range,
		    int (*fn)(int64_t boot_ns, void *userdata), void *userdata)
{
	sqlite3_stmt *stmt;
	int r, rc;

	r = query_prepare(q, QUERY_ZONE_ENDS, &stmt);
	if (r < 0)
		return r;
	sqlite3_bind_int(stmt, 1, range->boot->number);
	sqlite3_bind_int64(stmt, 2, range->from_ns);
	sqlite3_bind_int64(stmt, 3, range->to_ns);
	while (r == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
		r = fn(sqlite3_column_int64(stmt, 0), userdata);
	sqlite3_reset(stmt);
	return r < 0 ? r : query_step_error(q, rc);
}

/* Only then can a short life have begun before the range and ended after it. */
static bool shorter_than_late(const struct boot_range *range)
{
	return range->to_ns != INT64_MAX && range->from_ns > before_late(range->to_ns);
}

static int add_count(struct query *q, sqlite3_stmt *stmt, int64_t *total)
{
	int rc = sqlite3_step(stmt);

	if (rc == SQLITE_ROW)
		*total += sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	return query_step_error(q, rc);
}

static int bind_about(struct query *q, enum query_statement which, const struct boot_range *range,
		      const struct id_bounds *bounds, sqlite3_stmt **ret_stmt)
{
	sqlite3_stmt *stmt;
	int r = query_prepare(q, which, &stmt);

	if (r < 0)
		return r;
	sqlite3_bind_int(stmt, 1, range->boot->number);
	sqlite3_bind_int64(stmt, 2, range->from_ns);
	sqlite3_bind_int64(stmt, 3, range->to_ns);
	sqlite3_bind_int64(stmt, 4, bounds->sure);
	sqlite3_bind_int64(stmt, 5, bounds->end);
	*ret_stmt = stmt;
	return 0;
}

static int count_about(struct query *q, enum query_statement which, const struct boot_range *range,
		       const struct id_bounds *bounds, int64_t *total)
{
	sqlite3_stmt *stmt;
	int r = bind_about(q, which, range, bounds, &stmt);

	return r < 0 ? r : add_count(q, stmt, total);
}

int query_running(struct query *q, const struct boot_range *range, struct process_list *list)
{
	size_t first = list->count, kept = first;
	struct id_runs runs = {0};
	struct id_bounds bounds;
	sqlite3_stmt *stmt;
	int r = query_alive(q, range->boot, list);

	for (size_t i = first; i < list->count; i++) {
		if (list->item[i]->start_boot_ns < range->from_ns)
			list->item[kept++] = list->item[i];
	}
	list->count = kept;
	if (r == 0)
		r = find_bounds(q, range->boot, range->from_ns, &bounds);
	if (r == 0)
		r = bind_about(q, QUERY_RUN_LATE, range, &bounds, &stmt);
	if (r == 0)
		r = query_collect(q, stmt, list);
	if (r == 0 && shorter_than_late(range))
		r = find_runs(q, range->boot, before_late(range->to_ns), range->from_ns, &runs);
	for (size_t i = 0; r == 0 && i < runs.count; i++) {
		r = bind_run(q, QUERY_RUN_SHORT, range, &runs.item[i], &stmt);
		if (r == 0)
			r = query_collect(q, stmt, list);
	}
	return r < 0 ? r : remove_doubles(list, first);
}

int query_count_running(struct query *q, const struct boot_range *range, int64_t *ret_count)
{
	struct id_runs runs = {0};
	struct id_bounds bounds;
	int64_t total = 0;
	int r = find_bounds(q, range->boot, range->from_ns, &bounds);

	if (r == 0)
		r = count_about(q, QUERY_COUNT_ALIVE, range, &bounds, &total);
	if (r == 0)
		r = count_about(q, QUERY_COUNT_LATE, range, &bounds, &total);
	if (r == 0)
		r = count_about(q, QUERY_COUNT_LATE_NEAR, range, &bounds, &total);
	if (r == 0 && shorter_than_late(range))
		r = find_runs(q, range->boot, before_late(range->to_ns), range->from_ns, &runs);
	for (size_t i = 0; r == 0 && i < runs.count; i++) {
		sqlite3_stmt *stmt;

		r = bind_run(q, QUERY_COUNT_SHORT, range, &runs.item[i], &stmt);
		if (r == 0)
			r = add_count(q, stmt, &total);
	}
	if (r == 0)
		*ret_count = total;
	return r;
}
