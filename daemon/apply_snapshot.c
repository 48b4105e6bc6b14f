/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a look at the node means for the book: processes that run, and what they run. When to look,
 * and for whom: recover_node.c.
 */
#include "daemon/recorder.h"

#include <string.h>

#include "daemon/snapshot.h"
#include "daemon/store_load.h"

static int snapshot_image(struct recorder *r, struct process *p, const struct snapshot_entry *entry)
{
	const struct lineage_snapshot *s = &entry->record;
	struct intern_image ii = {
		.exe = {entry->exe, entry->exe ? strlen(entry->exe) : 0},
		.args = {entry->args, entry->args_length},
		.args_count = ROW_NONE,
		.args_total = (int64_t)entry->args_total,
		.flags = s->flags,
		.dev = s->dev,
		.inode = s->inode,
	};
	int result;

	if (entry->args_total > entry->args_length)
		ii.args_count = (int64_t)entry->args_count;
	memcpy(ii.comm, s->comm, sizeof(ii.comm));
	p->image.provenance = PROVENANCE_SNAPSHOT;
	p->image.exec_id = s->exec_id;
	p->image.pgid = process_group(&s->ids, p->key.pid);
	result = intern_image(&r->intern, &ii, &p->image.image);
	memcpy(p->image.image_comm, s->comm, sizeof(p->image.image_comm));
	p->image.comm = ROW_NONE;
	if (result == 0 && entry->cwd)
		result = intern_text(&r->intern, entry->cwd, strlen(entry->cwd), &p->image.cwd);
	return result;
}

static int snapshot_birth(struct recorder *r, struct process *p, const struct lineage_snapshot *s)
{
	int64_t parent_id, context;
	int result = apply_process_id(r, &s->parent, &parent_id);

	if (result == 0)
		result = intern_context(&r->intern, &s->ids, &context);
	if (result < 0)
		return result;
	apply_detach_from_birth(p);
	p->birth = PROVENANCE_SNAPSHOT;
	p->birth_changed = p->stored;
	p->parent_id = parent_id;
	p->context = context;
	p->ns_pid = own_or(s->ids.ns_pid, p->key.pid);
	return 0;
}

int apply_snapshot(struct recorder *r, struct process *p, struct snapshot_entry *entry)
{
	const struct lineage_snapshot *s = &entry->record;
	int result = 0;

	if (p->birth == PROVENANCE_INFERRED)
		result = snapshot_birth(r, p, s);
	if (result < 0)
		return result;
	if (!s->included)
		recover_watch(r, s);
	book_change(&r->book, p);
	/* An exec that was told of is known better. */
	if (p->image.provenance != PROVENANCE_NONE)
		return 0;
	snapshot_look(entry, "");
	return snapshot_image(r, p, entry);
}

/* The program and the arguments of two images. 1, 0 or an error. */
static int are_alike(struct recorder *r, const struct image_state *a, const struct image_state *b)
{
	if (a->image == ROW_NONE || b->image == ROW_NONE)
		return 0;
	return a->image == b->image ? 1 : store_are_alike(&r->store, a->image, b->image);
}

int apply_moved_on(struct recorder *r, struct process *p, struct snapshot_entry *entry,
		   uint64_t since_boot_ns)
{
	const struct lineage_snapshot *s = &entry->record;
	struct image_state before = p->image;
	int result;

	snapshot_look(entry, "");
	p->image = (struct image_state){
		.after_ns = (int64_t)(since_boot_ns - p->key.start_boot_ns),
		.cpu = ROW_NONE,
		.seq = ROW_NONE,
		.cwd = ROW_NONE,
	};
	result = snapshot_image(r, p, entry);
	if (result == 0)
		result = intern_context(&r->intern, &s->ids, &p->image.context);
	if (result == 0)
		result = apply_process_id(r, &s->parent, &p->image.parent_id);
	if (result == 0 && !before.exec_id)
		result = are_alike(r, &before, &p->image);
	if (result < 0)
		return result;
	if (result > 0) {
		/* It has not: the database does not say by which exec it came to this. */
		before.exec_id = s->exec_id;
		p->image = before;
		return 0;
	}
	same_or(&p->image.context, p->context);
	same_or(&p->image.parent_id, p->parent_id);
	book_change(&r->book, p);
	return before.provenance == PROVENANCE_NONE ? 0 : store_exec(&r->store, p, &before);
}

int apply_unchanged(struct recorder *r, struct process *p, struct snapshot_entry *entry)
{
	struct image_state born = p->image;
	int result;

	snapshot_look(entry, "");
	result = snapshot_image(r, p, entry);
	p->image.provenance = born.provenance;
	p->image.pgid = born.pgid;
	/* Where it is by now is not where it was born. */
	p->image.cwd = born.cwd;
	book_change(&r->book, p);
	return result;
}
