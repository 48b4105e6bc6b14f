/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the ring to committed rows, in batches: one batch is one transaction.
 *
 * The ring is the write-ahead log. A batch reads records, applies them to the book, writes what has
 * changed together with the ring position, commits, and only then gives the room in the ring back.
 * A failed batch is rolled back, and everything held in memory is read again from the database, the
 * ring from the committed position: the same way as after a crash, so there is only one way.
 *
 * recorder.c is the batch; reload.c is what is read back; apply.c is what each record means, and
 * apply_snapshot.c a look at the node; recover.c is what loss leaves to do, recover_node.c what
 * only the node knows.
 */
#ifndef LINEAGED_RECORDER_H
#define LINEAGED_RECORDER_H

#include "daemon/book.h"
#include "daemon/clock.h"
#include "daemon/intern.h"
#include "daemon/leaving.h"
#include "daemon/ledger.h"
#include "daemon/misses.h"
#include "daemon/overflow.h"
#include "daemon/probe.h"
#include "daemon/ring.h"
#include "daemon/store.h"
#include "daemon/switchover.h"

struct snapshot;

struct recorder_counters {
	uint64_t forks, execs, exits, cgroups, exec_failures; /* records applied */
	uint64_t batches, committed;			      /* transactions; records in them */
	uint64_t malformed;	      /* records that decode_record() refused */
	uint64_t recovered, inferred; /* rows made without their event */
	uint64_t failures;	      /* batches rolled back */
	uint64_t cache_freed;
	uint64_t longest_hold_ns; /* between two releases of the ring while there was something in
				     it */
};

/* What was recorded in this boot before what the ring holds. */
enum recorder_before {
	BEFORE_STORED,	  /* is in this database, with its gaps */
	BEFORE_ELSEWHERE, /* went to another database */
	BEFORE_GONE,	  /* was in a ring that is gone */
};

struct recorder_options {
	const char *database;
	const char *root;
	uint64_t batch_max;	/* records per transaction */
	uint64_t cache_keep_ns; /* how long an entry of process_cache stays after the end */
	uint64_t cache_entries;
	uint64_t carried_boot_ns; /* until when entries of another cache were put into this one */
	uint32_t v1_hierarchy;
	uint64_t overflow_bytes;	/* of what the ring may be moved to; 0: it is not */
	const char *overflow_directory; /* of its pins; NULL: none */
	uint64_t switchover_ns; /* when the programs of the ring that is read next took over */
	struct store_run run;
};

/* Who is to be looked for among those that run. */
struct recorder_unknown {
	struct lineage_key key;
	/* What a child tells of a creator that has called exec unseen; 0: it is not known at all.
	 */
	uint64_t since_boot_ns;
	uint32_t exec_id;
};

struct recorder {
	struct recorder_options options;
	struct probe *probe;
	struct ring ring;
	struct overflow overflow;
	struct store store;
	struct intern intern;
	struct book book;
	struct ledger ledger;
	struct clock_state clock;
	struct recorder_counters counters;
	uint64_t committed_position; /* of the ring */
	uint64_t batch_position;     /* end of what the open transaction holds */
	struct leaving leaving;
	struct switchover switchover;
	struct lineage_key *free_keys; /* of process_cache, to be deleted in one call */
	bool stale;		 /* memory is not what the database says: see recorder_reload() */
	uint64_t reload_boot_ns; /* when it last became that: it knows of no end before */
	enum recorder_before before;
	struct snapshot *looking; /* what runs now, while unknown processes are looked up in it */
	bool sweep_due;		  /* process_cache may hold entries that nobody would free */
	int look_depth;
	uint64_t looked_boot_ns;
	struct recorder_unknown *unknown; /* still to be looked for */
	size_t unknown_count;
	struct process **taught; /* whose children are still to be told what it runs */
	size_t taught_count, taught_size;
	/* The last snapshot of all, as of the database: when, and the first process that it met. */
	uint64_t snapshot_boot_ns;
	int64_t snapshot_first;
	struct misses misses;
	uint64_t ends_lost; /* events that may have been ends, as of the last look for these */
	uint64_t ends_boot_ns;
	size_t most_held;	/* processes, since memory was last given back */
	uint64_t rested;	/* records committed when there was last nothing to do */
	uint64_t alive_boot_ns; /* when a sign of life was last written */
	uint64_t read_boot_ns;	/* all that happened before has been read: what that sign says */
};

int recorder_init(struct recorder *r, const struct recorder_options *options, struct probe *probe);
void recorder_deinit(struct recorder *r);

/* Opens the database and reads back the state of this boot. */
int recorder_open(struct recorder *r);
void recorder_close(struct recorder *r);

/*
 * The recorder was opened on programs of another layout, which are detached by now: writes what
 * their ring still holds and goes on with `probe`.
 */
int recorder_take_over(struct recorder *r, struct probe *probe);

/*
 * The processes that run now: rows for those that are new, inferred ends for those that have gone.
 * After attach, before the first batch.
 */
int recover_snapshot(struct recorder *r);

/*
 * Processes whose end was lost for good would live for ever: infers the ends of those that do not
 * run any more. Does nothing where nothing was lost.
 */
int recover_ends(struct recorder *r);

/* One batch. 1: there is more to read; 0: the ring was read to its end; negative: rolled back. */
int recorder_batch(struct recorder *r);

