/* SPDX-License-Identifier: Apache-2.0 */
/* What is known to be missing, who recorded when, and execs that failed. */
#include "cli/query_internal.h"

#include <errno.h>
#include <string.h>

#include "schema/cleanup.h"

/* Room for one more of an array that lives in the arena; NULL: no memory. */
static void *more_room(struct query *q, void *array, size_t count, size_t *size, size_t item_size)
{
	size_t larger = *size ? *size * 2 : 8;
	char *fresh;

	if (count < *size)
		return array;
	fresh = arena_alloc(&q->arena, larger * item_size);
	if (!fresh)
		return NULL;
	if (count)
		memcpy(fresh, array, count * item_size);
	*size = larger;
	return fresh;
}

/* The rows of GAPS or NEWER_GAPS. */
static int collect_gaps(struct query *q, sqlite3_stmt *stmt, struct gap **ret_gaps,
			size_t *ret_count)
{
	struct gap *gaps = NULL;
	size_t count = 0, size = 0;
	int rc;

	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct gap *gap;

		gaps = more_room(q, gaps, count, &size, sizeof(*gaps));
		if (!gaps)
			return -ENOMEM;
		gap = &gaps[count++];
		gap->boot = query_boot(q, sqlite3_column_int(stmt, 8));
		gap->cause = column_text(&q->arena, stmt, 0);
		gap->detail = column_text(&q->arena, stmt, 1);
		gap->cpu = column_int(stmt, 2);
		gap->from_boot_ns = sqlite3_column_int64(stmt, 3);
		gap->to_boot_ns = sqlite3_column_int64(stmt, 4);
		gap->from_unix_ns = boot_to_unix(gap->boot, gap->from_boot_ns);
		gap->to_unix_ns = boot_to_unix(gap->boot, gap->to_boot_ns);
		gap->lost = column_int(stmt, 5);
		gap->recovered = sqlite3_column_int64(stmt, 6);
		gap->id = sqlite3_column_int64(stmt, 7);
	}
	sqlite3_reset(stmt);
	*ret_gaps = gaps;
	*ret_count = count;
	return query_step_error(q, rc);
}

int query_gaps(struct query *q, const struct boot_range *range, struct gap **ret_gaps,
	       size_t *ret_count)
{
	sqlite3_stmt *stmt;
	int r = query_prepare(q, QUERY_GAPS, &stmt);

	if (r < 0)
		return r;
	sqlite3_bind_int(stmt, 1, range->boot->number);
	sqlite3_bind_int64(stmt, 2, range->from_ns);
	sqlite3_bind_int64(stmt, 3, range->to_ns);
	return collect_gaps(q, stmt, ret_gaps, ret_count);
}

int query_newer_gaps(struct query *q, int64_t gap_id, struct gap **ret_gaps, size_t *ret_count)
{
	sqlite3_stmt *stmt;
	int r = query_prepare(q, QUERY_NEWER_GAPS, &stmt);

	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, gap_id);
	return collect_gaps(q, stmt, ret_gaps, ret_count);
}

int query_positions(struct query *q, const struct boot *boot, struct cpu_position **ret_positions,
		    size_t *ret_count)
{
	CLEANUP_FREE struct cpu_position *positions = NULL;
	size_t count = 0, size = 0;
	sqlite3_stmt *stmt;
	int r, rc;

	r = query_prepare(q, QUERY_POSITIONS, &stmt);
	if (r < 0)
		return r;
	sqlite3_bind_int(stmt, 1, boot->number);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (count == size) {
			struct cpu_position *more;

			size = size ? size * 2 : 8;
			more = reallocarray(positions, size, sizeof(*more));
			if (!more) {
				rc = SQLITE_NOMEM;
				break;
			}
			positions = more;
		}
		positions[count++] = (struct cpu_position){sqlite3_column_int64(stmt, 0),
							   sqlite3_column_int64(stmt, 1)};
	}
	sqlite3_reset(stmt);
	r = query_step_error(q, rc);
	if (r < 0)
		return r;
	*ret_positions = TAKE_PTR(positions);
	*ret_count = count;
	return 0;
}

