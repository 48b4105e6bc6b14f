/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store_retain.h"

#include <errno.h>
#include <string.h>

#include "daemon/store_retain_stmt.h"
#include "schema/cleanup.h"

enum statement {
#define X(name, text) S_##name,
	STORE_RETAIN_STATEMENTS(X)
#undef X
		STATEMENTS_COUNT
};

static const char *const sql[] = {
#define X(name, text) text,
	STORE_RETAIN_STATEMENTS(X)
#undef X
};

int store_retain_open(struct store_retain *s, struct store *store)
{
	int r;

	*s = (struct store_retain){.store = store};
	s->stmts = calloc(STATEMENTS_COUNT, sizeof(sqlite3_stmt *));
	if (!s->stmts)
		return -ENOMEM;
	/* Debian's default would write every page that becomes free once more, with zeros. */
	r = schema_exec(store->db, "PRAGMA secure_delete = FAST");
	for (int i = 0; r == 0 && i < STATEMENTS_COUNT; i++)
		r = schema_error(sqlite3_prepare_v3(store->db, sql[i], -1,
						    SQLITE_PREPARE_PERSISTENT, &s->stmts[i], NULL));
	if (r < 0)
		store_retain_close(s);
	return r;
}

void store_retain_close(struct store_retain *s)
{
	if (!s->stmts)
		return;
	for (int i = 0; i < STATEMENTS_COUNT; i++)
		sqlite3_finalize(s->stmts[i]);
	free(s->stmts);
	s->stmts = NULL;
}

static void bind(sqlite3_stmt *stmt, int index, int64_t value)
{
	if (value == ROW_NONE)
		sqlite3_bind_null(stmt, index);
	else
		sqlite3_bind_int64(stmt, index, value);
}

static int64_t column(sqlite3_stmt *stmt, int index)
{
	return sqlite3_column_type(stmt, index) == SQLITE_NULL ? ROW_NONE
							       : sqlite3_column_int64(stmt, index);
}

/* The statement with these values bound. */
static sqlite3_stmt *query(struct store_retain *s, enum statement which, const int64_t *values,
			   int count)
{
	sqlite3_stmt *stmt = s->stmts[which];

	for (int i = 0; i < count; i++)
		bind(stmt, i + 1, values[i]);
	return stmt;
}

#define QUERY(s, which, ...)                            \
	query(s, which, (const int64_t[]){__VA_ARGS__}, \
	      (int)ARRAY_SIZE(((const int64_t[]){__VA_ARGS__})))

static int finish(sqlite3_stmt *stmt, int rc)
{
	sqlite3_reset(stmt);
	return schema_error(rc);
}

static int run(sqlite3_stmt *stmt)
{
	return finish(stmt, sqlite3_step(stmt));
}

int store_retain_begin(struct store_retain *s)
{
	s->tombstone.parent_id = 0;
	s->sums_count = 0;
	return store_begin(s->store);
}

static int flush_tombstone(struct store_retain *s)
{
	const struct retain_tombstone *t = &s->tombstone;
	int r = 0;

	if (t->parent_id)
		r = run(QUERY(s, S_TOMBSTONE_ADD, t->parent_id, t->processes, t->boot,
			      t->from_boot_ns, t->to_boot_ns));
	s->tombstone.parent_id = 0;
	return r;
}

static int flush_sums(struct store_retain *s)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->sums_count; i++)
		r = run(QUERY(s, S_SUM_ADD, s->sums[i].boot, s->sums[i].cpu, s->sums[i].events));
	s->sums_count = 0;
	return r;
}

int store_retain_commit(struct store_retain *s)
{
	int r = flush_tombstone(s);

	if (r == 0)
		r = flush_sums(s);
	return r == 0 ? store_commit(s->store) : r;
}

void store_retain_rollback(struct store_retain *s)
{
	for (int i = 0; i < STATEMENTS_COUNT; i++)
		sqlite3_reset(s->stmts[i]);
	store_rollback(s->store);
}

static int one_number(sqlite3_stmt *stmt, int64_t *ret_value)
{
	int rc = sqlite3_step(stmt);

	if (rc == SQLITE_ROW)
		*ret_value = column(stmt, 0);
	return finish(stmt, rc);
}

