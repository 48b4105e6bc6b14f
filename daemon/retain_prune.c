/* SPDX-License-Identifier: Apache-2.0 */
/* The processes: oldest first, and never one that somebody who stays comes from. */
#include "daemon/retain.h"

#include <errno.h>

#include "schema/cleanup.h"

/* Read at once; each is some 150 bytes. */
#define BLOCK 64

enum outcome {
	WENT,
	STAYS,
	AGAIN,	 /* it has more events than one step removes */
	TOO_NEW, /* and so are all after it */
};

/* Age of a moment of some boot. -ENOENT: that boot's clock is not known. */
static int age_of(struct retain *r, int64_t boot, int64_t boot_ns, int64_t *ret_age_ns)
{
	int64_t here = 0;
	int result = 0;

	*ret_age_ns = (int64_t)r->now_boot_ns - boot_ns;
	if (boot == r->store->boot)
		return 0;
	if (r->offset.boot != boot) {
		result = store_retain_offset(&r->sql, boot, &r->offset.offset_ns);
		r->offset.boot = result == 0 ? boot : 0;
	}
	if (result == 0)
		result = store_retain_offset(&r->sql, r->store->boot, &here);
	*ret_age_ns += here - r->offset.offset_ns;
	return result;
}

static int is_expired(struct retain *r, const struct retain_row *row)
{
	int64_t age;
	int result = age_of(r, row->boot, row->start_boot_ns + row->end_after_ns, &age);

	if (result == -ENOENT)
		return 0;
	return result < 0 ? result : age > (int64_t)r->config->max_retention_ns;
}

/* Nothing that starts after it can have expired. */
static int is_too_new(struct retain *r, const struct retain_row *row)
{
	int64_t age;
	int result;

	if (r->by_size)
		return 0;
	result = age_of(r, row->boot, row->start_boot_ns, &age);
	if (result == -ENOENT)
		return 0;
	return result < 0 ? result : age <= (int64_t)r->config->max_retention_ns;
}

static bool is_held(struct retain *r, const struct retain_row *row)
{
	struct lineage_key key = {.pid = (uint32_t)row->pid,
				  .start_boot_ns = (uint64_t)row->start_boot_ns};

	if (row->end_after_ns == ROW_NONE)
		return true;
	if (row->boot != r->store->boot)
		return false;
	return row->start_boot_ns + row->end_after_ns + RETAIN_GRACE_NS > (int64_t)r->now_boot_ns ||
	       book_find(r->book, &key);
}

/* 1: it may go; 0: it stays; negative: error. */
static int may_go(struct retain *r, const struct retain_row *row)
{
	int result;

	if (is_held(r, row))
		return 0;
	if (!r->by_size) {
		result = is_expired(r, row);
		if (result <= 0)
			return result;
	}
	result = store_retain_is_needed(&r->sql, row->process_id);
	return result < 0 ? result : !result;
}

/* Looked at again, since what kept it is gone. What is ahead of the cursor will be met anyway. */
static void add_candidate(struct retain *r, int64_t process_id)
{
	if (process_id <= 0 || process_id >= r->cursor || r->candidates_count == RETAIN_CANDIDATES)
		return;
	for (size_t i = r->candidates_count; i-- > 0;)
		if (r->candidates[i] == process_id)
			return;
	r->candidates[r->candidates_count++] = process_id;
}

static int remove_events(struct retain *r, const struct retain_row *row, int64_t keep)
{
	int64_t relatives[2 * STORE_RETAIN_EVENTS];
	size_t count;
	int result = store_retain_remove_events(&r->sql, row, keep, relatives, &count);

	for (size_t i = 0; result >= 0 && i < count; i++)
		add_candidate(r, relatives[i]);
	if (result > 0)
		r->removed += STORE_RETAIN_EVENTS;
	return result;
}

