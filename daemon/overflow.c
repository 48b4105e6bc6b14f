/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/overflow.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/thread.h"
#include "schema/cleanup.h"

/* A power of two, so that whole pages of a segment can be mapped. */
#define PIECE_BYTES 4096
/* Moved at once, if a window of the ring shows so much; mapped of a segment at once. */
#define MOVE_BYTES    (1u << 20)
#define WINDOW_BYTES  (1u << 20)
#define OVERFLOW_NICE (-10)
/* Segments are kept for so long after the last use. */
#define KEEP_NS (10ULL * 1000 * 1000 * 1000)

/*
 * The first page of a segment. Which bytes are valid must hold at any instant, as the process may
 * be killed at any: so begin is written before the bytes, and end after them.
 */
struct overflow_head {
	uint8_t ring_id[16];
	uint64_t number; /* it holds the positions from number * OVERFLOW_SEGMENT_BYTES on */
	uint64_t begin, end;
};

static void set(uint64_t *to, uint64_t value)
{
	__atomic_store_n(to, value, __ATOMIC_RELEASE);
}

static int pin_path(char path[PATH_MAX], const char *directory, size_t slot)
{
	int n = snprintf(path, PATH_MAX, "%s/overflow_%zu", directory, slot);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static void unpin(const char *directory, size_t slot)
{
	char path[PATH_MAX];

	if (directory && pin_path(path, directory, slot) == 0)
		unlink(path);
}

void overflow_unpin(const char *directory)
{
	for (size_t i = 0; i < OVERFLOW_SEGMENTS; i++)
		unpin(directory, i);
}

static struct overflow_head *map_head(int fd, size_t page)
{
	void *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

static size_t count(const struct overflow *o)
{
	size_t n = 0;

	for (size_t i = 0; i < OVERFLOW_SEGMENTS; i++)
		n += atomic_load(&o->segments[i].head) != NULL;
	return n;
}

static void drop(struct overflow *o, size_t slot)
{
	struct overflow_segment *s = &o->segments[slot];
	struct overflow_head *head = atomic_exchange(&s->head, NULL);

	if (head)
		munmap(head, o->ring->page);
	cleanup_close(&s->fd);
}

static int make(struct overflow *o, size_t slot)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
	struct overflow_segment *s = &o->segments[slot];
	uint64_t bytes = OVERFLOW_SEGMENT_BYTES + o->ring->page;
	struct overflow_head *head;
	char path[PATH_MAX];
	int r = 0;

	s->fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "overflow", sizeof(uint32_t), PIECE_BYTES,
			       (uint32_t)(bytes / PIECE_BYTES), &options);
	if (s->fd < 0)
		return -errno;
	head = map_head(s->fd, o->ring->page);
	if (!head)
		r = -errno;
	else {
		memcpy(head->ring_id, o->options.ring_id, sizeof(head->ring_id));
		set(&head->number, UINT64_MAX);
	}
	if (r == 0 && o->options.directory) {
		unpin(o->options.directory, slot);
		r = pin_path(path, o->options.directory, slot);
		if (r == 0 && bpf_obj_pin(s->fd, path) < 0)
			r = -errno;
	}
	if (r < 0 && head)
		munmap(head, o->ring->page);
	if (r < 0)
		cleanup_close(&s->fd);
	else
		atomic_store(&s->head, head);
	return r;
}

/* What was left of this ring; anything else under that name is of no use to anybody. */
static void find(struct overflow *o, size_t slot)
{
	struct overflow_segment *s = &o->segments[slot];
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	struct overflow_head *head;
	char path[PATH_MAX];

	if (pin_path(path, o->options.directory, slot) < 0)
		return;
	s->fd = bpf_obj_get(path);
	if (s->fd < 0) {
		s->fd = -1;
		return;
	}
	if (bpf_obj_get_info_by_fd(s->fd, &info, &size) == 0 && info.type == BPF_MAP_TYPE_ARRAY &&
	    info.map_flags & BPF_F_MMAPABLE &&
	    (uint64_t)info.value_size * info.max_entries ==
		    OVERFLOW_SEGMENT_BYTES + o->ring->page) {
		head = map_head(s->fd, o->ring->page);
		atomic_store(&s->head, head);
		if (head && memcmp(head->ring_id, o->options.ring_id, sizeof(head->ring_id)) == 0)
			return;
	}
	drop(o, slot);
	unlink(path);
}

