/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/fields.h"

#include <errno.h>
#include <string.h>

#include "cli/entity.h"
#include "cli/escape.h"
#include "cli/json.h"
#include "cli/moment.h"
#include "cli/timespec.h"
#include "cli/words.h"
#include "schema/cleanup.h"

static void put_int(struct field_cell *c, int64_t value)
{
	c->type = value == UNKNOWN ? FIELD_NONE : FIELD_INT;
	c->integer = value;
}

static void put_bool(struct field_cell *c, bool value)
{
	c->type = FIELD_BOOL;
	c->integer = value;
}

static void put_time(struct field_cell *c, int64_t unix_ns)
{
	c->type = unix_ns == UNKNOWN ? FIELD_NONE : FIELD_TIME;
	c->integer = unix_ns;
}

static void put_string(struct field_cell *c, const char *s)
{
	if (!s)
		return;
	c->type = FIELD_BYTES;
	buffer_puts(&c->text, s);
}

static void put_text(struct field_cell *c, const struct text *text)
{
	if (!text)
		return;
	c->type = FIELD_BYTES;
	if (text->raw)
		buffer_add(&c->text, text->raw, text->raw_length);
	else
		buffer_add(&c->text, text->value, text->length);
}

static const char *container_name(const struct process *p, size_t offset)
{
	const struct cgroup *g = p->context->container;

	return g ? *(const char *const *)((const char *)g + offset) : NULL;
}

static int64_t signal_of(const struct process *p)
{
	bool known = process_ended(p) && p->status != UNKNOWN && (p->status & 127) != 0;

	return known ? p->status & 127 : UNKNOWN;
}

static int64_t code_of(const struct process *p)
{
	bool known = process_ended(p) && p->status != UNKNOWN && (p->status & 127) == 0;

	return known ? p->status >> 8 : UNKNOWN;
}

/* What the parent was at the birth; read only where a field wants it. */
static const struct exec *parent_then(struct field_cell *c)
{
	if (!c->parent_read && moment_image(c->parent, c->p->start_boot_ns, &c->parent_image) < 0)
		c->parent_image = (struct exec){.image = c->parent->image, .comm = c->parent->comm};
	c->parent_read = true;
	return &c->parent_image;
}

#define PUT(name, how, value)                        \
	static void put_##name(struct field_cell *c) \
	{                                            \
		how(c, value);                       \
	}
#define NUMBER(name, value)	PUT(name, put_int, value)
#define STRING(name, value)	PUT(name, put_string, value)
#define TEXT(name, value)	PUT(name, put_text, value)
#define TIME(name, value)	PUT(name, put_time, value)
#define BOOL(name, value)	PUT(name, put_bool, value)
#define OF_CONTEXT(name)	NUMBER(name, c->p->context->name)
#define OF_IMAGE(name)		NUMBER(name, c->p->image ? c->p->image->name : UNKNOWN)
#define CONTAINER(name, member) STRING(name, container_name(c->p, offsetof(struct cgroup, member)))

