/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Row ids for what repeats: finds or writes the rows of text, program, image, context and
 * cgroup.
 * Everything here happens within the caller's transaction; after a rollback: intern_forget().
 */
#ifndef LINEAGED_INTERN_H
#define LINEAGED_INTERN_H

#include "daemon/decode.h"
#include "daemon/dictionary.h"
#include "daemon/store.h"

struct intern_cgroup;
struct intern_unnamed;

struct intern {
	struct store *store;
	const char *
		root; /* "" or the directory that stands for / when container names are looked up */
	struct dictionary texts, programs, images, contexts;
	struct intern_cgroup *cgroups;
	struct intern_unnamed *unnamed; /* whose containers had no name yet, oldest first */
	size_t unnamed_count;
	uint32_t v1_hierarchy;
	char *scratch; /* for JSON and text of one record */
	size_t scratch_size;
};

/* An image in plain strings, however it was learned. Lengths without NUL; exact bytes. */
struct intern_image {
	struct decode_string exe, filename, interp, args; /* bytes NULL: unknown */
	char comm[LINEAGE_COMM_LEN];
	int64_t args_count, args_total;
	uint32_t flags, dev;
	uint64_t inode;
};

int intern_init(struct intern *n, struct store *store, const char *root, uint32_t v1_hierarchy);
void intern_deinit(struct intern *n);
/* Empties the memory and reads back the cgroups of this boot. */
int intern_forget(struct intern *n);

int intern_text(struct intern *n, const char *bytes, size_t length, int64_t *ret_id);
/* A comm: up to 16 bytes, NUL-padded. */
int intern_comm(struct intern *n, const char comm[LINEAGE_COMM_LEN], int64_t *ret_id);
int intern_image(struct intern *n, const struct intern_image *image, int64_t *ret_id);
int intern_context(struct intern *n, const struct lineage_ids *ids, int64_t *ret_id);

/* A cgroup has told its path. */
int intern_cgroup(struct intern *n, const struct lineage_cgroup *record);

/* Whether names should be looked for again, and doing so. now_ns is the time since boot. */
bool intern_name_is_due(const struct intern *n, uint64_t now_ns);
int intern_name(struct intern *n, uint64_t now_ns);

#endif
