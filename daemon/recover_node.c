/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the node itself tells, where no record and no entry of process_cache does: who runs now, and
 * so who does not any more. Not here: what was lost on the way (recover.c).
 */
#include "daemon/recorder.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/snapshot.h"
#include "daemon/store_load.h"

/* How often the whole node may be looked at for the sake of unknown processes. */
#define LOOK_INTERVAL_NS 100000000ULL
/* Longest chain of unknown ancestors that is followed. */
#define LOOK_DEPTH 256
/* Unknown ones that are looked for at the next look; more stay unknown. 32 bytes each. */
#define UNKNOWN_MAX 65536
/* Generations of children that are taught in one go. */
#define TEACH_MAX 64

bool recover_unknown_is_due(const struct recorder *r)
{
	return r->unknown_count > 0 && !r->looking &&
	       clock_boot_ns() >= r->looked_boot_ns + LOOK_INTERVAL_NS;
}

static bool is_unknown(const struct process *p)
{
	return p->end == PROVENANCE_NONE &&
	       (p->birth == PROVENANCE_INFERRED ||
		(p->birth == PROVENANCE_SNAPSHOT && p->image.provenance == PROVENANCE_NONE));
}

static int list_unknown(struct recorder *r, const struct recorder_unknown *unknown)
{
	size_t n = r->unknown_count;

	/* Room is made whenever their number reaches a power of two. */
	if (n == UNKNOWN_MAX)
		return 0;
	if ((n & (n - 1)) == 0) {
		void *more = reallocarray(r->unknown, n ? 2 * n : 1, sizeof(*r->unknown));

		if (!more)
			return -ENOMEM;
		r->unknown = more;
	}
	r->unknown[r->unknown_count++] = *unknown;
	return 0;
}

int recover_doubt(struct recorder *r, const struct process *p, const struct process *creator)
{
	int result = 0;

	/* Where everything is recorded, the exec was lost: process_cache knows better. */
	if (!r->probe->control->filter || r->looking || !p->image.exec_id)
		return 0;
	if (creator)
		result = list_unknown(r, &(struct recorder_unknown){
						 .key = creator->key,
						 .since_boot_ns = p->key.start_boot_ns,
						 .exec_id = p->image.exec_id,
					 });
	return result == 0 ? list_unknown(r, &(struct recorder_unknown){.key = p->key}) : result;
}

int recover_list_unknown(struct recorder *r)
{
	struct process *p, *next;
	int result = 0;

	r->unknown_count = r->taught_count = 0;
	HASH_ITER(hh, r->book.table, p, next)
	{
		if (result == 0 && is_unknown(p))
			result = list_unknown(r, &(struct recorder_unknown){.key = p->key});
	}
	return result;
}

int recover_taught(struct recorder *r, struct process *p)
{
	if (r->taught_count == r->taught_size) {
		size_t size = r->taught_size ? 2 * r->taught_size : 64;
		void *more = reallocarray(r->taught, size, sizeof(*r->taught));

		if (!more)
			return -ENOMEM;
		r->taught = more;
		r->taught_size = size;
	}
	r->taught[r->taught_count++] = p;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct process *x = *(struct process *const *)a, *y = *(struct process *const *)b;

	return x->process_id < y->process_id ? -1 : x->process_id > y->process_id;
}

/* NULL if p runs something of its own, or what it should. */
static const struct process *teacher_of(const struct recorder *r, const struct process *p,
					size_t count)
{
	struct process wanted = {.process_id = p->creator_id}, *key = &wanted, **found;

	if (p->image.provenance != PROVENANCE_NONE || !p->image.exec_id)
		return NULL;
	if (wanted.process_id == ROW_NONE)
		wanted.process_id = p->parent_id;
	found = bsearch(&key, r->taught, count, sizeof(*r->taught), by_id);
	/* exec_id tells whether it has begotten p before or after that exec. */
	return found && (*found)->image.exec_id == p->image.exec_id &&
			       (*found)->image.image != p->image.image
		       ? *found
		       : NULL;
}

int recover_teach(struct recorder *r)
{
	int result = 0;

	for (int i = 0; i < TEACH_MAX && result == 0 && r->taught_count > 0; i++) {
		size_t count = r->taught_count;
		struct process *p, *next;

		qsort(r->taught, count, sizeof(*r->taught), by_id);
		HASH_ITER(hh, r->book.table, p, next)
		{
			const struct process *teacher = result == 0 ? teacher_of(r, p, count)
								    : NULL;

			if (!teacher)
				continue;
			result = apply_inherited(r, p, teacher);
			if (result == 0)
				result = recover_taught(r, p);
		}
		/* Next those who have just been taught. */
		r->taught_count -= count;
		memmove(r->taught, r->taught + count, r->taught_count * sizeof(*r->taught));
	}
	r->taught_count = 0;
	return result;
}

