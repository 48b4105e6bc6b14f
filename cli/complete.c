/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/complete.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/downtime.h"
#include "cli/escape.h"
#include "schema/cleanup.h"

void completeness_deinit(struct completeness *c)
{
	free(c->item);
	arena_deinit(&c->arena);
	*c = (struct completeness){0};
}

const char *missing_kind_name(enum missing_kind kind)
{
	static const char *const names[] = {
		[MISSING_GAP] = "gap",
		[MISSING_NOT_RECORDED] = "not-recorded",
		[MISSING_TRUNCATED] = "truncated",
		[MISSING_PRUNED] = "pruned",
		[MISSING_PRUNED_EXECS] = "pruned-execs",
		[MISSING_PRUNED_FAILURES] = "pruned-failed-execs",
		[MISSING_UNKNOWN] = "unknown",
		[MISSING_LIMIT] = "limit",
		[MISSING_UNREAD] = "unread",
	};

	return names[kind];
}

static struct missing *add(struct completeness *c, enum missing_kind kind)
{
	if (c->count == c->size) {
		size_t size = c->size ? c->size * 2 : 8;
		struct missing *more = reallocarray(c->item, size, sizeof(*more));

		if (!more)
			return NULL;
		c->item = more;
		c->size = size;
	}
	c->item[c->count] = (struct missing){
		.kind = kind,
		.from_unix_ns = UNKNOWN,
		.to_unix_ns = UNKNOWN,
		.lost = UNKNOWN,
	};
	return &c->item[c->count++];
}

static const char *copy(struct completeness *c, const char *text)
{
	return text ? arena_copy(&c->arena, text, strlen(text)) : NULL;
}

static bool touches(const struct missing *m, const struct process *p)
{
	return p->db == m->db && (m->to_unix_ns == UNKNOWN || p->start_unix_ns <= m->to_unix_ns) &&
	       (m->from_unix_ns == UNKNOWN || p->end_unix_ns == UNKNOWN ||
		p->end_unix_ns >= m->from_unix_ns);
}

/* Which of the processes shown lived in that time: what is missing may be theirs. */
static void find_touched(struct missing *m, const struct process_list *shown)
{
	for (size_t i = 0; shown && i < shown->count; i++)
		m->count += touches(m, shown->item[i]);
	if (m->count)
		snprintf(m->touches, sizeof(m->touches),
			 "children, execs or ends of the %" PRId64 " shown that lived then",
			 m->count);
	else
		snprintf(m->touches, sizeof(m->touches), "whole processes");
}

void completeness_add_shown(struct completeness *c, const struct process_list *shown)
{
	for (size_t i = 0; i < c->count; i++) {
		if (c->item[i].kind == MISSING_GAP || c->item[i].kind == MISSING_NOT_RECORDED)
			find_touched(&c->item[i], shown);
	}
}

/* Two ranges of one answer may touch the same gap. */
static bool is_told(const struct completeness *c, const struct query *q, const struct gap *gap)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct missing *m = &c->item[i];

		if (m->kind == MISSING_GAP && m->db == q && m->gap_id == gap->id)
			return true;
	}
	return false;
}

static int add_gaps(struct completeness *c, struct query *q, const struct boot_range *range,
		    const struct process_list *shown)
{
	struct gap *gaps;
	size_t count;
	int r = query_gaps(q, range, &gaps, &count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		struct missing *m;

		/* What was rebuilt is in the answer, marked as recovered. */
		if (gaps[i].lost == 0 || is_told(c, q, &gaps[i]))
			continue;
		m = add(c, MISSING_GAP);
		if (!m)
			return -ENOMEM;
		/* The query may forget what it handed out. */
		m->cause = copy(c, gaps[i].cause);
		m->from_unix_ns = gaps[i].from_unix_ns;
		m->to_unix_ns = gaps[i].to_unix_ns;
		m->lost = gaps[i].lost;
		m->recovered = gaps[i].recovered;
		m->db = q;
		m->gap_id = gaps[i].id;
		m->range =
			(struct boot_range){gaps[i].boot, gaps[i].from_boot_ns, gaps[i].to_boot_ns};
		find_touched(m, shown);
	}
	return r;
}