static struct overflow_segment *holder(struct overflow *o, uint64_t number)
{
	for (size_t i = 0; i < OVERFLOW_SEGMENTS; i++) {
		const struct overflow_head *head = atomic_load(&o->segments[i].head);

		if (head && __atomic_load_n(&head->number, __ATOMIC_ACQUIRE) == number)
			return &o->segments[i];
	}
	return NULL;
}

/* As far back from the ring as the segments go without a hole. */
static uint64_t reaches_back(struct overflow *o, uint64_t position)
{
	while (position > 0) {
		uint64_t number = (position - 1) / OVERFLOW_SEGMENT_BYTES;
		const struct overflow_segment *s = holder(o, number);

		if (!s || s->head->begin >= position || s->head->end < position)
			break;
		position = s->head->begin;
		if (position != number * OVERFLOW_SEGMENT_BYTES)
			break;
	}
	return position;
}

static int open_descriptors(struct overflow *o)
{
	o->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	o->late = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	o->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	o->much = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return o->timer < 0 || o->late < 0 || o->wake < 0 || o->much < 0 ? -errno : 0;
}

int overflow_open(struct overflow *o, struct ring *ring, const struct overflow_options *options)
{
	uint64_t consumed = ring_consumed(ring);
	int r;

	*o = (struct overflow){
		.options = *options, .ring = ring, .timer = -1, .late = -1, .wake = -1, .much = -1};
	for (size_t i = 0; i < OVERFLOW_SEGMENTS; i++)
		o->segments[i].fd = -1;
	o->most = (options->most_bytes + OVERFLOW_SEGMENT_BYTES - 1) / OVERFLOW_SEGMENT_BYTES;
	pthread_mutex_init(&o->lock, NULL);
	r = open_descriptors(o);
	if (r < 0) {
		overflow_close(o);
		return r;
	}
	/* All that may have been left: what there may be now is another question. */
	for (size_t i = 0; options->directory && i < OVERFLOW_SEGMENTS; i++)
		find(o, i);
	atomic_store(&ring->oldest, reaches_back(o, consumed));
	atomic_store(&o->used_ns, clock_monotonic_ns());
	if (o->most || count(o))
		ring->overflow = o;
	return 0;
}

void overflow_close(struct overflow *o)
{
	bool empty;

	if (!o->ring)
		return;
	if (o->running) {
		atomic_store(&o->stop, true);
		eventfd_write(o->wake, 1);
		pthread_join(o->thread, NULL);
	}
	empty = ring_oldest(o->ring) >= ring_consumed(o->ring);
	for (size_t i = 0; i < OVERFLOW_SEGMENTS; i++) {
		if (o->segments[i].fd < 0)
			continue;
		drop(o, i);
		if (empty)
			unpin(o->options.directory, i);
	}
	ring_unmap(&o->in);
	ring_unmap(&o->out);
	ring_unmap(&o->read);
	cleanup_close(&o->timer);
	cleanup_close(&o->late);
	cleanup_close(&o->wake);
	cleanup_close(&o->much);
	pthread_mutex_destroy(&o->lock);
	o->ring->overflow = NULL;
	o->ring = NULL;
	o->running = false;
}

/* One that is empty by now, or a new one. */
static struct overflow_segment *take(struct overflow *o)
{
	uint64_t oldest = ring_oldest(o->ring);
	size_t free = OVERFLOW_SEGMENTS;

	for (size_t i = 0; i < OVERFLOW_SEGMENTS; i++) {
		struct overflow_segment *s = &o->segments[i];

		if (s->head && s->head->end <= oldest &&
		    s->head->number < oldest / OVERFLOW_SEGMENT_BYTES)
			return s;
		if (s->fd < 0)
			free = i;
	}
	if (free == OVERFLOW_SEGMENTS || count(o) >= o->most || make(o, free) < 0)
		return NULL;
	return &o->segments[free];
}

static struct overflow_segment *segment_for(struct overflow *o, uint64_t number)
{
	struct overflow_segment *s = holder(o, number);

	if (s)
		return s;
	s = take(o);
	if (!s)
		return NULL;
	set(&s->head->end, 0);
	set(&s->head->number, number);
	return s;
}

