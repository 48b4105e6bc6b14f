/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of process_row and exec_row as processes: one, by pid, relatives, all. */
#include "cli/query_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schema/cleanup.h"

/* Ids this close are read by one statement: a step costs less than a seek. */
#define EXECS_GAP_MAX 32

const char *provenance_name(enum provenance provenance)
{
	static const char *const names[] = {
		[PROVENANCE_OBSERVED] = "observed",
		[PROVENANCE_SNAPSHOT] = "snapshot",
		[PROVENANCE_RECOVERED] = "recovered",
		[PROVENANCE_INFERRED] = "inferred",
	};

	if (provenance == PROVENANCE_NONE)
		return NULL;
	return (size_t)provenance < ARRAY_SIZE(names) ? names[provenance] : "invalid";
}

const char *process_comm(const struct process *p)
{
	if (p->comm)
		return p->comm->value;
	return p->image && p->image->comm ? p->image->comm : "?";
}

const char *exec_comm(const struct exec *e)
{
	if (e->comm)
		return e->comm->value;
	return e->image && e->image->comm ? e->image->comm : "?";
}

int process_list_add(struct process_list *list, struct process *p)
{
	if (list->count == list->size) {
		size_t size = list->size ? list->size * 2 : 64;
		struct process **more = reallocarray(list->item, size, sizeof(*more));

		if (!more)
			return -ENOMEM;
		list->item = more;
		list->size = size;
	}
	list->item[list->count++] = p;
	return 0;
}

void process_list_remove(struct process_list *list, size_t index)
{
	memmove(&list->item[index], &list->item[index + 1],
		(--list->count - index) * sizeof(*list->item));
}

void process_list_deinit(struct process_list *list)
{
	free(list->item);
	*list = (struct process_list){0};
}

static int compare_processes(const void *first, const void *second)
{
	const struct process *a = *(struct process *const *)first;
	const struct process *b = *(struct process *const *)second;

	if (a->db != b->db) {
		COMPARE(a->start_unix_ns, b->start_unix_ns);
		return strcmp(query_path(a->db), query_path(b->db));
	}
	COMPARE(a->boot->number, b->boot->number);
	COMPARE(a->start_boot_ns, b->start_boot_ns);
	COMPARE(a->pid, b->pid);
	COMPARE(a->id, b->id);
	return 0;
}

void process_list_sort(struct process_list *list)
{
	if (list->count > 1)
		qsort(list->item, list->count, sizeof(*list->item), compare_processes);
}

static int compare_times(const void *first, const void *second)
{
	const struct process *a = *(struct process *const *)first;
	const struct process *b = *(struct process *const *)second;

	COMPARE(a->start_unix_ns, b->start_unix_ns);
	if (a->db != b->db)
		return strcmp(query_path(a->db), query_path(b->db));
	return compare_processes(first, second);
}

static void drop_doubles(struct process_list *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (kept == 0 || list->item[kept - 1] != list->item[i])
			list->item[kept++] = list->item[i];
	}
	list->count = kept;
}

void process_list_unique(struct process_list *list)
{
	process_list_sort(list);
	drop_doubles(list);
}

void process_list_by_time(struct process_list *list)
{
	if (list->count > 1)
		qsort(list->item, list->count, sizeof(*list->item), compare_times);
	drop_doubles(list);
}

/* Adds what is counted from the start; UNKNOWN stays so. */
static int64_t after(int64_t start_ns, int64_t after_ns)
{
	int64_t sum;

	if (start_ns == UNKNOWN || after_ns == UNKNOWN ||
	    __builtin_add_overflow(start_ns, after_ns, &sum))
		return UNKNOWN;
	return sum;
}

/* A process group that is not told is that of the session. */
static int64_t group(int64_t pgid, const struct context *context)
{
	return pgid == UNKNOWN && context ? context->sid : pgid;
}

/* The latest exec of a row with PROCESS_COLUMNS, into *e. */
static int fill_latest(struct query *q, sqlite3_stmt *stmt, const struct process *p, struct exec *e)
{
	int64_t context = sqlite3_column_int64(stmt, 16), parent = sqlite3_column_int64(stmt, 17);
	int r;

	e->boot_ns = after(p->start_boot_ns, column_int(stmt, 13));
	e->unix_ns = boot_to_unix(p->boot, e->boot_ns);
	e->provenance = p->image_provenance;
	e->cpu = column_int(stmt, 14);
	e->seq = after(p->fork_seq == UNKNOWN ? 0 : p->fork_seq, column_int(stmt, 15));
	e->parent_id = parent == 0 ? p->parent_id : parent;
	e->image = p->image;
	e->comm = p->comm;
	e->cwd = p->cwd;
	e->context = p->birth_context;
	r = context == 0 ? 0 : query_context(q, context, &e->context);
	e->pgid = group(p->pgid, e->context);
	return r;
}