void recover_watch(struct recorder *r, const struct lineage_snapshot *s)
{
	struct lineage_process kept = {
		.parent = s->parent,
		.current_parent = s->parent,
		.ids = s->ids,
		.exec_id = s->exec_id,
		.flags = s->flags,
	};

	memcpy(kept.comm, s->comm, sizeof(kept.comm));
	/* An ancestor must not seem to live for ever. */
	bpf_map_update_elem(r->probe->maps[PROBE_MAP_CACHE], &s->header.process, &kept,
			    BPF_NOEXIST);
}

static void infer_end(struct recorder *r, struct process *p, uint64_t taken_boot_ns)
{
	p->end = PROVENANCE_INFERRED;
	p->end_after_ns = (int64_t)(taken_boot_ns - p->key.start_boot_ns);
	r->counters.inferred++;
	book_change(&r->book, p);
}

/*
 * Met by its key alone, and not among those that run: the programs tell of an end only if they knew
 * of the process by then. `noted`: it was made known to them, maybe too late. Who is about to end
 * is not among those that run either, and has its record still to come.
 */
static void end_unseen(struct recorder *r, struct process *p, bool noted)
{
	struct lineage_process kept;
	bool is_kept = recover_lookup(r, &p->key, &kept) == 0;

	if (is_kept && (!noted || kept.known & 1u << LINEAGE_EXIT))
		return;
	if (p->end != PROVENANCE_NONE || p->key.start_boot_ns >= r->looked_boot_ns ||
	    snapshot_still_runs("", &p->key))
		return;
	infer_end(r, p, r->looked_boot_ns);
	if (is_kept)
		bpf_map_delete_elem(r->probe->maps[PROBE_MAP_CACHE], &p->key);
}

static int meet(struct recorder *r, struct process *p, struct snapshot_entry *e)
{
	int result = apply_snapshot(r, p, e);

	if (result == 0 && e->gone && !e->record.included)
		end_unseen(r, p, true);
	return result;
}

/* Whether the programs have seen the exec that made it this: then there is a record of it. */
static bool is_told(struct recorder *r, const struct process *p, uint32_t exec_id)
{
	struct lineage_process kept;

	return recover_lookup(r, &p->key, &kept) == 0 && kept.known & 1u << LINEAGE_EXEC &&
	       kept.exec_id >= exec_id;
}

/* It was born with something that its creator is not known to have run. */
static bool is_unchanged(const struct process *p, const struct snapshot_entry *e)
{
	return p->image.provenance == PROVENANCE_NONE && p->image.image == ROW_NONE &&
	       p->image.exec_id && p->image.exec_id == e->record.exec_id;
}

static bool has_moved_on(struct recorder *r, const struct process *p,
			 const struct recorder_unknown *unknown, const struct snapshot_entry *e)
{
	return unknown->exec_id && p->image.exec_id < e->record.exec_id &&
	       !is_told(r, p, e->record.exec_id);
}

/* The first moment at which it is known to have run this. */
static uint64_t known_since(const struct recorder *r, const struct snapshot_entry *e)
{
	uint64_t since = r->looked_boot_ns;

	for (size_t i = 0; i < r->unknown_count; i++) {
		const struct recorder_unknown *u = &r->unknown[i];

		if (u->exec_id == e->record.exec_id && u->since_boot_ns < since &&
		    memcmp(&u->key, &e->record.header.process, sizeof(u->key)) == 0)
			since = u->since_boot_ns;
	}
	return since;
}

/* Not there any more: what process_cache knows. */
static int look_back(struct recorder *r, struct process *p)
{
	struct lineage_process kept;

	if (p->birth == PROVENANCE_INFERRED && recover_lookup(r, &p->key, &kept) == 0)
		return recover_birth(r, p, &kept);
	if (is_unknown(p))
		end_unseen(r, p, false);
	return 0;
}

static int look_for(struct recorder *r, struct process *p, const struct recorder_unknown *unknown)
{
	struct snapshot_entry *e = snapshot_find(r->looking, &p->key);
	int result;

	if (!e)
		return look_back(r, p);
	if (is_unknown(p))
		result = meet(r, p, e);
	else if (is_unchanged(p, e))
		result = apply_unchanged(r, p, e);
	else if (has_moved_on(r, p, unknown, e))
		result = apply_moved_on(r, p, e, known_since(r, e));
	else
		return 0;
	return result == 0 ? recover_taught(r, p) : result;
}

static bool is_wanted(struct recorder *r, const struct recorder_unknown *unknown,
		      const struct snapshot_entry *e)
{
	const struct process *p = book_find(&r->book, &unknown->key);

	return p && p->end == PROVENANCE_NONE &&
	       (is_unknown(p) || is_unchanged(p, e) || has_moved_on(r, p, unknown, e));
}

/* What /proc says of whom will be told of. False: of nobody. */
static bool look_ahead(struct recorder *r, struct snapshot *snapshot)
{
	bool looked = false;

	for (size_t i = 0; i < r->unknown_count; i++) {
		struct snapshot_entry *e = snapshot_find(snapshot, &r->unknown[i].key);

		if (e && !is_wanted(r, &r->unknown[i], e))
			continue;
		/* And its ancestors, up to those that have been met. */
		for (int depth = 0; e && !e->looked && depth < LOOK_DEPTH; depth++) {
			looked = true;
			snapshot_look(e, "");
			/* Before it is seen once more: then its end comes after this. */
			if (!e->record.included)
				recover_watch(r, &e->record);
			e = book_find(&r->book, &e->record.parent)
				    ? NULL
				    : snapshot_find(snapshot, &e->record.parent);
		}
	}
	return looked;
}