int store_retain_size(struct store_retain *s, struct store_retain_size *ret_size)
{
	int r = one_number(s->stmts[S_PAGES], &ret_size->pages);

	if (r == 0)
		r = one_number(s->stmts[S_PAGE_SIZE], &ret_size->page_bytes);
	return r == 0 ? one_number(s->stmts[S_FREE_PAGES], &ret_size->free_pages) : r;
}

int store_retain_vacuum(struct store_retain *s, int64_t pages)
{
	char text[64];

	snprintf(text, sizeof(text), "PRAGMA incremental_vacuum(%lld)", (long long)pages);
	return schema_exec(s->store->db, text);
}

int store_retain_offset(struct store_retain *s, int64_t boot, int64_t *ret_offset_ns)
{
	int64_t value = ROW_NONE;
	int r = one_number(QUERY(s, S_OFFSET, boot), &value);

	if (r < 0)
		return r;
	if (value == ROW_NONE)
		return -ENOENT;
	*ret_offset_ns = value;
	return 0;
}

static void read_row(sqlite3_stmt *stmt, struct retain_row *row)
{
	row->process_id = column(stmt, 0);
	row->boot = column(stmt, 1);
	row->pid = column(stmt, 2);
	row->start_boot_ns = column(stmt, 3);
	row->end_after_ns = column(stmt, 4);
	for (int i = 0; i < 4; i++)
		row->relative[i] = column(stmt, 5 + i);
	for (int i = 0; i < 3; i++) {
		row->event[i].cpu = column(stmt, 9 + 2 * i);
		row->event[i].seq = column(stmt, 10 + 2 * i);
	}
}

int store_retain_read(struct store_retain *s, int64_t from_id, int64_t below_id,
		      struct retain_row *rows, size_t most, size_t *ret_count)
{
	sqlite3_stmt *stmt = QUERY(s, S_READ, from_id, below_id, (int64_t)most);
	size_t count = 0;
	int rc;

	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW && count < most)
		read_row(stmt, &rows[count++]);
	*ret_count = count;
	return finish(stmt, rc);
}

int store_retain_get(struct store_retain *s, int64_t process_id, struct retain_row *ret_row)
{
	sqlite3_stmt *stmt = QUERY(s, S_GET, process_id);
	int rc = sqlite3_step(stmt);
	int r;

	if (rc == SQLITE_ROW)
		read_row(stmt, ret_row);
	r = finish(stmt, rc);
	return r < 0 ? r : rc == SQLITE_ROW;
}

int store_retain_is_needed(struct store_retain *s, int64_t process_id)
{
	int64_t needed = 1;
	int r = one_number(QUERY(s, S_NEEDED, process_id), &needed);

	return r < 0 ? r : needed != 0;
}

/* An event that had a number goes: the sums must still add up. */
static int count_event(struct store_retain *s, int64_t boot, int64_t cpu, int64_t seq)
{
	size_t i;
	int r;

	if (cpu == ROW_NONE || seq == ROW_NONE)
		return 0;
	for (i = 0; i < s->sums_count; i++)
		if (s->sums[i].boot == boot && s->sums[i].cpu == cpu)
			break;
	if (i == STORE_RETAIN_CPUS) {
		r = flush_sums(s);
		if (r < 0)
			return r;
		i = 0;
	}
	if (i == s->sums_count) {
		s->sums[i].boot = boot;
		s->sums[i].cpu = cpu;
		s->sums[i].events = 0;
		s->sums_count++;
	}
	s->sums[i].events++;
	return 0;
}

/* What is removed of one process: its earlier images, or its failed execs. */
struct removal {
	enum statement list, delete;
	const struct retain_row *row;
	int64_t count, from_boot_ns, to_boot_ns; /* what went */
};

struct event {
	int64_t id, boot, cpu, seq, boot_ns, parent_id;
};

