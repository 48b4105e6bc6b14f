/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/store_wal.h"
#include "schema/cleanup.h"

/* How often the log's size is looked at: a storm writes some 15 MiB in that time. */
#define LOOK_MS 500
/* A log smaller than this is left alone: SQLite's own default is 1000 pages. */
#define WORTHWHILE_BYTES (4u << 20)

struct worker {
	struct checkpoint *c;
	sqlite3 *db;
	int wal_fd;
	uint64_t synced_bytes; /* size of the log at the last sync */
	uint64_t last_sync_ns;
};

static uint64_t wal_size(struct worker *w)
{
	struct stat st;

	return fstat(w->wal_fd, &st) < 0 ? 0 : (uint64_t)st.st_size;
}

static void note(struct checkpoint *c, int error)
{
	if (error == 0)
		return;
	atomic_fetch_add(&c->failures, 1);
	atomic_store(&c->last_error, error);
}

/*
 * PASSIVE: takes what no reader still needs and waits for nobody. When it has taken everything, the
 * writer starts the log from its beginning again with its next commit.
 */
static bool checkpoint(struct worker *w, enum store_wal_mode mode)
{
	struct checkpoint *c = w->c;
	uint64_t before = clock_boot_ns();
	bool whole = false;
	int r = store_wal_checkpoint(w->db, mode, &whole);

	if (r < 0) {
		note(c, r);
		return false;
	}
	atomic_fetch_add(&c->checkpoints, 1);
	if (whole) {
		atomic_store(&c->synced_boot_ns, before);
		atomic_store(&c->wal_pinned_ns, 0);
	} else if (!atomic_load(&c->wal_pinned_ns)) {
		atomic_store(&c->wal_pinned_ns, before);
	}
	return whole;
}

/*
 * A log that has become too long: RESTART keeps the writer out until it is done, so what can be
 * copied and synced without that goes first.
 */
static bool empty(struct worker *w)
{
	checkpoint(w, STORE_WAL_PASSIVE);
	return checkpoint(w, STORE_WAL_RESTART);
}

static void sync_wal(struct worker *w)
{
	struct checkpoint *c = w->c;
	uint64_t before = clock_boot_ns();

	if (fdatasync(w->wal_fd) < 0) {
		note(c, -errno);
		return;
	}
	w->last_sync_ns = before;
	atomic_fetch_add(&c->syncs, 1);
	atomic_store(&c->synced_boot_ns, before);
}

static int open_wal(const char *database)
{
	CLEANUP_FREE char *path = NULL;
	int fd;

	if (asprintf(&path, "%s-wal", database) < 0)
		return -ENOMEM;
	/* Not the database itself: closing any descriptor of that would drop SQLite's locks on it.
	 */
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void work(struct worker *w)
{
	struct checkpoint *c = w->c;
	struct pollfd stop = {.fd = c->stop_fd, .events = POLLIN};
	uint64_t done_bytes = 0;

	while (poll(&stop, 1, LOOK_MS) <= 0) {
		uint64_t size = wal_size(w);
		uint64_t now = clock_boot_ns();

		atomic_store(&c->wal_bytes, size);
		if (size > WORTHWHILE_BYTES && size != done_bytes) {
			bool whole = size > c->options.wal_max_bytes
					     ? empty(w)
					     : checkpoint(w, STORE_WAL_PASSIVE);

			/* What was in the way may be gone next time, even if nothing is written. */
			done_bytes = whole ? size : 0;
		}
		if (now - w->last_sync_ns >= c->options.sync_interval_ns)
			sync_wal(w);
	}
	checkpoint(w, STORE_WAL_TRUNCATE);
}

static void *thread_main(void *argument)
{
	struct worker w = {.c = argument, .wal_fd = -1};
	int r = store_wal_open(w.c->options.database, &w.db);

	if (r == 0) {
		w.wal_fd = open_wal(w.c->options.database);
		r = w.wal_fd < 0 ? w.wal_fd : 0;
	}
	note(w.c, r);
	if (r == 0)
		work(&w);
	cleanup_close(&w.wal_fd);
	store_wal_close(w.db);
	return NULL;
}

int checkpoint_start(struct checkpoint *c, const struct checkpoint_options *options)
{
	sigset_t all, before;
	int r;

	*c = (struct checkpoint){.options = *options, .stop_fd = -1};
	c->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->stop_fd < 0)
		return -errno;
	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	r = pthread_create(&c->thread, NULL, thread_main, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0) {
		cleanup_close(&c->stop_fd);
		c->stop_fd = -1;
		return -r;
	}
	c->running = true;
	return 0;
}

void checkpoint_stop(struct checkpoint *c)
{
	if (!c->running)
		return;
	eventfd_write(c->stop_fd, 1);
	pthread_join(c->thread, NULL);
	cleanup_close(&c->stop_fd);
	c->stop_fd = -1;
	c->running = false;
}
