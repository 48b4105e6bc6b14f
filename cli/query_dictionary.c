/* SPDX-License-Identifier: Apache-2.0 */
/* The dictionaries: each text, program, image, context and cgroup is read once, when a process
 * first needs it. */
#include "cli/query_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schema/cleanup.h"

/* A scan of the whole database starts anew beyond this: enough that most images stay known. */
#define TRIM_BYTES (32 * 1024 * 1024)

/* 0 with a row, 1 without one, or an error. */
static int look_up(struct query *q, enum query_statement which, int64_t id, sqlite3_stmt **ret_stmt)
{
	sqlite3_stmt *stmt;
	int r, rc;

	r = query_prepare(q, which, &stmt);
	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, id);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		*ret_stmt = stmt;
		return 0;
	}
	r = query_step_error(q, rc);
	sqlite3_reset(stmt);
	return r < 0 ? r : 1;
}

int query_text(struct query *q, int64_t id, const struct text **ret_text)
{
	struct text *text;
	sqlite3_stmt *stmt;
	int r;

	if (id == UNKNOWN) {
		*ret_text = NULL;
		return 0;
	}
	text = idmap_get(&q->texts, id);
	if (text) {
		*ret_text = text;
		return 0;
	}
	text = arena_alloc(&q->dictionary, sizeof(*text));
	if (!text)
		return -ENOMEM;
	r = look_up(q, QUERY_TEXT, id, &stmt);
	if (r < 0)
		return r;
	if (r == 0) {
		text->value = column_text(&q->dictionary, stmt, 0);
		text->length = (size_t)sqlite3_column_bytes(stmt, 0);
		text->raw = column_text(&q->dictionary, stmt, 1);
		text->raw_length = text->raw ? (size_t)sqlite3_column_bytes(stmt, 1) : 0;
		sqlite3_reset(stmt);
	}
	if (!text->value) {
		text->value = "?";
		text->length = 1;
	}
	text->hash = text_hash(text->value, text->length);
	*ret_text = text;
	return idmap_put(&q->texts, id, text);
}

static int fill_program(struct query *q, sqlite3_stmt *stmt, struct image *program)
{
	int64_t exe = column_int(stmt, 0), filename = column_int(stmt, 1);
	int64_t interpreter = column_int(stmt, 2);
	int r;

	program->comm = column_text(&q->dictionary, stmt, 3);
	program->flags = (unsigned int)sqlite3_column_int64(stmt, 4);
	program->dev = column_int(stmt, 5);
	program->inode = column_int(stmt, 6);
	sqlite3_reset(stmt);
	r = query_text(q, exe, &program->exe);
	/* An exec that failed has a name that was asked for, and no file. */
	if (exe == UNKNOWN && program->inode == 0)
		program->dev = program->inode = UNKNOWN;
	if (r < 0 || (q->detail != QUERY_DETAIL_FULL && program->exe))
		return r;
	r = query_text(q, filename, &program->filename);
	if (r < 0)
		return r;
	return query_text(q, interpreter, &program->interpreter);
}

/* An image without arguments, for those that begin as a copy of it. */
int query_program(struct query *q, int64_t id, const struct image **ret_program)
{
	struct image *program = idmap_get(&q->programs, id);
	sqlite3_stmt *stmt;
	int r;

	if (program) {
		*ret_program = program;
		return 0;
	}
	program = arena_alloc(&q->dictionary, sizeof(*program));
	if (!program)
		return -ENOMEM;
	program->args_count = program->args_bytes = program->dev = program->inode = UNKNOWN;
	r = look_up(q, QUERY_PROGRAM, id, &stmt);
	if (r == 0)
		r = fill_program(q, stmt, program);
	if (r < 0)
		return r;
	*ret_program = program;
	return idmap_put(&q->programs, id, program);
}

