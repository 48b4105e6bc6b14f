/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/downtime.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/timespec.h"
#include "schema/cleanup.h"

/*
 * A daemon that still writes this file is believed up to now if it gave a sign of life this
 * recently. It gives one with every commit, and on an idle node now and then.
 */
#define ALIVE_NS (60 * NS_PER_SEC)

/* What is known to be covered, and how far the records reach. */
struct cover {
	struct query *query;
	const struct scope *scope;
	struct span *item;
	size_t count, size;
	int64_t first, last; /* of all records; a clock that was set right counts from then on */
	int64_t shown;	     /* the latest that any clock showed while it was recorded */
};

/* The boot that this machine runs now; "" where that is not known. */
static void read_boot_id(char *out, size_t size)
{
	CLEANUP_FCLOSE FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!file || !fgets(out, (int)size, file))
		out[0] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

/*
 * Whether a daemon has this very file: as long as it runs it locks one beside it, which a copy does
 * not have. Seen from a container, or where /proc is another's, nobody does.
 */
static bool is_being_written(const char *path)
{
	CLEANUP_FREE char *real = realpath(path, NULL);
	CLEANUP_FCLOSE FILE *locks = fopen("/proc/locks", "re");
	char name[PATH_MAX], line[256];
	unsigned long long inode;
	struct stat st;

	if (!real || !locks ||
	    (size_t)snprintf(name, sizeof(name), "%s-lock", real) >= sizeof(name) ||
	    stat(name, &st) < 0)
		return false;
	while (fgets(line, sizeof(line), locks)) {
		if (sscanf(line, "%*d: FLOCK %*s WRITE %*d %*x:%*x:%llu", &inode) == 1 &&
		    inode == st.st_ino)
			return true;
	}
	return false;
}

static bool is_of_this_boot(const struct recorder_run *run)
{
	char boot_id[64];

	read_boot_id(boot_id, sizeof(boot_id));
	return strcmp(boot_id, run->boot->boot_id) == 0;
}

static int64_t shift(int64_t ns, int64_t by)
{
	return add_clamped(ns, by);
}

static int grow(struct span **item, size_t *count, size_t *size, struct span span)
{
	if (*count == *size) {
		size_t larger = *size ? *size * 2 : 16;
		struct span *more = reallocarray(*item, larger, sizeof(*more));

		if (!more)
			return -ENOMEM;
		*item = more;
		*size = larger;
	}
	(*item)[(*count)++] = span;
	return 0;
}

static int add(struct cover *c, int64_t from, int64_t to)
{
	return grow(&c->item, &c->count, &c->size, (struct span){from, to});
}

/*
 * A range of boot time as the clock showed it, as query_ranges() places processes. What the clock
 * left out when it was set forward counts where, by the time to which it was set, the range had
 * begun already: nothing happened meanwhile. A boot whose clock was far behind covers no more than
 * it lasted. *first, *last: of what it covers, the first that is not before `begun`, and the last.
 */
static int add_range(struct cover *c, const struct boot_range *range, int64_t begun, int64_t *first,
		     int64_t *last)
{
	const struct clock_segment *clock = range->boot->clock;
	size_t count = range->boot->clock_count;
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		int64_t from = range->from_ns, to = range->to_ns, begin;

		if (i + 1 < count && clock[i + 1].from_boot_ns < to)
			to = clock[i + 1].from_boot_ns;
		begin = shift(from, clock[i].offset_ns);
		if (i && clock[i].from_boot_ns > from) {
			int64_t showed = shift(clock[i].from_boot_ns, clock[i - 1].offset_ns);

			from = clock[i].from_boot_ns;
			begin = showed > begin ? showed : begin;
			if (begin > shift(from, clock[i].offset_ns))
				begin = shift(from, clock[i].offset_ns);
		}
		if (from > to)
			continue;
		to = shift(to, clock[i].offset_ns);
		if (begin >= begun && begin < *first)
			*first = begin;
		if (to > *last)
			*last = to;
		r = add(c, begin, to);
	}
	return r;
}

