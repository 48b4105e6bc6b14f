/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON: one document (json) or one object per line (ndjson). Processes come in pre-order, flat,
 * with `depth` and `parent_id`; the last member, or the last line, is `completeness`.
 */
#include "cli/render.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/fields.h"
#include "cli/json.h"
#include "cli/timespec.h"

static void json_time(struct json *json, const char *name, const char *ns_name, int64_t unix_ns)
{
	char text[TIMESPEC_SIZE];

	if (unix_ns == UNKNOWN)
		return;
	timespec_rfc3339(unix_ns, text);
	json_text(json, name, text);
	json_int(json, ns_name, unix_ns);
}

/* The text, and what it stands for exactly where that is something else. */
static void json_path(struct json *json, const char *name, const char *hex_name,
		      const struct text *text)
{
	if (!text)
		return;
	json_string(json, name, text->value, text->length);
	if (text->raw)
		json_hex(json, hex_name, text->raw, text->raw_length);
}

static void json_args(struct json *json, const struct image *image)
{
	struct buffer word = {0};
	struct args args;

	if (!image->args && !image->args_raw)
		return;
	json_array_begin(json, "args");
	for (args_begin(&args, image); args_next(&args, &word) == 0;)
		json_string(json, NULL, word.data ? word.data : "", word.length);
	json_array_end(json);
	if (word.failed)
		json->buffer.failed = true;
	buffer_deinit(&word);
	json_maybe_int(json, "args_count", image->args_count);
	json_maybe_int(json, "args_bytes", image->args_bytes);
	json_bool(json, "args_truncated", image_args_truncated(image));
	if (image->args_raw)
		json_hex(json, "args_hex", image->args_raw, image->args_raw_length);
}

static void json_flags(struct json *json, unsigned int flags)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} names[] = {
		{IMAGE_DELETED, "deleted"},
		{IMAGE_MEMFD, "memfd"},
		{IMAGE_UPPER, "upper_layer"},
		{IMAGE_OVERLAY, "overlay"},
		{IMAGE_EXE_TRUNCATED, "exe_truncated"},
		{IMAGE_CWD_TRUNCATED, "cwd_truncated"},
		{IMAGE_CWD_DELETED, "cwd_deleted"},
		{IMAGE_ARGS_UNREADABLE, "args_unreadable"},
		{IMAGE_SCRIPT, "script"},
		{IMAGE_SECURE, "secure"},
		{IMAGE_NAMES_SHORTENED, "names_shortened"},
		{IMAGE_KERNEL_THREAD, "kernel_thread"},
		{IMAGE_FILENAME_TRUNCATED, "filename_truncated"},
	};

	if (!flags)
		return;
	json_array_begin(json, "flags");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (flags & names[i].bit)
			json_text(json, NULL, names[i].name);
	}
	json_array_end(json);
}

void json_image(struct json *json, const struct image *image)
{
	if (!image)
		return;
	json_path(json, "exe", "exe_hex", image->exe);
	json_path(json, "filename", "filename_hex", image->filename);
	json_path(json, "interpreter", "interpreter_hex", image->interpreter);
	json_args(json, image);
	json_flags(json, image->flags);
	if (image->inode != UNKNOWN && image->dev != UNKNOWN) {
		json_int(json, "dev_major", image->dev >> 20);
		json_int(json, "dev_minor", image->dev & 0xfffff);
		json_int(json, "inode", image->inode);
	}
}

