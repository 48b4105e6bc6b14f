/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What loss leaves to do: process_cache still knows what the ring had no room for. Rows made here
 * say "recovered", and the gap that they heal counts them.
 */
#include "daemon/recorder.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/snapshot.h"
#include "daemon/store_load.h"
#include "schema/cleanup.h"

/* Entries of process_cache read per call: half a kilobyte each. */
#define LOOK_MAX 512

int recover_lookup(struct recorder *r, const struct lineage_key *key,
		   struct lineage_process *ret_kept)
{
	if (bpf_map_lookup_elem(r->probe->maps[PROBE_MAP_CACHE], key, ret_kept) < 0)
		return -errno;
	return 0;
}

static bool is_known(const struct lineage_process *kept, int kind)
{
	return kept->known & 1u << kind;
}

int recover_birth(struct recorder *r, struct process *p, const struct lineage_process *kept)
{
	bool seen = is_known(kept, LINEAGE_FORK);
	struct lineage_fork f = {
		.header = {.kind = LINEAGE_FORK,
			   .cpu = (uint16_t)kept->fork_cpu,
			   .seq = kept->fork_seq,
			   .boot_ns = p->key.start_boot_ns,
			   .process = p->key},
		.parent = kept->parent,
		.creator = seen ? kept->creator : kept->parent,
		.ids = kept->ids,
	};
	int result;

	memcpy(f.comm, kept->comm, sizeof(f.comm));
	result = apply_birth(r, p, &f, seen ? PROVENANCE_RECOVERED : PROVENANCE_SNAPSHOT);
	if (result < 0)
		return result;
	if (!seen)
		p->fork_cpu = p->fork_seq = ROW_NONE;
	else if (ledger_recover(&r->ledger, (int)kept->fork_cpu, kept->fork_seq))
		r->counters.recovered++;
	return 0;
}

/* argv's prefix with its NULs back where they were. */
static void restore_args(const struct lineage_process *kept, char args[LINEAGE_CACHE_ARGS_LEN])
{
	memcpy(args, kept->args, LINEAGE_CACHE_ARGS_LEN);
	for (int i = 0; i < LINEAGE_CACHE_ARGS_LEN; i++)
		if (kept->args_breaks[i / 8] & 1u << (i % 8))
			args[i] = 0;
}

static int recover_exec(struct recorder *r, struct process *p, const struct lineage_process *kept)
{
	char args[LINEAGE_CACHE_ARGS_LEN];
	uint32_t n = kept->args_total < sizeof(args) ? kept->args_total : sizeof(args) - 1;
	struct image_state image = {
		.provenance = PROVENANCE_RECOVERED,
		.comm = ROW_NONE,
		.cwd = ROW_NONE,
		.cpu = kept->exec_cpu,
		.seq = (int64_t)kept->exec_seq,
		.parent_id = ROW_SAME,
		.after_ns = (int64_t)(kept->exec_boot_ns - p->key.start_boot_ns),
		.pgid = kept->ids.pgid == p->key.pid ? 0 : (int64_t)kept->ids.pgid,
		.exec_id = kept->exec_id,
	};
	struct intern_image ii = {
		/* The name as asked is all that is left; the executable's own path was in the
		   record. */
		.filename = {kept->binary, strnlen(kept->binary, sizeof(kept->binary))},
		.args = {args, n},
		.args_count = kept->args_count,
		.args_total = kept->args_total,
		.flags = kept->flags | LINEAGE_EXE_TRUNCATED | LINEAGE_CWD_TRUNCATED,
		.dev = kept->dev,
		.inode = kept->inode,
	};
	int result;

	restore_args(kept, args);
	memcpy(ii.comm, kept->comm, sizeof(ii.comm));
	memcpy(image.image_comm, kept->comm, sizeof(image.image_comm));
	if (p->image.provenance != PROVENANCE_NONE) {
		result = store_exec(&r->store, p, &p->image);
		if (result < 0)
			return result;
	}
	result = intern_image(&r->intern, &ii, &image.image);
	if (result == 0)
		result = intern_context(&r->intern, &kept->ids, &image.context);
	if (result < 0)
		return result;
	if (image.context == p->context)
		image.context = ROW_SAME;
	p->image = image;
	book_change(&r->book, p);
	return 0;
}

