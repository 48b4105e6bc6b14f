/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directed graph for Graphviz: parent -> child.
 * Labels are escaped twice: as text to be read, and as what DOT takes for itself (quotes,
 * backslashes, HTML entities).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/escape.h"
#include "cli/render.h"
#include "cli/words.h"

/* Columns of a label: a graph is looked at, the whole command line is in other formats. */
#define LABEL_COLUMNS 60

struct dot {
	struct style style;
	struct buffer out, text, label;
};

/* Into a quoted DOT string. */
static void add_quoted(struct buffer *out, const char *s, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (s[i] == '&')
			buffer_puts(out, "&amp;");
		else if (s[i] == '"' || s[i] == '\\')
			buffer_printf(out, "\\%c", s[i]);
		else
			buffer_putc(out, s[i]);
	}
}

/* A line of a label, shortened; it is text that can be shown. */
static void add_line(struct dot *dot, const struct buffer *text)
{
	size_t length = escape_fit(text->data ? text->data : "", text->length, LABEL_COLUMNS);

	if (dot->label.length)
		buffer_puts(&dot->label, "\\n");
	add_quoted(&dot->label, text->data ? text->data : "", length);
	if (length < text->length)
		buffer_puts(&dot->label, "\xe2\x80\xa6");
}

static void make_label(struct dot *dot, const struct node *n)
{
	const struct process *p = n->process;

	buffer_clear(&dot->label);
	buffer_clear(&dot->text);
	words_name(&dot->text, p, &dot->style);
	if (n->same > 1)
		buffer_printf(&dot->text, " \xc3\x97%u", n->same);
	add_line(dot, &dot->text);
	buffer_clear(&dot->text);
	words_command(&dot->text, p, &dot->style);
	add_line(dot, &dot->text);
	buffer_clear(&dot->text);
	words_time(&dot->text, p->start_unix_ns, &dot->style);
	if (process_ended(p)) {
		buffer_puts(&dot->text, ", exit ");
		words_exit(&dot->text, p);
	}
	add_line(dot, &dot->text);
}

static void add_name(struct buffer *out, const struct process *p, int64_t id)
{
	/* Boot ids differ between hosts, process ids do not. */
	buffer_printf(out, "\"%.8s-%" PRId64 "\"", p->boot->boot_id, id);
}

static int put(struct writer *w)
{
	struct dot *dot = w->state;

	if (dot->out.failed || dot->text.failed || dot->label.failed)
		return -ENOMEM;
	if (fwrite(dot->out.data, 1, dot->out.length, w->out) != dot->out.length)
		return errno ? -errno : -EIO;
	buffer_clear(&dot->out);
	return 0;
}

static int dot_begin(struct writer *w, const struct answer *a)
{
	struct dot *dot = calloc(1, sizeof(*dot));

	if (!dot)
		return -ENOMEM;
	w->state = dot;
	dot->style = *w->style;
	dot->style.utf8 = true;
	dot->style.width = 0;
	buffer_puts(&dot->out, "digraph lineage {\n"
			       "\trankdir=LR;\n"
			       "\tnode [shape=box, fontname=\"sans-serif\", fontsize=10];\n");
	return put(w);
}

static int dot_process(struct writer *w, const struct node *n)
{
	const struct process *p = n->process;
	struct dot *dot = w->state;
	bool killed = process_ended(p) && p->status != UNKNOWN && (p->status & 127) != 0;

	make_label(dot, n);
	buffer_putc(&dot->out, '\t');
	add_name(&dot->out, p, p->id);
	buffer_puts(&dot->out, " [label=\"");
	buffer_add(&dot->out, dot->label.data, dot->label.length);
	buffer_printf(&dot->out, "\"%s%s%s];\n",
		      p == w->answer->target ? ", penwidth=2"
		      : p->selected	     ? ""
					     : ", color=gray, fontcolor=gray40",
		      process_ended(p) ? "" : ", style=bold", killed ? ", color=red" : "");
	if (n->parent) {
		buffer_putc(&dot->out, '\t');
		add_name(&dot->out, p, n->parent->process->id);
		buffer_puts(&dot->out, " -> ");
		add_name(&dot->out, p, p->id);
		buffer_puts(&dot->out, ";\n");
	}
	return put(w);
}

static int dot_end(struct writer *w)
{
	struct dot *dot = w->state;
	int r;

	buffer_clear(&dot->text);
	words_completeness(&dot->text, w->answer->completeness, &dot->style);
	buffer_puts(&dot->out, "\tlabelloc=b; labeljust=l; label=\"");
	for (const char *line = dot->text.data; line && *line;) {
		size_t length = strcspn(line, "\n");

		add_quoted(&dot->out, line, length);
		buffer_puts(&dot->out, "\\l");
		line += length + (line[length] == '\n');
	}
	buffer_puts(&dot->out, "\";\n}\n");
	r = put(w);
	buffer_deinit(&dot->out);
	buffer_deinit(&dot->text);
	buffer_deinit(&dot->label);
	free(dot);
	w->state = NULL;
	return r;
}

const struct writer_ops writer_dot = {
	.name = "dot",
	.summary = "a graph for Graphviz: ... -o dot | dot -Tsvg",
	.folds = true,
	.machine = true,
	.begin = dot_begin,
	.process = dot_process,
	.end = dot_end,
};
