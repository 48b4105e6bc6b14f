/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/intern.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/jsonargs.h"
#include "daemon/store_load.h"
#include "daemon/table.h"
#include "schema/cleanup.h"

/* 24 bytes each: 1.3 MiB in all. A build of thousands of commands fits. */
#define TEXTS	 16384
#define PROGRAMS 4096
#define IMAGES	 32768
#define CONTEXTS 4096

/*
 * A cgroup tells its path once, and runtimes and the kubelet write names around that time: it is
 * looked for again after so long each.
 */
static const uint64_t name_waits_ns[] = {1000000000, 4000000000, 16000000000};

/* Containers that wait for a name at the same time; a node starts fewer. Of more, the oldest has
 * none. */
#define UNNAMED_MAX 256
/* A look may read through all that a runtime keeps of its containers: no more in one go. */
#define LOOKS_AT_ONCE 8

struct cgroup_key {
	uint64_t id;
	uint64_t hierarchy;
};

struct intern_cgroup {
	UT_hash_handle hh;
	struct cgroup_key key;
	int64_t row;
	bool has_path;
	bool named; /* no container, or one whose name is known */
};

/* Outlives intern_forget(): what a rollback took back is found again. */
struct intern_unnamed {
	struct intern_unnamed *next;
	struct cgroup_key key;
	uint64_t due_ns;
	size_t tries;
	char path[];
};

static void drop_unnamed(struct intern *n, struct intern_unnamed **at)
{
	struct intern_unnamed *u = *at;

	*at = u->next;
	n->unnamed_count--;
	free(u);
}

/* tries: looks that there have been. */
static int wait_for_name(struct intern *n, const struct cgroup_key *key, const char *path,
			 size_t tries, uint64_t due_ns)
{
	struct intern_unnamed **at = &n->unnamed;
	size_t size = strlen(path) + 1;
	struct intern_unnamed *u;

	for (; *at; at = &(*at)->next) {
		if (memcmp(&(*at)->key, key, sizeof(*key)) == 0)
			return 0;
	}
	u = calloc(1, sizeof(*u) + size);
	if (!u)
		return -ENOMEM;
	u->key = *key;
	u->tries = tries;
	u->due_ns = due_ns;
	memcpy(u->path, path, size);
	*at = u;
	if (++n->unnamed_count > UNNAMED_MAX)
		drop_unnamed(n, &n->unnamed);
	return 0;
}

/*
 * What an earlier run may have been waiting for when it ended. One look, soon: most are of
 * containers that have gone, or that never get a name.
 */
static int await_known(const struct store_known_cgroup *known, void *userdata)
{
	struct cgroup_key key = {known->kernfs_id, known->hierarchy};

	if (!known->path || known->named)
		return 0;
	return wait_for_name(userdata, &key, known->path, ARRAY_SIZE(name_waits_ns) - 1, 0);
}

int intern_init(struct intern *n, struct store *store, const char *root, uint32_t v1_hierarchy)
{
	int r;

	*n = (struct intern){.store = store, .root = root, .v1_hierarchy = v1_hierarchy};
	r = dictionary_init(&n->texts, TEXTS);
	if (r == 0)
		r = dictionary_init(&n->programs, PROGRAMS);
	if (r == 0)
		r = dictionary_init(&n->images, IMAGES);
	if (r == 0)
		r = dictionary_init(&n->contexts, CONTEXTS);
	n->scratch_size = JSONARGS_SIZE(LINEAGE_ARGS_MAX);
	n->scratch = malloc(n->scratch_size);
	if (r == 0 && !n->scratch)
		r = -ENOMEM;
	if (r == 0)
		r = intern_forget(n);
	if (r == 0)
		r = store_each_cgroup(store, await_known, n);
	if (r < 0)
		intern_deinit(n);
	return r;
}

static void drop_cgroups(struct intern *n)
{
	struct intern_cgroup *g, *next;

	HASH_ITER(hh, n->cgroups, g, next)
	{
		HASH_DEL(n->cgroups, g);
		free(g);
	}
}