/* Of the segment that holds `position`, a window from there on. */
static int map_at(struct overflow *o, struct ring_window *w, int prot, uint64_t position)
{
	uint64_t page = o->ring->page, inside = position % OVERFLOW_SEGMENT_BYTES;
	struct overflow_segment *s;
	void *p;

	if (w->data && position >= w->start && position < w->start + w->bytes)
		return 0;
	ring_unmap(w);
	s = holder(o, position / OVERFLOW_SEGMENT_BYTES);
	if (!s)
		return -EIO;
	inside -= inside % WINDOW_BYTES;
	w->bytes = WINDOW_BYTES;
	p = mmap(NULL, w->bytes, prot, MAP_SHARED, s->fd, (off_t)(page + inside));
	if (p == MAP_FAILED)
		return -errno;
	w->data = p;
	w->start = position - position % WINDOW_BYTES;
	return 0;
}

/* What a window holds from position on. */
static size_t left_in(const struct ring_window *w, uint64_t position, uint64_t until)
{
	uint64_t end = w->start + w->bytes;

	return (end < until ? end : until) - position;
}

/* Not beyond the end of a window. */
static int put(struct overflow *o, uint64_t position, const char *data, uint64_t until,
	       size_t *ret_done)
{
	struct overflow_segment *s = segment_for(o, position / OVERFLOW_SEGMENT_BYTES);
	struct overflow_head *h;
	int r = s ? map_at(o, &o->out, PROT_READ | PROT_WRITE, position) : -ENOSPC;

	if (r < 0)
		return r;
	h = s->head;
	*ret_done = left_in(&o->out, position, until);
	if (position < h->begin || position > h->end) {
		set(&h->end, 0);
		set(&h->begin, position);
	}
	memcpy(o->out.data + (position - o->out.start), data, *ret_done);
	if (position + *ret_done > h->end)
		set(&h->end, position + *ret_done);
	return 0;
}

/* The reader was faster: what has been copied may be of another round of the ring. */
static void forget(struct overflow *o, uint64_t from, uint64_t end)
{
	for (uint64_t n = from / OVERFLOW_SEGMENT_BYTES; n <= end / OVERFLOW_SEGMENT_BYTES; n++) {
		struct overflow_segment *s = holder(o, n);

		if (s && s->head->end > from)
			set(&s->head->end, 0);
	}
}

/* False: there is nothing more, or no room for it. */
static bool move_some(struct overflow *o)
{
	uint64_t from = ring_consumed(o->ring), end, waiting;
	const char *data;
	size_t done;
	int r = ring_complete(o->ring, &o->in, from, MOVE_BYTES, &data, &end);

	if (r < 0 || end == from)
		return false;
	for (uint64_t at = from; r == 0 && at < end; at += done)
		r = put(o, at, data + (at - from), end, &done);
	if (r < 0) {
		atomic_fetch_add(&o->full, 1);
		return false;
	}
	if (!ring_advance(o->ring, from, end)) {
		forget(o, from, end);
		return true;
	}
	atomic_store(&o->used_ns, clock_monotonic_ns());
	atomic_fetch_add(&o->moved_bytes, end - from);
	waiting = end - ring_oldest(o->ring);
	if (waiting >= OVERFLOW_MUCH_BYTES)
		eventfd_write(o->much, 1);
	if (waiting > atomic_load(&o->most_bytes))
		atomic_store(&o->most_bytes, waiting);
	return true;
}

void overflow_move(struct overflow *o)
{
	bool more = o->ring && o->most;

	while (more) {
		pthread_mutex_lock(&o->lock);
		more = move_some(o);
		if (!more) {
			ring_unmap(&o->in);
			ring_unmap(&o->out);
		}
		pthread_mutex_unlock(&o->lock);
	}
}

int overflow_read(struct overflow *o, uint64_t position, char *to, size_t size, uint64_t *ret_end)
{
	uint64_t until = ring_consumed(o->ring);
	int r = 0;

	if (until > position + size)
		until = position + size;
	for (*ret_end = position; r == 0 && *ret_end < until;) {
		size_t n;

		/* Nobody else gives a segment back, and none is used anew before it is released. */
		r = map_at(o, &o->read, PROT_READ, *ret_end);
		if (r < 0)
			break;
		n = left_in(&o->read, *ret_end, until);
		memcpy(to + (*ret_end - position), o->read.data + (*ret_end - o->read.start), n);
		*ret_end += n;
	}
	/* Its pages count as memory of this process, and that was all. */
	if (*ret_end == ring_consumed(o->ring))
		ring_unmap(&o->read);
	return r;
}