static int remove_event(struct store_retain *s, struct removal *m, const struct event *e)
{
	/* An image that a snapshot found: it may have been there from the beginning. */
	int64_t at = e->boot_ns == ROW_NONE ? m->row->start_boot_ns : e->boot_ns;
	int r = run(QUERY(s, m->delete, e->id));

	if (m->count == 0 || at < m->from_boot_ns)
		m->from_boot_ns = at;
	if (m->count == 0 || at > m->to_boot_ns)
		m->to_boot_ns = at;
	m->count++;
	return r == 0 ? count_event(s, e->boot, e->cpu, e->seq) : r;
}

static int remove_events_of(struct store_retain *s, struct removal *m, int64_t keep,
			    int64_t *relatives, size_t *relatives_count)
{
	struct event events[STORE_RETAIN_EVENTS];
	sqlite3_stmt *stmt = QUERY(s, m->list, m->row->process_id, keep, STORE_RETAIN_EVENTS);
	size_t count = 0;
	int rc, r;

	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW && count < STORE_RETAIN_EVENTS)
		events[count++] = (struct event){column(stmt, 0), column(stmt, 1), column(stmt, 2),
						 column(stmt, 3), column(stmt, 4), column(stmt, 5)};
	r = finish(stmt, rc);
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = remove_event(s, m, &events[i]);
		if (events[i].parent_id > 0 && *relatives_count < STORE_RETAIN_EVENTS)
			relatives[(*relatives_count)++] = events[i].parent_id;
	}
	return r < 0 ? r : count == STORE_RETAIN_EVENTS;
}

/* The process stays: whoever asks for it is told what went. */
static int add_pruned(struct store_retain *s, struct removal *m, bool failed)
{
	int64_t process_id = m->row->process_id, next = ROW_NONE, last = m->to_boot_ns;
	int r = 0;

	if (m->count == 0)
		return 0;
	if (!failed)
		r = one_number(QUERY(s, S_NEXT_IMAGE, process_id), &next);
	/* An image lasts until the next: what the process was in between went with it. */
	if (next != ROW_NONE && next - 1 > m->to_boot_ns)
		m->to_boot_ns = next - 1;
	return r < 0 ? r
		     : run(QUERY(s, S_PRUNED_ADD, process_id, failed, m->count, m->row->boot,
				 m->from_boot_ns, m->to_boot_ns, last));
}

int store_retain_remove_events(struct store_retain *s, const struct retain_row *row, int64_t keep,
			       int64_t *relatives, size_t *ret_relatives_count)
{
	struct removal execs = {.list = S_EXECS, .delete = S_EXEC_DELETE, .row = row};
	struct removal failures = {.list = S_FAILURES, .delete = S_FAILURE_DELETE, .row = row};
	int more, r = 0;

	*ret_relatives_count = 0;
	more = remove_events_of(s, &execs, keep, relatives, ret_relatives_count);
	if (more == 0)
		more = remove_events_of(s, &failures, keep, relatives, ret_relatives_count);
	/* Who goes in this transaction needs no row. */
	if (more > 0 || (more == 0 && keep > 0)) {
		r = add_pruned(s, &execs, false);
		if (r == 0)
			r = add_pruned(s, &failures, true);
	}
	return r < 0 ? r : more;
}

/* What has been counted under a process that now goes itself. */
static int take_tombstone(struct store_retain *s, int64_t process_id, struct retain_tombstone *sum)
{
	sqlite3_stmt *stmt;
	int rc, r = 0;

	if (s->tombstone.parent_id == process_id)
		r = flush_tombstone(s);
	if (r < 0)
		return r;
	stmt = QUERY(s, S_TOMBSTONE, process_id);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		int64_t from = column(stmt, 2), to = column(stmt, 3);

		sum->processes += column(stmt, 0);
		if (from < sum->from_boot_ns)
			sum->from_boot_ns = from;
		if (to > sum->to_boot_ns)
			sum->to_boot_ns = to;
	}
	r = finish(stmt, rc);
	return r < 0 || rc != SQLITE_ROW ? r : run(QUERY(s, S_TOMBSTONE_DELETE, process_id));
}

