/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/complete.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/escape.h"
#include "cli/timespec.h"
#include "schema/cleanup.h"

/*
 * A daemon that still writes this file is believed up to now if it gave a sign of life this
 * recently. It gives one with every commit, and on an idle node now and then.
 */
#define ALIVE_NS (60 * NS_PER_SEC)

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
		find_touched(m, shown);
	}
	return r;
}

static int add_pruned(struct completeness *c, struct query *q, const struct boot_range *range)
{
	struct pruned pruned = {0};
	struct missing *m;
	int r = query_pruned(q, range, &pruned);

	if (r < 0 || !pruned.processes)
		return r;
	m = add(c, MISSING_PRUNED);
	if (!m)
		return -ENOMEM;
	m->from_unix_ns = boot_to_unix(range->boot, pruned.from_boot_ns);
	m->to_unix_ns = boot_to_unix(range->boot, pruned.to_boot_ns);
	m->count = pruned.processes;
	m->db = q;
	snprintf(m->touches, sizeof(m->touches), "whole processes");
	return 0;
}

struct span {
	int64_t from, to;
};

static int compare_spans(const void *first, const void *second)
{
	const struct span *a = first, *b = second;

	return a->from < b->from ? -1 : a->from > b->from;
}

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

/*
 * Until when a run recorded. Where another followed in the same boot, up to that one: the programs
 * stayed attached and the ring kept what happened, or the daemon has written a gap for the time
 * between.
 */
static int64_t run_end(const struct recorder_run *run, const struct recorder_run *next, int64_t now)
{
	int64_t last = run->stopped_boot_ns == UNKNOWN ? run->last_boot_ns : run->stopped_boot_ns;
	int64_t end = boot_to_unix(run->boot, last);

	if (next && next->boot == run->boot)
		return boot_to_unix(run->boot, next->started_boot_ns);
	if (run->ended || end == UNKNOWN || now - end > ALIVE_NS || now < end)
		return end;
	return is_of_this_boot(run) && is_being_written(query_path(run->boot->db)) ? now : end;
}

static int add_not_recorded(struct completeness *c, struct query *q, int64_t from, int64_t to,
			    const struct process_list *shown)
{
	struct missing *m = add(c, MISSING_NOT_RECORDED);

	if (!m)
		return -ENOMEM;
	m->from_unix_ns = from;
	m->to_unix_ns = to;
	m->db = q;
	find_touched(m, shown);
	return 0;
}

/* What of [since, until) no span covers. */
static int add_uncovered(struct completeness *c, struct query *q, struct span *spans, size_t count,
			 int64_t since, int64_t until, const struct process_list *shown)
{
	int64_t covered = since;
	int r = 0;

	qsort(spans, count, sizeof(*spans), compare_spans);
	for (size_t i = 0; r == 0 && i < count; i++) {
		int64_t from = spans[i].from;

		if (covered != UNKNOWN && from > covered && (until == UNKNOWN || covered < until))
			r = add_not_recorded(c, q, covered,
					     until != UNKNOWN && from > until ? until : from,
					     shown);
		if (covered == UNKNOWN || spans[i].to > covered)
			covered = spans[i].to;
	}
	if (r == 0 && until != UNKNOWN && (covered == UNKNOWN || covered < until))
		r = add_not_recorded(c, q, covered, until, shown);
	return r;
}

static bool wants(const struct scope *scope, const struct boot *boot)
{
	return !scope->wants || scope->wants(boot, scope->userdata);
}

/* Times of which a question for some boots does not ask; at most three for each boot, and one. */
static size_t add_unasked(struct query *q, const struct scope *scope,
			  const struct recorder_run *runs, size_t count, struct span *spans)
{
	const struct boot *boots;
	size_t boot_count = query_boots(q, &boots), used = 0;

	for (size_t b = 0; scope->wants && b < boot_count; b++) {
		int64_t start = boot_to_unix(&boots[b], 0), end = INT64_MAX;
		const struct recorder_run *first = NULL, *last = NULL;

		if (b == 0)
			spans[used++] = (struct span){INT64_MIN, start};
		if (b + 1 < boot_count)
			end = boot_to_unix(&boots[b + 1], 0);
		if (!wants(scope, &boots[b])) {
			spans[used++] = (struct span){start, end};
			continue;
		}
		for (size_t i = 0; i < count; i++) {
			if (runs[i].boot != &boots[b])
				continue;
			first = first ? first : &runs[i];
			last = &runs[i];
		}
		/* Without a bound, as far as there are records of that boot. */
		if (first && scope->since_unix_ns == UNKNOWN)
			spans[used++] = (struct span){start, boot_to_unix(first->boot,
									  first->started_boot_ns)};
		if (last && scope->until_unix_ns == UNKNOWN)
			spans[used++] = (struct span){run_end(last, NULL, scope->now_unix_ns), end};
	}
	return used;
}