static int recover_end(struct recorder *r, struct process *p, const struct lineage_process *kept)
{
	struct lineage_exit e = {
		.header = {.kind = LINEAGE_EXIT,
			   .cpu = (uint16_t)kept->exit_cpu,
			   .seq = kept->exit_seq,
			   .boot_ns = kept->exit_boot_ns,
			   .process = p->key},
		.parent = kept->current_parent,
		.user_ns = kept->user_ns,
		.system_ns = kept->system_ns,
		.runtime_ns = kept->runtime_ns,
		.max_rss_kib = kept->max_rss_kib,
		.status = kept->exit_status,
	};

	memcpy(e.comm, kept->comm, sizeof(e.comm));
	return apply_end(r, p, &e, PROVENANCE_RECOVERED);
}

static bool is_lost(struct recorder *r, const struct lineage_process *kept, int kind, uint32_t cpu,
		    uint64_t seq)
{
	return is_known(kept, kind) && ledger_is_missing(&r->ledger, (int)cpu, seq);
}

/* The process of a key that may have ended, and left the book, long ago. */
static int find_process(struct recorder *r, const struct lineage_key *key,
			struct process **ret_process)
{
	int result = apply_process(r, key, ret_process);

	if (result <= 0)
		return result;
	result = store_read_process(&r->store, key, book_add_stored, &r->book);
	if (result < 0)
		return result;
	*ret_process = book_find(&r->book, key);
	book_change(&r->book, *ret_process);
	return 0;
}

static int recover_entry(struct recorder *r, const struct lineage_key *key,
			 const struct lineage_process *kept, uint64_t *found)
{
	bool fork = is_lost(r, kept, LINEAGE_FORK, kept->fork_cpu, kept->fork_seq);
	bool exec = is_lost(r, kept, LINEAGE_EXEC, kept->exec_cpu, kept->exec_seq);
	bool end = is_lost(r, kept, LINEAGE_EXIT, kept->exit_cpu, kept->exit_seq);
	struct process *p;
	int result;

	if (!fork && !exec && !end)
		return 0;
	result = find_process(r, key, &p);
	/* That has recovered the birth already if it was there to be recovered. */
	if (result == 0 && is_lost(r, kept, LINEAGE_FORK, kept->fork_cpu, kept->fork_seq))
		result = recover_birth(r, p, kept);
	if (result == 0 && exec &&
	    ledger_recover(&r->ledger, (int)kept->exec_cpu, kept->exec_seq)) {
		result = recover_exec(r, p, kept);
		++*found;
	}
	if (result == 0 && end && ledger_recover(&r->ledger, (int)kept->exit_cpu, kept->exit_seq)) {
		result = recover_end(r, p, kept);
		++*found;
	}
	return result;
}

/*
 * A program that is preempted keeps others of its kind from running on that CPU (recursion_misses):
 * no number is taken, so no hole tells of it. The count outlives the daemon with the programs.
 */
int recover_note_missed(struct recorder *r)
{
	struct store_gap gap = {
		.cause = "program_missed",
		.cpu = ROW_NONE,
		.from_boot_ns = r->missed_boot_ns,
		.to_boot_ns = clock_boot_ns(),
		.first_seq = ROW_NONE,
		.last_seq = ROW_NONE,
	};
	uint64_t missed;

	/* A kernel that does not tell (before 5.12) does not preempt programs either. */
	if (probe_missed(r->probe, &missed) < 0)
		return 0;
	gap.lost = (int64_t)(missed - r->missed);
	if (!r->missed_boot_ns)
		gap.lost = r->probe->adopted ? 0 : (int64_t)missed;
	r->missed_boot_ns = gap.to_boot_ns;
	r->missed = missed;
	return gap.lost > 0 ? store_gap(&r->store, &gap) : 0;
}

/*
 * Ended, committed, and no longer in the book, which would see to it: left over from before a
 * restart or a rollback.
 */
