/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of what repeats: text, program, image, context, cgroup. */
#include "daemon/store_bind.h"
#include "schema/cleanup.h"

int store_text(struct store *store, const struct store_text *text, int64_t *ret_id)
{
	sqlite3_stmt *s = store_query(store, STORE_TEXT);

	bind(s, 1, store->next_text);
	sqlite3_bind_text(s, 2, text->value, (int)text->length, SQLITE_STATIC);
	sqlite3_bind_blob(s, 3, text->raw, (int)text->raw_length, SQLITE_STATIC);
	*ret_id = store->next_text++;
	return run(store, s);
}

int store_program(struct store *store, const struct store_program *program, int64_t *ret_id)
{
	sqlite3_stmt *s = store_query(store, STORE_PROGRAM);

	bind(s, 1, store->next_program);
	bind(s, 2, program->exe);
	bind(s, 3, program->filename);
	bind(s, 4, program->interpreter);
	sqlite3_bind_text(s, 5, program->comm, (int)program->comm_length, SQLITE_STATIC);
	bind(s, 6, program->flags);
	bind(s, 7, program->dev);
	bind(s, 8, program->inode);
	*ret_id = store->next_program++;
	return run(store, s);
}

static int store_argv(struct store *store, int64_t image, const struct store_argv *argv)
{
	sqlite3_stmt *s = store_query(store, STORE_ARGV);

	bind(s, 1, image);
	sqlite3_bind_text(s, 2, argv->json, (int)argv->json_length, SQLITE_STATIC);
	sqlite3_bind_blob(s, 3, argv->raw, (int)argv->raw_length, SQLITE_STATIC);
	bind(s, 4, argv->count);
	bind(s, 5, argv->bytes);
	return run(store, s);
}

int store_image(struct store *store, const struct store_image *image, int64_t *ret_id)
{
	sqlite3_stmt *s = store_query(store, STORE_IMAGE);
	int r;

	bind(s, 1, store->next_image);
	bind(s, 2, image->program);
	sqlite3_bind_text(s, 3, image->args, (int)image->args_length, SQLITE_STATIC);
	*ret_id = store->next_image++;
	r = run(store, s);
	return r == 0 && !image->args ? store_argv(store, *ret_id, &image->argv) : r;
}

/* The kernel's "unset" as NULL. */
static int64_t id_or_null(uint32_t id)
{
	return id == UINT32_MAX ? ROW_NONE : (int64_t)id;
}

int store_context(struct store *store, const struct lineage_ids *ids, int64_t cgroup,
		  int64_t cgroup_v1, int64_t *ret_id)
{
	const int64_t values[] = {
		store->next_context,
		ids->uid,
		ids->euid,
		ids->suid,
		ids->gid,
		ids->egid,
		ids->sgid,
		id_or_null(ids->loginuid),
		id_or_null(ids->sessionid),
		(int64_t)ids->cap_effective,
		(int64_t)ids->cap_permitted,
		ids->sid,
		ids->tty,
		ids->pid_ns,
		ids->mnt_ns,
		ids->net_ns,
		ids->user_ns,
		ids->uts_ns,
		ids->ipc_ns,
		ids->cgroup_ns,
		ids->pid_ns_level,
		cgroup,
		cgroup_v1,
	};
	sqlite3_stmt *s = store_query(store, STORE_CONTEXT);

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		bind(s, (int)i + 1, values[i]);
	*ret_id = store->next_context++;
	return run(store, s);
}

static void bind_cgroup(sqlite3_stmt *s, int first, const struct store_cgroup *g)
{
	const struct container *c = &g->container;
	const struct container_names *n = &g->names;

	bind_text(s, first, g->path);
	bind_text(s, first + 1, c->id);
	bind_text(s, first + 2, n->runtime ? n->runtime : c->runtime);
	bind_text(s, first + 3, n->container_name);
	bind_text(s, first + 4, n->image_name);
	bind_text(s, first + 5, n->pod_uid[0] ? n->pod_uid : c->pod_uid);
	bind_text(s, first + 6, n->pod_name);
	bind_text(s, first + 7, n->pod_namespace);
}

int store_cgroup(struct store *store, const struct store_cgroup *cgroup, int64_t *ret_id)
{
	sqlite3_stmt *s = store_query(store, STORE_CGROUP);

	bind(s, 1, store->next_cgroup);
	bind(s, 2, store->boot);
	bind(s, 3, cgroup->hierarchy);
	/* Any number, also the one that is ROW_NONE elsewhere. */
	sqlite3_bind_int64(s, 4, (int64_t)cgroup->kernfs_id);
	bind_cgroup(s, 5, cgroup);
	*ret_id = store->next_cgroup++;
	return run(store, s);
}

int store_cgroup_update(struct store *store, int64_t id, const struct store_cgroup *cgroup)
{
	sqlite3_stmt *s = store_query(store, STORE_CGROUP_UPDATE);

	bind(s, 1, id);
	bind_cgroup(s, 2, cgroup);
	return run(store, s);
}