static void fill_numbers(struct query *q, sqlite3_stmt *stmt, struct process *p)
{
	int64_t provenance = sqlite3_column_int64(stmt, 6);
	int64_t ns_pid = sqlite3_column_int64(stmt, 11), pgid = column_int(stmt, 12);
	int64_t end_parent = sqlite3_column_int64(stmt, 23);

	p->db = q;
	p->id = sqlite3_column_int64(stmt, 0);
	p->boot = query_boot(q, sqlite3_column_int(stmt, 1));
	p->pid = sqlite3_column_int64(stmt, 2);
	p->start_boot_ns = sqlite3_column_int64(stmt, 3);
	p->start_unix_ns = boot_to_unix(p->boot, p->start_boot_ns);
	p->parent_id = sqlite3_column_int64(stmt, 4);
	p->creator_id = sqlite3_column_int64(stmt, 5);
	p->birth = (enum provenance)PROVENANCE_BIRTH(provenance);
	p->image_provenance = (enum provenance)PROVENANCE_IMAGE(provenance);
	p->end = (enum provenance)PROVENANCE_END(provenance);
	p->fork_cpu = column_int(stmt, 7);
	p->fork_seq = column_int(stmt, 8);
	p->ns_pid = ns_pid == 0 ? p->pid : ns_pid;
	p->pgid = pgid == 0 ? p->pid : pgid; /* UNKNOWN: see query_fill() */
	p->end_boot_ns = after(p->start_boot_ns, column_int(stmt, 20));
	p->end_unix_ns = boot_to_unix(p->boot, p->end_boot_ns);
	p->end_cpu = column_int(stmt, 21);
	p->end_seq = after(p->fork_seq == UNKNOWN ? 0 : p->fork_seq, column_int(stmt, 22));
	p->end_parent_id = end_parent == 0 ? p->parent_id : end_parent;
	p->status = column_int(stmt, 24);
	p->user_us = column_int(stmt, 25);
	p->system_us = column_int(stmt, 26);
	p->max_rss_kib = column_int(stmt, 27);
}

int query_fill(struct query *q, sqlite3_stmt *stmt, struct process *p)
{
	struct exec *latest;
	int r;

	fill_numbers(q, stmt, p);
	if (!p->boot)
		return SCHEMA_E_NOT_DB;
	r = query_context(q, column_int(stmt, 9), &p->birth_context);
	if (r == 0)
		r = query_text(q, column_int(stmt, 10), &p->comm);
	if (r == 0)
		r = query_image(q, column_int(stmt, 18), &p->image);
	if (r == 0 && q->detail == QUERY_DETAIL_FULL)
		r = query_text(q, column_int(stmt, 19), &p->cwd);
	p->context = p->birth_context;
	if (r < 0)
		return r;
	if (process_inherited(p)) {
		p->pgid = group(p->pgid, p->context);
		return 0;
	}
	latest = p->execs ? p->execs : arena_alloc(&q->arena, sizeof(*latest));
	if (!latest)
		return -ENOMEM;
	r = fill_latest(q, stmt, p, latest);
	p->context = latest->context;
	p->pgid = latest->pgid;
	p->execs = latest;
	p->exec_count = 1;
	return r;
}

int query_row(struct query *q, sqlite3_stmt *stmt, struct process **ret_process)
{
	int64_t id = sqlite3_column_int64(stmt, 0);
	struct process *p = idmap_get(&q->processes, id);
	int r;

	if (!p) {
		p = arena_alloc(&q->arena, sizeof(*p));
		if (!p)
			return -ENOMEM;
		r = query_fill(q, stmt, p);
		if (r == 0)
			r = idmap_put(&q->processes, id, p);
		if (r < 0)
			return r;
	}
	*ret_process = p;
	return 0;
}

int query_collect(struct query *q, sqlite3_stmt *stmt, struct process_list *list)
{
	struct process *p;
	int r = 0, rc;

	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		r = query_row(q, stmt, &p);
		if (r == 0)
			r = process_list_add(list, p);
		if (r < 0)
			break;
	}
	if (r == 0)
		r = query_step_error(q, rc);
	sqlite3_reset(stmt);
	return r;
}

int query_process(struct query *q, int64_t process_id, struct process **ret_process)
{
	struct process *p = idmap_get(&q->processes, process_id);
	struct process_list found = {0};
	sqlite3_stmt *stmt;
	int r;

	if (p) {
		*ret_process = p;
		return 0;
	}
	r = query_prepare(q, QUERY_BY_ID, &stmt);
	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, process_id);
	r = query_collect(q, stmt, &found);
	if (r == 0 && found.count == 0)
		r = 1;
	if (r == 0)
		*ret_process = found.item[0];
	process_list_deinit(&found);
	return r;
}