/* The first and the last that the clock showed; set back meanwhile, not those of the ends. */
static void shown_between(const struct boot *boot, int64_t from_boot_ns, int64_t to_boot_ns,
			  int64_t *ret_from, int64_t *ret_to)
{
	int64_t from = boot_to_unix(boot, from_boot_ns), to = boot_to_unix(boot, to_boot_ns);

	for (size_t i = 1; i < boot->clock_count; i++) {
		int64_t at = boot->clock[i].from_boot_ns, set, was;

		if (at <= from_boot_ns || at > to_boot_ns)
			continue;
		set = boot_to_unix(boot, at);
		was = boot_to_unix(boot, at - 1);
		if (set != UNKNOWN && set < from)
			from = set;
		if (was != UNKNOWN && was > to)
			to = was;
	}
	*ret_from = from;
	*ret_to = to;
}

/* Of one boot, whose clock may show a time more than once. */
static int add_pruned(struct completeness *c, struct query *q, const struct boot_range *ranges,
		      size_t count)
{
	struct pruned pruned = {0};
	struct missing *m;
	int r = query_pruned(q, ranges, count, &pruned);

	if (r < 0 || !pruned.count)
		return r;
	m = add(c, MISSING_PRUNED);
	if (!m)
		return -ENOMEM;
	shown_between(ranges->boot, pruned.from_boot_ns, pruned.to_boot_ns, &m->from_unix_ns,
		      &m->to_unix_ns);
	m->count = pruned.count;
	m->db = q;
	snprintf(m->touches, sizeof(m->touches), "whole processes");
	return 0;
}

/* Boots that are not in the database any more were recorded all the same. */
static int add_forgotten(struct completeness *c, struct query *q, const struct scope *scope)
{
	struct forgotten *boots;
	size_t count;
	int r = query_forgotten(q, &boots, &count);

	/* Who names boots does not ask for them. */
	for (size_t i = 0; r == 0 && !scope->wants && i < count; i++) {
		struct missing *m;

		if ((scope->since_unix_ns != UNKNOWN &&
		     boots[i].to_unix_ns < scope->since_unix_ns) ||
		    (scope->until_unix_ns != UNKNOWN &&
		     boots[i].from_unix_ns >= scope->until_unix_ns))
			continue;
		m = add(c, MISSING_PRUNED);
		if (!m)
			return -ENOMEM;
		m->from_unix_ns = boots[i].from_unix_ns;
		m->to_unix_ns = boots[i].to_unix_ns;
		m->count = boots[i].processes;
		m->db = q;
		m->boots = true;
		snprintf(m->touches, sizeof(m->touches), "whole boots");
	}
	return r;
}

/* Names the first that is counted. */
static void count(struct missing *m, const struct process *p, int64_t number)
{
	const char *comm = process_comm(p);
	struct buffer name = {0};

	if (m->count == 0) {
		escape_text(&name, comm, strnlen(comm, 16), true);
		snprintf(m->name, sizeof(m->name), "%s(%" PRId64 ")", name.data ? name.data : "",
			 p->pid);
		buffer_deinit(&name);
	}
	m->count = add_clamped(m->count, number);
}

static const struct {
	enum missing_kind kind;
	const char *touches;
} pruned_kinds[PRUNED_KINDS] = {
	[PRUNED_EXECS] = {MISSING_PRUNED_EXECS, "what processes that stay ran before"},
	[PRUNED_FAILURES] = {MISSING_PRUNED_FAILURES, "what processes that stay failed to execute"},
};