void intern_deinit(struct intern *n)
{
	drop_cgroups(n);
	while (n->unnamed)
		drop_unnamed(n, &n->unnamed);
	dictionary_deinit(&n->texts);
	dictionary_deinit(&n->programs);
	dictionary_deinit(&n->images);
	dictionary_deinit(&n->contexts);
	free(n->scratch);
	n->scratch = NULL;
}

static struct intern_cgroup *add_cgroup(struct intern *n, uint64_t id, uint32_t hierarchy,
					int64_t row)
{
	struct intern_cgroup *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->key = (struct cgroup_key){id, hierarchy};
	g->row = row;
	HASH_ADD(hh, n->cgroups, key, sizeof(g->key), g);
	if (!g->hh.tbl) {
		free(g);
		return NULL;
	}
	return g;
}

static struct intern_cgroup *find_cgroup(struct intern *n, uint64_t id, uint32_t hierarchy)
{
	struct cgroup_key key = {id, hierarchy};
	struct intern_cgroup *g;

	HASH_FIND(hh, n->cgroups, &key, sizeof(key), g);
	return g;
}

static int load_cgroup(const struct store_known_cgroup *known, void *userdata)
{
	struct intern_cgroup *g =
		add_cgroup(userdata, known->kernfs_id, known->hierarchy, known->row);

	if (!g)
		return -ENOMEM;
	g->has_path = known->path;
	g->named = known->named;
	return 0;
}

int intern_forget(struct intern *n)
{
	dictionary_forget(&n->texts);
	dictionary_forget(&n->programs);
	dictionary_forget(&n->images);
	dictionary_forget(&n->contexts);
	drop_cgroups(n);
	return store_each_cgroup(n->store, load_cgroup, n);
}

int intern_text(struct intern *n, const char *bytes, size_t length, int64_t *ret_id)
{
	struct dictionary_hash hash = dictionary_hash(bytes, length);
	struct store_text text = {.value = bytes, .length = length};
	int64_t id = dictionary_find(&n->texts, hash);
	bool exact = true;
	int r;

	if (id) {
		*ret_id = id;
		return 0;
	}
	if (TEXT_SIZE(length) > n->scratch_size)
		return -E2BIG;
	if (!text_is_exact(bytes, length)) {
		text.length = text_from_bytes(n->scratch, bytes, length, &exact);
		text.value = n->scratch;
		text.raw = exact ? NULL : bytes;
		text.raw_length = exact ? 0 : length;
	}
	r = store_text(n->store, &text, ret_id);
	if (r == 0)
		dictionary_add(&n->texts, hash, *ret_id);
	return r;
}

int intern_comm(struct intern *n, const char comm[LINEAGE_COMM_LEN], int64_t *ret_id)
{
	return intern_text(n, comm, strnlen(comm, LINEAGE_COMM_LEN), ret_id);
}

static int text_or_none(struct intern *n, struct decode_string s, int64_t *ret_id)
{
	*ret_id = ROW_NONE;
	return s.bytes && s.length ? intern_text(n, s.bytes, s.length, ret_id) : 0;
}

/* Everything that makes two programs the same one. No padding: it is hashed as bytes. */
struct program_identity {
	struct dictionary_hash exe, filename, interp;
	uint64_t inode;
	uint32_t dev, flags;
	char comm[LINEAGE_COMM_LEN];
};

struct image_identity {
	struct dictionary_hash args;
	int64_t program, args_count, args_total;
};

static struct dictionary_hash hash_or_none(struct decode_string s)
{
	return s.bytes && s.length ? dictionary_hash(s.bytes, s.length)
				   : (struct dictionary_hash){0};
}

static int write_program(struct intern *n, const struct intern_image *image, int64_t *ret_id)
{
	char comm[TEXT_SIZE(LINEAGE_COMM_LEN)];
	struct store_program row = {
		.comm = comm,
		.flags = image->flags,
		.dev = image->dev,
		.inode = (int64_t)image->inode,
	};
	bool exact;
	int r = text_or_none(n, image->exe, &row.exe);

	if (r == 0)
		r = text_or_none(n, image->filename, &row.filename);
	if (r == 0)
		r = text_or_none(n, image->interp, &row.interpreter);
	if (r < 0)
		return r;
	if (row.filename == row.exe)
		row.filename = ROW_NONE;
	row.comm_length =
		text_from_bytes(comm, image->comm, strnlen(image->comm, LINEAGE_COMM_LEN), &exact);
	return store_program(n->store, &row, ret_id);
}

