/* SPDX-License-Identifier: Apache-2.0 */
/* stats: what ran most, what ran hardly ever, how fast, how it ended, what was lost. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/escape.h"
#include "cli/gather.h"
#include "cli/json.h"
#include "cli/tally.h"
#include "cli/timespec.h"
#include "cli/words.h"
#include "schema/cleanup.h"

#define SHOWN_DEFAULT 10
/* A pair seen at most this often is worth a look. */
#define RARE_MAX 2

struct stats {
	struct session *session;
	struct selection selection;
	struct tally tally;
	struct completeness completeness;
	struct buffer out;
	struct json json;
	size_t shown;
};

static int add(struct process *p, void *userdata)
{
	struct stats *s = userdata;
	struct process *parent = NULL;
	int r = 0;

	if (p->parent_id)
		r = query_process(p->db, p->parent_id, &parent);
	if (r == 0 && parent)
		r = query_execs_of(p->db, parent);
	return r < 0 ? r : tally_add(&s->tally, p, parent);
}

static int add_failure(const struct exec_failure *f, void *userdata)
{
	struct stats *s = userdata;
	struct selection *selection = &s->selection;
	int r = selection_matches(selection, (struct process *)f->process);

	return r == 1 ? tally_add_failure(&s->tally, f) : r;
}

static int add_failures(struct stats *s, struct query *q)
{
	const struct flags *f = &s->session->flags;
	CLEANUP_FREE struct boot_range *ranges = NULL;
	size_t count = 0;
	int r = query_ranges(q, f->since_unix_ns, f->until_unix_ns, &ranges, &count);

	for (size_t i = 0; r == 0 && i < count; i++)
		r = query_each_failure(q, &ranges[i], add_failure, s);
	return r;
}

struct list {
	const char *title, *key;
	const struct tally_table *table;
	bool rare, of_failures;
};

static void text_entry(struct stats *s, const struct list *list, const struct tally_entry *e)
{
	bool ascii = !s->session->style.utf8;
	size_t start = s->out.length;

	buffer_int(&s->out, e->count, 9);
	if (list->of_failures)
		buffer_pad(&s->out, 9);
	else
		buffer_int(&s->out, e->failed, 9);
	buffer_puts(&s->out, "  ");
	escape_text(&s->out, e->name, strlen(e->name), ascii);
	if (e->child) {
		buffer_puts(&s->out, list->of_failures ? "  " : ascii ? " -> " : " → ");
		escape_text(&s->out, e->child, strlen(e->child), ascii);
	}
	words_fit(&s->out, start, &s->session->style);
	buffer_putc(&s->out, '\n');
}

static void json_entry(struct stats *s, const struct list *list, const struct tally_entry *e)
{
	char time[TIMESPEC_SIZE];

	json_object_begin(&s->json, NULL);
	if (list->of_failures) {
		json_text(&s->json, "error", e->name);
		json_maybe_text(&s->json, "filename", e->child);
	} else {
		json_text(&s->json, e->child ? "parent" : "name", e->name);
		json_maybe_text(&s->json, "child", e->child);
	}
	json_int(&s->json, "count", e->count);
	if (!list->of_failures)
		json_int(&s->json, "failed", e->failed);
	timespec_rfc3339(e->first_unix_ns, time);
	json_text(&s->json, "first", time);
	json_object_end(&s->json);
}

static int write_list(struct stats *s, const struct list *list, bool as_json)
{
	struct tally_entry **sorted =
		tally_sorted(list->table, list->rare ? tally_compare_rare : tally_compare_top);
	size_t count = list->table->count < s->shown ? list->table->count : s->shown;

	if (!sorted && list->table->count)
		return -ENOMEM;
	if (as_json)
		json_array_begin(&s->json, list->key);
	else if (count && (!list->rare || sorted[0]->count <= RARE_MAX))
		buffer_printf(&s->out, "\n    count   %-6s  %s\n",
			      list->of_failures ? "" : "failed", list->title);
	for (size_t i = 0; i < count; i++) {
		if (list->rare && sorted[i]->count > RARE_MAX)
			break;
		if (as_json)
			json_entry(s, list, sorted[i]);
		else
			text_entry(s, list, sorted[i]);
	}
	if (as_json)
		json_array_end(&s->json);
	free(sorted);
	return 0;
}

static int write_lists(struct stats *s, bool as_json)
{
	const struct list lists[] = {
		{"executables, most frequent", "executables", &s->tally.executables, false},
		{"users", "users", &s->tally.users, false},
		{"parent and child, most frequent", "pairs", &s->tally.pairs, false},
		{"parent and child, seen once or twice", "rare_pairs", &s->tally.pairs, true},
		{"executables, seen once or twice", "rare_executables", &s->tally.executables,
		 true},
		{"failed execs, by error", "errors", &s->tally.errors, false, true},
		{"failed execs, most frequent", "failed_execs", &s->tally.attempts, false, true},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(lists) / sizeof(lists[0]); i++)
		r = write_list(s, &lists[i], as_json);
	return r;
}

