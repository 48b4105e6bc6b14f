/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSV as in RFC 4180: a line of names, one line per process, UTF-8, CRLF.
 *
 * Cells hold what a person reads: control characters, bidi marks and bytes that are no UTF-8 are
 * written as \x1b, \u202e, \xff, a backslash as two. A cell that a spreadsheet would take for a
 * formula gets an apostrophe before it. What is missing has no place in a table: it goes to stderr.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/entity.h"
#include "cli/escape.h"
#include "cli/render.h"
#include "cli/timespec.h"
#include "cli/words.h"
#include "schema/cleanup.h"

/* What a cell is made from. */
struct cell {
	const struct process *p, *parent;
	const struct node *node;
	struct buffer *text;
	const struct style *style;
	bool number; /* made here, of digits: not hostile */
};

struct column {
	const char *name;
	void (*put)(struct cell *cell);
};

static void put_int(struct cell *c, int64_t value)
{
	c->number = true;
	if (value != UNKNOWN)
		buffer_int(c->text, value, 0);
}

static void put_bytes(struct cell *c, const char *s, size_t length)
{
	escape_text(c->text, s, length, !c->style->utf8);
}

static void put_string(struct cell *c, const char *s)
{
	if (s)
		put_bytes(c, s, strlen(s));
}

static void put_text(struct cell *c, const struct text *text)
{
	if (text && text->raw)
		put_bytes(c, text->raw, text->raw_length);
	else if (text)
		put_bytes(c, text->value, text->length);
}

static void put_time(struct cell *c, int64_t unix_ns)
{
	char text[TIMESPEC_SIZE];

	if (unix_ns == UNKNOWN)
		return;
	timespec_rfc3339(unix_ns, text);
	buffer_puts(c->text, text);
}

static const char *context_name(const struct process *p, size_t offset)
{
	const struct cgroup *g = p->context->container;

	return g ? *(const char *const *)((const char *)g + offset) : NULL;
}

#define NUMBER(name, value)                    \
	static void put_##name(struct cell *c) \
	{                                      \
		put_int(c, value);             \
	}
#define STRING(name, value)                    \
	static void put_##name(struct cell *c) \
	{                                      \
		put_string(c, value);          \
	}
#define CONTAINER(name, member) STRING(name, context_name(c->p, offsetof(struct cgroup, member)))

NUMBER(process_id, c->p->id)
STRING(host, c->p->boot->hostname)
STRING(boot_id, c->p->boot->boot_id)
NUMBER(pid, c->p->pid)
NUMBER(start_boot_ns, c->p->start_boot_ns)
NUMBER(depth, c->node->depth)
NUMBER(matches, c->p->selected)
NUMBER(lifetime_ns, process_ended(c->p) ? c->p->end_boot_ns - c->p->start_boot_ns : UNKNOWN)
NUMBER(parent_id, c->p->parent_id ? c->p->parent_id : UNKNOWN)
NUMBER(ppid, c->parent ? c->parent->pid : UNKNOWN)
STRING(parent_comm, c->parent ? process_comm(c->parent) : NULL)
NUMBER(creator_id, c->p->creator_id ? c->p->creator_id : UNKNOWN)
STRING(comm, process_comm(c->p))
NUMBER(args_count, c->p->image ? c->p->image->args_count : UNKNOWN)
NUMBER(args_truncated, c->p->image &&image_args_truncated(c->p->image))
NUMBER(uid, c->p->context->uid)
NUMBER(euid, c->p->context->euid)
NUMBER(gid, c->p->context->gid)
NUMBER(egid, c->p->context->egid)
NUMBER(loginuid, c->p->context->loginuid)
NUMBER(sessionid, c->p->context->sessionid)
NUMBER(sid, c->p->context->sid)
NUMBER(pgid, c->p->pgid)
NUMBER(ns_pid, c->p->ns_pid)
STRING(cgroup, c->p->context->cgroup ? c->p->context->cgroup->path : NULL)
CONTAINER(container_id, container_id)
CONTAINER(container_name, container_name)
CONTAINER(pod_uid, pod_uid)
CONTAINER(pod_name, pod_name)
CONTAINER(pod_namespace, pod_namespace)
NUMBER(user_us, c->p->user_us)
NUMBER(system_us, c->p->system_us)
NUMBER(max_rss_kib, c->p->max_rss_kib)
STRING(provenance, provenance_name(c->p->birth))
STRING(end_provenance, provenance_name(c->p->end))