static int visit(struct retain *r, const struct retain_row *row, enum outcome *ret_outcome)
{
	int result = may_go(r, row);

	if (result < 0)
		return result;
	*ret_outcome = result ? WENT : STAYS;
	result = remove_events(r, row, *ret_outcome == WENT ? 0 : RETAIN_EVENTS_KEEP);
	if (result != 0) {
		*ret_outcome = AGAIN;
		return result < 0 ? result : 0;
	}
	if (*ret_outcome == STAYS)
		return 0;
	result = store_retain_remove(&r->sql, row);
	for (size_t i = 0; i < ARRAY_SIZE(row->relative); i++)
		add_candidate(r, row->relative[i]);
	r->removed++;
	r->quota--;
	r->counters.processes++;
	return result;
}

static int visit_candidates(struct retain *r, uint64_t until_ns)
{
	int result = 0;

	while (result == 0 && r->candidates_count > 0 && r->clock_ns() < until_ns) {
		/* The newest first: it may free its own parent. */
		int64_t id = r->candidates[--r->candidates_count];
		struct retain_row row;
		enum outcome outcome = STAYS;

		result = store_retain_get(&r->sql, id, &row);
		if (result <= 0)
			continue;
		result = visit(r, &row, &outcome);
		if (result == 0 && outcome == AGAIN)
			add_candidate(r, id);
		if (result == 0 && outcome == WENT)
			result = store_retain_zone(&r->sql, id >> SCHEMA_ZONE_SHIFT);
	}
	return result;
}

/* The cursor goes on to this id; what it leaves behind may be an empty zone. */
static int move_to(struct retain *r, int64_t process_id)
{
	int64_t zone = process_id >> SCHEMA_ZONE_SHIFT, left = r->zone;

	r->cursor = process_id;
	if (left == zone)
		return 0;
	r->zone = zone;
	return left < 0 ? 0 : store_retain_zone(&r->sql, left);
}

static int visit_next(struct retain *r, const struct retain_row *row, enum outcome *ret_outcome)
{
	int result = is_too_new(r, row);

	if (result != 0) {
		*ret_outcome = TOO_NEW;
		return result < 0 ? result : 0;
	}
	result = move_to(r, row->process_id);
	if (result == 0)
		result = visit(r, row, ret_outcome);
	if (result == 0 && *ret_outcome != AGAIN)
		r->cursor = row->process_id + 1;
	return result;
}

static bool is_enough(struct retain *r)
{
	const struct retain_limits *l = &r->limits;

	if (r->quota <= 0)
		return true;
	return r->by_size && !r->by_age &&
	       l->size.pages - l->size.free_pages <= RETAIN_LOW(l->cap_pages);
}

/* Some progress is made even where others have the processor. */
static bool is_over(const struct retain *r, int64_t quota, uint64_t until_ns)
{
	int64_t removed = quota - r->quota;

	return removed >= r->rows ||
	       (removed >= RETAIN_ROWS_MIN / 2 && r->clock_ns() >= until_ns) ||
	       r->clock_ns() >= until_ns + RETAIN_STEP_NS;
}

int retain_prune_step(struct retain *r, uint64_t until_ns)
{
	/* The newest row is never removed: ids of new rows follow it. */
	int64_t below = r->store->next_process - 1;
	int64_t quota = r->quota;
	int result = store_retain_size(&r->sql, &r->limits.size);

	while (result == 0 && !is_enough(r)) {
		struct retain_row rows[BLOCK];
		enum outcome outcome = STAYS;
		size_t count;

		if (is_over(r, quota, until_ns))
			return 1;
		result = visit_candidates(r, until_ns);
		if (result == 0)
			result = store_retain_read(&r->sql, r->cursor, below, rows, BLOCK, &count);
		for (size_t i = 0; result == 0 && i < count && outcome != TOO_NEW; i++) {
			if (is_over(r, quota, until_ns))
				return 1;
			result = visit_next(r, &rows[i], &outcome);
			if (outcome == AGAIN)
				return result < 0 ? result : 1;
		}
		if (result == 0 && (count == 0 || outcome == TOO_NEW) && r->candidates_count == 0) {
			r->at_end = true;
			return store_retain_zone(&r->sql, r->zone);
		}
	}
	return result;
}
