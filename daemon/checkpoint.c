/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/store_wal.h"
#include "daemon/thread.h"
#include "schema/cleanup.h"

#define NS_PER_MS 1000000ULL
#define NS_PER_S  1000000000ULL
/* A log shorter than this is left alone: SQLite's own default is 1000 pages. */
#define WORTHWHILE_PAGES 1024
/* So little can be copied and synced while the writer waits. */
#define LITTLE_PAGES 256
/* For the writer to come to the end of its transaction, or of its sleep. */
#define ASK_NS NS_PER_S
/* Copies in a row, each of what was written during the one before. */
#define ROUNDS 8
/* As schema_open_writer() makes them. */
#define PAGE_BYTES 4096
/* A log is given its full size where the disk has so many times of that; by so much at once. */
#define RESERVE_SHARE 8
#define RESERVE_BYTES (16 << 20)
/* How many times its mark the log may grow to while the disk is slow. */
#define PATIENCE 4
/*
 * What the connections share is mapped for a log of so many times WalMax=, as which it grows on a
 * disk that does not keep up with a storm at all; 4 MiB, by default. Not for more than is said
 * here.
 */
#define MAPPED_TIMES	  8
#define MAPPED_MOST_BYTES (2ULL << 30)
#define MAPPED_AT_ONCE	  (STORE_WAL_REGION_PAGES * PAGE_BYTES)
#define MAPPED_PAUSE_US	  500
/* How often a log is looked at that could not be emptied, or that has just grown. */
#define LOOK_NS (250 * NS_PER_MS)

struct worker {
	struct checkpoint *c;
	sqlite3 *db;
	int wal_fd;
	uint64_t restarts;     /* as of the last look; what follows is of that log */
	uint64_t synced_pages; /* length of the log at the last sync */
	uint64_t copied_pages; /* of the log at the last checkpoint */
	uint64_t seen_pages;   /* length of the log at the last look */
	uint64_t last_sync_ns;
};

static void note(struct checkpoint *c, int error)
{
	if (error == 0)
		return;
	atomic_fetch_add(&c->failures, 1);
	atomic_store(&c->last_error, error);
}

/* Of the log, what no reader needs any more. False: a reader or an error is in the way. */
static bool copy(struct worker *w, enum store_wal_mode mode)
{
	struct checkpoint *c = w->c;
	uint64_t before = clock_boot_ns();
	struct store_wal_progress p = {0};
	int r = store_wal_checkpoint(w->db, mode, &p);

	if (r < 0) {
		note(c, r);
		return false;
	}
	atomic_fetch_add(&c->checkpoints, 1);
	w->copied_pages = p.copied_pages;
	if (p.copied_pages < p.pages) {
		if (!atomic_load(&c->wal_pinned_ns))
			atomic_store(&c->wal_pinned_ns, before);
		return false;
	}
	atomic_store(&c->wal_pinned_ns, 0);
	if (p.pages > 0) {
		atomic_store(&c->synced_boot_ns, before);
		w->synced_pages = p.pages;
		w->last_sync_ns = before;
	}
	return true;
}

/* Written since the last copy. */
static uint64_t rest(struct worker *w)
{
	uint64_t restarts = atomic_load(&w->c->restarts);
	uint64_t written = atomic_load(&w->c->written_pages);

	if (restarts != w->restarts) {
		w->restarts = restarts;
		w->synced_pages = w->copied_pages = 0;
	}
	return written > w->copied_pages ? written - w->copied_pages : 0;
}

static struct timespec deadline(uint64_t in_ns)
{
	struct timespec t;
	uint64_t ns;

	clock_gettime(CLOCK_MONOTONIC, &t);
	ns = (uint64_t)t.tv_nsec + in_ns;
	t.tv_sec += (time_t)(ns / NS_PER_S);
	t.tv_nsec = (long)(ns % NS_PER_S);
	return t;
}

/* Until the writer waits. If it does not, it does not write either, or has much to write at once.
 */
static bool ask_for_pause(struct checkpoint *c)
{
	struct timespec until = deadline(ASK_NS);
	bool paused;
	int r = 0;

	pthread_mutex_lock(&c->lock);
	atomic_store(&c->pause, CHECKPOINT_ASKED);
	while (r == 0 && atomic_load(&c->pause) == CHECKPOINT_ASKED)
		r = pthread_cond_timedwait(&c->changed, &c->lock, &until);
	paused = atomic_load(&c->pause) == CHECKPOINT_PAUSED;
	pthread_mutex_unlock(&c->lock);
	return paused;
}

