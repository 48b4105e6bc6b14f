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

/* argv's prefix with its NULs back where they were. */
static void restore_args(const struct lineage_process *kept, char args[LINEAGE_CACHE_ARGS_LEN])
{
	memcpy(args, kept->args, LINEAGE_CACHE_ARGS_LEN);
	for (int i = 0; i < LINEAGE_CACHE_ARGS_LEN; i++)
		if (kept->args_breaks[i / 8] & 1u << (i % 8))
			args[i] = 0;
}

static int kept_image(struct recorder *r, const struct lineage_process *kept,
		      struct image_state *image)
{
	char args[LINEAGE_CACHE_ARGS_LEN];
	uint32_t n = kept->args_total < sizeof(args) ? kept->args_total : sizeof(args) - 1;
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

	/* One that just fits looks the same; better said of that, too. */
	if (ii.filename.length >= sizeof(kept->binary) - 1)
		ii.flags |= LINEAGE_FILENAME_TRUNCATED;
	restore_args(kept, args);
	memcpy(ii.comm, kept->comm, sizeof(ii.comm));
	memcpy(image->image_comm, kept->comm, sizeof(image->image_comm));
	return intern_image(&r->intern, &ii, &image->image);
}

/*
 * What it ran at that time, as far as its execs have been told of. exec_id: that of a child of
 * then; 0: unknown.
 */
static int image_at(struct recorder *r, const struct process *p, uint64_t boot_ns, uint32_t exec_id,
		    struct image_state *ret_image)
{
	uint64_t since = p->key.start_boot_ns;

	if (p->image.after_ns != ROW_NONE)
		since += (uint64_t)p->image.after_ns;
	if (since > boot_ns)
		return store_read_image_at(&r->store, p->process_id, boot_ns, ret_image);
	*ret_image = p->image;
	if (!apply_begot_with(r, p, exec_id))
		ret_image->image = ret_image->cwd = ROW_NONE;
	return 0;
}

/* 1: the same file and as many arguments. */
static int is_alike(struct recorder *r, int64_t image, const struct lineage_process *kept)
{
	struct store_file f;
	int result = image == ROW_NONE ? 0 : store_read_file(&r->store, image, &f);

	if (result <= 0)
		return result;
	return f.dev == kept->dev && f.inode == (int64_t)kept->inode &&
	       f.args_bytes == kept->args_total;
}

/*
 * What a child ran when it was born. Its creator may have gone on to something else since, and what
 * that ran meanwhile may never have been told of; the entry began as a copy of the parent's.
 */
static int starting_image(struct recorder *r, const struct lineage_key *key,
			  const struct lineage_process *kept, struct image_state *image)
{
	const struct process *creator = book_find(&r->book, &kept->creator);
	bool is_copy = memcmp(&kept->creator, &kept->parent, sizeof(kept->parent)) == 0 &&
		       kept->inode && !is_known(kept, LINEAGE_EXEC);
	/* Its own exec has put another in the place of that which it was born with. */
	uint32_t exec_id = is_known(kept, LINEAGE_EXEC) ? 0 : kept->exec_id;
	int result = 0;

	if (creator && exec_id && creator->image.exec_id == exec_id) {
		*image = creator->image;
		return 0;
	}
	if (creator)
		result = image_at(r, creator, key->start_boot_ns, exec_id, image);
	if (result == 0 && is_copy)
		result = is_alike(r, image->image, kept);
	else if (result == 0)
		return 0;
	if (result < 0 || result > 0)
		return result < 0 ? result : 0;
	image->cwd = ROW_NONE;
	return kept_image(r, kept, image);
}

