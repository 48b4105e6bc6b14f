/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/extract.h"

#include <stdlib.h>
#include <string.h>

#include "cli/escape.h"
#include "cli/gather.h"
#include "schema/cleanup.h"

static int gather_family(struct session *s, const char *pid, struct extract *e)
{
	struct process_list found = {0};
	int r = session_find(s, pid, &found);

	if (r == 0 && found.count == 0) {
		r = session_add_record(s, &e->completeness, UNKNOWN);
		if (r == 0)
			r = session_nothing(s, &e->completeness, "no process %s is recorded", pid);
	}
	if (r == 0) {
		e->target = found.item[found.count - 1];
		r = process_list_add(&e->list, e->target);
	}
	if (r == 0)
		r = query_descendants(e->target->db, e->target, 0, &e->list);
	for (size_t i = 0; i < e->list.count; i++)
		e->list.item[i]->selected = true;
	process_list_deinit(&found);
	return r;
}

static int gather_window(struct session *s, struct selection *selection, struct query *q,
			 struct process_list *list)
{
	CLEANUP_FREE struct boot_range *ranges = NULL;
	size_t count, first = list->count;
	int r = query_ranges(q, s->flags.since_unix_ns, s->flags.until_unix_ns, &ranges, &count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		if (session_wants_boot(s, ranges[i].boot))
			r = gather_range(s, q, &ranges[i], list);
	}
	return r < 0 ? r : gather_filter(selection, list, first);
}

static int gather_one(struct session *s, struct selection *selection, struct query *q,
		      struct extract *e)
{
	size_t first = e->list.count;
	bool by_time = s->flags.since || s->flags.until;
	int r = 0;

	if (e->target && e->target->db != q)
		return 0;
	if (e->target)
		first = 0;
	else if (by_time)
		r = gather_window(s, selection, q, &e->list);
	else
		r = gather_matching(s, selection, q, &e->list);
	if (r == 0)
		r = gather_context(q, &e->list, first);
	return r;
}

/* As far as the record goes, where no time is asked for: of what is asked for, its lives. */
static void find_range(const struct session *s, const struct extract *e, int64_t *since,
		       int64_t *until)
{
	*since = s->flags.since_unix_ns;
	*until = s->flags.until_unix_ns;
	if (!e->target)
		return;
	*since = e->target->start_unix_ns;
	for (size_t i = 0; i < e->list.count; i++) {
		const struct process *p = e->list.item[i];

		if (!p->selected)
			continue;
		if (!process_ended(p))
			*until = s->now_unix_ns;
		else if (p->end_unix_ns > *until)
			*until = p->end_unix_ns;
	}
}

/* The clock may have been set meanwhile: of what is asked for, its lives in boot time. */
static int add_lives(struct extract *e)
{
	struct boot_range lives = {e->target->boot, e->target->start_boot_ns,
				   e->target->start_boot_ns};

	for (size_t i = 0; i < e->list.count; i++) {
		const struct process *p = e->list.item[i];

		if (p->selected && !process_ended(p))
			lives.to_ns = INT64_MAX;
		else if (p->selected && p->end_boot_ns > lives.to_ns)
			lives.to_ns = p->end_boot_ns;
	}
	return completeness_add_boot(&e->completeness, &lives, &e->list);
}

static int add_completeness(struct session *s, struct extract *e)
{
	int64_t since, until;
	int r = 0;

	find_range(s, e, &since, &until);
	for (unsigned int i = 0; r == 0 && i < s->db_count; i++) {
		if (e->target && e->target->db != s->db[i])
			continue;
		r = gather_details(s->db[i], &e->list);
		if (r == 0 && e->target)
			r = completeness_add_range(&e->completeness, s->db[i], since, until,
						   s->now_unix_ns, &e->list);
		else if (r == 0)
			r = session_add_time(s, &e->completeness, s->db[i], since, until, &e->list);
	}
	if (r == 0 && e->target)
		r = add_lives(e);
	if (r == 0 && e->target)
		r = gather_line(e->target, &e->completeness);
	return r < 0 ? r : completeness_add_processes(&e->completeness, &e->list);
}

int extract_gather(struct session *s, struct extract *e)
{
	const char *pid = s->flags.pid.count ? s->flags.pid.item[0] : NULL;
	struct selection selection;
	int r = selection_init(&selection, s);

	if (r != 0)
		return r;
	r = selection_push(&selection);
	if (s->flags.operand_count == 1 && !pid)
		pid = s->flags.operands[0];
	if (r == 0 && s->flags.pid.count + (unsigned int)s->flags.operand_count > 1)
		r = usage("%s takes one process; of several, select with other options",
			  s->command->name);
	if (r == 0 && pid && (selection.chooses || s->flags.failed))
		r = usage("of one process, %s takes all that came of it; select without a PID",
			  s->command->name);
	if (r == 0 && pid)
		r = gather_family(s, pid, e);
	for (unsigned int i = 0; r == 0 && i < s->db_count; i++) {
		r = gather_one(s, &selection, s->db[i], e);
		if (r < 0)
			r = fail_database(query_path(s->db[i]), r, query_errmsg(s->db[i]));
	}
	if (r == 0)
		r = add_completeness(s, e);
	if (r == 0 && e->list.count == 0)
		r = session_nothing(s, &e->completeness, "no process matches");
	process_list_sort(&e->list);
	selection_deinit(&selection);
	return r;
}

void extract_deinit(struct extract *e)
{
	process_list_deinit(&e->list);
	completeness_deinit(&e->completeness);
}

struct question {
	const struct session *session;
	struct redact *redact;
	struct buffer *out;
};

/* Parts of command lines: who looks for a secret that got out writes it there, without its name. */
static bool is_free_text(const char *name)
{
	return strcmp(name, "args") == 0 || strcmp(name, "grep") == 0;
}

static void add_value(struct question *q, const char *value, bool free_text)
{
	struct buffer text = {0};

	buffer_puts(&text, q->redact && free_text ? REDACTED : value);
	if (q->redact)
		redact_text(q->redact, &text);
	q->out->failed |= text.failed;
	if (!text.failed)
		escape_word(q->out, text.data, text.length, false);
	buffer_deinit(&text);
}

static void add_option(struct question *q, const struct flag_info *flag, const char *value)
{
	buffer_printf(q->out, "%s--%s", q->out->length ? " " : "", flag->name);
	if (!flag->argument)
		return;
	buffer_putc(q->out, ' ');
	add_value(q, value, is_free_text(flag->name));
}

/* What was selected by: of each option of these groups its values. */
static void add_flag(const struct flag_info *flag, void *userdata)
{
	struct question *q = userdata;
	const struct flags *f = &q->session->flags;
	const char *value;

	if (!(flag->groups & (FLAGS_SELECT | FLAGS_TIME)))
		return;
	for (unsigned int i = 0; (value = flags_value(f, flag->name, i)); i++)
		add_option(q, flag, value);
}

void extract_question(const struct session *s, struct redact *redact, struct buffer *out)
{
	struct question q = {s, redact, out};

	for (int i = 0; i < s->flags.operand_count; i++) {
		if (out->length)
			buffer_putc(out, ' ');
		add_value(&q, s->flags.operands[i], false);
	}
	flags_each(add_flag, &q);
}