static int find_program(struct intern *n, const struct intern_image *image, int64_t *ret_id)
{
	struct program_identity identity = {
		.exe = hash_or_none(image->exe),
		.filename = hash_or_none(image->filename),
		.interp = hash_or_none(image->interp),
		.inode = image->inode,
		.dev = image->dev,
		.flags = image->flags,
	};
	struct dictionary_hash hash;
	int r;

	memcpy(identity.comm, image->comm, sizeof(identity.comm));
	hash = dictionary_hash(&identity, sizeof(identity));
	*ret_id = dictionary_find(&n->programs, hash);
	if (*ret_id)
		return 0;
	r = write_program(n, image, ret_id);
	if (r == 0)
		dictionary_add(&n->programs, hash, *ret_id);
	return r;
}

/* What an ordinary argv does not need. */
static void fill_argv(struct intern *n, const struct intern_image *image, struct store_argv *argv)
{
	struct jsonargs json;

	argv->count = image->args_count;
	argv->bytes = image->args_total;
	if (!image->args.bytes)
		return;
	json = jsonargs_from_argv(n->scratch, image->args.bytes, image->args.length);
	argv->json = n->scratch;
	argv->json_length = json.length;
	if (!json.exact || (int64_t)image->args.length < image->args_total) {
		argv->raw = image->args.bytes;
		argv->raw_length = image->args.length;
	}
	if (argv->count == ROW_NONE)
		argv->count = json.count;
}

static int write_image(struct intern *n, const struct intern_image *image, int64_t program,
		       int64_t *ret_id)
{
	struct store_image row = {.program = program};
	struct decode_string args = image->args;
	uint32_t count;

	if (JSONARGS_SIZE(args.length) > n->scratch_size)
		return -E2BIG;
	if ((int64_t)args.length == image->args_total &&
	    args_join(n->scratch, args.bytes, args.length, &count) &&
	    (image->args_count == ROW_NONE || image->args_count == count)) {
		row.args = n->scratch;
		row.args_length = args.length - 1;
	} else {
		fill_argv(n, image, &row.argv);
	}
	return store_image(n->store, &row, ret_id);
}

int intern_image(struct intern *n, const struct intern_image *image, int64_t *ret_id)
{
	struct image_identity identity = {
		.args_count = image->args_count,
		.args_total = image->args_total,
	};
	struct dictionary_hash hash;
	int r = find_program(n, image, &identity.program);

	if (r < 0)
		return r;
	if (image->args.bytes)
		identity.args = dictionary_hash(image->args.bytes, image->args.length);
	hash = dictionary_hash(&identity, sizeof(identity));
	*ret_id = dictionary_find(&n->images, hash);
	if (*ret_id)
		return 0;
	r = write_image(n, image, identity.program, ret_id);
	if (r == 0)
		dictionary_add(&n->images, hash, *ret_id);
	return r;
}

/* Whether nothing is left to be found. */
static bool name_cgroup(const struct intern *n, struct store_cgroup *row)
{
	bool contained = container_parse(row->path, &row->container);

	if (!contained)
		contained = container_names_identify(n->root, row->path, &row->container);
	if (contained)
		container_names_resolve(n->root, &row->container, &row->names);
	return !row->container.id[0] || row->names.container_name[0];
}

static int name_again(struct intern *n, const struct intern_unnamed *u, struct intern_cgroup *g)
{
	struct store_cgroup row = {
		.hierarchy = (int64_t)u->key.hierarchy,
		.kernfs_id = u->key.id,
		.path = u->path,
	};

	/* It waits because it was a container: what has gone by now takes nothing back. */
	if (!name_cgroup(n, &row) || !row.container.id[0])
		return 0;
	g->named = true;
	return store_cgroup_update(n->store, g->row, &row);
}

