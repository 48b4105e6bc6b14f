/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retention: keeps the database within MaxUse=, KeepFree= and MaxRetentionSec= by taking out the
 * oldest processes, without ever cutting a process that stays from its ancestors.
 *
 * A process goes when it has ended, when the daemon does not hold it any more, and when no row that
 * stays names it as parent, creator or later parent. So an old shell stays as long as something
 * that it started stays, and goes after the last of it. What went is counted under its parent.
 *
 * Everything happens in steps of a few milliseconds, each a transaction of its own between those of
 * the recorder. First processes (retain_prune.c), then, after an eighth of them, what repeats:
 * texts, images, contexts and cgroups to which nobody refers any more (retain_sweep.c). Space that
 * has become free is used again; what is more than that is given back.
 *
 * Not for the write-ahead log: see checkpoint.h.
 */
#ifndef LINEAGED_RETAIN_H
#define LINEAGED_RETAIN_H

#include "daemon/book.h"
#include "daemon/checkpoint.h"
#include "daemon/config.h"
#include "daemon/idset.h"
#include "daemon/intern.h"
#include "daemon/store_retain.h"

/*
 * Water marks, in parts of the pages that the limits allow. Pruning begins at 15/16 and ends at
 * 7/8. A sixteenth, 120 MiB of the default 2 GiB, takes a flood of a quarter of a minute while
 * pruning only runs when there is nothing else to do. The sweep after it reads all that is left;
 * with an eighth per round that is 7 rows for each that goes. A lower mark would keep less history,
 * a higher one would read more for each process removed.
 */
#define RETAIN_LOW(pages)  ((pages) - (pages) / 8)
#define RETAIN_HIGH(pages) ((pages) - (pages) / 16)
/* An eighth of the processes, then a sweep. */
#define RETAIN_SWEEP_SHARE 8
/* Of what lies between the limits and the database: for what one batch may add before it is seen.
 */
#define RETAIN_MARGIN(bytes) ((bytes) / 64)
/*
 * What a step may take of the processor; while the recorder is busy and pruning has to keep up, as
 * much as its share, since few long transactions write fewer pages to the log than many short ones.
 */
#define RETAIN_STEP_NS	    3000000ULL
#define RETAIN_STEP_BUSY_NS 10000000ULL
/* Longer ones are counted. */
#define RETAIN_STEP_LONG_NS 5000000ULL
/*
 * A run: at most so many times what the recorder has worked, however far above the limit, and at
 * most so long. The default ring takes several times that of a flood.
 */
#define RETAIN_SHARE_MOST 16
#define RETAIN_RUN_NS	  200000000ULL
/* A run ends when the log has come to this. */
#define RETAIN_LOG(max_bytes) ((max_bytes) / 4 * 3)
#define RETAIN_ROWS_MIN	      32
#define RETAIN_ROWS_MAX	      4096
/* A process that has just ended may still be named by a record that crosses on another CPU. */
#define RETAIN_GRACE_NS 2000000000LL
/* Images before the one it runs, and failed execs, that a process which stays may keep, each. */
#define RETAIN_EVENTS_KEEP 64
/* KeepFree= never takes the database below this, or an eighth of the file system if that is less:
 * a full disk must not erase the record. */
#define RETAIN_MIN_USE (64ULL << 20)

/* Ancestors of what has just gone that are looked at again; others wait for the next round. */
#define RETAIN_CANDIDATES 256
/* From time to time a round begins with the oldest process again: what has ended since may go now.
 */
#define RETAIN_RESCAN_NS (3600ULL * 1000000000)

enum retain_phase {
	RETAIN_IDLE,
	RETAIN_PRUNE,
	RETAIN_MARK,  /* who refers to what */
	RETAIN_SWEEP, /* what nobody refers to */
	RETAIN_BOOTS,
	RETAIN_VACUUM,
	RETAIN_PHASES
};

struct retain_counters {
	uint64_t steps, failures;
	uint64_t longest_step_ns;		/* of the clock */
	uint64_t long_steps;			/* of more than RETAIN_STEP_LONG_NS */
	uint64_t longest_cpu_ns[RETAIN_PHASES]; /* of the processor */
	uint64_t processes;			/* removed */
	uint64_t rows;				/* of dictionaries, removed */
	uint64_t sweeps, sweeps_failed;
	uint64_t pages; /* given back */
};

