/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tree for people: one line per process, facts in columns on the left, the tree and the command
 * on the right, so that only the command has to be shortened on a narrow terminal.
 */
#include "cli/render.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/escape.h"
#include "cli/timespec.h"
#include "cli/words.h"

#define SAME_PID_SHOWN_MAX 8
#define FAILURES_SHOWN_MAX 5
/* A tree deeper than this has its left part replaced by a number. */
#define LEVELS_MAX 48
/* Columns that the tree leaves to the command on a terminal. */
#define COMMAND_MIN 24

struct layout {
	struct buffer line, command;
	int start_width, pid_width, exit_width;
	char day[TIMESPEC_SIZE]; /* of the newest start; times of other days say theirs */
	bool marks[PROVENANCE_NONE + 1];
	bool first;
	bool narrow_list; /* who and where behind the command, which would not be seen */
};

#define RESET "\033[0m"
#define DIM   "\033[2m"
#define BOLD  "\033[1m"
#define RED   "\033[31m"
#define GREEN "\033[32m"

static void color(struct writer *w, struct buffer *out, const char *sequence)
{
	if (w->style->color)
		buffer_puts(out, sequence);
}

static int put(struct writer *w, struct buffer *out)
{
	if (out->failed)
		return -ENOMEM;
	if (out->length && fwrite(out->data, 1, out->length, w->out) != out->length)
		return errno ? -errno : -EIO;
	buffer_clear(out);
	return 0;
}

static int digits(int64_t number)
{
	int count = 1;

	while ((number /= 10) != 0)
		count++;
	return count;
}

/* The columns fit what will be shown; of a list that is not known yet, what may come. */
static void measure(struct layout *l, const struct answer *a, const struct style *style)
{
	char text[TIMESPEC_SIZE];
	struct buffer word = {0};
	int64_t newest = UNKNOWN, oldest = INT64_MAX;

	l->pid_width = a->forest ? 3 : 7;
	l->exit_width = a->forest ? 4 : 7;
	l->day[0] = '\0';
	l->narrow_list = !a->forest && style->width && style->width < 100;
	/* Of a narrow terminal the command needs more than the milliseconds do. */
	l->start_width = style->width && style->width < 100 ? 19 : 23;
	for (struct node *n = NULL; a->forest && (n = forest_next(a->forest, n));) {
		const struct process *p = n->process;
		int width = digits(p->pid);

		l->pid_width = width > l->pid_width ? width : l->pid_width;
		buffer_clear(&word);
		words_exit(&word, p);
		width = (int)word.length + (words_provenance_mark(p->end) && process_ended(p));
		l->exit_width = width > l->exit_width ? width : l->exit_width;
		newest = p->start_unix_ns > newest ? p->start_unix_ns : newest;
		oldest = p->start_unix_ns < oldest ? p->start_unix_ns : oldest;
	}
	buffer_deinit(&word);
	if (newest == UNKNOWN)
		return;
	timespec_format(oldest, style->utc, 0, l->day);
	timespec_format(newest, style->utc, 0, text);
	l->start_width = strncmp(text, l->day, 10) == 0 ? 12 : 14;
	memcpy(l->day, text, 10);
	l->day[10] = '\0';
}

/* A start is one among the processes of a boot; another boot is named by --boot. */
static void add_boot(struct writer *w, struct buffer *out, const struct answer *a,
		     const struct process *p)
{
	bool several = false;

	for (size_t i = 0; i < a->same_pid->count; i++)
		several |= a->same_pid->item[i]->boot != a->target->boot;
	if (!several)
		return;
	buffer_printf(out, " --boot %.8s", p->boot->boot_id);
	if (!w->style->hosts)
		return;
	buffer_puts(out, " of ");
	words_host(out, p->boot, w->style);
}