/* A process that stays is found by what is left of it only. */
static int add_pruned_events(struct completeness *c, struct query *q,
			     const struct boot_range *ranges, size_t range_count, bool begun)
{
	int r = 0;

	for (int kind = 0; r == 0 && kind < PRUNED_KINDS; kind++) {
		struct process *first = NULL;
		struct pruned pruned = {0};
		struct missing *m;

		r = query_pruned_events(q, ranges, range_count, (enum pruned_kind)kind, begun,
					&pruned, &first);
		if (r < 0 || !pruned.count)
			continue;
		m = add(c, pruned_kinds[kind].kind);
		if (!m)
			return -ENOMEM;
		if (first)
			count(m, first, pruned.count);
		m->count = pruned.count;
		shown_between(ranges->boot, pruned.from_boot_ns, pruned.to_boot_ns,
			      &m->from_unix_ns, &m->to_unix_ns);
		m->db = q;
		snprintf(m->touches, sizeof(m->touches), "%s", pruned_kinds[kind].touches);
	}
	return r;
}

static int add_not_recorded(struct completeness *c, struct query *q, int64_t from, int64_t to,
			    bool to_come, const struct process_list *shown)
{
	struct missing *m = add(c, MISSING_NOT_RECORDED);

	if (!m)
		return -ENOMEM;
	m->from_unix_ns = from;
	m->to_unix_ns = to;
	m->to_come = to_come;
	m->db = q;
	find_touched(m, shown);
	return 0;
}

/* Nobody can have recorded what is yet to come. */
static int add_downtime(struct completeness *c, struct query *q, const struct span *span,
			int64_t now, const struct process_list *shown)
{
	bool to_come = span->from > now;
	int r;

	/* Also of a time of no length that is now. */
	if (to_come || span->to == UNKNOWN || span->to <= now + 1)
		return add_not_recorded(c, q, span->from, span->to, to_come, shown);
	r = span->from == now ? 0 : add_not_recorded(c, q, span->from, now, false, shown);
	return r < 0 ? r : add_not_recorded(c, q, now, span->to, true, shown);
}

static int add_downtimes(struct completeness *c, struct query *q, const struct scope *scope,
			 const struct process_list *shown)
{
	CLEANUP_FREE struct boot_range *gaps = calloc(c->count + 1, sizeof(*gaps));
	CLEANUP_FREE struct span *removed = calloc(c->count + 1, sizeof(*removed));
	struct downtime_told told = {.gaps = gaps, .removed = removed};
	struct downtime downtime = {0};
	int r = gaps && removed ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < c->count; i++) {
		const struct missing *m = &c->item[i];

		if (m->db == q && m->kind == MISSING_GAP && m->range.boot)
			gaps[told.gaps_count++] = m->range;
		if (m->db == q && m->boots)
			removed[told.removed_count++] =
				(struct span){m->from_unix_ns, m->to_unix_ns};
	}
	if (r == 0)
		r = downtime_find(q, scope, &told, &downtime);
	if (r == 0 && downtime.filter)
		c->filter = copy(c, downtime.filter);
	for (size_t i = 0; r == 0 && i < downtime.count; i++)
		r = add_downtime(c, q, &downtime.item[i], scope->now_unix_ns, shown);
	downtime_deinit(&downtime);
	return r;
}

static bool wants(const struct scope *scope, const struct boot *boot)
{
	return !scope->wants || scope->wants(boot, scope->userdata);
}

/* The ranges are of one boot. */
static int add_losses(struct completeness *c, struct query *q, const struct scope *scope,
		      const struct boot_range *ranges, size_t range_count, bool with_pruned,
		      const struct process_list *shown)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < range_count; i++)
		r = add_gaps(c, q, &ranges[i], shown);
	if (r == 0 && with_pruned)
		r = add_pruned(c, q, ranges, range_count);
	if (r == 0 && with_pruned)
		r = add_pruned_events(c, q, ranges, range_count, scope->begun);
	return r;
}