int query_runs(struct query *q, struct recorder_run **ret_runs, size_t *ret_count)
{
	struct recorder_run *runs = NULL;
	size_t count = 0, size = 0;
	sqlite3_stmt *stmt;
	int r, rc;

	r = query_prepare(q, QUERY_RUNS, &stmt);
	if (r < 0)
		return r;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct recorder_run *run;

		runs = more_room(q, runs, count, &size, sizeof(*runs));
		if (!runs)
			return -ENOMEM;
		run = &runs[count];
		run->boot = query_boot(q, sqlite3_column_int(stmt, 0));
		if (!run->boot)
			continue;
		count++;
		run->version = column_text(&q->arena, stmt, 1);
		run->config_hash = column_text(&q->arena, stmt, 2);
		run->kernel = column_text(&q->arena, stmt, 3);
		run->filter = column_text(&q->arena, stmt, 4);
		run->ended = column_text(&q->arena, stmt, 5);
		run->started_boot_ns = column_int(stmt, 6);
		run->last_boot_ns = column_int(stmt, 7);
		run->stopped_boot_ns = column_int(stmt, 8);
	}
	sqlite3_reset(stmt);
	*ret_runs = runs;
	*ret_count = count;
	return query_step_error(q, rc);
}

/* Of most databases one or both need not be looked up for each process. */
static int any_pruned(struct query *q, bool *ret_processes, bool *ret_events)
{
	sqlite3_stmt *stmt;
	int r = query_prepare(q, QUERY_ANY_PRUNED, &stmt), rc;

	if (r < 0)
		return r;
	rc = sqlite3_step(stmt);
	*ret_processes = rc == SQLITE_ROW && sqlite3_column_int(stmt, 0);
	*ret_events = rc == SQLITE_ROW && sqlite3_column_int(stmt, 1);
	sqlite3_reset(stmt);
	return query_step_error(q, rc);
}

/* A damaged file may say less than none. */
static int64_t column_count(sqlite3_stmt *stmt, int column)
{
	int64_t count = sqlite3_column_int64(stmt, column);

	return count > 0 ? count : 0;
}

static int load_pruned_children(struct query *q, struct process *p)
{
	sqlite3_stmt *stmt;
	int r = query_prepare(q, QUERY_PRUNED, &stmt), rc;

	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, p->id);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		p->pruned_children = column_count(stmt, 0);
	sqlite3_reset(stmt);
	return query_step_error(q, rc);
}

static int load_pruned_events(struct query *q, struct process *p)
{
	sqlite3_stmt *stmt;
	int r = query_prepare(q, QUERY_PRUNED_OF, &stmt), rc;

	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, p->id);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		bool failed = sqlite3_column_int(stmt, 0);

		p->pruned[failed ? PRUNED_FAILURES : PRUNED_EXECS] = (struct pruned){
			.count = column_count(stmt, 1),
			.from_boot_ns = sqlite3_column_int64(stmt, 2),
			.to_boot_ns = sqlite3_column_int64(stmt, 3),
		};
	}
	sqlite3_reset(stmt);
	return query_step_error(q, rc);
}

int query_load_pruned(struct query *q, struct process_list *list)
{
	bool processes, events;
	int r = any_pruned(q, &processes, &events);

	for (size_t i = 0; r == 0 && (processes || events) && i < list->count; i++) {
		if (list->item[i]->db != q)
			continue;
		if (processes)
			r = load_pruned_children(q, list->item[i]);
		if (r == 0 && events)
			r = load_pruned_events(q, list->item[i]);
	}
	return r;
}

