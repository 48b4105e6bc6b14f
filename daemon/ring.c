/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/overflow.h"

/* Large against what is read at once, small against the memory of the rest of this process. */
#define WINDOW_BYTES (256u << 10)

static size_t padded(uint32_t length)
{
	return ((size_t)length + BPF_RINGBUF_HDR_SZ + 7) & ~(size_t)7;
}

static uint32_t length_of(uint32_t header)
{
	return header & ~(uint32_t)(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
}

int ring_open(struct ring *ring, int fd, size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *p;

	*ring = (struct ring){.fd = fd, .bytes = bytes, .page = page};
	p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	ring->consumer = p;
	p = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, (off_t)page);
	if (p == MAP_FAILED) {
		int r = -errno;

		ring_close(ring);
		return r;
	}
	ring->producer = p;
	ring->block = malloc(RING_BLOCK_BYTES);
	if (!ring->block) {
		ring_close(ring);
		return -ENOMEM;
	}
	ring->cursor = ring_consumed(ring);
	atomic_store(&ring->oldest, ring->cursor);
	return 0;
}

void ring_unmap(struct ring_window *window)
{
	if (window->data)
		munmap(window->data, window->bytes);
	window->data = NULL;
}

void ring_close(struct ring *ring)
{
	ring_unmap(&ring->window);
	if (ring->consumer)
		munmap(ring->consumer, ring->page);
	if (ring->producer)
		munmap((void *)ring->producer, ring->page);
	free(ring->block);
	ring->block = NULL;
	ring->consumer = NULL;
	ring->producer = NULL;
}

uint64_t ring_consumed(const struct ring *ring)
{
	return __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
}

uint64_t ring_produced(const struct ring *ring)
{
	return __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
}

uint64_t ring_oldest(const struct ring *ring)
{
	return atomic_load(&ring->oldest);
}

void ring_seek(struct ring *ring, uint64_t position)
{
	ring->cursor = position;
}

/* The kernel maps the data twice in a row, so nothing is cut at its end. */
static int map_at(const struct ring *ring, struct ring_window *w, uint64_t position, size_t length)
{
	uint64_t offset = position & (ring->bytes - 1) & ~(uint64_t)(ring->page - 1);
	void *p;

	if (w->data && position >= w->start && position + length <= w->start + w->bytes)
		return 0;
	ring_unmap(w);
	w->bytes = ring->bytes < WINDOW_BYTES ? ring->bytes : WINDOW_BYTES;
	p = mmap(NULL, w->bytes, PROT_READ, MAP_SHARED, ring->fd, (off_t)(2 * ring->page + offset));
	if (p == MAP_FAILED)
		return -errno;
	w->data = p;
	w->start = position & ~(uint64_t)(ring->page - 1);
	return 0;
}

int ring_complete(const struct ring *ring, struct ring_window *window, uint64_t from, size_t most,
		  const char **ret_data, uint64_t *ret_end)
{
	uint64_t end = from, produced = ring_produced(ring);
	size_t fits = (ring->bytes < WINDOW_BYTES ? ring->bytes : WINDOW_BYTES) - ring->page;
	const char *data;
	int r;

	if (most > fits)
		most = fits;
	*ret_end = from;
	if (from >= produced)
		return 0;
	r = map_at(ring, window, from, most);
	if (r < 0)
		return r;
	data = window->data + (from - window->start);
	while (end < produced && end - from + BPF_RINGBUF_HDR_SZ <= most) {
		uint32_t header =
			__atomic_load_n((const uint32_t *)(data + (end - from)), __ATOMIC_ACQUIRE);
		size_t length = padded(length_of(header));

		if (header & BPF_RINGBUF_BUSY_BIT)
			break;
		if (length > most || end + length > produced) {
			if (end == from)
				return -EBADMSG;
			break;
		}
		if (end - from + length > most)
			break;
		end += length;
	}
	*ret_data = data;
	*ret_end = end;
	return 0;
}

/* Records from the cursor on, wherever they lie. 0: none is complete. */
static int fill(struct ring *ring)
{
	const char *data;
	uint64_t end;
	int r;

	do {
		ring->block_start = ring->block_end = ring->cursor;
		if (ring->overflow && ring->cursor < ring_consumed(ring)) {
			r = overflow_read(ring->overflow, ring->cursor, ring->block,
					  RING_BLOCK_BYTES, &end);
			break;
		}
		r = ring_complete(ring, &ring->window, ring->cursor, RING_BLOCK_BYTES, &data, &end);
		if (r == 0 && end > ring->cursor)
			memcpy(ring->block, data, end - ring->cursor);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		/* Else it has been moved meanwhile, and what was copied may be something newer. */
	} while (ring->overflow && ring_consumed(ring) > ring->cursor);
	if (r == -EBADMSG)
		ring->malformed++;
	if (r < 0)
		return r;
	ring->block_end = end;
	return end > ring->cursor;
}

/* What is in the block of the record at the cursor; NULL: not all of it. */
static const char *in_block(const struct ring *ring, uint32_t *ret_header)
{
	uint64_t at = ring->cursor;

	if (at < ring->block_start || at + BPF_RINGBUF_HDR_SZ > ring->block_end)
		return NULL;
	memcpy(ret_header, ring->block + (at - ring->block_start), sizeof(*ret_header));
	if (at + padded(length_of(*ret_header)) > ring->block_end)
		return NULL;
	return ring->block + (at - ring->block_start) + BPF_RINGBUF_HDR_SZ;
}

int ring_next(struct ring *ring, const void **ret_record, size_t *ret_length)
{
	for (;;) {
		uint32_t header;
		const char *record = in_block(ring, &header);

		if (!record) {
			int r = fill(ring);

			if (r <= 0)
				return r;
			record = in_block(ring, &header);
			if (!record)
				return -EBADMSG;
		}
		ring->cursor += padded(length_of(header));
		if (header & BPF_RINGBUF_DISCARD_BIT)
			continue;
		*ret_record = record;
		*ret_length = length_of(header);
		return 1;
	}
}

bool ring_advance(struct ring *ring, uint64_t from, uint64_t to)
{
	unsigned long before = (unsigned long)from;

	return __atomic_compare_exchange_n(ring->consumer, &before, (unsigned long)to, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

void ring_release(struct ring *ring, uint64_t position)
{
	uint64_t consumed = ring_consumed(ring);
	bool drains = position > consumed;

	if (position > ring_oldest(ring))
		atomic_store(&ring->oldest, position);
	while (position > consumed && !ring_advance(ring, consumed, position))
		consumed = ring_consumed(ring);
	if (drains && ring->overflow)
		overflow_drained(ring->overflow);
}
