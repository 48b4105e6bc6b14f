/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elastic Common Schema 8.17: one document per event and line. A process gives one for its birth,
 * one for each image, one for each exec that failed and one for its end. What ECS has no field for
 * is below `lineaged`; the last line says what may be missing.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/entity.h"
#include "cli/render.h"
#include "schema/cleanup.h"

#define ECS_VERSION "8.17.0"

/* From begin to end. */
struct output {
	struct json json;
	int64_t last_unix_ns; /* the latest time told: the same question gives the same bytes */
};

/* One document in the making. */
struct ecs {
	struct json *json;
	int64_t *last_unix_ns;
	const struct process *p;
	struct process *parent;
	struct exec parent_image; /* as of the event */
	const struct context *context;
	const struct image *image;
	const char *name; /* of the process at that moment */
	const struct text *cwd;
	const struct text *asked; /* of an exec that failed: what has no file of its own */
};

static void put_id(struct json *json, const char *object, int64_t id)
{
	char text[32];

	if (id == UNKNOWN)
		return;
	json_object_begin(json, object);
	/* ECS wants ids as words. */
	snprintf(text, sizeof(text), "%" PRId64, id);
	json_text(json, "id", text);
	json_object_end(json);
}

static int put_entity(struct json *json, const char *key, const struct process *p)
{
	char id[ENTITY_ID_SIZE];
	int r = entity_id(p, id);

	if (r == 0)
		json_text(json, key, id);
	return r;
}

/* outcome NULL: nothing happened then, it is told that something is so. */
static void put_event(struct ecs *e, const char *action, const char *type, const char *outcome)
{
	struct json *json = e->json;

	json_object_begin(json, "ecs");
	json_text(json, "version", ECS_VERSION);
	json_object_end(json);
	json_object_begin(json, "event");
	json_text(json, "kind", "event");
	json_array_begin(json, "category");
	json_text(json, NULL, "process");
	json_array_end(json);
	json_array_begin(json, "type");
	json_text(json, NULL, type);
	json_array_end(json);
	json_text(json, "action", action);
	json_maybe_text(json, "outcome", outcome);
	json_text(json, "module", "lineaged");
	json_text(json, "dataset", "lineaged.process");
	json_object_end(json);
	json_object_begin(json, "host");
	json_maybe_text(json, "hostname", e->p->boot->hostname);
	json_maybe_text(json, "architecture", e->p->boot->machine);
	json_object_begin(json, "boot");
	json_text(json, "id", e->p->boot->boot_id);
	json_object_end(json);
	json_object_begin(json, "os");
	json_text(json, "type", "linux");
	json_maybe_text(json, "kernel", e->p->boot->kernel);
	json_object_end(json);
	json_object_end(json);
}

static int put_parent(struct ecs *e)
{
	struct json *json = e->json;
	const struct process *parent = e->parent;
	const struct image *image = e->parent_image.image;
	int r;

	if (!parent)
		return 0;
	json_object_begin(json, "parent");
	r = put_entity(json, "entity_id", parent);
	json_int(json, "pid", parent->pid);
	json_text(json, "name", exec_comm(&e->parent_image));
	if (image && image->exe)
		json_string(json, "executable", image->exe->value, image->exe->length);
	entity_json_command_line(json, "command_line", image);
	entity_json_time(json, "start", parent->start_unix_ns);
	json_object_end(json);
	return r;
}

static void put_who(struct ecs *e)
{
	const struct context *x = e->context;
	struct json *json = e->json;

	put_id(json, "user", x->euid);
	put_id(json, "real_user", x->uid);
	put_id(json, "saved_user", x->suid);
	put_id(json, "group", x->egid);
	put_id(json, "real_group", x->gid);
	put_id(json, "saved_group", x->sgid);
	if (e->p->pgid > 0) {
		json_object_begin(json, "group_leader");
		json_int(json, "pid", e->p->pgid);
		json_object_end(json);
	}
	if (x->sid != UNKNOWN) {
		json_object_begin(json, "session_leader");
		json_int(json, "pid", x->sid);
		json_object_end(json);
	}
	if (x->tty != UNKNOWN && x->tty != 0) {
		json_object_begin(json, "tty");
		json_object_begin(json, "char_device");
		/* As in /proc/PID/stat: the minor number lies around the major one. */
		json_int(json, "major", x->tty >> 8 & 0xfff);
		json_int(json, "minor", (x->tty & 0xff) | (x->tty >> 12 & 0xfff00));
		json_object_end(json);
		json_object_end(json);
	}
}