bool intern_name_is_due(const struct intern *n, uint64_t now_ns)
{
	for (const struct intern_unnamed *u = n->unnamed; u; u = u->next) {
		if (now_ns >= u->due_ns)
			return true;
	}
	return false;
}

int intern_name(struct intern *n, uint64_t now_ns)
{
	struct intern_unnamed **at = &n->unnamed;
	size_t looks = 0;
	int r = 0;

	while (*at && r == 0 && looks < LOOKS_AT_ONCE) {
		struct intern_unnamed *u = *at;
		struct intern_cgroup *g = find_cgroup(n, u->key.id, (uint32_t)u->key.hierarchy);

		if (now_ns < u->due_ns) {
			at = &u->next;
		} else if (!g || g->named || u->tries == ARRAY_SIZE(name_waits_ns)) {
			drop_unnamed(n, at);
		} else {
			/* One that is found stays until the next look, when it has been committed.
			 */
			r = name_again(n, u, g);
			looks++;
			u->tries++;
			u->due_ns = now_ns + name_waits_ns[u->tries % ARRAY_SIZE(name_waits_ns)];
			at = &u->next;
		}
	}
	return r;
}

int intern_cgroup(struct intern *n, const struct lineage_cgroup *record)
{
	struct store_cgroup row = {.hierarchy = record->hierarchy, .kernfs_id = record->id};
	struct decode_string components = {record->data, record->path_length};
	struct intern_cgroup *g = find_cgroup(n, record->id, record->hierarchy);
	char bytes[DECODE_PATH_SIZE];
	char text[TEXT_SIZE(DECODE_PATH_SIZE)];
	size_t length;
	bool exact;
	int r = 0;

	if (!g)
		g = add_cgroup(n, record->id, record->hierarchy, 0);
	if (!g)
		return -ENOMEM;
	if (g->has_path && g->named)
		return 0;
	length = decode_path(components, record->flags & LINEAGE_CGROUP_TRUNCATED, bytes);
	text_from_bytes(text, bytes, length, &exact);
	row.path = text;
	if (!g->has_path) {
		g->named = name_cgroup(n, &row);
		r = g->row ? store_cgroup_update(n->store, g->row, &row)
			   : store_cgroup(n->store, &row, &g->row);
		g->has_path = r == 0;
	}
	if (r < 0 || g->named)
		return r;
	return wait_for_name(n, &g->key, text, 0, record->header.boot_ns + name_waits_ns[0]);
}

/* A cgroup whose path is still to come, or was lost. */
static int cgroup_row(struct intern *n, uint64_t id, uint32_t hierarchy, int64_t *ret_row)
{
	struct intern_cgroup *g = find_cgroup(n, id, hierarchy);
	struct store_cgroup row = {.hierarchy = hierarchy, .kernfs_id = id};
	int r;

	if (!g) {
		g = add_cgroup(n, id, hierarchy, 0);
		if (!g)
			return -ENOMEM;
		r = store_cgroup(n->store, &row, &g->row);
		if (r < 0)
			return r;
	}
	*ret_row = g->row;
	return 0;
}

int intern_context(struct intern *n, const struct lineage_ids *ids, int64_t *ret_id)
{
	struct lineage_ids shared = *ids;
	struct dictionary_hash hash;
	int64_t cgroup = ROW_NONE, cgroup_v1 = ROW_NONE;
	int r;

	/* These two differ from process to process and have their own columns. */
	shared.pgid = shared.ns_pid = 0;
	hash = dictionary_hash(&shared, sizeof(shared));
	*ret_id = dictionary_find(&n->contexts, hash);
	if (*ret_id)
		return 0;
	r = ids->cgroup_id ? cgroup_row(n, ids->cgroup_id, 0, &cgroup) : 0;
	if (r == 0 && ids->cgroup_v1_id && n->v1_hierarchy)
		r = cgroup_row(n, ids->cgroup_v1_id, n->v1_hierarchy, &cgroup_v1);
	if (r == 0)
		r = store_context(n->store, ids, cgroup, cgroup_v1, ret_id);
	if (r == 0)
		dictionary_add(&n->contexts, hash, *ret_id);
	return r;
}