int query_is_ns_init(struct query *q, const struct process *p)
{
	sqlite3_stmt *stmt;
	int64_t ns_pid = 0;
	int r = query_prepare(q, QUERY_NS_PID, &stmt), rc;

	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, p->id);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		ns_pid = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	r = query_step_error(q, rc);
	return r < 0 ? r : (ns_pid ? ns_pid : p->pid) == 1;
}

/* Those that started in the range. The first of a boot has its pid, and is no row of these. */
static int add_ns_inits(struct query *q, const struct boot_range *range, struct process_list *list)
{
	sqlite3_stmt *stmt;
	struct process *p;
	int r = query_prepare(q, QUERY_NS_INITS, &stmt), rc;

	if (r < 0)
		return r;
	sqlite3_bind_int(stmt, 1, range->boot->number);
	sqlite3_bind_int64(stmt, 2, range->from_ns);
	sqlite3_bind_int64(stmt, 3, range->to_ns);
	while (r == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		r = query_process(q, sqlite3_column_int64(stmt, 0), &p);
		if (r == 0)
			r = process_list_add(list, p);
	}
	sqlite3_reset(stmt);
	return r < 0 ? r : query_step_error(q, rc);
}

int query_ns_inits(struct query *q, const struct boot_range *range, struct process_list *list)
{
	const struct boot_range first = {range->boot, range->from_ns, range->from_ns};
	size_t kept = list->count;
	int r = query_running(q, &first, list);

	for (size_t i = kept; r >= 0 && i < list->count; i++) {
		r = query_is_ns_init(q, list->item[i]);
		if (r == 1)
			list->item[kept++] = list->item[i];
	}
	if (r < 0)
		return r;
	list->count = kept;
	return add_ns_inits(q, range, list);
}

int query_by_pid(struct query *q, int64_t pid, struct process_list *list)
{
	sqlite3_stmt *stmt;
	int r = query_prepare(q, QUERY_BY_PID, &stmt);

	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, pid);
	r = query_collect(q, stmt, list);
	if (r == 0)
		process_list_sort(list);
	return r;
}

int query_alive(struct query *q, const struct boot *boot, struct process_list *list)
{
	sqlite3_stmt *stmt;
	int r = query_prepare(q, QUERY_ALIVE, &stmt);

	if (r < 0)
		return r;
	sqlite3_bind_int(stmt, 1, boot->number);
	return query_collect(q, stmt, list);
}

static int compare_ids(const void *first, const void *second)
{
	const struct process *a = *(struct process *const *)first;
	const struct process *b = *(struct process *const *)second;

	COMPARE(a->id, b->id);
	return 0;
}

/* One row of EXEC_COLUMNS. */
static int fill_exec(struct query *q, sqlite3_stmt *stmt, const struct process *p, struct exec *e)
{
	int64_t context = column_int(stmt, 5), parent = column_int(stmt, 6);
	int64_t pgid = column_int(stmt, 10);
	int r = 0;

	e->boot_ns = column_int(stmt, 1);
	e->unix_ns = boot_to_unix(p->boot, e->boot_ns);
	e->provenance = (enum provenance)sqlite3_column_int(stmt, 2);
	e->cpu = column_int(stmt, 3);
	e->seq = column_int(stmt, 4);
	e->parent_id = parent == 0 || parent == UNKNOWN ? p->parent_id : parent;
	e->pgid = pgid == 0 ? p->pid : pgid;
	e->context = p->birth_context;
	if (context != 0 && context != UNKNOWN)
		r = query_context(q, context, &e->context);
	e->pgid = group(e->pgid, e->context);
	if (r == 0)
		r = query_image(q, column_int(stmt, 7), &e->image);
	if (r == 0 && q->detail == QUERY_DETAIL_FULL)
		r = query_text(q, column_int(stmt, 8), &e->cwd);
	if (r == 0)
		r = query_text(q, column_int(stmt, 9), &e->comm);
	return r;
}