/* What a gap tells need not be told again. */
static size_t add_told(const struct completeness *c, struct span *spans)
{
	size_t used = 0;

	for (size_t i = 0; i < c->count; i++) {
		const struct missing *m = &c->item[i];

		if (m->kind == MISSING_GAP && m->from_unix_ns != UNKNOWN &&
		    m->to_unix_ns != UNKNOWN)
			spans[used++] = (struct span){m->from_unix_ns, m->to_unix_ns};
	}
	return used;
}

static int add_downtime(struct completeness *c, struct query *q, const struct scope *scope,
			const struct process_list *shown)
{
	CLEANUP_FREE struct span *spans = NULL;
	int64_t until = scope->until_unix_ns;
	const struct boot *boots;
	struct recorder_run *runs;
	size_t count, used;
	int r = query_runs(q, &runs, &count);

	if (r < 0)
		return r;
	spans = calloc(count + c->count + 3 * query_boots(q, &boots) + 1, sizeof(*spans));
	if (!spans)
		return -ENOMEM;
	used = add_told(c, spans);
	used += add_unasked(q, scope, runs, count, spans + used);
	for (size_t i = 0; i < count; i++) {
		const struct recorder_run *next = i + 1 < count ? &runs[i + 1] : NULL;
		struct span span = {boot_to_unix(runs[i].boot, runs[i].started_boot_ns),
				    run_end(&runs[i], next, scope->now_unix_ns)};

		if (runs[i].filter && wants(scope, runs[i].boot))
			c->filter = copy(c, runs[i].filter);
		if (span.from != UNKNOWN && span.to != UNKNOWN)
			spans[used++] = span;
	}
	/* Without a bound as far as there are records; but who should be recording may have died.
	 */
	if (until == UNKNOWN && count && !runs[count - 1].ended &&
	    wants(scope, runs[count - 1].boot) && is_of_this_boot(&runs[count - 1]))
		until = scope->now_unix_ns;
	/* Nobody can have recorded what is yet to come. */
	if (until != UNKNOWN && until > scope->now_unix_ns)
		until = scope->now_unix_ns;
	if (used == 0)
		return add_not_recorded(c, q, scope->since_unix_ns, until, shown);
	return add_uncovered(c, q, spans, used, scope->since_unix_ns, until, shown);
}

static int add_scope(struct completeness *c, struct query *q, const struct scope *scope,
		     bool with_pruned, const struct process_list *shown)
{
	CLEANUP_FREE struct boot_range *ranges = NULL;
	size_t count;
	int r = query_ranges(q, scope->since_unix_ns, scope->until_unix_ns, &ranges, &count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		if (!wants(scope, ranges[i].boot))
			continue;
		r = add_gaps(c, q, &ranges[i], shown);
		if (r == 0 && with_pruned)
			r = add_pruned(c, q, &ranges[i]);
	}
	return r == 0 ? add_downtime(c, q, scope, shown) : r;
}

int completeness_add_range(struct completeness *c, struct query *q, int64_t since_unix_ns,
			   int64_t until_unix_ns, int64_t now_unix_ns,
			   const struct process_list *shown)
{
	const struct scope scope = {since_unix_ns, until_unix_ns, now_unix_ns, NULL, NULL};

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
	return p->birth == PROVENANCE_INFERRED || !p->image;
}

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
	m->count += number;
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
	if (p->pruned_children && !c->of_time)
		count(&c->pruned, p, p->pruned_children);
	return 0;
}

static int add_counted(struct completeness *c, const struct missing *counted,
		       enum missing_kind kind, const char *touches)
{
	struct missing *m;

	if (counted->count == 0)
		return 0;
	m = add(c, kind);
	if (!m)
		return -ENOMEM;
	m->count = counted->count;
	memcpy(m->name, counted->name, sizeof(m->name));
	snprintf(m->touches, sizeof(m->touches), "%s", touches);
	return 0;
}

int completeness_end_processes(struct completeness *c)
{
	int r = add_counted(c, &c->truncated, MISSING_TRUNCATED,
			    "the rest of command lines or paths");

	if (r == 0)
		r = add_counted(c, &c->pruned, MISSING_PRUNED, "children of processes shown");
	return r < 0 ? r
		     : add_counted(c, &c->unknown, MISSING_UNKNOWN,
				   "parents and programs of processes shown");
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