static void text_head(struct stats *s)
{
	const struct tally *t = &s->tally;

	buffer_printf(&s->out, "%" PRId64 " processes started, %" PRId64 " never called exec\n",
		      t->births, t->never_executed);
	buffer_printf(&s->out,
		      "%" PRId64 " execs of %zu executables, %zu pairs of parent and child\n",
		      t->execs, t->executables.count, t->pairs.count);
	buffer_printf(&s->out,
		      "%" PRId64 " ended with 0, %" PRId64 " with another code, %" PRId64
		      " by a signal, %" PRId64 " unknown, %" PRId64 " alive\n",
		      t->exited_zero, t->exited_other, t->signaled, t->unknown_end, t->alive);
	if (t->failures)
		buffer_printf(&s->out, "%" PRId64 " exec%s failed\n", t->failures,
			      t->failures == 1 ? "" : "s");
	if (t->busiest_count) {
		buffer_puts(&s->out, "busiest minute: ");
		words_time(&s->out, t->busiest_minute * 60 * NS_PER_SEC, &s->session->style);
		buffer_printf(&s->out, ", %" PRId64 " starts\n", t->busiest_count);
	}
}

static void json_head(struct stats *s)
{
	const struct tally *t = &s->tally;
	const struct {
		const char *name;
		int64_t value;
	} numbers[] = {
		{"started", t->births},
		{"never_executed", t->never_executed},
		{"execs", t->execs},
		{"execs_failed", t->failures},
		{"ended_zero", t->exited_zero},
		{"ended_other", t->exited_other},
		{"ended_signal", t->signaled},
		{"ended_unknown", t->unknown_end},
		{"alive", t->alive},
		{"busiest_minute_unix_s", t->busiest_minute * 60},
		{"busiest_minute_starts", t->busiest_count},
	};

	json_object_begin(&s->json, NULL);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		json_int(&s->json, numbers[i].name, numbers[i].value);
}

static int write_stats(struct stats *s)
{
	const char *output = s->session->flags.output;
	int r;

	if (output && strcmp(output, "json") == 0) {
		json_begin(&s->json, s->session->out, 2);
		json_head(s);
		r = write_lists(s, true);
		json_completeness(&s->json, "completeness", &s->completeness);
		json_object_end(&s->json);
		json_newline(&s->json);
		if (r == 0)
			r = json_flush(&s->json);
		json_deinit(&s->json);
		return r;
	}
	session_end_progress(s->session);
	text_head(s);
	r = write_lists(s, false);
	buffer_putc(&s->out, '\n');
	words_completeness(&s->out, &s->completeness, &s->session->style);
	if (r == 0 && s->out.failed)
		r = -ENOMEM;
	if (r == 0 && fwrite(s->out.data, 1, s->out.length, s->session->out) != s->out.length)
		r = -EIO;
	return r;
}

static int run(struct session *session)
{
	const struct flags *f = &session->flags;
	struct stats s = {
		.session = session,
		.shown = f->limit.value ? f->limit.value : SHOWN_DEFAULT,
	};
	int r = selection_init(&s.selection, session);

	if (r == 0)
		r = selection_push(&s.selection);
	tally_init(&s.tally, f->since_unix_ns, f->until_unix_ns);
	for (unsigned int i = 0; r == 0 && i < session->db_count; i++) {
		struct query *q = session->db[i];

		r = gather_each(session, &s.selection, q, f->since_unix_ns, f->until_unix_ns, false,
				add, &s);
		if (r == 0)
			r = add_failures(&s, q);
		if (r == 0)
			r = session_add_time(session, &s.completeness, q, f->since_unix_ns,
					     f->until_unix_ns, NULL);
		if (r < 0)
			r = fail_database(query_path(q), r, query_errmsg(q));
	}
	if (r == 0)
		r = write_stats(&s);
	if (r == 0)
		r = session_outcome(session, &s.completeness,
				    s.tally.births + s.tally.execs + s.tally.failures > 0);
	selection_deinit(&s.selection);
	tally_deinit(&s.tally);
	completeness_deinit(&s.completeness);
	buffer_deinit(&s.out);
	return r;
}

const struct command cmd_stats = {
	.name = "stats",
	.summary = "what ran most, what hardly ever, how it ended, what was lost",
	.help = "Counts starts, execs and ends in a time or over all: top executables, users, "
		"pairs\n"
		"of parent and child, the rare ones, which are often the interesting ones, and "
		"execs\n"
		"that failed.\n"
		"Formats: text and json.\n",
	.options = FLAGS_COMMON | FLAGS_OUTPUT | FLAGS_TIME | FLAGS_SELECT | FLAGS_LIMIT,
	.formats = "text json",
	.names_only = true,
	.run = run,
};
