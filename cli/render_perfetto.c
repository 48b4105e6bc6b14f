/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trace in Chrome's JSON format, which the Perfetto UI opens. Each process is a track of its own,
 * also where a pid was used again: the track's number is the process id of the database. On it lies
 * the life, in it the images; an arrow goes from parent to child. Gaps have a track of their own.
 * Times are microseconds since 1970 with the nanoseconds behind the point.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/escape.h"
#include "cli/json.h"
#include "cli/render.h"
#include "cli/words.h"

struct trace {
	struct json json;
	struct buffer text;
	struct style style;
	int64_t sequence; /* tracks are shown in the order of the answer */
};

static void put_us(struct json *json, const char *key, int64_t ns)
{
	/* A double would lose the nanoseconds of today; the text keeps them. */
	json_decimal(json, key, ns / 1000, (unsigned int)(ns % 1000));
}

static void begin_event(struct trace *t, const char *phase, int64_t track, int64_t unix_ns)
{
	json_object_begin(&t->json, NULL);
	json_text(&t->json, "ph", phase);
	json_int(&t->json, "pid", track);
	json_int(&t->json, "tid", track);
	if (unix_ns != UNKNOWN)
		put_us(&t->json, "ts", unix_ns);
}

static void put_name(struct trace *t, int64_t track, const char *kind, const struct buffer *name)
{
	begin_event(t, "M", track, UNKNOWN);
	json_text(&t->json, "name", kind);
	json_object_begin(&t->json, "args");
	json_string(&t->json, "name", name->data ? name->data : "", name->length);
	json_object_end(&t->json);
	json_object_end(&t->json);
}

static void put_order(struct trace *t, int64_t track)
{
	begin_event(t, "M", track, UNKNOWN);
	json_text(&t->json, "name", "process_sort_index");
	json_object_begin(&t->json, "args");
	json_int(&t->json, "sort_index", t->sequence++);
	json_object_end(&t->json);
	json_object_end(&t->json);
}

/* From begin to end; UNKNOWN: it had not ended. */
static void begin_slice(struct trace *t, int64_t track, int64_t begin, int64_t end,
			const char *category, const struct buffer *name)
{
	begin_event(t, end == UNKNOWN ? "B" : "X", track, begin);
	if (end != UNKNOWN)
		put_us(&t->json, "dur", end > begin ? end - begin : 0);
	json_text(&t->json, "cat", category);
	json_string(&t->json, "name", name->data ? name->data : "", name->length);
}

static void put_images(struct trace *t, const struct process *p)
{
	for (size_t i = 0; i < p->exec_count; i++) {
		const struct exec *e = &p->execs[i];
		int64_t from = e->unix_ns == UNKNOWN ? p->start_unix_ns : e->unix_ns;
		int64_t to = i + 1 < p->exec_count ? p->execs[i + 1].unix_ns : p->end_unix_ns;

		if (!e->image)
			continue;
		buffer_clear(&t->text);
		words_image(&t->text, e->image, e->image->comm, &t->style);
		begin_slice(t, p->id, from, to, "exec", &t->text);
		json_object_begin(&t->json, "args");
		json_maybe_text(&t->json, "provenance", provenance_name(e->provenance));
		json_image(&t->json, e->image);
		json_object_end(&t->json);
		json_object_end(&t->json);
	}
}

/* From the slice of the parent to that of the child. */
static void put_arrow(struct trace *t, const struct process *p, const struct process *parent)
{
	static const char *const phases[] = {"s", "f"};

	for (int i = 0; i < 2; i++) {
		begin_event(t, phases[i], i ? p->id : parent->id, p->start_unix_ns);
		json_text(&t->json, "cat", "fork");
		json_text(&t->json, "name", "fork");
		json_int(&t->json, "id", p->id);
		if (i)
			json_text(&t->json, "bp", "e");
		json_object_end(&t->json);
	}
}

static int trace_begin(struct writer *w, const struct answer *a)
{
	struct trace *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	w->state = t;
	t->style = *w->style;
	t->style.utf8 = true;
	t->style.width = 0;
	json_begin(&t->json, w->out, 2);
	json_object_begin(&t->json, NULL);
	json_text(&t->json, "displayTimeUnit", "ns");
	json_array_begin(&t->json, "traceEvents");
	return 0;
}

static int trace_process(struct writer *w, const struct node *n)
{
	const struct process *p = n->process;
	struct trace *t = w->state;

	buffer_clear(&t->text);
	words_name(&t->text, p, &t->style);
	put_name(t, p->id, "process_name", &t->text);
	put_order(t, p->id);
	begin_slice(t, p->id, p->start_unix_ns, p->end_unix_ns, "process", &t->text);
	json_object_begin(&t->json, "args");
	json_process(&t->json, p);
	json_object_end(&t->json);
	json_object_end(&t->json);
	put_images(t, p);
	if (n->parent)
		put_arrow(t, p, n->parent->process);
	return t->text.failed ? -ENOMEM : json_error(&t->json);
}

static void put_gaps(struct trace *t, const struct completeness *c)
{
	struct buffer name = {0};

	buffer_puts(&name, "missing");
	put_name(t, 0, "process_name", &name);
	for (size_t i = 0; i < c->count; i++) {
		const struct missing *m = &c->item[i];

		if (m->from_unix_ns == UNKNOWN || m->to_unix_ns == UNKNOWN)
			continue;
		buffer_clear(&name);
		buffer_puts(&name, m->cause ? m->cause : missing_kind_name(m->kind));
		begin_slice(t, 0, m->from_unix_ns, m->to_unix_ns, "gap", &name);
		json_object_begin(&t->json, "args");
		json_maybe_int(&t->json, "lost", m->lost);
		json_text(&t->json, "touches", m->touches);
		json_object_end(&t->json);
		json_object_end(&t->json);
	}
	t->text.failed |= name.failed;
	buffer_deinit(&name);
}

static int trace_end(struct writer *w)
{
	struct trace *t = w->state;
	int r;

	put_gaps(t, w->answer->completeness);
	json_array_end(&t->json);
	json_object_begin(&t->json, "otherData");
	json_text(&t->json, "source", "lineage-query " LINEAGED_VERSION);
	json_completeness(&t->json, "completeness", w->answer->completeness);
	json_object_end(&t->json);
	json_object_end(&t->json);
	json_newline(&t->json);
	r = json_flush(&t->json);
	json_deinit(&t->json);
	buffer_deinit(&t->text);
	free(t);
	w->state = NULL;
	return r;
}

const struct writer_ops writer_perfetto = {
	.name = "perfetto",
	.summary = "a trace for ui.perfetto.dev and Chrome",
	.needs_full = true,
	.machine = true,
	.begin = trace_begin,
	.process = trace_process,
	.end = trace_end,
};