static void end_pause(struct checkpoint *c, bool paused)
{
	pthread_mutex_lock(&c->lock);
	/* It has gone on without waiting for the end. */
	if (paused && atomic_load(&c->pause) == CHECKPOINT_RUN) {
		atomic_fetch_add(&c->pauses_in_vain, 1);
		if (c->pause_ns < CHECKPOINT_PAUSE_MOST_NS)
			c->pause_ns *= 2;
	} else if (paused) {
		c->pause_ns = CHECKPOINT_PAUSE_NS;
	}
	atomic_store(&c->pause, CHECKPOINT_RUN);
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

/*
 * Pages from which on the log is emptied: half of what it may have, the other half for meanwhile.
 * Where the whole database may take 4 MiB only that is less than what is worthwhile elsewhere.
 */
static uint64_t mark_pages(const struct checkpoint *c)
{
	uint64_t bytes = atomic_load(&c->wal_max_bytes);

	return (bytes ? bytes : c->options.wal_max_bytes) / 2 / PAGE_BYTES;
}

/* On a slow disk, several times as much if that is there; a quarter stays for meanwhile. */
static uint64_t patience_pages(const struct checkpoint *c)
{
	uint64_t room = atomic_load(&c->wal_room_bytes) / 4 * 3 / PAGE_BYTES;
	uint64_t pages = PATIENCE * mark_pages(c);

	return room && room < pages ? room : pages;
}

/*
 * So that the writer begins the log anew: it does with its next commit if nothing is left to copy.
 * What can be copied and synced while it writes goes first.
 */
static void empty(struct worker *w)
{
	struct checkpoint *c = w->c;
	uint64_t left = UINT64_MAX, took = 0;
	bool paused;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t before = left, began = clock_monotonic_ns();

		if (!copy(w, STORE_WAL_PASSIVE))
			return;
		took = clock_monotonic_ns() - began;
		left = rest(w);
		/* Nothing left may still mean that a transaction is open, which goes on at the end.
		 */
		if (left <= LITTLE_PAGES || (i > 0 && left > before / 2))
			break;
	}
	/* The next one would be no shorter, and the writer's own sync not either: later, if it can
	 * be. */
	if (took > CHECKPOINT_PAUSE_NS && atomic_load(&c->written_pages) < patience_pages(c))
		return;
	paused = ask_for_pause(c);
	copy(w, STORE_WAL_PASSIVE);
	end_pause(c, paused);
}

static void sync_wal(struct worker *w, uint64_t pages)
{
	struct checkpoint *c = w->c;
	uint64_t before = clock_boot_ns();

	w->last_sync_ns = before;
	if (fdatasync(w->wal_fd) < 0) {
		note(c, -errno);
		return;
	}
	w->synced_pages = pages;
	atomic_fetch_add(&c->syncs, 1);
	atomic_store(&c->synced_boot_ns, before);
}

/* Whether the file system of a log has so much that its full size does not matter there. */
static bool has_room(int fd, const struct checkpoint_options *options)
{
	struct statvfs fs;

	return fstatvfs(fd, &fs) == 0 &&
	       (uint64_t)fs.f_bavail * fs.f_frsize >= RESERVE_SHARE * options->wal_max_bytes;
}

