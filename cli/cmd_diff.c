/* SPDX-License-Identifier: Apache-2.0 */
/* diff: what is new, gone or rarer in one window than in another. */
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

/* Fewer than one in so many of what it was, per time: rarer. */
#define RARER_FACTOR	4
#define RARER_COUNT_MIN 8

enum change { CHANGE_NEW, CHANGE_GONE, CHANGE_RARER };

struct diff {
	struct session *session;
	struct selection selection;
	struct tally now, then;
	struct tally *filling;
	struct completeness completeness;
	struct buffer out;
	struct json json;
	bool as_json;
	double ratio; /* length of `now` by length of `then` */
	int64_t changes;
};

static int add(struct process *p, void *userdata)
{
	struct diff *d = userdata;
	struct process *parent = NULL;
	int r = 0;

	if (p->parent_id)
		r = query_process(p->db, p->parent_id, &parent);
	if (r == 0 && parent)
		r = query_execs_of(p->db, parent);
	return r < 0 ? r : tally_add(d->filling, p, parent);
}

static int fill(struct diff *d, struct tally *tally)
{
	struct session *s = d->session;
	int r = 0;

	d->filling = tally;
	for (unsigned int i = 0; r == 0 && i < s->db_count; i++) {
		r = gather_each(s, &d->selection, s->db[i], tally->since_unix_ns,
				tally->until_unix_ns, false, add, d);
		if (r == 0)
			r = session_add_time(s, &d->completeness, s->db[i], tally->since_unix_ns,
					     tally->until_unix_ns, NULL);
		if (r < 0)
			return fail_database(query_path(s->db[i]), r, query_errmsg(s->db[i]));
	}
	return r;
}

static void write_change(struct diff *d, enum change change, const char *kind,
			 const struct tally_entry *now, const struct tally_entry *then)
{
	static const char *const signs[] = {"+", "-", "<"};
	static const char *const names[] = {"new", "gone", "rarer"};
	const struct tally_entry *e = now ? now : then;
	bool ascii = !d->session->style.utf8;
	char time[TIMESPEC_SIZE];
	size_t start;

	d->changes++;
	if (d->as_json) {
		json_object_begin(&d->json, NULL);
		json_text(&d->json, "change", names[change]);
		json_text(&d->json, "kind", kind);
		json_text(&d->json, e->child ? "parent" : "name", e->name);
		json_maybe_text(&d->json, "child", e->child);
		json_int(&d->json, "count", now ? now->count : 0);
		json_int(&d->json, "than_count", then ? then->count : 0);
		timespec_rfc3339(e->first_unix_ns, time);
		json_text(&d->json, "first", time);
		json_object_end(&d->json);
		return;
	}
	start = d->out.length;
	buffer_printf(&d->out, "%s %-10s ", signs[change], kind);
	buffer_int(&d->out, now ? now->count : 0, 7);
	buffer_int(&d->out, then ? then->count : 0, 8);
	buffer_puts(&d->out, "  ");
	words_time(&d->out, e->first_unix_ns, &d->session->style);
	buffer_puts(&d->out, "  ");
	escape_text(&d->out, e->name, strlen(e->name), ascii);
	if (e->child) {
		buffer_puts(&d->out, ascii ? " -> " : " → ");
		escape_text(&d->out, e->child, strlen(e->child), ascii);
	}
	words_fit(&d->out, start, &d->session->style);
	buffer_putc(&d->out, '\n');
}

static bool is_rarer(const struct diff *d, const struct tally_entry *now,
		     const struct tally_entry *then)
{
	double expected = (double)then->count * d->ratio;

	return expected >= RARER_COUNT_MIN && (double)now->count * RARER_FACTOR < expected;
}

static int compare(struct diff *d, const char *kind, const struct tally_table *now,
		   const struct tally_table *then, enum change change)
{
	const struct tally_table *from = change == CHANGE_NEW ? now : then;
	const struct tally_table *other = change == CHANGE_NEW ? then : now;
	struct tally_entry **sorted = tally_sorted(from, tally_compare_top);

	if (!sorted)
		return from->count ? -ENOMEM : 0;
	for (size_t i = 0; i < from->count; i++) {
		const struct tally_entry *e = sorted[i];
		const struct tally_entry *match = tally_find(other, e->name, e->child);

		if (change == CHANGE_NEW && !match)
			write_change(d, change, kind, e, NULL);
		else if (change == CHANGE_GONE && !match)
			write_change(d, change, kind, NULL, e);
		else if (change == CHANGE_RARER && match && is_rarer(d, match, e))
			write_change(d, change, kind, match, e);
	}
	free(sorted);
	return 0;
}