static int add_scope(struct completeness *c, struct query *q, const struct scope *scope,
		     bool with_pruned, const struct process_list *shown)
{
	CLEANUP_FREE struct boot_range *ranges = NULL;
	size_t count, same;
	int r = query_ranges(q, scope->since_unix_ns, scope->until_unix_ns, &ranges, &count);

	for (size_t i = 0; r == 0 && i < count; i += same) {
		same = 1;
		while (i + same < count && ranges[i + same].boot == ranges[i].boot)
			same++;
		if (wants(scope, ranges[i].boot))
			r = add_losses(c, q, scope, &ranges[i], same, with_pruned, shown);
	}
	if (r == 0 && with_pruned)
		r = add_forgotten(c, q, scope);
	return r == 0 ? add_downtimes(c, q, scope, shown) : r;
}

int completeness_add_range(struct completeness *c, struct query *q, int64_t since_unix_ns,
			   int64_t until_unix_ns, int64_t now_unix_ns,
			   const struct process_list *shown)
{
	struct scope scope = {
		.since_unix_ns = since_unix_ns,
		.until_unix_ns = until_unix_ns,
		.now_unix_ns = now_unix_ns,
	};

	/* Nobody's life is yet to come; it may seem so where the clock was set back since. */
	if (until_unix_ns != UNKNOWN && until_unix_ns > now_unix_ns)
		scope.until_unix_ns = now_unix_ns;
	return add_scope(c, q, &scope, false, shown);
}

int completeness_add_boot(struct completeness *c, const struct boot_range *range,
			  const struct process_list *shown)
{
	return add_gaps(c, range->boot->db, range, shown);
}

int completeness_add_life(struct completeness *c, struct process *p, int64_t now_unix_ns)
{
	const struct process_list one = {&p, 1, 0};
	const struct boot_range life = {p->boot, p->start_boot_ns,
					process_ended(p) ? p->end_boot_ns : INT64_MAX};
	int r = completeness_add_range(c, p->db, p->start_unix_ns,
				       process_ended(p) ? p->end_unix_ns : now_unix_ns, now_unix_ns,
				       &one);

	return r < 0 ? r : completeness_add_boot(c, &life, &one);
}

int completeness_add_time(struct completeness *c, struct query *q, const struct scope *scope,
			  const struct process_list *shown)
{
	c->of_time = true;
	return add_scope(c, q, scope, true, shown);
}

static bool any_truncated(const struct process *p)
{
	for (size_t i = 0; i < p->exec_count; i++) {
		if (p->execs[i].image && image_truncated(p->execs[i].image))
			return true;
	}
	return p->image && image_truncated(p->image);
}

/* Only pointed at, by a child or by its end: or born of such a one. */
static bool is_unknown(const struct process *p)
{
	return p->birth == PROVENANCE_INFERRED || (!p->image && !p->pruned[PRUNED_EXECS].count);
}

static void count_events(struct missing *m, const struct process *p, const struct pruned *pruned)
{
	int64_t from, to;

	if (!pruned->count)
		return;
	shown_between(p->boot, pruned->from_boot_ns, pruned->to_boot_ns, &from, &to);
	if (m->count == 0 || from < m->from_unix_ns)
		m->from_unix_ns = from;
	if (m->count == 0 || to > m->to_unix_ns)
		m->to_unix_ns = to;
	count(m, p, pruned->count);
}

/*
 * When the first recording of a boot began; before that snapshots know. A run starts a moment
 * before its programs are attached: what was not recorded before reaches until then.
 */
static int recording_began(const struct boot *boot, int64_t *ret_boot_ns)
{
	struct boot_range start = {boot, INT64_MIN, INT64_MIN};
	struct recorder_run *runs;
	struct gap *gaps;
	size_t count;
	int r = query_runs(boot->db, &runs, &count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		if (runs[i].boot == boot) {
			start.from_ns = start.to_ns = runs[i].started_boot_ns;
			break;
		}
	}
	*ret_boot_ns = start.from_ns;
	if (r == 0)
		r = query_gaps(boot->db, &start, &gaps, &count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		if (gaps[i].lost == UNKNOWN && gaps[i].from_boot_ns < start.from_ns &&
		    gaps[i].to_boot_ns >= *ret_boot_ns)
			*ret_boot_ns = gaps[i].to_boot_ns + 1;
	}
	return r;
}

