/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BPF ring buffer as a write-ahead log: reading moves a cursor, and only ring_release() gives
 * the room back to the programs. libbpf's ring_buffer releases record by record, hence this one.
 *
 * Positions are the kernel's: bytes since the ring was made, growing without end. Only a window of
 * the ring is mapped, so that a large ring does not count as memory of the daemon.
 */
#ifndef LINEAGED_RING_H
#define LINEAGED_RING_H

#include <stddef.h>
#include <stdint.h>

struct ring {
	int fd;	      /* the map's; not owned */
	size_t bytes; /* of the ring: a power of two */
	size_t page;
	unsigned long *consumer; /* mapped: what the programs may overwrite up to */
	const unsigned long *producer;
	uint64_t cursor; /* position of the next record to read */
	char *window;	 /* mapped part of the data */
	size_t window_bytes;
	uint64_t window_start; /* position of its first byte */
	uint64_t malformed;    /* headers that make no sense; the reader then stops there */
};

int ring_open(struct ring *ring, int fd, size_t bytes);
void ring_close(struct ring *ring);

/* Where the kernel thinks that the reader is; and the end of what has been reserved. */
uint64_t ring_consumed(const struct ring *ring);
uint64_t ring_produced(const struct ring *ring);

/* Continues reading at position: after ring_open(), or again from what has been committed. */
void ring_seek(struct ring *ring, uint64_t position);

/*
 * 1 and the next record; 0 if there is none that is complete; negative errno. The record stays
 * valid until the next call; its bytes stay in the ring until ring_release().
 */
int ring_next(struct ring *ring, const void **ret_record, size_t *ret_length);

/* Everything before position may be overwritten. Never moves backwards. */
void ring_release(struct ring *ring, uint64_t position);

#endif