/* The clock that the boot came to in the end: at first it may be years off. */
static int64_t boot_start(const struct boot *boot)
{
	return boot->clock_count ? boot->clock[boot->clock_count - 1].offset_ns : UNKNOWN;
}

/*
 * Until when a run recorded that no other of its boot followed; now counts, where it runs. Between
 * two of one boot the programs stayed attached and the ring kept what happened, or the daemon has
 * written a gap.
 */
static int64_t run_end(const struct recorder_run *run, int64_t now)
{
	int64_t last = run->stopped_boot_ns == UNKNOWN ? run->last_boot_ns : run->stopped_boot_ns;
	int64_t end = shift(last, boot_start(run->boot));

	if (run->ended || end < now - ALIVE_NS || end > now)
		return last;
	return is_of_this_boot(run) && is_being_written(query_path(run->boot->db))
		       ? shift(last, now - end + 1)
		       : last;
}

static bool wants(const struct scope *scope, const struct boot *boot)
{
	return !scope->wants || scope->wants(boot, scope->userdata);
}

/* The runs of one boot; end: when the next boot began. */
static int add_recorded(struct cover *c, const struct boot_range *range, int64_t end)
{
	const struct scope *scope = c->scope;
	int64_t start = boot_start(range->boot);
	int64_t begun = shift(range->from_ns, start), last = shift(range->to_ns, start);
	int64_t first = INT64_MAX;
	int r = 0;

	/* Without any bound all is shown, wherever its clock has put it. */
	if (scope->since_unix_ns == UNKNOWN && scope->until_unix_ns == UNKNOWN)
		r = add(c, begun, last);
	else
		r = add_range(c, range, begun, &first, &c->shown);
	if (first == INT64_MAX)
		first = begun;
	c->first = c->first == UNKNOWN || first < c->first ? first : c->first;
	c->last = last > c->last ? last : c->last;
	/* What was before and after the records of a boot that is asked for by name, is not. */
	if (r == 0 && scope->wants && scope->since_unix_ns == UNKNOWN)
		r = add(c, start, first);
	if (r == 0 && scope->wants && scope->until_unix_ns == UNKNOWN)
		r = add(c, last, end);
	return r;
}

static int add_boots(struct cover *c, const struct recorder_run *runs, size_t count)
{
	const struct boot *boots;
	size_t boot_count = query_boots(c->query, &boots);
	int r = 0;

	if (c->scope->wants && boot_count)
		r = add(c, INT64_MIN, boot_start(&boots[0]));
	for (size_t b = 0; r == 0 && b < boot_count; b++) {
		int64_t end = b + 1 < boot_count ? boot_start(&boots[b + 1]) : INT64_MAX;
		struct boot_range range = {&boots[b], UNKNOWN, UNKNOWN};

		if (!wants(c->scope, &boots[b])) {
			r = add(c, boot_start(&boots[b]), end);
			continue;
		}
		for (size_t i = 0; i < count; i++) {
			if (runs[i].boot != &boots[b])
				continue;
			if (range.from_ns == UNKNOWN)
				range.from_ns = runs[i].started_boot_ns;
			range.to_ns = run_end(&runs[i], c->scope->now_unix_ns);
		}
		if (range.from_ns != UNKNOWN && range.to_ns != UNKNOWN && boots[b].clock_count)
			r = add_recorded(c, &range, end);
	}
	return r;
}

static int compare_spans(const void *first, const void *second)
{
	const struct span *a = first, *b = second;

	return a->from < b->from ? -1 : a->from > b->from;
}

