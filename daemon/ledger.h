/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which events have arrived, by (cpu, seq), and which have not. Pure bookkeeping.
 *
 * Programs may be preempted between taking a number and sending the record, so a hole may close a
 * moment later. Until then, and for good if it does not, it stands as a gap; recorder.c keeps a row
 * of gap_row for each and changes that row in the same transaction as the events that close it.
 */
#ifndef LINEAGED_LEDGER_H
#define LINEAGED_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Holes that are watched for late or recovered events. Where there is no room for more, those of a
 * CPU become one that is not watched, and stays a gap.
 */
#define LEDGER_HOLES_MAX 4096
/* Of these, room that commits make for what a batch finds. */
#define LEDGER_HOLES_FREE 1024
/* Numbers in one hole, so that what is kept of it stays small: 128 KiB. More make another hole. */
#define LEDGER_SPAN_MAX (1u << 20)
/* Of numbers lost at once, so many holes are watched: process_cache tells of far fewer. */
#define LEDGER_SPANS_WATCHED 4
/* Bytes for the bits of all holes: of eight such floods at once. */
#define LEDGER_BITS_MAX (8u * LEDGER_SPANS_WATCHED * LEDGER_SPAN_MAX / 8)
/* Times that process_cache is gone through for a hole: a second one for what came late. Then it
 * stays. */
#define LEDGER_PASSES 2

struct ledger_hole {
	int64_t gap_id; /* 0: no row yet */
	int cpu;
	uint64_t first, last; /* sequence numbers, both included; some may have come since */
	uint64_t missing;     /* how many of them have not */
	uint64_t recovered;
	uint64_t from_boot_ns, to_boot_ns;
	uint8_t *come; /* a bit each: has arrived late or been recovered; NULL: not watched */
	int passes;
	bool changed; /* its row is behind */
};

struct ledger_cpu {
	bool known;
	bool changed;
	uint64_t first_seq; /* where the record of this CPU begins */
	uint64_t next_seq;
	uint64_t unseen; /* events that have no row */
	uint64_t last_boot_ns;
};

/* A number that is known to be lost before its hole has shown: its process has told of itself. */
struct ledger_ahead {
	int cpu;
	uint64_t seq;
};

/* Forks whose CPU has not been heard of since: few, since it soon is. */
#define LEDGER_AHEAD_MAX 4096

struct ledger {
	struct ledger_cpu *cpus;
	int cpus_count;
	struct ledger_hole *holes;
	size_t holes_count;
	size_t bits_bytes; /* of all holes */
	struct ledger_ahead *ahead;
	size_t ahead_count;
	uint64_t lost;	   /* missing now: in the holes, or given up since the start */
	uint64_t given_up; /* of the lost: nothing has been found that tells of them */
	uint64_t late, duplicates;
	bool changed; /* some cpu or hole is */
};

int ledger_init(struct ledger *ledger, int cpus);
void ledger_deinit(struct ledger *ledger);
/* What the database says is to be read again. */
void ledger_forget(struct ledger *ledger);

/* Where a CPU's record begins or goes on: from the database, or the first number of new maps. */
void ledger_start(struct ledger *ledger, int cpu, uint64_t first_seq, uint64_t next_seq,
		  uint64_t unseen);

/* No event that is still missing is older than this. */
void ledger_since(struct ledger *ledger, uint64_t boot_ns);

enum ledger_verdict {
	LEDGER_NEW,	  /* as expected, or late: take it */
	LEDGER_DUPLICATE, /* arrived before: leave it */
};

enum ledger_verdict ledger_arrived(struct ledger *ledger, int cpu, uint64_t seq, uint64_t boot_ns);

/* All numbers below next_seq have been taken, and the ring has been read to its end since. */
void ledger_taken(struct ledger *ledger, int cpu, uint64_t next_seq, uint64_t boot_ns);

/* An event has arrived and leaves no row: both of two generations of programs have told of it. */
void ledger_unseen(struct ledger *ledger, int cpu, uint64_t numbers);
/* New maps count on from `seq`; the numbers up to there were never given. */
void ledger_skip(struct ledger *ledger, int cpu, uint64_t seq);

/*
 * True if (cpu, seq) is missing; it then counts as recovered. So it does where its hole is still to
 * show.
 */
bool ledger_recover(struct ledger *ledger, int cpu, uint64_t seq);
bool ledger_is_missing(const struct ledger *ledger, int cpu, uint64_t seq);

/*
 * A hole that has a row already, from the database, with what it counts as missing; then which of
 * its numbers have rows.
 */
void ledger_add_hole(struct ledger *ledger, const struct ledger_hole *hole);
void ledger_has_row(struct ledger *ledger, int cpu, uint64_t seq);

/* process_cache has been gone through for every hole that there is. */
void ledger_passed(struct ledger *ledger);

/* After commit: changed marks are cleared; holes that are closed, or for good, leave. */
void ledger_committed(struct ledger *ledger);

#endif