static int put_process(struct ecs *e, bool ended)
{
	struct json *json = e->json;
	const struct process *p = e->p;
	const struct text *exe = e->image && e->image->exe ? e->image->exe : e->asked;
	int r;

	json_object_begin(json, "process");
	r = put_entity(json, "entity_id", p);
	json_int(json, "pid", p->pid);
	if (p->ns_pid != p->pid && p->ns_pid > 0)
		json_int(json, "vpid", p->ns_pid);
	json_text(json, "name", e->name);
	if (exe)
		json_string(json, "executable", exe->value, exe->length);
	entity_json_args(json, e->image);
	entity_json_command_line(json, "command_line", e->image);
	if (e->cwd)
		json_string(json, "working_directory", e->cwd->value, e->cwd->length);
	entity_json_time(json, "start", p->start_unix_ns);
	if (ended) {
		entity_json_time(json, "end", p->end_unix_ns);
		if (p->status != UNKNOWN && (p->status & 127) == 0)
			json_int(json, "exit_code", p->status >> 8);
	}
	put_who(e);
	if (r == 0)
		r = put_parent(e);
	json_object_end(json);
	return r;
}

static void put_container(struct json *json, const struct cgroup *g)
{
	if (!g || (!g->container_id && !g->container_name))
		return;
	json_object_begin(json, "container");
	json_maybe_text(json, "id", g->container_id);
	json_maybe_text(json, "name", g->container_name);
	json_maybe_text(json, "runtime", g->runtime);
	if (g->image_name) {
		json_object_begin(json, "image");
		json_text(json, "name", g->image_name);
		json_object_end(json);
	}
	json_object_end(json);
}

static void put_pod(struct json *json, const struct cgroup *g)
{
	if (!g || (!g->pod_uid && !g->pod_name))
		return;
	json_object_begin(json, "orchestrator");
	json_text(json, "type", "kubernetes");
	json_maybe_text(json, "namespace", g->pod_namespace);
	json_object_begin(json, "resource");
	json_text(json, "type", "pod");
	json_maybe_text(json, "id", g->pod_uid);
	json_maybe_text(json, "name", g->pod_name);
	json_object_end(json);
	json_object_end(json);
}

/* What is about the record, and what ECS does not name. */
static void put_own(struct ecs *e, enum provenance provenance, bool ended)
{
	const struct process *p = e->p;
	struct json *json = e->json;

	json_object_begin(json, "lineaged");
	json_maybe_text(json, "provenance", provenance_name(provenance));
	json_int(json, "process_id", p->id);
	json_int(json, "start_boot_ns", p->start_boot_ns);
	json_maybe_int(json, "loginuid", e->context->loginuid);
	json_maybe_int(json, "sessionid", e->context->sessionid);
	if (e->context->cgroup)
		json_maybe_text(json, "cgroup", e->context->cgroup->path);
	if (e->image)
		json_bool(json, "args_truncated", image_args_truncated(e->image));
	if (ended && p->status != UNKNOWN && (p->status & 127) != 0)
		json_int(json, "exit_signal", p->status & 127);
	json_object_end(json);
}

static void put_timestamp(struct ecs *e, int64_t unix_ns)
{
	entity_json_time(e->json, "@timestamp", unix_ns);
	if (unix_ns > *e->last_unix_ns)
		*e->last_unix_ns = unix_ns;
}

static int put_document(struct ecs *e, int64_t boot_ns, int64_t unix_ns, const char *action,
			const char *type, enum provenance provenance)
{
	bool ended = strcmp(action, "end") == 0;
	int r = entity_parent_image(e->p, e->parent, boot_ns, &e->parent_image);

	if (r < 0)
		return r;
	json_object_begin(e->json, NULL);
	put_timestamp(e, unix_ns);
	/* What was running already is information, and no start: so wants ECS. */
	if (provenance == PROVENANCE_SNAPSHOT && !ended)
		put_event(e, action, "info", NULL);
	else
		put_event(e, action, type, "success");
	r = put_process(e, ended);
	put_id(e->json, "user", e->context->euid);
	put_container(e->json, e->context->container);
	put_pod(e->json, e->context->container);
	put_own(e, provenance, ended);
	json_object_end(e->json);
	json_newline(e->json);
	return r;
}