/* Puts an earlier image before the latest one, which stays last. */
static int insert_exec(struct query *q, struct process *p, const struct exec *earlier)
{
	size_t count = p->exec_count;
	struct exec *more = arena_alloc(&q->arena, (count + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	if (count > 0 && !process_inherited(p)) {
		memcpy(more, p->execs, (count - 1) * sizeof(*more));
		more[count - 1] = *earlier;
		more[count] = p->execs[count - 1];
	} else {
		if (count)
			memcpy(more, p->execs, count * sizeof(*more));
		more[count] = *earlier;
	}
	p->execs = more;
	p->exec_count = count + 1;
	return 0;
}

/* Reads the exec rows of ids from first to last and gives them to those in the sorted run. */
static int load_run(struct query *q, struct process **run, size_t count)
{
	sqlite3_stmt *stmt;
	size_t i = 0;
	int r, rc;

	r = query_prepare(q, QUERY_EXECS, &stmt);
	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, run[0]->id);
	sqlite3_bind_int64(stmt, 2, run[count - 1]->id);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(stmt, 0);
		struct exec e = {0};

		while (i < count && run[i]->id < id)
			i++;
		if (i == count || run[i]->id != id)
			continue;
		r = fill_exec(q, stmt, run[i], &e);
		if (r == 0)
			r = insert_exec(q, run[i], &e);
		if (r < 0)
			break;
	}
	if (r == 0)
		r = query_step_error(q, rc);
	sqlite3_reset(stmt);
	return r;
}

int query_load_execs(struct query *q, struct process_list *list)
{
	CLEANUP_FREE struct process **sorted = NULL;
	size_t n = 0;
	int r = 0;

	sorted = calloc(list->count ? list->count : 1, sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < list->count; i++) {
		/* Only who has called exec can have done so before. */
		if (list->item[i]->db == q && list->item[i]->exec_count == 1)
			sorted[n++] = list->item[i];
	}
	qsort(sorted, n, sizeof(*sorted), compare_ids);
	for (size_t first = 0, next; r == 0 && first < n; first = next) {
		for (next = first + 1; next < n; next++) {
			if ((uint64_t)sorted[next]->id - (uint64_t)sorted[next - 1]->id >
			    EXECS_GAP_MAX)
				break;
		}
		r = load_run(q, sorted + first, next - first);
	}
	return r;
}

int query_execs_of(struct query *q, struct process *p)
{
	int r = p->exec_count == 1 ? query_has_earlier(q, p->id) : 0;

	return r == 1 ? load_run(q, &p, 1) : r;
}

/* Rows between two calls of the progress: a few milliseconds. */
#define PROGRESS_ROWS 16384

struct query_scan {
	struct query *query;
	sqlite3_stmt *stmt;
	int64_t done, total;
	struct exec latest;
};

int query_scan_open(struct query *q, bool newest_first, struct query_scan **ret_scan)
{
	struct query_scan *scan = calloc(1, sizeof(*scan));
	enum query_statement which;
	int rc;

	if (!scan)
		return -ENOMEM;
	scan->query = q;
	/* Of ids, which are rows but for those that retention removed. */
	if (q->progress && query_newest(q, &scan->total) < 0)
		scan->total = 0;
	which = newest_first ? QUERY_SCAN_DOWN : QUERY_SCAN_UP;
	if (q->on_row)
		which = newest_first ? QUERY_SCAN_DOWN_WANTED : QUERY_SCAN_UP_WANTED;
	rc = sqlite3_prepare_v2(q->db, query_sql[which], -1, &scan->stmt, NULL);
	if (rc != SQLITE_OK) {
		query_scan_free(scan);
		return query_step_error(q, rc);
	}
	*ret_scan = scan;
	return 0;
}

void query_scan_passed(struct query_scan *scan)
{
	if (++scan->done % PROGRESS_ROWS == 0)
		query_progress(scan->query, scan->done, scan->total);
	/* Nothing of what was handed out is in use while the scan looks for more. */
	query_trim(scan->query);
}

int query_scan_next(struct query_scan *scan, struct process *ret_process)
{
	struct query *q = scan->query;
	int rc;

	q->scan = scan;
	rc = sqlite3_step(scan->stmt);
	q->scan = NULL;
	if (rc != SQLITE_ROW) {
		int r = query_row_error(q, query_step_error(q, rc));

		return r < 0 ? r : 1;
	}
	if (!q->on_row)
		query_scan_passed(scan);
	scan->latest = (struct exec){0};
	*ret_process = (struct process){.execs = &scan->latest};
	return query_fill(q, scan->stmt, ret_process);
}

void query_scan_free(struct query_scan *scan)
{
	if (!scan)
		return;
	sqlite3_finalize(scan->stmt);
	free(scan);
}

void query_on_progress(struct query *q, void (*fn)(void *userdata, int64_t done, int64_t total),
		       void *userdata)
{
	q->progress = fn;
	q->progress_userdata = userdata;
}

void query_progress(struct query *q, int64_t done, int64_t total)
{
	if (q->progress)
		q->progress(q->progress_userdata, done, total);
}
