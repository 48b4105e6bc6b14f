/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/losses.h"

#include <errno.h>
#include <stdlib.h>

/* So many gaps may grow at a time: far more than have a cause and a CPU of their own. */
#define GROWING_MAX 256

struct told_gap {
	int64_t id, lost;
};

void losses_deinit(struct losses *l)
{
	free(l->told);
	*l = (struct losses){0};
}

static struct told_gap *find(const struct losses *l, int64_t id)
{
	for (size_t i = l->count; i-- > 0;) {
		if (l->told[i].id == id)
			return &l->told[i];
	}
	return NULL;
}

/* 1: it has to be told, 0: it was. */
static int remember(struct losses *l, const struct gap *gap)
{
	struct told_gap *told = find(l, gap->id);

	if (told && told->lost == gap->lost)
		return 0;
	if (!told && l->count == l->size) {
		size_t size = l->size ? l->size * 2 : 64;
		struct told_gap *more = reallocarray(l->told, size, sizeof(*more));

		if (!more)
			return -ENOMEM;
		l->told = more;
		l->size = size;
	}
	if (!told)
		told = &l->told[l->count++];
	*told = (struct told_gap){gap->id, gap->lost};
	/* What was rebuilt is told as what it is, marked as recovered. */
	return gap->lost != 0;
}

static void forget(struct losses *l, int64_t up_to)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->count; i++) {
		if (l->told[i].id > up_to)
			l->told[kept++] = l->told[i];
	}
	l->count = kept;
}

int losses_begin(struct losses *l, struct query *q, const struct cursor *c)
{
	struct gap *gaps;
	size_t count = 0;
	int r = query_newer_gaps(q, c->last_gap - GROWING_MAX, &gaps, &count);

	for (size_t i = 0; r >= 0 && i < count && gaps[i].id <= c->last_gap; i++) {
		if (gaps[i].to_unix_ns <= c->last_unix_ns)
			r = remember(l, &gaps[i]);
	}
	return r < 0 ? r : 0;
}

int losses_look(struct losses *l, struct query *q, struct cursor *c, loss_fn fn, void *userdata)
{
	struct gap *gaps;
	size_t count = 0;
	int r = query_newer_gaps(q, c->last_gap - GROWING_MAX, &gaps, &count);

	for (size_t i = 0; r >= 0 && i < count; i++) {
		struct missing missing = {
			.kind = MISSING_GAP,
			.cause = gaps[i].cause,
			.from_unix_ns = gaps[i].from_unix_ns,
			.to_unix_ns = gaps[i].to_unix_ns,
			.lost = gaps[i].lost,
			.recovered = gaps[i].recovered,
			.db = q,
		};

		r = remember(l, &gaps[i]);
		if (r == 1)
			r = fn(&missing, gaps[i].id, userdata);
		if (gaps[i].id > c->last_gap)
			c->last_gap = gaps[i].id;
	}
	forget(l, c->last_gap - GROWING_MAX);
	return r < 0 ? r : 0;
}

int losses_since(struct query *q, const struct cursor *c, int64_t now_unix_ns, loss_fn fn,
		 void *userdata)
{
	const struct scope scope = {
		.since_unix_ns = c->last_unix_ns,
		.until_unix_ns = now_unix_ns,
		.now_unix_ns = now_unix_ns,
		.begun = true,
	};
	struct completeness completeness = {0};
	int r = 0;

	/* From the very first on: nothing is expected there. */
	if (c->last_unix_ns > 0 && c->last_unix_ns < now_unix_ns)
		r = completeness_add_time(&completeness, q, &scope, NULL);
	for (size_t i = 0; r == 0 && i < completeness.count; i++) {
		if (completeness.item[i].kind != MISSING_GAP)
			r = fn(&completeness.item[i], 0, userdata);
	}
	completeness_deinit(&completeness);
	return r;
}