NUMBER(process_id, c->p->id)
STRING(host, c->p->boot->hostname)
STRING(boot_id, c->p->boot->boot_id)
NUMBER(pid, c->p->pid)
NUMBER(start_boot_ns, c->p->start_boot_ns)
TIME(start, c->p->start_unix_ns)
NUMBER(start_unix_ns, c->p->start_unix_ns)
TIME(end, c->p->end_unix_ns)
NUMBER(end_unix_ns, c->p->end_unix_ns)
NUMBER(lifetime_ns, process_ended(c->p) ? c->p->end_boot_ns - c->p->start_boot_ns : UNKNOWN)
NUMBER(depth, c->node->depth)
BOOL(matches, c->p->selected)
NUMBER(parent_id, c->p->parent_id ? c->p->parent_id : UNKNOWN)
NUMBER(ppid, c->parent ? c->parent->pid : UNKNOWN)
STRING(parent_comm, c->parent ? exec_comm(parent_then(c)) : NULL)
TEXT(parent_exe, c->parent &&parent_then(c)->image ? parent_then(c)->image->exe : NULL)
NUMBER(creator_id, c->p->creator_id ? c->p->creator_id : UNKNOWN)
STRING(comm, process_comm(c->p))
TEXT(exe, c->p->image ? c->p->image->exe : NULL)
TEXT(filename, c->p->image ? c->p->image->filename : NULL)
TEXT(interpreter, c->p->image ? c->p->image->interpreter : NULL)
OF_IMAGE(args_count)
OF_IMAGE(args_bytes)
BOOL(args_truncated, c->p->image &&image_args_truncated(c->p->image))
OF_IMAGE(inode)
NUMBER(images, add_clamped(c->p->pruned[PRUNED_EXECS].count, (int64_t)c->p->exec_count))
TEXT(cwd, c->p->cwd)
OF_CONTEXT(uid)
OF_CONTEXT(euid)
OF_CONTEXT(suid)
OF_CONTEXT(gid)
OF_CONTEXT(egid)
OF_CONTEXT(sgid)
OF_CONTEXT(loginuid)
OF_CONTEXT(sessionid)
OF_CONTEXT(cap_effective)
OF_CONTEXT(cap_permitted)
OF_CONTEXT(sid)
OF_CONTEXT(pid_ns)
OF_CONTEXT(mnt_ns)
OF_CONTEXT(net_ns)
OF_CONTEXT(user_ns)
NUMBER(pgid, c->p->pgid)
NUMBER(ns_pid, c->p->ns_pid)
STRING(cgroup, c->p->context->cgroup ? c->p->context->cgroup->path : NULL)
CONTAINER(container_id, container_id)
CONTAINER(container_name, container_name)
CONTAINER(container_runtime, runtime)
CONTAINER(image_name, image_name)
CONTAINER(pod_uid, pod_uid)
CONTAINER(pod_name, pod_name)
CONTAINER(pod_namespace, pod_namespace)
NUMBER(exit_code, code_of(c->p))
NUMBER(user_us, c->p->user_us)
NUMBER(system_us, c->p->system_us)
NUMBER(max_rss_kib, c->p->max_rss_kib)
NUMBER(pruned_children, c->p->pruned_children)
NUMBER(pruned_execs, c->p->pruned[PRUNED_EXECS].count)
NUMBER(pruned_failed_execs, c->p->pruned[PRUNED_FAILURES].count)
STRING(provenance, provenance_name(c->p->birth))
STRING(end_provenance, provenance_name(c->p->end))

/* As a shell would take it, so the words can be told apart. */
static void put_command_line(struct field_cell *c)
{
	if (!c->p->image)
		return;
	c->type = FIELD_WORDS;
	words_args(&c->text, c->p->image, &c->style);
}

static void put_command(struct field_cell *c)
{
	c->type = FIELD_WORDS;
	words_command(&c->text, c->p, &c->style);
}

static void put_args(struct field_cell *c)
{
	const struct image *image = c->p->image;
	struct json json;

	if (!image || (!image->args && !image->args_raw))
		return;
	c->type = FIELD_ARGS;
	json_begin(&json, NULL, 0);
	entity_json_words(&json, NULL, image);
	buffer_add(&c->text, json.buffer.data, json.buffer.length);
	c->text.failed |= json.buffer.failed;
	json_deinit(&json);
}

static void put_life(struct field_cell *c)
{
	char span[TIMESPEC_SIZE] = "alive";

	if (process_ended(c->p))
		timespec_format_span(c->p->end_boot_ns - c->p->start_boot_ns, span);
	c->type = FIELD_WORDS;
	buffer_puts(&c->text, span);
}

static void put_exit(struct field_cell *c)
{
	c->type = FIELD_WORDS;
	words_exit(&c->text, c->p);
}

static void put_exit_signal(struct field_cell *c)
{
	char name[32];

	put_int(c, signal_of(c->p));
	if (c->type == FIELD_INT)
		buffer_puts(&c->text, words_signal((int)c->integer, name, sizeof(name)));
}

static void put_tty(struct field_cell *c)
{
	char name[32];

	put_int(c, c->p->context->tty);
	if (c->type == FIELD_INT)
		buffer_puts(&c->text, words_tty(c->integer, name, sizeof(name)));
}

static void put_image_provenance(struct field_cell *c)
{
	put_string(c,
		   process_inherited(c->p) ? "inherited" : provenance_name(c->p->image_provenance));
}