static void add_same_pid(struct writer *w, struct buffer *out, const struct answer *a)
{
	const struct process_list *others = a->same_pid;
	size_t shown = 0;

	if (!others || others->count == 0 || !a->target)
		return;
	buffer_printf(out,
		      "pid %" PRId64 " was used by %zu processes; this is %" PRId64 "@%" PRId64,
		      a->target->pid, others->count + 1, a->target->pid, a->target->start_boot_ns);
	add_boot(w, out, a, a->target);
	buffer_puts(out, ". Others:");
	for (size_t i = others->count; i-- > 0;) {
		const struct process *p = others->item[i];

		if (shown++ == SAME_PID_SHOWN_MAX && w->style->width) {
			buffer_printf(out, " and %zu older", i + 1);
			break;
		}
		buffer_printf(out, "%s %" PRId64 "@%" PRId64, shown > 1 ? "," : "", p->pid,
			      p->start_boot_ns);
		add_boot(w, out, a, p);
		buffer_puts(out, " (");
		words_time(out, p->start_unix_ns, w->style);
		buffer_putc(out, ' ');
		escape_text(out, process_comm(p), strlen(process_comm(p)), !w->style->utf8);
		buffer_putc(out, ')');
	}
	buffer_putc(out, '\n');
}

static const char *zone(const struct style *style, char *out, size_t size)
{
	time_t now = 0;
	struct tm tm;

	if (style->utc)
		return "UTC";
	localtime_r(&now, &tm);
	snprintf(out, size, "%s", tm.tm_zone ? tm.tm_zone : "local time");
	return strcmp(out, "UTC") == 0 ? "UTC" : "local time";
}

static void add_part(struct writer *w, struct buffer *out, const struct answer *a)
{
	if (a->part == 1)
		buffer_puts(out, "This is long: it comes in parts, by time. Parents of what is "
				 "told come again.\n");
	else
		buffer_putc(out, '\n');
	buffer_printf(out, "Part %u", a->part);
	if (a->part_unix_ns != UNKNOWN) {
		buffer_puts(out, ", from ");
		words_time(out, a->part_unix_ns, w->style);
	}
	buffer_putc(out, '\n');
}

static int put_head(struct writer *w)
{
	const struct answer *a = w->answer;
	struct layout *l = w->state;
	char name[32];

	measure(l, a, w->style);
	if (w->style->quiet || a->line)
		return put(w, &l->line);
	if (a->part)
		add_part(w, &l->line, a);
	if (l->day[0])
		buffer_printf(&l->line, "%s, %s\n", l->day, zone(w->style, name, sizeof(name)));
	color(w, &l->line, BOLD);
	buffer_printf(&l->line, "%-*s  %*s    FOR  %-*s COMMAND", l->start_width, "START",
		      l->pid_width, "PID", l->exit_width, "EXIT");
	color(w, &l->line, RESET);
	buffer_putc(&l->line, '\n');
	return put(w, &l->line);
}

static int text_begin(struct writer *w, const struct answer *a)
{
	struct layout *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	w->state = l;
	l->first = true;
	if (!w->style->quiet) {
		add_same_pid(w, &l->line, a);
		if (a->title && !a->line)
			buffer_printf(&l->line, "%s\n", a->title);
	}
	return a->forest ? put(w, &l->line) : put_head(w);
}

static void add_mark(struct layout *l, struct buffer *out, enum provenance provenance)
{
	char mark = words_provenance_mark(provenance);

	buffer_putc(out, mark ? mark : ' ');
	l->marks[provenance <= PROVENANCE_NONE ? provenance : PROVENANCE_NONE] = true;
}

static void add_start(struct writer *w, struct layout *l, const struct process *p)
{
	char text[TIMESPEC_SIZE] = "?";
	const char *shown = text;

	if (p->start_unix_ns != UNKNOWN)
		timespec_format(p->start_unix_ns, w->style->utc, 3, text);
	if (!l->day[0]) {
		text[l->start_width] = '\0';
	} else if (strncmp(text, l->day, 10) == 0) {
		shown = text + 11; /* 03:12:01.123 */
	} else if (strncmp(text, l->day, 4) == 0) {
		shown = text + 5; /* 11-20 03:12:01 */
		text[19] = '\0';
	} else if (p->start_unix_ns != UNKNOWN) {
		text[10] = '\0';
	}
	if ((int)strlen(shown) < l->start_width)
		buffer_pad(&l->line, (size_t)l->start_width - strlen(shown));
	buffer_puts(&l->line, shown);
	add_mark(l, &l->line, p->birth);
}