static int add_tombstone(struct store_retain *s, const struct retain_tombstone *add)
{
	struct retain_tombstone *t = &s->tombstone;
	int r;

	if (t->parent_id != add->parent_id) {
		r = flush_tombstone(s);
		*t = *add;
		return r;
	}
	t->processes += add->processes;
	if (add->from_boot_ns < t->from_boot_ns)
		t->from_boot_ns = add->from_boot_ns;
	if (add->to_boot_ns > t->to_boot_ns)
		t->to_boot_ns = add->to_boot_ns;
	return 0;
}

int store_retain_remove(struct store_retain *s, const struct retain_row *row)
{
	struct retain_tombstone sum = {
		.parent_id = row->relative[0] > 0 ? row->relative[0] : -row->boot,
		.processes = 1,
		.boot = row->boot,
		.from_boot_ns = row->start_boot_ns,
		.to_boot_ns = row->start_boot_ns + (row->end_after_ns > 0 ? row->end_after_ns : 0),
	};
	int r = run(QUERY(s, S_PROCESS_DELETE, row->process_id));

	for (int i = 0; r == 0 && i < 3; i++)
		r = count_event(s, row->boot, row->event[i].cpu, row->event[i].seq);
	if (r == 0)
		r = run(QUERY(s, S_PRUNED_DELETE, row->process_id));
	if (r == 0)
		r = take_tombstone(s, row->process_id, &sum);
	return r == 0 ? add_tombstone(s, &sum) : r;
}

int store_retain_zone(struct store_retain *s, int64_t zone)
{
	/* Zones of placeholder rows are negative: a multiplication is defined for them, a shift is
	 * not. */
	const int64_t rows = INT64_C(1) << SCHEMA_ZONE_SHIFT;

	return run(QUERY(s, S_ZONE_DELETE, zone, zone * rows, (zone + 1) * rows));
}

int store_retain_references(struct store_retain *s, enum retain_source source, int64_t *cursor,
			    int64_t most, int64_t *ret_count, store_retain_refer_fn refer,
			    void *userdata)
{
	static const enum statement statements[] = {S_FROM_PROCESS, S_FROM_EXEC, S_FROM_FAILURE};
	sqlite3_stmt *stmt = QUERY(s, statements[source], *cursor, most);
	int64_t count = 0;
	int rc;

	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		*cursor = column(stmt, 0);
		refer(userdata, RETAIN_IMAGE, column(stmt, 1));
		refer(userdata, RETAIN_CONTEXT, column(stmt, 2));
		refer(userdata, RETAIN_CONTEXT, column(stmt, 3));
		refer(userdata, RETAIN_TEXT, column(stmt, 4));
		refer(userdata, RETAIN_TEXT, column(stmt, 5));
		count++;
	}
	*ret_count = count;
	return finish(stmt, rc);
}

static const struct {
	enum statement list, delete;
	enum retain_table refers_to; /* the other columns of the list */
} dictionaries[] = {
	[RETAIN_IMAGE] = {S_IMAGES, S_IMAGE_DELETE, RETAIN_PROGRAM},
	[RETAIN_PROGRAM] = {S_PROGRAMS, S_PROGRAM_DELETE, RETAIN_TEXT},
	[RETAIN_CONTEXT] = {S_CONTEXTS, S_CONTEXT_DELETE, RETAIN_CGROUP},
	[RETAIN_TEXT] = {S_TEXTS, S_TEXT_DELETE, RETAIN_TABLES},
	[RETAIN_CGROUP] = {S_CGROUPS, S_CGROUP_DELETE, RETAIN_TABLES},
};

int store_retain_sweep(struct store_retain *s, enum retain_table table, int64_t *cursor,
		       int64_t below, int64_t most, const struct store_retain_sweep *sweep,
		       int64_t *ret_seen, int64_t *ret_removed)
{
	sqlite3_stmt *stmt = QUERY(s, dictionaries[table].list, *cursor, below, most);
	int64_t dead[STORE_RETAIN_EVENTS];
	size_t count = 0;
	int64_t seen = 0;
	int rc, r;

	/* The cgroups of this boot are in use by intern.c for as long as it lasts. */
	if (table == RETAIN_CGROUP)
		bind(stmt, 4, s->store->boot);
	while (count < ARRAY_SIZE(dead) && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		*cursor = column(stmt, 0);
		seen++;
		if (!sweep->keep(sweep->userdata, table, *cursor))
			dead[count++] = *cursor;
		else if (dictionaries[table].refers_to < RETAIN_TABLES)
			for (int i = 1; i <= 3; i++)
				sweep->refer(sweep->userdata, dictionaries[table].refers_to,
					     column(stmt, i));
	}
	r = finish(stmt, count < ARRAY_SIZE(dead) ? rc : SQLITE_DONE);
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = run(QUERY(s, dictionaries[table].delete, dead[i]));
		if (r == 0 && table == RETAIN_IMAGE)
			r = run(QUERY(s, S_ARGV_DELETE, dead[i]));
	}
	*ret_seen = seen;
	*ret_removed = (int64_t)count;
	return r;
}