static int compare_all(struct diff *d)
{
	const struct {
		const char *kind;
		const struct tally_table *now, *then;
	} tables[] = {
		{"executable", &d->now.executables, &d->then.executables},
		{"pair", &d->now.pairs, &d->then.pairs},
		{"user", &d->now.users, &d->then.users},
	};
	int r = 0;

	for (int change = CHANGE_NEW; change <= CHANGE_RARER; change++) {
		for (size_t i = 0; r == 0 && i < sizeof(tables) / sizeof(tables[0]); i++)
			r = compare(d, tables[i].kind, tables[i].now, tables[i].then,
				    (enum change)change);
	}
	return r;
}

static int write_diff(struct diff *d)
{
	int r;

	if (d->as_json) {
		json_begin(&d->json, d->session->out, 2);
		json_object_begin(&d->json, NULL);
		json_array_begin(&d->json, "changes");
	} else if (!d->session->style.quiet) {
		buffer_puts(&d->out,
			    "  KIND         COUNT  BEFORE  FIRST                    WHAT\n");
	}
	r = compare_all(d);
	if (d->as_json) {
		json_array_end(&d->json);
		json_completeness(&d->json, "completeness", &d->completeness);
		json_object_end(&d->json);
		json_newline(&d->json);
		if (r == 0)
			r = json_flush(&d->json);
		json_deinit(&d->json);
		return r;
	}
	if (!d->session->style.quiet)
		buffer_puts(&d->out, "+ new   - gone   < rarer\n");
	words_completeness(&d->out, &d->completeness, &d->session->style);
	if (r == 0 && d->out.failed)
		r = -ENOMEM;
	if (r == 0 && fwrite(d->out.data, 1, d->out.length, d->session->out) != d->out.length)
		r = -EIO;
	return r;
}

/* The other window is the one just before, equally long, unless named. */
static int set_windows(struct diff *d)
{
	const struct flags *f = &d->session->flags;
	int64_t until = f->until ? f->until_unix_ns : d->session->now_unix_ns;
	int64_t length, than_until, than_since;

	if (!f->since)
		return usage("diff needs --since");
	if (f->since_unix_ns >= until)
		return usage("--since '%s' is not before the end of the window", f->since);
	length = until - f->since_unix_ns;
	than_until = f->other_until ? f->other_until_unix_ns : f->since_unix_ns;
	than_since = f->other_since ? f->other_since_unix_ns : than_until - length;
	if (f->other_since && !f->other_until)
		than_until = than_since + length;
	if (than_since >= than_until)
		return usage("the window to compare with ends before it begins");
	tally_init(&d->now, f->since_unix_ns, until);
	tally_init(&d->then, than_since, than_until);
	d->ratio = (double)length / (double)(than_until - than_since);
	return 0;
}

static int run(struct session *session)
{
	struct diff d = {.session = session};
	int r;

	d.as_json = session->flags.output && strcmp(session->flags.output, "json") == 0;
	r = set_windows(&d);
	if (r == 0)
		r = selection_init(&d.selection, session);
	if (r == 0)
		r = selection_push(&d.selection);
	if (r == 0)
		r = fill(&d, &d.then);
	if (r == 0)
		r = fill(&d, &d.now);
	if (r == 0)
		r = write_diff(&d);
	if (r == 0)
		r = session_outcome(session, &d.completeness, d.changes > 0);
	selection_deinit(&d.selection);
	tally_deinit(&d.now);
	tally_deinit(&d.then);
	completeness_deinit(&d.completeness);
	buffer_deinit(&d.out);
	return r;
}

const struct command cmd_diff = {
	.name = "diff",
	.summary = "what is new, gone or rarer in one window than in another",
	.help = "Compares executables, pairs of parent and child, and users of --since/--until "
		"with\n"
		"those of --than-since/--than-until, or of the same span just before. Exit status "
		"1:\n"
		"no difference. Formats: text and json.\n"
		"  lineage-query diff --since today --than-since yesterday\n",
	.options = FLAGS_COMMON | FLAGS_OUTPUT | FLAGS_TIME | FLAGS_DIFF | FLAGS_SELECT,
	.formats = "text json",
	.names_only = true,
	.run = run,
};
