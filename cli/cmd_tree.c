/* SPDX-License-Identifier: Apache-2.0 */
/* tree: where a process comes from and what came of it; of all that match; or of all at a time. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/gather.h"
#include "cli/moment.h"
#include "cli/words.h"
#include "schema/cleanup.h"

/* What a tree is put together from; freed as one. */
struct tree {
	struct session *session;
	struct writer writer;
	struct process *target; /* NULL: of all that match */
	struct process_list found, shown;
	struct forest forest;
	struct completeness completeness;
	struct selection selection;
	struct moment moment;
	char title[160];
};

static void tree_deinit(struct tree *t)
{
	process_list_deinit(&t->found);
	process_list_deinit(&t->shown);
	moment_deinit(&t->moment);
	forest_deinit(&t->forest);
	completeness_deinit(&t->completeness);
	selection_deinit(&t->selection);
}

static bool by_reaper(const struct tree *t)
{
	const struct flags *flags = &t->session->flags;

	return flags->parent ? strcmp(flags->parent, "reaper") == 0 : flags->at != NULL;
}

static bool is_only_up(const struct tree *t)
{
	return t->session->flags.ancestors.given || t->session->flags.line;
}

/* In a line of names each is called what it was when the next was born. */
static int name_line(struct tree *t)
{
	const struct process *below = t->target;
	int r = 0;

	for (size_t i = 0; r == 0 && i < t->shown.count; i++) {
		struct process *p = t->shown.item[i];
		struct exec image;

		r = moment_image(p, below->start_boot_ns, &image);
		if (r == 0)
			moment_put_image(p, &image);
		below = p;
	}
	return r;
}

static int find_alive(struct tree *t, struct query *q)
{
	int r = gather_alive_at(t->session, q, &t->moment, &t->moment.alive);

	return r < 0 ? r : moment_find_inits(&t->moment);
}

static int collect_up(struct tree *t)
{
	unsigned int limit = t->session->flags.ancestors.value;

	if (by_reaper(t))
		return gather_reapers(t->target, &t->moment, limit, &t->shown);
	return query_ancestors(t->target->db, t->target, limit, &t->shown);
}

static int collect_down(struct tree *t, unsigned int depth)
{
	struct process *p = t->target;
	size_t first = t->shown.count;
	int r;

	if (!by_reaper(t))
		r = query_descendants(p->db, p, depth, &t->shown);
	else if (t->session->flags.at)
		r = gather_below(p, &t->moment, depth, &t->shown, &t->completeness);
	else
		r = query_last_descendants(p->db, p, depth, &t->shown);
	for (size_t i = first; i < t->shown.count; i++)
		t->shown.item[i]->selected = true;
	return r;
}

/* Ancestors are context; the process and what is below it are the answer. */
static int collect_target(struct tree *t)
{
	const struct flags *flags = &t->session->flags;
	struct process *target = t->target;
	bool only_up = is_only_up(t);
	bool up = only_up || !flags->descendants.given;
	bool down = flags->descendants.given || !only_up;
	unsigned int depth = flags->depth.given ? flags->depth.value : flags->descendants.value;
	int r = 0;

	up &= flags->ancestors.value || flags->ancestors.all || !flags->ancestors.given;
	if (flags->at && by_reaper(t))
		r = find_alive(t, target->db);
	if (r == 0 && up)
		r = collect_up(t);
	if (r == 0)
		r = completeness_add_line(&t->completeness, target, &t->shown);
	if (r == 0 && flags->line && t->writer.ops == &writer_text && !flags->at)
		r = name_line(t);
	for (size_t i = 0; i < t->shown.count; i++)
		t->shown.item[i]->selected = only_up;
	target->selected = true;
	if (r == 0)
		r = process_list_add(&t->shown, target);
	down &= depth ||
		!(flags->depth.given || (flags->descendants.given && !flags->descendants.all));
	if (r == 0 && down)
		r = collect_down(t, depth);
	/* In a ring of damaged data whoever is above is below, too. */
	process_list_unique(&t->shown);
	return r;
}

/* Who was not alive then leaves, but for those by whose birth the living hang together. */
static int keep_alive_at(struct tree *t)
{
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; i < t->shown.count; i++) {
		struct process *p = t->shown.item[i];

		if (p == t->target || moment_alive(&t->moment, p))
			t->shown.item[kept++] = p;
	}
	t->shown.count = kept;
	for (unsigned int i = 0; r == 0 && !by_reaper(t) && i < t->session->db_count; i++)
		r = gather_context(t->session->db[i], &t->shown, 0);
	return r;
}

static int collect_of(struct tree *t, struct query *q)
{
	struct session *s = t->session;
	size_t first = t->shown.count;
	int r;

	if (s->flags.at) {
		r = find_alive(t, q);
		if (r == 0)
			r = gather_matching_at(&t->selection, q, &t->moment, &t->shown);
	} else {
		r = gather_matching(s, &t->selection, q, &t->shown);
	}
	if (r < 0)
		return r;
	return by_reaper(t) ? gather_reaper_context(q, &t->moment, &t->shown, first)
			    : gather_context(q, &t->shown, first);
}