static void count_args(struct image *image)
{
	image->args_count = 1;
	for (size_t i = 0; i < image->args_length; i++)
		image->args_count += image->args[i] == SCHEMA_ARGS_SEPARATOR;
	image->args_bytes = (int64_t)image->args_length + 1;
}

/* What is no ordinary argv. */
static int fill_argv(struct query *q, int64_t id, struct image *image)
{
	sqlite3_stmt *stmt;
	int r = look_up(q, QUERY_ARGV, id, &stmt);

	if (r != 0)
		return r < 0 ? r : 0;
	image->args = column_text(&q->dictionary, stmt, 0);
	image->args_length = (size_t)sqlite3_column_bytes(stmt, 0);
	if (!image->args && sqlite3_column_int(stmt, 4))
		image->args = "";
	image->args_raw = column_text(&q->dictionary, stmt, 1);
	image->args_raw_length = image->args_raw ? (size_t)sqlite3_column_bytes(stmt, 1) : 0;
	image->args_count = column_int(stmt, 2);
	image->args_bytes = column_int(stmt, 3);
	sqlite3_reset(stmt);
	return 0;
}

static int fill_image(struct query *q, sqlite3_stmt *stmt, struct image *image)
{
	int64_t id = image->id, program_id = column_int(stmt, 0);
	const char *args = column_text(&q->dictionary, stmt, 1);
	size_t length = args ? (size_t)sqlite3_column_bytes(stmt, 1) : 0;
	const struct image *program;
	int r;

	sqlite3_reset(stmt);
	r = query_program(q, program_id, &program);
	if (r < 0)
		return r;
	*image = *program;
	image->id = id;
	if (!args)
		return fill_argv(q, id, image);
	image->args = args;
	image->args_length = length;
	image->args_joined = true;
	count_args(image);
	return 0;
}

/* What many images share is all that is wanted of them. */
static int name_image(struct query *q, int64_t id, const struct image **ret_image)
{
	const char *args;
	size_t length;
	int r = query_peek_image(q, id, ret_image, &args, &length);

	return r < 0 ? r : idmap_put(&q->images, id, (struct image *)*ret_image);
}

int query_image(struct query *q, int64_t id, const struct image **ret_image)
{
	struct image *image;
	sqlite3_stmt *stmt;
	int r;

	if (id == UNKNOWN) {
		*ret_image = NULL;
		return 0;
	}
	image = idmap_get(&q->images, id);
	if (image) {
		*ret_image = image;
		return 0;
	}
	if (q->detail == QUERY_DETAIL_NAMES)
		return name_image(q, id, ret_image);
	image = arena_alloc(&q->dictionary, sizeof(*image));
	if (!image)
		return -ENOMEM;
	image->id = id;
	image->args_count = image->args_bytes = image->dev = image->inode = UNKNOWN;
	r = look_up(q, QUERY_IMAGE, id, &stmt);
	if (r == 0)
		r = fill_image(q, stmt, image);
	if (r < 0)
		return r;
	*ret_image = image;
	return idmap_put(&q->images, id, image);
}

int query_peek_image(struct query *q, int64_t id, const struct image **ret_program,
		     const char **ret_args, size_t *ret_length)
{
	sqlite3_stmt *stmt;
	int64_t program = UNKNOWN;
	int r = look_up(q, QUERY_IMAGE, id, &stmt);

	*ret_args = NULL;
	if (r < 0)
		return r;
	if (r == 0) {
		program = column_int(stmt, 0);
		*ret_args = (const char *)sqlite3_column_text(stmt, 1);
		*ret_length = (size_t)sqlite3_column_bytes(stmt, 1);
	}
	/* The statement stays where it is: its text is handed out. */
	return query_program(q, program, ret_program);
}