int completeness_add_line(struct completeness *c, const struct process *p,
			  const struct process_list *line)
{
	struct boot_range range = {p->boot, p->start_boot_ns, p->start_boot_ns};
	const struct process *top = line->count ? line->item[line->count - 1] : p;
	struct process *above;
	int64_t began;
	int r = recording_began(p->boot, &began);

	if (r < 0)
		return r;
	for (size_t i = 0; i < line->count; i++) {
		const struct process *a = line->item[i];
		int64_t from = a->start_boot_ns;

		if (a->birth == PROVENANCE_SNAPSHOT && from < began)
			from = began;
		if (a->boot == p->boot && from < range.from_ns)
			range.from_ns = from;
	}
	if (range.from_ns < range.to_ns)
		r = completeness_add_boot(c, &range, line);
	if (r == 0 && top->parent_id && query_process(p->db, top->parent_id, &above) == 1)
		count(&c->unknown, top, 1);
	return r;
}

int completeness_count_process(struct completeness *c, const struct process *p)
{
	if (any_truncated(p))
		count(&c->truncated, p, 1);
	if (is_unknown(p))
		count(&c->unknown, p, 1);
	if (p->pruned_children)
		count(&c->children, p, p->pruned_children);
	for (int kind = 0; kind < PRUNED_KINDS; kind++)
		count_events(&c->events[kind], p, &p->pruned[kind]);
	return 0;
}

void completeness_count_orphan(struct completeness *c, const struct process *p)
{
	c->orphans.orphans = true;
	count(&c->orphans, p, 1);
}

static int add_counted(struct completeness *c, const struct missing *counted,
		       enum missing_kind kind, const char *touches)
{
	bool has_time = kind == MISSING_PRUNED_EXECS || kind == MISSING_PRUNED_FAILURES;
	struct missing *m;

	if (counted->count == 0)
		return 0;
	m = add(c, kind);
	if (!m)
		return -ENOMEM;
	m->count = counted->count;
	m->orphans = counted->orphans;
	if (has_time) {
		m->from_unix_ns = counted->from_unix_ns;
		m->to_unix_ns = counted->to_unix_ns;
	}
	memcpy(m->name, counted->name, sizeof(m->name));
	snprintf(m->touches, sizeof(m->touches), "%s", touches);
	return 0;
}

int completeness_end_processes(struct completeness *c)
{
	int r = add_counted(c, &c->truncated, MISSING_TRUNCATED,
			    "the rest of command lines or paths");

	if (r == 0 && !c->of_time)
		r = add_counted(c, &c->children, MISSING_PRUNED, "children of processes shown");
	for (int kind = 0; r == 0 && !c->of_time && kind < PRUNED_KINDS; kind++)
		r = add_counted(c, &c->events[kind], pruned_kinds[kind].kind,
				pruned_kinds[kind].touches);
	if (r == 0)
		r = add_counted(c, &c->unknown, MISSING_UNKNOWN,
				"parents and programs of processes shown");
	return r < 0 ? r : add_counted(c, &c->orphans, MISSING_UNKNOWN, "their place in the tree");
}

int completeness_add_processes(struct completeness *c, const struct process_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		completeness_count_process(c, list->item[i]);
	return completeness_end_processes(c);
}

int completeness_add_limit(struct completeness *c, int64_t count)
{
	struct missing *m = add(c, MISSING_LIMIT);

	if (!m)
		return -ENOMEM;
	m->count = count;
	snprintf(m->touches, sizeof(m->touches), "results beyond the first %" PRId64, count);
	return 0;
}

int completeness_add_unread(struct completeness *c)
{
	struct missing *m = add(c, MISSING_UNREAD), unread;

	if (!m)
		return -ENOMEM;
	snprintf(m->touches, sizeof(m->touches), "whatever comes after what is shown");
	/* Before all else, also where only a few are told. */
	unread = *m;
	memmove(c->item + 1, c->item, (c->count - 1) * sizeof(*c->item));
	c->item[0] = unread;
	return 0;
}