static void put_failed_execs(struct field_cell *c)
{
	struct exec_failure *failures;
	size_t count;

	if (query_failures_of(c->p->db, (struct process *)c->p, &failures, &count) == 0)
		put_int(c, (int64_t)count);
}

#define CSV   FIELD_IN_CSV
#define TABLE FIELD_IN_TABLE
#define F(name, shown, shape, help)                           \
	{                                                     \
#name, help, shown, FIELD_##shape, put_##name \
	}

static const struct field fields[] = {
	F(process_id, CSV, DIGITS, "number within the database"),
	F(host, CSV | FIELD_IN_HOSTS, SHORT, "name of the node"),
	F(boot_id, CSV, LONG, "boot, as the kernel names it"),
	F(start_boot_ns, CSV, DIGITS, "start in nanoseconds since boot: PID@START"),
	F(start, CSV | TABLE, SHORT, "start"),
	F(end, CSV, SHORT, "end"),
	F(pid, CSV | TABLE, DIGITS, "process, as its first PID namespace numbers it"),
	F(ppid, CSV | TABLE, DIGITS, "pid of the parent at birth"),
	F(uid, CSV | TABLE, DIGITS, "real user"),
	F(life, TABLE, DIGITS, "how long it lived, for people"),
	F(exit, TABLE, SHORT, "code or signal that it ended with"),
	F(command, TABLE, LONG, "executable and arguments, as in a tree"),
	F(lifetime_ns, CSV, DIGITS, "how long it lived"),
	F(depth, CSV, DIGITS, "levels below the first process shown"),
	F(matches, CSV, SHORT, "asked for, not only shown as an ancestor"),
	F(parent_id, CSV, DIGITS, "process_id of the parent at birth"),
	F(parent_comm, CSV, SHORT, "name of the parent at the birth"),
	F(parent_exe, 0, LONG, "executable of the parent at the birth"),
	F(creator_id, CSV, DIGITS, "who called clone, where that is another"),
	F(comm, CSV, SHORT, "name of the task"),
	F(exe, CSV, LONG, "executable"),
	F(filename, 0, LONG, "executable as asked for"),
	F(interpreter, 0, LONG, "interpreter as the script names it"),
	F(command_line, CSV, LONG, "argv as a shell would take it"),
	F(args, 0, LONG, "argv as an array"),
	F(args_count, CSV, DIGITS, "true number of arguments"),
	F(args_bytes, 0, DIGITS, "true length of argv"),
	F(args_truncated, CSV, SHORT, "argv is only the beginning"),
	F(inode, 0, DIGITS, "of the executable"),
	F(images, 0, DIGITS, "programs that it ran, one after the other"),
	F(failed_execs, 0, DIGITS, "execs of it that failed"),
	F(cwd, CSV, LONG, "working directory at the latest exec"),
	F(euid, CSV, DIGITS, "effective user"),
	F(suid, 0, DIGITS, "saved user"),
	F(gid, CSV, DIGITS, "real group"),
	F(egid, CSV, DIGITS, "effective group"),
	F(sgid, 0, DIGITS, "saved group"),
	F(loginuid, CSV, DIGITS, "user who logged in; 4294967295: nobody"),
	F(sessionid, CSV, DIGITS, "audit session"),
	F(cap_effective, 0, DIGITS, "effective capabilities, as bits"),
	F(cap_permitted, 0, DIGITS, "permitted capabilities, as bits"),
	F(sid, CSV, DIGITS, "session"),
	F(pgid, CSV, DIGITS, "process group"),
	F(ns_pid, CSV, DIGITS, "pid inside its own PID namespace"),
	F(pid_ns, 0, DIGITS, "PID namespace"),
	F(mnt_ns, 0, DIGITS, "mount namespace"),
	F(net_ns, 0, DIGITS, "network namespace"),
	F(user_ns, 0, DIGITS, "user namespace"),
	F(tty, CSV, SHORT, "controlling terminal"),
	F(cgroup, CSV, LONG, "control group"),
	F(container_id, CSV, LONG, "container"),
	F(container_name, CSV, SHORT, "its name"),
	F(container_runtime, 0, SHORT, "docker, containerd and others"),
	F(image_name, 0, LONG, "image that the container was made from"),
	F(pod_uid, CSV, LONG, "Kubernetes pod"),
	F(pod_name, CSV, SHORT, "its name"),
	F(pod_namespace, CSV, SHORT, "its namespace"),
	F(exit_code, CSV, DIGITS, "0 to 255"),
	F(exit_signal, CSV, SHORT, "signal that ended it"),
	F(user_us, CSV, DIGITS, "processor time in user mode"),
	F(system_us, CSV, DIGITS, "processor time in the kernel"),
	F(max_rss_kib, CSV, DIGITS, "most memory at once"),
	F(start_unix_ns, 0, DIGITS, "start since 1970"),
	F(end_unix_ns, 0, DIGITS, "end since 1970"),
	F(pruned_children, 0, DIGITS, "children that retention removed"),
	F(pruned_execs, 0, DIGITS, "earlier images that it removed"),
	F(pruned_failed_execs, 0, DIGITS, "failed execs that it removed"),
	F(provenance, CSV, SHORT, "how the birth is known"),
	F(image_provenance, CSV, SHORT, "how executable and arguments are known"),
	F(end_provenance, CSV, SHORT, "how the end is known"),
};