static bool any_touches(const struct boot_range *ranges, size_t count, int64_t from_ns,
			int64_t to_ns)
{
	size_t low = 0, high = count;

	/* The first that ends behind its beginning. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges[middle].to_ns > from_ns)
			high = middle;
		else
			low = middle + 1;
	}
	return low < count && to_ns >= ranges[low].from_ns;
}

/* The rows of PRUNED_IN or PRUNED_EVENTS_IN, each once. *ret_first_id: INT64_MAX where none is. */
static int sum_pruned(struct query *q, sqlite3_stmt *stmt, const struct boot_range *ranges,
		      size_t count, struct pruned *ret_pruned, int64_t *ret_first_id)
{
	struct pruned sum = {0, INT64_MAX, INT64_MIN};
	int rc;

	*ret_first_id = INT64_MAX;
	sqlite3_bind_int(stmt, 1, ranges[0].boot->number);
	sqlite3_bind_int64(stmt, 2, ranges[0].from_ns);
	sqlite3_bind_int64(stmt, 3, ranges[count - 1].to_ns);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		int64_t from = sqlite3_column_int64(stmt, 1), to = sqlite3_column_int64(stmt, 2);
		int64_t id = sqlite3_column_int64(stmt, 4);

		if (!any_touches(ranges, count, from, sqlite3_column_int64(stmt, 3)))
			continue;
		sum.count = add_clamped(sum.count, column_count(stmt, 0));
		sum.from_boot_ns = from < sum.from_boot_ns ? from : sum.from_boot_ns;
		sum.to_boot_ns = to > sum.to_boot_ns ? to : sum.to_boot_ns;
		*ret_first_id = id < *ret_first_id ? id : *ret_first_id;
	}
	sqlite3_reset(stmt);
	*ret_pruned = sum;
	return query_step_error(q, rc);
}

int query_pruned(struct query *q, const struct boot_range *ranges, size_t count,
		 struct pruned *ret_pruned)
{
	sqlite3_stmt *stmt;
	int64_t id;
	int r = query_prepare(q, QUERY_PRUNED_IN, &stmt);

	return r < 0 ? r : sum_pruned(q, stmt, ranges, count, ret_pruned, &id);
}

int query_pruned_events(struct query *q, const struct boot_range *ranges, size_t count,
			enum pruned_kind kind, bool begun, struct pruned *ret_pruned,
			struct process **ret_process)
{
	struct process *first = NULL;
	sqlite3_stmt *stmt;
	int64_t id = 0;
	int r = query_prepare(q, QUERY_PRUNED_EVENTS_IN, &stmt);

	if (r < 0)
		return r;
	sqlite3_bind_int(stmt, 4, kind == PRUNED_FAILURES);
	sqlite3_bind_int(stmt, 5, begun);
	r = sum_pruned(q, stmt, ranges, count, ret_pruned, &id);
	/* In an export those of others stand below 0. */
	if (r == 0 && id > 0 && id < INT64_MAX)
		r = query_process(q, id, &first);
	*ret_process = r == 0 ? first : NULL;
	return r < 0 ? r : 0;
}

int query_forgotten(struct query *q, struct forgotten **ret_boots, size_t *ret_count)
{
	struct forgotten *boots = NULL;
	size_t count = 0, size = 0;
	sqlite3_stmt *stmt;
	int r = query_prepare(q, QUERY_FORGOTTEN, &stmt), rc;

	if (r < 0)
		return r;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct forgotten f = {column_count(stmt, 0), sqlite3_column_int64(stmt, 1),
				      sqlite3_column_int64(stmt, 2)};
		struct forgotten *last = count ? &boots[count - 1] : NULL;

		if (last && f.from_unix_ns <= last->to_unix_ns) {
			last->processes = add_clamped(last->processes, f.processes);
			if (f.to_unix_ns > last->to_unix_ns)
				last->to_unix_ns = f.to_unix_ns;
			continue;
		}
		boots = more_room(q, boots, count, &size, sizeof(*boots));
		if (!boots) {
			rc = SQLITE_NOMEM;
			break;
		}
		boots[count++] = f;
	}
	sqlite3_reset(stmt);
	*ret_boots = boots;
	*ret_count = count;
	return query_step_error(q, rc);
}