static void set_timer(int timer, uint64_t in_ns, uint64_t then_ns)
{
	struct itimerspec t = {.it_value.tv_nsec = (long)in_ns,
			       .it_interval.tv_nsec = (long)then_ns};

	timerfd_settime(timer, 0, &t, NULL);
}

static bool has_expired(int timer)
{
	uint64_t times;

	return read(timer, &times, sizeof(times)) == sizeof(times);
}

/*
 * The programs wake the reader, and this thread with it. Where all processors are busy, the reader
 * may have to wait for its turn: then as if it waited for the disk.
 */
static void look_after_reader(struct overflow *o, bool woken, uint64_t *consumed)
{
	if (woken) {
		*consumed = ring_consumed(o->ring);
		set_timer(o->late, OVERFLOW_AFTER_NS, 0);
	} else if (ring_consumed(o->ring) == *consumed && ring_produced(o->ring) > *consumed) {
		overflow_move(o);
		*consumed = ring_consumed(o->ring);
		set_timer(o->late, OVERFLOW_LOOK_NS, 0);
	}
}

static int watch_all(struct overflow *o)
{
	const int fds[] = {o->timer, o->late, o->wake, o->ring->fd};
	int all = epoll_create1(EPOLL_CLOEXEC);

	for (size_t i = 0; all >= 0 && i < ARRAY_SIZE(fds); i++) {
		struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.fd = fds[i]};

		/* A ring that is a file, in tests, wakes nobody. */
		epoll_ctl(all, EPOLL_CTL_ADD, fds[i], &e);
	}
	return all;
}

static void *thread_main(void *argument)
{
	struct overflow *o = argument;
	CLEANUP_CLOSE int all = watch_all(o);
	struct epoll_event e;
	uint64_t consumed = 0;

	/* It does little, and that must not wait for those that fill the ring. Where this is
	 * forbidden, it waits its turn. */
	setpriority(PRIO_PROCESS, 0, OVERFLOW_NICE);
	while (all >= 0 && !atomic_load(&o->stop)) {
		if (epoll_wait(all, &e, 1, -1) < 1)
			continue;
		if (e.data.fd == o->timer && has_expired(o->timer))
			overflow_move(o);
		else if (e.data.fd == o->ring->fd)
			look_after_reader(o, true, &consumed);
		else if (e.data.fd == o->late && has_expired(o->late))
			look_after_reader(o, false, &consumed);
	}
	return NULL;
}

int overflow_start(struct overflow *o)
{
	int r;

	if (!o->ring || !o->most || o->running)
		return 0;
	r = thread_start(&o->thread, thread_main, o);
	o->running = r == 0;
	return r;
}

static void arm(struct overflow *o, uint64_t in_ns)
{
	set_timer(o->timer, in_ns, in_ns ? OVERFLOW_LOOK_NS : 0);
}

void overflow_watch(struct overflow *o)
{
	if (!o->running || o->watched)
		return;
	o->watched = true;
	arm(o, OVERFLOW_AFTER_NS);
}

void overflow_drained(struct overflow *o)
{
	if (o->watched)
		arm(o, OVERFLOW_AFTER_NS);
}

void overflow_rest(struct overflow *o)
{
	if (o->watched)
		arm(o, 0);
	o->watched = false;
}

static bool is_unused(struct overflow *o)
{
	return ring_oldest(o->ring) >= ring_consumed(o->ring) &&
	       clock_monotonic_ns() - atomic_load(&o->used_ns) > KEEP_NS;
}

static void drop_all(struct overflow *o)
{
	pthread_mutex_lock(&o->lock);
	if (is_unused(o)) {
		ring_unmap(&o->out);
		ring_unmap(&o->read);
		for (size_t i = 0; i < OVERFLOW_SEGMENTS; i++) {
			if (!atomic_load(&o->segments[i].head))
				continue;
			drop(o, i);
			unpin(o->options.directory, i);
		}
	}
	pthread_mutex_unlock(&o->lock);
}

void overflow_trim(struct overflow *o)
{
	if (!o->ring)
		return;
	if (count(o) && is_unused(o))
		drop_all(o);
	atomic_store(&o->bytes, count(o) * OVERFLOW_SEGMENT_BYTES);
}