static int get_cgroup(struct query *q, int64_t id, const struct cgroup **ret_cgroup)
{
	struct cgroup *g;
	sqlite3_stmt *stmt;
	int r;

	*ret_cgroup = NULL;
	if (id == UNKNOWN)
		return 0;
	g = idmap_get(&q->cgroups, id);
	if (!g) {
		g = arena_alloc(&q->dictionary, sizeof(*g));
		if (!g)
			return -ENOMEM;
		r = look_up(q, QUERY_CGROUP, id, &stmt);
		if (r < 0)
			return r;
		if (r == 0) {
			const char **fields[] = {&g->path,	     &g->container_id, &g->runtime,
						 &g->container_name, &g->image_name,   &g->pod_uid,
						 &g->pod_name,	     &g->pod_namespace};

			for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
				*fields[i] = column_text(&q->dictionary, stmt, (int)i);
			sqlite3_reset(stmt);
		}
		r = idmap_put(&q->cgroups, id, g);
		if (r < 0)
			return r;
	}
	*ret_cgroup = g;
	return 0;
}

/* As the views: cgroup2 names it, unless it is the root, then v1 does. */
static int fill_cgroups(struct query *q, struct context *x, int64_t v2_id, int64_t v1_id)
{
	const struct cgroup *v2, *v1;
	int r = get_cgroup(q, v2_id, &v2);

	if (r == 0)
		r = get_cgroup(q, v1_id, &v1);
	if (r < 0)
		return r;
	x->cgroup = v2;
	if (v1 && v1->path && (!v2 || !v2->path || strcmp(v2->path, "/") == 0))
		x->cgroup = v1;
	if (v2 && (v2->container_id || v2->pod_uid))
		x->container = v2;
	else if (v1 && (v1->container_id || v1->pod_uid))
		x->container = v1;
	return 0;
}

static void fill_context(sqlite3_stmt *stmt, struct context *x)
{
	int64_t *fields[] = {&x->uid,		&x->euid,	   &x->suid,	  &x->gid,
			     &x->egid,		&x->sgid,	   &x->loginuid,  &x->sessionid,
			     &x->cap_effective, &x->cap_permitted, &x->sid,	  &x->tty,
			     &x->pid_ns,	&x->mnt_ns,	   &x->net_ns,	  &x->user_ns,
			     &x->uts_ns,	&x->ipc_ns,	   &x->cgroup_ns, &x->pid_ns_level};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		*fields[i] = stmt ? column_int(stmt, (int)i) : UNKNOWN;
}

int query_context(struct query *q, int64_t id, const struct context **ret_context)
{
	int64_t v2_id = UNKNOWN, v1_id = UNKNOWN;
	struct context *x;
	sqlite3_stmt *stmt;
	int r;

	/* 0 stands for a context that is wholly unknown, so that nobody has to check for NULL. */
	if (id == UNKNOWN)
		id = 0;
	x = idmap_get(&q->contexts, id);
	if (x) {
		*ret_context = x;
		return 0;
	}
	x = arena_alloc(&q->dictionary, sizeof(*x));
	if (!x)
		return -ENOMEM;
	r = look_up(q, QUERY_CONTEXT, id, &stmt);
	if (r < 0)
		return r;
	fill_context(r == 0 ? stmt : NULL, x);
	if (r == 0) {
		v2_id = column_int(stmt, 20);
		v1_id = column_int(stmt, 21);
		sqlite3_reset(stmt);
	}
	r = fill_cgroups(q, x, v2_id, v1_id);
	if (r < 0)
		return r;
	*ret_context = x;
	return idmap_put(&q->contexts, id, x);
}

void query_forget(struct query *q)
{
	idmap_clear(&q->texts);
	idmap_clear(&q->programs);
	idmap_clear(&q->images);
	idmap_clear(&q->contexts);
	idmap_clear(&q->cgroups);
	idmap_clear(&q->processes);
	arena_deinit(&q->dictionary);
	arena_deinit(&q->arena);
	free(q->earlier);
	q->earlier = NULL;
}

void query_trim(struct query *q)
{
	if (q->dictionary.bytes + q->arena.bytes >= TRIM_BYTES)
		query_forget(q);
}
