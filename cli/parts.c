/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/parts.h"

#include <errno.h>
#include <stdlib.h>

#include "schema/cleanup.h"

/* A zone of process_row has this many at most. */
#define ZONE_PROCESSES (1 << SCHEMA_ZONE_SHIFT)
#define PART_ZONES     (PART_PROCESSES / ZONE_PROCESSES)

struct ends {
	const struct boot *boot;
	int64_t since_unix_ns, until_unix_ns;
	int64_t *item;
	size_t count, size;
};

static int add_end(int64_t boot_ns, void *userdata)
{
	struct ends *e = userdata;
	int64_t unix_ns = boot_to_unix(e->boot, boot_ns);

	/* The next part begins behind it. */
	if (unix_ns == UNKNOWN || unix_ns == INT64_MAX)
		return 0;
	unix_ns++;
	if ((e->since_unix_ns != UNKNOWN && unix_ns <= e->since_unix_ns) ||
	    (e->until_unix_ns != UNKNOWN && unix_ns >= e->until_unix_ns))
		return 0;
	if (e->count == e->size) {
		size_t size = e->size ? e->size * 2 : 256;
		int64_t *more = reallocarray(e->item, size, sizeof(*more));

		if (!more)
			return -ENOMEM;
		e->item = more;
		e->size = size;
	}
	e->item[e->count++] = unix_ns;
	return 0;
}

static int add_ends(struct ends *e, const struct session *s, struct query *q)
{
	CLEANUP_FREE struct boot_range *ranges = NULL;
	size_t count;
	int r = query_ranges(q, e->since_unix_ns, e->until_unix_ns, &ranges, &count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		e->boot = ranges[i].boot;
		if (session_wants_boot(s, e->boot))
			r = query_zone_ends(q, &ranges[i], add_end, e);
	}
	return r;
}

static int compare_times(const void *first, const void *second)
{
	const int64_t *a = first, *b = second;

	return *a < *b ? -1 : *a > *b;
}

int parts_init(struct parts *parts, const struct session *s, struct query *const *db,
	       unsigned int db_count, int64_t since_unix_ns, int64_t until_unix_ns)
{
	struct ends e = {.since_unix_ns = since_unix_ns, .until_unix_ns = until_unix_ns};
	size_t cuts = 0;
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < db_count; i++)
		r = add_ends(&e, s, db[i]);
	if (r < 0) {
		free(e.item);
		return r;
	}
	if (e.count)
		qsort(e.item, e.count, sizeof(*e.item), compare_times);
	/* The last part is not a small rest. */
	for (size_t i = PART_ZONES; i + PART_ZONES / 2 <= e.count; i += PART_ZONES) {
		if (cuts == 0 || e.item[i - 1] > e.item[cuts - 1])
			e.item[cuts++] = e.item[i - 1];
	}
	*parts = (struct parts){since_unix_ns, until_unix_ns, e.item, cuts + 1};
	return 0;
}

void parts_deinit(struct parts *parts)
{
	free(parts->cut);
	*parts = (struct parts){0};
}

void parts_range(const struct parts *parts, size_t part, int64_t *ret_since, int64_t *ret_until)
{
	*ret_since = part == 0 ? parts->since_unix_ns : parts->cut[part - 1];
	*ret_until = part + 1 == parts->count ? parts->until_unix_ns : parts->cut[part];
}

void parts_progress(const struct parts *parts, struct query *q, size_t part)
{
	query_progress(q, (int64_t)part * PART_PROCESSES, (int64_t)parts->count * PART_PROCESSES);
}
