/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folded stacks for flame graphs: "systemd;sshd;bash;make 12". A frame is a name, a stack is the
 * line of parents, the number is how many processes were started there. Blanks, semicolons and
 * what cannot be shown are escaped. What is missing goes to stderr: the format has no comments.
 * Every stack is told whole, so of a deep one the middle is left out: else processes that start
 * each other one after the other would fill the disk of who asks.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/entity.h"
#include "cli/escape.h"
#include "cli/render.h"

/* Frames at each end of a stack. */
#define FRAMES 64

struct stacks {
	struct process_list line; /* leaf first */
	struct buffer out, name;
};

static void add_frame(struct stacks *s, const struct process *p)
{
	const char *comm = process_comm(p);

	buffer_clear(&s->name);
	escape_text(&s->name, comm, strlen(comm), false);
	if (s->out.length)
		buffer_putc(&s->out, ';');
	if (!s->name.length)
		buffer_putc(&s->out, '-');
	for (size_t i = 0; i < s->name.length; i++) {
		char c = s->name.data[i];

		if (c == ';' || c == ' ')
			buffer_printf(&s->out, "\\x%02x", (unsigned char)c);
		else
			buffer_putc(&s->out, c);
	}
}

/* The line up the tree that is shown; of a search, which shows none, the line of parents. */
static int collect(struct stacks *s, const struct writer *w, const struct node *n, int64_t *count)
{
	int r = 0;

	s->line.count = 0;
	for (const struct node *up = n; r == 0 && up; up = up->parent) {
		r = process_list_add(&s->line, up->process);
		*count *= up->same;
	}
	if (r == 0 && !w->answer->forest)
		r = query_ancestors(n->process->db, n->process, 0, &s->line);
	return r;
}

static int folded_begin(struct writer *w, const struct answer *a)
{
	w->state = calloc(1, sizeof(struct stacks));
	return w->state ? 0 : -ENOMEM;
}

static int folded_process(struct writer *w, const struct node *n)
{
	struct stacks *s = w->state;
	int64_t count = 1;
	int r;

	if (!n->process->selected)
		return 0;
	r = collect(s, w, n, &count);
	if (r < 0)
		return r;
	buffer_clear(&s->out);
	for (size_t i = s->line.count; i-- > 0;) {
		add_frame(s, s->line.item[i]);
		if (s->line.count > 2 * FRAMES && i == s->line.count - FRAMES) {
			buffer_printf(&s->out, ";[%zu-more]", s->line.count - 2 * FRAMES);
			i = FRAMES;
		}
	}
	buffer_printf(&s->out, " %" PRId64 "\n", count);
	if (s->out.failed || s->name.failed)
		return -ENOMEM;
	if (fwrite(s->out.data, 1, s->out.length, w->out) != s->out.length)
		return errno ? -errno : -EIO;
	return 0;
}

static int folded_end(struct writer *w)
{
	struct stacks *s = w->state;
	int r = render_completeness_aside(w);

	process_list_deinit(&s->line);
	buffer_deinit(&s->out);
	buffer_deinit(&s->name);
	free(s);
	w->state = NULL;
	return r;
}

const struct writer_ops writer_folded = {
	.name = "folded",
	.summary = "folded stacks of names, for flame graphs",
	.folds = true,
	.machine = true,
	.begin = folded_begin,
	.process = folded_process,
	.end = folded_end,
};