const struct field *fields_at(size_t n)
{
	return n < ARRAY_SIZE(fields) ? &fields[n] : NULL;
}

void fields_default(unsigned int shown, struct field_list *list)
{
	list->count = 0;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (fields[i].shown & shown)
			list->item[list->count++] = &fields[i];
	}
}

static const struct field *find(const char *name, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (strlen(fields[i].name) == length && memcmp(fields[i].name, name, length) == 0)
			return &fields[i];
	}
	return NULL;
}

int fields_parse(const char *names, struct field_list *list, const char **ret_bad,
		 size_t *ret_bad_length)
{
	size_t length;

	list->count = 0;
	do {
		const struct field *field;

		length = strcspn(names, ",");
		field = find(names, length);
		if (!field || list->count == FIELDS_MAX) {
			*ret_bad = names;
			*ret_bad_length = length;
			return -EINVAL;
		}
		list->item[list->count++] = field;
		names += length;
	} while (*names++ == ',');
	return 0;
}

int field_cell_begin(struct field_cell *c, const struct node *node)
{
	c->p = node->process;
	c->node = node;
	c->parent_read = false;
	return entity_parent(c->p, &c->parent);
}

void field_cell_deinit(struct field_cell *c)
{
	buffer_deinit(&c->text);
}

void field_put(const struct field *field, struct field_cell *c)
{
	c->type = FIELD_NONE;
	buffer_clear(&c->text);
	field->put(c);
}

void field_write(struct buffer *out, const struct field_cell *c)
{
	const char *text = c->text.data ? c->text.data : "";
	char time[TIMESPEC_SIZE];

	switch (c->type) {
	case FIELD_NONE:
		break;
	case FIELD_INT:
	case FIELD_BOOL:
		if (c->text.length)
			buffer_add(out, text, c->text.length);
		else
			buffer_int(out, c->integer, 0);
		break;
	case FIELD_TIME:
		timespec_rfc3339(c->integer, time);
		buffer_puts(out, time);
		break;
	case FIELD_WORDS:
		buffer_add(out, text, c->text.length);
		break;
	case FIELD_BYTES:
	case FIELD_ARGS:
		escape_text(out, text, c->text.length, !c->style.utf8);
		break;
	}
	out->failed |= c->text.failed;
}

void field_json(struct json *json, const struct field *field, const struct field_cell *c)
{
	const char *text = c->text.data ? c->text.data : "";

	switch (c->type) {
	case FIELD_NONE:
		json_text(json, field->name, NULL);
		break;
	case FIELD_INT:
		json_int(json, field->name, c->integer);
		break;
	case FIELD_BOOL:
		json_bool(json, field->name, c->integer);
		break;
	case FIELD_TIME:
		entity_json_time(json, field->name, c->integer);
		break;
	case FIELD_BYTES:
	case FIELD_WORDS:
		json_string(json, field->name, text, c->text.length);
		break;
	case FIELD_ARGS:
		entity_json_words(json, field->name, c->p->image);
		break;
	}
	json->buffer.failed |= c->text.failed;
}