static void json_context(struct json *json, const struct context *x)
{
	const struct cgroup *g = x->container;
	const struct {
		const char *name;
		int64_t value;
	} numbers[] = {
		{"uid", x->uid},
		{"euid", x->euid},
		{"suid", x->suid},
		{"gid", x->gid},
		{"egid", x->egid},
		{"sgid", x->sgid},
		{"loginuid", x->loginuid},
		{"sessionid", x->sessionid},
		{"cap_effective", x->cap_effective},
		{"cap_permitted", x->cap_permitted},
		{"sid", x->sid},
		{"tty", x->tty},
		{"pid_ns", x->pid_ns},
		{"mnt_ns", x->mnt_ns},
		{"net_ns", x->net_ns},
		{"user_ns", x->user_ns},
		{"uts_ns", x->uts_ns},
		{"ipc_ns", x->ipc_ns},
		{"cgroup_ns", x->cgroup_ns},
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		json_maybe_int(json, numbers[i].name, numbers[i].value);
	if (x->cgroup)
		json_maybe_text(json, "cgroup", x->cgroup->path);
	if (!g)
		return;
	json_maybe_text(json, "container_id", g->container_id);
	json_maybe_text(json, "container_name", g->container_name);
	json_maybe_text(json, "container_runtime", g->runtime);
	json_maybe_text(json, "image_name", g->image_name);
	json_maybe_text(json, "pod_uid", g->pod_uid);
	json_maybe_text(json, "pod_name", g->pod_name);
	json_maybe_text(json, "pod_namespace", g->pod_namespace);
}

static void json_exec(struct json *json, const struct process *p, const struct exec *e)
{
	json_object_begin(json, NULL);
	json_time(json, "time", "unix_ns", e->unix_ns);
	json_text(json, "provenance", provenance_name(e->provenance));
	if (e->comm)
		json_string(json, "comm", e->comm->value, e->comm->length);
	else if (e->image)
		json_maybe_text(json, "comm", e->image->comm);
	json_image(json, e->image);
	json_path(json, "cwd", "cwd_hex", e->cwd);
	/* Who and where it was then, where that is not what it is now. */
	if (e->context && e->context != p->context)
		json_context(json, e->context);
	if (e->parent_id && e->parent_id != p->parent_id)
		json_int(json, "reaper_id", e->parent_id);
	json_maybe_int(json, "cpu", e->cpu);
	json_maybe_int(json, "seq", e->seq);
	json_object_end(json);
}

static void json_end(struct json *json, const struct process *p)
{
	json_time(json, "end", "end_unix_ns", p->end_unix_ns);
	if (!process_ended(p))
		return;
	json_int(json, "lifetime_ns", p->end_boot_ns - p->start_boot_ns);
	if (p->status != UNKNOWN && (p->status & 127) == 0)
		json_int(json, "exit_code", p->status >> 8);
	if (p->status != UNKNOWN && (p->status & 127) != 0) {
		json_int(json, "exit_signal", p->status & 127);
		json_bool(json, "core_dumped", p->status >> 7 & 1);
	}
	json_text(json, "end_provenance", provenance_name(p->end));
	if (p->end_parent_id != p->parent_id)
		json_int(json, "end_parent_id", p->end_parent_id);
	json_maybe_int(json, "user_us", p->user_us);
	json_maybe_int(json, "system_us", p->system_us);
	json_maybe_int(json, "max_rss_kib", p->max_rss_kib);
}

void json_process(struct json *json, const struct process *p)
{
	json_int(json, "process_id", p->id);
	json_maybe_text(json, "host", p->boot->hostname);
	json_text(json, "boot_id", p->boot->boot_id);
	json_int(json, "pid", p->pid);
	json_int(json, "start_boot_ns", p->start_boot_ns);
	json_time(json, "start", "start_unix_ns", p->start_unix_ns);
	json_text(json, "provenance", provenance_name(p->birth));
	if (p->parent_id)
		json_int(json, "parent_id", p->parent_id);
	if (p->creator_id)
		json_int(json, "creator_id", p->creator_id);
	json_text(json, "comm", process_comm(p));
	json_image(json, p->image);
	json_text(json, "image_provenance",
		  process_inherited(p) ? "inherited" : provenance_name(p->image_provenance));
	json_path(json, "cwd", "cwd_hex", p->cwd);
	json_context(json, p->context);
	if (p->ns_pid != p->pid)
		json_int(json, "ns_pid", p->ns_pid);
	json_maybe_int(json, "pgid", p->pgid);
	json_end(json, p);
	json_maybe_int(json, "cpu", p->fork_cpu);
	json_maybe_int(json, "seq", p->fork_seq);
	if (p->pruned_children)
		json_int(json, "pruned_children", p->pruned_children);
	if (p->pruned[PRUNED_EXECS].count)
		json_int(json, "pruned_execs", p->pruned[PRUNED_EXECS].count);
	if (p->pruned[PRUNED_FAILURES].count)
		json_int(json, "pruned_failed_execs", p->pruned[PRUNED_FAILURES].count);
	if (p->exec_count == 0)
		return;
	json_array_begin(json, "execs");
	for (size_t i = 0; i < p->exec_count; i++)
		json_exec(json, p, &p->execs[i]);
	json_array_end(json);
}

void json_failures(struct json *json, const char *key, const struct exec_failure *failures,
		   size_t count)
{
	json_array_begin(json, key);
	for (size_t i = 0; i < count; i++) {
		json_object_begin(json, NULL);
		json_time(json, "time", "unix_ns", failures[i].unix_ns);
		json_int(json, "errno", failures[i].error);
		json_maybe_text(json, "error", strerrorname_np((int)failures[i].error));
		json_text(json, "provenance", provenance_name(failures[i].provenance));
		json_image(json, failures[i].image);
		json_object_end(json);
	}
	json_array_end(json);
}

void json_completeness(struct json *json, const char *key, const struct completeness *c)
{
	json_object_begin(json, key);
	json_bool(json, "complete", is_complete(c));
	json_maybe_text(json, "recorded_only", c->filter);
	json_array_begin(json, "missing");
	for (size_t i = 0; i < c->count; i++) {
		const struct missing *m = &c->item[i];

		json_object_begin(json, NULL);
		json_text(json, "kind", missing_kind_name(m->kind));
		json_maybe_text(json, "cause", m->cause);
		json_time(json, "from", "from_unix_ns", m->from_unix_ns);
		json_time(json, "to", "to_unix_ns", m->to_unix_ns);
		if (m->kind == MISSING_GAP) {
			json_int(json, "lost", m->lost);
			json_int(json, "recovered", m->recovered);
		} else if (m->kind != MISSING_NOT_RECORDED && m->kind != MISSING_UNREAD) {
			json_int(json, "count", m->count);
		}
		json_text(json, "touches", m->touches);
		json_object_end(json);
	}
	json_array_end(json);
	json_object_end(json);
}

/* What json and ndjson write with. */
struct output {
	struct json json;
	struct field_list fields; /* empty: all that is known */
	struct field_cell cell;
};

static int begin(struct writer *w, int pretty_depth)
{
	struct output *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	json_begin(&o->json, w->out, pretty_depth);
	o->cell.style = *w->style;
	o->cell.style.utf8 = true;
	o->cell.style.color = false;
	writer_fields(w, 0, &o->fields);
	w->state = o;
	return 0;
}

static int finish(struct writer *w)
{
	struct output *o = w->state;
	int r;

	json_newline(&o->json);
	r = json_flush(&o->json);
	json_deinit(&o->json);
	field_cell_deinit(&o->cell);
	free(o);
	w->state = NULL;
	return r;
}

static int write_fields(struct output *o, const struct node *n)
{
	int r = field_cell_begin(&o->cell, n);

	json_object_begin(&o->json, NULL);
	for (size_t i = 0; r == 0 && i < o->fields.count; i++) {
		field_put(o->fields.item[i], &o->cell);
		field_json(&o->json, o->fields.item[i], &o->cell);
	}
	json_object_end(&o->json);
	return r < 0 ? r : json_error(&o->json);
}

static int json_node(struct output *o, const struct answer *answer, const struct node *n)
{
	struct json *json = &o->json;
	struct exec_failure *failures;
	size_t count;
	int r = 0;

	if (o->fields.count)
		return write_fields(o, n);
	json_object_begin(json, NULL);
	json_int(json, "depth", n->depth);
	if (!n->process->selected)
		json_bool(json, "context", true);
	if (n->process == answer->target)
		json_bool(json, "target", true);
	json_process(json, n->process);
	if (answer->failures)
		r = query_failures_of(n->process->db, n->process, &failures, &count);
	if (answer->failures && r == 0)
		json_failures(json, "failed_execs", failures, count);
	json_object_end(json);
	return r < 0 ? r : json_error(json);
}

static int json_write_begin(struct writer *w, const struct answer *a)
{
	int r = begin(w, 2);
	struct json *json;

	if (r < 0)
		return r;
	json = &((struct output *)w->state)->json;
	json_object_begin(json, NULL);
	json_text(json, "verb", a->verb);
	json_int(json, "schema", schema_version());
	json_time(json, "since", "since_unix_ns", a->since_unix_ns);
	json_time(json, "until", "until_unix_ns", a->until_unix_ns);
	json_time(json, "at", "at_unix_ns", a->at_unix_ns);
	if (a->same_pid && a->same_pid->count) {
		json_array_begin(json, "same_pid");
		for (size_t i = 0; i < a->same_pid->count; i++) {
			const struct process *p = a->same_pid->item[i];

			json_object_begin(json, NULL);
			json_int(json, "process_id", p->id);
			json_int(json, "pid", p->pid);
			json_int(json, "start_boot_ns", p->start_boot_ns);
			json_time(json, "start", "start_unix_ns", p->start_unix_ns);
			json_text(json, "comm", process_comm(p));
			json_object_end(json);
		}
		json_array_end(json);
	}
	json_array_begin(json, "processes");
	return 0;
}

static int json_write_process(struct writer *w, const struct node *n)
{
	return json_node(w->state, w->answer, n);
}

static int json_write_end(struct writer *w)
{
	struct json *json = &((struct output *)w->state)->json;

	json_array_end(json);
	json_maybe_int(json, "running_throughout", w->answer->running);
	json_completeness(json, "completeness", w->answer->completeness);
	json_object_end(json);
	return finish(w);
}

static int ndjson_begin(struct writer *w, const struct answer *a)
{
	return begin(w, 0);
}

static int ndjson_process(struct writer *w, const struct node *n)
{
	struct output *o = w->state;
	int r = json_node(o, w->answer, n);

	json_newline(&o->json);
	return r;
}

static int ndjson_end(struct writer *w)
{
	struct json *json = &((struct output *)w->state)->json;

	json_object_begin(json, NULL);
	json_completeness(json, "completeness", w->answer->completeness);
	json_object_end(json);
	return finish(w);
}

const struct writer_ops writer_json = {
	.name = "json",
	.summary = "one document; processes in pre-order with depth and parent_id",
	.needs_full = true,
	.machine = true,
	.chooses_fields = true,
	.begin = json_write_begin,
	.process = json_write_process,
	.end = json_write_end,
};

const struct writer_ops writer_ndjson = {
	.name = "ndjson",
	.summary = "one process per line, completeness in the last",
	.needs_full = true,
	.machine = true,
	.chooses_fields = true,
	.begin = ndjson_begin,
	.process = ndjson_process,
	.end = ndjson_end,
};