static void put_start(struct cell *c)
{
	put_time(c, c->p->start_unix_ns);
}

static void put_end(struct cell *c)
{
	put_time(c, c->p->end_unix_ns);
}

static void put_exe(struct cell *c)
{
	if (c->p->image)
		put_text(c, c->p->image->exe);
}

/* As a shell would take it, so the words can be told apart. */
static void put_command_line(struct cell *c)
{
	if (c->p->image)
		words_args(c->text, c->p->image, c->style);
}

static void put_cwd(struct cell *c)
{
	put_text(c, c->p->cwd);
}

static void put_tty(struct cell *c)
{
	char name[32];

	if (c->p->context->tty != UNKNOWN)
		put_string(c, words_tty(c->p->context->tty, name, sizeof(name)));
}

static void put_exit_code(struct cell *c)
{
	bool exited = c->p->status != UNKNOWN && (c->p->status & 127) == 0;

	put_int(c, process_ended(c->p) && exited ? c->p->status >> 8 : UNKNOWN);
}

static void put_exit_signal(struct cell *c)
{
	char name[32];

	if (process_ended(c->p) && c->p->status != UNKNOWN && (c->p->status & 127) != 0)
		put_string(c, words_signal((int)(c->p->status & 127), name, sizeof(name)));
}

static void put_image_provenance(struct cell *c)
{
	put_string(c,
		   process_inherited(c->p) ? "inherited" : provenance_name(c->p->image_provenance));
}

#define COLUMN(name)              \
	{                         \
#name, put_##name \
	}

static const struct column columns[] = {
	COLUMN(process_id),
	COLUMN(host),
	COLUMN(boot_id),
	COLUMN(pid),
	COLUMN(start_boot_ns),
	COLUMN(start),
	COLUMN(end),
	COLUMN(lifetime_ns),
	COLUMN(depth),
	COLUMN(matches),
	COLUMN(parent_id),
	COLUMN(ppid),
	COLUMN(parent_comm),
	COLUMN(creator_id),
	COLUMN(comm),
	COLUMN(exe),
	COLUMN(command_line),
	COLUMN(args_count),
	COLUMN(args_truncated),
	COLUMN(cwd),
	COLUMN(uid),
	COLUMN(euid),
	COLUMN(gid),
	COLUMN(egid),
	COLUMN(loginuid),
	COLUMN(sessionid),
	COLUMN(sid),
	COLUMN(pgid),
	COLUMN(ns_pid),
	COLUMN(tty),
	COLUMN(cgroup),
	COLUMN(container_id),
	COLUMN(container_name),
	COLUMN(pod_uid),
	COLUMN(pod_name),
	COLUMN(pod_namespace),
	COLUMN(exit_code),
	COLUMN(exit_signal),
	COLUMN(user_us),
	COLUMN(system_us),
	COLUMN(max_rss_kib),
	COLUMN(provenance),
	COLUMN(image_provenance),
	COLUMN(end_provenance),
};

struct csv {
	const struct column *shown[ARRAY_SIZE(columns)];
	size_t count;
	struct style style;
	struct buffer line, cell;
};

static const struct column *find_column(const char *name, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		if (strlen(columns[i].name) == length && memcmp(columns[i].name, name, length) == 0)
			return &columns[i];
	}
	return NULL;
}

static bool csv_has_fields(const char *fields)
{
	size_t length;

	for (; *fields; fields += length + (fields[length] == ',')) {
		length = strcspn(fields, ",");
		if (!find_column(fields, length))
			return false;
	}
	return true;
}