static void add_columns(struct writer *w, struct layout *l, const struct process *p)
{
	char span[TIMESPEC_SIZE] = "alive";
	struct buffer *out = &l->line;
	size_t before;

	color(w, out, p->selected ? "" : DIM);
	add_start(w, l, p);
	buffer_putc(out, ' ');
	buffer_int(out, p->pid, l->pid_width);
	if (process_ended(p))
		timespec_format_span(p->end_boot_ns - p->start_boot_ns, span);
	buffer_putc(out, ' ');
	buffer_pad(out, strlen(span) < 6 ? 6 - strlen(span) : 0);
	buffer_puts(out, span);
	buffer_puts(out, "  ");
	if (process_ended(p) && p->status != UNKNOWN && p->status != 0)
		color(w, out, RED);
	else if (!process_ended(p))
		color(w, out, GREEN);
	before = out->length;
	words_exit(out, p);
	if (process_ended(p) && words_provenance_mark(p->end))
		add_mark(l, out, p->end);
	if (out->length < before + (size_t)l->exit_width)
		buffer_pad(out, before + (size_t)l->exit_width - out->length);
	color(w, out, RESET);
	buffer_putc(out, ' ');
}

static bool has_next(const struct node *n)
{
	for (n = n->next; n; n = n->next) {
		if (!n->folded)
			return true;
	}
	return false;
}

/* The lines that lead from the ancestors on the left; returns the columns that they take. */
static size_t add_lines(struct writer *w, struct buffer *out, const struct node *n, size_t taken)
{
	const struct node *path[LEVELS_MAX];
	unsigned int levels = n->depth, hidden = 0, max = LEVELS_MAX;
	bool utf8 = w->style->utf8;
	size_t before = out->length, columns;

	if (levels == 0)
		return 0;
	if (w->style->width && w->style->width < taken + 2 * max + COMMAND_MIN)
		max = w->style->width < taken + COMMAND_MIN + 2
			      ? 1
			      : (unsigned int)(w->style->width - taken - COMMAND_MIN) / 2;
	if (levels > max) {
		hidden = levels - max;
		levels = max;
	}
	for (unsigned int i = levels; i > 0; i--, n = n->parent)
		path[i - 1] = n;
	if (hidden)
		buffer_printf(out, "+%u ", hidden);
	columns = out->length - before + 2 * levels;
	for (unsigned int i = 0; i + 1 < levels; i++)
		buffer_puts(out, !has_next(path[i]) ? "  " : utf8 ? "│ " : "| ");
	if (has_next(path[levels - 1]))
		buffer_puts(out, utf8 ? "├─" : "|-");
	else
		buffer_puts(out, utf8 ? "└─" : "`-");
	return columns;
}

/* Of a tree its root says it for all. */
static void add_host(struct buffer *out, const struct node *n, const struct style *style)
{
	if (!style->hosts || n->parent)
		return;
	buffer_puts(out, "[host ");
	words_host(out, n->process->boot, style);
	buffer_puts(out, "] ");
}

static bool other_user(const struct context *a, const struct context *b)
{
	return a->uid != UNKNOWN && b->uid != UNKNOWN && a->uid != b->uid;
}

/* Who and where, as far as it is another than above (NULL: than root on the host) or at birth. */
static void add_identity(struct buffer *out, const struct context *x, const struct context *above,
			 const struct context *birth, const struct style *style)
{
	const struct cgroup *g = x->container;

	if (birth && other_user(birth, x))
		buffer_printf(out, "[uid %" PRId64 "%s%" PRId64 "] ", birth->uid,
			      style->utf8 ? " ⇒ " : " => ", x->uid);
	else if (x->uid != UNKNOWN && (above ? x->uid != above->uid : x->uid != 0))
		buffer_printf(out, "[uid %" PRId64 "] ", x->uid);
	if (x->euid != UNKNOWN && x->euid != x->uid && (!above || x->euid != above->euid))
		buffer_printf(out, "[euid %" PRId64 "] ", x->euid);
	if (g && (!above || above->container != g)) {
		const char *name = g->container_name ? g->container_name : g->container_id;

		buffer_printf(out, "[%s ", g->pod_name ? "pod" : "container");
		if (g->pod_name) {
			escape_text(out, g->pod_name, strlen(g->pod_name), !style->utf8);
			buffer_putc(out, '/');
		}
		if (name)
			escape_text(out, name, g->container_name ? strlen(name) : strnlen(name, 12),
				    !style->utf8);
		buffer_puts(out, "] ");
	}
}

