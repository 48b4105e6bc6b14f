/* SPDX-License-Identifier: Apache-2.0 */
/* window: what happened between two times, as a forest. */
#include <stdlib.h>

#include "cli/gather.h"
#include "schema/cleanup.h"

struct window_parts {
	struct process_list shown;
	struct forest forest;
	struct completeness completeness;
	struct selection selection;
	int64_t running;
};

static void parts_deinit(struct window_parts *parts)
{
	process_list_deinit(&parts->shown);
	forest_deinit(&parts->forest);
	completeness_deinit(&parts->completeness);
	selection_deinit(&parts->selection);
}

static int add_range(struct session *s, struct query *q, const struct boot_range *range,
		     struct window_parts *parts)
{
	size_t first = parts->shown.count;
	int64_t running = 0;
	int r = gather_range(s, q, range, &parts->shown);

	if (r == 0 && s->flags.running)
		r = query_running(q, range, &parts->shown);
	else if (r == 0)
		r = query_count_running(q, range, &running);
	parts->running += running;
	return r < 0 ? r : gather_filter(&parts->selection, &parts->shown, first);
}

static bool ran_throughout(const struct session *s, const struct process *p)
{
	int64_t since = s->flags.since_unix_ns, until = s->flags.until_unix_ns;

	return (since == UNKNOWN || p->start_unix_ns < since) &&
	       (!process_ended(p) || (until != UNKNOWN && p->end_unix_ns >= until));
}

static int add_database(struct session *s, struct query *q, struct window_parts *parts)
{
	CLEANUP_FREE struct boot_range *ranges = NULL;
	size_t count, first = parts->shown.count, context;
	int r;

	r = query_ranges(q, s->flags.since_unix_ns, s->flags.until_unix_ns, &ranges, &count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		if (session_wants_boot(s, ranges[i].boot))
			r = add_range(s, q, &ranges[i], parts);
	}
	context = parts->shown.count;
	if (r == 0)
		r = gather_context(q, &parts->shown, first);
	/* These are counted as running and shown all the same. */
	for (size_t i = context; i < parts->shown.count; i++)
		parts->running -= ran_throughout(s, parts->shown.item[i]);
	if (r == 0)
		r = gather_details(q, &parts->shown);
	if (r == 0)
		r = completeness_add_range(&parts->completeness, q, s->flags.since_unix_ns,
					   s->flags.until_unix_ns, s->now_unix_ns, &parts->shown);
	return r;
}

static int write_answer(struct session *s, struct writer *w, struct window_parts *parts)
{
	struct answer answer = {
		.verb = "window",
		.forest = &parts->forest,
		.since_unix_ns = s->flags.since_unix_ns,
		.until_unix_ns = s->flags.until_unix_ns,
		.at_unix_ns = UNKNOWN,
		/* A count of all would not fit a list of some. */
		.running = s->flags.running || parts->selection.any ? UNKNOWN
			   : parts->running < 0			    ? 0
								    : parts->running,
		.failures = s->flags.failed,
		.completeness = &parts->completeness,
	};
	int r;

	process_list_sort(&parts->shown);
	r = forest_build(&parts->shown, NULL, NULL, &parts->forest);
	if (r == 0 && w->ops->folds && !s->flags.no_fold)
		r = forest_fold(&parts->forest);
	if (r == 0)
		r = completeness_add_processes(&parts->completeness, &parts->shown);
	return r < 0 ? r : writer_write(w, &answer);
}

static int run(struct session *s)
{
	struct window_parts parts = {0};
	bool nothing;
	struct writer w;
	int r;

	if (s->flags.operand_count)
		return usage("window takes no '%s'; name times by --since and --until",
			     s->flags.operands[0]);
	if (!s->flags.since && !s->flags.until && !s->flags.boot.count)
		return usage("window needs --since, --until or --boot");
	r = session_writer(s, &w);
	if (r == 0)
		r = selection_init(&parts.selection, s);
	for (unsigned int i = 0; r == 0 && i < s->db_count; i++) {
		r = add_database(s, s->db[i], &parts);
		if (r < 0)
			r = fail_database(query_path(s->db[i]), r, query_errmsg(s->db[i]));
	}
	nothing = parts.shown.count == 0;
	if (r == 0)
		r = write_answer(s, &w, &parts);
	if (r == 0)
		r = session_status(s, &parts.completeness);
	parts_deinit(&parts);
	return r == EXIT_FOUND && nothing ? EXIT_NOTHING : r;
}

const struct command cmd_window = {
	.name = "window",
	.summary = "what started, executed or ended between two times",
	.help = "Shows the forest of processes that had an event in the window: a start, an exec "
		"or\n"
		"an end. Their ancestors are shown as context, dimmed. Times are as journalctl\n"
		"takes them ('-1h', 'yesterday', '10:00', '2026-01-31 03:00') or RFC 3339.\n",
	.options = FLAGS_COMMON | FLAGS_OUTPUT | FLAGS_TIME | FLAGS_WINDOW | FLAGS_FOLD |
		   FLAGS_SELECT,
	.run = run,
};