static void choose_columns(struct csv *csv, const char *fields)
{
	size_t length;

	for (size_t i = 0; !fields && i < ARRAY_SIZE(columns); i++)
		csv->shown[csv->count++] = &columns[i];
	for (; fields && *fields; fields += length + (fields[length] == ',')) {
		const struct column *column;

		length = strcspn(fields, ",");
		column = find_column(fields, length);
		if (column && csv->count < ARRAY_SIZE(columns))
			csv->shown[csv->count++] = column;
	}
}

/* = + - @ and their full-width forms, also behind blanks. Tabs and CR never come raw. */
static bool is_formula(const char *s, size_t length)
{
	static const char *const wide[] = {"\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d",
					   "\xef\xbc\xa0"};

	while (length && *s == ' ')
		s++, length--;
	if (!length)
		return false;
	/* \t and \r that stand for the bytes: harmless, but not at the beginning. */
	if (strchr("=+-@", *s) || (length > 1 && *s == '\\' && strchr("tr", s[1])))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(wide); i++) {
		if (length >= 3 && memcmp(s, wide[i], 3) == 0)
			return true;
	}
	return false;
}

static void add_cell(struct csv *csv, bool first, bool number)
{
	const char *s = csv->cell.data ? csv->cell.data : "";
	size_t length = csv->cell.length;
	bool formula = !number && is_formula(s, length);

	if (!first)
		buffer_putc(&csv->line, ',');
	if (!formula && !strpbrk(s, ",\" ")) {
		buffer_add(&csv->line, s, length);
		return;
	}
	buffer_putc(&csv->line, '"');
	if (formula)
		buffer_putc(&csv->line, '\'');
	for (size_t i = 0; i < length; i++) {
		if (s[i] == '"')
			buffer_putc(&csv->line, '"');
		buffer_putc(&csv->line, s[i]);
	}
	buffer_putc(&csv->line, '"');
}

static int put_line(struct writer *w)
{
	struct csv *csv = w->state;

	buffer_puts(&csv->line, "\r\n");
	if (csv->line.failed || csv->cell.failed)
		return -ENOMEM;
	if (fwrite(csv->line.data, 1, csv->line.length, w->out) != csv->line.length)
		return errno ? -errno : -EIO;
	return 0;
}

static int csv_begin(struct writer *w, const struct answer *a)
{
	struct csv *csv = calloc(1, sizeof(*csv));

	if (!csv)
		return -ENOMEM;
	w->state = csv;
	csv->style = *w->style;
	csv->style.utf8 = true;
	csv->style.color = false;
	choose_columns(csv, w->style->fields);
	for (size_t i = 0; i < csv->count; i++) {
		buffer_clear(&csv->cell);
		buffer_puts(&csv->cell, csv->shown[i]->name);
		add_cell(csv, i == 0, true);
	}
	return w->style->quiet ? 0 : put_line(w);
}

static int csv_process(struct writer *w, const struct node *n)
{
	struct csv *csv = w->state;
	struct cell cell = {.p = n->process, .node = n, .text = &csv->cell, .style = &csv->style};
	int r = entity_parent(n->process, &cell.parent);

	if (r < 0)
		return r;
	buffer_clear(&csv->line);
	for (size_t i = 0; i < csv->count; i++) {
		buffer_clear(&csv->cell);
		cell.number = false;
		csv->shown[i]->put(&cell);
		add_cell(csv, i == 0, cell.number);
	}
	return put_line(w);
}

static int csv_end(struct writer *w)
{
	struct csv *csv = w->state;

	render_completeness_aside(w);
	buffer_deinit(&csv->line);
	buffer_deinit(&csv->cell);
	free(csv);
	w->state = NULL;
	return 0;
}

const struct writer_ops writer_csv = {
	.name = "csv",
	.summary = "a table (RFC 4180); --fields chooses its columns",
	.needs_full = true,
	.machine = true,
	.begin = csv_begin,
	.process = csv_process,
	.end = csv_end,
	.has_fields = csv_has_fields,
};