static const struct context *first_context(const struct process *p)
{
	return p->exec_count > 1 ? p->execs[0].context : p->context;
}

/* Whether it was another user's before. */
static bool changed_user(const struct process *p)
{
	bool changed = other_user(p->birth_context, first_context(p));

	for (size_t i = 0; !changed && i + 1 < p->exec_count; i++)
		changed = other_user(p->execs[i].context, p->context);
	return changed;
}

/*
 * Earlier images, oldest first: in full where there is room, else their names. Before each but the
 * first, what has changed of who and where.
 */
static void add_history(struct buffer *out, const struct process *p, const struct style *style)
{
	const struct context *before = first_context(p);

	for (size_t i = 0; i + 1 < p->exec_count; i++) {
		const struct exec *e = &p->execs[i];
		const char *comm = e->comm ? e->comm->value : e->image ? e->image->comm : NULL;

		/* A line has room for the first and the last of them. */
		if (!style->full && p->exec_count > 4 && i == 1) {
			i = p->exec_count - 3;
			buffer_printf(out, "+%zu%s", p->exec_count - 3,
				      style->utf8 ? " ⇒ " : " => ");
			continue;
		}
		add_identity(out, e->context, before, NULL, style);
		before = e->context;
		if (style->full)
			words_image(out, e->image, comm, style);
		else
			escape_text(out, comm ? comm : "?", strlen(comm ? comm : "?"),
				    !style->utf8);
		buffer_puts(out, style->utf8 ? " ⇒ " : " => ");
	}
	add_identity(out, p->context, before, NULL, style);
}

static void add_command(struct writer *w, struct layout *l, const struct node *n)
{
	const struct process *p = n->process;
	const struct context *above = n->parent ? n->parent->process->context : NULL;
	struct buffer *out = &l->command;
	char mark = words_provenance_mark(p->image_provenance);
	bool behind = l->narrow_list && !changed_user(p);

	buffer_clear(out);
	if (n->same > 1)
		buffer_printf(out, "%u%s ", n->same, w->style->utf8 ? "×" : "x");
	if (p->pruned_children)
		buffer_printf(out, "[%" PRId64 " children pruned] ", p->pruned_children);
	if (p->pruned[PRUNED_EXECS].count)
		buffer_printf(out, "[%" PRId64 " images pruned] ", p->pruned[PRUNED_EXECS].count);
	if (p->pruned[PRUNED_FAILURES].count && w->answer->failures)
		buffer_printf(out, "[%" PRId64 " failed execs pruned] ",
			      p->pruned[PRUNED_FAILURES].count);
	if (!behind)
		add_host(out, n, w->style);
	if (!behind)
		add_identity(out, first_context(p), above, p->birth_context, w->style);
	if (process_inherited(p) && p->parent_id)
		buffer_puts(out, "(fork) ");
	if (mark && p->image_provenance != p->birth) {
		buffer_putc(out, mark);
		l->marks[p->image_provenance] = true;
	}
	add_history(out, p, w->style);
	words_command(out, p, w->style);
	if (behind) {
		buffer_putc(out, ' ');
		add_host(out, n, w->style);
		add_identity(out, p->context, NULL, NULL, w->style);
		out->length--;
	}
}

/* The command, shortened to the columns that are left. */
static void add_fitting(struct writer *w, struct layout *l, const struct node *n, size_t taken)
{
	const char *dots = w->style->utf8 ? "…" : "...";
	size_t dots_width = w->style->utf8 ? 1 : 3, room, fit;
	struct buffer *out = &l->line;

	color(w, out, n->process == w->answer->target ? BOLD : n->process->selected ? "" : DIM);
	if (!w->style->width) {
		buffer_add(out, l->command.data, l->command.length);
	} else {
		room = w->style->width > taken + 8 ? w->style->width - taken : 8;
		fit = escape_fit(l->command.data, l->command.length, room);
		if (fit < l->command.length)
			fit = escape_fit(l->command.data, l->command.length, room - dots_width);
		buffer_add(out, l->command.data, fit);
		if (fit < l->command.length)
			buffer_puts(out, dots);
	}
	color(w, out, RESET);
	buffer_putc(out, '\n');
}

