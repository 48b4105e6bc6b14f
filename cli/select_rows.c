/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The selectors, asked of a row before it is a process: by the ids of its dictionaries, each judged
 * once. May take what selection_matches() will not, never the other way round.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/seen.h"
#include "cli/select.h"

/* A dictionary's ids: which were judged, and which of them match. */
struct verdicts {
	struct seen judged, good;
};

struct rows_of {
	struct selection *selection;
	struct query *query;
	struct verdicts contexts, images, comms;
};

struct select_rows {
	struct rows_of item[FLAGS_LIST_MAX];
	unsigned int count;
};

/* -1: not judged yet. */
static int verdict_get(const struct verdicts *v, int64_t id)
{
	return seen_has(&v->judged, id) ? seen_has(&v->good, id) : -1;
}

static int verdict_put(struct verdicts *v, int64_t id, bool matches)
{
	int r = seen_add(&v->judged, id);

	if (r >= 0 && matches)
		r = seen_add(&v->good, id);
	return r < 0 ? r : matches;
}

static void verdicts_deinit(struct verdicts *v)
{
	seen_deinit(&v->judged);
	seen_deinit(&v->good);
}

static int context_matches(struct rows_of *o, int64_t id)
{
	const struct context *context;
	int r = verdict_get(&o->contexts, id);

	if (r >= 0)
		return r;
	r = query_peek_context(o->query, id, &context);
	return r < 0 ? r
		     : verdict_put(&o->contexts, id,
				   selection_context_matches(o->selection, context));
}

/* Blanks between the words, as people think of a command line. */
static bool line_matches(struct selection *s, const char *args, size_t length)
{
	buffer_clear(&s->line);
	buffer_add(&s->line, args, length);
	for (size_t i = 0; !s->line.failed && i < length; i++) {
		if (s->line.data[i] == SCHEMA_ARGS_SEPARATOR)
			s->line.data[i] = ' ';
	}
	/* It is judged again where it passes. */
	return s->line.failed || !length || selection_line_matches(s, s->line.data, length);
}

static int judge_image(struct rows_of *o, int64_t id)
{
	struct selection *s = o->selection;
	const struct flags *f = s->flags;
	const struct image *program;
	const char *args;
	size_t length = 0;
	int r = query_peek_image(o->query, id, &program, &args, &length);

	if (r < 0)
		return r;
	if (!selection_exe_matches(s, program))
		return verdict_put(&o->images, id, false);
	if (!args || (!f->args.count && !f->regex.count))
		return verdict_put(&o->images, id, true);
	return verdict_put(&o->images, id, line_matches(s, args, length));
}

/* Any of its images: whoever has had others before is looked at more closely. */
static int image_matches(struct rows_of *o, const struct row_keys *keys)
{
	int r = keys->image == UNKNOWN ? 0 : verdict_get(&o->images, keys->image);

	if (r < 0)
		r = judge_image(o, keys->image);
	return r == 0 ? query_has_earlier(o->query, keys->id) : r;
}

static int comm_matches(struct rows_of *o, const struct row_keys *keys)
{
	const struct image *program = NULL;
	const char *args;
	size_t length;
	int r;

	/* A name of its own: few have one. */
	if (keys->comm != UNKNOWN)
		return 1;
	if (keys->image == UNKNOWN)
		return selection_comm_matches(o->selection, "?");
	r = verdict_get(&o->comms, keys->image);
	if (r >= 0)
		return r;
	r = query_peek_image(o->query, keys->image, &program, &args, &length);
	if (r < 0)
		return r;
	return verdict_put(&o->comms, keys->image,
			   selection_comm_matches(o->selection,
						  program->comm ? program->comm : "?"));
}

static bool pid_matches(const struct flags *f, int64_t pid)
{
	bool matches = f->pid.count == 0;

	for (unsigned int i = 0; !matches && i < f->pid.count; i++)
		matches = atoll(f->pid.item[i]) == pid;
	return matches;
}

static int on_row(const struct row_keys *keys, void *userdata)
{
	struct rows_of *o = userdata;
	const struct selection *s = o->selection;
	const struct boot *boot;
	int r;

	if (!selection_life_matches(s, keys->life_ns, keys->status) ||
	    !pid_matches(s->flags, keys->pid))
		return 0;
	boot = s->flags->boot.count ? query_boot(o->query, keys->boot) : NULL;
	if (boot && !session_wants_boot(s->session, boot))
		return 0;
	r = keys->context == UNKNOWN ? 1 : context_matches(o, keys->context);
	if (r == 1 && s->flags->comm.count)
		r = comm_matches(o, keys);
	if (r == 1 && s->by_image)
		r = image_matches(o, keys);
	return r;
}

int selection_push(struct selection *s)
{
	const struct session *session = s->session;

	if (!s->any)
		return 0;
	s->rows = calloc(1, sizeof(*s->rows));
	if (!s->rows)
		return -ENOMEM;
	for (unsigned int i = 0; i < session->db_count; i++) {
		struct rows_of *o = &s->rows->item[s->rows->count++];

		o->selection = s;
		o->query = session->db[i];
		query_on_row(o->query, on_row, o);
	}
	return 0;
}

void select_rows_free(struct select_rows *rows)
{
	for (unsigned int i = 0; rows && i < rows->count; i++) {
		struct rows_of *o = &rows->item[i];

		query_on_row(o->query, NULL, NULL);
		verdicts_deinit(&o->contexts);
		verdicts_deinit(&o->images);
		verdicts_deinit(&o->comms);
	}
	free(rows);
}
