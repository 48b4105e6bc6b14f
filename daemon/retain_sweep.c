/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What repeats and is not used any more: mark and sweep over the dictionaries, in steps, while the
 * recorder goes on.
 *
 * Why no row that is in use can be taken: only rows older than the beginning of the marking may go.
 * A new reference to such a row comes from the recorder's memory: either from a dictionary, which
 * notes each hit while marking goes on, or from the parent's row, which is marked as long as the
 * parent is there. An image moves only from process_row to exec_row, and these are read in that
 * order. What is not marked in the end leaves the recorder's memory before it leaves the database.
 */
#include "daemon/retain.h"

/* Rows between two looks at the clock. */
#define CHUNK 64

static void refer(void *userdata, enum retain_table table, int64_t id)
{
	struct retain *r = userdata;

	idset_add(&r->used[table], id);
}

static bool keep(void *userdata, enum retain_table table, int64_t id)
{
	struct retain *r = userdata;

	return id >= r->below[table] || idset_has(&r->used[table], id);
}

static struct dictionary *dictionary_of(struct retain *r, enum retain_table table)
{
	switch (table) {
	case RETAIN_IMAGE:
		return &r->intern->images;
	case RETAIN_PROGRAM:
		return &r->intern->programs;
	case RETAIN_CONTEXT:
		return &r->intern->contexts;
	case RETAIN_TEXT:
		return &r->intern->texts;
	default:
		return NULL;
	}
}

void retain_mark_begin(struct retain *r)
{
	const struct store *s = r->store;
	const int64_t next[] = {
		[RETAIN_IMAGE] = s->next_image,	    [RETAIN_PROGRAM] = s->next_program,
		[RETAIN_CONTEXT] = s->next_context, [RETAIN_TEXT] = s->next_text,
		[RETAIN_CGROUP] = s->next_cgroup,
	};

	r->source = r->table = 0;
	r->mark_cursor = 0;
	for (int i = 0; i < RETAIN_TABLES; i++) {
		struct dictionary *d = dictionary_of(r, i);

		/* Not the newest row: ids of new rows follow it. */
		r->below[i] = next[i] - 1;
		idset_init(&r->used[i]);
		if (d)
			d->found = &r->used[i];
	}
}

void retain_mark_end(struct retain *r)
{
	for (int i = 0; i < RETAIN_TABLES; i++) {
		struct dictionary *d = dictionary_of(r, i);

		if (d)
			d->found = NULL;
		idset_deinit(&r->used[i]);
	}
}

int retain_mark_step(struct retain *r, uint64_t until_ns)
{
	int result = 0;

	while (result == 0 && r->source < RETAIN_SOURCES) {
		int64_t count = 0;

		if (r->clock_ns() >= until_ns)
			return 1;
		result = store_retain_references(&r->sql, r->source, &r->mark_cursor, CHUNK, &count,
						 refer, r);
		if (result == 0 && count < CHUNK) {
			r->source++;
			r->mark_cursor = 0;
		}
	}
	r->mark_cursor = 0;
	return result;
}

/* Before the first row of a table goes: all that refer to it have been read. */
static bool begin_table(struct retain *r)
{
	struct dictionary *d = dictionary_of(r, r->table);

	if (idset_failed(&r->used[r->table]))
		return false;
	if (d)
		dictionary_forget_others(d, &r->used[r->table], r->below[r->table]);
	return true;
}

int retain_sweep_step(struct retain *r, uint64_t until_ns)
{
	const struct store_retain_sweep sweep = {.keep = keep, .refer = refer, .userdata = r};
	int64_t changed = 0;
	int result = 0;

	while (result == 0 && r->table < RETAIN_TABLES) {
		int64_t seen = 0, removed = 0;

		if (r->clock_ns() >= until_ns || changed >= r->rows)
			return 1;
		if (r->mark_cursor == 0 && !begin_table(r)) {
			r->counters.sweeps_failed++;
			return 0;
		}
		/* The newest row that was there stays, so what it refers to does. */
		result = store_retain_sweep(&r->sql, r->table, &r->mark_cursor,
					    r->below[r->table] + 1, CHUNK, &sweep, &seen, &removed);
		changed += removed;
		r->counters.rows += (uint64_t)removed;
		if (result == 0 && seen < CHUNK) {
			r->table++;
			r->mark_cursor = 0;
		}
	}
	return result;
}
