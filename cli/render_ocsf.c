/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open Cybersecurity Schema Framework 1.5, class process_activity (1007): one event per line. Each
 * image of a process is a Launch, as is the birth of one that never called exec; each end is a
 * Terminate. Times are milliseconds, and exact beside it in *_dt. The last line says what may be
 * missing.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/entity.h"
#include "cli/render.h"
#include "schema/cleanup.h"

/* The first that has device.boot_uid. */
#define OCSF_VERSION "1.5.0"

enum activity { LAUNCH = 1, TERMINATE = 2 };

/* From begin to end. */
struct output {
	struct json json;
	int64_t last_unix_ns; /* the latest time told: the same question gives the same bytes */
};

struct ocsf {
	struct output *output;
	struct json *json;
	const struct process *p;
	struct process *parent;
	struct exec parent_image; /* as of the event */
	const struct context *context;
	const struct image *image;
	const char *name;
	const struct text *cwd;
};

static void put_time(struct json *json, const char *key, const char *exact_key, int64_t unix_ns)
{
	if (unix_ns == UNKNOWN)
		return;
	json_int(json, key, unix_ns / 1000000);
	entity_json_time(json, exact_key, unix_ns);
}

static void put_metadata(struct json *json)
{
	json_object_begin(json, "metadata");
	json_text(json, "version", OCSF_VERSION);
	json_array_begin(json, "profiles");
	json_text(json, NULL, "container");
	json_text(json, NULL, "datetime");
	json_text(json, NULL, "host");
	json_text(json, NULL, "linux/linux_users");
	json_array_end(json);
	json_object_begin(json, "product");
	json_text(json, "name", "lineaged");
	json_text(json, "vendor_name", "lineaged");
	json_text(json, "version", LINEAGED_VERSION);
	json_object_end(json);
	json_object_end(json);
}

static void put_device(struct json *json, const struct boot *boot)
{
	json_object_begin(json, "device");
	json_maybe_text(json, "hostname", boot->hostname);
	json_int(json, "type_id", 0);
	json_text(json, "boot_uid", boot->boot_id);
	json_object_begin(json, "os");
	json_text(json, "name", "Linux");
	json_int(json, "type_id", 200);
	json_maybe_text(json, "kernel_release", boot->kernel);
	json_object_end(json);
	json_object_end(json);
}

static void put_user(struct json *json, int64_t uid)
{
	char text[32];

	if (uid == UNKNOWN)
		return;
	snprintf(text, sizeof(text), "%lld", (long long)uid);
	json_object_begin(json, "user");
	json_text(json, "uid", text);
	json_object_end(json);
}

static void put_file(struct json *json, const struct text *exe)
{
	const char *slash;

	if (!exe)
		return;
	slash = memrchr(exe->value, '/', exe->length);
	json_object_begin(json, "file");
	json_string(json, "path", exe->value, exe->length);
	json_text(json, "name", slash && slash[1] ? slash + 1 : exe->value);
	json_int(json, "type_id", 1);
	json_object_end(json);
}