static int open_wal(const char *database)
{
	CLEANUP_FREE char *path = NULL;
	int fd;

	if (asprintf(&path, "%s-wal", database) < 0)
		return -ENOMEM;
	/* Not the database itself: closing any descriptor of that would drop SQLite's locks on it.
	 */
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void look(struct worker *w)
{
	uint64_t pages = atomic_load(&w->c->written_pages);
	bool quiet = pages == w->seen_pages;

	w->seen_pages = pages;
	/* Also where nobody writes just now, so that a short log is the usual state. */
	if (rest(w) > 0 && (pages >= mark_pages(w->c) || (quiet && pages > WORTHWHILE_PAGES)))
		empty(w);
	if (pages != w->synced_pages &&
	    clock_boot_ns() - w->last_sync_ns >= w->c->options.sync_interval_ns)
		sync_wal(w, pages);
}

static int wait_ms(struct worker *w)
{
	uint64_t ns = w->c->options.sync_interval_ns;
	bool is_long = w->seen_pages > WORTHWHILE_PAGES || w->seen_pages >= mark_pages(w->c);

	/* A short one is left as it is, and needs no look. */
	if (is_long && rest(w) > 0 && ns > LOOK_NS)
		ns = LOOK_NS;
	return (int)(ns / NS_PER_MS);
}

static void work(struct worker *w)
{
	struct checkpoint *c = w->c;
	struct pollfd wake = {.fd = c->wake_fd, .events = POLLIN};
	eventfd_t count;

	while (!atomic_load(&c->stop)) {
		if (poll(&wake, 1, wait_ms(w)) > 0)
			eventfd_read(c->wake_fd, &count);
		if (!atomic_load(&c->stop))
			look(w);
	}
	copy(w, STORE_WAL_TRUNCATE);
}

/*
 * Region by region: meanwhile no connection of this process gets or gives back a lock. Where it
 * fails, SQLite does it when it must.
 */
static void map_ahead(struct worker *w)
{
	const struct checkpoint_options *options = &w->c->options;
	uint64_t bytes = MAPPED_TIMES * options->wal_max_bytes;

	if (bytes > MAPPED_MOST_BYTES)
		bytes = MAPPED_MOST_BYTES;
	if (!has_room(w->wal_fd, options))
		return;
	for (uint64_t at = 0; at <= bytes && !atomic_load(&w->c->stop); at += MAPPED_AT_ONCE) {
		if (store_wal_map(w->db, at / PAGE_BYTES) < 0)
			return;
		usleep(MAPPED_PAUSE_US);
	}
}

static void *thread_main(void *argument)
{
	struct worker w = {.c = argument, .wal_fd = -1};
	int r = store_wal_open(w.c->options.database, &w.db);

	if (r == 0) {
		w.wal_fd = open_wal(w.c->options.database);
		r = w.wal_fd < 0 ? w.wal_fd : 0;
	}
	if (r == 0)
		map_ahead(&w);
	note(w.c, r);
	if (r == 0)
		work(&w);
	else
		atomic_store(&w.c->dead, true);
	cleanup_close(&w.wal_fd);
	store_wal_close(w.db);
	return NULL;
}

static int init_lock(struct checkpoint *c)
{
	pthread_condattr_t attributes;
	int r = pthread_mutex_init(&c->lock, NULL);

	if (r != 0)
		return -r;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	r = pthread_cond_init(&c->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	if (r != 0)
		pthread_mutex_destroy(&c->lock);
	return -r;
}

static void deinit(struct checkpoint *c)
{
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	cleanup_close(&c->wake_fd);
	c->wake_fd = -1;
}

int checkpoint_start(struct checkpoint *c, const struct checkpoint_options *options)
{
	int r;

	*c = (struct checkpoint){
		.options = *options, .wake_fd = -1, .pause_ns = CHECKPOINT_PAUSE_NS};
	r = init_lock(c);
	if (r < 0)
		return r;
	c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->wake_fd < 0) {
		r = -errno;
		deinit(c);
		return r;
	}
	r = thread_start(&c->thread, thread_main, c);
	if (r < 0) {
		deinit(c);
		return r;
	}
	c->running = true;
	return 0;
}

bool checkpoint_is_dead(const struct checkpoint *c)
{
	return c->running && atomic_load(&c->dead);
}

void checkpoint_stop(struct checkpoint *c)
{
	if (!c->running)
		return;
	atomic_store(&c->stop, true);
	eventfd_write(c->wake_fd, 1);
	pthread_join(c->thread, NULL);
	deinit(c);
	c->running = false;
}

static void pause_writer(struct checkpoint *c)
{
	uint64_t began = clock_monotonic_ns(), took;
	struct timespec until;
	int r = 0;

	pthread_mutex_lock(&c->lock);
	until = deadline(c->pause_ns);
	if (atomic_load(&c->pause) == CHECKPOINT_ASKED) {
		atomic_store(&c->pause, CHECKPOINT_PAUSED);
		pthread_cond_broadcast(&c->changed);
		while (r == 0 && atomic_load(&c->pause) == CHECKPOINT_PAUSED)
			r = pthread_cond_timedwait(&c->changed, &c->lock, &until);
		/* Too long: on with it, whatever the thread is at. */
		atomic_store(&c->pause, CHECKPOINT_RUN);
	}
	pthread_mutex_unlock(&c->lock);
	took = clock_monotonic_ns() - began;
	atomic_fetch_add(&c->pauses, 1);
	if (took > atomic_load(&c->longest_pause_ns))
		atomic_store(&c->longest_pause_ns, took);
}

void checkpoint_turn(struct checkpoint *c, uint64_t written_pages)
{
	uint64_t before, mark;

	if (!c->running)
		return;
	before = atomic_exchange(&c->written_pages, written_pages);
	if (written_pages < before)
		atomic_fetch_add(&c->restarts, 1);
	mark = mark_pages(c);
	/* And again if it has not been emptied for as much. */
	if (written_pages / mark > before / mark)
		eventfd_write(c->wake_fd, 1);
	if (atomic_load(&c->pause) == CHECKPOINT_ASKED)
		pause_writer(c);
}

/* One piece more, of a log that is shorter than it may become. False: enough, or there is none. */
static bool reserve(const struct checkpoint_options *options)
{
	CLEANUP_CLOSE int fd = open_wal(options->database);
	struct stat st;
	off_t piece;

	if (fd < 0 || fstat(fd, &st) < 0 || !has_room(fd, options) ||
	    (uint64_t)st.st_size >= options->wal_max_bytes)
		return false;
	/* Not written: zeros for all of it were 256 MiB for the disk, and 0.6 s, with every start.
	 */
	piece = (off_t)options->wal_max_bytes - st.st_size;
	return fallocate(fd, 0, st.st_size, piece < RESERVE_BYTES ? piece : RESERVE_BYTES) == 0;
}

bool checkpoint_reserve(struct checkpoint *c)
{
	if (c->running && !c->reserved)
		c->reserved = !reserve(&c->options);
	return c->running && !c->reserved;
}