int recover_birth(struct recorder *r, struct process *p, const struct lineage_process *kept)
{
	struct image_state image = {.image = ROW_NONE, .cwd = ROW_NONE};
	bool seen = is_known(kept, LINEAGE_FORK);
	int64_t creator_id;
	struct lineage_fork f = {
		.header = {.kind = LINEAGE_FORK,
			   .cpu = (uint16_t)kept->fork_cpu,
			   .seq = kept->fork_seq,
			   .boot_ns = p->key.start_boot_ns,
			   .process = p->key},
		.parent = kept->parent,
		.creator = seen ? kept->creator : kept->parent,
		.ids = kept->ids,
		.exec_id = is_known(kept, LINEAGE_EXEC) ? 0 : kept->exec_id,
	};
	int result = 0;

	memcpy(f.comm, kept->comm, sizeof(f.comm));
	/* One that was there before has long been something else than its parent. */
	if (seen)
		result = apply_process_id(r, &f.creator, &creator_id);
	if (result == 0 && seen)
		result = starting_image(r, &p->key, kept, &image);
	if (result == 0)
		result = apply_birth(r, p, &f, seen ? PROVENANCE_RECOVERED : PROVENANCE_SNAPSHOT,
				     &image);
	if (result < 0)
		return result;
	if (!seen)
		p->fork_cpu = p->fork_seq = ROW_NONE;
	else if (ledger_recover(&r->ledger, (int)kept->fork_cpu, kept->fork_seq))
		r->counters.recovered++;
	return 0;
}

/*
 * The parent at the exec is known as long as no end has been noted over it. Then it is the one at
 * birth if that still was the parent at the end; else nothing tells, and 0 is the best guess.
 */
static int exec_parent(struct recorder *r, const struct process *p,
		       const struct lineage_process *kept, int64_t *ret_id)
{
	int64_t id;
	int result;

	*ret_id = ROW_SAME;
	if (is_known(kept, LINEAGE_EXIT))
		return 0;
	result = apply_process_id(r, &kept->current_parent, &id);
	if (result == 0 && id != p->parent_id)
		*ret_id = id;
	return result;
}