static bool is_left_over(struct recorder *r, const struct lineage_key *key,
			 const struct lineage_process *kept, uint64_t now)
{
	const struct ledger_cpu *c;

	if (kept->state != LINEAGE_STATE_EXITED || kept->exit_cpu >= (uint32_t)r->ledger.cpus_count)
		return false;
	c = &r->ledger.cpus[kept->exit_cpu];
	return kept->exit_boot_ns + r->options.cache_keep_ns < now &&
	       kept->exit_seq < c->next_seq && !book_find(&r->book, key);
}

static int look_at(struct recorder *r, const struct lineage_key *key,
		   const struct lineage_process *kept, uint64_t now, uint64_t *found)
{
	int result = recover_entry(r, key, kept, found);

	if (result == 0 && r->sweep_due && is_left_over(r, key, kept, now)) {
		bpf_map_delete_elem(r->probe->maps[PROBE_MAP_CACHE], key);
		r->counters.cache_freed++;
	}
	return result;
}

bool recover_is_due(const struct recorder *r)
{
	return r->ledger.holes_count > 0 || r->sweep_due;
}

int recover_holes(struct recorder *r, uint64_t *ret_found)
{
	CLEANUP_FREE struct lineage_key *keys = calloc(LOOK_MAX, sizeof(*keys));
	CLEANUP_FREE struct lineage_process *values = calloc(LOOK_MAX, sizeof(*values));
	int fd = r->probe->maps[PROBE_MAP_CACHE];
	uint32_t position = 0, count;
	bool first = true;
	uint64_t now = clock_boot_ns();
	int result = keys && values ? 0 : -ENOMEM, error = 0;

	/* -ENOENT is the end of the map. */
	while (result == 0 && error == 0) {
		count = LOOK_MAX;
		error = bpf_map_lookup_batch(fd, first ? NULL : &position, &position, keys, values,
					     &count, NULL);
		if (error < 0 && errno != ENOENT)
			return errno == ENOSPC ? 0 : -errno;
		for (uint32_t i = 0; i < count && result == 0; i++)
			result = look_at(r, &keys[i], &values[i], now, ret_found);
		first = false;
	}
	ledger_passed(&r->ledger);
	if (result == 0)
		r->sweep_due = false;
	return result;
}

int recover_write_hole(struct recorder *r, struct ledger_hole *hole)
{
	struct store_gap gap = {
		.gap_id = hole->gap_id,
		.cause = "ring_full",
		.cpu = hole->cpu,
		.from_boot_ns = hole->from_boot_ns,
		.to_boot_ns = hole->to_boot_ns,
		.first_seq = (int64_t)hole->first,
		.last_seq = (int64_t)hole->last,
		.lost = (int64_t)hole->missing,
		.recovered = (int64_t)hole->recovered,
		.detail = hole->missing && hole->passes < LEDGER_PASSES ? "being looked for" : NULL,
	};
	int result;

	if (!hole->changed)
		return 0;
	/* All of it has only been late. */
	if (!hole->missing && !hole->recovered)
		return hole->gap_id ? store_gap_delete(&r->store, hole->gap_id) : 0;
	result = store_gap(&r->store, &gap);
	hole->gap_id = gap.gap_id;
	return result;
}

/* Nobody recorded between the last run and this one, unless the programs went on meanwhile. */
static int note_downtime(struct recorder *r)
{
	struct store_gap gap = {
		.cause = "recorder_down",
		.cpu = ROW_NONE,
		.to_boot_ns = clock_boot_ns(),
		.first_seq = ROW_NONE,
		.last_seq = ROW_NONE,
		.lost = ROW_NONE,
	};
	int result;

	if (r->probe->adopted)
		return 0;
	/* Before the first run of all nobody promised anything. */
	result = store_last_life(&r->store, &gap.from_boot_ns);
	return result > 0 ? store_gap(&r->store, &gap) : result;
}

int recover_runs(struct recorder *r)
{
	int result = note_downtime(r);

	return result < 0 ? result : store_close_runs(&r->store, r->probe->adopted);
}

/* How often the whole node may be looked at for the sake of one unknown process. */
#define LOOK_INTERVAL_NS 100000000ULL
/* Longest chain of unknown ancestors that is followed. */
#define LOOK_DEPTH 256

/*
 * A process that is met for the first time and that the programs know nothing of: outside of what
 * is recorded. It and its ancestors are looked up among what runs now; if it has gone, its key is
 * all that can be told.
 */
