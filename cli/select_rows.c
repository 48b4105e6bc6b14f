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

#define ZONE_IDS (1 << SCHEMA_ZONE_SHIFT)
/* Rows are asked about in the order of their ids, or nearly. */
#define ZONES_KNOWN 16

/* Of the processes of a zone, a bit each: what their rows do not tell. */
struct zone_bits {
	bool known;
	int64_t first;
	uint64_t earlier[ZONE_IDS / 64];  /* an image before the latest matches, */
	uint64_t if_birth[ZONE_IDS / 64]; /* or does if who ran it at birth does */
	uint64_t failed[ZONE_IDS / 64];	  /* an exec failed */
};

struct rows_of {
	struct selection *selection;
	struct query *query;
	struct verdicts contexts, images, comms;
	struct zone_bits zones[ZONES_KNOWN];
};

struct select_rows {
	unsigned int count;
	struct rows_of item[]; /* one per database */
};

static struct zone_bits *zone_of(struct rows_of *o, int64_t id)
{
	return &o->zones[(uint64_t)(id >> SCHEMA_ZONE_SHIFT) % ZONES_KNOWN];
}

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

static int image_matches(struct rows_of *o, const struct row_keys *keys)
{
	int r = keys->image == UNKNOWN ? 0 : verdict_get(&o->images, keys->image);

	return r < 0 ? judge_image(o, keys->image) : r;
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

/* As selection_matches() has it: an image with its name and with who ran it and where. */
static int face_matches(struct rows_of *o, const struct row_keys *keys)
{
	const struct selection *s = o->selection;
	int r = keys->context == UNKNOWN ? 1 : context_matches(o, keys->context);

	if (r == 1 && s->flags->comm.count)
		r = comm_matches(o, keys);
	/* What it failed to run counts, too: that is looked at later. */
	if (r == 1 && s->by_image && !s->flags->failed)
		r = image_matches(o, keys);
	return r;
}

static void set_bit(uint64_t *bits, int64_t id)
{
	id &= ZONE_IDS - 1;
	bits[id / 64] |= 1ULL << (id % 64);
}

static bool has_bit(const uint64_t *bits, int64_t id)
{
	id &= ZONE_IDS - 1;
	return bits[id / 64] >> (id % 64) & 1;
}

static int add_earlier(const struct row_keys *keys, void *userdata)
{
	struct rows_of *o = userdata;
	struct zone_bits *z = zone_of(o, keys->id);
	int r = face_matches(o, keys);

	if (r == 1)
		set_bit(keys->context == UNKNOWN ? z->if_birth : z->earlier, keys->id);
	return r < 0 ? r : 0;
}

static int add_failed(const struct row_keys *keys, void *userdata)
{
	struct rows_of *o = userdata;

	set_bit(zone_of(o, keys->id)->failed, keys->id);
	return 0;
}

/* What is known of the zone of an id; read when it is first asked for. */
static int load_zone(struct rows_of *o, int64_t id, const struct zone_bits **ret_zone)
{
	int64_t first = id & ~(int64_t)(ZONE_IDS - 1), last = first + ZONE_IDS - 1;
	const struct selection *s = o->selection;
	struct zone_bits *z = zone_of(o, id);
	int r = 0;

	*ret_zone = z;
	if (z->known && z->first == first)
		return 0;
	*z = (struct zone_bits){.first = first};
	if (s->by_face)
		r = query_each_earlier(o->query, first, last, add_earlier, o);
	if (r == 0 && s->flags->failed)
		r = query_each_failed(o->query, first, last, add_failed, o);
	z->known = r == 0;
	return r;
}

static int earlier_matches(struct rows_of *o, const struct row_keys *keys)
{
	const struct zone_bits *z;
	int r = load_zone(o, keys->id, &z);

	if (r < 0 || has_bit(z->earlier, keys->id))
		return r < 0 ? r : 1;
	if (!has_bit(z->if_birth, keys->id))
		return 0;
	return keys->birth_context == UNKNOWN ? 1 : context_matches(o, keys->birth_context);
}

static int any_face_matches(struct rows_of *o, const struct row_keys *keys)
{
	const struct selection *s = o->selection;
	int r = face_matches(o, keys);

	if (r == 0 && !s->by_image && !s->flags->comm.count)
		r = keys->birth_context == UNKNOWN ? 1 : context_matches(o, keys->birth_context);
	return r == 0 ? earlier_matches(o, keys) : r;
}

static int on_row(const struct row_keys *keys, void *userdata)
{
	struct rows_of *o = userdata;
	const struct selection *s = o->selection;
	const struct zone_bits *z;
	const struct boot *boot;
	int r = 1;

	if (!selection_life_matches(s, keys->life_ns, keys->status) ||
	    !pid_matches(s->flags, keys->pid))
		return 0;
	boot = s->flags->boot.count ? query_boot(o->query, keys->boot) : NULL;
	if (boot && !session_wants_boot(s->session, boot))
		return 0;
	if (s->flags->failed) {
		r = load_zone(o, keys->id, &z);
		r = r < 0 ? r : has_bit(z->failed, keys->id);
	}
	return r == 1 && s->by_face ? any_face_matches(o, keys) : r;
}

int selection_push(struct selection *s)
{
	const struct session *session = s->session;

	if (!s->any)
		return 0;
	s->rows = calloc(1, sizeof(*s->rows) + session->db_count * sizeof(s->rows->item[0]));
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