static int recover_exec(struct recorder *r, struct process *p, const struct lineage_process *kept)
{
	struct image_state image = {
		.provenance = PROVENANCE_RECOVERED,
		.comm = ROW_NONE,
		.cwd = ROW_NONE,
		.cpu = kept->exec_cpu,
		.seq = (int64_t)kept->exec_seq,
		.after_ns = (int64_t)(kept->exec_boot_ns - p->key.start_boot_ns),
		.pgid = process_group(&kept->ids, p->key.pid),
		.exec_id = kept->exec_id,
	};
	int result = 0;

	if (p->image.provenance != PROVENANCE_NONE)
		result = store_exec(&r->store, p, &p->image);
	if (result == 0)
		result = kept_image(r, kept, &image);
	if (result == 0)
		result = intern_context(&r->intern, &kept->ids, &image.context);
	if (result == 0)
		result = exec_parent(r, p, kept, &image.parent_id);
	if (result < 0)
		return result;
	if (image.context == p->context)
		image.context = ROW_SAME;
	p->image = image;
	book_change(&r->book, p);
	return recover_taught(r, p);
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

int recover_process(struct recorder *r, const struct lineage_key *key, struct process **ret_process)
{
	int result = apply_process(r, key, ret_process);

	if (result <= 0)
		return result;
	result = store_read_process(&r->store, key, book_add_stored, &r->book);
	if (result < 0)
		return result;
	*ret_process = book_find(&r->book, key);
	if (!*ret_process)
		return SCHEMA_E_NOT_DB; /* found a moment ago */
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
	result = recover_process(r, key, &p);
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
int recover_note_misses(struct recorder *r)
{
	struct probe_misses misses;
	uint32_t program;

	if (probe_misses(r->probe, &misses) < 0 || probe_program_id(r->probe, &program) < 0)
		return 0;
	return recover_count_misses(r, program, &misses);
}

static const char misses_fact[] = "program_missed";

/* What the fact says: see read_misses(). */
#define MISSES_NUMBERS (3 + 3 * PROBE_PAIRS)

static int read_misses(struct recorder *r)
{
	int64_t n[MISSES_NUMBERS];
	struct misses *m = &r->misses;
	int result = store_read_fact(&r->store, misses_fact, n, MISSES_NUMBERS);

	if (result <= 0)
		return result;
	m->program = (uint32_t)n[0];
	m->boot_ns = (uint64_t)n[1];
	m->lost = (uint64_t)n[2];
	for (int i = 0; i < PROBE_PAIRS; i++) {
		m->seen.of[i].unsent = (uint64_t)n[3 + 3 * i];
		m->seen.of[i].spare = (uint64_t)n[4 + 3 * i];
		m->unpaired[i] = (uint64_t)n[5 + 3 * i];
	}
	return 0;
}

static int write_misses(struct recorder *r)
{
	const struct misses *m = &r->misses;
	int64_t n[MISSES_NUMBERS] = {m->program, (int64_t)m->boot_ns, (int64_t)m->lost};

	for (int i = 0; i < PROBE_PAIRS; i++) {
		n[3 + 3 * i] = (int64_t)m->seen.of[i].unsent;
		n[4 + 3 * i] = (int64_t)m->seen.of[i].spare;
		n[5 + 3 * i] = (int64_t)m->unpaired[i];
	}
	return store_fact(&r->store, misses_fact, n, MISSES_NUMBERS);
}

/*
 * From where the count goes on, and from when. Programs that this database has never asked begin at
 * 0, unless they are older than the database.
 */
static int begin_misses(struct recorder *r, uint32_t program, const struct probe_misses *now,
			uint64_t *ret_from)
{
	struct misses *m = &r->misses;
	int result = m->program ? 0 : read_misses(r);

	*ret_from = m->boot_ns;
	if (result < 0 || m->program == program)
		return result;
	if (!r->probe->adopted && *ret_from < r->options.run.started_boot_ns)
		*ret_from = r->options.run.started_boot_ns;
	m->seen = !m->program && r->probe->adopted ? *now : (struct probe_misses){0};
	memset(m->unpaired, 0, sizeof(m->unpaired));
	return 0;
}

int recover_count_misses(struct recorder *r, uint32_t program, const struct probe_misses *now)
{
	struct store_gap gap = {
		.cause = GAP_PROGRAM_MISSED,
		.cpu = ROW_NONE,
		.to_boot_ns = clock_boot_ns(),
		.first_seq = ROW_NONE,
		.last_seq = ROW_NONE,
	};
	int result = begin_misses(r, program, now, &gap.from_boot_ns);

	if (result < 0)
		return result;
	gap.lost = (int64_t)misses_count(&r->misses, now);
	r->misses.program = program;
	r->misses.boot_ns = gap.to_boot_ns;
	result = write_misses(r);
	return result == 0 && gap.lost > 0 ? store_gap(&r->store, &gap) : result;
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
	return result == 0 ? recover_teach(r) : result;
}

int recover_write_hole(struct recorder *r, struct ledger_hole *hole)
{
	struct store_gap gap = {
		.gap_id = hole->gap_id,
		.cause = GAP_RING_FULL,
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

int recover_note_absence(struct recorder *r, const char *cause, bool first_too)
{
	struct store_gap gap = {
		.cause = cause,
		.cpu = ROW_NONE,
		.to_boot_ns = clock_boot_ns(),
		.first_seq = ROW_NONE,
		.last_seq = ROW_NONE,
		.lost = ROW_NONE,
	};
	int result = store_last_life(&r->store, &gap.from_boot_ns);

	return result > 0 || (result == 0 && first_too) ? store_gap(&r->store, &gap) : result;
}

/* Nobody recorded between the last run and this one, unless the programs went on meanwhile. */
static int note_downtime(struct recorder *r)
{
	/* Before the first run of all nobody promised anything. */
	return r->probe->adopted ? 0 : recover_note_absence(r, GAP_RECORDER_DOWN, false);
}

int recover_runs(struct recorder *r)
{
	int result = note_downtime(r);

	return result < 0 ? result : store_close_runs(&r->store, r->probe->adopted);
}