/*
 * Who runs, with the exec by which it came to that, and what /proc says that this is. Between the
 * two it may have called exec once more, which would be told as the exec before for ever: so the
 * first is asked again.
 */
static int take_confirmed(struct recorder *r, struct snapshot *snapshot)
{
	struct snapshot later = {0};
	int result = snapshot_take(snapshot, r->probe);

	if (result < 0 || !look_ahead(r, snapshot))
		return result;
	result = snapshot_take(&later, r->probe);
	if (result == 0)
		snapshot_confirm(snapshot, &later);
	else
		snapshot_deinit(snapshot);
	snapshot_deinit(&later);
	return result;
}

int recover_unknown(struct recorder *r)
{
	struct snapshot snapshot = {0};
	int result = 0;

	if (!recover_unknown_is_due(r))
		return 0;
	r->looked_boot_ns = clock_boot_ns();
	if (take_confirmed(r, &snapshot) < 0)
		return 0;
	r->looking = &snapshot;
	for (size_t i = 0; result == 0 && i < r->unknown_count; i++) {
		const struct recorder_unknown unknown = r->unknown[i];
		struct process *p = book_find(&r->book, &unknown.key);

		if (p && p->end == PROVENANCE_NONE)
			result = look_for(r, p, &unknown);
	}
	r->looking = NULL;
	r->unknown_count = 0;
	snapshot_deinit(&snapshot);
	return result == 0 ? recover_teach(r) : result;
}

/*
 * A process that is met for the first time and of which the programs have seen nothing: outside of
 * what is recorded, or moved into it. It and its ancestors are looked up among what runs now.
 */
int recover_from_node(struct recorder *r, struct process *p)
{
	struct snapshot_entry *e;
	int result;

	if (!r->looking) {
		result = list_unknown(r, &(struct recorder_unknown){.key = p->key});
		return result == 0 ? recover_unknown(r) : result;
	}
	e = r->look_depth < LOOK_DEPTH ? snapshot_find(r->looking, &p->key) : NULL;
	if (!e) {
		end_unseen(r, p, false);
		return 0;
	}
	r->look_depth++;
	result = meet(r, p, e);
	r->look_depth--;
	return result;
}

/*
 * Live in the book, but not on the node any more, and no record tells of an end. The snapshot
 * leaves out who is about to end; that may take seconds, and then it has a record.
 */
static void infer_ends(struct recorder *r, const struct snapshot *snapshot, uint64_t taken_boot_ns)
{
	struct process *p, *next;

	HASH_ITER(hh, r->book.table, p, next)
	{
		if (p->end != PROVENANCE_NONE || p->key.start_boot_ns >= taken_boot_ns)
			continue;
		if (snapshot_find(snapshot, &p->key) || snapshot_still_runs("", &p->key))
			continue;
		infer_end(r, p, taken_boot_ns);
	}
}

/* It was taken for ended, and runs. */
static void revive(struct recorder *r, struct process *p)
{
	p->end = PROVENANCE_NONE;
	p->end_after_ns = p->end_cpu = p->end_seq = p->end_parent_id = p->status = ROW_NONE;
	book_change(&r->book, p);
}

static const char snapshot_fact[] = "snapshot";

static int apply_all(struct recorder *r, struct snapshot *snapshot)
{
	const int64_t met[2] = {(int64_t)r->looked_boot_ns, r->store.next_process};
	int result = store_fact(&r->store, snapshot_fact, met, 2);

	r->looking = snapshot;
	for (size_t i = 0; result == 0 && i < snapshot->count; i++) {
		struct snapshot_entry *e = &snapshot->entries[i];
		struct process *p;

		if (!e->wanted)
			continue;
		result = recover_process(r, &e->record.header.process, &p);
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
	uint64_t lost = r->ledger.given_up + r->misses.lost, taken = clock_boot_ns(), until;
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
		result = recorder_batch(r);
		if (result >= 0)
			r->ends_lost = lost;
	}
	snapshot_deinit(&snapshot);
	return result < 0 ? result : 0;
}

int recover_snapshot(struct recorder *r)
{
	struct snapshot snapshot = {0};
	uint64_t taken = clock_boot_ns();
	int result;

	r->looked_boot_ns = taken;
	result = snapshot_take(&snapshot, r->probe);

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

int recover_read_snapshot(struct recorder *r)
{
	int64_t met[2];
	int result = store_read_fact(&r->store, snapshot_fact, met, 2);

	r->snapshot_boot_ns = result > 0 ? (uint64_t)met[0] : 0;
	r->snapshot_first = result > 0 ? met[1] : INT64_MAX;
	return result < 0 ? result : 0;
}