struct retain_limits {
	uint64_t limit_bytes; /* for database and log; UINT64_MAX: none */
	uint64_t use_bytes;   /* files, as they lie there */
	uint64_t wal_bytes;
	uint64_t log_bytes; /* what of it the log may take */
	int64_t cap_pages;  /* for the database; INT64_MAX: none */
	struct store_retain_size size;
};

struct retain {
	const struct config *config;
	struct store *store;
	struct intern *intern;
	struct book *book;
	struct checkpoint *checkpoint;
	struct store_retain sql;
	/* After each step, with the length of the log; checkpoint_turn() */
	void (*turn)(struct checkpoint *checkpoint, uint64_t log_pages);
	uint64_t (*clock_ns)(void); /* what a step takes; a test may put in others */
	uint64_t (*cpu_ns)(void);   /* the same, of the processor */

	enum retain_phase phase;
	struct retain_limits limits;
	struct retain_counters counters;
	uint64_t now_boot_ns;
	uint64_t next_look_ns; /* boot time: nothing to do before */
	uint64_t stepped_ns;   /* boot time: the last run */
	uint64_t next_age_ns;  /* boot time: nothing will have expired before */
	bool by_size, by_age;  /* why it prunes */
	bool held;	       /* a reader keeps the log: pruning would only make it longer */
	bool stuck;	       /* above the limits, and nothing may go */

	/* Processes. */
	int64_t cursor;			       /* next process_id to look at */
	uint64_t rescan_ns;		       /* boot time: start from the oldest again */
	int64_t zone;			       /* of the last one that was looked at; -1: none */
	int64_t removed, quota;		       /* since the last sweep; left of this round */
	int64_t candidates[RETAIN_CANDIDATES]; /* kept until now, and may go */
	size_t candidates_count;
	bool at_end; /* of what may go */
	struct {
		int64_t boot, offset_ns;
	} offset;
	unsigned int rows; /* to change per step */
	uint64_t step_ns;

	/* Dictionaries. */
	struct idset used[RETAIN_TABLES];
	int64_t below[RETAIN_TABLES]; /* ids that existed when marking began */
	int source, table;
	int64_t mark_cursor;
	uint64_t swept_boot_ns;
};

/*
 * config must stay. store, intern and book are the recorder's, and open. checkpoint need not run
 * yet: it tells when a reader keeps the log, and gets its turn after each step.
 */
int retain_init(struct retain *r, const struct config *config, struct store *store,
		struct intern *intern, struct book *book, struct checkpoint *checkpoint);
void retain_deinit(struct retain *r);

/* One step. 1: more to do; 0: nothing for now; negative: rolled back, tried again in a second. */
int retain_step(struct retain *r, uint64_t now_boot_ns);

/*
 * Steps for as long as is due after the recorder has worked for spent_ns: none while there is room,
 * a fifth of the time above the mark, two thirds of it at the limit, and above that more and more.
 * At least one if idle. Returns as retain_step().
 */
int retain_run(struct retain *r, uint64_t now_boot_ns, uint64_t spent_ns, bool idle);

/* Above the limit: the recorder should work in short turns until that is over. */
bool retain_is_urgent(const struct retain *r);

/* Why it does what it does, in a word or two: "idle", "pruning by size", "held by a reader". */
const char *retain_state(const struct retain *r);

/* Inside: shared by retain.c, retain_prune.c and retain_sweep.c. */

/*
 * Each works in an open transaction until the monotonic clock says until_ns, and changes
 * r->rows rows at most. 1: there is more to do; 0: the phase is over.
 */
int retain_prune_step(struct retain *r, uint64_t until_ns);
int retain_sweep_step(struct retain *r, uint64_t until_ns);
/* Needs no transaction. */
int retain_mark_step(struct retain *r, uint64_t until_ns);

/* Begins to note who refers to what; from then on hits in the dictionaries are noted too. */
void retain_mark_begin(struct retain *r);
void retain_mark_end(struct retain *r);

#endif