/* A row of FAILURES or FAILED_IN. */
static int fill_failure(struct query *q, sqlite3_stmt *stmt, struct process *p,
			struct exec_failure *f)
{
	f->process = p;
	f->boot_ns = column_int(stmt, 0);
	f->unix_ns = boot_to_unix(p->boot, f->boot_ns);
	f->provenance = (enum provenance)sqlite3_column_int(stmt, 1);
	f->cpu = column_int(stmt, 2);
	f->seq = column_int(stmt, 3);
	f->error = column_int(stmt, 5);
	return query_image(q, column_int(stmt, 4), &f->image);
}

int query_failed_within(struct query *q, const struct process *p, int64_t since_unix_ns,
			int64_t until_unix_ns)
{
	sqlite3_stmt *stmt;
	bool found = false;
	int r, rc;

	r = query_prepare(q, QUERY_FAILED, &stmt);
	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, p->id);
	while (!found && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		int64_t unix_ns = boot_to_unix(p->boot, sqlite3_column_int64(stmt, 0));

		found = (since_unix_ns == UNKNOWN || unix_ns >= since_unix_ns) &&
			(until_unix_ns == UNKNOWN || unix_ns < until_unix_ns);
	}
	sqlite3_reset(stmt);
	return found ? 1 : query_step_error(q, rc);
}

static int prepare_failed_in(struct query *q, const struct boot_range *range,
			     sqlite3_stmt **ret_stmt)
{
	int r = query_prepare(q, QUERY_FAILED_IN, ret_stmt);

	if (r < 0)
		return r;
	sqlite3_bind_int(*ret_stmt, 1, range->boot->number);
	sqlite3_bind_int64(*ret_stmt, 2, range->from_ns);
	sqlite3_bind_int64(*ret_stmt, 3, range->to_ns);
	return 0;
}

int query_failed(struct query *q, const struct boot_range *range, struct process_list *list)
{
	struct idmap seen = {0};
	sqlite3_stmt *stmt;
	int r, rc = SQLITE_OK;

	r = prepare_failed_in(q, range, &stmt);
	for (size_t i = 0; r == 0 && i < list->count; i++) {
		if (list->item[i]->db == q)
			r = idmap_put(&seen, list->item[i]->id, list->item[i]);
	}
	while (r == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(stmt, 6);
		struct process *p;

		if (idmap_get(&seen, id))
			continue;
		r = query_process(q, id, &p);
		if (r == 0)
			r = idmap_put(&seen, id, p);
		if (r == 0)
			r = process_list_add(list, p);
		r = r > 0 ? 0 : r;
	}
	if (r == 0)
		r = query_step_error(q, rc);
	sqlite3_reset(stmt);
	idmap_deinit(&seen);
	return r;
}

int query_each_failure(struct query *q, const struct boot_range *range,
		       int (*fn)(const struct exec_failure *failure, void *userdata),
		       void *userdata)
{
	sqlite3_stmt *stmt;
	int r, rc = SQLITE_OK;

	r = prepare_failed_in(q, range, &stmt);
	if (r < 0)
		return r;
	while (r == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct exec_failure failure;
		struct process *p;

		query_trim(q);
		r = query_process(q, sqlite3_column_int64(stmt, 6), &p);
		if (r == 0)
			r = fill_failure(q, stmt, p, &failure);
		if (r == 0)
			r = fn(&failure, userdata);
		r = r > 0 ? 0 : r;
	}
	if (r == 0)
		r = query_step_error(q, rc);
	sqlite3_reset(stmt);
	return r;
}

int query_failures_of(struct query *q, struct process *p, struct exec_failure **ret_failures,
		      size_t *ret_count)
{
	struct exec_failure *failures = NULL;
	size_t count = 0, size = 0;
	sqlite3_stmt *stmt;
	int r, rc;

	r = query_prepare(q, QUERY_FAILURES, &stmt);
	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, p->id);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		failures = more_room(q, failures, count, &size, sizeof(*failures));
		if (!failures)
			return -ENOMEM;
		r = fill_failure(q, stmt, p, &failures[count++]);
		if (r < 0)
			break;
	}
	sqlite3_reset(stmt);
	*ret_failures = failures;
	*ret_count = count;
	return r < 0 ? r : query_step_error(q, rc);
}
