/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

/* Large against a record (46 KiB), small against the ring. */
#define WINDOW_BYTES (2u << 20)

static size_t padded(uint32_t length)
{
	return ((size_t)length + BPF_RINGBUF_HDR_SZ + 7) & ~(size_t)7;
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
	ring->cursor = ring_consumed(ring);
	return 0;
}

static void unmap_window(struct ring *ring)
{
	if (ring->window)
		munmap(ring->window, ring->window_bytes);
	ring->window = NULL;
}

void ring_close(struct ring *ring)
{
	unmap_window(ring);
	if (ring->consumer)
		munmap(ring->consumer, ring->page);
	if (ring->producer)
		munmap((void *)ring->producer, ring->page);
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

void ring_seek(struct ring *ring, uint64_t position)
{
	ring->cursor = position;
}

/* Maps [position, position + length): the kernel maps the data twice in a row, so no record is cut.
 */
static int map_at(struct ring *ring, uint64_t position, size_t length)
{
	uint64_t offset = position & (ring->bytes - 1) & ~(uint64_t)(ring->page - 1);
	void *p;

	if (ring->window && position >= ring->window_start &&
	    position + length <= ring->window_start + ring->window_bytes)
		return 0;
	unmap_window(ring);
	ring->window_bytes = ring->bytes < WINDOW_BYTES ? ring->bytes : WINDOW_BYTES;
	p = mmap(NULL, ring->window_bytes, PROT_READ, MAP_SHARED, ring->fd,
		 (off_t)(2 * ring->page + offset));
	if (p == MAP_FAILED)
		return -errno;
	ring->window = p;
	ring->window_start = position & ~(uint64_t)(ring->page - 1);
	return 0;
}

static int read_header(struct ring *ring, uint32_t *ret_length)
{
	int r = map_at(ring, ring->cursor, BPF_RINGBUF_HDR_SZ);

	if (r < 0)
		return r;
	*ret_length = __atomic_load_n(
		(uint32_t *)(ring->window + (ring->cursor - ring->window_start)), __ATOMIC_ACQUIRE);
	return 0;
}

int ring_next(struct ring *ring, const void **ret_record, size_t *ret_length)
{
	while (ring->cursor < ring_produced(ring)) {
		uint32_t header, length;
		uint64_t start = ring->cursor;
		int r = read_header(ring, &header);

		if (r < 0)
			return r;
		if (header & BPF_RINGBUF_BUSY_BIT)
			return 0;
		length = header & ~(uint32_t)(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
		if (padded(length) > ring->bytes || start + padded(length) > ring_produced(ring)) {
			ring->malformed++;
			return -EBADMSG;
		}
		ring->cursor = start + padded(length);
		if (header & BPF_RINGBUF_DISCARD_BIT)
			continue;
		r = map_at(ring, start, padded(length));
		if (r < 0) {
			ring->cursor = start;
			return r;
		}
		*ret_record = ring->window + (start - ring->window_start) + BPF_RINGBUF_HDR_SZ;
		*ret_length = length;
		return 1;
	}
	return 0;
}

void ring_release(struct ring *ring, uint64_t position)
{
	if (position > ring_consumed(ring))
		__atomic_store_n(ring->consumer, position, __ATOMIC_RELEASE);
}