static bool same_failure(const struct exec_failure *a, const struct exec_failure *b)
{
	return a->error == b->error && a->image == b->image;
}

static void add_failure(struct writer *w, struct layout *l, const struct exec_failure *f,
			unsigned int times)
{
	const struct text *name = f->image ? f->image->filename : NULL;
	const char *error = strerrorname_np((int)f->error);

	if (!name && f->image)
		name = f->image->exe;
	if (times > 1)
		buffer_printf(&l->command, "%u%s ", times, w->style->utf8 ? "×" : "x");
	buffer_printf(&l->command, "%s ", error ? error : "unknown error");
	if (name)
		escape_word(&l->command, name->value, name->length, !w->style->utf8);
}

/* Below the process: what it failed to execute, each once in a row. */
static int add_failures(struct writer *w, struct layout *l, const struct node *n, size_t taken)
{
	struct exec_failure *f;
	size_t count, shown = 0, next;
	int r = query_failures_of(n->process->db, n->process, &f, &count);

	for (size_t i = 0; r == 0 && i < count; i = next) {
		for (next = i + 1; next < count && same_failure(&f[i], &f[next]); next++)
			;
		buffer_clear(&l->command);
		buffer_pad(&l->line, taken);
		buffer_puts(&l->line, "  ! ");
		if (shown++ == FAILURES_SHOWN_MAX && !w->style->full) {
			buffer_printf(&l->command, "and %zu more", count - i);
			next = count;
		} else {
			add_failure(w, l, &f[i], (unsigned int)(next - i));
		}
		add_fitting(w, l, n, taken + 4);
	}
	return r;
}

static int text_process(struct writer *w, const struct node *n)
{
	struct layout *l = w->state;
	size_t taken;
	int r = 0;

	if (w->answer->line) {
		if (!l->first)
			buffer_puts(&l->line, w->style->utf8 ? " → " : " -> ");
		l->first = false;
		words_name(&l->line, n->process, w->style);
		return 0;
	}
	l->first = false;
	add_columns(w, l, n->process);
	taken = (size_t)(l->start_width + l->pid_width + l->exit_width) + 12;
	color(w, &l->line, DIM);
	taken += add_lines(w, &l->line, n, taken);
	color(w, &l->line, RESET);
	add_command(w, l, n);
	add_fitting(w, l, n, taken);
	if (w->answer->failures)
		r = add_failures(w, l, n, taken);
	return r < 0 ? r : put(w, &l->line);
}

static void add_legend(struct layout *l)
{
	static const struct {
		enum provenance provenance;
		const char *words;
	} legend[] = {
		{PROVENANCE_SNAPSHOT, "* was so when recording began"},
		{PROVENANCE_RECOVERED, "+ rebuilt after its event was lost"},
		{PROVENANCE_INFERRED, "~ deduced"},
	};
	const char *separator = "";

	for (size_t i = 0; i < sizeof(legend) / sizeof(legend[0]); i++) {
		if (!l->marks[legend[i].provenance])
			continue;
		buffer_printf(&l->line, "%s%s", separator, legend[i].words);
		separator = "   ";
	}
	if (*separator)
		buffer_putc(&l->line, '\n');
}

static int text_end(struct writer *w)
{
	struct layout *l = w->state;
	int r;

	if (w->answer->line && !l->first)
		buffer_putc(&l->line, '\n');
	if (!w->style->quiet) {
		if (l->first && !w->answer->line)
			buffer_puts(&l->line, "nothing matched\n");
		add_legend(l);
		if (w->answer->running != UNKNOWN)
			buffer_printf(&l->line, "%" PRId64 " other%s ran throughout%s\n",
				      w->answer->running, w->answer->running == 1 ? "" : "s",
				      w->answer->running ? "; --running shows them" : "");
		words_completeness(&l->line, w->answer->completeness, w->style);
	}
	r = put(w, &l->line);
	buffer_deinit(&l->line);
	buffer_deinit(&l->command);
	free(l);
	w->state = NULL;
	return r;
}

const struct writer_ops writer_text = {
	.name = "text",
	.summary = "a tree for people (default)",
	.folds = true,
	.begin = text_begin,
	.part = put_head,
	.process = text_process,
	.end = text_end,
};