static int collect_all(struct tree *t)
{
	struct session *s = t->session;
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < s->db_count; i++) {
		r = collect_of(t, s->db[i]);
		if (r < 0)
			return fail_database(query_path(s->db[i]), r, query_errmsg(s->db[i]));
	}
	return r;
}

/* Whom retention removed is counted below who had it at birth; who had it later is not known. */
static bool counts_pruned(const struct tree *t)
{
	return !t->target || (by_reaper(t) && !is_only_up(t));
}

static int add_time(struct tree *t, struct query *q, int64_t since, int64_t until)
{
	struct session *s = t->session;

	/* A moment that is yet to come is no part of a life. */
	if (counts_pruned(t) || since > s->now_unix_ns)
		return session_add_time(s, &t->completeness, q, since, until, &t->shown);
	return completeness_add_range(&t->completeness, q, since, until, s->now_unix_ns, &t->shown);
}

/* Of the selected of a boot: from the first start to the last end, or to that moment. */
static struct boot_range find_range(const struct tree *t, const struct boot *boot, int64_t at_ns)
{
	bool only_up = is_only_up(t);
	struct boot_range range = {boot, INT64_MAX, INT64_MIN};

	for (size_t i = 0; i < t->shown.count; i++) {
		const struct process *p = t->shown.item[i];
		int64_t end = process_ended(p) ? p->end_boot_ns : INT64_MAX;

		/* completeness_add_line() is about those above. */
		if (p->boot != boot || !p->selected ||
		    (t->target && p->start_boot_ns < t->target->start_boot_ns))
			continue;
		/* Of a line of ancestors nothing can be missing that comes later. */
		if (only_up && t->target)
			end = p->start_boot_ns;
		range.from_ns = p->start_boot_ns < range.from_ns ? p->start_boot_ns : range.from_ns;
		range.to_ns = end > range.to_ns ? end : range.to_ns;
	}
	if (at_ns != UNKNOWN)
		range.to_ns = at_ns;
	return range;
}

static int add_moment(struct tree *t, struct query *q)
{
	CLEANUP_FREE struct boot_range *ranges = NULL;
	struct session *s = t->session;
	int64_t at = t->moment.unix_ns;
	size_t count;
	int r = query_ranges(q, at, at + 1, &ranges, &count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		struct boot_range range = find_range(t, ranges[i].boot, ranges[i].to_ns);

		if (session_wants_boot(s, range.boot) && range.from_ns < range.to_ns)
			r = completeness_add_boot(&t->completeness, &range, &t->shown);
	}
	return r < 0 ? r : add_time(t, q, at, at + 1);
}

static int add_target(struct tree *t)
{
	const struct process *p = t->target;
	struct boot_range range = find_range(t, p->boot, UNKNOWN);
	int64_t until = boot_to_unix(p->boot, range.to_ns);
	int r = completeness_add_boot(&t->completeness, &range, &t->shown);

	if (range.to_ns == INT64_MAX)
		until = t->session->now_unix_ns;
	if (r == 0 && p->start_unix_ns <= until)
		r = add_time(t, p->db, p->start_unix_ns, until);
	return r;
}

static int add_completeness(struct tree *t)
{
	struct session *s = t->session;
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < s->db_count; i++) {
		if (t->target && s->db[i] != t->target->db)
			continue;
		if (t->moment.unix_ns != UNKNOWN)
			r = add_moment(t, s->db[i]);
		else if (t->target)
			r = add_target(t);
		else
			r = session_add_time(s, &t->completeness, s->db[i], UNKNOWN, UNKNOWN,
					     &t->shown);
	}
	for (size_t i = 0; by_reaper(t) && i < t->shown.count; i++) {
		if (moment_is_orphan(&t->moment, t->shown.item[i]))
			completeness_count_orphan(&t->completeness, t->shown.item[i]);
	}
	return r < 0 ? r : completeness_add_processes(&t->completeness, &t->shown);
}

/* Of a tree as it stood then, what was removed later is no part. */
static void forget_later(struct tree *t)
{
	for (size_t i = 0; i < t->shown.count; i++) {
		struct process *p = t->shown.item[i];

		for (int kind = 0; kind < PRUNED_KINDS; kind++) {
			if (boot_to_unix(p->boot, p->pruned[kind].from_boot_ns) > t->moment.unix_ns)
				p->pruned[kind] = (struct pruned){0};
		}
	}
}

static int build(struct tree *t)
{
	const struct flags *flags = &t->session->flags;
	int r = 0;

	if (flags->at)
		r = keep_alive_at(t);
	for (unsigned int i = 0; r == 0 && i < t->session->db_count; i++)
		r = gather_details(t->session->db[i], &t->shown);
	if (flags->at)
		forget_later(t);
	if (r == 0)
		r = add_completeness(t);
	if (r < 0)
		return r;
	process_list_sort(&t->shown);
	r = forest_build(&t->shown, by_reaper(t) ? moment_reaper : NULL, &t->moment, &t->forest);
	if (r == 0 && flags->at)
		r = moment_set_images(&t->moment, &t->shown);
	if (r < 0 || !t->writer.ops->folds || flags->no_fold || flags->line)
		return r;
	if (flags->failed)
		r = gather_failed_shapes(&t->shown);
	if (r == 0)
		r = forest_fold(&t->forest);
	return r;
}