/* Of a static pod it is a hash, which the schema does not take. */
static bool is_uuid(const char *text)
{
	static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	size_t i;

	for (i = 0; shape[i] && text[i]; i++) {
		if (shape[i] == '-' ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	}
	return !shape[i] && !text[i];
}

static void put_container(struct json *json, const struct cgroup *g)
{
	if (!g || (!g->container_id && !g->container_name))
		return;
	json_object_begin(json, "container");
	json_maybe_text(json, "uid", g->container_id);
	json_maybe_text(json, "name", g->container_name);
	json_maybe_text(json, "runtime", g->runtime);
	if (g->pod_uid && is_uuid(g->pod_uid))
		json_text(json, "pod_uuid", g->pod_uid);
	if (g->image_name) {
		json_object_begin(json, "image");
		json_text(json, "name", g->image_name);
		json_text(json, "uid", g->image_name);
		json_object_end(json);
	}
	json_object_end(json);
}

static int put_related(struct json *json, const char *key, const struct process *p,
		       const struct exec *image)
{
	char id[ENTITY_ID_SIZE];
	int r = entity_id(p, id);

	json_object_begin(json, key);
	json_text(json, "uid", r == 0 ? id : NULL);
	json_int(json, "pid", p->pid);
	json_text(json, "name", exec_comm(image));
	entity_json_command_line(json, "cmd_line", image->image);
	if (image->image)
		put_file(json, image->image->exe);
	put_time(json, "created_time", "created_time_dt", p->start_unix_ns);
	put_user(json, image->context->euid);
	json_object_end(json);
	return r;
}

static int put_process(struct ocsf *e, enum activity activity)
{
	const struct process *p = e->p;
	struct json *json = e->json;
	char id[ENTITY_ID_SIZE];
	int r = entity_id(p, id);

	json_object_begin(json, "process");
	json_text(json, "uid", r == 0 ? id : NULL);
	json_int(json, "pid", p->pid);
	if (p->ns_pid != p->pid && p->ns_pid > 0)
		json_int(json, "namespace_pid", p->ns_pid);
	json_text(json, "name", e->name);
	entity_json_command_line(json, "cmd_line", e->image);
	if (e->image)
		put_file(json, e->image->exe);
	if (e->cwd)
		json_string(json, "working_directory", e->cwd->value, e->cwd->length);
	put_time(json, "created_time", "created_time_dt", p->start_unix_ns);
	if (activity == TERMINATE)
		put_time(json, "terminated_time", "terminated_time_dt", p->end_unix_ns);
	put_user(json, e->context->euid);
	json_maybe_int(json, "euid", e->context->euid);
	json_maybe_int(json, "egid", e->context->egid);
	json_maybe_int(json, "auid", e->context->loginuid);
	put_container(json, e->context->container);
	if (r == 0 && e->parent)
		r = put_related(json, "parent_process", e->parent, &e->parent_image);
	json_object_end(json);
	return r;
}

static void put_own(struct ocsf *e, enum provenance provenance, enum activity activity)
{
	const struct process *p = e->p;
	struct json *json = e->json;

	json_object_begin(json, "unmapped");
	json_maybe_text(json, "provenance", provenance_name(provenance));
	json_int(json, "process_id", p->id);
	json_int(json, "start_boot_ns", p->start_boot_ns);
	json_maybe_int(json, "audit_session", e->context->sessionid);
	if (e->context->cgroup)
		json_maybe_text(json, "cgroup", e->context->cgroup->path);
	if (e->image)
		json_bool(json, "args_truncated", image_args_truncated(e->image));
	if (activity == TERMINATE && p->status != UNKNOWN && (p->status & 127) != 0)
		json_int(json, "exit_signal", p->status & 127);
	json_object_end(json);
}

/* Who started it; an end is its own, whoever may have sent a signal. */
static int put_actor(struct ocsf *e, enum activity activity)
{
	const struct exec own = {
		.image = e->p->image, .comm = e->p->comm, .context = e->p->context};
	const struct process *actor = activity == TERMINATE ? e->p : e->parent;
	int r = 0;

	json_object_begin(e->json, "actor");
	if (actor) {
		r = put_related(e->json, "process", actor,
				activity == TERMINATE ? &own : &e->parent_image);
	} else if (e->context->uid != UNKNOWN) {
		put_user(e->json, e->context->uid);
	} else {
		json_text(e->json, "app_name", "unknown");
	}
	json_object_end(e->json);
	return r;
}

static int put_event(struct ocsf *e, int64_t boot_ns, int64_t unix_ns, enum activity activity,
		     enum provenance provenance)
{
	const struct process *p = e->p;
	struct json *json = e->json;
	int r = entity_parent_image(p, e->parent, boot_ns, &e->parent_image);

	if (r < 0)
		return r;
	json_object_begin(json, NULL);
	json_text(json, "class_name", "Process Activity");
	json_int(json, "class_uid", 1007);
	json_text(json, "category_name", "System Activity");
	json_int(json, "category_uid", 1);
	json_text(json, "activity_name", activity == LAUNCH ? "Launch" : "Terminate");
	json_int(json, "activity_id", activity);
	json_int(json, "type_uid", 100700 + activity);
	json_text(json, "severity", "Informational");
	json_int(json, "severity_id", 1);
	put_time(json, "time", "time_dt", unix_ns);
	if (unix_ns > e->output->last_unix_ns)
		e->output->last_unix_ns = unix_ns;
	put_metadata(json);
	put_device(json, p->boot);
	r = put_actor(e, activity);
	if (r == 0)
		r = put_process(e, activity);
	if (activity == TERMINATE && p->status != UNKNOWN && (p->status & 127) == 0)
		json_int(json, "exit_code", p->status >> 8);
	put_own(e, provenance, activity);
	json_object_end(json);
	json_newline(json);
	return r;
}

static int ocsf_begin(struct writer *w, const struct answer *a)
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

static int put_launches(struct ocsf *e)
{
	const struct process *p = e->p;
	int r = 0;

	if (p->exec_count == 0)
		return put_event(e, p->start_boot_ns, p->start_unix_ns, LAUNCH, p->birth);
	for (size_t i = 0; r == 0 && i < p->exec_count; i++) {
		const struct exec *x = &p->execs[i];

		e->image = x->image;
		e->context = x->context ? x->context : p->context;
		e->cwd = x->cwd;
		e->name = x->comm		       ? x->comm->value
			  : x->image && x->image->comm ? x->image->comm
						       : process_comm(p);
		r = put_event(e, x->boot_ns, x->unix_ns == UNKNOWN ? p->start_unix_ns : x->unix_ns,
			      LAUNCH, x->provenance);
	}
	return r;
}

static int ocsf_process(struct writer *w, const struct node *n)
{
	const struct process *p = n->process;
	struct output *output = w->state;
	struct ocsf e = {
		.output = output,
		.json = &output->json,
		.p = p,
		.context = p->context,
		.image = p->image,
		.name = process_comm(p),
		.cwd = p->cwd,
	};
	int r = entity_parent(p, &e.parent);

	if (r == 0)
		r = put_launches(&e);
	e.context = p->context;
	e.image = p->image;
	e.cwd = p->cwd;
	e.name = process_comm(p);
	if (r == 0 && process_ended(p))
		r = put_event(&e, p->end_boot_ns, p->end_unix_ns, TERMINATE, p->end);
	return r < 0 ? r : json_error(e.json);
}

/* A base event: no class of the framework is about what was not seen. */
static int ocsf_end(struct writer *w)
{
	struct output *output = w->state;
	struct json *json = &output->json;
	int r;

	json_object_begin(json, NULL);
	json_text(json, "class_name", "Base Event");
	json_int(json, "class_uid", 0);
	json_int(json, "category_uid", 0);
	json_int(json, "activity_id", 0);
	json_int(json, "type_uid", 0);
	json_int(json, "severity_id", 1);
	put_time(json, "time", "time_dt", output->last_unix_ns);
	json_text(json, "message",
		  is_complete(w->answer->completeness) ? "complete" : "incomplete");
	put_metadata(json);
	json_object_begin(json, "unmapped");
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

const struct writer_ops writer_ocsf = {
	.name = "ocsf",
	.summary = "OCSF process_activity, one event per line",
	.needs_full = true,
	.machine = true,
	.begin = ocsf_begin,
	.process = ocsf_process,
	.end = ocsf_end,
};
