/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the ring goes while its reader waits for the disk: maps of its own, beside it.
 *
 * A commit that waits gives nothing back, and the programs fill the ring within a second. So
 * whenever the reader has released nothing for OVERFLOW_AFTER_NS, a thread moves what is complete
 * out of the ring: byte for byte, under the same positions, and only then lets the kernel overwrite
 * it. The reader finds it by position and releases it with its commit, exactly as in the ring. The
 * maps are pinned beside the ring, so they outlive a daemon that is killed just as it does.
 *
 * They come in segments, made when needed, given back when they have been empty for a while. With
 * all of them full, the ring fills, and then events are lost and counted.
 */
#ifndef LINEAGED_OVERFLOW_H
#define LINEAGED_OVERFLOW_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/ring.h"

/* The kernel makes one within 10 ms. */
#define OVERFLOW_SEGMENT_BYTES (16ULL << 20)
#define OVERFLOW_SEGMENTS      64
/* With the time until a thread gets a busy processor, below 25 ms. */
#define OVERFLOW_AFTER_NS (12ULL * 1000 * 1000)
#define OVERFLOW_LOOK_NS  (8ULL * 1000 * 1000)
/* So much is waiting that the reader should store it: 0.1 to 0.3 s of the most that two CPUs can
 * start. */
#define OVERFLOW_MUCH_BYTES (8ULL << 20)

struct overflow_head;

struct overflow_segment {
	int fd; /* -1: none */
	/* Set last: the reader looks for it without the lock. */
	_Atomic(struct overflow_head *) head;
};

struct overflow_options {
	const char *directory; /* of the pins; NULL: they die with this process */
	const uint8_t *ring_id;
	uint64_t most_bytes; /* 0: no overflow */
};

struct overflow {
	struct overflow_options options;
	struct ring *ring; /* not owned; NULL: not open */
	size_t most;	   /* segments that there may be; more may have been left */
	struct overflow_segment segments[OVERFLOW_SEGMENTS];
	/* On moving, and on the segments. Not taken by the reader for reading: who moves must not
	 * wait until a reader without a processor has its turn. */
	pthread_mutex_t lock;
	struct ring_window in, out;
	struct ring_window read;      /* the reader's */
	atomic_uint_fast64_t used_ns; /* when something was last moved; monotonic */

	pthread_t thread;
	bool running;
	int timer, wake;
	int late; /* timerfd of the thread: the reader has been woken and does not come */
	int much; /* eventfd: OVERFLOW_MUCH_BYTES are waiting */
	atomic_bool stop;
	bool watched; /* the reader's */

	/* For the status. */
	atomic_uint_fast64_t bytes; /* of the maps */
	atomic_uint_fast64_t moved_bytes, full;
	atomic_uint_fast64_t most_bytes; /* that ever waited in it */
};

/*
 * Takes over what an earlier process left of this ring, which ring_oldest() then says, and becomes
 * the ring's. Nothing is moved before overflow_start().
 */
int overflow_open(struct overflow *o, struct ring *ring, const struct overflow_options *options);
/* What the reader has not released stays pinned. May be called on one that is not open. */
void overflow_close(struct overflow *o);
/* After the reader has found its position. */
int overflow_start(struct overflow *o);

/* By the reader: from now on it may be kept waiting; it goes to sleep by itself. */
void overflow_watch(struct overflow *o);
void overflow_rest(struct overflow *o);
/* By ring_release(): the reader has drained the ring itself. */
void overflow_drained(struct overflow *o);

/* Moves what is complete, now. */
void overflow_move(struct overflow *o);

/* By ring_next(): at least one record from position on, at most `size` bytes. */
int overflow_read(struct overflow *o, uint64_t position, char *to, size_t size, uint64_t *ret_end);

/* Gives maps back that have not been needed lately. */
void overflow_trim(struct overflow *o);

/* Removes the pins of whatever was left below a directory. */
void overflow_unpin(const char *directory);

#endif