/* Batches until the ring has been read to this position, or to its end. */
int recorder_read_to(struct recorder *r, uint64_t position);

/* What comes with time: recovery of holes, freeing of process_cache, sign of life, clock steps. */
int recorder_tick(struct recorder *r);

/* Gives back entries of process_cache whose end is committed. Cheap; call it after batches. */
void recorder_free_cache(struct recorder *r);

/* What is in the ring by now, and the end of this run. `how`: see recorder_row.ended. */
int recorder_finish(struct recorder *r, const char *how);

/* Inside: shared by recorder.c, apply.c and recover.c. */

/* Applies one checked record. Errors are the database's or -ENOMEM. */
int apply_record(struct recorder *r, int kind, const void *bytes);

/*
 * The process of a key, made from process_cache or as a stub if it is not known. 1: it has ended
 * long ago and has left the book.
 */
int apply_process(struct recorder *r, const struct lineage_key *key, struct process **ret_process);

/* The id of a process that is only pointed at; made if need be. ROW_NONE for pid 0. */
int apply_process_id(struct recorder *r, const struct lineage_key *key, int64_t *ret_id);

/*
 * Fork, exit and a process that runs, with how that is known. f->creator is who called clone: what
 * its child starts with is the creator's, whoever the parent is. image: what that was; NULL: what
 * the creator runs now.
 */
int apply_birth(struct recorder *r, struct process *p, const struct lineage_fork *f,
		enum provenance provenance, const struct image_state *image);
/*
 * Whether the image that the book has of a creator is the one that a child with this exec_id starts
 * with. An exec outside of the filters is not told of, nor one that is lost. An image that was read
 * back has no exec_id: then, what a snapshot found may have been left since.
 */
bool apply_begot_with(const struct recorder *r, const struct process *creator, uint32_t exec_id);
/* What p's creator ran at the birth of p has only been learned now. */
int apply_inherited(struct recorder *r, struct process *p, const struct process *creator);
/* What was told as "same as at birth" keeps its meaning when another birth is learned. */
void apply_detach_from_birth(struct process *p);
int apply_end(struct recorder *r, struct process *p, const struct lineage_exit *e,
	      enum provenance provenance);
struct snapshot_entry;
int apply_snapshot(struct recorder *r, struct process *p, struct snapshot_entry *entry);
/* p runs something else than the book says, and has done so at since_boot_ns. */
int apply_moved_on(struct recorder *r, struct process *p, struct snapshot_entry *entry,
		   uint64_t since_boot_ns);
/* p has not called exec: what it runs is what it was born with. */
int apply_unchanged(struct recorder *r, struct process *p, struct snapshot_entry *entry);

/* Memory becomes what the database says; what was not committed is read from the ring again. */
int recorder_reload(struct recorder *r);

/* Runs `work` in a transaction of its own and commits. */
int recorder_transaction(struct recorder *r, int (*work)(struct recorder *, void *),
			 void *userdata);

/* Fills p's birth from what process_cache kept; p->birth says how it is known. */
int recover_birth(struct recorder *r, struct process *p, const struct lineage_process *kept);
/* 0 and the entry, or -ENOENT. */
int recover_lookup(struct recorder *r, const struct lineage_key *key,
		   struct lineage_process *ret_kept);
/* As apply_process(), and one that has left the book comes back. */
int recover_process(struct recorder *r, const struct lineage_key *key,
		    struct process **ret_process);
/* Looks for a process that the programs do not know among those that run: now, or as soon as that
 * is due. */
int recover_from_node(struct recorder *r, struct process *p);
/* Its end will be told of although the filters leave it out. */
void recover_watch(struct recorder *r, const struct lineage_snapshot *s);
/*
 * What the book has of p's creator (NULL: nothing) is not what p starts with: the node may know,
 * where the programs do not. p was born just now.
 */
int recover_doubt(struct recorder *r, const struct process *p, const struct process *creator);
/* Looks for those that are still to be looked for, if that is due. */
int recover_unknown(struct recorder *r);
bool recover_unknown_is_due(const struct recorder *r);
/* After reading back: who is still to be looked for. */
int recover_list_unknown(struct recorder *r);
/* After reading back: when processes that have a snapshot as their image were looked at. */
int recover_read_snapshot(struct recorder *r);
/* Of this process it is known by now what it runs; those that it has begotten since do not. */
int recover_taught(struct recorder *r, struct process *p);
/* Tells all of those. */
int recover_teach(struct recorder *r);
/* Goes through process_cache for what is missing. *ret_found rows were made. */
int recover_holes(struct recorder *r, uint64_t *ret_found);
/* Runs of the programs that the kernel skipped since it was last asked: a gap of its own. */
int recover_note_misses(struct recorder *r);
/* The same of one generation of programs, which has an id in this boot. */
int recover_count_misses(struct recorder *r, uint32_t program, const struct probe_misses *now);
/* There is something to look for: a new hole, or entries that nobody would free. */
bool recover_is_due(const struct recorder *r);

int recover_write_hole(struct recorder *r, struct ledger_hole *hole);
/*
 * A gap of unknown size from the last sign of life in this boot until now; where there has been
 * none, only if first_too.
 */
int recover_note_absence(struct recorder *r, const char *cause, bool first_too);
/* Closes the rows of runs that did not end themselves. */
int recover_runs(struct recorder *r);

#endif
