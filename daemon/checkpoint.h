/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that waits for the disk, so that the thread that drains the ring does not.
 *
 * The writer's commits are not synced. This thread copies the write-ahead log into the database
 * (which syncs both, in the right order) and syncs the log itself every SyncIntervalSec=: that is
 * what a power cut can cost. It has a connection of its own and holds a lock that the writer
 * needs for a moment at most.
 *
 * The writer can begin the log anew only at a moment when all of it has been copied, and while it
 * writes there is no such moment. So once nearly all has been copied and synced, the thread asks
 * the writer to wait for the rest, a few pages, and the writer does for CHECKPOINT_PAUSE_NS at
 * most.
 */
#ifndef LINEAGED_CHECKPOINT_H
#define LINEAGED_CHECKPOINT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * How long the writer waits: most often some milliseconds, and never longer than this. A disk that
 * needs longer for a few pages lets the log grow instead; each time that it does the next wait may
 * be twice as long. In a storm of 150 000 events a second the default ring of 32 MiB takes more
 * than a second to fill.
 */
#define CHECKPOINT_PAUSE_NS	 (100ULL * 1000 * 1000)
#define CHECKPOINT_PAUSE_MOST_NS (800ULL * 1000 * 1000)

struct checkpoint_options {
	const char *database;
	uint64_t sync_interval_ns;
	uint64_t wal_max_bytes;
};

enum checkpoint_pause {
	CHECKPOINT_RUN,
	CHECKPOINT_ASKED,  /* by the thread */
	CHECKPOINT_PAUSED, /* the writer waits */
};

struct checkpoint {
	struct checkpoint_options options;
	pthread_t thread;
	bool running;
	bool reserved;
	int wake_fd; /* eventfd: the log has become long, or the end has come */
	atomic_bool stop;
	atomic_bool dead; /* it has ended by itself */

	/* Between the two. */
	atomic_uint_fast64_t written_pages; /* in the log as of the last commit */
	atomic_uint_fast64_t restarts;	    /* how often the writer has begun the log anew */
	atomic_int pause;		    /* enum checkpoint_pause; changed under the lock */
	uint64_t pause_ns;		    /* the longest that the next one may take; as pause */
	pthread_mutex_t lock;
	pthread_cond_t changed;

	/* By retention: less than the options say, where the disk is nearly full; 0: as they say */
	atomic_uint_fast64_t wal_max_bytes;
	/* By retention: what the disk, or MaxUse=, leaves for the log at the moment; 0: no bound */
	atomic_uint_fast64_t wal_room_bytes;

	/* For the status. */
	atomic_uint_fast64_t
		wal_pinned_ns; /* since when a reader has kept it from being emptied; 0 */
	atomic_uint_fast64_t checkpoints, syncs, failures;
	atomic_uint_fast64_t pauses, pauses_in_vain; /* in vain: the disk took too long */
	atomic_uint_fast64_t longest_pause_ns;
	atomic_uint_fast64_t synced_boot_ns; /* commits before this are on the disk */
	atomic_int last_error;
};

int checkpoint_start(struct checkpoint *c, const struct checkpoint_options *options);
/* Ends the thread after one last checkpoint and sync. */
void checkpoint_stop(struct checkpoint *c);

/* The thread could not do its work and has ended: stop it, and start another. */
bool checkpoint_is_dead(const struct checkpoint *c);

/*
 * By the writer, after a transaction and outside any: that many pages are in the log now. Waits if
 * the thread has asked for it. May be called on one that has not been started.
 */
void checkpoint_turn(struct checkpoint *c, uint64_t written_pages);

/*
 * By the writer, outside a transaction, when there is nothing else to do: gives the log a piece of
 * its full size, and says whether there is more to give. A write that makes a file longer, or that
 * needs blocks, waits for the file system where that is busy, for seconds if the disk is; one into
 * blocks that it has already does not. SQLite ends a log at the first frame that is not of it,
 * and keeps up to journal_size_limit.
 */
bool checkpoint_reserve(struct checkpoint *c);

#endif
