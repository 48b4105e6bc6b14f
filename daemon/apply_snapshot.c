/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a look at the node means for the book: processes that run, and what they run. When to look,
 * and for whom: recover_node.c.
 */
#include "daemon/recorder.h"

#include <bpf/bpf.h>
#include <string.h>

#include "daemon/snapshot.h"

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

/* Its end is recorded although the filters leave it out: an ancestor must not seem to live for
 * ever. */
static void keep_watching(struct recorder *r, const struct lineage_snapshot *s)
{
	struct lineage_process kept = {
		.parent = s->parent,
		.current_parent = s->parent,
		.ids = s->ids,
		.exec_id = s->exec_id,
		.flags = s->flags,
	};

	memcpy(kept.comm, s->comm, sizeof(kept.comm));
	bpf_map_update_elem(r->probe->maps[PROBE_MAP_CACHE], &s->header.process, &kept,
			    BPF_NOEXIST);
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
		keep_watching(r, s);
	book_change(&r->book, p);
	/* An exec that was told of is known better. */
	if (p->image.provenance != PROVENANCE_NONE)
		return 0;
	snapshot_look(entry, "");
	return snapshot_image(r, p, entry);
}