static int put_failures(struct ecs *e)
{
	struct exec_failure *failures;
	size_t count;
	int r = query_failures_of(e->p->db, (struct process *)e->p, &failures, &count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		const char *name = strerrorname_np((int)failures[i].error);

		e->image = failures[i].image;
		e->asked = e->image ? e->image->filename : NULL;
		json_object_begin(e->json, NULL);
		put_timestamp(e, failures[i].unix_ns);
		put_event(e, "exec", "info", "failure");
		json_object_begin(e->json, "error");
		json_text(e->json, "code", name ? name : "unknown");
		json_object_end(e->json);
		r = entity_parent_image(e->p, e->parent, failures[i].boot_ns, &e->parent_image);
		if (r == 0)
			r = put_process(e, false);
		put_own(e, failures[i].provenance, false);
		json_object_end(e->json);
		json_newline(e->json);
	}
	return r;
}

static int ecs_begin(struct writer *w, const struct answer *a)
{
	struct output *output = calloc(1, sizeof(*output));

	if (!output)
		return -ENOMEM;
	json_begin(&output->json, w->out, 0);
	if (a->since_unix_ns != UNKNOWN)
		output->last_unix_ns = a->since_unix_ns;
	w->state = output;
	return 0;
}

static int put_images(struct ecs *e)
{
	const struct process *p = e->p;
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->exec_count; i++) {
		const struct exec *x = &p->execs[i];

		/* What a snapshot found has no time of its own. */
		e->image = x->image;
		e->context = x->context ? x->context : p->context;
		e->cwd = x->cwd;
		e->name = x->comm		       ? x->comm->value
			  : x->image && x->image->comm ? x->image->comm
						       : process_comm(p);
		r = put_document(e, x->boot_ns,
				 x->unix_ns == UNKNOWN ? p->start_unix_ns : x->unix_ns, "exec",
				 "start", x->provenance);
	}
	return r;
}

static int ecs_process(struct writer *w, const struct node *n)
{
	const struct process *p = n->process;
	struct output *output = w->state;
	struct ecs e = {
		.json = &output->json,
		.last_unix_ns = &output->last_unix_ns,
		.p = p,
		.context = p->birth_context ? p->birth_context : p->context,
		.name = process_comm(p),
		/* Which image it had at birth is known of those that kept it. */
		.image = process_inherited(p) ? p->image : NULL,
	};
	int r = entity_parent(p, &e.parent);

	if (r == 0)
		r = put_document(&e, p->start_boot_ns, p->start_unix_ns, "fork", "start", p->birth);
	if (r == 0)
		r = put_images(&e);
	if (r == 0)
		r = put_failures(&e);
	e.context = p->context;
	e.image = p->image;
	e.cwd = p->cwd;
	e.name = process_comm(p);
	if (r == 0 && process_ended(p))
		r = put_document(&e, p->end_boot_ns, p->end_unix_ns, "end", "end", p->end);
	return r < 0 ? r : json_error(e.json);
}

static int ecs_end(struct writer *w)
{
	struct output *output = w->state;
	struct json *json = &output->json;
	int r;

	json_object_begin(json, NULL);
	entity_json_time(json, "@timestamp", output->last_unix_ns);
	json_object_begin(json, "ecs");
	json_text(json, "version", ECS_VERSION);
	json_object_end(json);
	json_object_begin(json, "event");
	json_text(json, "kind", "state");
	json_text(json, "module", "lineaged");
	json_text(json, "dataset", "lineaged.completeness");
	json_object_end(json);
	json_object_begin(json, "lineaged");
	json_completeness(json, "completeness", w->answer->completeness);
	json_object_end(json);
	json_object_end(json);
	json_newline(json);
	r = json_flush(json);
	json_deinit(json);
	free(output);
	w->state = NULL;
	return r;
}

const struct writer_ops writer_ecs = {
	.name = "ecs",
	.summary = "Elastic Common Schema, one event per line",
	.needs_full = true,
	.machine = true,
	.begin = ecs_begin,
	.process = ecs_process,
	.end = ecs_end,
};