/* The two that are nearest to each other become one. */
static int join_forgotten(struct store_retain *s)
{
	struct retain_tombstone sum = {.from_boot_ns = INT64_MAX, .to_boot_ns = INT64_MIN};
	sqlite3_stmt *stmt = s->stmts[S_FORGOTTEN_NEAREST];
	int64_t later = 0, earlier = 0;
	int rc = sqlite3_step(stmt);
	int r;

	if (rc == SQLITE_ROW) {
		later = column(stmt, 0);
		earlier = column(stmt, 1);
	}
	r = finish(stmt, rc);
	if (r < 0 || rc != SQLITE_ROW)
		return r;
	r = take_tombstone(s, earlier, &sum);
	return r < 0 ? r
		     : run(QUERY(s, S_TOMBSTONE_ADD, later, sum.processes, 0, sum.from_boot_ns,
				 sum.to_boot_ns));
}

/* That something was recorded in its time, and removed, outlives it. */
static int remember_boot(struct store_retain *s, int64_t boot)
{
	sqlite3_stmt *stmt = QUERY(s, S_BOOT_TIMES, boot);
	int64_t from = ROW_NONE, to = ROW_NONE, offset = 0, count = 0;
	int rc = sqlite3_step(stmt);
	int r;

	if (rc == SQLITE_ROW) {
		from = column(stmt, 0);
		to = column(stmt, 1);
	}
	r = finish(stmt, rc);
	if (r == 0)
		r = store_retain_offset(s, boot, &offset);
	if (r == -ENOENT || (r == 0 && (from == ROW_NONE || to == ROW_NONE)))
		return run(QUERY(s, S_TOMBSTONE_DELETE, -boot));
	if (r == 0)
		r = run(QUERY(s, S_BOOT_FORGET, boot, from + offset, to + offset));
	if (r == 0)
		r = one_number(s->stmts[S_FORGOTTEN], &count);
	return r == 0 && count > STORE_RETAIN_FORGOTTEN ? join_forgotten(s) : r;
}

int store_retain_boot(struct store_retain *s)
{
	static const char *const tables[] = {"ring_position", "cpu_position", "recorder_row",
					     "clock", "boot"};
	int64_t boot = ROW_NONE;
	int r = one_number(QUERY(s, S_BOOT_EMPTY, s->store->boot), &boot);

	if (r < 0 || boot == ROW_NONE)
		return r;
	/* There may be thousands of these. */
	r = run(QUERY(s, S_GAPS_DELETE, boot, STORE_RETAIN_EVENTS));
	if (r < 0 || sqlite3_changes(s->store->db) == STORE_RETAIN_EVENTS)
		return r < 0 ? r : 1;
	r = remember_boot(s, boot);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(tables); i++) {
		char text[64];

		snprintf(text, sizeof(text), "DELETE FROM %s WHERE boot = %lld", tables[i],
			 (long long)boot);
		r = schema_exec(s->store->db, text);
	}
	return r < 0 ? r : 1;
}

int store_retain_get_number(struct store_retain *s, const char *name, int64_t *ret_value)
{
	sqlite3_stmt *stmt = s->stmts[S_NUMBER];

	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	return one_number(stmt, ret_value);
}

int store_retain_set_number(struct store_retain *s, const char *name, int64_t value)
{
	sqlite3_stmt *stmt = s->stmts[S_NUMBER_SET];

	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, value);
	return run(stmt);
}