static const char *make_title(struct tree *t)
{
	struct buffer text = {0};

	if (!t->session->flags.at)
		return NULL;
	words_time(&text, t->moment.unix_ns, &t->session->style);
	snprintf(t->title, sizeof(t->title), "as it stood at %s; FOR and EXIT say what came later",
		 text.data ? text.data : "?");
	buffer_deinit(&text);
	return t->title;
}

static struct answer make_answer(struct tree *t)
{
	const struct flags *flags = &t->session->flags;

	return (struct answer){
		.verb = "tree",
		.title = make_title(t),
		.target = t->target,
		.since_unix_ns = flags->since_unix_ns,
		.until_unix_ns = flags->until_unix_ns,
		.at_unix_ns = flags->at_unix_ns,
		.running = UNKNOWN,
		.line = flags->line,
		.failures = flags->failed,
		.forest = &t->forest,
		.completeness = &t->completeness,
	};
}

/* A program gets a document all the same. */
static int tell_nothing(struct tree *t, const char *pid)
{
	struct session *s = t->session;
	struct answer answer = make_answer(t);
	int r = session_add_record(s, &t->completeness, t->moment.unix_ns), written = 0;

	session_end_progress(s);
	if (r != 0)
		return r;
	if (pid)
		r = session_nothing(s, &t->completeness, "no process %s is recorded%s", pid,
				    s->flags.at ? " as alive then" : "");
	else
		r = session_nothing(s, &t->completeness, "no process matches");
	if (t->writer.ops != writer_find("text") && t->writer.ops != writer_find("table"))
		written = writer_write(&t->writer, &answer);
	return written < 0 ? written : r;
}

static int show(struct tree *t)
{
	struct session *s = t->session;
	struct process_list others = {t->found.item, t->found.count ? t->found.count - 1 : 0, 0};
	struct answer answer = make_answer(t);
	int r = build(t);

	if (r < 0)
		return fail_database(query_path(s->db[0]), r, query_errmsg(s->db[0]));
	answer.same_pid = &others;
	session_end_progress(s);
	r = writer_write(&t->writer, &answer);
	return r < 0 ? r : session_status(s, &t->completeness);
}

static int find_target(struct tree *t, const char *pid)
{
	struct session *s = t->session;
	int r = session_find(s, pid, &t->found);

	/* A time chooses among those that had the pid. */
	for (size_t i = t->found.count; r == 0 && s->flags.at && i-- > 0;) {
		if (!moment_alive(&t->moment, t->found.item[i]))
			process_list_remove(&t->found, i);
	}
	if (r == 0 && t->found.count == 0)
		return tell_nothing(t, pid);
	if (r == 0)
		t->target = t->found.item[t->found.count - 1];
	return r;
}

static int collect(struct tree *t, const char *pid)
{
	int r;

	if (!pid) {
		r = collect_all(t);
		if (r == 0 && t->shown.count == 0)
			return tell_nothing(t, NULL);
		return r;
	}
	r = find_target(t, pid);
	if (r != 0)
		return r;
	r = collect_target(t);
	if (r < 0)
		r = fail_database(query_path(t->target->db), r, query_errmsg(t->target->db));
	return r;
}

static int run(struct session *s)
{
	struct tree t = {.session = s, .moment = {.unix_ns = s->flags.at_unix_ns}};
	const char *pid = s->flags.pid.count ? s->flags.pid.item[0] : NULL;
	unsigned int pids = s->flags.pid.count + (unsigned int)s->flags.operand_count;
	int r;

	if (!pid && s->flags.operand_count)
		pid = s->flags.operands[0];
	if (pids > 1)
		return usage("tree takes one process; of several, select with other options");
	r = session_writer(s, &t.writer);
	if (r == 0)
		r = selection_init(&t.selection, s);
	if (r == 0)
		r = selection_push(&t.selection);
	if (r == 0 && pid && t.selection.chooses)
		r = usage("of one process, tree shows all that belongs to it; select without a "
			  "PID");
	if (r == 0 && !pid && !t.selection.any && !s->flags.at)
		r = usage("tree needs --pid N, --at TIME, or something to select by");
	if (r == 0)
		r = collect(&t, pid);
	if (r == 0)
		r = show(&t);
	tree_deinit(&t);
	return r;
}

const struct command cmd_tree = {
	.name = "tree",
	.operands = "PID[@START]",
	.summary = "ancestors and descendants of a process, dead or alive",
	.help = "Shows the line from pid 1 to the process and all below it: start, life, end, "
		"what\n"
		"it executed. (fork): never called exec, shows what it inherited. Of a pid used\n"
		"again the newest; PID@START names another. Without a pid: all that match.\n",
	.options = FLAGS_COMMON | FLAGS_OUTPUT | FLAGS_TARGET | FLAGS_TREE | FLAGS_FOLD |
		   FLAGS_SELECT,
	.run = run,
};
