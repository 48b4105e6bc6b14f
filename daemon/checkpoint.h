/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that waits for the disk, so that the thread that drains the ring never does.
 *
 * The writer commits with synchronous=OFF. This thread copies the write-ahead log into the database
 * (which syncs both, in the right order) and syncs the log itself every SyncIntervalSec=: that is
 * what a power cut can cost. It has a connection of its own and never holds a lock that the writer
 * needs.
 */
#ifndef LINEAGED_CHECKPOINT_H
#define LINEAGED_CHECKPOINT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct checkpoint_options {
	const char *database;
	uint64_t sync_interval_ns;
	uint64_t wal_max_bytes;
};

struct checkpoint {
	struct checkpoint_options options;
	pthread_t thread;
	bool running;
	int stop_fd;			/* eventfd */
	atomic_uint_fast64_t wal_bytes; /* size of the log as of the last look */
	atomic_uint_fast64_t
		wal_pinned_ns; /* since when a reader has kept it from being emptied; 0 */
	atomic_uint_fast64_t checkpoints, syncs, failures;
	atomic_uint_fast64_t synced_boot_ns; /* commits before this are on the disk */
	atomic_int last_error;
};

int checkpoint_start(struct checkpoint *c, const struct checkpoint_options *options);
/* Ends the thread after one last checkpoint and sync. */
void checkpoint_stop(struct checkpoint *c);

#endif