int recover_from_node(struct recorder *r, struct process *p)
{
	struct snapshot snapshot = {0};
	struct snapshot_entry *e;
	uint64_t now = clock_boot_ns();
	int result = 0;

	if (r->looking) {
		e = r->look_depth < LOOK_DEPTH ? snapshot_find(r->looking, &p->key) : NULL;
		if (!e)
			return 0;
		r->look_depth++;
		result = apply_snapshot(r, p, e);
		r->look_depth--;
		return result;
	}
	if (now - r->looked_boot_ns < LOOK_INTERVAL_NS || snapshot_take(&snapshot, r->probe) < 0)
		return 0;
	r->looked_boot_ns = now;
	r->looking = &snapshot;
	e = snapshot_find(&snapshot, &p->key);
	if (e)
		result = apply_snapshot(r, p, e);
	r->looking = NULL;
	snapshot_deinit(&snapshot);
	return result;
}

/* Live in the book, but not on the node any more, and no record tells of an end. */
static void infer_ends(struct recorder *r, const struct snapshot *snapshot, uint64_t taken_boot_ns)
{
	struct process *p, *next;

	HASH_ITER(hh, r->book.table, p, next)
	{
		if (p->end != PROVENANCE_NONE || p->key.start_boot_ns >= taken_boot_ns)
			continue;
		if (snapshot_find(snapshot, &p->key))
			continue;
		p->end = PROVENANCE_INFERRED;
		p->end_after_ns = (int64_t)(taken_boot_ns - p->key.start_boot_ns);
		r->counters.inferred++;
		book_change(&r->book, p);
	}
}

/* It was taken for ended, and runs. */
static void revive(struct recorder *r, struct process *p)
{
	p->end = PROVENANCE_NONE;
	p->end_after_ns = p->end_cpu = p->end_seq = p->end_parent_id = p->status = ROW_NONE;
	book_change(&r->book, p);
}

static int apply_all(struct recorder *r, struct snapshot *snapshot)
{
	int result = 0;

	r->looking = snapshot;
	for (size_t i = 0; result == 0 && i < snapshot->count; i++) {
		struct snapshot_entry *e = &snapshot->entries[i];
		struct process *p;

		if (!e->wanted)
			continue;
		result = find_process(r, &e->record.header.process, &p);
		if (result == 0 && p->end == PROVENANCE_INFERRED)
			revive(r, p);
	}
	r->looking = NULL;
	return result;
}

/* How often the ends that were lost are looked for: it takes a look at every process. */
#define ENDS_INTERVAL_NS (10ULL * 1000 * 1000 * 1000)

int recover_ends(struct recorder *r)
{
	uint64_t lost = r->ledger.given_up + r->missed, taken = clock_boot_ns(), until;
	struct snapshot snapshot = {0};
	int result;

	if (lost == r->ends_lost || r->stale || taken - r->ends_boot_ns < ENDS_INTERVAL_NS)
		return 0;
	r->ends_boot_ns = taken;
	if (snapshot_take(&snapshot, r->probe) < 0)
		return 0;
	/* Ends that are still in the ring are known better from there. */
	until = ring_produced(&r->ring);
	result = recorder_read_to(r, until);
	if (result == 0 && r->ring.cursor >= until) {
		infer_ends(r, &snapshot, taken);
		r->ends_lost = lost;
		result = recorder_batch(r);
	}
	snapshot_deinit(&snapshot);
	return result < 0 ? result : 0;
}

int recover_snapshot(struct recorder *r)
{
	struct snapshot snapshot = {0};
	uint64_t taken = clock_boot_ns();
	int result = snapshot_take(&snapshot, r->probe);

	if (result == 0)
		result = recorder_transaction(r, (int (*)(struct recorder *, void *))apply_all,
					      &snapshot);
	/* What ended before the snapshot has its record in the ring, or in process_cache. */
	if (result == 0)
		result = recorder_read_to(r, ring_produced(&r->ring));
	if (result == 0)
		result = recorder_tick(r);
	if (result == 0) {
		infer_ends(r, &snapshot, taken);
		result = recorder_batch(r);
	}
	snapshot_deinit(&snapshot);
	return result < 0 ? result : 0;
}