/* What of [since, until) is not covered. */
static int find_uncovered(struct cover *c, int64_t since, int64_t until, struct downtime *d)
{
	int64_t covered = since;
	int r = 0;

	if (c->count)
		qsort(c->item, c->count, sizeof(*c->item), compare_spans);
	for (size_t i = 0; r == 0 && i < c->count; i++) {
		int64_t from = c->item[i].from;

		if (covered != UNKNOWN && from > covered && (until == UNKNOWN || covered < until))
			r = grow(&d->item, &d->count, &d->size,
				 (struct span){covered,
					       until != UNKNOWN && from > until ? until : from});
		if (covered == UNKNOWN || c->item[i].to > covered)
			covered = c->item[i].to;
	}
	if (r == 0 && until != UNKNOWN && (covered == UNKNOWN || covered < until))
		r = grow(&d->item, &d->count, &d->size, (struct span){covered, until});
	return r;
}

/* Also by a gap, or by boots that retention forgot. */
static int64_t first_covered(const struct cover *c)
{
	int64_t first = INT64_MAX;

	for (size_t i = 0; i < c->count; i++)
		first = c->item[i].from < first ? c->item[i].from : first;
	return first;
}

/* Without a bound as far as there are records; but who should be recording may have died. */
static int find_in_bounds(struct cover *c, const struct recorder_run *newest, struct downtime *d)
{
	const struct scope *scope = c->scope;
	int64_t since = scope->since_unix_ns, until = scope->until_unix_ns;
	int r;

	if (c->count == 0)
		return grow(&d->item, &d->count, &d->size, (struct span){since, until});
	/* A clock that was behind at first covers what is before that, too. */
	if (since == UNKNOWN)
		since = until != UNKNOWN && until <= c->first ? first_covered(c) : c->first;
	if (until == UNKNOWN)
		until = c->last;
	if (scope->until_unix_ns == UNKNOWN && newest && !newest->ended &&
	    wants(scope, newest->boot) && is_of_this_boot(newest))
		until = scope->now_unix_ns;
	/* A time that ends before all records has no beginning there... */
	if (scope->since_unix_ns == UNKNOWN && scope->until_unix_ns != UNKNOWN &&
	    until <= first_covered(c))
		return grow(&d->item, &d->count, &d->size, (struct span){UNKNOWN, until});
	/* ... and one that begins behind them no end, but for what a clock that was ahead showed.
	 */
	if (scope->until_unix_ns == UNKNOWN && scope->since_unix_ns != UNKNOWN && since > until) {
		int64_t shown = since > c->shown ? since : c->shown;

		r = find_uncovered(c, since, shown, d);
		return r < 0 ? r
			     : grow(&d->item, &d->count, &d->size, (struct span){shown, UNKNOWN});
	}
	return find_uncovered(c, since, until, d);
}

int downtime_find(struct query *q, const struct scope *scope, const struct downtime_told *told,
		  struct downtime *ret_downtime)
{
	struct cover cover = {
		.query = q, .scope = scope, .first = UNKNOWN, .last = UNKNOWN, .shown = UNKNOWN};
	struct downtime *d = ret_downtime;
	struct recorder_run *runs;
	size_t count;
	int r = query_runs(q, &runs, &count);

	*d = (struct downtime){0};
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		if (runs[i].filter && wants(scope, runs[i].boot))
			d->filter = runs[i].filter;
	}
	for (size_t i = 0; r == 0 && i < told->gaps_count; i++) {
		int64_t first = 0, last = 0;

		r = add_range(&cover, &told->gaps[i], 0, &first, &last);
	}
	for (size_t i = 0; r == 0 && i < told->removed_count; i++) {
		const struct span *s = &told->removed[i];

		if (cover.first == UNKNOWN || s->from < cover.first)
			cover.first = s->from;
		if (s->to > cover.last)
			cover.last = s->to;
		r = add(&cover, s->from, s->to);
	}
	if (r == 0)
		r = add_boots(&cover, runs, count);
	if (r == 0)
		r = find_in_bounds(&cover, count ? &runs[count - 1] : NULL, d);
	free(cover.item);
	return r;
}

void downtime_deinit(struct downtime *d)
{
	free(d->item);
	*d = (struct downtime){0};
}
